//! Changing the entries of a file: what both directions share.
//!
//! A change is checked before it is given out: it must read back as meant, and taking it back must give the very bytes
//! that were there. Where it does not, the entry is left alone and named.

use std::fmt;

use crate::document::{Document, EditError, Edits, Node, Place, Plain};
use crate::entry::{Reason, Slot, Start, Style, find};
use crate::hosts::Shape;
use crate::launch::{Added, Launch, Reading};

/// How many servers of one file are looked after.
pub const MAX_SERVERS: usize = 10_000;

/// A changed file.
#[derive(Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// The whole new text; the old one where nothing changed.
    pub text: String,
    /// What became of each selected entry, in order of appearance.
    pub outcomes: Vec<Outcome>,
}

/// Without the text: it holds the secrets of the file.
impl fmt::Debug for Rewrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rewrite").field("outcomes", &self.outcomes).finish_non_exhaustive()
    }
}

impl Rewrite {
    /// Whether any entry changed. After wrapping with the settings that a file should have, this is drift.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.outcomes
            .iter()
            .any(|outcome| matches!(outcome.change, Change::Wrapped | Change::Updated | Change::Restored))
    }
}

/// What became of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its name.
    pub server: String,
    /// What it is private to.
    pub group: Option<String>,
    /// Where it was in the file before.
    pub place: Place,
    /// What was done.
    pub change: Change,
    /// What was not done as asked, as sentences without capital and stop.
    pub warnings: Vec<String>,
}

/// What was done to an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is governed now.
    Wrapped,
    /// It was governed before and has other settings now.
    Updated,
    /// There was nothing to do.
    Unchanged,
    /// It is no longer governed and as it was.
    Restored,
    /// It could not be changed.
    Skipped(Reason),
}

/// Why a file could not be changed at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrapError {
    /// A name that no environment variable can have, or that could not be written down again.
    #[error("`{0}` cannot be the name of an environment variable")]
    VariableName(String),
    /// A program that would not be taken for Thoth when the file is read again; see [`crate::launch::is_gate`].
    #[error("`{0}` is no absolute path of a program whose name begins with `thoth`")]
    Program(String),
    /// More servers than any client has: nobody could look at what would become of them.
    #[error("the file names {0} servers, and more than {MAX_SERVERS} are not changed at once")]
    TooMany(usize),
}

/// What an entry is to become.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    /// Under `thoth run`, with these settings and, where the entry has them not, these environment variables.
    Govern { launch: Box<Launch>, variables: Vec<(String, String)> },
    /// As it was.
    Restore,
}

/// The servers of a file, if they are few enough to be changed.
pub(crate) fn slots<'d>(document: &'d Document, shape: &Shape) -> Result<Vec<Slot<'d>>, WrapError> {
    let slots = find(document, shape);
    if slots.len() > MAX_SERVERS { Err(WrapError::TooMany(slots.len())) } else { Ok(slots) }
}

/// Carries out one plan per entry, where there is one, and says what became of the entries that were selected.
pub(crate) fn carry_out(document: &Document, shape: &Shape, tasks: Vec<(Option<Plan>, Option<Outcome>)>) -> Rewrite {
    let (plans, mut outcomes): (Vec<_>, Vec<_>) = tasks.into_iter().unzip();
    let (text, refused) = changed(document, shape, &plans);
    for (index, why) in refused {
        if let Some(Some(outcome)) = outcomes.get_mut(index) {
            outcome.change = Change::Skipped(Reason::Unwritable(why));
        }
    }
    Rewrite { text, outcomes: outcomes.into_iter().flatten().collect() }
}

/// The text with all plans carried out that can be, and why the others cannot, by their position.
///
/// One entry must not keep the others from being governed, and each attempt reads the whole file several times. So
/// entries that are refused on their own leave together; where only the whole says no, halves are tried.
fn changed(document: &Document, shape: &Shape, plans: &[Option<Plan>]) -> (String, Vec<(usize, String)>) {
    let mut text = document.text().to_owned();
    let mut accepted: Vec<Option<Plan>> = vec![None; plans.len()];
    let mut refused = Vec::new();
    let all: Vec<usize> = plans.iter().enumerate().filter(|(_, plan)| plan.is_some()).map(|(at, _)| at).collect();
    let mut groups: Vec<_> = Some(all).filter(|all| !all.is_empty()).into_iter().collect();
    let mut attempts = attempts_for(text.len());
    while let Some(mut group) = groups.pop() {
        let mut tried = accepted.clone();
        for index in &group {
            if let (Some(place), Some(plan)) = (tried.get_mut(*index), plans.get(*index)) {
                place.clone_from(plan);
            }
        }
        attempts = attempts.saturating_sub(1);
        let is_in = |(index, _): &(usize, String)| group.binary_search(index).is_ok();
        match attempt(document, shape, &tried) {
            Ok(changed) => (text, accepted) = (changed, tried),
            Err(Fault::Entries(faults)) if faults.iter().any(is_in) => {
                refused.extend(faults.iter().filter(|fault| is_in(fault)).cloned());
                group.retain(|index| faults.binary_search_by_key(index, |(refused, _)| *refused).is_err());
                groups.extend(Some(group).filter(|group| !group.is_empty()));
            }
            Err(_) if group.len() > 1 && attempts > 0 => {
                let right = group.split_off(group.len() / 2);
                groups.extend([right, group]);
            }
            Err(fault) => {
                let why = fault.to_string();
                refused.extend(group.into_iter().map(|index| (index, why.clone())));
            }
        }
    }
    (text, refused)
}

