//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use thoth_types::id::MAX_ID_BYTES;

use crate::approvals::ApprovalsCommand;
use crate::audit::AuditCommand;
use crate::auth::AuthArgs;
use crate::doctor::DoctorArgs;
use crate::fingerprint::FingerprintArgs;
use crate::health::HealthArgs;
use crate::manual::{CompletionsArgs, ManualArgs};
use crate::pins::PinsCommand;
use crate::policy::PolicyCommand;
use crate::reference::Page;
use crate::report::ReportArgs;
use crate::scan::ScanArgs;
use crate::set_api_key::SetApiKeyArgs;
use crate::status::StatusArgs;
use crate::unwrap_config::UnwrapArgs;
use crate::update::UpdateArgs;
use crate::wrap_config::WrapArgs;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    something could not be done, or is not as it should be (`thoth wrap-config --check`, findings of `thoth scan`,
       tests of `thoth policy test`); only stricter (`thoth policy diff`)
  2    wrong command line; something could not be scanned (`thoth scan`, `fingerprint`, `report`); looser, or perhaps so
       (`thoth policy diff`)
  3    invalid policy
  4    the ledger does not verify
  5    works, and should be looked after: warnings (`thoth doctor`, `thoth policy check`), an interrupted update of the
       ledger (`thoth audit`)
  126  the server's program cannot be executed (`thoth run`)
  127  the server's program was not found (`thoth run`)
  141  whoever read standard output has gone away
  `thoth run` otherwise ends with the server's own exit code, or 128 + n after signal n.

Files live in `~/.thoth`; set THOTH_HOME to move them.";

/// The gate in front of MCP servers: every tool call is decided by a policy and recorded in a ledger that verifies.
#[derive(Debug, Parser)]
#[command(name = "thoth", version, propagate_version = true, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs an MCP server behind the gate, on standard input and output
    Run(Box<RunArgs>),
    /// Puts the servers of MCP clients behind the gate
    WrapConfig(Box<WrapArgs>),
    /// Restores what wrap-config changed
    UnwrapConfig(UnwrapArgs),
    /// Shows which servers are governed, and which are not and why
    Status(StatusArgs),
    /// Checks, explains, compares and migrates policies
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Shows and answers calls that wait for a person
    #[command(subcommand)]
    Approvals(ApprovalsCommand),
    /// Scans what servers say about themselves for poisoned, hidden and misleading definitions
    Scan(Box<ScanArgs>),
    /// Fingerprints what servers say about themselves, and compares it with an earlier day
    Fingerprint(Box<FingerprintArgs>),
    /// Writes a report of a scan with fingerprints
    Report(Box<ReportArgs>),
    /// Shows what servers offer, what of it has changed since it was approved, and approves it
    #[command(subcommand)]
    Pins(PinsCommand),
    /// Verifies and reads the ledger
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Governs a small real MCP server and shows what happens
    Demo(DemoArgs),
    /// Says whether the gate works here, for health checks of a fleet; offline and quick
    Health(HealthArgs),
    /// Checks everything that can keep the gate from working, and says what to do
    Doctor(DoctorArgs),
    /// Replaces this program by the newest signed release
    #[command(visible_alias = "self-update")]
    Update(UpdateArgs),
    /// Logs people who administer a server in and out; calls `thothctl auth`
    #[command(disable_help_flag = true)]
    Auth(AuthArgs),
    /// Saves the API key for a policy server
    SetApiKey(SetApiKeyArgs),
    /// Shows or writes the manual pages
    Manual(ManualArgs),
    /// Prints a completion script for a shell
    Completions(CompletionsArgs),
    /// Prints a page of the reference
    #[command(hide = true)]
    Reference {
        /// Which
        page: Page,
    },
    /// The notes server of the demo
    #[command(hide = true)]
    DemoServer,
    /// Ends an upstream whose gate was killed
    #[command(hide = true, name = thoth_proxy::LIFELINE_SUBCOMMAND)]
    Lifeline {
        /// Process group
        group: i32,
    },
}

/// `thoth run`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thoth run -- npx -y @modelcontextprotocol/server-filesystem ~/Documents
  thoth run --policy team.yaml --server-name prod-filesystem --agent-id claude -- uvx mcp-server-git
  thoth run --enforcement-mode observe -- python -m my_server")]
