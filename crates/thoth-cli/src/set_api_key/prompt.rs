//! Asks for the key on a terminal, and leaves the terminal as it was, whatever ends the question.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};

use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use thoth_types::Redacted;

/// The answer; what is not UTF-8 in it is U+FFFD, which no key has.
pub(super) fn ask() -> io::Result<Redacted<String>> {
    restore_on_signals()?;
    rpassword::prompt_password("API key: ").map(Redacted::new).inspect_err(|error| {
        if error.kind() == ErrorKind::Interrupted {
            // Ctrl-C. The terminal is as it was, and whoever waits for this process learns what ended it.
            drop(emulate_default_handler(SIGINT));
        }
    })
}

/// What ends this process by a signal puts the terminal back first: it would stay without echo.
fn restore_on_signals() -> io::Result<()> {
    let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
    let before = tcgetattr(&terminal)?;
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
    std::thread::Builder::new().name("terminal".to_owned()).spawn(move || {
        for signal in signals.forever() {
            // Where that fails, the terminal is gone.
            if tcsetattr(&terminal, OptionalActions::Now, &before).is_ok() {
                drop(terminal.write_all(b"\n"));
            }
            drop(emulate_default_handler(signal));
        }
    })?;
    Ok(())
}
