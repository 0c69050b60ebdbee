//! Taking the gate's own round trip out of a request, byte by byte.

use std::ops::Range;

use thoth_types::json::Value;

use crate::message::Request;

/// What the request carried for its server before the gate asked a question of its own: JSON as it stood in the bytes.
/// The client sends the gate's state instead of the server's, so the gate keeps the server's and puts it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Carried<'a> {
    /// The value of `params.inputResponses`: an object.
    pub input_responses: Option<&'a [u8]>,
    /// The value of `params.requestState`: a string.
    pub request_state: Option<&'a [u8]>,
}

/// The line as the client would have written it if the gate had asked nothing: without the members of
/// `params.inputResponses` whose keys begin with `prefix`, without the whole of it if nothing else is left in it, and
/// with the server's `carried` values instead of the gate's, or none. Every other byte stays as it is, and the result
/// must be decoded again before anything is decided about it.
///
/// `request` must have been decoded from `line`, which may have its line end or not.
#[must_use]
pub fn cut_round_trip(line: &[u8], request: &Request<'_>, prefix: &str, carried: Carried<'_>) -> Vec<u8> {
    let mut edits = Edits::default();
    let Some(params) = request.params else { return line.to_vec() };
    let responses = params.get("inputResponses").filter(Value::is_object);
    let is_ours = |key: &str| key.starts_with(prefix);
    let left = responses.is_none_or(|all| {
        all.members().next().is_none() || all.members().any(|(key, _)| !key.as_str().is_some_and(|key| is_ours(&key)))
    });
    let (mut new_responses, mut new_state) = (carried.input_responses, carried.request_state);
    for (key, value) in params.members() {
        let new = match key.as_str().as_deref() {
            Some("inputResponses") => new_responses.take(),
            Some("requestState") => new_state.take(),
            _ => None,
        };
        if let Some(bytes) = new {
            edits.0.push((value.span(), bytes.to_vec()));
        }
    }
    if left && carried.input_responses.is_none() {
        edits.remove(responses, is_ours);
    }
    let kept = edits.remove(Some(params), |key| match key {
        "inputResponses" => !left && carried.input_responses.is_none(),
        "requestState" => carried.request_state.is_none(),
        _ => false,
    });
    edits.insert(params, [("inputResponses", new_responses), ("requestState", new_state)], kept);
    edits.apply(line)
}

/// Spans and what stands there instead; they do not overlap.
#[derive(Default)]
struct Edits(Vec<(Range<usize>, Vec<u8>)>);

impl Edits {
    /// Removes the members of `object` that `removed` names, with one comma each. Whether any stays.
    fn remove(&mut self, object: Option<Value<'_>>, removed: impl Fn(&str) -> bool) -> bool {
        // The end of the last member that stays, and the run of removed ones after it.
        let (mut kept_end, mut run) = (None, None::<Range<usize>>);
        for (key, value) in object.into_iter().flat_map(|object| object.members()) {
            let (start, end) = (key.span().start, value.span().end);
            if key.as_str().is_some_and(|key| removed(&key)) {
                run = Some(run.map_or(start, |run| run.start)..end);
                continue;
            }
            if let Some(run) = run.take() {
                self.0.push((run.start..start, Vec::new()));
            }
            kept_end = Some(end);
        }
        if let Some(run) = run {
            self.0.push((kept_end.unwrap_or(run.start)..run.end, Vec::new()));
        }
        kept_end.is_some()
    }

    /// Adds members at the start of `object`, before others if there are `more`.
    fn insert(&mut self, object: Value<'_>, members: [(&str, Option<&[u8]>); 2], more: bool) {
        let place = object.span().start + 1;
        let mut bytes = Vec::new();
        for (key, value) in members {
            if let Some(value) = value {
                let comma = if bytes.is_empty() { "" } else { "," };
                bytes.extend_from_slice(format!("{comma}\"{key}\":").as_bytes());
                bytes.extend_from_slice(value);
            }
        }
        if !bytes.is_empty() {
            bytes.extend_from_slice(if more { b"," } else { b"" });
            self.0.push((place..place, bytes));
        }
    }

    fn apply(mut self, line: &[u8]) -> Vec<u8> {
        self.0.sort_by_key(|(span, _)| (span.start, span.end));
        let mut out = Vec::with_capacity(line.len() + self.0.iter().map(|(_, bytes)| bytes.len()).sum::<usize>());
        let mut at = 0;
        for (span, bytes) in &self.0 {
            out.extend_from_slice(line.get(at..span.start).unwrap_or_default());
            out.extend_from_slice(bytes);
            at = span.end;
        }
        out.extend_from_slice(line.get(at..).unwrap_or_default());
        out
    }
}
