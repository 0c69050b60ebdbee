//! What is known about one setting: its names, how it is read, what it is for.

use super::kind::Kind;

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Environment variables that give it, the one to use first. Empty where no variable is read.
    pub names: &'static [&'static str],
    /// Its key in the managed file.
    pub key: Option<&'static str>,
    /// The flag of `thoth run` that gives it, with its dashes.
    pub flag: Option<&'static str>,
    /// How a text becomes a value.
    pub kind: Kind,
    /// The value that holds when nothing is written.
    pub default: Option<&'static str>,
    /// What holds when nothing is written, in words, where that is no fixed value.
    pub otherwise: Option<&'static str>,
    /// Whether the value must never be shown.
    pub secret: bool,
    /// What it is for, as Markdown, one paragraph.
    pub doc: &'static str,
    /// The first version that knows it.
    pub since: &'static str,
    /// What it does in this version.
    pub state: State,
    /// The values that make an answer or a check weaker; `*` is every value. Where the machine has a managed file, they
    /// count only from there.
    pub loosens: &'static [&'static str],
}

/// What a setting does in this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has an effect.
    Effective,
    /// The connections of `thoth update` and `thoth doctor` use it, and those to an enforcer.
    Update,
    /// The connections of `thoth doctor` use it, and those to an enforcer.
    Doctor,
    /// It has an effect where an enforcer is asked.
    Enforcer,
    /// It is read, checked and shown, and nothing uses it yet.
    Planned,
    /// It is read, checked and shown, and what it would loosen is always done.
    NoEffect,
    /// It belongs to another program, which this names; it is not read.
    Elsewhere(&'static str),
}

impl State {
    /// For tables.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Effective => "in use",
            Self::Update => "in use by `thoth update`, `thoth doctor`, and with an enforcer",
            Self::Doctor => "in use by `thoth doctor`, and with an enforcer",
            Self::Enforcer => "in use with an enforcer",
            Self::Planned => "not used yet",
            Self::NoEffect => "accepted, has no effect",
            Self::Elsewhere(_) => "not read",
        }
    }
}

impl Setting {
    /// A setting that environment variables give.
    pub(super) const fn env(names: &'static [&'static str], kind: Kind) -> Self {
        Self {
            names,
            key: None,
            flag: None,
            kind,
            default: None,
            otherwise: None,
            secret: false,
            doc: "",
            since: "0.1.0",
            state: State::Effective,
            loosens: &[],
        }
    }

    pub(super) const fn key(self, key: &'static str) -> Self {
        Self { key: Some(key), ..self }
    }

    pub(super) const fn flag(self, flag: &'static str) -> Self {
        Self { flag: Some(flag), ..self }
    }

    pub(super) const fn default(self, value: &'static str) -> Self {
        Self { default: Some(value), ..self }
    }

    pub(super) const fn otherwise(self, words: &'static str) -> Self {
        Self { otherwise: Some(words), ..self }
    }

    pub(super) const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    pub(super) const fn planned(self) -> Self {
        Self { state: State::Planned, ..self }
    }

    pub(super) const fn no_effect(self) -> Self {
        Self { state: State::NoEffect, ..self }
    }

    pub(super) const fn update(self) -> Self {
        Self { state: State::Update, ..self }
    }

    pub(super) const fn doctor(self) -> Self {
        Self { state: State::Doctor, ..self }
    }

    pub(super) const fn enforcer(self) -> Self {
        Self { state: State::Enforcer, ..self }
    }

    pub(super) const fn of(self, program: &'static str) -> Self {
        Self { state: State::Elsewhere(program), ..self }
    }

    pub(super) const fn loosens(self, values: &'static [&'static str]) -> Self {
        Self { loosens: values, ..self }
    }

    /// What people call it: its first variable, or its flag, or its key in the managed file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.names.first().copied().or(self.flag).or(self.key).unwrap_or_default()
    }

    /// Whether both are the same row of the table.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.name() == other.name()
    }

    /// Whether a value, as [`Kind::read`] gives it, makes something weaker.
    #[must_use]
    pub fn is_loosened_by(&self, value: &str) -> bool {
        self.loosens.iter().any(|loose| matches!(*loose, "*") || *loose == value)
    }
}
