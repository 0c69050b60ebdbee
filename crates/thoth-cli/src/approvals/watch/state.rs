//! What the queue shows, and what keys and news do to it. No I/O and no clock: the time is an argument.
//!
//! INVARIANT: an answer is asked for only about the hold whose details were on the screen when the key was pressed, and it
//! is given only once the question that names it was on the screen, too. What arrives meanwhile moves neither.

use clap::builder::styling::Style;
use jiff::{SignedDuration, Timestamp};
use thoth_store::{Hold, HoldState};
use thoth_types::HoldToken;
use thoth_types::display::name;

use crate::approvals::list::is_strange;
use crate::approvals::page::{self, PageLine};
use thoth_shell::arguments::Extent;
use thoth_shell::cells::cut;
use thoth_shell::terminal::{BAD, CARE, DIM, GOOD};

/// How long a hold that is over stays, how long a new one is marked, and how long a message stands.
const FADING: SignedDuration = SignedDuration::from_secs(6);
const NEW: SignedDuration = SignedDuration::from_secs(4);
const MESSAGE: SignedDuration = SignedDuration::from_secs(15);

/// The widest name in a question.
const WIDEST: usize = 48;

/// A key, as far as it means anything here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Char(char),
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
}

/// What happens.
#[derive(Debug)]
pub(crate) enum Event {
    Key(Key),
    /// These holds are kept, those that wait first.
    Holds(Vec<Hold>),
    /// Time has passed.
    Tick,
    /// Whether the person may approve the hold; if not, why.
    MayApprove(HoldToken, Result<(), String>),
    /// An answer was taken, or why not.
    Answered(Result<Box<Hold>, String>),
    /// Something went wrong.
    Problem(String),
    /// This was on the screen.
    Drawn(Drawn),
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Quit,
    /// Find out whether the person may approve it.
    Check(HoldToken),
    /// Answer it.
    Answer {
        hold: HoldToken,
        approves: bool,
    },
}

/// What a frame showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Drawn {
    /// The hold whose details it showed.
    pub(crate) hold: Option<HoldToken>,
    /// Whether it showed the question.
    pub(crate) question: bool,
    /// The lines of details that there was room for, and those that there are.
    pub(crate) room: usize,
    pub(crate) lines: usize,
}

/// A hold in the queue.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) hold: Hold,
    /// Until when it is marked as new.
    pub(crate) new_until: Option<Timestamp>,
    /// Since when it is over, and what became of it.
    pub(crate) over: Option<(Timestamp, Style, String)>,
    /// Something in it looks like what it is not.
    pub(crate) strange: bool,
}

/// An answer that was asked for and not confirmed.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) hold: HoldToken,
    pub(crate) approves: bool,
    pub(crate) text: String,
    drawn: bool,
}

/// The arguments of a hold in lines, made once.
#[derive(Debug)]
struct Formatted {
    hold: HoldToken,
    width: usize,
    lines: Vec<PageLine>,
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) rows: Vec<Row>,
    pub(crate) selected: Option<HoldToken>,
    /// Whether the arrows move the details.
    pub(crate) reads: bool,
    pub(crate) help: bool,
    pub(crate) question: Option<Question>,
    message: Option<(Timestamp, Style, String)>,
    pub(crate) scroll: usize,
    /// How many lines of the details were on the screen, from the first.
    seen: usize,
    drawn: Drawn,
    formatted: Option<Formatted>,
    /// How often arguments were formatted.
    pub(crate) formattings: usize,
    loaded: bool,
    bell: bool,
}

impl State {
    /// Takes in what happened.
    pub(crate) fn update(&mut self, event: Event, now: Timestamp) -> Option<Effect> {
        match event {
            Event::Key(key) => return self.key(key, now),
            Event::Holds(holds) => self.take_in(holds, now),
            Event::Tick => {}
            Event::MayApprove(hold, Ok(())) => self.ask(&hold, true),
            Event::MayApprove(_, Err(why)) | Event::Problem(why) => self.say(BAD, why, now),
            Event::Answered(Ok(hold)) => {
                let id = hold.token.short().to_owned();
                let (style, what) = match hold.state {
                    HoldState::Pending => (CARE, "noted; it still needs another account"),
                    HoldState::Denied => (BAD, "denied"),
                    _ => (GOOD, "approved"),
                };
                self.say(style, format!("{id}: {what}"), now);
                if let Some(row) = self.rows.iter_mut().find(|row| row.hold.token == hold.token) {
                    row.hold = *hold;
                }
            }
            Event::Answered(Err(why)) => self.say(BAD, why, now),
            Event::Drawn(drawn) => {
                self.scroll = self.scroll.min(drawn.lines.saturating_sub(drawn.room));
                self.seen = self.seen.max(self.scroll.saturating_add(drawn.room));
                if let Some(question) = &mut self.question {
                    question.drawn |= drawn.question;
                }
                self.drawn = drawn;
                return None;
            }
        }
        self.pass_time(now);
        None
    }

