//! Asking before programs are started that a file names: a scan is not the moment at which a cloned project gets to run
//! its commands.

use std::io::IsTerminal as _;

use thoth_survey::Collected;
use thoth_survey::described;
use thoth_survey::missed::Missed;
use thoth_survey::visits::Job;
use thoth_types::display::{harmless, name};

use crate::approvals::width;
use thoth_shell::cells::broken;
use thoth_shell::exit::Failure;
use thoth_shell::terminal::agrees;

/// How wide a line is where nothing limits it.
const WIDTH: usize = 160;

/// The jobs that may be done: all with `yes`, or those that a person at a terminal agrees to; the others are noted.
pub(crate) fn agreed(jobs: Vec<Job>, yes: bool, collected: &mut Collected) -> Result<Vec<Job>, Failure> {
    if yes || jobs.is_empty() {
        return Ok(jobs);
    }
    let is_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let message = if is_terminal {
        if ask(&jobs)? {
            return Ok(jobs);
        }
        "nobody agreed to it"
    } else {
        "it would be started, or connected to, and there is no terminal to ask at"
    };
    for job in jobs {
        let hint = "give --yes to start what clients' files name, or --static-only to look at the files alone";
        collected.missed.push(Missed::new(&job.server, job.origin, "not_agreed", message.to_owned()).hint(hint));
    }
    Ok(Vec::new())
}

fn ask(jobs: &[Job]) -> Result<bool, Failure> {
    let width = width().unwrap_or(WIDTH).saturating_sub(4);
    let mut text = "These will be started or connected to, to ask what they offer:\n".to_owned();
    for job in jobs {
        text.push_str(&format!("  {} ({})\n", name(&job.server), harmless(&job.origin.shown())));
        // Broken rather than cut: what does not fit would run all the same.
        for part in described::lines(&job.way).iter().flat_map(|line| broken(line, width)) {
            text.push_str(&format!("    {part}\n"));
        }
    }
    agrees(format_args!("{text}Go on?"))
}
