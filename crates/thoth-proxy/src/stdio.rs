//! `thoth run`: one client on our standard streams, one upstream as a child process.
//!
//! Two threads carry the traffic, one per direction, with blocking reads and writes: one wake-up per message and
//! direction, the same as the shortest possible copy loop. The thread that called [`run`] waits for what ends the
//! session and winds it down.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::AsFd;
use std::process::{ChildStdout, ExitStatus};
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use thoth_audit::EventType;
use thoth_endpoint::predicates::PredicateError;
use thoth_endpoint::settings::Predicates;
use thoth_gate::{Directives, Gate, GateSession, Incident, Quarantine};
use thoth_mcp::{FrameBuffer, notification};
use thoth_policy::ScopeList;
use thoth_types::json::Limits;
use thoth_types::{Caller, ReasonCode, Redacted, Requester};

use crate::answer::RefusalStyle;
use crate::approval::ApprovalOptions;
use crate::blocking::Blocking;
use crate::client_side::ClientSide;
use crate::clock;
use crate::complaints;
use crate::demands::Demands;
use crate::ending::{Cause, Ending, wind_down};
use crate::launch_record::Launch;
use crate::lifeline::Lifeline;
use crate::lineage::ancestors;
use crate::notices::{NO_EVIDENCE, say};
use crate::notifier::{Announcer, Notifier};
use crate::policy_watch::PolicyWatch;
use crate::program::{Program, find, own_environment};
use crate::remote::RemoteOptions;
use crate::remote_side;
use crate::scanning::{self, scan_definition};
use crate::sealed_state::Sealer;
use crate::server_side::ServerSide;
use crate::session::Session;
use crate::turn::Turn;
use crate::upstream::{SpawnError, Upstream, UpstreamInput, spawn};
use crate::warden::Warden;

/// How long the client may take to read the answers that the server did not give.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// The most often that policy files and the ledger's state are looked at.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(1);

/// What `thoth run` was asked to do.
#[derive(Debug)]
pub struct StdioOptions {
    /// The upstream's program and arguments.
    pub command: Vec<OsString>,
    /// Who calls.
    pub caller: Caller,
    /// The tools that the session may use at all: the caller's approved scope, compiled.
    pub approved_scope: ScopeList,
    /// How refused calls are answered.
    pub refusal_style: RefusalStyle,
    /// Caps on what either side may send.
    pub limits: Limits,
    /// Looks after changes of the policy file.
    pub policy_watch: PolicyWatch,
    /// What the operator demands beside the policy. `None` demands nothing; a text that cannot be read keeps the session
    /// from beginning.
    pub predicates: Predicates,
    /// On whose behalf the session runs, as the operating system tells.
    pub requester: Requester,
    /// How held calls are treated.
    pub approval: ApprovalOptions,
    /// Tells the person at this machine of held calls.
    pub notifier: Option<Box<dyn Notifier>>,
    /// The enforcer that every call is put to, too.
    pub remote: Option<RemoteOptions>,
    /// While it holds, every call is refused.
    pub quarantine: Quarantine,
    /// The enforcer's own policy, where it is known.
    pub directives: Directives,
}

