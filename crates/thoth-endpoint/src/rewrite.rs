//! Changing the entries of a file: what both directions share.
//!
//! A change is checked before it is given out: it must read back as meant, and taking it back must give the very bytes
//! that were there. Where it does not, the entry is left alone and named.

use std::fmt;

use crate::document::{Document, EditError, Edits, Node, Place, Plain};
use crate::entry::{Reason, Slot, Start, Style, find};
use crate::hosts::Shape;
use crate::launch::{Added, Launch, Reading};

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
    /// Each entry could be changed alone, and not all together. A fault of ours; the file is as it was.
    #[error("the file cannot be changed without damage: {0}")]
    Damage(String),
}

/// What an entry is to become.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    /// Under `thoth run`, with these settings and, where the entry has them not, these environment variables.
    Govern { launch: Box<Launch>, variables: Vec<(String, String)> },
    /// As it was.
    Restore,
}

/// Carries out one plan per entry, where there is one, and says what became of the entries that were selected.
pub(crate) fn carry_out(
    document: &Document,
    shape: &Shape,
    tasks: Vec<(Option<Plan>, Option<Outcome>)>,
) -> Result<Rewrite, WrapError> {
    let (plans, mut outcomes): (Vec<_>, Vec<_>) = tasks.into_iter().unzip();
    let (text, refused) = if plans.iter().any(Option::is_some) {
        changed(document, shape, plans)?
    } else {
        (document.text().to_owned(), Vec::new())
    };
    for (index, reason) in refused {
        if let Some(Some(outcome)) = outcomes.get_mut(index) {
            outcome.change = Change::Skipped(reason);
        }
    }
    Ok(Rewrite { text, outcomes: outcomes.into_iter().flatten().collect() })
}

/// The text with all plans carried out that can be, and why the others cannot, by their position.
fn changed(
    document: &Document,
    shape: &Shape,
    mut plans: Vec<Option<Plan>>,
) -> Result<(String, Vec<(usize, Reason)>), WrapError> {
    let why = match attempt(document, shape, &plans) {
        Ok(text) => return Ok((text, Vec::new())),
        Err(Why(why)) => why,
    };
    // One entry must not keep the others from being governed.
    let mut refused = Vec::new();
    for (index, _) in plans.iter().enumerate().filter(|(_, plan)| plan.is_some()) {
        let alone =
            plans.iter().enumerate().map(|(other, plan)| plan.clone().filter(|_| other == index)).collect::<Vec<_>>();
        if let Err(Why(why)) = attempt(document, shape, &alone) {
            refused.push((index, Reason::Unwritable(why)));
        }
    }
    if refused.is_empty() {
        return Err(WrapError::Damage(why));
    }
    for (index, _) in &refused {
        if let Some(plan) = plans.get_mut(*index) {
            *plan = None;
        }
    }
    attempt(document, shape, &plans).map(|text| (text, refused)).map_err(|Why(why)| WrapError::Damage(why))
}

/// Why a change is not made.
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

/// All plans in one, or why not.
fn attempt(document: &Document, shape: &Shape, plans: &[Option<Plan>]) -> Result<String, Why> {
    let planned: Vec<bool> = plans.iter().map(Option::is_some).collect();
    let bare = restore(document, shape, &planned)?;
    if plans.iter().flatten().all(|plan| matches!(plan, Plan::Restore)) {
        return Ok(bare);
    }
    let bare = reparse(document, &bare)?;
    let text = govern(&bare, shape, plans)?;
    let governed = reparse(document, &text)?;
    let slots = find(&governed, shape);
    for (plan, slot) in plans.iter().zip(&slots) {
        let Some(Plan::Govern { launch, .. }) = plan else { continue };
        let Ok(Reading::Launch(found, _)) = slot.reading(&governed) else {
            return Err("the result is not governed".into());
        };
        if !found.has_settings_of(launch) {
            return Err("the result does not read back as it was meant".into());
        }
    }
    let only_governed: Vec<bool> = plans.iter().map(|plan| matches!(plan, Some(Plan::Govern { .. }))).collect();
    if restore(&governed, shape, &only_governed)? == bare.text() {
        Ok(text)
    } else {
        Err("it could not be restored to the byte".into())
    }
}

fn reparse(document: &Document, text: &str) -> Result<Document, Why> {
    Document::parse(document.format(), text.as_bytes())
        .map_err(|error| Why(format!("the result would be malformed: {error}")))
}

/// Takes `thoth run` off the chosen entries that have it.
fn restore(document: &Document, shape: &Shape, chosen: &[bool]) -> Result<String, Why> {
    let slots = find(document, shape);
    let mut edits = Edits::new(document);
    for (slot, _) in slots.iter().zip(chosen).filter(|(_, chosen)| **chosen) {
        if let (Ok(start), Ok(Reading::Launch(launch, at))) = (&slot.start, slot.reading(document)) {
            take_off(&mut edits, start, &launch, at)?;
        }
    }
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
fn govern(document: &Document, shape: &Shape, plans: &[Option<Plan>]) -> Result<String, Why> {
    let slots = find(document, shape);
    let mut edits = Edits::new(document);
    for (slot, plan) in slots.iter().zip(plans) {
        if let (Ok(start), Some(Plan::Govern { launch, variables })) = (&slot.start, plan) {
            put_under(&mut edits, start, launch, variables)?;
        }
    }
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
