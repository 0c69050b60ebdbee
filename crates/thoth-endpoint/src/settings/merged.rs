//! The second step: of all values of a setting, the one that wins, and why the others do not.

use super::setting::Setting;
use super::table;
use super::written::{Given, Source, Written};

/// Why a value does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Another one is stronger.
    Weaker,
    /// It would make something weaker, and on a managed machine only the managed file may do that.
    Loosens,
}

/// One setting with all its values.
#[derive(Debug, Clone)]
pub struct Contest {
    /// The setting.
    pub setting: &'static Setting,
    /// The value that wins.
    pub winner: Option<Given>,
    /// All others, the strongest first.
    pub lost: Vec<(Given, Loss)>,
}

/// All settings of the endpoint, in the order of the table.
#[derive(Debug, Clone)]
pub struct Merged {
    pub(super) contests: Vec<Contest>,
    pub(super) foreign: Vec<(&'static str, &'static str)>,
    pub(super) warnings: Vec<String>,
}

impl Written {
    /// Decides who wins.
    #[must_use]
    pub fn merge(self) -> Merged {
        let Self { values, foreign, is_managed, mut warnings } = self;
        let mut contests: Vec<_> =
            table::all().map(|setting| Contest { setting, winner: None, lost: Vec::new() }).collect();
        for given in values {
            let Some(contest) = contests.iter_mut().find(|contest| contest.setting.is(given.setting)) else { continue };
            if is_managed && loosens(&given) {
                warnings.push(format!(
                    "{} is not heeded: it would loosen a check, and on this machine only the managed file can",
                    given.origin
                ));
                contest.lost.push((given, Loss::Loosens));
            } else if let Some(winner) = &contest.winner {
                let aliases = winner.origin.source == given.origin.source && given.origin.source != Source::File;
                if aliases && winner.text.exposed() != given.text.exposed() {
                    warnings.push(format!("{} and {} differ; the first counts", winner.origin, given.origin));
                }
                contest.lost.push((given, Loss::Weaker));
            } else {
                contest.winner = Some(given);
            }
        }
        Merged { contests, foreign, warnings }
    }
}

fn loosens(given: &Given) -> bool {
    let value = given.setting.kind.read(given.text.exposed());
    given.origin.source != Source::Managed && value.is_ok_and(|value| given.setting.is_loosened_by(&value))
}
