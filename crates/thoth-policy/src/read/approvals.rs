//! The section `approvals`, and what rules say about approvals.

use std::sync::Arc;

use thoth_types::{Approval, ApproverRule, Way};

use crate::approvals::Volatile;
use crate::condition::ArgumentPath;
use crate::diagnostic::DiagnosticCode;
use crate::host;
use crate::name;
use crate::read::{Reader, nearest};
use crate::yaml::{At, Key, Node};

/// A value and where it stands.
#[derive(Debug)]
pub(crate) struct Said<T> {
    pub(crate) value: T,
    pub(crate) at: At,
}

/// An approver as written: groups may be declared in another file.
#[derive(Debug)]
pub(crate) enum ApproverDraft {
    One(ApproverRule),
    Group(Arc<str>, At),
}

/// The keys that a file's section and rules share.
#[derive(Debug, Default)]
pub(crate) struct DemandDraft {
    pub(crate) approvers: Option<Said<Vec<ApproverDraft>>>,
    pub(crate) quorum: Option<Said<u8>>,
    pub(crate) ttl: Option<Said<u32>>,
}

impl DemandDraft {
    pub(crate) const fn is_empty(&self) -> bool {
        self.approvers.is_none() && self.quorum.is_none() && self.ttl.is_none()
    }
}

/// A group of accounts.
#[derive(Debug)]
pub(crate) struct GroupDraft {
    pub(crate) name: Arc<str>,
    pub(crate) at: At,
    pub(crate) members: Vec<Arc<str>>,
}

/// One file's section.
#[derive(Debug, Default)]
pub(crate) struct ApprovalsDraft {
    pub(crate) demand: DemandDraft,
    pub(crate) groups: Vec<GroupDraft>,
    pub(crate) requester_may_approve: Option<Said<bool>>,
    pub(crate) terminal: Option<bool>,
    pub(crate) longest_grant: Option<u32>,
    pub(crate) url: Option<Said<Arc<str>>>,
    pub(crate) way: Option<Said<Way>>,
    pub(crate) volatile: Vec<Volatile>,
}

/// What the keys are called that [`DemandDraft`] holds.
pub(super) const DEMAND_KEYS: [&str; 3] = ["approvers", "quorum", "ttl"];

const KEYS: [&str; 11] = [
    "approvers",
    "groups",
    "quorum",
    "requester_may_approve",
    "terminal",
    "ttl",
    "on_timeout",
    "ask",
    "grants",
    "volatile",
    "url",
];
/// More would hide who may approve.
const MAX_MEMBERS: usize = 64;
const MAX_QUORUM: u8 = 8;
/// A person needs a moment to read.
const LEAST_TTL: u32 = 10;
const MOST_TTL: u32 = 7 * 86_400;
const MOST_GRANT: u32 = 86_400;
const MAX_URL: usize = 2048;
/// What stands for the hold's token.
const HOLD: &str = "{hold}";