pub(crate) struct RunArgs {
    /// Policy file; the default is `~/.thoth/policy.yaml`, written on first use
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Another policy that is asked about every call, too; its answers are recorded and have no effect
    #[arg(long, value_name = "FILE")]
    pub(crate) shadow_policy: Option<PathBuf>,
    /// Name under which the policy knows the server; the default is read from its command
    #[arg(long, value_name = "NAME")]
    pub(crate) server_name: Option<String>,
    /// The agent that calls: a name or a DID
    #[arg(long, value_name = "ID")]
    pub(crate) agent_id: Option<String>,
    /// The organisation
    #[arg(long, value_name = "ID")]
    pub(crate) tenant_id: Option<String>,
    /// The person for whom the agent acts
    #[arg(long, value_name = "ID")]
    pub(crate) user_id: Option<String>,
    /// What this session is for, as named in the policy's `scope.intents`; calls of tools that are not listed there for
    /// it are asked for or blocked, as `otherwise` says; where a policy names intents and not this one, every call asks
    #[arg(long, value_name = "INTENT", value_parser = entry)]
    pub(crate) session_intent: Option<String>,
    /// Tools that this session may use at all, as globs; repeat or separate by commas; calls of any other tool are
    /// violations, answered as --enforcement-mode says
    #[arg(long, value_name = "TOOL", value_delimiter = ',', value_parser = entry)]
    pub(crate) approved_scope: Vec<String>,
    /// How violations are answered
    #[arg(long, value_name = "MODE", value_enum, default_value_t = ModeArg::Block)]
    pub(crate) enforcement_mode: ModeArg,
    /// How a person is asked about a call that needs approval; the default is the policy's `approvals.ask`, else `auto`
    #[arg(long, value_name = "WAY", value_enum)]
    pub(crate) approval: Option<WayArg>,
    /// How long such a call waits for an answer before it is refused with a hold that can still be approved, in seconds;
    /// keep it below the client's own timeout for calls
    #[arg(long, value_name = "SECONDS", default_value_t = 45, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) hold_timeout: u32,
    /// How refused calls are answered: a JSON-RPC error, or a tool result that the model can read
    #[arg(long, value_name = "STYLE", value_enum, default_value_t = RefusalArg::Error)]
    pub(crate) refusal: RefusalArg,
    /// Ledger directory; the default is `~/.thoth/ledger`
    #[arg(long, value_name = "DIR")]
    pub(crate) ledger: Option<PathBuf>,
    /// What a recorded call survives: the death of our processes, or a power failure
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = DurabilityArg::Process)]
    pub(crate) durability: DurabilityArg,
    /// What is recorded of a call's arguments
    #[arg(long, value_name = "HOW", value_enum, default_value_t = ContentArg::Redacted)]
    pub(crate) content: ContentArg,
    /// The longest message, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 10 * 1024 * 1024, value_parser = clap::value_parser!(u32).range(1024..=1_073_741_824))]
    pub(crate) max_message: u32,
    /// Key for the enforcer; better in a file, where other users of this machine cannot see it: see `thoth set-api-key`
    #[arg(long, value_name = "KEY")]
    pub(crate) api_key: Option<String>,
    /// Address of an enforcer that every call is put to, too; the stricter answer holds
    #[arg(long, value_name = "URL")]
    pub(crate) enforcer_url: Option<String>,
    /// What `thoth wrap-config` added to the entry that starts this; it is the one to read it again
    #[arg(long, hide = true, value_name = "LIST", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) wrapped: Option<String>,
    /// The server's program and arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// Why these arguments would not run a server; nothing where they would.
pub(crate) fn refusal(arguments: impl IntoIterator<Item = String>) -> Option<String> {
    let error = match Cli::try_parse_from(std::iter::once("thoth".to_owned()).chain(arguments)) {
        Ok(Cli { command: Command::Run(_) }) => return None,
        Ok(_) => return Some("it is another command".to_owned()),
        Err(error) => error,
    };
    if !error.use_stderr() {
        return Some("it asks for help or the version".to_owned());
    }
    let text = error.render().to_string();
    let line = text.lines().next().unwrap_or_default();
    Some(line.strip_prefix("error: ").unwrap_or(line).chars().take(200).collect())
}

/// A text with something in it, and nothing invisible around it.
pub(crate) fn entry(text: &str) -> Result<String, &'static str> {
    if text.is_empty() {
        Err("it is empty")
    } else if text.trim() != text {
        Err("it has white space around it")
    } else if text.chars().any(char::is_control) {
        Err("it has a control character")
    } else if text.len() > MAX_ID_BYTES {
        Err("it is longer than 512 bytes")
    } else {
        Ok(text.to_owned())
    }
}

/// `thoth demo`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thoth demo
  thoth demo --keep ./demo && thoth audit tail ./demo/ledger")]
pub(crate) struct DemoArgs {
    /// Keep the demo's policy and ledger in this directory instead of a temporary one
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum WayArg {
    /// The best that the client can do: its own dialogue where that counts, else wait
    Auto,
    /// Refuse at once and name the hold; the same call passes after somebody approved it
    Ticket,
    /// Wait for `thoth approvals approve`, then as `ticket`
    Inline,
    /// Ask in the client's own dialogue, where the policy lets its user approve; else as `inline`
    Elicit,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum ModeArg {
    /// Record what would have been decided; interrupt only explicit blocks
    #[value(alias = "shadow")]
    Observe,
    /// Violations ask a person
    #[value(alias = "step-up")]
    StepUp,
    /// The first violation warns, the second asks, later ones block
    Progressive,
    /// Violations block
    Block,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RefusalArg {
    Error,
    Result,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DurabilityArg {
    Process,
    Power,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ContentArg {
    Full,
    Redacted,
    Hash,
    None,
}
