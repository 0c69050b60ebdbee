//! Conditions.

use crate::condition::{ArgumentPath, Bounds, Comparison, Condition, Test};
use crate::diagnostic::DiagnosticCode;
use crate::lexical_path::Directory;
use crate::literal::Literal;
use crate::naming::word;
use crate::query::RateScope;
use crate::read::Reader;
use crate::semantic::{CATEGORIES, Semantic};
use crate::text_match::TextMatch;
use crate::yaml::{At, Content, Node};

const KEYS: [&str; 22] = [
    "time_after",
    "time_before",
    "tz",
    "weekdays",
    "param_eq",
    "param_gt",
    "param_lt",
    "param_gte",
    "param_lte",
    "param_contains",
    "param_matches",
    "param_in",
    "param_not_in",
    "param_exists",
    "param_glob",
    "path_under",
    "host_in",
    "size",
    "rate",
    "after_call",
    "labels",
    "semantic",
];

impl Reader<'_> {
    pub(crate) fn conditions(&mut self, node: &Node) -> Vec<Condition> {
        let fields = self.fields(node, "`conditions`", &KEYS);
        // Most keys are one condition: then nothing is moved on the way into the rule.
        let mut conditions = Vec::with_capacity(fields.len());
        conditions.extend(self.window(&fields));
        for (key, value) in fields {
            let what = format!("`{}`", key.text);
            match &*key.text {
                "time_after" | "time_before" | "tz" | "weekdays" => {}
                "rate" => conditions.extend(self.rate(value)),
                "after_call" => conditions.push(self.after_call(value)),
                "labels" => conditions.push(Condition::Labels(self.labels(value))),
                "semantic" => conditions.extend(self.semantic(value)),
                "size" => self.sizes(value, &mut conditions),
                "param_exists" if !matches!(value.content, Content::Map(_)) => {
                    for (text, at) in self.texts(value, &what) {
                        let path = self.path(text, at);
                        conditions.extend(path.map(|path| Condition::Argument { path, test: Test::Exists(true) }));
                    }
                }
                test => {
                    self.not_empty(value, &what);
                    for (argument, wanted) in self.entries(value, &what).unwrap_or_default() {
                        let path = self.path(&argument.text, argument.at);
                        let test = self.test(test, &what, wanted);
                        if let (Some(path), Some(test)) = (path, test) {
                            conditions.push(Condition::Argument { path, test });
                        }
                    }
                }
            }
        }
        // Cheap ones first: the outcome is the same in any order.
        conditions.sort_by_key(|condition| match condition {
            Condition::When(_) | Condition::Labels(_) => 0,
            Condition::Argument { test: Test::Pattern(_), .. } => 2,
            Condition::Argument { .. } | Condition::ArgumentsSize(_) => 1,
            Condition::Rate { .. } | Condition::AfterCall { .. } | Condition::Semantic(_) => 3,
        });
        conditions
    }

    /// A condition that names nothing would hold always.
    fn not_empty(&mut self, node: &Node, what: &str) {
        if node.is_null() || matches!(&node.content, Content::Map(entries) if entries.is_empty()) {
            self.error(DiagnosticCode::WrongType, node.at, format!("{what} is empty"));
        }
    }

    fn path(&mut self, text: &str, at: At) -> Option<ArgumentPath> {
        let path = ArgumentPath::parse(text);
        if path.is_none() {
            let message = format!("`{text}` is no argument path");
            self.error_help(DiagnosticCode::BadValue, at, message, "write `name`, `outer.inner` or `list[0].name`");
        }
        path
    }

    fn test(&mut self, test: &str, what: &str, node: &Node) -> Option<Test> {
        let ordered = |comparison| move |literal| Test::Ordered(comparison, literal);
        match test {
            "param_eq" => self.literal(node).map(Test::Equals),
            "param_gt" => self.ordinal(node, what).map(ordered(Comparison::Gt)),
            "param_lt" => self.ordinal(node, what).map(ordered(Comparison::Lt)),
            "param_gte" => self.ordinal(node, what).map(ordered(Comparison::Gte)),
            "param_lte" => self.ordinal(node, what).map(ordered(Comparison::Lte)),
            "param_contains" => self.literal(node).map(Test::Contains),
            "param_in" => self.literals(node, what).map(Test::In),
            "param_not_in" => self.literals(node, what).map(Test::NotIn),
            "param_exists" => self.boolean(node, what).map(Test::Exists),
            "param_matches" => {
                let text = self.text(node, what)?;
                self.pattern(text, node.at).map(Test::Pattern)
            }
            "param_glob" => Some(Test::Glob(self.globs(node, what), shown(node))),
            "path_under" => self.directories(node, what).map(|own| Test::Under(own, shown(node))),
            _ => self.hosts(node, what).map(|own| Test::Host(own, shown(node))),
        }
    }

    fn ordinal(&mut self, node: &Node, what: &str) -> Option<Literal> {
        let literal = self.literal(node)?;
        if matches!(literal, Literal::Number(_) | Literal::Text(_)) {
            return Some(literal);
        }
        self.error(DiagnosticCode::WrongType, node.at, format!("{what} wants a number or a text to compare with"));
        None
    }

    fn literals(&mut self, node: &Node, what: &str) -> Option<Box<[Literal]>> {
        match &node.content {
            Content::List(items) if !items.is_empty() => {
                let own: Vec<Literal> = items.iter().filter_map(|item| self.literal(item)).collect();
                (own.len() == items.len()).then(|| own.into())
            }
            _ => {
                self.error(DiagnosticCode::WrongType, node.at, format!("{what} wants a list of values"));
                None
            }
        }
    }

    fn directories(&mut self, node: &Node, what: &str) -> Option<Box<[Directory]>> {
        let mut own = Vec::new();
        for (text, at) in self.texts(node, what) {
            match Directory::parse(text) {
                Ok(directory) => own.push(directory),
                Err(error) => {
                    let message = format!("bad directory `{text}`: {error}");
                    self.error_help(DiagnosticCode::BadValue, at, message, "write it in full, such as `/srv/data`");
                }
            }
        }
        (!own.is_empty()).then(|| own.into())
    }

    fn hosts(&mut self, node: &Node, what: &str) -> Option<Box<[crate::glob::Glob]>> {
        for (text, at) in self.texts(node, what) {
            let odd = text.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '@' | '%' | '\\' | '!'));
            if odd || !text.is_ascii() || text.matches(':').count() == 1 {
                let message = format!("`{text}` is no host");
                let help = "write a host such as `api.example.com` or `*.example.com`: no scheme, port or path";
                self.error_help(DiagnosticCode::BadValue, at, message, help);
            }
        }
        let globs = self.globs_with(node, what, &str::to_ascii_lowercase);
        (!globs.any.is_empty()).then_some(globs.any)
    }

    fn bounds(&mut self, node: &Node, what: &str) -> Option<Bounds> {
        const KEYS: [&str; 5] = ["gt", "gte", "lt", "lte", "eq"];
        let Content::Map(_) = &node.content else {
            let message = format!("{what} wants bounds, not {}", node.kind());
            self.error_help(DiagnosticCode::WrongType, node.at, message, "write for example `{gt: 1000}`");
            return None;
        };
        let mut bounds = Bounds { least: 0, most: u64::MAX };
        for (key, value) in self.fields(node, what, &KEYS) {
            let least = u64::from(&*key.text == "lt");
            let number = self.whole(value, &format!("`{}`", key.text), least, u64::MAX - 1)?;
            match &*key.text {
                "gt" => bounds.least = bounds.least.max(number + 1),
                "gte" => bounds.least = bounds.least.max(number),
                "lt" => bounds.most = bounds.most.min(number - 1),
                "lte" => bounds.most = bounds.most.min(number),
                _ => {
                    bounds.least = bounds.least.max(number);
                    bounds.most = bounds.most.min(number);
                }
            }
        }
        if bounds.least > bounds.most {
            self.error(DiagnosticCode::BadValue, node.at, format!("no size lies in these bounds of {what}"));
            return None;
        }
        Some(bounds)
    }

    fn sizes(&mut self, node: &Node, conditions: &mut Vec<Condition>) {
        self.not_empty(node, "`size`");
        for (argument, wanted) in self.entries(node, "`size`").unwrap_or_default() {
            self.not_empty(wanted, "`size`");
            let Some(bounds) = self.bounds(wanted, "`size`") else { continue };
            if &*argument.text == "$" {
                conditions.push(Condition::ArgumentsSize(bounds));
            } else if let Some(path) = self.path(&argument.text, argument.at) {
                conditions.push(Condition::Argument { path, test: Test::Size(bounds) });
            }
        }
    }

    fn rate(&mut self, node: &Node) -> Option<Condition> {
        const KEYS: [&str; 3] = ["limit", "window", "per"];
        let mut limit = None;
        let mut window = None;
        let mut scope = RateScope::Session;
        for (key, value) in self.fields(node, "`rate`", &KEYS) {
            match &*key.text {
                "limit" => limit = Some(self.whole(value, "`limit`", 1, u64::MAX)?),
                "window" => window = Some(self.duration(value)?),
                _ => {
                    let text = self.text(value, "`per`")?;
                    scope = match &**text {
                        "session" => RateScope::Session,
                        "agent" => RateScope::Agent,
                        "tool" => RateScope::Tool,
                        other => {
                            let known = ["session", "agent", "tool"];
                            self.unknown(
                                DiagnosticCode::BadValue,
                                value.at,
                                &format!("no rate per `{other}`"),
                                other,
                                &known,
                            );
                            return None;
                        }
                    };
                }
            }
        }
        match (limit, window) {
            (Some(limit), Some(window)) => Some(Condition::Rate { limit, window, scope }),
            _ => {
                let message = "`rate` wants `limit` and `window`".to_owned();
                self.error_help(
                    DiagnosticCode::BadValue,
                    node.at,
                    message,
                    "write `{limit: 10, window: 1m, per: session}`",
                );
                None
            }
        }
    }

    fn after_call(&mut self, node: &Node) -> Condition {
        if let Content::Map(_) = &node.content {
            let block = self.match_block(node, "`after_call`");
            if !block.agent.matches_everything() {
                let message = "`after_call` looks at calls of this session, which have one agent";
                self.error(DiagnosticCode::BadValue, node.at, message);
            }
            return Condition::AfterCall { tool: block.tool, server: block.server };
        }
        Condition::AfterCall { tool: self.globs(node, "`after_call`"), server: TextMatch::default() }
    }

    fn semantic(&mut self, node: &Node) -> Option<Condition> {
        let text = self.text(node, "`semantic`")?;
        let semantic = Semantic::new(text);
        if semantic.is_none() {
            let names: Vec<&str> = CATEGORIES.iter().map(|(name, _)| *name).collect();
            let message = "`semantic` wants a category or 1 to 64 words of three letters or more".to_owned();
            let help = format!("categories: {}", names.join(", "));
            self.error_help(DiagnosticCode::BadValue, node.at, message, help);
        }
        self.warn(node.at, "`semantic` looks for keywords; it understands nothing", "prefer conditions on arguments");
        semantic.map(Condition::Semantic)
    }
}

/// A text or list of texts for a trace.
fn shown(node: &Node) -> Box<str> {
    match &node.content {
        Content::Scalar { text, .. } => word(text).into(),
        // The blanks tell a list from a class of characters.
        Content::List(items) => {
            format!("[ {} ]", items.iter().map(|item| shown(item).into_string()).collect::<Vec<_>>().join(", ")).into()
        }
        Content::Map(_) => Box::default(),
    }
}
