//! Who may agree to a call that needs a person, how they are asked, and what a standing grant covers.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::decision::words;
use crate::id::{AgentId, ServerName, TenantId, UserId};

words! {
    /// How a person is asked about a held call.
    Way {
        /// The best that the client can do: `elicit`, else `inline`, else `ticket`.
        Auto => "auto",
        /// The call is refused at once and named; made again after somebody approved it, it passes.
        Ticket => "ticket",
        /// The call waits for somebody to approve it elsewhere, and then becomes a ticket.
        Inline => "inline",
        /// The client shows the question (MCP elicitation).
        Elicit => "elicit",
    }
}

words! {
    /// Where a hold is shown or answered.
    Channel {
        /// `thoth approvals` in a terminal.
        Terminal => "terminal",
        /// `thoth approvals` without a terminal: a script, or whatever poses as one.
        Script => "script",
        /// A dialogue of the MCP client. Its answer proves no more than that the client says so.
        Client => "client",
        /// The refusal that the client was given.
        Ticket => "ticket",
        /// A desktop notification.
        Notification => "notification",
        /// The server's HTTP interface, with a key that may answer.
        Api => "api",
    }
}

/// A process, told apart from a later one with the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProcessRef {
    /// The process id.
    pub id: u32,
    /// When it started, in the system's own unit and origin; only compared.
    pub started: u64,
    /// In which namespaces these numbers were read.
    pub namespaces: Namespaces,
}

/// The namespaces in which a process sees others: their ids and start times mean something only within. 0 is unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Namespaces {
    /// That of process ids, by the number of its inode.
    pub processes: u64,
    /// That of the clock since the system's start.
    pub clock: u64,
}

impl Namespaces {
    /// Whether what is seen in one can be compared with what is seen in the other, as far as is known.
    #[must_use]
    pub const fn compare_with(self, other: Self) -> bool {
        agree(self.processes, other.processes) && agree(self.clock, other.clock)
    }
}

const fn agree(one: u64, other: u64) -> bool {
    one == 0 || other == 0 || one == other
}

impl ProcessRef {
    /// Whether both are one process, as far as is known.
    #[must_use]
    pub const fn is(&self, other: &Self) -> bool {
        self.id == other.id && self.started == other.started && self.namespaces.compare_with(other.namespaces)
    }
}

/// The number of an account that no machine has: of whoever asks over the network.
const REMOTE: u32 = u32::MAX;

/// On whose behalf a held call is made: fixed for the session, told by the operating system, or, for calls over the network,
/// by the key that they came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    /// The account under which the sidecar runs.
    pub account: Arc<str>,
    /// Its number.
    pub uid: u32,
    /// The person as configured (`--user-id`).
    pub user: Option<UserId>,
    /// The client that started the sidecar. What runs under it is the governed side.
    pub client: Option<ProcessRef>,
}

impl Requester {
    /// Whoever asks over the network, with a key of this name.
    #[must_use]
    pub const fn remote(key: Arc<str>, user: Option<UserId>) -> Self {
        Self { account: key, uid: REMOTE, user, client: None }
    }

    /// Whether the call came over the network: then nobody sits at its machine, as far as is known here.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        self.uid == REMOTE
    }
}

/// Who answers a hold, as the operating system tells, or the key that the answer came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approver {
    /// The account.
    pub account: Arc<str>,
    /// Its number.
    pub uid: u32,
}

/// One kind of approver that a policy names. Groups are spelled out when the policy is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ApproverRule {
    /// Whoever sits at the machine: the account of the sidecar, in a terminal or in the client's dialogue. Of a call over
    /// the network: any key that may answer.
    LocalUser,
    /// The same, in a terminal only. Of a call over the network: any key that may answer.
    LocalTerminal,
    /// This account of the machine, in a terminal. Of a call over the network: the key of this name that may answer.
    Account(Arc<str>),
}

/// A person's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// Who.
    pub approver: Approver,
    /// Yes or no.
    pub approves: bool,
    /// How.
    pub channel: Channel,
    /// From where, for a person: a terminal's name, a client's.
    pub origin: String,
    /// When.
    pub at: Timestamp,
    /// The process that answered, and those above it. Empty for a client's dialogue, and where the system does not tell.
    pub line: Vec<ProcessRef>,
}

