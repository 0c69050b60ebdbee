{{- define "thothd.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 53 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "thothd.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "thothd.labels" -}}
{{ include "thothd.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "thothd.pod" -}}
metadata:
  labels:
    {{- include "thothd.selector" . | nindent 4 }}
  annotations:
    # Settings are read at the start; the policy is not part of this, since it is looked at before each call.
    checksum/settings: {{ toJson .Values.settings | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  automountServiceAccountToken: false
  # Variables of services begin with THOTHD_, too.
  enableServiceLinks: false
  terminationGracePeriodSeconds: 30
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    # Else each start would open every file of the volume to the group, which the server refuses.
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: thothd
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: ["serve", "--config", "/etc/thothd/thothd.toml"]
      env:
        - name: THOTHD_LISTEN
          value: "0.0.0.0:8787"
        {{- if .Values.metrics.enabled }}
        - name: THOTHD_METRICS_LISTEN
          value: "0.0.0.0:9464"
        - name: THOTHD_METRICS_EXPOSED
          value: "true"
        {{- end }}
        {{- with .Values.traces.endpoint }}
        - name: THOTHD_TRACES_ENDPOINT
          value: {{ . | quote }}
        {{- end }}
        {{- if .Values.traces.existingSecret }}
        - name: THOTHD_TRACES_HEADERS
          valueFrom:
            secretKeyRef:
              name: {{ .Values.traces.existingSecret }}
              key: {{ .Values.traces.key }}
        {{- end }}
        {{- if .Values.database.existingSecret }}
        - name: THOTHD_DATABASE_URL
          valueFrom:
            secretKeyRef:
              name: {{ .Values.database.existingSecret }}
              key: {{ .Values.database.key }}
        {{- else }}
        # Below the volume: others of the pod's group can get into its root.
        - name: THOTHD_DATA
          value: /data/thothd
        {{- end }}
      ports:
        - name: https
          containerPort: 8787
        {{- if .Values.metrics.enabled }}
        - name: metrics
          containerPort: 9464
        {{- end }}
      livenessProbe:
        httpGet: { path: /healthz, port: https, scheme: HTTPS }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: { path: /readyz, port: https, scheme: HTTPS }
        periodSeconds: 5
        timeoutSeconds: 5
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: ["ALL"]
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - name: config
          mountPath: /etc/thothd
          readOnly: true
        - name: tls
          mountPath: /etc/thothd-tls
          readOnly: true
        {{- if not .Values.database.existingSecret }}
        - name: data
          mountPath: /data
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "thothd.name" . }}
        defaultMode: 0444
    - name: tls
      secret:
        secretName: {{ required "tls.existingSecret is needed: other machines are listened to with TLS only" .Values.tls.existingSecret }}
        defaultMode: 0440
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
