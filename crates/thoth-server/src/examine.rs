//! Policies that come over HTTP, looked at as `thoth policy check` does. Nothing of them is kept here.

use thoth_api::contract::policy_bundle::{Problem, Report};
use thoth_api::contract::read;
use thoth_policy::{LoadError, Sources, load, load_together, worth_showing};
use thoth_store::server::bundles::MAX_BUNDLE_BYTES;
use thoth_workbench::{CheckOptions, FindingKind, check, findings_json, findings_text};

use crate::clock;
use crate::fault::Fault;

/// Stands for a server's own policy, whatever it says: a bundle must be valid beside any.
const ANY: &str = "version: \"1\"\ndefaults: { approval: auto }\n";
/// No file of a bundle is called so.
const ANY_NAME: &str = "server policy";

/// Looks at a policy that is to be a version of a bundle and is called `name` in messages.
pub(crate) fn examine(name: &str, text: &str) -> Result<Report, Fault> {
    if text.len() > MAX_BUNDLE_BYTES {
        return Err(Fault::bad(format!("`policy` is longer than {MAX_BUNDLE_BYTES} bytes")));
    }
    let sources = Sources::one(name, text).with(ANY_NAME, ANY);
    let digest = digest(text);
    let added = match load_together(ANY_NAME, &[name], &sources) {
        Ok(added) => added,
        Err(error) => return Ok(invalid(digest, &error)),
    };
    let alone = load(name, &sources).map_err(Fault::broken)?;
    // One without defaults says nothing of calls that it does not name; alone it would block them.
    let has_defaults = added.has_defaults(1);
    let options = CheckOptions { from: clock::now().wall, tools: None };
    let mut report = check(if has_defaults { &alone } else { &added }, &options);
    if !has_defaults {
        report.findings.retain(|finding| finding.kind != FindingKind::AllowByDefault);
    }
    let findings = findings_json(&report);
    let findings = findings.iter().map(|finding| read(finding.to_string().as_bytes()));
    Ok(Report {
        valid: true,
        digest,
        errors: Vec::new(),
        findings: findings.collect::<Result<_, _>>().map_err(Fault::broken)?,
        warned: report.has_warnings(),
        text: Some(findings_text(&report, &|_, text| text.to_owned())).filter(|text| !text.is_empty()),
    })
}

/// The digest of a version: that of its text.
fn digest(text: &str) -> String {
    use std::fmt::Write as _;

    use sha2::{Digest as _, Sha256};
    let mut digest = "sha256:".to_owned();
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a string does not fail.
        let _always = write!(digest, "{byte:02x}");
    }
    digest
}

fn invalid(digest: String, error: &LoadError) -> Report {
    let (shown, _) = worth_showing(&error.diagnostics);
    let problem = |diagnostic: &thoth_policy::Diagnostic| Problem {
        code: diagnostic.code.as_str().to_owned(),
        message: diagnostic.message.clone(),
        line: diagnostic.place.as_ref().map(|place| place.line),
        column: diagnostic.place.as_ref().map(|place| place.column),
        help: diagnostic.help.clone(),
    };
    Report {
        valid: false,
        digest,
        errors: shown.iter().map(problem).collect(),
        findings: Vec::new(),
        warned: false,
        text: Some(error.render(false)),
    }
}
