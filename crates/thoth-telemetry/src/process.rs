//! What the system says of this process. Nothing where it cannot be told.

/// Of this process, now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    /// Memory in use, in bytes.
    pub(crate) resident: u64,
    /// Processor time, in seconds, of all threads since the start.
    pub(crate) processor: f64,
    pub(crate) open_files: u64,
}

/// Looks.
#[cfg(target_os = "linux")]
pub(crate) fn look() -> Option<Process> {
    let process = procfs::process::Process::myself().ok()?;
    let stat = process.stat().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "a sum of processor time is far below 2^52 ticks")]
    let processor = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
    let open_files = process.fd_count().ok().and_then(|count| u64::try_from(count).ok())?;
    Some(Process { resident: stat.rss * procfs::page_size(), processor, open_files })
}

/// Nothing is told elsewhere.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn look() -> Option<Process> {
    None
}
