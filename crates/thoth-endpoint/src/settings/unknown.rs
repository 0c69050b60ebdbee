//! Variables that look like ours and are not.

use super::setting::State;
use super::table::{self, elsewhere};
use super::written::brief;
use crate::platform::Environment;

/// What all our variables begin with.
const PREFIX: &str = "THOTH_";
/// How far a name may be from a known one for that to be meant: changes, and of one letter in three.
const FAR: usize = 3;

/// The longest name that is compared with known ones, in bytes; those are all shorter than half of it.
const LONGEST: usize = 100;

/// A variable that nothing knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// Its name.
    pub name: String,
    /// The known name that was probably meant.
    pub meant: Option<&'static str>,
}

impl std::fmt::Display for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the variable `{}` is not known", brief(&self.name))?;
        self.meant.map_or(Ok(()), |meant| write!(f, "; did you mean `{meant}`?"))
    }
}

/// All names that Thoth's programs know.
pub fn known() -> impl Iterator<Item = &'static str> {
    let ours = table::all().flat_map(|setting| setting.names.iter().copied());
    ours.chain(elsewhere::PROGRAMS.iter().flat_map(|program| program.variables.iter().copied()))
}

/// The unknown variables of an environment. Where no known name is near, the name still is one that somebody took for
/// ours.
#[must_use]
pub fn in_environment(environment: &Environment) -> Vec<Unknown> {
    let names = environment.iter().map(|(name, _)| name);
    let ours = names.filter(|name| name.starts_with(PREFIX) && !known().any(|known| known == *name));
    ours.map(|name| Unknown { name: name.to_owned(), meant: nearest(name, known()) }).collect()
}

/// The variables that are set and that belong to another program, each with that program.
#[must_use]
pub fn of_other_programs(environment: &Environment) -> Vec<(&'static str, &'static str)> {
    let installer = table::all().filter_map(|setting| match setting.state {
        State::Elsewhere(program) => Some((setting.name(), program)),
        State::Effective | State::Update | State::Doctor | State::Enforcer | State::Planned | State::NoEffect => None,
    });
    let others =
        elsewhere::PROGRAMS.iter().flat_map(|program| program.variables.iter().map(|name| (*name, program.name)));
    installer.chain(others).filter(|(name, _)| environment.get(name).is_some()).collect()
}

/// The nearest of some names, if any is near.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // The comparison takes time by the length of both, and no known name is near to a text of any length.
    if name.len() > LONGEST {
        return None;
    }
    let distance = |known: &str| strsim::damerau_levenshtein(name, known);
    let near = |known: &&str| distance(known) <= FAR.min(known.trim_start_matches(PREFIX).len() / 3 + 1);
    // A name that only lacks its end, or has too much of one, is meant too.
    names
        .filter(|known| near(known) || (name.len() > PREFIX.len() + 3 && known.starts_with(name)))
        .min_by_key(|known| distance(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Platform;

    /// A spelling mistake is noticed, what another program reads is not one, and foreign variables are nobody's business.
    #[test]
    fn unknown_names_and_what_was_meant() {
        let names = [
            "THOTH_TENNANT_ID",
            "THOTH_TENANT_ID",
            "THOTH_GOV_API_URL",
            "THOTH_ENFORCEMENT_MODE",
            "THOTH_WEBHOOK_URL",
            "THOTH_USERID",
            "THOTH_ENFORCER_ALLOW",
            "THOTH_POLICY",
            "THOTH_X\u{1b}[31m",
            "INTUNE_DEVICE",
            "PATH",
        ];
        let environment = Environment::new(Platform::Linux, names.map(|name| (name.to_owned(), "v".to_owned())));
        let told: Vec<_> = in_environment(&environment).iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        the variable `THOTH_ENFORCER_ALLOW` is not known; did you mean `THOTH_ENFORCER_ALLOW_FALLBACK_OVERRIDE`?
        the variable `THOTH_POLICY` is not known
        the variable `THOTH_TENNANT_ID` is not known; did you mean `THOTH_TENANT_ID`?
        the variable `THOTH_USERID` is not known; did you mean `THOTH_USER_ID`?
        the variable `THOTH_X\u{1b}[31m` is not known
        ");
    }
}
