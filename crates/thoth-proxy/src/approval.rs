//! How a person is asked about a held call.

use std::time::Duration;

use thoth_gate::hold::Hold;
use thoth_mcp::{ElicitationSupport, Era, InitializeRequest, Request, ToolCallView};
use thoth_types::json::Value;
use thoth_types::{Requester, Way};

/// How long a held call waits before it becomes a ticket: below the 60 seconds after which most clients give up.
pub const DEFAULT_HOLD_TIMEOUT: Duration = Duration::from_secs(45);

/// Clients that say that they can ask their user and then show nothing, by the name that they give themselves.
const SHOW_NOTHING: &[&str] = &["claude-ai"];

/// The longest name of a client that is repeated, in characters.
const MAX_NAME: usize = 64;

/// How held calls are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApprovalOptions {
    /// The way that was asked for; without one, the policy's.
    pub way: Option<Way>,
    /// How long a held call waits for an answer before it becomes a ticket.
    pub hold_timeout: Duration,
}

impl Default for ApprovalOptions {
    fn default() -> Self {
        Self { way: None, hold_timeout: DEFAULT_HOLD_TIMEOUT }
    }
}

/// How a client can be asked about one call, by its own word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) era: Era,
    /// It shows forms.
    pub(crate) form: bool,
    /// It sends its user to addresses.
    pub(crate) url: bool,
    /// What it calls itself: see [`plain_name`].
    pub(crate) name: Box<str>,
    /// The call continues a round trip with the server, whose state would have to give way to ours.
    pub(crate) continues: bool,
}

/// What a legacy client said of itself when the session began.
#[derive(Debug, Clone, Default)]
pub(crate) struct Client {
    support: ElicitationSupport,
    name: Box<str>,
}

impl Client {
    pub(crate) fn new(initialize: &InitializeRequest<'_>) -> Self {
        Self { support: initialize.elicitation(), name: name_of(initialize.client_info) }
    }

    /// What it calls itself, made plain.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How it can be asked about a call, in a session that speaks `revision` if it is legacy. A modern request says itself
    /// what its client can do.
    pub(crate) fn reach(&self, request: &Request<'_>, call: &ToolCallView<'_>, revision: Option<&str>) -> Reach {
        let continues = call.request_state.is_some() || call.input_responses.is_some();
        let (support, name) = match (request.era, request.meta()) {
            (Era::Legacy, _) => {
                let support = revision.map(|revision| self.support.in_revision(revision));
                (support.unwrap_or_default(), self.name.clone())
            }
            (Era::Modern, Some(meta)) => (meta.elicitation(), name_of(meta.client_info())),
            (Era::Modern, None) => Default::default(),
        };
        Reach { era: request.era, form: support.form, url: support.url, name, continues }
    }
}

/// The name in what a client says of itself, made plain.
pub(crate) fn name_of(info: Option<Value<'_>>) -> Box<str> {
    let name = info.and_then(|info| info.get("name"));
    plain_name(&name.and_then(|name| name.as_str()).unwrap_or_default())
}

/// How one held call is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// It is refused at once.
    Ticket,
    /// It waits.
    Inline,
    /// It waits while the client shows a form; in the modern era it is answered with the form.
    Form,
    /// It waits while the client sends its user to an address.
    Url,
}

/// Chooses. `asked` when the client was asked about this hold before and its user did not say yes or no.
pub(crate) fn choose(
    way: Way,
    timeout: Duration,
    reach: &Reach,
    hold: &Hold,
    requester: &Requester,
    asked: bool,
) -> Chosen {
    let can_wait = if timeout.is_zero() { Chosen::Ticket } else { Chosen::Inline };
    let shows = way == Way::Elicit || !SHOW_NOTHING.contains(&&*reach.name);
    let form = reach.form && hold.requirement.client_may_answer(requester);
    let url = reach.url && hold.requirement.url.is_some() && reach.era == Era::Legacy;
    match way {
        Way::Ticket => Chosen::Ticket,
        Way::Inline => can_wait,
        Way::Auto | Way::Elicit if !shows || reach.continues || !(form || url) => can_wait,
        Way::Auto | Way::Elicit if asked => Chosen::Ticket,
        // Whoever is asked by a form of the modern era does not wait here.
        Way::Auto | Way::Elicit if form && reach.era == Era::Modern => Chosen::Form,
        Way::Auto | Way::Elicit if can_wait == Chosen::Ticket => Chosen::Ticket,
        Way::Auto | Way::Elicit => {
            if form {
                Chosen::Form
            } else {
                Chosen::Url
            }
        }
    }
}

/// What a client calls itself, as it may stand in records and on terminals.
fn plain_name(name: &str) -> Box<str> {
    let plain = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
    name.chars().take(MAX_NAME).map(plain).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_plain() {
        assert_eq!(&*plain_name("claude-ai"), "claude-ai");
        assert_eq!(&*plain_name("a\u{1b}[31m\nb\u{202e}"), "a?[31m?b?");
        assert_eq!(plain_name(&"x".repeat(10_000)).len(), MAX_NAME);
    }
}