/// The session could not begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The upstream could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// What the operator demands of the session cannot be read.
    #[error(transparent)]
    Predicates(#[from] PredicateError),
    /// The operator does not allow this server. It was not started.
    #[error("{reason} ({code})")]
    Refused {
        /// The reason's stable code.
        code: ReasonCode,
        /// The reason, for a person.
        reason: String,
    },
    /// Something that every process needs is missing.
    #[error("cannot {what}: {source}")]
    System {
        /// What was attempted.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Runs one governed session on our standard streams until it ends, and returns the exit code to end with.
///
/// # Errors
/// If the session could not begin. Once it has, its end is reported by the exit code and on stderr.
pub fn run(gate: &Arc<Gate>, options: StdioOptions) -> Result<u8, RunError> {
    let system = |what| move |source| RunError::System { what, source };
    let input = io::stdin().as_fd().try_clone_to_owned().map_err(system("use standard input"))?;
    let output = io::stdout().as_fd().try_clone_to_owned().map_err(system("use standard output"))?;
    let (mut random, mut sealing_key) = ([0; 8], [0; 32]);
    getrandom::fill(&mut random)
        .and_then(|()| getrandom::fill(&mut sealing_key))
        .map_err(|error| RunError::System { what: "get randomness", source: io::Error::other(error) })?;
    let demands = Demands::parse(&options.predicates)?;
    let (preflight, blocked) = demands.preflight(options.caller.intent.as_deref(), ancestors);
    let gate_session = GateSession::new(options.caller, options.approved_scope, random)
        .under(preflight)
        .requested_by(options.requester)
        .heeding(options.quarantine)
        .directed(options.directives.clone())
        .asking_an_enforcer(options.remote.is_some());
    let (fields, labels) = (gate_session.caller().clone(), gate_session.labels());
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(system("watch for signals"))?;

    let program = find(&options.command, &own_environment())?;
    allow_upstream(gate, &fields, &demands, &program)?;
    if let Some(reason) = blocked {
        say(&format!("every call is refused: {reason}"));
    }
    let Upstream { input: upstream_input, stdout, mut child, group } = spawn(&program)?;
    let warden = Warden::new(Arc::clone(gate), fields.clone(), scan_definition).with_launch(Launch::of(&program));
    let session = Arc::new(Session::guarded(warden));
    let to_client = Arc::new(ToClient(Mutex::new(Blocking(File::from(output)))));
    let to_upstream = Arc::new(upstream_input);
    #[expect(clippy::disallowed_methods, reason = "each thread sends one cause, and none may wait for a reader")]
    let (causes, wait) = channel();

    let decider = options.remote.and_then(|remote| remote_side::start(remote, &gate_session));
    let client_side = ClientSide::new(
        Arc::clone(gate),
        gate_session,
        Arc::clone(&session),
        options.limits,
        options.refusal_style,
        options.approval,
        Sealer::new(Redacted::new(sealing_key), &fields.session),
    )
    .announcing(options.notifier.and_then(|notifier| announcer(notifier, gate)))
    .asking(decider);
    let server_side = ServerSide::new(Arc::clone(gate), fields.clone(), labels, Arc::clone(&session), options.limits);
    note(gate, &fields, EventType::SessionStarted, &describe(program.name, program.arguments));
    note(gate, &fields, EventType::PolicyLoaded, &policies(gate));

    let up = ClientPump {
        input: Blocking(File::from(input)),
        side: client_side,
        limits: options.limits,
        to_upstream: Arc::clone(&to_upstream),
        to_client: Arc::clone(&to_client),
        watch: options.policy_watch.heeding(options.directives),
        last_upkeep: None,
        gate: Arc::clone(gate),
    };
    let causes_up = causes.clone();
    spawn_thread("client-to-server", move || {
        let _ = causes_up.send(up.run());
    })
    .map_err(system("start a thread"))?;
    let down = ServerPump {
        stdout,
        side: server_side,
        limits: options.limits,
        to_upstream: Arc::clone(&to_upstream),
        to_client: Arc::clone(&to_client),
        gate: Arc::clone(gate),
    };
    let causes_down = causes.clone();
    spawn_thread("server-to-client", move || down.run(&causes_down)).map_err(system("start a thread"))?;
    let causes_exit = causes.clone();
    spawn_thread("upstream-exit", move || {
        let _ = causes_exit.send(Cause::UpstreamExited(child.wait().ok()));
    })
    .map_err(system("start a thread"))?;
    spawn_thread("signals", move || {
        for signal in &mut signals {
            if causes.send(Cause::Signal(signal)).is_err() {
                return;
            }
        }
    })
    .map_err(system("start a thread"))?;

    // Without this thread they are compiled when the first definition comes by.
    drop(spawn_thread("rules", scanning::prepare));

    // Traffic flows already: starting a process takes longer than everything above.
    let lifeline = Lifeline::attach(group);
    if let Err(error) = &lifeline {
        say(&format!("the server would outlive us if we were killed: cannot start the watchdog: {error}"));
    }
    let delivering = || to_client.is_busy();
    let ending = wind_down(&wait, group, &session, delivering, || {
        // Closing the upstream's input is how an MCP client says goodbye.
        to_upstream.close();
    });
    let replies = ServerSide::close(gate, &fields, &session, ending.how());
    if ending.client_is_there() {
        last_answers(&to_client, replies);
    }
    note(gate, &fields, EventType::SessionEnded, &ending.describe());
    if let Ok(lifeline) = lifeline {
        lifeline.release();
    }
    Ok(ending.exit_code())
}

/// Refuses a server that the operator blocks before it is started: a program acts as soon as it runs, and refusing its
/// calls alone would be too late.
fn allow_upstream(gate: &Gate, fields: &Caller, demands: &Demands, program: &Program<'_>) -> Result<(), RunError> {
    let Some(reason) = demands.blocked_upstream(program) else { return Ok(()) };
    let code = ReasonCode::LineageUpstreamBinaryBlocked;
    note(gate, fields, EventType::SessionStarted, &describe(program.name, program.arguments));
    note(gate, fields, EventType::SessionEnded, &format!("the server was not started: {reason} ({code})"));
    Err(RunError::Refused { code, reason })
}

/// Writes the answers that the server did not give, and gives up on a client that does not read them in time: it may be
/// gone by now, or stuck, and must not keep us.
fn last_answers(to_client: &Arc<ToClient>, replies: Vec<u8>) {
    if replies.is_empty() {
        return;
    }
    let (done, wait) = sync_channel::<()>(0);
    let to_client = Arc::clone(to_client);
    let writing = spawn_thread("last-answers", move || {
        // If it fails, nobody is there to miss them.
        drop(to_client.write_all(&replies));
        drop(done);
    });
    if writing.is_ok() {
        // Ends at once when the writer drops its end.
        let _ = wait.recv_timeout(LAST_ANSWERS);
    }
}

fn spawn_thread(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(body).map(drop)
}

fn note(gate: &Gate, fields: &Caller, kind: EventType, detail: &str) {
    if let Err(error) = gate.note(fields, &Incident { kind, detail, refusal: None }, clock::now()) {
        NO_EVIDENCE.say(&format!("calls are refused: {error}"));
    }
}

/// Without it held calls are announced nowhere but by the client.
fn announcer(notifier: Box<dyn Notifier>, gate: &Gate) -> Option<Announcer> {
    Announcer::start(notifier, gate.desk().clone())
        .inspect_err(|error| say(&format!("held calls are not announced: {error}")))
        .ok()
}

/// What holds when a session begins.
fn policies(gate: &Gate) -> String {
    let beside = gate.shadow_digest().map(|digest| format!("; in shadow: {digest}")).unwrap_or_default();
    format!("in force: {}{beside}", gate.policy_digest())
}

/// The program's name only: its arguments may hold secrets.
fn describe(program: &str, arguments: &[OsString]) -> String {
    format!("upstream `{program}` with {} arguments, thoth {}", arguments.len(), env!("CARGO_PKG_VERSION"))
}

/// Our standard output; whole lines only, from either direction's thread.
#[derive(Debug)]
struct ToClient(Mutex<Blocking<File>>);

impl ToClient {
    /// Whether somebody is writing.
    fn is_busy(&self) -> bool {
        matches!(self.0.try_lock(), Err(TryLockError::WouldBlock))
    }

    fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes)
    }

    fn write_slices(&self, slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        if slices.is_empty() {
            return Ok(());
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all_slices(slices)
    }
}

struct ClientPump {
    input: Blocking<File>,
    side: ClientSide,
    limits: Limits,
    to_upstream: Arc<UpstreamInput>,
    to_client: Arc<ToClient>,
    watch: PolicyWatch,
    last_upkeep: Option<Instant>,
    gate: Arc<Gate>,
}

impl ClientPump {
    fn run(mut self) -> Cause {
        let mut frames = FrameBuffer::new(self.limits.max_bytes);
        loop {
            // Only while calls wait here is there anything to do while the client says nothing.
            while self.side.waits() {
                let turn = self.side.tick(|caller| look(&mut self.watch, &self.gate, caller));
                if let Some(cause) = self.send(turn) {
                    return cause;
                }
                if self.side.hears(&self.input) {
                    break;
                }
                self.upkeep();
            }
            match self.input.read(frames.spare()) {
                Ok(0) => break,
                Ok(n) => frames.advance(n),
                Err(error) => {
                    say(&format!("cannot read from the client: {error}"));
                    break;
                }
            }
            self.upkeep();
            let turn = self.side.turn(frames.frames());
            if let Some(cause) = self.send(turn) {
                return cause;
            }
            frames.consume();
        }
        // Whoever sends calls and closes wants them made. The enforcer's answer is bounded in time.
        while self.side.is_asking() {
            self.side.hears_an_answer();
            let turn = self.side.tick(|caller| look(&mut self.watch, &self.gate, caller));
            if let Some(cause) = self.send(turn) {
                return cause;
            }
        }
        // The calls that still wait here are never forwarded: they are answered when the session ends.
        if let Some(refusal) = frames.finish() {
            self.side.unterminated(&refusal);
        }
        Cause::ClientClosed
    }

    /// Sends what a turn came to. If that fails, what brings the end nearer.
    fn send(&self, turn: Turn<'_>) -> Option<Cause> {
        let forwarded = self.to_upstream.forward(turn.permits);
        if self.to_client.write_all(&turn.replies).is_err() {
            return Some(Cause::ClientGone);
        }
        let error = forwarded.err()?;
        // The requests that did not reach it stay open, and are answered when the session ends.
        say(&format!("cannot write to the server: {error}"));
        Some(Cause::UpstreamDeaf)
    }

    /// What is looked after now and then, when traffic comes by: idle sessions stay asleep.
    fn upkeep(&mut self) {
        if self.last_upkeep.is_some_and(|last| last.elapsed() < UPKEEP_INTERVAL) {
            return;
        }
        self.last_upkeep = Some(Instant::now());
        self.side.sweep();
        if self.side.session.has_news_for_client() {
            // If it fails, the client is gone, which the next answer finds out.
            drop(self.to_client.write_all(&notification("notifications/tools/list_changed")));
        }
        if look(&mut self.watch, &self.gate, self.side.caller()) {
            self.side.rules_changed();
        }
        if let Some(problem) = self.gate.take_problem() {
            say(&format!("the ledger needs attention: {problem}; see `thoth audit verify`"));
        }
    }
}

/// Looks at the policy files now. Whether another policy is in force, or was refused; which is recorded.
fn look(watch: &mut PolicyWatch, gate: &Gate, caller: &Caller) -> bool {
    if let Some(detail) = watch.look_beside(gate) {
        note(gate, caller, EventType::PolicyLoaded, &detail);
    }
    let details = [watch.look_above(), watch.look(gate)];
    for detail in details.iter().flatten() {
        note(gate, caller, EventType::PolicyLoaded, detail);
    }
    details.iter().any(Option::is_some)
}

struct ServerPump {
    stdout: Blocking<ChildStdout>,
    side: ServerSide,
    limits: Limits,
    to_upstream: Arc<UpstreamInput>,
    to_client: Arc<ToClient>,
    gate: Arc<Gate>,
}

impl ServerPump {
    fn run(mut self, causes: &Sender<Cause>) {
        let mut frames = FrameBuffer::new(self.limits.max_bytes);
        let mut client_is_there = true;
        loop {
            match self.stdout.read(frames.spare()) {
                Ok(0) => break,
                Ok(n) => frames.advance(n),
                Err(error) => {
                    say(&format!("cannot read from the server: {error}"));
                    break;
                }
            }
            let delivery = self.side.deliver(frames.frames());
            self.complain(&delivery.complaints);
            if client_is_there {
                let mut slices: Vec<_> = delivery.frames.iter().map(|frame| IoSlice::new(frame.as_ref())).collect();
                if !delivery.replies.is_empty() {
                    slices.push(IoSlice::new(&delivery.replies));
                }
                // Without a client the server's output is still read and its outcomes recorded, until it ends.
                if self.to_client.write_slices(&mut slices).is_err() {
                    client_is_there = false;
                    let _ = causes.send(Cause::ClientGone);
                }
            }
            frames.consume();
        }
        if let Some(refusal) = frames.finish() {
            self.side.unterminated(&refusal);
        }
        let _ = causes.send(Cause::UpstreamClosed);
    }

    /// Tells the server about its refused frames, unless that would mean waiting for it: then nobody would read its
    /// output, and a server that floods us would stop us.
    fn complain(&self, complaints: &[u8]) {
        for lines in complaints::portions(complaints) {
            self.to_upstream.forward_at_once(self.gate.speak(lines));
        }
    }
}

/// How a child ended, as a shell would say it.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

impl Ending {
    /// The exit code of `thoth run`: the upstream's own when it ended by itself or as asked.
    fn exit_code(&self) -> u8 {
        match (self.signal, self.status) {
            (Some(signal), _) => u8::try_from(128 + signal).unwrap_or(1),
            (None, Some(status)) if !self.forced => exit_code(status),
            (None, Some(_)) => 0,
            (None, None) => 1,
        }
    }
}
