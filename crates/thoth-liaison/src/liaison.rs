//! Both threads, from the beginning of a session to its end.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use thoth_api::Enforcer;
use thoth_api::contract::endpoint::Register;
use thoth_types::{AgentId, TenantId};
use tokio::runtime::{Builder, Runtime};

use crate::bell::Bell;
use crate::document::Recipient;
use crate::events::{Cursor, Teller, Whose};
use crate::folder::{Folder, FolderError, name_of};
use crate::keeper::{Directed, Keeper};
use crate::machine::{Hears, Machine};
use crate::report::{Owner, WHOSE};

/// What is reported, and to whom.
pub struct Options {
    /// The enforcer, for check-ins.
    ///
    /// INVARIANT: no client is shared between threads, nor is this one or the next with whoever asks about calls. An idle
    /// connection is driven by the thread that made it; another one that found it in the client would wait in vain.
    pub for_machine: Enforcer,
    /// The enforcer, for events.
    pub for_events: Enforcer,
    /// Its address, by which what it was told is told apart from what others were.
    pub address: String,
    /// The organisation.
    pub tenant: TenantId,
    /// The agent that the key is for.
    pub agent: AgentId,
    /// The fleet that the machine says it belongs to.
    pub fleet: Option<String>,
    /// The folder in which it is remembered how far everything is.
    pub folder: PathBuf,
    /// The ledger that is told, if there is one.
    pub ledger: Option<PathBuf>,
    /// The machine as it registers, if it has an identity.
    pub machine: Option<Register>,
    /// How often it checks in.
    pub every: Duration,
    /// Hears whether the machine is in quarantine: at once what was known last, and then each change.
    pub hears: Hears,
    /// Heeds its policy document, which is fetched and kept for it; where the enforcer's word cannot be trusted, or the machine
    /// has no identity, there is none.
    pub directed: Option<Box<dyn Directed>>,
    /// Says something to the person at this machine.
    pub say: fn(&str),
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Reports while it lives.
#[derive(Debug)]
pub struct Liaison {
    bell: Bell,
    /// Ends when everything is told that can be.
    told: Option<Receiver<()>>,
}

impl Liaison {
    /// Heeds what was heard in earlier sessions, and starts to report. This must be called before the session records
    /// anything. It waits for nobody.
    ///
    /// # Errors
    /// If nothing can be remembered: what was said of this machine would be forgotten.
    pub fn start(options: Options) -> Result<Self, FolderError> {
        let Options { for_machine, for_events, address, tenant, agent, fleet, folder, ledger, machine, .. } = options;
        let (every, hears, directed, say) = (options.every, options.hears, options.directed, options.say);
        let folder = Folder::open(&folder, &name_of(&[&address, tenant.as_str(), agent.as_str()]))?;
        folder
            .write(WHOSE, &Owner { enforcer: address, tenant_id: tenant.to_string(), agent_id: agent.to_string() })?;
        let bell = Bell::default();
        let teller = ledger.and_then(|ledger| {
            let cursor = Cursor::open(&folder, &ledger);
            let cursor = cursor.map_err(|error| say(&format!("what is in the ledger is not told: {error}"))).ok()?;
            let whose = Whose { tenant: tenant.to_string(), agent: agent.to_string(), fleet };
            Some(Teller { enforcer: for_events, folder: folder.clone(), cursor, ledger, whose, say })
        });
        if let Some(told) = machine {
            let cursor = teller.as_ref().map(|teller| teller.cursor.clone());
            let whose = Recipient {
                tenant: tenant.to_string(),
                agent: agent.to_string(),
                endpoint: told.endpoint_id.clone(),
                fleet: told.fleet_id.clone(),
            };
            let keeper = directed.map(|directed| Keeper::new(folder.clone(), whose, directed, say));
            let mut machine = Machine { enforcer: for_machine, folder, told, cursor, every, hears, keeper, say };
            machine.remember();
            let bell = bell.clone();
            started(say, "check-ins", move |runtime| machine.run(runtime, &bell));
        }
        let told = teller.map(|teller| {
            let (end, told) = sync_channel::<()>(0);
            let bell = bell.clone();
            started(say, "events", move |runtime| {
                teller.run(runtime, &bell);
                drop(end);
            });
            told
        });
        Ok(Self { bell, told })
    }

    /// Tells what is left, but for no longer than this. Whatever is not told then is told by the next session.
    pub fn finish(self, within: Duration) {
        self.bell.ring(Instant::now() + within);
        if let Some(told) = self.told {
            // Ends at once when the thread does.
            let _ = told.recv_timeout(within);
        }
    }
}

/// Runs on a thread with a runtime of its own. Where there can be none, that is said, and the session goes on without: each
/// of its calls is put to the enforcer all the same.
fn started(say: fn(&str), name: &str, body: impl FnOnce(&Runtime) + Send + 'static) {
    let started = Builder::new_current_thread().enable_all().build().and_then(|runtime| -> io::Result<_> {
        thread::Builder::new().name(name.to_owned()).spawn(move || body(&runtime))
    });
    if let Err(error) = started {
        say(&format!("nothing is reported to the enforcer: cannot start a thread: {error}"));
    }
}
