//! How the policy server proves who it is.

use super::super::kind::Kind;
use super::super::setting::Setting;

settings! {
    TLS_VERIFY: "Whether certificates are checked. Where they are not, and none is pinned, no \
        [policy document](../remote.md#the-enforcers-policy-here) is taken."
        => Setting::env(&["THOTH_TLS_VERIFY"], Kind::Bool).key("tls_verify").default("true").update().loosens(&["false"]);
    TLS_CA_BUNDLE: "A file with the certificates (PEM) of the only authorities to trust."
        => Setting::env(&["THOTH_TLS_CA_BUNDLE"], Kind::Path).key("tls_ca_bundle").update().loosens(&["*"]);
    TLS_PINNED_CERT_SHA256: "SHA-256 digests of the policy server's own certificate, separated by commas: \
        `sha256:<64 hex digits>`, or the digits alone. `thoth run` and `thoth doctor` hold the policy server to them; updates come \
        from another server, so `thoth update` does not, but stops where they cannot be read."
        => Setting::env(&["THOTH_TLS_PINNED_CERT_SHA256"], Kind::Pins).key("tls_pinned_cert_sha256").doctor();
    TLS_PIN_CACHE: "How long a checked pin may be remembered: seconds, or with a unit. The pin is checked at every handshake, which is \
        stricter, so that it has no effect."
        => Setting::env(&["THOTH_TLS_PIN_CACHE_SECONDS"], Kind::Seconds).default("300").no_effect();
    TLS_REQUIRE_AWS_BACKED_CERTS: "Whether only certificates that AWS issued are accepted."
        => Setting::env(&["THOTH_TLS_REQUIRE_AWS_BACKED_CERTS"], Kind::Bool).default("false").planned();
    TLS_AWS_ACM_CERT_ARN: "The certificate's name in AWS Certificate Manager."
        => Setting::env(&["THOTH_TLS_AWS_ACM_CERT_ARN"], Kind::Word).planned();
    TLS_AWS_PRIVATE_CA_ARN: "The name of the private authority in AWS."
        => Setting::env(&["THOTH_TLS_AWS_PRIVATE_CA_ARN"], Kind::Word).planned();
}
