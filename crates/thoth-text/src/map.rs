//! The way from a normalised view back to the raw bytes.

use std::ops::Range;

/// A stretch of the view and the raw bytes that it came from. Small, because a text may need one for each character; where
/// a text were so long that a number did not fit, it would point at the end.
#[derive(Debug, Clone, Copy)]
struct Run {
    view: u32,
    raw: u32,
    raw_len: u32,
    /// Whether it was copied byte for byte; otherwise it maps as a whole.
    copied: bool,
}

fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

impl Run {
    const fn view(self) -> usize {
        self.view as usize
    }

    const fn raw(self) -> usize {
        self.raw as usize
    }

    const fn raw_len(self) -> usize {
        self.raw_len as usize
    }
}

/// Runs in the order of the view. An empty map is the identity.
#[derive(Debug, Clone, Default)]
pub(super) struct Map {
    runs: Vec<Run>,
}

impl Map {
    pub(super) const fn identity() -> Self {
        Self { runs: Vec::new() }
    }

    pub(super) const fn len(&self) -> usize {
        self.runs.len()
    }

    /// `len` bytes at `raw` were copied to `view`. Joins the run before where it continues it.
    pub(super) fn copied(&mut self, view: usize, raw: usize, len: usize) {
        if let Some(last) = self.runs.last_mut()
            && last.copied
            && last.view() + last.raw_len() == view
            && last.raw() + last.raw_len() == raw
        {
            last.raw_len = narrow(last.raw_len() + len);
            return;
        }
        self.runs.push(Run { view: narrow(view), raw: narrow(raw), raw_len: narrow(len), copied: true });
    }

    /// What stands at `view` replaces `raw_len` bytes at `raw`.
    pub(super) fn replaced(&mut self, view: usize, raw: usize, raw_len: usize) {
        self.runs.push(Run { view: narrow(view), raw: narrow(raw), raw_len: narrow(raw_len), copied: false });
    }

    /// The raw bytes behind a range of the view.
    pub(super) fn raw_range(&self, view: Range<usize>, raw_len: usize) -> Range<usize> {
        if self.runs.is_empty() {
            return view.start.min(raw_len)..view.end.min(raw_len);
        }
        let start = self.locate(view.start).map_or(raw_len, |(run, within)| run.raw() + within);
        let end = match view.end.checked_sub(1).filter(|last| *last >= view.start) {
            Some(last) => self.locate(last).map_or(raw_len, |(run, within)| {
                if run.copied { run.raw() + within + 1 } else { run.raw() + run.raw_len() }
            }),
            None => start,
        };
        start.min(raw_len)..end.max(start).min(raw_len)
    }

    /// The run that an offset of the view falls into, and how far into its raw bytes.
    fn locate(&self, view: usize) -> Option<(Run, usize)> {
        let after = self.runs.partition_point(|run| run.view() <= view);
        let run = *self.runs.get(after.checked_sub(1)?)?;
        let within = if run.copied { (view - run.view()).min(run.raw_len()) } else { 0 };
        Some((run, within))
    }
}
