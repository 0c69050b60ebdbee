//! Whether the server says what it can do.

use super::*;

/// Defends: a server that cannot write its keys, or refuses everything, is not ready, and is again once that is over.
#[tokio::test]
async fn what_a_server_needs_to_be_ready() {
    let world = World::new(Rates::default());
    let (policy, keys) = (world.data.path().join("policy.yaml"), world.data.path().join("thothd.db"));
    let ready = async || world.ask("GET", "/readyz", None, Body::empty()).await;
    let away = world.data.path().join("away");
    assert_eq!(ready().await.status, 200);
    for (path, with) in [(&policy, Some("version: 7")), (&policy, None), (&keys, None)] {
        std::fs::rename(path, &away).unwrap();
        if let Some(text) = with {
            std::fs::write(path, text).unwrap();
        }
        for _ in 0..2 {
            let reply = ready().await;
            assert_fault(&reply, 503, "unavailable", &format!("{path:?} {with:?}"));
            assert!(!reply.body.to_string().contains(world.data.path().to_str().unwrap()), "{}", reply.body);
        }
        std::fs::rename(&away, path).unwrap();
        assert_eq!(ready().await.status, 200, "{path:?} {with:?}");
    }
}
