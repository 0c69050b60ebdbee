//! The section `gateway`.

use crate::blocked_patterns::{BlockedPattern, PatternKind};
use crate::diagnostic::DiagnosticCode;
use crate::glob::Glob;
use crate::policy::Lists;
use crate::read::Reader;
use crate::yaml::{Content, Node};

const KEYS: [&str; 6] =
    ["allowed_tools", "denied_tools", "sensitive_tools", "max_tool_calls", "blocked_patterns", "builtin_sanitization"];

impl Reader<'_> {
    pub(super) fn gateway(&mut self, node: &Node, lists: &mut Lists) {
        for (key, value) in self.fields(node, "`gateway`", &KEYS) {
            match &*key.text {
                "allowed_tools" => lists.allowed.extend(self.only_tools(value, "`allowed_tools`")),
                "denied_tools" => lists.denied.extend(self.tool_list(value, "`denied_tools`", true)),
                "sensitive_tools" => lists.sensitive.extend(self.tool_list(value, "`sensitive_tools`", true)),
                "blocked_patterns" => lists.blocked_patterns = self.blocked_patterns(value),
                "builtin_sanitization" => {
                    if self.boolean(value, "`builtin_sanitization`") == Some(true) {
                        lists.sanitized = Some(self.file.place(key.at));
                    }
                }
                _ => {
                    // 0 permits no call at all.
                    lists.max_tool_calls = self.whole(value, "`max_tool_calls`", 0, u64::MAX);
                }
            }
        }
    }

    /// A list of texts, which are substrings, and of mappings that say how a text is to be read.
    fn blocked_patterns(&mut self, node: &Node) -> Vec<BlockedPattern> {
        let Content::List(items) = &node.content else {
            self.wrong_type(node, "`blocked_patterns`", "a list");
            return Vec::new();
        };
        if items.is_empty() {
            self.warn(node.at, "`blocked_patterns` is empty and has no effect", "remove it or name patterns");
        }
        let mut patterns = Vec::new();
        for item in items {
            let entries = match &item.content {
                Content::Map(_) => {
                    let known = PatternKind::ALL.map(|(word, _)| word);
                    let fields = self.fields(item, "an entry of `blocked_patterns`", &known);
                    if fields.len() != 1 {
                        let message = "an entry of `blocked_patterns` is one text or one of these".to_owned();
                        let help = "write `rm -rf`, `{regex: \"rm\\\\s+-rf\"}` or `{glob: \"/etc/*\"}`";
                        self.error_help(DiagnosticCode::BadValue, item.at, message, help);
                    }
                    let kind = |word: &str| PatternKind::ALL.into_iter().find(|(known, _)| *known == word);
                    fields.into_iter().filter_map(|(key, value)| Some((value, kind(&key.text)?.1))).collect()
                }
                _ => vec![(item, PatternKind::Substring)],
            };
            for (value, kind) in entries {
                patterns.extend(self.blocked_pattern(value, kind));
            }
        }
        patterns
    }

    fn blocked_pattern(&mut self, node: &Node, kind: PatternKind) -> Option<BlockedPattern> {
        let text = self.text(node, "an entry of `blocked_patterns`")?.clone();
        if text.is_empty() {
            self.error(DiagnosticCode::BadValue, node.at, "an empty pattern would block every call");
            return None;
        }
        let pattern = BlockedPattern { text, kind, place: self.file.place(node.at) };
        if kind == PatternKind::Glob
            && let Err(error) = Glob::parse(&pattern.text)
        {
            let message = format!("bad pattern `{}`: {error}", pattern.text);
            self.error(DiagnosticCode::BadGlob, node.at, message);
            return None;
        }
        self.pattern(&pattern.expression().into(), node.at)?;
        Some(pattern)
    }
}
