//! The tools that the server has offered in this session, as far as calls depend on them.

use std::collections::HashMap;
use std::sync::Arc;

use thoth_types::{Integrity, Listed, PinState};

use crate::warden::Known;

/// Things remembered of one listing. A server that goes beyond is not an honest one; of what is forgotten, the store of
/// pins still knows.
const MAX_REMEMBERED: usize = 4096;

/// The tools of a session.
#[derive(Debug, Default)]
pub(crate) struct Offers {
    tools: HashMap<String, Option<Known>>,
    /// What the pages of the listing that is under way have shown so far.
    pages: HashMap<String, Option<Known>>,
    /// The first page of a listing was shown, and the last one of none since.
    under_way: bool,
    /// Another one had been under way when the one that is began, and may still be: nobody can tell whose a page is that goes
    /// on with a listing.
    overlaps: bool,
    complete: bool,
    /// The server said that its tools changed.
    changed: bool,
    /// It said so since the first page of the listing that is under way, so that what that page showed may be old. What it
    /// says before that page is in it: its messages come in the order in which it wrote them.
    changed_since: bool,
    /// Until when the server vouches for what it listed.
    fresh_until_us: Option<u64>,
    /// What is known of a tool has changed without the server, since the client was last told.
    news: bool,
}

/// One page of tools.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) tools: Vec<(String, Option<Known>)>,
    pub(crate) first: bool,
    pub(crate) last: bool,
    pub(crate) ttl_ms: Option<u64>,
}

impl Offers {
    /// Whether a tool is listed, what is known of it, and whether that may be out of date.
    pub(crate) fn of(&self, tool: &str, now_us: u64) -> (Listed, Option<&Known>, bool) {
        let stale = self.changed || self.fresh_until_us.is_some_and(|until| now_us >= until);
        let known = self.tools.get(tool);
        let listed = match known {
            Some(_) => Listed::Yes,
            None if self.complete => Listed::No,
            None => Listed::Unknown,
        };
        (listed, known.and_then(Option::as_ref), stale)
    }

    /// Takes in one page. Returns how many tools are known once the list is complete.
    pub(crate) fn take(&mut self, page: Page, now_us: u64) -> Option<usize> {
        if page.first {
            self.pages.clear();
            // One that is whole on its first page has no page that could be another's.
            self.overlaps = self.under_way && !page.last;
            self.under_way = true;
            self.fresh_until_us = None;
            self.changed_since = false;
        }
        // A server that does not want its list kept vouches for nothing, and for no time either.
        if let Some(ttl_ms) = page.ttl_ms.filter(|ttl| *ttl > 0) {
            let until = now_us.saturating_add(ttl_ms.saturating_mul(1000));
            self.fresh_until_us = Some(self.fresh_until_us.map_or(until, |known| known.min(until)));
        }
        for (name, known) in page.tools {
            if self.pages.len() >= MAX_REMEMBERED && !self.pages.contains_key(&name) {
                continue;
            }
            // Listed twice, it is whatever of the two is in worse order: a client may take either.
            let twice = self.pages.get(&name).cloned();
            let known = match twice {
                Some(Some(first)) if worse(&first, known.as_ref()) => Some(first),
                _ => known,
            };
            self.pages.insert(name.clone(), known.clone());
            if self.tools.len() < MAX_REMEMBERED || self.tools.contains_key(&name) {
                self.tools.insert(name, known);
            }
        }
        if !page.last {
            return None;
        }
        self.changed = self.changed_since;
        if !std::mem::take(&mut self.under_way) {
            // It ends a listing beside which another one has ended: what it shows, it shows beside what that one did.
            self.pages.clear();
            return None;
        }
        if self.overlaps {
            // It ends one of several, and what the others have yet to show is not known: what was shown stays beside what was
            // known, and no tool is taken for unlisted until a listing goes undisturbed.
            self.pages.clear();
            self.complete = false;
            return None;
        }
        if self.pages.len() >= MAX_REMEMBERED {
            // Not all of it can be kept, so that it cannot be said of any tool that it is not there.
            self.pages.clear();
            self.complete = false;
            return None;
        }
        self.tools = std::mem::take(&mut self.pages);
        self.complete = !self.changed;
        Some(self.tools.len())
    }

    /// The server says that its tools changed: what was listed may be stale.
    pub(crate) fn list_changed(&mut self) {
        self.complete = false;
        self.changed = true;
        self.changed_since = true;
    }

