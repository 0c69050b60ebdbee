//! Counting what ran, from the closing lines of the test runners.

/// How many cases and steps passed and failed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Cases and steps that passed.
    pub(crate) passed: u64,
    /// Cases and steps that failed, timed out or could not run.
    pub(crate) failed: u64,
}

impl Tally {
    /// Counts one step.
    pub(crate) fn step(&mut self, success: bool) {
        if success { self.passed += 1 } else { self.failed += 1 }
    }

    /// Counts what one line of a test runner reports, if it is a closing line.
    pub(crate) fn read_line(&mut self, line: &str) {
        if let Some(counts) = nextest_summary(line).or_else(|| libtest_summary(line)) {
            self.passed += counts.passed;
            self.failed += counts.failed;
        }
    }

    /// Adds another tally to this one.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// The closing line of a run.
    pub(crate) fn closing_line(self) -> String {
        format!("{} passed, {} failed", self.passed, self.failed)
    }
}

/// `     Summary [   1.2s] 12 tests run: 9 passed (1 slow), 2 failed, 1 timed out, 3 skipped`
fn nextest_summary(line: &str) -> Option<Tally> {
    let rest = line.trim_start().strip_prefix("Summary [")?;
    let (run, results) = rest.split_once(']')?.1.split_once(" run: ")?;
    // `3/12 tests run` means that the run was cut short: what did not run has not passed.
    let total = match run.trim().split(' ').next()?.split_once('/') {
        Some((done, planned)) => planned.parse::<u64>().ok()? - done.parse::<u64>().ok()?,
        None => 0,
    };
    Some(results.split(", ").fold(Tally { passed: 0, failed: total }, |mut tally, part| {
        let (count, word) = part.trim().split_once(' ').unwrap_or((part, ""));
        let count = count.parse::<u64>().unwrap_or(0);
        match word {
            _ if word.starts_with("passed") => tally.passed += count,
            _ if word.starts_with("skipped") => {}
            _ => tally.failed += count,
        }
        tally
    }))
}

/// `test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s`
fn libtest_summary(line: &str) -> Option<Tally> {
    // Indented, it is the captured output of a test that nextest shows and counts itself.
    let results = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let count = |word: &str| {
        results.split("; ").find_map(|part| part.trim().strip_suffix(word)?.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    Some(Tally { passed: count("passed"), failed: count("failed") })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A failed, slow, timed out or never run case must not be counted as passed, in any of the forms seen.
    #[test]
    fn closing_lines_are_read() {
        let cases = [
            ("     Summary [   0.031s] 7 tests run: 7 passed, 0 skipped", (7, 0)),
            ("     Summary [  61.2s] 12 tests run: 9 passed (1 slow), 2 failed, 1 timed out, 3 skipped", (9, 3)),
            ("     Summary [   1.0s] 4/10 tests run: 3 passed, 1 failed, 0 skipped", (3, 7)),
            ("     Summary [   1.0s] 1 test run: 0 passed, 1 exec failed, 0 skipped", (0, 1)),
            ("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 0.01s", (3, 0)),
            ("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0s", (1, 2)),
            (
                "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0s",
                (0, 0),
            ),
            ("test foo ... ok", (0, 0)),
            ("Summary of what passed", (0, 0)),
        ];
        for (line, (passed, failed)) in cases {
            let mut tally = Tally::default();
            tally.read_line(line);
            assert_eq!(tally, Tally { passed, failed }, "{line}");
        }
    }

    #[test]
    fn the_closing_line_has_the_plain_form() {
        let mut tally = Tally { passed: 4, failed: 0 };
        tally.step(false);
        assert_eq!(tally.closing_line(), "4 passed, 1 failed");
    }
}