/// Why an answer does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unentitled {
    /// The account is none of those that may approve, or not in this way.
    #[error("this account may not approve it in this way")]
    NotAnApprover,
    /// Whoever asks may not also answer.
    #[error("whoever made the call may not approve it")]
    IsRequester,
    /// The answer came without a terminal.
    #[error("an approval must be given at a terminal")]
    NoTerminal,
    /// The answer comes from under the client.
    #[error("the approval comes from under the client")]
    UnderClient,
    /// The answer comes from where the client cannot be seen.
    #[error("the approval comes from a container, where the client cannot be seen")]
    OutOfSight,
    /// The same account has approved already; the policy wants several.
    #[error("this account has approved it already, and another one must, too")]
    Again,
}

/// What an approval takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Who may approve: one of each list. Several lists come from several files or rules, and all hold.
    pub approvers: Vec<Vec<ApproverRule>>,
    /// How many different accounts must approve; at least 1.
    pub quorum: u8,
    /// Whether the account that the sidecar runs under may approve.
    pub requester_may_approve: bool,
    /// Whether an approval needs a terminal, where it does not come through the client.
    pub terminal: bool,
    /// How long a hold can be answered and used, and how long a denial stands, in seconds.
    pub ttl_seconds: u32,
    /// The longest grant that may be given instead of a single approval, in seconds; 0 allows none.
    pub longest_grant_seconds: u32,
    /// Where the hold can be answered in a browser; `{hold}` stands for its token.
    pub url: Option<Arc<str>>,
}

/// How long a hold stands where the policy does not say: what the source system's clients wait.
pub const DEFAULT_TTL_SECONDS: u32 = 15 * 60;

impl Default for Requirement {
    /// Where the policy says nothing: one person at this machine, in a terminal, and no grants.
    fn default() -> Self {
        Self {
            approvers: vec![vec![ApproverRule::LocalTerminal]],
            quorum: 1,
            requester_may_approve: true,
            terminal: true,
            ttl_seconds: DEFAULT_TTL_SECONDS,
            longest_grant_seconds: 0,
            url: None,
        }
    }
}

impl Requirement {
    /// Whether an approval by `vote` would count, apart from the number of approvals.
    ///
    /// # Errors
    /// Says why it would not.
    pub fn entitles(&self, vote: &Vote, requester: &Requester) -> Result<(), Unentitled> {
        if vote.channel == Channel::Api {
            return self.entitles_key(&vote.approver.account, requester);
        }
        let local = vote.approver.uid == requester.uid;
        if local && !self.requester_may_approve {
            return Err(Unentitled::IsRequester);
        }
        let named = requester.user.as_ref().is_some_and(|user| user.as_str() == &*vote.approver.account);
        if named && !self.requester_may_approve {
            return Err(Unentitled::IsRequester);
        }
        let answers = matches!(vote.channel, Channel::Terminal | Channel::Script);
        if vote.channel == Channel::Script && self.terminal {
            return Err(Unentitled::NoTerminal);
        }
        let admits = |rule: &ApproverRule| match rule {
            ApproverRule::LocalUser => local && (answers || vote.channel == Channel::Client),
            ApproverRule::LocalTerminal => local && answers,
            ApproverRule::Account(account) => *account == vote.approver.account && answers,
        };
        if self.approvers.is_empty() || !self.approvers.iter().all(|list| list.iter().any(admits)) {
            return Err(Unentitled::NotAnApprover);
        }
        let Some(client) = &requester.client else { return Ok(()) };
        if vote.line.iter().any(|process| process.is(client)) {
            return Err(Unentitled::UnderClient);
        }
        if vote.line.iter().any(|process| !process.namespaces.compare_with(client.namespaces)) {
            return Err(Unentitled::OutOfSight);
        }
        Ok(())
    }

