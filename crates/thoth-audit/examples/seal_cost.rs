//! What a sealed receipt costs: `cargo run --release -p thoth-audit --example seal_cost`.

use std::hint::black_box;
use std::io::Write as _;
use std::time::Instant;

use thoth_audit::receipt::{RECEIPT_DOMAIN, arguments_sha256};
use thoth_audit::seal::SealKey;

const ROUNDS: u32 = 20_000;
const OBJECT: &str = r#"{"receipt_id":"rcpt_0123456789abcdef","decision_id":"s.1","schema_version":"1","tenant_id":"acme","agent_id":"bot","session_id":"session","tool_name":"read_file","arguments_sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","issued_at":"2026-11-30T00:00:00Z","decision":{"authorization_decision":"ALLOW","decision_reason_code":"rule_auto","outcome":"allowed"}}"#;

fn main() -> std::io::Result<()> {
    let key = SealKey::new(&[7; 32]);
    let began = Instant::now();
    for _ in 0..ROUNDS {
        black_box(arguments_sha256(black_box(br#"{"path":"/srv/data/report.txt","lines":100}"#)));
        drop(black_box(key.seal(RECEIPT_DOMAIN, black_box(OBJECT))));
    }
    let each = began.elapsed() / ROUNDS;
    writeln!(std::io::stdout(), "{:.1} us a receipt", each.as_secs_f64() * 1e6)
}
