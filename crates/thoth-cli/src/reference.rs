//! `thoth reference`: prints the pages of `docs/reference` that are made from tables in the program.

use std::process::ExitCode;

use clap::ValueEnum;

use thoth_shell::exit::Outcome;
use thoth_shell::terminal::line;

/// A page.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Page {
    /// `docs/reference/env.md`
    Env,
    /// `docs/reference/clients.md`
    Clients,
}

pub(crate) fn run(page: Page) -> Outcome {
    match page {
        Page::Env => line(thoth_endpoint::settings::reference().trim_end())?,
        Page::Clients => line(thoth_endpoint::hosts::reference().trim_end())?,
    }
    Ok(ExitCode::SUCCESS)
}
