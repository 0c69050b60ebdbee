//! Time, cut into moments at which every window and every end of a rule comes out differently.
//!
//! Windows change at times of day in their zones, and repeat every week; with several zones, or zones that change their
//! clocks against each other, within the year ahead. One moment stands for all at which everything comes out the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use thoth_policy::outline::Window;

/// A set of moments.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Moments(Rc<[u64]>);

impl Moments {
    pub(crate) fn and(&self, other: &Self) -> Self {
        if self == other { self.clone() } else { Self(self.0.iter().zip(&*other.0).map(|(a, b)| a & b).collect()) }
    }

    pub(crate) fn without(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&*other.0).map(|(a, b)| a & !b).collect())
    }

    /// How many words it takes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn first(&self) -> Option<usize> {
        let (index, word) = self.0.iter().enumerate().find(|(_, word)| **word != 0)?;
        Some(index * 64 + word.trailing_zeros() as usize)
    }
}

/// What depends on the time alone.
#[derive(Debug, Clone)]
pub(crate) enum Timed<'p> {
    Window(&'p Window),
    /// Until just before this.
    Until(Timestamp),
}

impl Timed<'_> {
    fn zone(&self) -> Option<(String, &TimeZone)> {
        match self {
            Self::Window(window) => Some((format!("{:?}", window.zone.iana_name()), &window.zone)),
            Self::Until(_) => None,
        }
    }

    fn key(&self) -> String {
        match self {
            Self::Window(window) => {
                format!("{:?} {:?} {:?} {:?}", window.zone.iana_name(), window.after, window.before, window.days)
            }
            Self::Until(end) => end.to_string(),
        }
    }
}

/// All moments, and when what holds.
#[derive(Debug)]
pub(crate) struct Times {
    moments: Vec<Timestamp>,
    holds: HashMap<String, Moments>,
    always: Moments,
    /// Whether every moment is among them.
    pub(crate) complete: bool,
}

/// How often something timed is evaluated, and how often a time is told in another zone, at most.
const MOST_EVALUATIONS: usize = 8_000_000;
const MOST_CONVERSIONS: usize = 400_000;

impl Times {
    pub(crate) fn new(from: Timestamp, timed: &[Timed<'_>]) -> Self {
        let mut distinct: Vec<(String, &Timed<'_>)> = timed.iter().map(|timed| (timed.key(), timed)).collect();
        distinct.sort_by(|(one, _), (other, _)| one.cmp(other));
        distinct.dedup_by(|(one, _), (other, _)| one == other);
        let mut zones: Vec<(String, &TimeZone)> = distinct.iter().filter_map(|(_, timed)| timed.zone()).collect();
        zones.sort_by(|(one, _), (other, _)| one.cmp(other));
        zones.dedup_by(|(one, _), (other, _)| one == other);
        let zone_of = |timed: &Timed<'_>| {
            let own = timed.zone()?.0;
            zones.binary_search_by(|(zone, _)| zone.cmp(&own)).ok()
        };
        let zone_of: Vec<Option<usize>> = distinct.iter().map(|(_, timed)| zone_of(timed)).collect();
        let most = (MOST_EVALUATIONS / distinct.len().max(1)).min(MOST_CONVERSIONS / zones.len().max(1));
        let (candidates, complete) = candidates(from, &distinct, most);
        let mut seen: HashMap<Box<[u64]>, ()> = HashMap::new();
        let mut rows: Vec<Box<[u64]>> = Vec::new();
        let mut moments = Vec::new();
        for at in candidates {
            let mut row = vec![0_u64; distinct.len().div_ceil(64)];
            let local: Vec<DateTime> = zones.iter().map(|(_, zone)| zone.to_datetime(at)).collect();
            for (index, ((_, timed), zone)) in distinct.iter().zip(&zone_of).enumerate() {
                let holds = match timed {
                    Timed::Window(window) => {
                        zone.and_then(|zone| local.get(zone)).is_some_and(|local| window.holds_locally(*local))
                    }
                    Timed::Until(end) => at < *end,
                };
                if holds && let Some(word) = row.get_mut(index / 64) {
                    *word |= 1 << (index % 64);
                }
            }
            let row = row.into_boxed_slice();
            if seen.insert(row.clone(), ()).is_none() {
                rows.push(row);
                moments.push(at);
            }
        }
        let words = moments.len().div_ceil(64);
        let set = |holds: &dyn Fn(usize) -> bool| {
            let mut bits = vec![0_u64; words];
            for moment in (0..moments.len()).filter(|moment| holds(*moment)) {
                if let Some(word) = bits.get_mut(moment / 64) {
                    *word |= 1 << (moment % 64);
                }
            }
            Moments(bits.into())
        };
        let holds = distinct
            .iter()
            .enumerate()
            .map(|(index, (key, _))| {
                let holds = |moment: usize| {
                    let word = rows.get(moment).and_then(|row| row.get(index / 64));
                    word.is_some_and(|word| word & (1 << (index % 64)) != 0)
                };
                (key.clone(), set(&holds))
            })
            .collect();
        let always = set(&|_| true);
        Self { moments, holds, always, complete }
    }

    pub(crate) fn always(&self) -> Moments {
        self.always.clone()
    }

    pub(crate) fn when(&self, timed: &Timed<'_>) -> Moments {
        self.holds.get(&timed.key()).unwrap_or(&self.always).clone()
    }

    pub(crate) fn at(&self, moment: usize) -> Timestamp {
        self.moments.get(moment).copied().unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// Every moment at which something may begin or end, and whether these are all.
fn candidates(from: Timestamp, timed: &[(String, &Timed<'_>)], most: usize) -> (BTreeSet<Timestamp>, bool) {
    let mut starts = BTreeSet::from([from]);
    let mut zones: BTreeMap<String, (TimeZone, BTreeSet<Time>)> = BTreeMap::new();
    for (_, timed) in timed {
        match timed {
            Timed::Until(end) if *end > from => {
                starts.insert(*end);
            }
            Timed::Until(_) => {}
            Timed::Window(window) => {
                let (_, times) = zones
                    .entry(format!("{:?}", window.zone.iana_name()))
                    .or_insert_with(|| (window.zone.clone(), BTreeSet::new()));
                times.insert(Time::midnight());
                times.extend(window.after);
                times.extend(window.before);
            }
        }
    }
    let steady = zones.values().all(|(zone, _)| *zone == TimeZone::UTC);
    let days = match zones.len() {
        0 => 0,
        _ if steady => 8,
        // A week in which a clock is changed lacks an hour; the next one has it.
        1 => 16,
        _ => 373,
    };
    let mut left = most;
    let mut all = starts.clone();
    for (zone, times) in zones.values() {
        let mut dates: BTreeSet<Date> = BTreeSet::new();
        for start in &starts {
            let first = zone.to_datetime(*start).date();
            dates.extend((0..days).filter_map(|day| first.checked_add(day.days()).ok()));
            if dates.len() >= left {
                return (all, false);
            }
        }
        for (date, time) in dates.iter().flat_map(|date| times.iter().map(move |time| (date, time))) {
            if left == 0 {
                return (all, false);
            }
            left -= 1;
            let at = zone.to_timestamp(date.to_datetime(*time));
            all.extend(at.into_iter().filter(|at| *at >= from));
        }
    }
    (all, true)
}
