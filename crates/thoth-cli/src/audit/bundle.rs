//! `thoth audit verify-bundle`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use thoth_audit::note::Verifier;
use thoth_audit::seal::SealOpener;
use thoth_audit::session_bundle::{MAX_BUNDLE_BYTES, Seal, verify_bundle};
use thoth_shell::exit::{Code, Failure, Outcome};
use thoth_shell::terminal::{GOOD, fields, harmless_text, line, note, styled};

use super::receipt::read;

/// `thoth audit verify-bundle`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thoth audit verify-bundle session.json --key \"$(cat log.vkey)\"
  thoth audit verify-bundle session.json --key 'thoth.local/ledger/20cb…+837946ba+AStK…' --seal-key 'b0l2…=' --json

Keys must come from where you trust them, and not from the file. It is proven that every record is in that log, and of that
session. That the session has no others is what the server says that sealed the bundle: check that with --seal-key.
Exit codes: 0 verified; 1 cannot be read; 4 does not verify.")]
pub(crate) struct BundleArgs {
    /// The bundle, as `thothctl evidence bundle` writes it; `-` is standard input
    pub(crate) file: PathBuf,
    /// The log's public key, as it stands in `log.vkey`: `name+keyid+base64`
    #[arg(long, value_name = "KEY", visible_alias = "vkey")]
    pub(crate) key: String,
    /// The public key of the tenant's seal, in base64; a bundle without that seal does not verify then
    #[arg(long, value_name = "KEY")]
    pub(crate) seal_key: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn verify(arguments: &BundleArgs) -> Outcome {
    let key = Verifier::parse(arguments.key.trim()).map_err(|error| Failure::usage(format!("--key: {error}")))?;
    let opener = arguments.seal_key.as_deref().map(SealOpener::parse).transpose();
    let opener = opener.map_err(|error| Failure::usage(format!("--seal-key: {error}")))?;
    let document = read(&arguments.file, MAX_BUNDLE_BYTES)?;
    let found = verify_bundle(&document, &key, opener.as_ref()).map_err(|error| {
        let error = harmless_text(&error.to_string());
        Failure::new(Code::NotVerified, format!("not verified: {error}")).detail("code", "bundle_not_verified")
    })?;
    if arguments.json {
        line(found.json())?;
        return Ok(ExitCode::SUCCESS);
    }
    let decisions: Vec<String> = found.decisions.iter().map(|(word, count)| format!("{count} {word}")).collect();
    line(styled(GOOD, "verified"))?;
    fields(&[
        ("tenant", harmless_text(&found.tenant)),
        ("session", harmless_text(&found.session)),
        ("records", found.records.to_string()),
        ("decisions", harmless_text(&decisions.join(", "))),
        ("log", harmless_text(&found.checkpoint.origin)),
        ("events", found.checkpoint.size.to_string()),
        ("exported", harmless_text(&found.exported_at)),
        ("hash", harmless_text(&found.bundle_hash)),
    ])?;
    match &found.seal {
        Seal::Verified(key) => note(format_args!(
            "all of it is sealed by {key}, which says that the session has no other records until then"
        )),
        Seal::Unchecked(key) => note(format_args!("it names a seal by {key}, which was not checked: give --seal-key")),
        Seal::Missing => note("it has no seal: that the session has no other records is not proven"),
    }
    if let Some(next) = found.next {
        note(format_args!("the session goes on: the next part begins at event {next}"));
    }
    Ok(ExitCode::SUCCESS)
}