impl Reader<'_> {
    pub(crate) fn approvals(&mut self, node: &Node) -> ApprovalsDraft {
        let mut draft = ApprovalsDraft::default();
        for (key, value) in self.fields(node, "`approvals`", &KEYS) {
            match &*key.text {
                "groups" => draft.groups = self.groups(value),
                "requester_may_approve" => {
                    let told = self.boolean(value, "`requester_may_approve`");
                    draft.requester_may_approve = told.map(|told| Said { value: told, at: key.at });
                }
                "terminal" => draft.terminal = self.boolean(value, "`terminal`"),
                "on_timeout" => self.on_timeout(value),
                "ask" => draft.way = self.way(value).map(|way| Said { value: way, at: value.at }),
                "grants" => draft.longest_grant = self.grants(value),
                "volatile" => draft.volatile = self.volatile(value),
                "url" => draft.url = self.hold_url(value).map(|url| Said { value: url, at: value.at }),
                _ => self.demand(key, value, &mut draft.demand),
            }
        }
        draft
    }

    /// One of [`DEMAND_KEYS`].
    pub(super) fn demand(&mut self, key: &Key, value: &Node, draft: &mut DemandDraft) {
        match &*key.text {
            "approvers" => draft.approvers = self.approvers(value).map(|own| Said { value: own, at: key.at }),
            "quorum" => {
                let number = self.whole(value, "`quorum`", 1, MAX_QUORUM.into());
                draft.quorum =
                    number.and_then(|n| u8::try_from(n).ok()).map(|number| Said { value: number, at: key.at });
            }
            _ => {
                let seconds = self.seconds(value, "`ttl`", LEAST_TTL, MOST_TTL);
                draft.ttl = seconds.map(|seconds| Said { value: seconds, at: key.at });
            }
        }
    }

    /// A rule that does not ask has no say in what an approval takes.
    pub(super) fn demand_of_rule(&mut self, key: &Key, approval: Approval) {
        if approval == Approval::Approve {
            return;
        }
        let message = format!("`{}` has no meaning in a rule with `approval: {approval}`", key.text);
        let help = "remove it, or write `approval: approve`";
        self.error_help(DiagnosticCode::BadValue, key.at, message, help);
    }

    fn approvers(&mut self, node: &Node) -> Option<Vec<ApproverDraft>> {
        let texts = self.texts(node, "`approvers`");
        let own: Vec<_> = texts.iter().filter_map(|(text, at)| self.approver(text, *at)).collect();
        (!own.is_empty() && own.len() == texts.len()).then_some(own)
    }

    fn approver(&mut self, text: &str, at: At) -> Option<ApproverDraft> {
        const KNOWN: [&str; 2] = ["local_user", "local_terminal"];
        match text {
            "local_user" => return Some(ApproverDraft::One(ApproverRule::LocalUser)),
            "local_terminal" => return Some(ApproverDraft::One(ApproverRule::LocalTerminal)),
            _ => {}
        }
        if let Some(account) = text.strip_prefix("user:") {
            let account = self.account(account, at)?;
            return Some(ApproverDraft::One(ApproverRule::Account(account)));
        }
        if let Some(group) = text.strip_prefix("group:") {
            return Some(ApproverDraft::Group(Arc::from(group), at));
        }
        let message = format!("`{text}` is no approver");
        let help = match nearest(text, &KNOWN) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write `local_user`, `local_terminal`, `user:NAME` or `group:NAME`".to_owned(),
        };
        self.error_help(DiagnosticCode::BadValue, at, message, help);
        None
    }

    /// The name of an account or group: compared exactly, so nothing in it may look like something else.
    fn account(&mut self, text: &str, at: At) -> Option<Arc<str>> {
        const MAX_ACCOUNT: usize = 256;
        let odd = text.is_empty() || text.len() > MAX_ACCOUNT || text.contains(|c: char| c == ':' || c.is_control());
        if odd || *name::normalised(text) != *text {
            let message = format!("`{text}` is no name of an account or group");
            let help = format!("write the bare name: 1 to {MAX_ACCOUNT} bytes of visible text without `:`");
            self.error_help(DiagnosticCode::BadValue, at, message, help);
            return None;
        }
        Some(Arc::from(text))
    }

    fn groups(&mut self, node: &Node) -> Vec<GroupDraft> {
        let mut groups = Vec::new();
        for (key, value) in self.entries(node, "`groups`").unwrap_or_default() {
            let name = self.account(&key.text, key.at);
            let texts = self.texts(value, "a group");
            if texts.len() > MAX_MEMBERS {
                let message = format!("group `{}` has {} members; the most is {MAX_MEMBERS}", key.text, texts.len());
                self.error(DiagnosticCode::BadValue, value.at, message);
            }
            let members = texts.into_iter().filter_map(|(text, at)| self.account(text, at)).collect();
            groups.extend(name.map(|name| GroupDraft { name, at: key.at, members }));
        }
        groups
    }

    fn on_timeout(&mut self, node: &Node) {
        let Some(text) = self.text(node, "`on_timeout`") else { return };
        if &**text != "block" {
            let message = format!("`on_timeout: {text}` is not possible");
            let help = "write `block`, or leave it out: a call that nobody approves in time never goes out";
            self.error_help(DiagnosticCode::BadValue, node.at, message, help);
        }
    }

    fn way(&mut self, node: &Node) -> Option<Way> {
        let words: Vec<&str> = Way::ALL.iter().map(|way| way.as_str()).collect();
        self.word(node, "way to ask", &words)
    }

    fn grants(&mut self, node: &Node) -> Option<u32> {
        let mut longest = None;
        let mut any = false;
        for (_, value) in self.fields(node, "`grants`", &["longest"]) {
            any = true;
            longest = self.seconds(value, "`longest`", 0, MOST_GRANT);
        }
        if !any {
            let message = "`grants` does not say how long they may be".to_owned();
            let help = "write `grants: {longest: 30m}`; `0s` allows none, as leaving `grants` out does";
            self.error_help(DiagnosticCode::BadValue, node.at, message, help);
        }
        longest
    }

    fn volatile(&mut self, node: &Node) -> Vec<Volatile> {
        let crate::yaml::Content::List(items) = &node.content else {
            self.wrong_type(node, "`volatile`", "a list");
            return Vec::new();
        };
        items.iter().filter_map(|item| self.volatile_entry(item)).collect()
    }

    fn volatile_entry(&mut self, node: &Node) -> Option<Volatile> {
        let (mut tools, mut arguments) = (None, None);
        for (key, value) in self.fields(node, "an entry of `volatile`", &["tool", "arguments"]) {
            match &*key.text {
                "tool" => tools = Some(self.globs(value, "`tool`")),
                _ => {
                    let texts = self.texts(value, "`arguments`");
                    arguments = Some(texts.into_iter().filter_map(|(text, at)| self.member_path(text, at)).collect());
                }
            }
        }
        let (Some(tools), Some(arguments)) = (tools, arguments) else {
            let message = "an entry of `volatile` wants `tool` and `arguments`".to_owned();
            let help = "write `{tool: \"fetch*\", arguments: [timeout]}`";
            self.error_help(DiagnosticCode::BadValue, node.at, message, help);
            return None;
        };
        Some(Volatile { tools, arguments })
    }

    /// A path of member names: what is left out of a list would shift the rest of it.
    fn member_path(&mut self, text: &Arc<str>, at: At) -> Option<Arc<str>> {
        let names = ArgumentPath::parse(text).is_some_and(|path| path.steps.iter().all(|step| step.name.is_some()));
        if !names || text.contains('*') || *name::normalised(text) != **text {
            let message = format!("`{text}` names no argument that can be left out");
            self.error_help(DiagnosticCode::BadValue, at, message, "write `name` or `outer.inner`");
            return None;
        }
        Some(Arc::clone(text))
    }

    fn hold_url(&mut self, node: &Node) -> Option<Arc<str>> {
        let text = self.text(node, "`url`")?;
        if let Some((message, help)) = problem_of_url(text) {
            self.error_help(DiagnosticCode::BadValue, node.at, message.to_owned(), help);
            return None;
        }
        Some(Arc::clone(text))
    }
}

/// What is wrong with the address of a page that answers holds, and what to do. People follow it, and the token is in
/// it.
fn problem_of_url(text: &str) -> Option<(&'static str, &'static str)> {
    if text.len() > MAX_URL || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Some(("`url` is no address", "write at most 2048 visible ASCII characters"));
    }
    if !text.contains(HOLD) {
        let help = "write `{hold}` where the hold's token goes, as in `https://host/approve/{hold}`";
        return Some(("`url` does not say which hold is meant", help));
    }
    let host = host::of_url(text);
    let encrypted = text.starts_with("https://") && host.is_some();
    let here = |host: &str| matches!(host, "localhost" | "127.0.0.1" | "::1");
    let local = text.starts_with("http://") && host.is_some_and(here);
    let help = "write `https://HOST/…`; plain `http://` is for `localhost` only";
    (!encrypted && !local).then_some(("`url` is no https address", help))
}