    /// Puts what is now known of a tool in the place of what was known.
    pub(crate) fn update(&mut self, tool: &str, known: &Known) {
        // What the listing that is under way has shown takes the place of the other once it ends.
        for tools in [&mut self.pages, &mut self.tools] {
            if let Some(Some(slot)) = tools.get_mut(tool)
                && slot.fingerprint.digest == known.fingerprint.digest
            {
                self.news |= slot.integrity != known.integrity;
                *slot = known.clone();
            }
        }
    }

    /// Takes note that what was known of a tool still holds, as of `now`; unless something else is known of it by now.
    pub(crate) fn confirm(&mut self, tool: &str, before: &Known, now: &Known) {
        for tools in [&mut self.pages, &mut self.tools] {
            // Whatever becomes known of a tool comes with an `Integrity` of its own.
            if let Some(Some(slot)) = tools.get_mut(tool)
                && Arc::ptr_eq(&slot.integrity, &before.integrity)
            {
                *slot = now.clone();
            }
        }
    }

    /// Whether the client should list the tools again because of what people have approved or taken back, once.
    pub(crate) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    /// What the server says of a tool, as it was last listed.
    pub(crate) fn definition(&self, tool: &str) -> Option<Arc<str>> {
        self.tools.get(tool)?.as_ref().map(|known| Arc::clone(&known.fingerprint.definition))
    }

    /// What is known of each of these tools.
    pub(crate) fn known_of(&self, names: impl IntoIterator<Item = String>) -> Vec<(String, Known)> {
        let known = |name: String| {
            let known = self.tools.get(&name).or_else(|| self.pages.get(&name))?.clone()?;
            Some((name, known))
        };
        names.into_iter().filter_map(known).collect()
    }

    /// Every tool of which something is known.
    pub(crate) fn known(&self) -> Vec<(String, Known)> {
        let more = self.pages.iter().filter(|(name, _)| !self.tools.contains_key(*name));
        self.tools.iter().chain(more).filter_map(|(name, known)| Some((name.clone(), known.clone()?))).collect()
    }
}

