//! How many values of one call are judged by what the call uses them for, and what is said of those beyond.
//!
//! To judge a value costs far more than to read it, however short it is. Past the quota a value is still read for secrets,
//! personal data and instructions, in time that its length bounds. What its role would have made of it is not looked for,
//! and that is a finding of each class that was not looked for. It never weighs less than what may have been missed.

use super::super::argument_role::Role;
use super::super::detection::{Class, Confidence};
use super::super::leaf::{Hit, Leaf};

/// How many values are judged by their role: it bounds what a call of very many costs, as `benches/README.md` says. No call that
/// people make by hand comes near.
pub(in super::super) const MAX_JUDGED: usize = 4096;

/// From this length on, in bytes, a value counts twice: what its length costs is as much as what any value costs.
pub(in super::super) const LONG: usize = 64;

/// The kind that says so for each class that is looked for by role.
const KINDS: [(Class, &str); 5] = [
    (Class::Secrets, "secrets.too_many_values"),
    (Class::Shell, "shell.too_many_values"),
    (Class::Path, "path.too_many_values"),
    (Class::Sql, "sql.too_many_values"),
    (Class::Ssrf, "ssrf.too_many_values"),
];

/// What is said of the first value beyond the quota.
const MESSAGE: &str = "more than 4096 values; this one and the rest were not looked at for this class";

/// Whether a kind says that something was not looked for.
pub(in super::super) fn is_unjudged(kind: &str) -> bool {
    KINDS.iter().any(|(_, known)| *known == kind)
}

/// What was used of the quota of one document.
#[derive(Debug, Default)]
pub(super) struct Quota {
    judged: usize,
    /// The classes that are told as not looked for.
    told: Vec<Class>,
}

impl Quota {
    /// Takes the place of one value, of two where it is long, and of one more where it is not ASCII and must be normalised.
    /// Whether it had one.
    pub(super) fn take(&mut self, leaf: &Leaf<'_>) -> bool {
        let had = !self.is_used_up();
        if had {
            self.judged += 1 + usize::from(leaf.text.len() >= LONG) + usize::from(!leaf.text.is_ascii());
        }
        had
    }

    /// Leaves nothing of it.
    pub(super) const fn exhaust(&mut self) {
        self.judged = MAX_JUDGED;
    }

    /// Whether nothing is left of it, so that no further value is judged, whatever it is.
    pub(super) const fn is_used_up(&self) -> bool {
        self.judged >= MAX_JUDGED
    }

    /// Whether every class was told as not looked for: nothing can be said of a further value.
    pub(super) const fn is_told(&self) -> bool {
        self.told.len() == KINDS.len()
    }

    /// Tells of a value beyond the quota, once for each class.
    pub(super) fn tell(&mut self, leaf: &Leaf<'_>, hits: &mut Vec<Hit>) {
        for (class, kind) in KINDS {
            if looked_for(leaf.role).contains(&class) && !self.told.contains(&class) {
                self.told.push(class);
                hits.push(Hit {
                    class,
                    kind,
                    range: 0..leaf.text.len(),
                    confidence: Confidence::High,
                    message: MESSAGE,
                });
            }
        }
    }
}

/// What the detectors of a role may find.
pub(super) const fn looked_for(role: Role) -> &'static [Class] {
    match role {
        Role::Scalar | Role::Url | Role::Host => &[Class::Secrets, Class::Shell, Class::Path, Class::Sql, Class::Ssrf],
        Role::Path | Role::Opaque => &[Class::Shell, Class::Path, Class::Sql, Class::Ssrf],
        Role::Command => &[Class::Shell, Class::Path, Class::Ssrf],
        Role::Sql => &[Class::Shell, Class::Sql, Class::Ssrf],
        Role::Search => &[Class::Secrets, Class::Sql],
        Role::Prose => &[],
    }
}

/// Whether judging a value is worth counting.
pub(super) fn counts(leaf: &Leaf<'_>) -> bool {
    !(leaf.role == Role::Prose || leaf.is_plain() && (leaf.role == Role::Opaque || !leaf.survey.may_have_run()))
}
