//! `thoth run`.

use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use thoth_audit::{ContentKey, ContentMode, Durability, Ledger, LedgerKeys, LedgerOptions};
use thoth_endpoint::settings::Resolved;
use thoth_policy::ScopeList;
use thoth_proxy::{
    ApprovalOptions, Directives, Evidence, EvidenceError, Gate, NotFound, PolicyWatch, Quarantine, RefusalStyle,
    Reload, RunError, SpawnError, Standing, StdioOptions,
};
use thoth_store::SqliteHolds;
use thoth_types::json::Limits;
use thoth_types::{Approver, Caller, IdError, Mode, Redacted, Requester, SessionId, Way};

use crate::account;
use crate::approvals;
use crate::cli::{ContentArg, DurabilityArg, ModeArg, RefusalArg, RunArgs, WayArg};
use crate::enforcer;
use crate::policy_files::{self, PolicyFiles};
use crate::profile;
use crate::scan_rules;
use crate::settings;
use thoth_endpoint::server_name;
use thoth_shell::exit::{Code, Failure, Outcome};
use thoth_shell::home::Home;
use thoth_shell::terminal::note;

/// How long the enforcer may take at the end of a session to hear what it has not heard.
const LAST_REPORTS: Duration = Duration::from_secs(2);

pub(crate) fn run(mut arguments: RunArgs) -> Outcome {
    if arguments.command.first().is_none_or(|program| program.is_empty()) {
        return Err(Failure::usage("the server's command is empty")
            .hint("put a program after `--`, as in `thoth run -- npx -y @modelcontextprotocol/server-memory`"));
    }
    let home = Home::locate()?;
    let settings = settings::load(&home, &flags(&mut arguments))?;
    settings::demand(&settings)?;
    let remote = enforcer::remote(&settings)?;
    let home = Home::open()?;
    scan_rules::put_in_force(&home)?;
    let starter_written = profile::prepare(&home)?;
    let predicates = settings.predicates.clone();
    let (quarantine, directives) = (Quarantine::default(), Directives::default());
    let reports = enforcer::reports(&settings, &home, mode(&arguments), (&quarantine, &directives))?;
    let caller = caller(&arguments, settings)?;
    let approved_scope = ScopeList::new(&caller.approved_scope)
        .map_err(|error| Failure::new(Code::Usage, format!("--approved-scope: {error}")))?;
    let (standing, mut watch) = policy(&home, &arguments, starter_written);
    let directory = arguments.ledger.clone().unwrap_or_else(|| home.ledger());
    let keys = LedgerKeys::load_or_create(&home.keys(), &directory);
    // Without keys there is no ledger and nothing is ever hashed for it.
    let content_key = keys.as_ref().map_or_else(|_| ContentKey::new([0; 32]), |keys| keys.content_key().clone());
    let evidence = open_ledger(&directory, &arguments, keys.map_err(|error| error.to_string()));
    let content = match arguments.content {
        ContentArg::Full => ContentMode::Full,
        ContentArg::Redacted => ContentMode::Redacted,
        ContentArg::Hash => ContentMode::Hash,
        ContentArg::None => ContentMode::None,
    };
    let ledger = evidence.as_ref().ok().cloned();
    let liaison = enforcer::report(reports, ledger.is_some().then(|| directory.clone()))?;
    let evidence: Arc<dyn Evidence> = match evidence {
        Ok(ledger) => ledger,
        Err(reason) => {
            note(format_args!("no ledger: {reason}\nthoth: every call is refused until this is fixed"));
            Arc::new(NoLedger(reason))
        }
    };
    // Whoever answers may stand in another directory.
    let records = std::path::absolute(&directory).unwrap_or(directory);
    let holds = Arc::new(SqliteHolds::new(home.state(), records));
    let pins = Arc::new(holds.pins());
    let gate = Arc::new(Gate::new(standing, evidence, content, content_key).with_holds(holds).with_pins(pins));
    if let Some(path) = &arguments.shadow_policy {
        watch = watch.beside(shadow(&gate, path));
    }
    let defaults = Limits::default();
    let limits = Limits { max_bytes: usize::try_from(arguments.max_message).unwrap_or(defaults.max_bytes), ..defaults };
    let Approver { account, uid } = account::own();
    let client = thoth_proxy::client_of_this_process();
    let requester = Requester { account, uid, user: caller.user.clone(), client };
    let options = StdioOptions {
        command: arguments.command,
        caller,
        approved_scope,
        refusal_style: match arguments.refusal {
            RefusalArg::Error => RefusalStyle::Error,
            RefusalArg::Result => RefusalStyle::Result,
        },
        limits,
        policy_watch: watch,
        predicates,
        requester,
        notifier: approvals::notifier::desktop(),
        remote,
        quarantine,
        directives,
        approval: ApprovalOptions {
            way: arguments.approval.map(|way| match way {
                WayArg::Auto => Way::Auto,
                WayArg::Ticket => Way::Ticket,
                WayArg::Inline => Way::Inline,
                WayArg::Elicit => Way::Elicit,
            }),
            hold_timeout: Duration::from_secs(u64::from(arguments.hold_timeout)),
        },
    };
    let code = thoth_proxy::run(&gate, options).map_err(|error| translate(&error))?;
    drop(gate);
    if let Some(ledger) = ledger
        && let Err(error) = ledger.close()
    {
        note(format_args!("the ledger was not brought up to date: {error}; the next session will do it"));
    }
    if let Some(liaison) = liaison {
        liaison.finish(LAST_REPORTS);
    }
    Ok(ExitCode::from(code))
}

