//! Checks before the policy.

use super::super::kind::Kind;
use super::super::setting::Setting;

settings! {
    INTENT_TOOL_ALLOWLIST: "The tools that each session intent may use: `triage=read_issue|list_issues,testing=run`."
        => Setting::env(&["THOTH_INTENT_TOOL_ALLOWLIST"], Kind::Text).key("intent_tool_allowlist").planned();
    BLOCKED_LINEAGE_ANCESTOR_TOKENS: "Words, separated by commas. Calls are refused while one of them stands in the command \
        of a process that `thoth run` descends from."
        => Setting::env(&["THOTH_BLOCKED_LINEAGE_ANCESTOR_TOKENS"], Kind::Text)
            .key("blocked_lineage_ancestor_tokens").planned();
    BLOCKED_LINEAGE_UPSTREAM_BINARIES: "Programs, separated by commas, that must not run as servers."
        => Setting::env(&["THOTH_BLOCKED_LINEAGE_UPSTREAM_BINARIES"], Kind::Text)
            .key("blocked_lineage_upstream_binaries").planned();
}
