//! One held call for a person, in lines that fit the terminal and in which nothing of the call can pass for our words.

use std::borrow::Cow;

use clap::builder::styling::Style;
use jiff::Timestamp;
use thoth_store::{Hold, HoldState};
use thoth_types::display::{grouped, harmless, name, unmistakable};
use thoth_types::{RiskLevel, Vote};

use thoth_shell::terminal::{BAD, CARE, DIM};

use super::times::{between, clock};
use thoth_shell::arguments::{self, Extent, Line};
use thoth_shell::cells::{broken, oddities, wrapped};

/// The widest label.
const LABEL: usize = 10;

/// What stands before every line of arguments.
const BAR: &str = "  │ ";
const WARNING: &str = "  ! ";

/// One line, without colours of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageLine {
    pub(crate) text: String,
    pub(crate) style: Style,
}

/// A page.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) lines: Vec<PageLine>,
    /// How many bytes of the arguments are not shown.
    pub(crate) left_out: usize,
}

/// How much of a call is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Whatever is known.
    All,
    /// What somebody needs who is about to answer.
    Brief,
}

/// The page of a hold, no wider than `width` columns.
pub(crate) fn page(hold: &Hold, now: Timestamp, width: usize, detail: Detail, extent: Extent) -> Page {
    let mut page = facts(hold, now, width, detail);
    let Page { lines, left_out } = call(hold, width, extent);
    page.lines.extend(lines);
    Page { left_out, ..page }
}

/// What is known of a hold beside its arguments.
pub(crate) fn facts(hold: &Hold, now: Timestamp, width: usize, detail: Detail) -> Page {
    let mut page = Page::default();
    let mut odd = false;
    for (label, value, style) in rows(hold, now, detail) {
        page.row(label, &value, style, width);
    }
    let names = [Some(&*hold.tool), hold.caller.agent.as_ref().map(|agent| agent.as_str())];
    for text in names.into_iter().flatten().chain([hold.caller.server.as_str()]) {
        odd |= oddities(text).next().is_some();
    }
    if odd {
        page.warn(BAD, "a name has characters that cannot be seen, or look like others: \\u{…}", width);
    }
    page
}

/// The arguments of a hold.
pub(crate) fn call(hold: &Hold, width: usize, extent: Extent) -> Page {
    let mut page = Page::default();
    if hold.arguments.is_empty() {
        page.push(DIM, "arguments: no longer kept".to_owned());
        return page;
    }
    page.push(DIM, format!("arguments ({} bytes)", grouped(hold.arguments.len())));
    let shown = arguments::shown(&hold.arguments, width.saturating_sub(BAR.chars().count()), extent);
    page.left_out = shown.left_out;
    for line in shown.lines {
        match line {
            Line::Text(text) => page.push(Style::new(), format!("{BAR}{text}")),
            Line::Note(text) => page.warn(CARE, &text, width),
        }
    }
    page
}

impl Page {
    fn push(&mut self, style: Style, text: String) {
        self.lines.push(PageLine { text, style });
    }

    /// What is to be looked at twice.
    fn warn(&mut self, style: Style, text: &str, width: usize) {
        for (index, line) in broken(text, width.saturating_sub(WARNING.len()).max(20)).into_iter().enumerate() {
            let mark = if index == 0 { WARNING } else { "    " };
            self.push(style, format!("{mark}{line}"));
        }
    }

    /// A label with its value, whose further lines stay in the column of the first.
    fn row(&mut self, label: &str, value: &str, style: Style, width: usize) {
        for (index, line) in wrapped(value, width.saturating_sub(LABEL + 2).max(20)).into_iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            self.push(style, format!("{label:LABEL$}  {line}"));
        }
    }
}

/// How risky a call is, in colour.
pub(crate) const fn risk_style(risk: RiskLevel) -> Style {
    match risk {
        RiskLevel::Low => DIM,
        RiskLevel::Medium => Style::new(),
        RiskLevel::High => CARE,
        RiskLevel::Critical => BAD,
    }
}

