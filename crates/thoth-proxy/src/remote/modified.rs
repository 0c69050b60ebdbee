//! A call with other arguments: they take the place of those that the client sent, and nothing else of the line changes.

use thoth_mcp::{Edit, Request, apply};

/// The line with these arguments, which are JSON; nothing if it has no place for them. `request` is what was decoded from
/// it.
pub(crate) fn with_arguments(line: &[u8], request: &Request<'_>, arguments: &str) -> Option<Vec<u8>> {
    // Line breaks stand between tokens only, where a space says the same: a message is one line.
    let arguments: Vec<u8> =
        arguments.trim().bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }).collect();
    let params = request.params.filter(|params| params.is_object())?;
    let edit = match params.get("arguments") {
        Some(own) => Edit { span: own.span(), with: arguments },
        None => {
            // A call has a name, so that another member follows.
            let start = params.span().start + 1;
            Edit { span: start..start, with: [br#""arguments":"#.as_slice(), &arguments, b","].concat() }
        }
    };
    Some(apply(line, vec![edit]))
}

#[cfg(test)]
mod tests {
    use thoth_mcp::{BatchRule, Decoder, Direction, Frame, Message};
    use thoth_types::json::Limits;

    use super::*;

    /// Nothing but the arguments changes, and the line stays one.
    #[test]
    fn only_the_arguments_change() {
        let line = |params: &str| format!(r#"{{"jsonrpc":"2.0","id":1, "method":"tools/call","params":{params}}}"#);
        for (before, after) in [
            (
                r#"{"name":"t","arguments":{"a":1.0} ,"_meta":{}}"#,
                r#"{"name":"t","arguments":{"b": [2 ]} ,"_meta":{}}"#,
            ),
            (r#"{"arguments":null,"name":"t"}"#, r#"{"arguments":{"b": [2 ]},"name":"t"}"#),
            (r#"{ "name":"t"}"#, r#"{"arguments":{"b": [2 ]}, "name":"t"}"#),
        ] {
            let (before, after) = (line(before), line(after));
            let mut decoder = Decoder::new(Limits::default());
            let frame = decoder.decode(before.as_bytes(), Direction::ClientToServer, BatchRule::Refuse).unwrap();
            let Frame::One(Message::Request(request)) = frame else { panic!("a request") };
            let edited = with_arguments(before.as_bytes(), &request, "{\"b\":\n[2\r]}\n").unwrap();
            assert_eq!(String::from_utf8(edited).unwrap(), after);
        }
    }
}