    /// Whether something new came since this was last asked.
    pub(crate) fn take_bell(&mut self) -> bool {
        std::mem::take(&mut self.bell)
    }

    /// How many holds wait.
    pub(crate) fn waiting(&self) -> usize {
        self.rows.iter().filter(|row| row.over.is_none()).count()
    }

    /// The selected hold.
    pub(crate) fn current(&self) -> Option<&Row> {
        let token = self.selected.as_ref()?;
        self.rows.iter().find(|row| row.hold.token == *token)
    }

    pub(crate) fn position(&self) -> usize {
        self.rows.iter().position(|row| Some(&row.hold.token) == self.selected.as_ref()).unwrap_or_default()
    }

    pub(crate) fn message(&self) -> Option<(Style, &str)> {
        self.message.as_ref().map(|(_, style, text)| (*style, &**text))
    }

    /// The arguments of the selected hold in lines of this width.
    pub(crate) fn arguments(&mut self, width: usize) -> &[PageLine] {
        let Some(token) = self.selected.clone() else { return &[] };
        let made = self.formatted.as_ref().is_some_and(|made| made.hold == token && made.width == width);
        if !made && let Some(row) = self.current() {
            let lines = page::call(&row.hold, width, Extent::Everything).lines;
            self.formatted = Some(Formatted { hold: token, width, lines });
            self.formattings += 1;
        }
        self.formatted.as_ref().map_or(&[], |made| &made.lines)
    }

    fn say(&mut self, style: Style, text: String, now: Timestamp) {
        self.message = Some((now, style, text));
    }

    fn take_in(&mut self, holds: Vec<Hold>, now: Timestamp) {
        for row in &mut self.rows {
            match holds.iter().find(|hold| hold.token == row.hold.token) {
                Some(hold) if hold.votes.len() < row.hold.votes.len() => {}
                Some(hold) => row.hold = hold.clone(),
                None if row.over.is_none() => row.over = Some((now, DIM, "no longer kept".to_owned())),
                None => {}
            }
        }
        for hold in holds {
            if hold.state_at(now) != HoldState::Pending || self.rows.iter().any(|row| row.hold.token == hold.token) {
                continue;
            }
            self.bell |= self.loaded;
            let new_until = self.loaded.then(|| after(now, NEW));
            let strange = is_strange(&hold);
            self.rows.push(Row { hold, new_until, over: None, strange });
        }
        self.loaded = true;
    }

    fn pass_time(&mut self, now: Timestamp) {
        for row in &mut self.rows {
            let since = row.over.as_ref().map(|(since, ..)| *since);
            if let Some((style, what)) = ending(&row.hold, now) {
                row.over = Some((since.unwrap_or(now), style, what));
            }
            row.new_until = row.new_until.filter(|until| now < *until);
        }
        let before = self.position();
        self.rows.retain(|row| row.over.as_ref().is_none_or(|(since, ..)| now < after(*since, FADING)));
        if self.current().is_none() {
            let next = before.min(self.rows.len().saturating_sub(1));
            self.select(next);
        }
        let waits = |token: &HoldToken| self.rows.iter().any(|row| row.hold.token == *token && row.over.is_none());
        if let Some(question) = &self.question
            && !waits(&question.hold)
        {
            let text = format!("{} was resolved meanwhile; nothing was answered", question.hold.short());
            self.question = None;
            self.say(CARE, text, now);
        }
        if self.message.as_ref().is_some_and(|(since, ..)| now >= after(*since, MESSAGE)) {
            self.message = None;
        }
    }

    fn select(&mut self, position: usize) {
        let token = self.rows.get(position).map(|row| row.hold.token.clone());
        if token != self.selected {
            self.selected = token;
            self.scroll = 0;
            self.seen = 0;
            self.reads = false;
        }
    }

