//! Taking the gate's own round trip out of a request, byte by byte.

use std::ops::Range;

use thoth_types::json::Value;

use crate::message::Request;

/// Whose state a request returns in `params.requestState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StateOf {
    /// The gate's: it goes.
    Gate,
    /// The server's: it stays.
    Server,
}

/// The line as the client would have written it if the gate had asked nothing: without the members of
/// `params.inputResponses` whose keys begin with `prefix`, without the whole of that if nothing else was in it, and
/// without the gate's `params.requestState`. Every other byte stays as it is. The result must be decoded again before
/// anything is decided about it.
///
/// `request` must have been decoded from `line`, which may have its line end or not.
#[must_use]
pub fn cut_round_trip(line: &[u8], request: &Request<'_>, prefix: &str, state: StateOf) -> Vec<u8> {
    let Some(params) = request.params else { return line.to_vec() };
    let is_ours = |key: &str| key.starts_with(prefix);
    let responses = params.get("inputResponses").filter(Value::is_object);
    let (mut ours, mut others) = (0_usize, 0_usize);
    for (key, _) in responses.into_iter().flat_map(|all| all.members()) {
        *(if key.as_str().is_some_and(|key| is_ours(&key)) { &mut ours } else { &mut others }) += 1;
    }
    let mut spans = Vec::new();
    if others > 0 {
        responses.into_iter().for_each(|all| without(all, is_ours, &mut spans));
    }
    let all_ours = ours > 0 && others == 0;
    let removed = |key: &str| match key {
        "requestState" => state == StateOf::Gate,
        "inputResponses" => all_ours,
        _ => false,
    };
    without(params, removed, &mut spans);
    remove(line, spans)
}

/// Notes what must go so that `object` loses the members that `removed` names, each with one comma.
fn without(object: Value<'_>, removed: impl Fn(&str) -> bool, spans: &mut Vec<Range<usize>>) {
    // The end of the last member that stays, and the run of removed ones after it.
    let (mut kept_end, mut run) = (None, None::<Range<usize>>);
    for (key, value) in object.members() {
        let (start, end) = (key.span().start, value.span().end);
        if key.as_str().is_some_and(|key| removed(&key)) {
            run = Some(run.map_or(start, |run| run.start)..end);
            continue;
        }
        spans.extend(run.take().map(|run| run.start..start));
        kept_end = Some(end);
    }
    spans.extend(run.map(|run| kept_end.unwrap_or(run.start)..run.end));
}

/// The line without these spans, none of which overlap.
fn remove(line: &[u8], mut spans: Vec<Range<usize>>) -> Vec<u8> {
    spans.sort_unstable_by_key(|span| span.start);
    let mut out = Vec::with_capacity(line.len());
    let mut at = 0;
    for span in spans {
        out.extend_from_slice(line.get(at..span.start).unwrap_or_default());
        at = span.end;
    }
    out.extend_from_slice(line.get(at..).unwrap_or_default());
    out
}