    /// The same for an answer over the network, which no terminal can prove: it counts for calls that came that way, too.
    /// Whether the key may answer at all is for whoever took the answer to know.
    fn entitles_key(&self, key: &str, requester: &Requester) -> Result<(), Unentitled> {
        if !requester.is_remote() {
            return Err(Unentitled::NotAnApprover);
        }
        // Addresses are one person's in whatever case an agent writes them.
        let same = |user: &UserId| user.as_str().to_lowercase() == key.to_lowercase();
        let asks = *key == *requester.account || requester.user.as_ref().is_some_and(same);
        if asks && !self.requester_may_approve {
            return Err(Unentitled::IsRequester);
        }
        let admits = |rule: &ApproverRule| match rule {
            ApproverRule::LocalUser | ApproverRule::LocalTerminal => true,
            ApproverRule::Account(account) => **account == *key,
        };
        let admitted = !self.approvers.is_empty() && self.approvers.iter().all(|list| list.iter().any(admits));
        if admitted { Ok(()) } else { Err(Unentitled::NotAnApprover) }
    }

    /// Whether the client's own dialogue can complete an approval: only then is it asked.
    #[must_use]
    pub fn client_may_answer(&self, requester: &Requester) -> bool {
        let vote = Vote {
            approver: Approver { account: Arc::clone(&requester.account), uid: requester.uid },
            approves: true,
            channel: Channel::Client,
            origin: String::new(),
            at: Timestamp::UNIX_EPOCH,
            line: Vec::new(),
        };
        self.quorum <= 1 && self.entitles(&vote, requester).is_ok()
    }

    /// Whether these answers are enough: as many different accounts as it takes, each entitled.
    #[must_use]
    pub fn is_met_by(&self, votes: &[Vote], requester: &Requester) -> bool {
        let mut accounts: Vec<u32> = votes
            .iter()
            .filter(|vote| vote.approves && self.entitles(vote, requester).is_ok())
            .map(|vote| vote.approver.uid)
            .collect();
        accounts.sort_unstable();
        accounts.dedup();
        accounts.len() >= usize::from(self.quorum.max(1))
    }

    /// Both requirements at once.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        for list in &other.approvers {
            if !self.approvers.contains(list) {
                self.approvers.push(list.clone());
            }
        }
        self.approvers.sort();
        Self {
            approvers: self.approvers,
            quorum: self.quorum.max(other.quorum),
            requester_may_approve: self.requester_may_approve && other.requester_may_approve,
            terminal: self.terminal || other.terminal,
            ttl_seconds: self.ttl_seconds.min(other.ttl_seconds),
            longest_grant_seconds: self.longest_grant_seconds.min(other.longest_grant_seconds),
            url: self.url.or_else(|| other.url.clone()),
        }
    }
}

/// What one argument must be for a grant to cover a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgumentPattern {
    /// The argument: a path of keys as in policies, such as `path` or `options.force`.
    pub argument: String,
    /// A glob, as in policies, that its text must match. Of a value that is no string: its exact JSON text.
    pub glob: String,
}

/// Whose calls of which tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantScope {
    /// The organisation.
    pub tenant: Option<TenantId>,
    /// The agent.
    pub agent: Option<AgentId>,
    /// The server.
    pub server: ServerName,
    /// The tool, by its exact name.
    pub tool: Arc<str>,
}

/// Leave for calls of one kind until a given time, given by a person. It answers only what would have been asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its name: `grant_` and 32 hex digits.
    pub id: Arc<str>,
    /// Whose calls of which tool.
    pub scope: GrantScope,
    /// Whose sidecars it serves; entitlements are told against it.
    pub requester: Requester,
    /// What a call's arguments must be; none means any arguments.
    pub patterns: Vec<ArgumentPattern>,
    /// Who gave it, how and when.
    pub given: Vec<Vote>,
    /// The hold that it came from.
    pub hold: HoldToken,
    /// When it ends.
    pub ends_at: Timestamp,
}

/// Names a hold: `hold_` and 32 hex digits. Whoever knows it can ask about the hold, not answer it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HoldToken(Arc<str>);

/// How many hex digits of a token people are shown.
const SHORT: usize = 8;

impl HoldToken {
    /// A token from 16 random bytes.
    #[must_use]
    pub fn new(random: [u8; 16]) -> Self {
        Self(Arc::from(format!("hold_{:032x}", u128::from_be_bytes(random))))
    }

