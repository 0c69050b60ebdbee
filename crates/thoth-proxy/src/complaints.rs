//! What a server is told of the messages of its own that were refused. Never waits for a server to read it.

use std::collections::HashSet;

use thoth_mcp::Refusal;
use thoth_types::json::{Kind, Limits, Tape};

use crate::session::Session;

/// A complaint to the server is written only if it fits without waiting: `PIPE_BUF`, below which POSIX promises that a
/// writable pipe takes it whole.
const MAX_COMPLAINT: usize = 4096;

/// The errors about a refused frame. Of a batch that could not be decoded these are many in one array: each goes on a line of
/// its own, as no more is written at once than a pipe takes without waiting, and none under an id of a request that the
/// client still has.
pub(crate) fn about(refusal: &Refusal, session: &Session) -> Vec<u8> {
    let response = refusal.response().unwrap_or_default();
    let mut tape = Tape::new();
    // It is our own text: where it is one error, or could not be read, it goes as it is.
    let Ok(errors) = tape.parse(response.trim_ascii_end(), &Limits::default()) else { return response };
    if errors.kind() != Kind::Array {
        return response;
    }
    let state = session.lock();
    let mut answered = HashSet::new();
    let mut lines = Vec::new();
    for error in errors.elements() {
        let mut one = Refusal::new(refusal.code, 0, 0);
        one.id = error.get("id").map(|id| id.raw().into());
        if one.id_key().is_some_and(|key| state.from_server.get(&key).is_none() && answered.insert(key)) {
            lines.extend_from_slice(error.raw());
            lines.push(b'\n');
        }
    }
    lines
}

/// Whole lines, as many at a time as can be written without waiting. A line that is too long by itself is left out, and only
/// that one.
pub(crate) fn portions(mut lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        loop {
            let fits = lines.get(..MAX_COMPLAINT).unwrap_or(lines);
            let whole = fits.iter().rposition(|byte| *byte == b'\n');
            let end = whole.or_else(|| lines.iter().position(|byte| *byte == b'\n'))?;
            let (portion, rest) = lines.split_at_checked(end + 1)?;
            lines = rest;
            if whole.is_some() {
                return Some(portion);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends: no complaint is lost because of another one, and none is cut in two.
    #[test]
    fn a_long_complaint_does_not_silence_the_next() {
        let line = |byte: u8, length: usize| [vec![byte; length - 1], vec![b'\n']].concat();
        let (long, short) = (line(b'x', MAX_COMPLAINT + 1), line(b'a', 3000));
        let cases = [
            (vec![], vec![]),
            (vec![&short, &short], vec![&short, &short]),
            (vec![&long, &short], vec![&short]),
            (vec![&short, &long, &long, &short], vec![&short, &short]),
            (vec![&long], vec![]),
        ];
        for (told, written) in cases {
            let told = told.into_iter().flatten().copied().collect::<Vec<u8>>();
            assert!(portions(&told).eq(written.into_iter().map(Vec::as_slice)));
        }
        let many = line(b'b', 100).repeat(100);
        assert!(portions(&many).all(|lines| lines.len() == 4000 || lines.len() == 2000));
        assert_eq!(portions(&many).collect::<Vec<_>>().concat(), many);
        let exact = line(b'c', MAX_COMPLAINT);
        assert!(portions(&exact).eq([exact.as_slice()]));
    }
}
