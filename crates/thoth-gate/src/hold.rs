//! A held call, and what can become of it.
//!
//! Pure: a store keeps holds and runs these transitions one after the other, each in a transaction of its own. Nothing
//! else decides whether a hold may be answered or used.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use thoth_types::{
    Binding, Caller, Channel, Grant, GrantScope, HoldToken, Place, ReasonCode, Requester, Requirement, RiskLevel,
    Unentitled, Vote,
};

/// Where a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HoldState {
    /// Nobody has said yes or no, or not enough people have.
    Pending,
    /// The next call that it is bound to goes out.
    Approved,
    /// Somebody has said no.
    Denied,
    /// Its time ended before it was used.
    Expired,
    /// One call went out on it.
    Spent,
}

impl HoldState {
    /// Every state.
    pub const ALL: &'static [Self] = &[Self::Pending, Self::Approved, Self::Denied, Self::Expired, Self::Spent];

    /// The stable word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Spent => "spent",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.as_str() == word)
    }
}

/// Why a call was held: the deciding finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// For a person.
    pub reason: String,
    /// Its stable code.
    pub reason_code: ReasonCode,
    /// The deciding rule, by name.
    pub rule: Option<Arc<str>>,
    /// Where it stands.
    pub place: Option<Place>,
    /// How much harm is possible.
    pub risk: RiskLevel,
    /// The policy that decided.
    pub policy_digest: Arc<str>,
}

/// A held call.
#[derive(Debug, Clone)]
pub struct Hold {
    /// Its name.
    pub token: HoldToken,
    /// The call that it stands for.
    pub binding: Binding,
    /// Who calls, and where.
    pub caller: Caller,
    /// On whose behalf.
    pub requester: Requester,
    /// What is called.
    pub tool: Arc<str>,
    /// The arguments exactly as the client wrote them; `{}` when there were none. Where something was taken out of them:
    /// what would go out.
    pub arguments: Arc<[u8]>,
    /// Whether something was taken out of them.
    pub modified: bool,
    /// What else the client sent with it, for people: an object in JSON, or empty.
    pub also_sent: Arc<str>,
    /// What whoever asked for a decision calls it; it is recorded with what becomes of the call.
    pub enforcement_trace: Option<Arc<str>>,
    /// The call's id in the ledger.
    pub call_id: Arc<str>,
    /// Its trace id.
    pub trace_id: Arc<str>,
    /// The keyed digest of tool and arguments, as in the ledger.
    pub arguments_digest: Arc<str>,
    /// Why a person must agree.
    pub why: Why,
    /// What an approval takes.
    pub requirement: Requirement,
    /// When the call was held.
    pub created_at: Timestamp,
    /// When its present state ends.
    pub ends_at: Timestamp,
    /// Where it stands, as written down. [`Self::state_at`] also knows the time.
    pub state: HoldState,
    /// What was answered, in order.
    pub votes: Vec<Vote>,
    /// The call that went out on it, by its id.
    pub spent_by: Option<Arc<str>>,
    /// Where it was shown, each once.
    pub shown: Vec<Channel>,
}

/// Why an answer to a hold was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VoteError {
    /// Not this account, or not in this way.
    #[error(transparent)]
    Unentitled(#[from] Unentitled),
    /// It was answered, used or ended before.
    #[error("it is {}", .0.as_str())]
    Closed(HoldState),
}