    /// Reads a token.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("hold_")?;
        let is_hex = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        is_hex.then(|| Self(Arc::from(text)))
    }

    /// The whole token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What people type: the first digits.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get("hold_".len().."hold_".len() + SHORT).unwrap_or(&self.0)
    }
}

impl fmt::Display for HoldToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a hold is bound to: the SHA-256 of tenant, agent, server, tool and canonical arguments.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Binding(pub [u8; 32]);

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requester() -> Requester {
        Requester { account: "dev".into(), uid: 1000, user: Some("dev@example.com".parse().unwrap()), client: None }
    }

    fn vote(account: &str, uid: u32, channel: Channel) -> Vote {
        let approver = Approver { account: account.into(), uid };
        Vote { approver, approves: true, channel, origin: String::new(), at: Timestamp::UNIX_EPOCH, line: Vec::new() }
    }

    /// Defends invariant 5: who may approve, over all rules and ways.
    #[test]
    fn the_table_of_entitlements() {
        use ApproverRule::{Account, LocalTerminal, LocalUser};
        use Channel::{Client, Notification, Script, Terminal, Ticket};
        use Unentitled::{IsRequester, NoTerminal, NotAnApprover};
        let dev = |channel| vote("dev", 1000, channel);
        let root = |channel| vote("root", 0, channel);
        let base = Requirement::default();
        let of = |rule: ApproverRule| Requirement { approvers: vec![vec![rule]], ..Requirement::default() };
        let apart = Requirement { requester_may_approve: false, ..of(Account("root".into())) };
        let both =
            Requirement { approvers: vec![vec![LocalUser], vec![Account("dev".into())]], ..Requirement::default() };
        let cases = [
            (&base, dev(Terminal), Ok(())),
            (&base, dev(Client), Err(NotAnApprover)),
            (&base, dev(Script), Err(NoTerminal)),
            (&base, root(Terminal), Err(NotAnApprover)),
            (&of(LocalTerminal), dev(Client), Err(NotAnApprover)),
            (&of(LocalUser), dev(Client), Ok(())),
            (&of(LocalUser), dev(Ticket), Err(NotAnApprover)),
            (&of(LocalUser), dev(Notification), Err(NotAnApprover)),
            (&of(LocalUser), vote("dev", 1001, Terminal), Err(NotAnApprover)),
            (&of(Account("root".into())), root(Terminal), Ok(())),
            (&of(Account("root".into())), root(Client), Err(NotAnApprover)),
            (&of(Account("root".into())), dev(Terminal), Err(NotAnApprover)),
            (&apart, dev(Terminal), Err(IsRequester)),
            (&apart, vote("dev@example.com", 7, Terminal), Err(IsRequester)),
            (&apart, root(Terminal), Ok(())),
            (&both, dev(Terminal), Ok(())),
            (&both, dev(Client), Err(NotAnApprover)),
            (&Requirement { approvers: Vec::new(), ..Requirement::default() }, dev(Terminal), Err(NotAnApprover)),
            (&Requirement { terminal: false, ..Requirement::default() }, dev(Script), Ok(())),
        ];
        for (requirement, vote, expected) in cases {
            assert_eq!(requirement.entitles(&vote, &requester()), expected, "{requirement:?} {vote:?}");
        }
    }

    /// Defends invariant 6: an approval serves no session whose client stands above whoever gave it, also if another one
    /// asked for it, nor one whose client could not be seen from there. What is not known does not count.
    #[test]
    fn an_approval_does_not_serve_the_client_above_it() {
        let process =
            |id, started, processes, clock| ProcessRef { id, started, namespaces: Namespaces { processes, clock } };
        let (own, shell, client) = (process(50, 8, 1, 2), process(40, 7, 1, 2), process(30, 5, 1, 2));
        let cases = [
            (vec![], Some(client), Ok(())),
            (vec![own, shell], Some(client), Ok(())),
            (vec![own, shell, client], None, Ok(())),
            (vec![own, shell, client], Some(client), Err(Unentitled::UnderClient)),
            (vec![own, shell, client], Some(shell), Err(Unentitled::UnderClient)),
            (vec![own, shell, client], Some(process(30, 5, 0, 0)), Err(Unentitled::UnderClient)),
            (vec![own, shell, client], Some(process(30, 6, 1, 2)), Ok(())),
            (vec![process(1, 8, 9, 2)], Some(client), Err(Unentitled::OutOfSight)),
            (vec![process(50, 108, 1, 9), process(30, 105, 1, 9)], Some(client), Err(Unentitled::OutOfSight)),
            (vec![process(50, 8, 0, 0)], Some(client), Ok(())),
        ];
        for (line, client, expected) in cases {
            let vote = Vote { line, ..vote("dev", 1000, Channel::Terminal) };
            let requester = Requester { client, ..requester() };
            let requirement = Requirement::default();
            assert_eq!(requirement.entitles(&vote, &requester), expected, "{vote:?} {requester:?}");
            assert_eq!(requirement.is_met_by(&[vote], &requester), expected.is_ok());
        }
    }

    /// Defends invariant 5: a key answers calls that came over the network, and no others; nobody at a machine answers
    /// those unless named.
    #[test]
    fn keys_answer_calls_over_the_network() {
        use ApproverRule::{Account, LocalUser};
        use Unentitled::{IsRequester, NotAnApprover};
        let remote = Requester::remote("agents".into(), Some("dev@example.com".parse().unwrap()));
        let base = Requirement::default();
        let of = |rule: ApproverRule| Requirement { approvers: vec![vec![rule]], ..Requirement::default() };
        let apart = Requirement { requester_may_approve: false, ..of(LocalUser) };
        let key = |name| vote(name, 7, Channel::Api);
        let cases = [
            (&base, key("ops"), &remote, Ok(())),
            (&base, key("ops"), &requester(), Err(NotAnApprover)),
            (&base, vote("root", u32::MAX, Channel::Client), &remote, Err(NotAnApprover)),
            (&base, vote("root", 0, Channel::Terminal), &remote, Err(NotAnApprover)),
            (&of(Account("alice".into())), key("alice"), &remote, Ok(())),
            (&of(Account("alice".into())), key("ops"), &remote, Err(NotAnApprover)),
            (&of(Account("root".into())), key("root"), &requester(), Err(NotAnApprover)),
            (&apart, key("dev@example.com"), &remote, Err(IsRequester)),
            (&apart, key("Dev@Example.com"), &remote, Err(IsRequester)),
            (&apart, key("agents"), &remote, Err(IsRequester)),
            (&apart, key("ops"), &remote, Ok(())),
            (&Requirement { approvers: Vec::new(), ..Requirement::default() }, key("ops"), &remote, Err(NotAnApprover)),
        ];
        for (requirement, vote, asker, expected) in cases {
            assert_eq!(requirement.entitles(&vote, asker), expected, "{requirement:?} {vote:?} {asker:?}");
        }
    }

    #[test]
    fn a_quorum_counts_accounts() {
        let two = Requirement {
            approvers: vec![vec![ApproverRule::LocalUser, ApproverRule::Account("root".into())]],
            quorum: 2,
            ..Requirement::default()
        };
        let dev = vote("dev", 1000, Channel::Terminal);
        let root = vote("root", 0, Channel::Terminal);
        assert!(!two.is_met_by(&[dev.clone(), dev.clone()], &requester()));
        assert!(two.is_met_by(&[dev.clone(), root.clone()], &requester()));
        assert!(!two.is_met_by(&[dev, Vote { approves: false, ..root }], &requester()));
        assert!(!two.client_may_answer(&requester()));
    }

    #[test]
    fn tokens_are_read_as_written() {
        let token = HoldToken::new([0xab; 16]);
        assert_eq!(HoldToken::parse(token.as_str()), Some(token.clone()));
        assert_eq!(token.short(), "abababab");
        for text in ["hold_", "hold_ABABABABABABABABABABABABABABABAB", "abababababababababababababababab", ""] {
            assert_eq!(HoldToken::parse(text), None, "{text}");
        }
    }
}
