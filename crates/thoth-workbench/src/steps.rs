//! Work, counted: a step is one small thing that is looked at, compared or copied. Every loop pays for what it does, so
//! that a question ends within its steps whatever a policy says, and the same policy always gives the same report. No
//! clock is read.

use std::cell::Cell;

/// Steps that were taken, of those that may be.
#[derive(Debug)]
pub(crate) struct Steps {
    taken: Cell<u64>,
    most: u64,
}

impl Steps {
    pub(crate) const fn at_most(most: u64) -> Self {
        Self { taken: Cell::new(0), most }
    }

    /// Some of what is left, for one part of the work. What is taken of it is not taken here.
    pub(crate) fn part(&self, most: u64) -> Self {
        Self::at_most(most.min(self.most.saturating_sub(self.taken())))
    }

    /// For so many things. It is paid before they are looked at where they may be many.
    pub(crate) fn pay(&self, things: usize) {
        self.taken.set(self.taken().saturating_add(things as u64));
    }

    /// For what a part has taken.
    pub(crate) fn pay_for(&self, part: &Self) {
        self.taken.set(self.taken().saturating_add(part.taken()));
    }

    pub(crate) const fn taken(&self) -> u64 {
        self.taken.get()
    }

    /// Whether no more may be taken: then nothing that was not found is known not to be.
    pub(crate) const fn are_spent(&self) -> bool {
        self.taken() >= self.most
    }
}

/// What it takes to look at a text beside what is looked for in it.
pub(crate) const fn of_text(text: &str) -> usize {
    const AT_ONCE: usize = 64;
    1 + text.len() / AT_ONCE
}

/// What it takes to read arguments.
pub(crate) const fn of_reading(arguments: &str) -> usize {
    const AT_ONCE: usize = 8;
    4 + arguments.len() / AT_ONCE
}

/// What it takes to hold a piece of a glob against a name.
pub(crate) const fn of_name(name: &str) -> usize {
    const AT_ONCE: usize = 16;
    1 + name.len() / AT_ONCE
}

/// What it takes to hold something against arguments: however long they are, and by their length.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weight {
    pub(crate) once: usize,
    pub(crate) by_length: usize,
}

impl Weight {
    pub(crate) const fn on(self, arguments: &str) -> usize {
        self.once + self.by_length * (of_text(arguments) - 1)
    }
}

impl std::iter::Sum for Weight {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |one, other| Self {
            once: one.once + other.once,
            by_length: one.by_length + other.by_length,
        })
    }
}
