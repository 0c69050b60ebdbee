//! `thoth audit verify-receipt`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value};
use thoth_audit::receipt::{opener_in, verify_receipt};
use thoth_audit::seal::{MAX_SEALED_BYTES, SealOpener};
use thoth_shell::exit::{Code, Failure, Outcome};
use thoth_shell::terminal::{GOOD, fields, harmless_text, line, styled};

/// `thoth audit verify-receipt`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thoth audit verify-receipt answer.json --key 'b0l2…='
  thoth audit verify-receipt receipt.json --keys thothd/tenants/acme/keys --json

Exit codes: 0 verified; 1 cannot be read; 4 does not verify.")]
pub(crate) struct ReceiptArgs {
    /// The receipt, or an answer that has it as `receipt`; `-` is standard input
    pub(crate) file: PathBuf,
    /// The public key of the tenant's seal, in base64, as machines are told it when they register
    #[arg(long, value_name = "KEY", required_unless_present = "keys", conflicts_with = "keys")]
    pub(crate) key: Option<String>,
    /// The tenant's folder of keys
    #[arg(long, value_name = "DIR")]
    pub(crate) keys: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn verify(arguments: &ReceiptArgs) -> Outcome {
    let opener = match (&arguments.key, &arguments.keys) {
        (Some(key), _) => SealOpener::parse(key).map_err(|error| Failure::usage(format!("--key: {error}")))?,
        (None, Some(keys)) => opener_in(keys).map_err(Failure::failed)?,
        (None, None) => return Err(Failure::usage("there is no key").hint("say --key or --keys")),
    };
    let document = read(&arguments.file, MAX_SEALED_BYTES)?;
    let receipt = verify_receipt(&document, &opener)
        .map_err(|error| Failure::new(Code::NotVerified, error).detail("code", "receipt_not_verified"))?;
    if arguments.json {
        let members = receipt.members.iter().map(|(name, text)| ((*name).to_owned(), Value::from(text.as_str())));
        let mut all: Map<String, Value> = members.collect();
        all.insert("verified".to_owned(), true.into());
        line(Value::from(all))?;
        return Ok(ExitCode::SUCCESS);
    }
    line(format_args!("{} sealed by {}", styled(GOOD, "verified"), opener.id()))?;
    let rows: Vec<(&str, String)> = receipt.members.iter().map(|(name, text)| (*name, harmless_text(text))).collect();
    fields(&rows)?;
    Ok(ExitCode::SUCCESS)
}

/// What is longer than any such document is cut off, and does not verify.
pub(super) fn read(path: &Path, longest: usize) -> Result<Vec<u8>, Failure> {
    let most = u64::try_from(longest).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    let shown = harmless_text(&path.display().to_string());
    read.map_err(|error| Failure::failed(format!("cannot read `{shown}`: {error}")))?;
    Ok(bytes)
}
