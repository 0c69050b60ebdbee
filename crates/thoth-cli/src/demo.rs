//! `thoth demo`: a scripted client, a real server, and everything in between is the product itself.
//!
//! Everything that is printed comes from the run: the answers from the child processes, the figures from the clock,
//! the root from the ledger that was written.

pub(crate) mod client;
pub(crate) mod server;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use serde_json::{Value, json};

use crate::cli::DemoArgs;
use crate::demo::client::Client;
use thoth_shell::exit::{Code, Failure, Outcome};
use thoth_shell::home::{self, Care};
use thoth_shell::terminal::{BAD, CARE, DIM, GOOD, fields, line, styled};

const POLICY: &str = include_str!("demo/policy.yaml");
const CONTINUATION: &str = "            ";

/// Where the demo's files are, and whether they go away with it.
enum Place {
    Temporary(tempfile::TempDir),
    Kept(PathBuf),
}

impl Place {
    fn choose(arguments: &DemoArgs) -> Result<Self, Failure> {
        match &arguments.keep {
            None => tempfile::Builder::new()
                .prefix("thoth-demo-")
                // Whatever the umask: it is the home of `thoth run` below.
                .permissions(fs::Permissions::from_mode(0o700))
                .tempdir()
                .map(Self::Temporary)
                .map_err(|error| Failure::failed(format!("cannot create a temporary directory: {error}"))),
            // `thoth run` would refuse it just so.
            Some(path) => {
                home::private(path, Care::Refuse)?;
                fs::canonicalize(path)
                    .map(Self::Kept)
                    .map_err(|error| Failure::failed(format!("cannot read `{}`: {error}", path.display())))
            }
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(directory) => directory.path(),
            Self::Kept(path) => path,
        }
    }
}

pub(crate) fn run(arguments: &DemoArgs) -> Outcome {
    let started = Instant::now();
    let place = Place::choose(arguments)?;
    let policy = place.path().join("policy.yaml");
    fs::write(&policy, POLICY).map_err(|e| Failure::failed(format!("cannot write `{}`: {e}", policy.display())))?;
    line("An agent works with a real MCP server (`notes`, on the official Rust SDK) through `thoth run`.\n")?;

    let mut client = Client::start(place.path(), &policy)?;
    let server = client.initialize()?;
    let tools = client.request("tools/list", &json!({}))?;
    let names: Vec<_> = tools
        .pointer("/result/tools")
        .and_then(Value::as_array)
        .map(|tools| tools.iter().filter_map(|tool| tool.get("name")?.as_str()).collect())
        .unwrap_or_default();
    let shown = format!("{}; `search_notes` is kept back", names.join(", "));
    fields(&[("policy", format!("{}", policy.display())), ("server", server), ("tools", shown)])?;
    line("")?;

    call(&mut client, "read_note", &json!({"name": "welcome"}), "a rule with `approval: auto`")?;
    call(&mut client, "write_note", &json!({"name": "plan", "text": "ship it"}), "a rule with `approval: approve`")?;
    call(&mut client, "delete_note", &json!({"name": "welcome"}), "a rule with `approval: block`")?;
    let poisoned = "its definition is an attack: the client was not shown it";
    call(&mut client, "search_notes", &json!({"name": "ship"}), poisoned)?;
    malformed(&mut client)?;
    let untouched = client.request("tools/call", &json!({"name": "list_notes", "arguments": {}}))?;
    line(format_args!(
        "  {}  list_notes {{}}\n{CONTINUATION}{}",
        styled(GOOD, format_args!("{:8}", "ALLOW")),
        styled(DIM, format_args!("the server still has: {}", text_of(&untouched)))
    ))?;
    client.finish()?;
    ledger(place.path())?;
    line(format_args!("\n{}", styled(DIM, format_args!("{} ms in all", started.elapsed().as_millis()))))?;
    if let Place::Kept(path) = &place {
        line(format_args!("kept in {0}; try: thoth audit tail {0}/ledger", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn call(client: &mut Client, tool: &str, arguments: &Value, because: &str) -> Result<(), Failure> {
    let sent = Instant::now();
    let answer = client.request("tools/call", &json!({"name": tool, "arguments": arguments}))?;
    let took = sent.elapsed().as_micros();
    if let Some(question) = client.take_question() {
        line(format_args!("  {}  {tool} {arguments}", styled(CARE, format_args!("{:8}", "STEP_UP"))))?;
        for asked in question.lines() {
            line(format_args!("{CONTINUATION}{}", styled(DIM, format_args!("│ {asked}"))))?;
        }
        line(format_args!("{CONTINUATION}{}", styled(DIM, "(the demo answers in your place: allow once)")))?;
    }
    let (word, detail) = match answer.get("error") {
        None => (styled(GOOD, format_args!("{:8}", "ALLOW")), format!("{} ({took} µs, {because})", text_of(&answer))),
        Some(error) => {
            let data = |key: &str| error.pointer(&format!("/data/{key}")).and_then(Value::as_str).unwrap_or("");
            let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
            let rule = Some(data("rule")).filter(|rule| !rule.is_empty()).map(|rule| format!("rule {rule}, "));
            let text = format!("{code}: {} ({}{because})", data("reason"), rule.unwrap_or_default());
            (styled(BAD, format_args!("{:8}", data("decision"))), text)
        }
    };
    line(format_args!("  {word}  {tool} {arguments}\n{CONTINUATION}{}", styled(DIM, detail)))
}

/// Two readers of this frame see two different tools, which is how gates are walked around.
fn malformed(client: &mut Client) -> Result<(), Failure> {
    let frame = br#"{"jsonrpc":"2.0","id":"twice","method":"tools/call","params":{"name":"read_note","name":"delete_note","arguments":{"name":"welcome"}}}"#;
    let answer = client.raw(frame)?;
    let message = answer.pointer("/error/message").and_then(Value::as_str).unwrap_or("");
    let code = answer.pointer("/error/code").and_then(Value::as_i64).unwrap_or_default();
    line(format_args!(
        "  {}  a frame that names two tools at once\n{CONTINUATION}{}",
        styled(BAD, format_args!("{:8}", "REFUSED")),
        styled(DIM, format_args!("{code}: {message}"))
    ))
}

fn ledger(directory: &Path) -> Result<(), Failure> {
    let directory = directory.join("ledger");
    let report = thoth_audit::verify::verify(&directory, &thoth_audit::verify::VerifyOptions::default())
        .map_err(|error| Failure::new(Code::NotVerified, error))?;
    line(format_args!("\n{}  every answer above is in the ledger", styled(GOOD, "VERIFIED")))?;
    fields(&[
        ("  events", report.size.to_string()),
        ("  root", crate::audit::hex(&report.root)),
        ("  origin", report.origin.clone()),
    ])
}

fn text_of(answer: &Value) -> String {
    answer.pointer("/result/content/0/text").and_then(Value::as_str).unwrap_or_default().to_owned()
}
