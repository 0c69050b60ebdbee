//! What is noted of a request on its way, for the line and the counts that follow it: words and names of our own, and
//! nothing that it carried.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::Method as HttpMethod;
use thoth_api::contract::enforce::Envelope;
use thoth_api::contract::route::{Method, Route};
use thoth_telemetry::traces::{Below, OTHER, Span};
use thoth_types::{Decision, ReasonCode};

use crate::access::{Access, Key};
use crate::app::App;

/// Of one request.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    /// The tenant, and the key; none for the login of a person, whose id is that person's.
    who: OnceLock<(String, Option<Arc<Key>>)>,
    decided: OnceLock<(Decision, ReasonCode)>,
    /// Where its steps are told.
    pub(crate) spans: Below,
}

impl Noted {
    /// Of a request with this span.
    pub(crate) fn of(span: &Span) -> Self {
        Self { spans: span.below(), ..Self::default() }
    }

    /// Who asks.
    pub(crate) fn who(&self, access: &Access) {
        // The first one is the one who came with the request.
        let key = access.digest.is_some().then(|| Arc::clone(&access.key));
        drop(self.who.set((access.tenant.id.to_string(), key)));
    }

    /// What was decided. A code that is none of ours is not told: it could be anything.
    pub(crate) fn decided(&self, envelope: &Envelope) {
        let code = envelope.decision_reason_code.as_deref().and_then(|code| code.parse().ok());
        if let Some(code) = code {
            let _ = self.decided.set((envelope.decision(), code));
        }
    }

    /// Counts the request, and says that it was answered if that is wanted.
    pub(crate) fn tell(
        &self,
        app: &App,
        request: &str,
        about: &About,
        (status, took): (u16, Duration),
        mut span: Span,
    ) {
        let About { route, method } = *about;
        span.answered(status, request);
        app.metrics.answered(route, method, status, took);
        let decided = self.decided.get();
        if let Some((decision, code)) = decided {
            app.metrics.decided(*decision, *code);
            span.decided(*decision, *code);
        }
        if let Some((tenant, _)) = self.who.get() {
            span.tenant(tenant);
        }
        if !app.access_log {
            return;
        }
        let (tenant, key) = match self.who.get() {
            None => ("", ""),
            Some((tenant, None)) => (tenant.as_str(), "login"),
            Some((tenant, Some(key))) => (tenant.as_str(), &*key.id),
        };
        let (decision, code) = decided.map_or(("", ""), |(decision, code)| (decision.as_str(), code.as_str()));
        tracing::info!(
            request_id = request,
            method,
            route,
            status,
            duration_ms = took.as_secs_f64() * 1000.0,
            tenant,
            key_id = key,
            decision,
            reason_code = code,
            trace_id = span.trace_id().unwrap_or_default(),
            "request"
        );
    }
}

/// Which request it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About {
    pub(crate) route: &'static str,
    pub(crate) method: &'static str,
}

impl About {
    /// By the way that it took; what nothing is served at has no name of its own.
    pub(crate) fn of(method: &HttpMethod, path: Option<&str>) -> Self {
        let method = match *method {
            HttpMethod::GET => "GET",
            HttpMethod::POST => "POST",
            HttpMethod::PUT => "PUT",
            HttpMethod::DELETE => "DELETE",
            // Others are words of whoever asks.
            _ => OTHER,
        };
        let asked = |route: &&Route| {
            let words = match route.method() {
                Method::Get => "GET",
                Method::Post => "POST",
                Method::Put => "PUT",
                Method::Delete => "DELETE",
            };
            Some(route.path()) == path && words == method
        };
        let route = Route::ALL.iter().find(asked).map_or(OTHER, |route| route.path());
        Self { route, method }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing that a client made up becomes a word of a line or a label.
    #[test]
    fn only_our_own_words_are_told() {
        let odd = HttpMethod::from_bytes(b"HUNTER2").unwrap();
        for (method, path, expected) in [
            (&HttpMethod::POST, Some("/v1/enforce"), ("/v1/enforce", "POST")),
            (&HttpMethod::GET, Some("/v1/enforce"), ("other", "GET")),
            (&HttpMethod::GET, Some("/{tenant}/thoth/api-keys"), ("/{tenant}/thoth/api-keys", "GET")),
            (&HttpMethod::GET, Some("/hunter2"), ("other", "GET")),
            (&HttpMethod::GET, None, ("other", "GET")),
            (&odd, Some("/v1/enforce"), ("other", "other")),
        ] {
            let About { route, method } = About::of(method, path);
            assert_eq!((route, method), expected);
        }
    }
}
