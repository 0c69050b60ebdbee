//! What an operation may cost, in instructions.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// The committed budgets.
#[derive(Debug)]
pub(super) struct Budgets {
    tolerance_percent: u64,
    instructions: BTreeMap<String, u64>,
}

/// A count beside its budget.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    count: u64,
    budget: Option<u64>,
    tolerance_percent: u64,
}

impl Budgets {
    /// Reads the file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        Self::parse(&text).with_context(|| format!("`{}` is no list of budgets", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let file: Value = serde_json::from_str(text)?;
        let tolerance = file.get("tolerance_percent").and_then(Value::as_u64).context("no `tolerance_percent`")?;
        let listed = file.get("instructions").and_then(Value::as_object).context("no `instructions`")?;
        let number = |(name, value): (&String, &Value)| {
            Ok((name.clone(), value.as_u64().with_context(|| format!("`{name}` is no count"))?))
        };
        Ok(Self { tolerance_percent: tolerance, instructions: listed.iter().map(number).collect::<Result<_>>()? })
    }

    /// How far over a budget still counts as kept, in per cent.
    pub(super) const fn tolerance(&self) -> u64 {
        self.tolerance_percent
    }

    /// Looks up the budget of an operation.
    pub(super) fn compare(&self, name: &str, count: u64) -> Verdict {
        Verdict { count, budget: self.instructions.get(name).copied(), tolerance_percent: self.tolerance_percent }
    }
}

impl Verdict {
    /// Whether there is a budget and the count is within it and the tolerance.
    pub(super) fn kept(&self) -> bool {
        let limit = |budget: u64| budget.saturating_mul(100 + self.tolerance_percent) / 100;
        self.budget.is_some_and(|budget| self.count <= limit(budget))
    }

    /// The budget, for people.
    pub(super) fn budget(&self) -> String {
        self.budget.map_or_else(|| "none".to_owned(), |budget| budget.to_string())
    }

    /// The count in per cent of the budget, for people.
    pub(super) fn share(&self) -> String {
        let share = self.budget.and_then(|budget| self.count.saturating_mul(1000).checked_div(budget));
        let mark = if self.kept() { "" } else { " OVER" };
        share.map_or_else(|| "-".to_owned(), |share| format!("{}.{} %{mark}", share / 10, share % 10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check is worth something only if it fails past the tolerance, and for what nobody gave a budget.
    #[test]
    fn budgets_are_kept_up_to_the_tolerance() {
        let budgets = Budgets::parse(r#"{"tolerance_percent": 5, "instructions": {"decide": 1000}}"#).unwrap();
        for (name, count, kept, share) in [
            ("decide", 900, true, "90.0 %"),
            ("decide", 1050, true, "105.0 %"),
            ("decide", 1051, false, "105.1 % OVER"),
            ("another", 1, false, "-"),
        ] {
            let verdict = budgets.compare(name, count);
            assert_eq!((verdict.kept(), verdict.share().as_str()), (kept, share), "{name} {count}");
        }
    }

    #[test]
    fn a_file_that_is_not_budgets_says_why() {
        let why = |text: &str| format!("{:#}", Budgets::parse(text).unwrap_err());
        assert_eq!(why("{}"), "no `tolerance_percent`");
        assert_eq!(why(r#"{"tolerance_percent": 5, "instructions": {"decide": "many"}}"#), "`decide` is no count");
    }
}
