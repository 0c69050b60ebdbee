//! One call, as a witness: everything that a policy may look at.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use thoth_policy::{History, Policy, Query, RateScope, ScopeList, Scratch, counted_name};
use thoth_types::json::{Limits, Tape};
use thoth_types::{Approval, Arguments, HarmClass, HarmClasses};

/// A call that a policy can be asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Its tool.
    pub tool: String,
    /// Its server.
    pub server: String,
    /// Its agent, if the session has one.
    pub agent: Option<String>,
    /// Its arguments: the text of a JSON object.
    pub arguments: String,
    /// When.
    pub at: Timestamp,
    /// Calls of the same session before it.
    pub earlier: Vec<Earlier>,
    /// What was found in results of the same session.
    pub labels: HarmClasses,
}

/// Calls of one tool that went out before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// The tool.
    pub tool: String,
    /// The server.
    pub server: String,
    /// How many.
    pub count: u64,
    /// How long before.
    pub seconds_ago: u32,
}

impl Call {
    /// The call as a query, given to `ask`. `None` if the arguments are beyond what a call may have.
    pub fn with_query<T>(&self, ask: impl FnOnce(&Query<'_>) -> T) -> Option<T> {
        let mut tape = Tape::new();
        let value = tape.parse(self.arguments.as_bytes(), &Limits::default()).ok()?;
        let history = Past { calls: &self.earlier, labels: self.labels, at: self.at };
        Some(ask(&Query {
            agent: self.agent.as_deref(),
            arguments: Arguments::new(Some(value)),
            now: self.at,
            history: &history,
            ..Query::new(&self.tool, &self.server)
        }))
    }

    /// What the policy answers by its rules, defaults and lists of tools.
    #[must_use]
    pub fn decided_by(&self, policy: &Policy) -> Option<Approval> {
        self.with_query(|query| {
            let mut findings = Vec::new();
            policy.scope(query, &ScopeList::default(), &mut findings);
            let verdict = policy.rules(query, &mut Scratch::deciding());
            findings.iter().map(|finding| finding.approval).fold(verdict.approval, Approval::max)
        })
    }

    /// For scripts.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let earlier: Vec<Json> = self
            .earlier
            .iter()
            .map(|earlier| {
                let Earlier { tool, server, count, seconds_ago } = earlier;
                json!({"tool": tool, "server": server, "count": count, "seconds_ago": seconds_ago})
            })
            .collect();
        let arguments: Json = serde_json::from_str(&self.arguments).unwrap_or_default();
        let mut call = json!({
            "tool": self.tool,
            "server": self.server,
            "agent": self.agent,
            "at": self.at.to_string(),
            "earlier": earlier,
        });
        if let Some(call) = call.as_object_mut() {
            if !self.labels.is_empty() {
                let labels: Vec<&str> = self.labels.iter().map(HarmClass::as_str).collect();
                call.insert("labels".to_owned(), labels.into());
            }
            // A number that a double cannot hold is told as it is written.
            if serde_json::to_string(&arguments).ok().as_deref() != Some(&*self.arguments) {
                call.insert("arguments_text".to_owned(), (*self.arguments).into());
            }
            call.insert("arguments".to_owned(), arguments);
        }
        call
    }
}

impl Call {
    /// For a person: long texts are shortened, and the time is left out where none of the policies looks at the clock.
    #[must_use]
    pub fn shown(&self, timed: bool) -> String {
        let mut shown = self.clone();
        let earlier = shown.earlier.iter_mut().flat_map(|earlier| [&mut earlier.tool, &mut earlier.server]);
        let texts = [&mut shown.tool, &mut shown.server, &mut shown.arguments];
        for text in texts.into_iter().chain(&mut shown.agent).chain(earlier) {
            *text = shortened(text);
        }
        if timed { format!("{shown} at {}", self.at) } else { shown.to_string() }
    }
}

/// The beginning of a text that nobody would read to its end, and how long it is.
fn shortened(text: &str) -> String {
    const MOST: usize = 300;
    const KEPT: usize = 200;
    if text.len() <= MOST {
        return text.to_owned();
    }
    format!("{}… ({} bytes)", text.get(..text.floor_char_boundary(KEPT)).unwrap_or_default(), text.len())
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.tool, self.server)?;
        if let Some(agent) = &self.agent {
            write!(f, " by {agent}")?;
        }
        if self.arguments != "{}" {
            write!(f, " {}", self.arguments)?;
        }
        for Earlier { tool, server, count, seconds_ago } in &self.earlier {
            let times = if *count == 1 { "once".to_owned() } else { format!("{count} times") };
            write!(f, " after {tool} on {server} {times}, {seconds_ago} s before")?;
        }
        if !self.labels.is_empty() {
            write!(f, " in a session with {}", self.labels)?;
        }
        Ok(())
    }
}

struct Past<'c> {
    calls: &'c [Earlier],
    labels: HarmClasses,
    at: Timestamp,
}

impl History for Past<'_> {
    fn called_before(&self, test: &mut dyn FnMut(&str, &str) -> bool) -> bool {
        self.calls.iter().any(|earlier| test(&earlier.tool, &earlier.server))
    }

    fn calls_since(&self, scope: RateScope, tool: &str, since: Timestamp) -> u64 {
        let counts = |earlier: &&Earlier| {
            let when = self.at.checked_sub(SignedDuration::from_secs(earlier.seconds_ago.into()));
            when.is_ok_and(|when| when >= since)
                && (scope != RateScope::Tool || counted_name(&earlier.tool) == counted_name(tool))
        };
        self.calls.iter().filter(counts).map(|earlier| earlier.count).sum()
    }

    fn labels(&self) -> HarmClasses {
        self.labels
    }
}