/// Where a hold stands, for people.
pub(crate) fn state(hold: &Hold, now: Timestamp) -> String {
    let until = || format!("{} ({} left)", clock(hold.ends_at, now), between(now, hold.ends_at));
    match hold.state_at(now) {
        HoldState::Pending => format!("pending until {}", until()),
        HoldState::Approved => format!("approved; the same call passes once until {}", until()),
        HoldState::Denied if now < hold.ends_at => format!("denied; that stands until {}", until()),
        HoldState::Denied => format!("denied; that stood until {}", clock(hold.ends_at, now)),
        HoldState::Expired => format!("expired at {}", clock(hold.ends_at, now)),
        HoldState::Spent => {
            let by = hold.spent_by.as_deref().unwrap_or_default();
            format!("spent: the call {} went out on it", harmless(by))
        }
    }
}

/// An answer, for people.
pub(crate) fn answer(vote: &Vote, now: Timestamp) -> String {
    let said = if vote.approves { "approved" } else { "denied" };
    let Vote { approver, channel, origin, at, .. } = vote;
    format!("{said} by {} ({channel}: {origin}) at {}", name(&approver.account), clock(*at, now))
}

/// Who asks: agent and person.
fn asker(hold: &Hold) -> String {
    let agent = hold.caller.agent.as_ref().map(|agent| name(agent.as_str()));
    let agent = agent.unwrap_or(Cow::Borrowed("an agent without a name"));
    let user = hold.requester.user.as_ref().map(|user| format!(" for {}", name(user.as_str()))).unwrap_or_default();
    format!("{agent}{user}, under the account {} ({})", name(&hold.requester.account), hold.requester.uid)
}

fn rows(hold: &Hold, now: Timestamp, detail: Detail) -> Vec<(&'static str, String, Style)> {
    let plain = Style::new();
    let why = &hold.why;
    let server = name(hold.caller.server.as_str());
    let (who, how) = thoth_policy::describe_requirement(&hold.requirement);
    let mut rows = vec![
        ("hold", format!("{}: {}", hold.token, state(hold, now)), plain),
        ("tool", format!("{} of server {server}", name(&hold.tool)), plain.bold()),
    ];
    if !hold.also_sent.is_empty() {
        rows.push(("also sent", unmistakable(&hold.also_sent), CARE));
    }
    rows.extend([
        ("risk", why.risk.to_string(), risk_style(why.risk)),
        ("asked by", asker(hold), plain),
        ("because", format!("{} ({})", why.reason, why.reason_code), plain),
    ]);
    let place = why.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
    if let Some(rule) = &why.rule {
        rows.push(("rule", format!("{}{place}", name(rule)), plain));
    } else if !place.is_empty() {
        rows.push(("rule", place.trim_start().to_owned(), plain));
    }
    rows.push(("takes", format!("{who}; {how}"), plain));
    rows.extend(hold.votes.iter().map(|vote| ("answer", answer(vote, now), plain)));
    if detail == Detail::Brief {
        return rows;
    }
    let client =
        hold.requester.client.map_or_else(|| "not known".to_owned(), |client| format!("process {}", client.id));
    let mut more = |label, value: &str| rows.push((label, value.to_owned(), DIM));
    more("asked at", &format!("{} ({} ago)", clock(hold.created_at, now), between(hold.created_at, now)));
    more("client", &client);
    more("session", hold.caller.session.as_str());
    if let Some(tenant) = &hold.caller.tenant {
        more("tenant", tenant.as_str());
    }
    if let Some(intent) = &hold.caller.intent {
        more("intent", intent);
    }
    more("call", &hold.call_id);
    more("trace", &hold.trace_id);
    more("policy", &why.policy_digest);
    let shown: Vec<_> = hold.shown.iter().map(|channel| channel.as_str()).collect();
    if !shown.is_empty() {
        more("shown in", &shown.join(", "));
    }
    rows
}