    fn scroll_to(&mut self, line: usize) {
        self.scroll = line.min(self.drawn.lines.saturating_sub(self.drawn.room));
    }

    fn key(&mut self, key: Key, now: Timestamp) -> Option<Effect> {
        if self.help {
            self.help = false;
            return None;
        }
        let page = self.drawn.room.saturating_sub(1).max(1);
        match key {
            Key::PageUp => self.scroll_to(self.scroll.saturating_sub(page)),
            Key::PageDown => self.scroll_to(self.scroll.saturating_add(page)),
            key if self.question.is_some() => return self.confirm(key, now),
            Key::Char('q') => return Some(Effect::Quit),
            Key::Char('?') => self.help = true,
            Key::Char('a') => return self.begin(true, now),
            Key::Char('d') => return self.begin(false, now),
            Key::Enter | Key::Char(' ') => self.reads = !self.reads && self.selected.is_some(),
            Key::Escape => self.reads = false,
            Key::Up | Key::Char('k') if self.reads => self.scroll_to(self.scroll.saturating_sub(1)),
            Key::Down | Key::Char('j') if self.reads => self.scroll_to(self.scroll.saturating_add(1)),
            Key::Home | Key::Char('g') if self.reads => self.scroll_to(0),
            Key::End | Key::Char('G') if self.reads => self.scroll_to(usize::MAX),
            Key::Up | Key::Char('k') => self.select(self.position().saturating_sub(1)),
            Key::Down | Key::Char('j') => self.select((self.position() + 1).min(self.rows.len().saturating_sub(1))),
            Key::Home | Key::Char('g') => self.select(0),
            Key::End | Key::Char('G') => self.select(self.rows.len().saturating_sub(1)),
            Key::Char(_) => {}
        }
        None
    }

    /// Asks for an answer to the hold that is on the screen.
    fn begin(&mut self, approves: bool, now: Timestamp) -> Option<Effect> {
        let row = self.current()?;
        let token = row.hold.token.clone();
        if row.over.is_some() {
            self.say(CARE, format!("{} is over", token.short()), now);
            return None;
        }
        if self.drawn.hold.as_ref() != Some(&token) {
            return None;
        }
        self.message = None;
        if approves {
            return Some(Effect::Check(token));
        }
        self.ask(&token, false);
        None
    }

    fn ask(&mut self, token: &HoldToken, approves: bool) {
        let Some(row) = self.current().filter(|row| row.hold.token == *token && row.over.is_none()) else { return };
        let what = if approves { "Approve" } else { "Deny" };
        let tool = cut(&name(&row.hold.tool), WIDEST);
        let server = cut(&name(row.hold.caller.server.as_str()), WIDEST);
        let unread = self.drawn.lines.saturating_sub(self.seen);
        let unread =
            if approves && unread > 0 { format!(" {unread} lines of it not yet shown!") } else { String::new() };
        let text = format!("{what} {tool} on {server} ({})?{unread} y/n", token.short());
        self.question = Some(Question { hold: token.clone(), approves, text, drawn: false });
    }

    fn confirm(&mut self, key: Key, now: Timestamp) -> Option<Effect> {
        // What was typed before the question was there is no answer to it.
        let question = self.question.take_if(|question| question.drawn)?;
        if key == Key::Char('y') {
            return Some(Effect::Answer { hold: question.hold, approves: question.approves });
        }
        self.say(DIM, format!("{} still waits", question.hold.short()), now);
        None
    }
}

fn after(at: Timestamp, duration: SignedDuration) -> Timestamp {
    at.saturating_add(duration).unwrap_or(at)
}

/// What became of a hold, once nothing can be answered any more.
fn ending(hold: &Hold, now: Timestamp) -> Option<(Style, String)> {
    let by = |approves: bool| {
        let votes = hold.votes.iter().filter(|vote| vote.approves == approves);
        votes.map(|vote| name(&vote.approver.account)).collect::<Vec<_>>().join(" and ")
    };
    match hold.state_at(now) {
        HoldState::Pending => None,
        HoldState::Approved => Some((GOOD, format!("approved by {}", by(true)))),
        HoldState::Spent => Some((GOOD, format!("approved by {}, and gone out", by(true)))),
        HoldState::Denied => Some((BAD, format!("denied by {}", by(false)))),
        HoldState::Expired => Some((DIM, "expired".to_owned())),
    }
}