impl Hold {
    /// Where it stands at `now`.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> HoldState {
        match self.state {
            HoldState::Pending | HoldState::Approved if !lives(self.created_at, self.ends_at, now) => {
                HoldState::Expired
            }
            state => state,
        }
    }

    /// Whether the next call that it is bound to meets it: it waits, is approved, or is denied and that still counts.
    #[must_use]
    pub fn stands_at(&self, now: Timestamp) -> bool {
        match self.state_at(now) {
            HoldState::Pending | HoldState::Approved => true,
            HoldState::Denied => now < self.ends_at,
            HoldState::Expired | HoldState::Spent => false,
        }
    }

    /// Takes an answer. One "no" is enough to deny, also after an approval that is not used yet; for a "yes" as many
    /// accounts as required must agree. A denial stands for the whole time to live again.
    ///
    /// # Errors
    /// If the answer does not count; nothing has changed then.
    pub fn vote(&mut self, vote: &Vote) -> Result<(), VoteError> {
        match self.state_at(vote.at) {
            HoldState::Pending => {}
            HoldState::Approved if !vote.approves => {}
            closed => return Err(VoteError::Closed(closed)),
        }
        if vote.approves {
            self.requirement.entitles(vote, &self.requester)?;
            let again = self.votes.iter().any(|one| one.approves && one.approver.uid == vote.approver.uid);
            if again {
                return Err(Unentitled::Again.into());
            }
        }
        self.votes.push(vote.clone());
        if !vote.approves {
            self.state = HoldState::Denied;
            self.ends_at = later(vote.at.max(self.created_at), self.requirement.ttl_seconds);
        } else if self.requirement.is_met_by(&self.votes, &self.requester) {
            self.state = HoldState::Approved;
        }
        Ok(())
    }

    /// Whether a call may go out on it: it is approved, and the approval also meets what is required now, of whoever
    /// calls now.
    fn serves(&self, question: &Question<'_>, now: Timestamp) -> bool {
        let required = question.requirement;
        self.state_at(now) == HoldState::Approved
            && now < later(self.created_at, required.ttl_seconds)
            && required.is_met_by(&self.votes, &self.requester)
            && required.is_met_by(&self.votes, question.requester)
    }

    /// The call that it was used for did not go out after all.
    pub fn give_back(&mut self, call_id: &str) {
        if self.state == HoldState::Spent && self.spent_by.as_deref() == Some(call_id) {
            self.state = HoldState::Approved;
            self.spent_by = None;
        }
    }

    /// It could not be recorded that the call was held: nobody may answer it, and nothing may go out on it.
    pub(crate) fn withdraw(&mut self) {
        if matches!(self.state, HoldState::Pending | HoldState::Approved) {
            self.state = HoldState::Expired;
        }
    }

    /// Notes that its time is over. Whether that was news.
    pub fn expire(&mut self, now: Timestamp) -> bool {
        let news = self.state != HoldState::Expired && self.state_at(now) == HoldState::Expired;
        if news {
            self.state = HoldState::Expired;
        }
        news
    }
}

/// `seconds` after `now`.
pub(crate) fn later(now: Timestamp, seconds: u32) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(now)
}

/// Whether what began and ends at these instants lasts at `now`. A clock that was put back by more than the whole time
/// to live tells nothing any more, and whatever it should measure is over.
pub(crate) fn lives(begins_at: Timestamp, ends_at: Timestamp, now: Timestamp) -> bool {
    now < ends_at && now.duration_until(begins_at) <= begins_at.duration_until(ends_at)
}

/// What the gate asks the store about a call that needs a person.
pub struct Question<'q> {
    /// The call.
    pub binding: &'q Binding,
    /// Whose call of which tool; grants of exactly this scope may cover it.
    pub scope: &'q GrantScope,
    /// Whether a grant covers the call's arguments.
    pub covers: &'q dyn Fn(&Grant) -> bool,
    /// What an approval takes now.
    pub requirement: &'q Requirement,
    /// On whose behalf the call is made.
    pub requester: &'q Requester,
    /// The id of the call that would use an approval up; without one, nothing is used up.
    pub spender: Option<&'q str>,
    /// A new hold for the call; `None` if it could not be named.
    pub draft: &'q dyn Fn() -> Option<Hold>,
}

impl std::fmt::Debug for Question<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Question")
            .field("binding", self.binding)
            .field("spender", &self.spender)
            .finish_non_exhaustive()
    }
}

/// The store's answer.
#[derive(Debug, Clone)]
pub enum Consulted {
    /// A grant covers it.
    Granted(Grant),
    /// It was approved, and the approval is now used up.
    Spent(Hold),
    /// It is approved, and nothing was used up, because no spender was named.
    Approved(Hold),
    /// It was asked before and nobody has answered yet.
    Pending(Hold),
    /// It is asked for the first time, or again since the hold before, given here too, had ended or no longer fits what is
    /// required. Nobody had noted that end.
    Created(Hold, Option<Box<Hold>>),
    /// A person has said no, and that still stands.
    Denied(Hold),
}

