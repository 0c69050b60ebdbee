//! `thoth manual` and `thoth completions`: both are made from the command line's own definition, as `--help` is.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, ExitCode, Stdio};

use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::Cli;
use thoth_shell::exit::{Code, Failure, Outcome};
use thoth_shell::terminal::{line, note};

/// `thoth manual`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thoth manual
  thoth manual wrap-config
  thoth manual --out /usr/local/share/man/man1")]
pub(crate) struct ManualArgs {
    /// The command to read about, as in `thoth manual policy check`
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    command: Vec<String>,
    /// Write every page into this directory instead
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// `thoth completions`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thoth completions bash > ~/.local/share/bash-completion/completions/thoth
  thoth completions zsh > \"${fpath[1]}/_thoth\"
  thoth completions fish > ~/.config/fish/completions/thoth.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(crate) fn manual(arguments: &ManualArgs) -> Outcome {
    let pages = pages();
    if let Some(directory) = &arguments.out {
        return write_all(&pages, directory);
    }
    let name = std::iter::once("thoth").chain(arguments.command.iter().map(String::as_str)).collect::<Vec<_>>();
    let wanted = name.join("-");
    let Some(page) = pages.iter().find(|page| page.name == wanted) else {
        return Err(Failure::usage(format!("there is no command `{}`", arguments.command.join(" ")))
            .hint("`thoth --help` lists the commands"));
    };
    if io::stdout().is_terminal() && shown_by_man(page) {
        return Ok(ExitCode::SUCCESS);
    }
    line(page.roff.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn completions(arguments: &CompletionsArgs) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "thoth", &mut script);
    let written = io::stdout().lock().write_all(&script).and_then(|()| io::stdout().flush());
    match written {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::new(Code::Closed, error)),
        Err(error) => Err(Failure::failed(format!("cannot write to standard output: {error}"))),
    }
}

/// One page in the format of `man`.
struct Page {
    /// Without section: `thoth-policy-check`.
    name: String,
    roff: String,
}

/// The page of `thoth` and of every command that is not hidden.
fn pages() -> Vec<Page> {
    let mut root = Cli::command();
    root.build();
    let mut pages = Vec::new();
    collect(&root, "thoth", &mut pages);
    pages
}

fn collect(command: &Command, name: &str, pages: &mut Vec<Page>) {
    let mut roff = Vec::new();
    // Writing to memory cannot fail; were it to, the page would be missing and the test below would say so.
    if Man::new(command.clone()).source(concat!("thoth ", env!("CARGO_PKG_VERSION"))).render(&mut roff).is_ok() {
        pages.push(Page { name: name.to_owned(), roff: String::from_utf8_lossy(&roff).into_owned() });
    }
    for child in command.get_subcommands().filter(|child| !child.is_hide_set() && child.get_name() != "help") {
        collect(child, &format!("{name}-{}", child.get_name()), pages);
    }
}

fn write_all(pages: &[Page], directory: &Path) -> Outcome {
    let problem = |path: &Path, error: io::Error| {
        Failure::failed(format!("cannot write `{}`: {error}", path.display()))
            .hint("choose a directory that you can write to")
    };
    fs::create_dir_all(directory).map_err(|error| problem(directory, error))?;
    for page in pages {
        let path = directory.join(format!("{}.1", page.name));
        fs::write(&path, &page.roff).map_err(|error| problem(&path, error))?;
    }
    line(format_args!("wrote {} pages to {}", pages.len(), directory.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Shows a page with `man`, and says whether that was possible.
fn shown_by_man(page: &Page) -> bool {
    let Ok(mut file) = tempfile::Builder::new().prefix("thoth").suffix(".1").tempfile() else { return false };
    if file.write_all(page.roff.as_bytes()).is_err() {
        return false;
    }
    let shown = Process::new("man").arg(file.path()).stdin(Stdio::null()).stderr(Stdio::null()).status();
    let worked = shown.is_ok_and(|status| status.success());
    if !worked {
        note("`man` is not here to show the page; this is its source");
    }
    worked
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command that `--help` lists has a page, and the page has what `--help` says.
    #[test]
    fn the_manual_has_every_command_and_every_flag() {
        let pages = pages();
        let names: Vec<_> = pages.iter().map(|page| page.name.as_str()).collect();
        for name in ["thoth", "thoth-run", "thoth-policy", "thoth-policy-check", "thoth-audit-prove"] {
            assert!(names.contains(&name), "{name} is not among {names:?}");
        }
        assert!(!names.iter().any(|name| name.contains("demo-server") || name.ends_with("-help")), "{names:?}");
        let run = pages.iter().find(|page| page.name == "thoth-run").unwrap();
        for text in [r"\-\-approved\-scope", r"\-\-durability", "thoth\\-run", ".SH EXTRA"] {
            assert!(run.roff.contains(text), "{text} is not in\n{}", run.roff);
        }
    }
}