/// How often a text of that many bytes is tried before what is left is refused: seconds, not minutes.
const fn attempts_for(bytes: usize) -> usize {
    32 + (1 << 20) / (bytes + 1)
}

/// Why a change is not made to one entry.
#[derive(Debug)]
struct Why(String);

impl From<&str> for Why {
    fn from(why: &str) -> Self {
        Self(why.to_owned())
    }
}

impl From<EditError> for Why {
    fn from(error: EditError) -> Self {
        Self(error.to_string())
    }
}

/// Why changes are not made.
#[derive(Debug, thiserror::Error)]
enum Fault {
    /// Because of these entries, by their positions in ascending order; at least one.
    #[error("{}", .0.first().map(|(_, why)| why.as_str()).unwrap_or_default())]
    Entries(Vec<(usize, String)>),
    /// Because of what becomes of the whole text.
    #[error("{0}")]
    Whole(String),
}

impl From<EditError> for Fault {
    fn from(error: EditError) -> Self {
        Self::Whole(error.to_string())
    }
}

/// All plans in one, or why not.
fn attempt(document: &Document, shape: &Shape, plans: &[Option<Plan>]) -> Result<String, Fault> {
    let planned: Vec<bool> = plans.iter().map(Option::is_some).collect();
    let bare = restore(document, shape, &planned)?;
    if plans.iter().flatten().all(|plan| matches!(plan, Plan::Restore)) {
        return Ok(bare);
    }
    let bare = reparse(document, &bare)?;
    let text = govern(&bare, shape, plans)?;
    let governed = reparse(document, &text)?;
    each(&find(&governed, shape), plans, |slot, plan| {
        let Some(Plan::Govern { launch, .. }) = plan else { return Ok(()) };
        match slot.reading(&governed) {
            Ok(Reading::Launch(found, _)) if found.has_settings_of(launch) => Ok(()),
            Ok(Reading::Launch(..)) => Err("the result does not read back as it was meant".into()),
            _ => Err("the result is not governed".into()),
        }
    })?;
    let only_governed: Vec<bool> = plans.iter().map(|plan| matches!(plan, Some(Plan::Govern { .. }))).collect();
    if restore(&governed, shape, &only_governed)? == bare.text() {
        Ok(text)
    } else {
        Err(Fault::Whole("it could not be restored to the byte".to_owned()))
    }
}

fn reparse(document: &Document, text: &str) -> Result<Document, Fault> {
    Document::parse(document.format(), text.as_bytes())
        .map_err(|error| Fault::Whole(format!("the result would be malformed: {error}")))
}

/// Does something for each entry, and names all for which it cannot be done.
fn each<'d, T>(
    slots: &[Slot<'d>],
    given: &[T],
    mut act: impl FnMut(&Slot<'d>, &T) -> Result<(), Why>,
) -> Result<(), Fault> {
    let done = slots.iter().zip(given).enumerate();
    let faults: Vec<_> =
        done.filter_map(|(index, (slot, given))| act(slot, given).err().map(|Why(why)| (index, why))).collect();
    if faults.is_empty() { Ok(()) } else { Err(Fault::Entries(faults)) }
}

/// Takes `thoth run` off the chosen entries that have it.
fn restore(document: &Document, shape: &Shape, chosen: &[bool]) -> Result<String, Fault> {
    let mut edits = Edits::new(document);
    each(&find(document, shape), chosen, |slot, chosen| {
        if let (true, Ok(start), Ok(Reading::Launch(launch, at))) = (chosen, &slot.start, slot.reading(document)) {
            take_off(&mut edits, start, &launch, at)?;
        }
        Ok(())
    })?;
    if edits.is_empty() { Ok(document.text().to_owned()) } else { Ok(edits.apply()?) }
}

fn take_off<'d>(edits: &mut Edits<'d>, start: &Start<'d>, launch: &Launch, at: usize) -> Result<(), Why> {
    let added = launch.added.clone().unwrap_or_default();
    match start.style {
        Style::Together => edits.remove_items(&start.command.node, 0..at + 1)?,
        Style::Apart(args, _) => {
            let args = args.ok_or("it has no arguments")?;
            let original = args.node.items().get(at).ok_or("it has no command behind `--`")?;
            edits.replace(&start.command.node, token(edits, original)?)?;
            if added.args && args.node.items().len() == at + 1 {
                edits.remove_member(start.table, args)?;
            } else {
                edits.remove_items(&args.node, 0..at + 1)?;
            }
        }
    }
    let Some(env) = start.env else { return Ok(()) };
    let ours = |name: &str| added.variables.iter().any(|added| added == name);
    if added.env && start.can_hold_variables() && env.node.members().iter().all(|member| ours(&member.key)) {
        edits.remove_member(start.table, env)?;
    } else {
        for member in env.node.members().iter().filter(|member| ours(&member.key)) {
            edits.remove_member(&env.node, member)?;
        }
    }
    Ok(())
}

