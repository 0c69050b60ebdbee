//! Keys that a laxer reader would take for other keys.
//!
//! Some readers compare keys without regard to case, some of them with Unicode's folds (the Kelvin sign for `k`, the
//! long s for `s`), and some end a key at a control character. In the objects that the protocol itself defines
//! (envelope, `params`, `_meta`, `result`, `error`, tool definitions) such keys have no honest use, so they are refused.

use std::borrow::Cow;

use thoth_types::json::Value;
use unicase::UniCase;

use crate::fault::Fault;
use crate::refusal::RefusalCode;

/// Keys of the envelope.
pub(crate) const ENVELOPE: &[&str] = &["jsonrpc", "id", "method", "params", "result", "error"];

/// Keys of `params` that any revision of the protocol gives a meaning that the gate relies on.
pub(crate) const PARAMS: &[&str] = &[
    "name",
    "arguments",
    "_meta",
    "task",
    "taskId",
    "inputResponses",
    "requestState",
    "requestId",
    "uri",
    "cursor",
    "protocolVersion",
    "capabilities",
    "clientInfo",
    "progressToken",
    "progress",
    "status",
    "statusMessage",
    "result",
    "error",
    "inputRequests",
    "level",
    "data",
    "logger",
    "total",
    "message",
    "reason",
    "ref",
    "argument",
    "context",
    "messages",
    "systemPrompt",
    "tools",
    "toolChoice",
    "requestedSchema",
    "url",
    "mode",
    "elicitationId",
    "notifications",
];

/// Keys of `_meta`; besides them everything under [`META_PREFIX`].
pub(crate) const META: &[&str] = &["progressToken", "traceparent", "tracestate", "baggage"];

/// The protocol's own namespace in `_meta`.
pub(crate) const META_PREFIX: &str = "io.modelcontextprotocol/";

/// Keys of a result.
pub(crate) const RESULT: &[&str] = &[
    "content",
    "structuredContent",
    "isError",
    "_meta",
    "resultType",
    "tools",
    "nextCursor",
    "ttlMs",
    "cacheScope",
    "task",
    "taskId",
    "tasks",
    "status",
    "statusMessage",
    "pollInterval",
    "pollIntervalMs",
    "ttl",
    "createdAt",
    "lastUpdatedAt",
    "result",
    "error",
    "inputRequests",
    "inputResponses",
    "requestState",
    "protocolVersion",
    "supportedVersions",
    "capabilities",
    "serverInfo",
    "instructions",
    "prompts",
    "messages",
    "description",
    "resources",
    "resourceTemplates",
    "contents",
    "completion",
    "roots",
    "action",
    "role",
    "model",
    "stopReason",
];

/// Keys of an error.
pub(crate) const ERROR: &[&str] = &["code", "message", "data"];

/// Keys of a tool definition.
pub(crate) const TOOL: &[&str] =
    &["name", "title", "description", "inputSchema", "outputSchema", "annotations", "icons", "execution", "_meta"];

/// Keys of a listed prompt, resource or template.
pub(crate) const LISTED: &[&str] = &[
    "name",
    "title",
    "description",
    "arguments",
    "uri",
    "uriTemplate",
    "mimeType",
    "annotations",
    "icons",
    "size",
    "_meta",
];

/// The key or method as a case-insensitive reader sees it.
fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(text.to_ascii_lowercase())
        } else {
            Cow::Borrowed(text)
        }
    } else {
        // Turkish readers fold both of these to `i`; Unicode's own folding does not.
        Cow::Owned(UniCase::unicode(text.replace(['\u{130}', '\u{131}'], "i")).to_folded_case())
    }
}

/// Whether a case-insensitive reader takes `text` for `plain`, which is ASCII.
pub(crate) fn folds_to(text: &str, plain: &str) -> bool {
    fold(text).eq_ignore_ascii_case(plain)
}

/// Collects the keys of one object that are not exactly governed ones, and finds those that could be taken for
/// another.
#[derive(Debug, Default)]
pub(crate) struct Strangers<'d> {
    /// Empty, and thus without an allocation, for nearly every message.
    seen: Vec<(Cow<'d, str>, usize)>,
}

impl<'d> Strangers<'d> {
    /// Notes a key that is none of `governed`.
    pub(crate) fn note(&mut self, key: Value<'d>, text: Cow<'d, str>, governed: &[&str]) -> Result<(), Fault> {
        if text.chars().any(char::is_control) {
            return Err(Fault::at(RefusalCode::ControlCharacterInKey, key));
        }
        let folded = match text {
            Cow::Borrowed(text) => fold(text),
            Cow::Owned(text) => Cow::Owned(fold(&text).into_owned()),
        };
        if governed.iter().any(|plain| plain.eq_ignore_ascii_case(&folded)) {
            return Err(Fault::at(RefusalCode::FoldedKey, key));
        }
        self.seen.push((folded, key.span().start));
        Ok(())
    }

    /// Refuses two keys that differ only in case.
    pub(crate) fn check(mut self) -> Result<(), Fault> {
        if self.seen.len() < 2 {
            return Ok(());
        }
        self.seen.sort_unstable();
        self.seen.windows(2).try_for_each(|pair| match pair {
            [(a, _), (b, offset)] if a == b => Err(Fault::new(RefusalCode::FoldedKey, *offset)),
            _ => Ok(()),
        })
    }
}

/// Checks the keys of `object` against those that are governed in it.
pub(crate) fn check(object: Value<'_>, governed: &[&str]) -> Result<(), Fault> {
    let mut strangers = Strangers::default();
    for (key, _) in object.members() {
        let text = key.as_str().unwrap_or_default();
        if !governed.contains(&&*text) {
            strangers.note(key, text, governed)?;
        }
    }
    strangers.check()
}

/// Checks the keys of a `_meta` object.
pub(crate) fn check_meta(meta: Value<'_>) -> Result<(), Fault> {
    let mut strangers = Strangers::default();
    for (key, _) in meta.members() {
        let text = key.as_str().unwrap_or_default();
        if META.contains(&&*text) {
            continue;
        }
        if !text.starts_with(META_PREFIX) && fold(&text).starts_with(META_PREFIX) {
            return Err(Fault::at(RefusalCode::FoldedKey, key));
        }
        strangers.note(key, text, META)?;
    }
    strangers.check()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends against readers with Unicode folds (CVE-2026-27896).
    #[test]
    fn folds_as_the_laxest_reader_does() {
        for (text, plain) in [
            ("METHOD", "method"),
            ("param\u{17f}", "params"),
            ("tas\u{212a}", "task"),
            ("\u{130}d", "id"),
            ("\u{131}d", "id"),
            ("Tools/Call", "tools/call"),
        ] {
            assert!(folds_to(text, plain), "{text}");
        }
        assert!(!folds_to("methods", "method"));
    }
}