/// Whether the first of two definitions of one name is in worse order than the second.
pub(crate) fn worse(first: &Known, second: Option<&Known>) -> bool {
    let order = |integrity: &Arc<Integrity>| {
        (
            integrity.problem.is_some(),
            integrity.pin.map(|pin| match pin {
                PinState::Approved => 0,
                PinState::Pending => 1,
                PinState::Quarantined => 2,
                PinState::Revoked => 3,
            }),
            integrity.threat.as_ref().map(|threat| threat.severity),
        )
    };
    second.is_none_or(|second| order(&first.integrity) >= order(&second.integrity))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(names: impl IntoIterator<Item = String>, first: bool, last: bool) -> Page {
        Page { tools: names.into_iter().map(|name| (name, None)).collect(), first, last, ttl_ms: None }
    }

    #[test]
    fn a_list_is_known_once_its_last_page_is() {
        let mut offers = Offers::default();
        let listed = |offers: &Offers, tool: &str| offers.of(tool, 0).0;
        assert_eq!(offers.take(page(["a".to_owned()], true, false), 0), None);
        assert_eq!((listed(&offers, "a"), listed(&offers, "b")), (Listed::Yes, Listed::Unknown));
        assert_eq!(offers.take(page(["b".to_owned()], false, true), 0), Some(2));
        assert_eq!((listed(&offers, "a"), listed(&offers, "c")), (Listed::Yes, Listed::No));
        offers.list_changed();
        assert_eq!((listed(&offers, "a"), listed(&offers, "c")), (Listed::Yes, Listed::Unknown));
        assert!(offers.of("a", 0).2);
        assert_eq!(offers.take(page(["c".to_owned()], true, true), 0), Some(1));
        assert_eq!((listed(&offers, "a"), offers.of("c", 0).2), (Listed::No, false));
        // A list without an end is not kept, and nothing is said about what it might hold.
        for number in 0..100 {
            let names = (0..100).map(|n| format!("{number}-{n}"));
            assert_eq!(offers.take(page(names, number == 0, number == 99), 0), None);
            assert!(offers.pages.len() <= MAX_REMEMBERED && offers.tools.len() <= MAX_REMEMBERED);
        }
        assert_eq!(listed(&offers, "d"), Listed::Unknown);
    }

    /// Defends: tools are not taken for unlisted because a client has two listings under way at once.
    #[test]
    fn interleaved_listings_lose_nothing() {
        let listed = |offers: &Offers| ["a", "b", "c"].map(|tool| offers.of(tool, 0).0);
        let (one, two) = (|| page(["a".to_owned()], true, false), || page(["b".to_owned()], false, true));
        let mut offers = Offers::default();
        offers.take(two(), 0);
        assert_eq!(listed(&offers), [Listed::Unknown, Listed::Yes, Listed::Unknown], "its first page was never shown");
        for page in [one(), one(), two(), two()] {
            offers.take(page, 0);
        }
        assert_eq!(listed(&offers), [Listed::Yes, Listed::Yes, Listed::Unknown], "there may be more");
        offers.take(page(["c".to_owned()], true, true), 0);
        assert_eq!(listed(&offers), [Listed::No, Listed::No, Listed::Yes]);
    }

    /// Defends the same for listings of three pages, in whatever order their pages come, and that it ends.
    #[test]
    fn interleaved_listings_of_many_pages_lose_nothing() {
        let listed = |offers: &Offers| ["a", "b", "c", "d"].map(|tool| offers.of(tool, 0).0);
        let part = |at: usize| page([["a", "b", "c"][at].to_owned()], at == 0, at == 2);
        let (yes, unknown) = (Listed::Yes, Listed::Unknown);
        // Every order of two listings: the bits say whose turn it is.
        for order in (0_u32..64).filter(|order| order.count_ones() == 3) {
            let mut offers = Offers::default();
            let mut next = [0, 0];
            let mut shown = 0;
            for turn in 0..6 {
                let whose = usize::from(order >> turn & 1 == 1);
                offers.take(part(next[whose]), 0);
                next[whose] += 1;
                shown = shown.max(next[whose]);
                let lost = listed(&offers)[..shown].iter().any(|listed| *listed != yes);
                assert!(!lost, "{order:06b} {turn}: {:?}", listed(&offers));
            }
            let end = if matches!(order, 0b000_111 | 0b111_000) { Listed::No } else { unknown };
            assert_eq!(listed(&offers), [yes, yes, yes, end], "{order:06b}");
            // One that goes undisturbed says what there is, and what there is no more.
            for (at, count) in [(0, None), (1, None), (2, Some(3))] {
                assert_eq!(offers.take(part(at), 0), count, "{order:06b}");
            }
            assert_eq!(listed(&offers), [yes, yes, yes, Listed::No], "{order:06b}");
            offers.take(page(["d".to_owned()], true, true), 0);
            assert_eq!(listed(&offers), [Listed::No, Listed::No, Listed::No, yes], "{order:06b}");
        }
    }

    /// Defends `on_stale`: a list that changes while it is told is not fresh once it is told to its end.
    #[test]
    fn a_change_during_a_listing_is_not_forgotten() {
        let mut offers = Offers::default();
        offers.list_changed();
        offers.take(page(["a".to_owned()], true, false), 0);
        offers.list_changed();
        offers.take(page(["b".to_owned()], false, true), 0);
        assert!(offers.of("a", 0).2 && offers.of("b", 0).2);
        assert_eq!(offers.of("c", 0).0, Listed::Unknown, "there may be new ones before the last page");
        offers.take(page(["a".to_owned()], true, false), 0);
        offers.take(page(["b".to_owned()], false, true), 0);
        assert!(!offers.of("a", 0).2 && !offers.of("b", 0).2);
        assert_eq!(offers.of("c", 0).0, Listed::No);
        // What was said before the first page is in it.
        offers.list_changed();
        offers.take(page(["a".to_owned()], true, true), 0);
        assert!(!offers.of("a", 0).2);
    }

    #[test]
    fn what_the_server_vouches_for_ends() {
        let mut offers = Offers::default();
        let with = |ttl_ms, first, last| Page { ttl_ms, ..page(["a".to_owned()], first, last) };
        offers.take(with(Some(5), true, false), 1000);
        offers.take(with(Some(9), false, true), 2000);
        assert_eq!((offers.of("a", 5999).2, offers.of("a", 6000).2), (false, true));
        offers.take(with(Some(0), true, true), 7000);
        assert!(!offers.of("a", u64::MAX).2);
    }
}
