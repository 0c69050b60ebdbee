//! Taking the gate's own round trip out of a request, byte by byte.

use thoth_types::json::Value;

use crate::message::Request;
use crate::surgery::{apply, without_members};

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
    let mut edits = Vec::new();
    if others > 0 {
        responses.into_iter().for_each(|all| without_members(all, is_ours, &mut edits));
    }
    let all_ours = ours > 0 && others == 0;
    let removed = |key: &str| match key {
        "requestState" => state == StateOf::Gate,
        "inputResponses" => all_ours,
        _ => false,
    };
    without_members(params, removed, &mut edits);
    apply(line, edits)
}
