//! From what an entry says to the way on which its server is visited.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use thoth_endpoint::entry::{Contents, Reach};

use crate::Fill;
use crate::visits::Way;

/// The hint where it is the client that knows more.
const ONLY_CLIENT: &str = "scan it with `thoth scan -- COMMAND`, or scan a saved `tools/list` result with --tools";

/// Why an entry cannot be visited: a stable word, why, and what to do.
pub type Obstacle = (&'static str, String, String);

/// The way to the server of an entry.
///
/// # Errors
/// When only its client knows it.
pub fn way(contents: &Contents, fill: &Fill<'_>) -> Result<Way, Obstacle> {
    let filled = |text: &String| {
        fill.text(text).map_err(|reference| {
            let message = format!("only the client can fill in `{reference}`");
            ("reference", message, format!("set the variable if it is one; else {ONLY_CLIENT}"))
        })
    };
    match &contents.reach {
        Reach::Command { words, directory, reads_file } => {
            if *reads_file {
                let message = "the client reads variables for it from a file".to_owned();
                return Err(("variables_file", message, ONLY_CLIENT.to_owned()));
            }
            let command: Vec<OsString> =
                words.iter().map(|word| filled(word).map(OsString::from)).collect::<Result<_, _>>()?;
            let directory = directory.as_ref().map(filled).transpose()?.map(PathBuf::from);
            let project = fill.project;
            let directory = match (directory, project) {
                (Some(directory), Some(project)) => Some(project.join(directory)),
                // A relative one would be relative to wherever this command happens to run.
                (Some(directory), None) => Some(directory).filter(|path| path.is_absolute()),
                (None, project) => project.map(Path::to_path_buf),
            };
            let variables = contents.variables.iter();
            let variables = variables.map(|(name, value)| Ok((name.clone(), filled(value)?.into())));
            Ok(Way::Command { command, variables: variables.collect::<Result<_, Obstacle>>()?, directory })
        }
        Reach::Address { url, headers } => {
            let headers = headers.iter().map(|(name, value)| Ok((name.clone(), filled(value)?)));
            Ok(Way::Address { url: filled(url)?, headers: headers.collect::<Result<_, Obstacle>>()? })
        }
        Reach::Unknown(reason) => Err((reason.code(), reason.to_string(), reason.remedy().to_owned())),
    }
}
