//! `GET /metrics`, for a listener of its own: it takes no key, and tells nothing of any tenant.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use thoth_telemetry::metrics::{CONTENT_TYPE, Now};

use crate::app::App;

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new().route("/metrics", get(move || metrics(Arc::clone(&app))))
}

async fn metrics(app: Arc<App>) -> Response {
    let render = move || {
        let now = app.now();
        app.metrics.render(&now)
    };
    match tokio::task::spawn_blocking(render).await {
        Ok(text) => ([(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE))], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl App {
    /// What is so now. Blocks on the disk.
    fn now(&self) -> Now {
        let open = self.tenants.opened();
        let holds = open.iter().map(|tenant| tenant.waiting().ok()).sum();
        Now { tenants: u64::try_from(open.len()).unwrap_or(u64::MAX), holds, connections: self.stores.connections() }
    }
}
