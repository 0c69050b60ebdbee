//! `thoth approvals watch`: the calls that wait for approval on a full screen, as they come, and their answers.
//!
//! `state` decides what keys and news mean, `view` draws it, `screen` has the terminal; this file reads, answers and waits.

mod screen;
mod state;
#[cfg(test)]
mod tests;
mod view;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;
use ratatui::crossterm::event::{self, Event as TerminalEvent, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use thoth_store::{Hold, Holds as _};
use thoth_types::{Channel, HoldToken};

use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::harmless_text;

use super::answer::answer;
use super::list::waiting_first;
use super::person::Person;
use super::store::{Store, failed};

use screen::Screen;
use state::{Drawn, Effect, Event, Key, State};

/// How long it waits for a key before it looks whether anything has changed.
const TICK: Duration = Duration::from_millis(100);
/// How often ages are drawn anew.
const REDRAW: Duration = Duration::from_secs(1);
/// How often the holds are read although the store says that nothing has changed.
const READ: Duration = Duration::from_secs(10);

/// `thoth approvals watch`
#[derive(Debug, Args)]
#[command(after_help = "\
Keys: up and down select a call, Enter moves into its details, PgUp and PgDn move them, `a` approves \
and `d` denies after a question, `?` helps, `q` leaves. Calls that nobody answers here go on waiting.

Example:
  thoth approvals watch")]
pub(crate) struct WatchArgs {}

pub(crate) fn run(_: &WatchArgs) -> Outcome {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Failure::usage("`thoth approvals watch` needs a terminal, to read keys from and to write to")
            .hint("scripts use `thoth approvals list --json`"));
    }
    let person = Person::here();
    let store = Store::locate()?;
    let mut queue = Queue {
        holds: store.list()?,
        store,
        person,
        state: State::default(),
        recorded: Vec::new(),
        read: Instant::now(),
    };
    let broken = |error: io::Error| Failure::failed(format!("the terminal cannot be used: {error}"));
    let mut screen = Screen::open().map_err(broken)?;
    let done = queue.show(&mut screen);
    if done.is_err() {
        screen::end_if_gone();
    }
    drop(screen);
    done.map_err(broken)?;
    Ok(ExitCode::SUCCESS)
}

struct Queue {
    store: Store,
    person: Person,
    holds: Vec<Hold>,
    state: State,
    /// The holds that are in the ledger as shown here.
    recorded: Vec<HoldToken>,
    read: Instant,
}