/// What a store has to do for a [`Question`].
#[derive(Debug)]
pub struct Step {
    /// The answer. `None`: no hold could be made.
    pub consulted: Option<Consulted>,
    /// The hold that stood, changed: to be written.
    pub changed: Option<Hold>,
    /// A new hold, to be written.
    pub created: Option<Hold>,
}

/// Answers a question from what is stored: `standing` is the hold with the question's binding that is neither spent nor
/// marked as expired, `grants` are those of the question's scope.
#[must_use]
pub fn consult(question: &Question<'_>, standing: Option<Hold>, grants: &[Grant], now: Timestamp) -> Step {
    let mut step = Step { consulted: None, changed: None, created: None };
    // A person's "no" to this very call is newer or more specific than any grant.
    if let Some(hold) = &standing
        && hold.state == HoldState::Denied
        && hold.stands_at(now)
    {
        step.consulted = Some(Consulted::Denied(hold.clone()));
        return step;
    }
    if let Some(grant) = grants.iter().find(|grant| covers(question, grant, now)) {
        step.consulted = Some(Consulted::Granted(grant.clone()));
        return step;
    }
    let mut ended = None;
    if let Some(mut hold) = standing {
        if hold.serves(question, now) {
            let Some(spender) = question.spender else {
                step.consulted = Some(Consulted::Approved(hold));
                return step;
            };
            hold.state = HoldState::Spent;
            hold.spent_by = Some(Arc::from(spender));
            step.changed = Some(hold.clone());
            step.consulted = Some(Consulted::Spent(hold));
            return step;
        }
        if hold.state_at(now) == HoldState::Pending && hold.requirement == *question.requirement {
            step.consulted = Some(Consulted::Pending(hold));
            return step;
        }
        // It gives way to a new one. A denial that has run out was answered, and stays as it is.
        if matches!(hold.state, HoldState::Pending | HoldState::Approved) {
            hold.state = HoldState::Expired;
            hold.ends_at = hold.ends_at.min(now);
            ended = Some(hold);
        }
    }
    // Without a new hold, nobody is told that the old one ended: then it has not.
    step.created = (question.draft)();
    step.changed = ended.filter(|_| step.created.is_some());
    let ended = step.changed.clone().map(Box::new);
    step.consulted = step.created.clone().map(|created| Consulted::Created(created, ended));
    step
}

/// Answers a question of which several holds may be open, as they are when one was used and given back while the call was
/// asked again: `open` are all those that `standing` of [`consult`] could be, the oldest first. A denial goes before an
/// approval, and an approval before a question; a new hold takes the place of the newest.
#[must_use]
pub fn consult_all(question: &Question<'_>, open: &[Hold], grants: &[Grant], now: Timestamp) -> Step {
    let rank = |hold: &&Hold| match hold.state_at(now) {
        HoldState::Denied if hold.stands_at(now) => 0,
        HoldState::Approved => 1,
        _ => 2,
    };
    let mut ranked: Vec<_> = open.iter().collect();
    ranked.sort_by_key(rank);
    let without_new = Question { draft: &|| None, ..*question };
    let mut steps = ranked.into_iter().map(|hold| consult(&without_new, Some(hold.clone()), grants, now));
    match steps.find(|step| step.consulted.is_some()) {
        Some(answered) => answered,
        None => consult(question, open.last().cloned(), grants, now),
    }
}

/// Whether a grant lets the call through: it still lasts, was given to whoever calls now, covers the arguments, and
/// would be allowed by what is required now.
fn covers(question: &Question<'_>, grant: &Grant, now: Timestamp) -> bool {
    let required = question.requirement;
    let Some(given_at) = grant.given.iter().map(|vote| vote.at).max() else { return false };
    let ends_at = grant.ends_at.min(later(given_at, required.longest_grant_seconds));
    let asker = question.requester;
    lives(given_at, ends_at, now)
        && grant.requester.uid == asker.uid
        && grant.requester.user == asker.user
        && required.is_met_by(&grant.given, asker)
        && (question.covers)(grant)
}