/// A scalar as it is written, to stand elsewhere.
fn token(edits: &Edits<'_>, node: &Node) -> Result<Plain, Why> {
    let raw = edits.token(node).map(|token| Plain::Raw(token.to_owned()));
    raw.or_else(|| node.text().map(|text| Plain::Text(text.to_owned())))
        .ok_or_else(|| "its command is not a text".into())
}

/// Puts entries that are not governed under `thoth run`.
fn govern(document: &Document, shape: &Shape, plans: &[Option<Plan>]) -> Result<String, Fault> {
    let mut edits = Edits::new(document);
    each(&find(document, shape), plans, |slot, plan| {
        if let (Ok(start), Some(Plan::Govern { launch, variables })) = (&slot.start, plan) {
            put_under(&mut edits, start, launch, variables)?;
        }
        Ok(())
    })?;
    Ok(edits.apply()?)
}

fn put_under<'d>(
    edits: &mut Edits<'d>,
    start: &Start<'d>,
    launch: &Launch,
    variables: &[(String, String)],
) -> Result<(), Why> {
    let is_set = |name: &str| start.env.is_some_and(|env| env.node.get(name).is_some());
    let missing: Vec<&(String, String)> = variables.iter().filter(|(name, _)| !is_set(name)).collect();
    let can_add = !missing.is_empty() && start.can_hold_variables();
    let added = Added {
        args: matches!(start.style, Style::Apart(None, _)),
        env: can_add && start.env.is_none(),
        variables: missing.iter().filter(|_| can_add).map(|(name, _)| name.clone()).collect(),
    };
    let launch = Launch { added: Some(added), ..launch.clone() };
    let program = Plain::Text(launch.program.clone());
    let mut words: Vec<Plain> = launch.write().into_iter().map(Plain::Text).collect();
    match start.style {
        Style::Together => {
            words.insert(0, program);
            edits.prepend(&start.command.node, words)?;
        }
        Style::Apart(args, name) => {
            words.push(token(edits, &start.command.node)?);
            edits.replace(&start.command.node, program)?;
            match args {
                Some(args) => edits.prepend(&args.node, words)?,
                None => edits.insert_after(start.table, start.command, name, Plain::List(words))?,
            }
        }
    }
    if !can_add {
        return Ok(());
    }
    let text = |value: &str| Plain::Text(value.to_owned());
    match start.env {
        Some(env) => {
            for (name, value) in missing {
                edits.append(&env.node, name, text(value))?;
            }
        }
        None => {
            let map = missing.iter().map(|(name, value)| (name.clone(), text(value))).collect();
            let after = match start.style {
                Style::Apart(Some(args), _) => args,
                Style::Apart(None, _) | Style::Together => start.command,
            };
            edits.insert_after(start.table, after, start.env_name, Plain::Map(map))?;
        }
    }
    Ok(())
}

/// The text of an environment variable of an entry.
pub(crate) fn variable(document: &Document, slot: &Slot<'_>, name: &str) -> Option<String> {
    let node = slot.start.as_ref().ok()?.env?.node.get(name)?;
    Some(
        node.text()
            .map_or_else(|| document.text().get(node.span.clone()).unwrap_or_default().to_owned(), str::to_owned),
    )
}

pub(crate) fn outcome(document: &Document, slot: &Slot<'_>, change: Change, warnings: Vec<String>) -> Outcome {
    Outcome { server: slot.server.clone(), group: slot.group.clone(), place: document.place(slot.at), change, warnings }
}
