//! What is kept of the findings of one definition: not all of a flood, but whatever weighs most in it.
//!
//! INVARIANT: no finding is dropped for one that weighs less, whatever order they come in, and that some were dropped is a
//! finding itself, as severe as the worst of them.

use crate::finding::Finding;
use crate::rules::Detector;
use crate::threat::Severity;

/// What a finding weighs: first how bad it is, then whether it says that not everything was read, then whether it is the
/// first of its rule, so that no rule can crowd out another one that is as bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Weight {
    severity: Severity,
    unread: bool,
    first: bool,
}

/// The findings that are kept.
#[derive(Debug)]
pub(super) struct Kept {
    most: usize,
    findings: Vec<(Weight, Finding)>,
    /// The least weight among those kept, once there is no room for more.
    least: Option<Weight>,
    dropped: usize,
    worst_dropped: Option<Severity>,
}

impl Kept {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, findings: Vec::new(), least: None, dropped: 0, worst_dropped: None }
    }

    /// Keeps a finding; where there is no room, it or the lightest of those kept is dropped. Each replacement raises a
    /// weight, so that there are only few of them, however many findings come.
    pub(super) fn push(&mut self, finding: Finding) {
        let severity = finding.severity;
        let same = |(_, kept): &(Weight, Finding)| kept.severity == severity && kept.rule == finding.rule;
        let unread = &*finding.rule == Detector::TooLarge.id();
        let weight = Weight { severity, unread, first: !self.findings.iter().any(same) };
        if self.findings.len() < self.most {
            self.findings.push((weight, finding));
            return;
        }
        let least = self.least.or_else(|| self.findings.iter().map(|(weight, _)| *weight).min());
        let lightest = least.filter(|least| *least < weight);
        let at = lightest.and_then(|least| self.findings.iter().rposition(|(weight, _)| *weight == least));
        self.dropped += 1;
        let Some(at) = at else {
            self.least = least;
            self.worst_dropped = self.worst_dropped.max(Some(severity));
            return;
        };
        let (lighter, _) = self.findings.remove(at);
        self.worst_dropped = self.worst_dropped.max(Some(lighter.severity));
        self.findings.push((weight, finding));
        self.least = None;
    }

    /// How many findings were dropped, and how bad the worst of them was.
    pub(super) fn dropped(&self) -> Option<(usize, Severity)> {
        self.worst_dropped.map(|worst| (self.dropped, worst))
    }

    pub(super) fn into_findings(self) -> impl Iterator<Item = Finding> {
        self.findings.into_iter().map(|(_, finding)| finding)
    }
}