fn translate(error: &RunError) -> Failure {
    let code = match error {
        RunError::Spawn(SpawnError::NotFound(NotFound::Nowhere(_) | NotFound::Missing { .. })) => Code::NotFound,
        RunError::Spawn(SpawnError::NoCommand) | RunError::Predicates(_) => Code::Usage,
        RunError::Spawn(_) | RunError::Refused { .. } => Code::NotExecutable,
        RunError::System { .. } => Code::Failed,
    };
    Failure::new(code, error)
}

/// The flags that are also settings. Their values are taken out of the arguments: one of them is a secret.
fn flags(arguments: &mut RunArgs) -> settings::Flags {
    let values = [
        ("--tenant-id", arguments.tenant_id.take()),
        ("--user-id", arguments.user_id.take()),
        ("--agent-id", arguments.agent_id.take()),
        ("--api-key", arguments.api_key.take()),
        ("--enforcer-url", arguments.enforcer_url.take()),
    ];
    values.into_iter().filter_map(|(flag, value)| Some((flag, Redacted::new(value?)))).collect()
}

fn caller(arguments: &RunArgs, settings: Resolved) -> Result<Caller, Failure> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| Failure::failed(format!("cannot get randomness: {error}")))?;
    let session = format!("{:032x}", u128::from_be_bytes(random));
    let server = arguments.server_name.clone().unwrap_or_else(|| server_name::from_command(&arguments.command));
    let usage = |error: IdError| Failure::new(Code::Usage, error);
    Ok(Caller {
        tenant: settings.tenant,
        user: settings.user,
        endpoint: settings.endpoint.map(|endpoint| endpoint.id),
        agent: settings.agent,
        session: SessionId::from_str(&session).map_err(usage)?,
        server: server.parse().map_err(|error| Failure::usage(format!("--server-name: {error}")))?,
        intent: arguments.session_intent.clone(),
        approved_scope: arguments.approved_scope.clone(),
        mode: mode(arguments),
    })
}

const fn mode(arguments: &RunArgs) -> Mode {
    match arguments.enforcement_mode {
        ModeArg::Observe => Mode::Observe,
        ModeArg::StepUp => Mode::StepUp,
        ModeArg::Progressive => Mode::Progressive,
        ModeArg::Block => Mode::Block,
    }
}

/// Loads the policy. An invalid one is not an absent one: it refuses every call, and the session still begins, so that
/// the host shows the reason instead of a server that does not start.
fn policy(home: &Home, arguments: &RunArgs, starter_written: bool) -> (Standing, PolicyWatch) {
    let path = arguments.policy.clone().unwrap_or_else(|| home.policy_file());
    if starter_written && arguments.policy.is_none() {
        note(profile::starter_note(&path));
    }
    let mut files = PolicyFiles::new(path);
    let standing = match files.load() {
        Ok(policy) => {
            for warning in policy.warnings() {
                note(format_args!("policy warning: {warning}"));
            }
            Standing::Valid(Box::new(policy))
        }
        Err(problem) => {
            note(format_args!("invalid policy; every call is refused until it is fixed\n{}", problem.rendered()));
            Standing::Invalid { reason: format!("the policy is invalid: {}", problem.first()) }
        }
    };
    let watch = PolicyWatch::new(policy_files::reloader(files));
    (standing, watch)
}

/// Has a policy asked beside the one in force. An invalid one stops nothing: it has no say.
fn shadow(gate: &Gate, path: &Path) -> Reload {
    let mut files = PolicyFiles::new(path.to_owned());
    match files.load() {
        Ok(policy) => gate.watch(policy),
        Err(problem) => {
            note(format_args!("the policy in shadow is not valid; nothing is in shadow\n{}", problem.rendered()));
        }
    }
    policy_files::reloader(files)
}

fn open_ledger(directory: &Path, arguments: &RunArgs, keys: Result<LedgerKeys, String>) -> Result<Arc<Ledger>, String> {
    let durability = match arguments.durability {
        DurabilityArg::Process => Durability::Process,
        DurabilityArg::Power => Durability::Power,
    };
    let options = LedgerOptions { durability };
    Ledger::open(directory, &keys?, options).map(Arc::new).map_err(|error| error.to_string())
}

/// Stands in for a ledger that could not be opened: nothing can be recorded, so nothing goes out.
#[derive(Debug)]
struct NoLedger(String);

impl Evidence for NoLedger {
    fn append(&self, _: &thoth_audit::Leaves) -> Result<(), EvidenceError> {
        Err(EvidenceError(self.0.clone().into()))
    }
}
