//! The terminal while the queue is on it, and that it is as before whatever ends the queue: a key, an error, a panic, or a
//! signal.

use std::io::{self, Write as _, stdin, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::flag;
use signal_hook::low_level::emulate_default_handler;

/// The terminal, taken over. It is given back when this is dropped.
pub(crate) struct Screen {
    pub(crate) terminal: Terminal<CrosstermBackend<io::Stdout>>,
    signals: Signals,
}

/// What came from outside since the last look.
struct Signals {
    /// The signal that ends the process, or 0.
    end: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    resumed: Arc<AtomicBool>,
}

impl Signals {
    fn watch() -> io::Result<Self> {
        let (end, stop, resumed) = (Arc::default(), Arc::default(), Arc::default());
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
            flag::register_usize(signal, Arc::clone(&end), usize::try_from(signal).unwrap_or_default())?;
        }
        flag::register(SIGTSTP, Arc::clone(&stop))?;
        flag::register(SIGCONT, Arc::clone(&resumed))?;
        Ok(Self { end, stop, resumed })
    }
}

impl Screen {
    /// Takes the terminal over.
    pub(crate) fn open() -> io::Result<Self> {
        let signals = Signals::watch()?;
        end_with_the_terminal()?;
        // The process is aborted after a panic, without a chance to drop anything.
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            report(panic);
        }));
        let taken = take_over().and_then(|()| Terminal::new(CrosstermBackend::new(stdout())));
        match taken {
            Ok(terminal) => Ok(Self { terminal, signals }),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    /// Does what signals have asked for. Does not return if one ends the process, except where that fails.
    pub(crate) fn obey(&mut self) -> io::Result<()> {
        let end = self.signals.end.swap(0, Ordering::Relaxed);
        if end != 0 {
            restore();
            // Whoever waits for this process learns what ended it.
            emulate_default_handler(i32::try_from(end).unwrap_or(SIGTERM))?;
        }
        if self.signals.stop.swap(false, Ordering::Relaxed) {
            self.suspend()?;
        }
        if self.signals.resumed.swap(false, Ordering::Relaxed) {
            take_over()?;
            self.terminal.clear()?;
        }
        Ok(())
    }

    /// Gives the terminal back and stops until the shell lets it go on.
    pub(crate) fn suspend(&mut self) -> io::Result<()> {
        restore();
        emulate_default_handler(SIGTSTP)?;
        self.signals.resumed.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Rings.
    pub(crate) fn ring(&mut self) -> io::Result<()> {
        let mut out = stdout();
        out.write_all(b"\x07")?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Ends the process when the terminal is gone, as the signal would that this process takes for itself. Whoever reads keys
/// cannot: at the end of its input, crossterm reads for ever.
fn end_with_the_terminal() -> io::Result<()> {
    let wait = || {
        let terminal = stdin();
        // Without anything that is asked for, only the end is told.
        while let Err(Errno::INTR) = poll(&mut [PollFd::new(&terminal, PollFlags::empty())], None) {}
        drop(emulate_default_handler(SIGHUP));
    };
    thread::Builder::new().name("terminal".to_owned()).spawn(wait).map(drop)
}

/// The same for whoever could not write to it any more, and knows before the thread does. Giving back a terminal that is
/// gone would be a panic of the library.
pub(super) fn end_if_gone() {
    let terminal = stdin();
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut [PollFd::new(&terminal, PollFlags::empty())], Some(&now)).is_ok_and(|gone| gone > 0) {
        drop(emulate_default_handler(SIGHUP));
    }
}

fn take_over() -> io::Result<()> {
    enable_raw_mode()?;
    // What is pasted arrives as such, and not as keys.
    execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste)
}

/// Where that fails, the terminal is gone.
fn restore() {
    drop(execute!(stdout(), DisableBracketedPaste, LeaveAlternateScreen, Show));
    drop(disable_raw_mode());
}
