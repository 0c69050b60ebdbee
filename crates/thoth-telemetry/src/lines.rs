//! Lines on standard error: as people read them, or one JSON object each. It writes what Thoth's own crates say, nothing
//! of what libraries do.

use std::fmt::{Debug, Write as _};
use std::io::Write as _;

use jiff::Timestamp;
use thoth_types::display::harmless;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

pub use tracing::Level;

/// What targets of events begin with that are ours.
const OURS: &str = "thoth";

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `thoth: what happened`, and what belongs to it behind that.
    Text,
    /// One JSON object, with `time`, `level` and `message`.
    Json,
}

/// Lines are written already.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("lines are written already")]
pub struct AlreadyBegun;

/// Writes lines from now on: of events of this level and of graver ones.
///
/// # Errors
/// If this was called before.
pub fn begin(format: Format, level: Level) -> Result<(), AlreadyBegun> {
    // There is nowhere left to report that stderr is closed.
    let write = |line: &[u8]| drop(std::io::stderr().lock().write_all(line));
    let lines = Lines { format, level, now: Timestamp::now, write };
    tracing::subscriber::set_global_default(lines).map_err(|_| AlreadyBegun)
}

/// Takes events. Ours have no spans, so that none is kept.
struct Lines<W> {
    format: Format,
    level: Level,
    now: fn() -> Timestamp,
    /// Gets each line in one piece, so that no other gets into it.
    write: W,
}

impl<W: Fn(&[u8]) + Send + Sync + 'static> Subscriber for Lines<W> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.level && metadata.target().starts_with(OURS)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level.into())
    }

    fn event(&self, event: &Event<'_>) {
        (self.write)(&match self.format {
            Format::Text => text(event),
            Format::Json => json(event, (self.now)()),
        });
    }

    /// Never asked for: no span is enabled.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// `thoth: message name=value …`
fn text(event: &Event<'_>) -> Vec<u8> {
    #[derive(Default)]
    struct Text {
        message: String,
        rest: String,
    }
    impl Visit for Text {
        fn record_str(&mut self, field: &Field, value: &str) {
            if field.name() == MESSAGE {
                value.clone_into(&mut self.message);
            } else if !value.is_empty() {
                // Writing to a text cannot fail.
                let _ = write!(self.rest, " {}={}", field.name(), harmless(value));
            }
        }

        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            self.record_str(field, &format!("{value:?}"));
        }
    }
    let mut text = Text::default();
    event.record(&mut text);
    format!("thoth: {}{}\n", text.message, text.rest).into_bytes()
}

/// What `tracing` calls the text of an event.
const MESSAGE: &str = "message";

fn json(event: &Event<'_>, now: Timestamp) -> Vec<u8> {
    struct Members(Vec<u8>);
    impl Members {
        fn member(&mut self, name: &str, value: impl std::fmt::Display) {
            // Writing to memory cannot fail; names are our own words.
            drop(write!(self.0, ",\"{name}\":{value}"));
        }
    }
    impl Visit for Members {
        fn record_f64(&mut self, field: &Field, value: f64) {
            if value.is_finite() {
                self.member(field.name(), format_args!("{value:.3}"));
            }
        }

        fn record_i64(&mut self, field: &Field, value: i64) {
            self.member(field.name(), value);
        }

        fn record_u64(&mut self, field: &Field, value: u64) {
            self.member(field.name(), value);
        }

        fn record_bool(&mut self, field: &Field, value: bool) {
            self.member(field.name(), value);
        }

        fn record_str(&mut self, field: &Field, value: &str) {
            if !value.is_empty() {
                self.member(field.name(), serde_json::Value::from(value));
            }
        }

        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            self.record_str(field, &format!("{value:?}"));
        }
    }
    let level = match *event.metadata().level() {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    };
    let mut line = Members(format!("{{\"time\":\"{now:.3}\",\"level\":\"{level}\"").into_bytes());
    event.record(&mut line);
    line.0.extend_from_slice(b"}\n");
    line.0
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn said(format: Format, work: impl FnOnce()) -> Vec<String> {
        let said = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&said);
        let write = move |line: &[u8]| into.lock().unwrap().push(String::from_utf8(line.to_vec()).unwrap());
        let lines = Lines { format, level: Level::INFO, now: || Timestamp::UNIX_EPOCH, write };
        tracing::subscriber::with_default(lines, work);
        let said = said.lock().unwrap();
        said.clone()
    }

    fn events() {
        tracing::warn!(target: "thothd", "two\nlines \u{1b}[31m");
        tracing::info!(target: "thoth_server::request", status = 200u64, duration_ms = 1.25, tenant = "acme", key = "", "request");
        tracing::debug!(target: "thothd", "too much");
        tracing::error!(target: "hyper", body = "hunter2", "a library");
        let _span = tracing::info_span!(target: "thothd", "span").entered();
    }

    /// Each event is one line, whatever stands in it; libraries and what is less grave say nothing.
    #[test]
    fn events_are_lines() {
        assert_eq!(
            said(Format::Text, events),
            ["thoth: two\nlines \u{1b}[31m\n", "thoth: request status=200 duration_ms=1.25 tenant=acme\n"]
        );
        assert_eq!(
            said(Format::Json, events),
            [
                "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"warn\",\"message\":\"two\\nlines \\u001b[31m\"}\n",
                "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"info\",\"message\":\"request\",\"status\":200,\
                 \"duration_ms\":1.250,\"tenant\":\"acme\"}\n"
            ]
        );
    }
}
