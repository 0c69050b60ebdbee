//! Settings, and who this machine says that it is.

use thoth_endpoint::settings::{Process, Resolved};

use super::Check;

/// Whether the settings can be used, as `thoth run` would. `process` is who runs this, where that says anything about who
/// runs the gate.
pub(crate) fn settings(resolved: &Resolved, process: Option<&Process>) -> Check {
    const NAME: &str = "settings";
    const REMEDY: &str = "change or unset what is named; `thoth doctor --settings` says where each value comes from";
    let [first, rest @ ..] = resolved.problems.as_slice() else {
        if let Some(Err(error)) = process.map(|process| resolved.guards.check(process)) {
            return Check::failure(NAME, error.to_string(), "run it as another user, or change what demands that");
        }
        let warning = process.and_then(|process| resolved.guards.warning(process)).map(str::to_owned);
        let warnings: Vec<String> = resolved.warnings.iter().cloned().chain(warning).collect();
        return match warnings.as_slice() {
            [] => Check::ok(NAME, "all understood"),
            warnings => Check::warning(NAME, warnings.join("; "), REMEDY),
        };
    };
    let problems: Vec<String> = std::iter::once(first).chain(rest).map(ToString::to_string).collect();
    Check::failure(NAME, problems.join("; "), REMEDY)
}

/// As which machine, person and organisation calls are recorded.
pub(crate) fn identity(resolved: &Resolved) -> Check {
    const NAME: &str = "identity";
    let Some(endpoint) = &resolved.endpoint else {
        let remedy = "set THOTH_ENDPOINT_ID";
        return Check::warning(NAME, "this machine has neither an id nor a host name", remedy);
    };
    let mut evidence = format!("machine {} ({})", endpoint.id, endpoint.source.words());
    if let Some(user) = &resolved.user {
        evidence = format!("{evidence}, user {user}");
    }
    if let Some(tenant) = &resolved.tenant {
        evidence = format!("{evidence}, organisation {tenant}");
    }
    Check::ok(NAME, evidence)
}