impl Queue {
    fn show(&mut self, screen: &mut Screen) -> io::Result<()> {
        let holds = std::mem::take(&mut self.holds);
        self.take_in(holds);
        let (mut stale, mut drawn_at) = (true, Instant::now());
        loop {
            screen.obey()?;
            self.refresh(&mut stale);
            if self.state.take_bell() {
                screen.ring()?;
            }
            if stale || drawn_at.elapsed() >= REDRAW {
                self.pass(Event::Tick);
                self.draw(screen)?;
                (stale, drawn_at) = (false, Instant::now());
            }
            match event::poll(TICK) {
                Ok(false) => continue,
                Ok(true) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            stale = true;
            // A new size is drawn; what is pasted is for nobody.
            let TerminalEvent::Key(key) = event::read()? else { continue };
            match meaning(key) {
                Meaning::Key(key) => {
                    let asked = self.state.question.is_some();
                    if self.key(key) {
                        return Ok(());
                    }
                    if !asked && self.state.question.is_some() {
                        // What was typed before the question is there is not for it.
                        while event::poll(Duration::ZERO)? {
                            drop(event::read()?);
                        }
                        self.draw(screen)?;
                    }
                }
                Meaning::Leave => return Ok(()),
                Meaning::Suspend => screen.suspend()?,
                Meaning::Nothing => {}
            }
        }
    }

    /// Reads the holds if they have changed.
    fn refresh(&mut self, stale: &mut bool) {
        let changed = self.store.holds().changed().unwrap_or(true);
        if !changed && self.read.elapsed() < READ {
            return;
        }
        self.read = Instant::now();
        *stale = true;
        match self.store.list() {
            Ok(holds) => self.take_in(holds),
            Err(failure) => drop(self.pass(Event::Problem(failure.message().to_owned()))),
        }
    }

    fn take_in(&mut self, holds: Vec<Hold>) {
        drop(self.pass(Event::Holds(waiting_first(holds, Timestamp::now(), true))));
    }

    fn pass(&mut self, event: Event) -> Option<Effect> {
        self.state.update(event, Timestamp::now())
    }

    fn draw(&mut self, screen: &mut Screen) -> io::Result<()> {
        let mut drawn = Drawn::default();
        screen.terminal.draw(|frame| {
            drawn = view::draw(&mut self.state, Timestamp::now(), frame.area(), frame.buffer_mut());
        })?;
        if let Some(token) = drawn.hold.clone() {
            self.record(&token);
        }
        drop(self.pass(Event::Drawn(drawn)));
        Ok(())
    }

    /// Does what a key asks for. Whether it is to end.
    fn key(&mut self, key: Key) -> bool {
        let mut effect = self.pass(Event::Key(key));
        while let Some(next) = effect {
            let event = match next {
                Effect::Quit => return true,
                Effect::Check(token) => {
                    let checked = self
                        .look(&token)
                        .and_then(|hold| self.person.may_approve(&hold))
                        .map_err(|failure| told(&failure));
                    Event::MayApprove(token, checked)
                }
                Effect::Answer { hold, approves } => {
                    let answered = self.answer(&hold, approves).map_err(|failure| told(&failure));
                    // The store does not tell us of what we wrote ourselves.
                    self.read = self.read.checked_sub(READ).unwrap_or(self.read);
                    Event::Answered(answered.map(Box::new))
                }
            };
            effect = self.pass(event);
        }
        false
    }

    fn look(&self, token: &HoldToken) -> Result<Hold, Failure> {
        self.store.holds().look(token).map_err(|error| failed(&error))
    }

    fn answer(&mut self, token: &HoldToken, approves: bool) -> Result<Hold, Failure> {
        let hold = self.look(token)?;
        if approves {
            self.person.may_approve(&hold)?;
        }
        let open = self.store.desk(token)?;
        let answered = answer(&open.desk, &hold, &self.person, approves);
        if let Err(late) = open.close_silently() {
            drop(self.pass(Event::Problem(late)));
        }
        answered
    }

    /// Notes in the ledger that a hold was shown. That this fails keeps nobody from reading it.
    fn record(&mut self, token: &HoldToken) {
        if self.recorded.contains(token) {
            return;
        }
        self.recorded.push(token.clone());
        let shown = self.store.desk(token).and_then(|open| {
            let shown = open.desk.shown(token, Channel::Terminal, &self.person.origin, Timestamp::now());
            let closed = open.close_silently();
            shown.map_err(|error| failed(&error)).and(closed.map_err(Failure::failed))
        });
        if let Err(failure) = shown {
            let problem = format!("that {} was shown is not recorded: {}", token.short(), failure.message());
            drop(self.pass(Event::Problem(problem)));
        }
    }
}

/// A failure on the line at the bottom.
fn told(failure: &Failure) -> String {
    let hint = failure.remedy().map(|hint| format!("; {hint}")).unwrap_or_default();
    harmless_text(&format!("{}{hint}", failure.message()))
}

enum Meaning {
    Key(Key),
    Leave,
    Suspend,
    Nothing,
}

/// What a key means. The terminal sends no signals for keys while it is taken over.
fn meaning(event: KeyEvent) -> Meaning {
    if event.kind == KeyEventKind::Release {
        return Meaning::Nothing;
    }
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    match event.code {
        KeyCode::Char('c') if control => Meaning::Leave,
        KeyCode::Char('z') if control => Meaning::Suspend,
        _ if event.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SUPER) => {
            Meaning::Nothing
        }
        KeyCode::Char(c) => Meaning::Key(Key::Char(c)),
        KeyCode::Up => Meaning::Key(Key::Up),
        KeyCode::Down => Meaning::Key(Key::Down),
        KeyCode::PageUp => Meaning::Key(Key::PageUp),
        KeyCode::PageDown => Meaning::Key(Key::PageDown),
        KeyCode::Home => Meaning::Key(Key::Home),
        KeyCode::End => Meaning::Key(Key::End),
        KeyCode::Enter => Meaning::Key(Key::Enter),
        KeyCode::Esc => Meaning::Key(Key::Escape),
        _ => Meaning::Nothing,
    }
}
