//! Lists take bounded memory, and come to an end.

use super::*;

/// Defends: however large the arguments of held calls are, a list of them stays small and says what it left out, and one
/// held call is there whole.
#[tokio::test]
async fn a_list_leaves_out_long_arguments() {
    let world = World::new(Rates::default());
    let key = world.key("acme", None, &[Permission::Execute], None);
    let reader = world.key("acme", None, &[Permission::Read], None);
    let mut holds = Vec::new();
    for length in [10, 4096 - 8, 4096 - 7, 500_000] {
        let mut question = question("write");
        question["tool_args"] = json!({ "a": "x".repeat(length) });
        let held = world.ask("POST", "/v1/enforce", Some(&key), question.to_string()).await.body;
        holds.push((held["hold_token"].as_str().unwrap().to_owned(), question["tool_args"].clone()));
    }
    let list = async || world.ask("GET", "/acme/thoth/approvals?per_page=200", Some(&reader), Body::empty()).await;
    let (one, two, three, listed) = tokio::join!(list(), list(), list(), list());
    for reply in [&one, &two, &three] {
        assert_eq!((reply.status, &reply.body), (200, &listed.body));
    }
    for (token, arguments) in &holds {
        let row = listed.body["data"].as_array().unwrap().iter().find(|row| row["id"] == **token).unwrap();
        let bytes = arguments.to_string().len();
        assert_eq!(row["tool_args_bytes"], bytes, "{token}");
        assert_eq!(row["tool_args"].is_object(), bytes <= 4096, "{bytes}");
        let path = format!("/acme/thoth/approvals/{token}");
        let shown = world.ask("GET", &path, Some(&reader), Body::empty()).await.body;
        assert_eq!((&shown["tool_args"], &shown["tool_args_bytes"]), (arguments, &json!(bytes)), "{token}");
    }
}
