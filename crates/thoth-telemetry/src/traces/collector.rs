//! The collector: OTLP over HTTP, in protobuf. Each message is one request, bounded in time, and its answer is read no further than
//! needed. It is never sent elsewhere: redirects are not followed.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::trace::SpanData;
use prost::Message as _;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, Url};

use super::{NoTraces, Options};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a message may take, with its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 16 << 10;
const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failed {
    #[error("no connection can be made")]
    Connection,
    #[error("it does not answer within {} seconds", PATIENCE.as_secs())]
    Silence,
    #[error("the connection broke")]
    Broken,
    #[error("it answers with status {status}")]
    Status { status: u16, wished: Option<Duration> },
    #[error("it refuses some of the spans")]
    Refused,
}

impl Failed {
    /// How long to wait before it is tried again, if that may help.
    pub(super) fn pause(self) -> Option<Duration> {
        match self {
            Self::Connection | Self::Silence | Self::Broken => Some(Duration::ZERO),
            Self::Status { status: 429 | 502..=504, wished } => Some(wished.unwrap_or_default()),
            Self::Status { .. } | Self::Refused => None,
        }
    }

    /// The same, whatever it wished for.
    pub(super) const fn kind(self) -> Self {
        match self {
            Self::Status { status, .. } => Self::Status { status, wished: None },
            other => other,
        }
    }
}

/// Where messages go.
#[derive(Debug)]
pub(super) struct Collector {
    client: Client,
    url: Url,
}

impl Collector {
    pub(super) fn new(options: &Options) -> Result<Self, NoTraces> {
        let url = Url::parse(&options.endpoint).map_err(|_| NoTraces::Endpoint)?;
        let is_plain = url.scheme() == "http";
        // A password in an address would be told wherever the address is.
        if !(is_plain || url.scheme() == "https") || !url.username().is_empty() || url.password().is_some() {
            return Err(NoTraces::Endpoint);
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &options.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| NoTraces::Header)?;
            let mut value = HeaderValue::from_str(value.expose_secret()).map_err(|_| NoTraces::Header)?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        headers.insert(CONTENT_TYPE, PROTOBUF);
        let mut builder = Client::builder()
            .default_headers(headers)
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(CONNECT)
            .timeout(PATIENCE)
            .user_agent(format!("thothd/{}", options.version));
        if let Some(pem) = &options.authorities {
            let authorities = Certificate::from_pem_bundle(pem).map_err(|_| NoTraces::Authorities)?;
            if authorities.is_empty() {
                return Err(NoTraces::Authorities);
            }
            builder = builder.tls_certs_only(authorities);
        } else if is_plain {
            // The system's need not be there.
            builder = builder.tls_certs_only([]);
        }
        if is_here(&url) {
            // A proxy's own machine is another one.
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| NoTraces::Setup(error.to_string()))?;
        Ok(Self { client, url })
    }

    /// The message that tells of these spans.
    pub(super) fn message(spans: Vec<SpanData>, resource: &ResourceAttributesWithSchema) -> Vec<u8> {
        let resource_spans = group_spans_by_resource_and_scope(spans, resource);
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    /// Sends it. Of how many spans the collector says that it does not take them.
    pub(super) async fn send(&self, message: &[u8]) -> Result<u64, Failed> {
        let answer = self.client.post(self.url.clone()).body(message.to_vec()).send().await;
        // Errors of the client have the address, and may have more.
        let answer = answer.map_err(|error| match () {
            () if error.is_connect() => Failed::Connection,
            () if error.is_timeout() => Failed::Silence,
            () => Failed::Broken,
        })?;
        let status = answer.status();
        if !status.is_success() {
            let wished = answer.headers().get(RETRY_AFTER).and_then(|text| text.to_str().ok()?.trim().parse().ok());
            return Err(Failed::Status { status: status.as_u16(), wished: wished.map(Duration::from_secs) });
        }
        Ok(refused(answer).await)
    }
}

/// How many spans were not taken. An answer that cannot be read says that all were: that is what its status says.
async fn refused(mut answer: Response) -> u64 {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        if body.len() + chunk.len() > MAX_ANSWER {
            return 0;
        }
        body.extend_from_slice(&chunk);
    }
    let read = ExportTraceServiceResponse::decode(&*body).unwrap_or_default();
    read.partial_success.and_then(|partial| u64::try_from(partial.rejected_spans).ok()).unwrap_or_default()
}

/// Whether an address is one of this machine, by what is written.
fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}
