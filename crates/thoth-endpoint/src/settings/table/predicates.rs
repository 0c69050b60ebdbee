//! Checks before the policy.

use super::super::kind::Kind;
use super::super::setting::Setting;

settings! {
    INTENT_TOOL_ALLOWLIST: "The tools, by their exact names, that a session with an intent may call: \
        `triage=read_issue|list_issues,testing=run`. An intent that is not in the list has none; a session without an intent \
        is not restricted."
        => Setting::env(&["THOTH_INTENT_TOOL_ALLOWLIST"], Kind::IntentTools).key("intent_tool_allowlist");
    BLOCKED_LINEAGE_ANCESTOR_TOKENS: "Parts of names, separated by commas. Every call is refused while one of them is in the \
        name of a process that `thoth run` descends from."
        => Setting::env(&["THOTH_BLOCKED_LINEAGE_ANCESTOR_TOKENS"], Kind::Tokens).key("blocked_lineage_ancestor_tokens");
    BLOCKED_LINEAGE_UPSTREAM_BINARIES: "The same for the server's own program: one that matches is not started."
        => Setting::env(&["THOTH_BLOCKED_LINEAGE_UPSTREAM_BINARIES"], Kind::Tokens)
            .key("blocked_lineage_upstream_binaries");
}
