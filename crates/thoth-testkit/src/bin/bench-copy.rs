//! The peer of the benchmarks: the shortest gate there could be. Starts a command and copies bytes both ways, with one
//! blocking thread per direction, and looks at nothing.

use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::thread;

fn copy(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = from.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        to.write_all(buffer.get(..n).unwrap_or_default())?;
        to.flush()?;
    }
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().ok_or_else(|| io::Error::other("no command"))?;
    let mut child = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let to_child = child.stdin.take().ok_or_else(|| io::Error::other("no pipe"))?;
    let from_child = child.stdout.take().ok_or_else(|| io::Error::other("no pipe"))?;
    let stdin = std::fs::File::from(std::os::fd::AsFd::as_fd(&io::stdin()).try_clone_to_owned()?);
    let stdout = std::fs::File::from(std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned()?);
    thread::spawn(move || copy(stdin, to_child));
    copy(from_child, stdout)?;
    child.wait()?;
    Ok(())
}
