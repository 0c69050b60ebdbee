//! Rules held against the tools that there are.

use serde_json::Value as Json;
use thoth_policy::outline::{ArgumentPath, Condition, Literal, Test};

use super::Checker;
use crate::finding::{FindingKind, Severity};
use crate::model::{Rule, Space};
use crate::steps::{Steps, of_text};
use crate::tools::KnownTool;

/// A schema's references are followed no deeper than this.
const MAX_DEPTH: u32 = 32;

/// Steps for all rules and tools.
const MOST_STEPS: u64 = 16_000_000;

impl Checker<'_> {
    pub(super) fn tools(&mut self, space: &Space<'_>) {
        let Some(known) = &self.options.tools else { return };
        for list in &known.cut_short {
            self.undecided
                .push(format!("{list} goes on after its `nextCursor`: what is said of unknown tools may be wrong"));
        }
        let known = &known.tools;
        let Some(side) = space.sides.first() else { return };
        let steps = Steps::at_most(MOST_STEPS);
        for rule in &side.rules {
            let matcher = rule.outline.matcher();
            let fits = |tool: &&KnownTool| {
                matcher.tool.matches(&tool.name)
                    && tool.server.as_ref().is_none_or(|server| matcher.server.matches(server))
            };
            steps.pay(known.len() * (2 + matcher.tool.any.len() + matcher.tool.none.len()));
            if steps.are_spent() {
                break;
            }
            let matched: Vec<&KnownTool> = known.iter().filter(fits).collect();
            if matched.is_empty() {
                self.unknown_tool(rule, known, &steps);
                continue;
            }
            for condition in rule.outline.conditions() {
                if let Condition::Argument { path, test } = condition {
                    self.argument(rule, (path, test, condition), &matched, &steps);
                }
            }
        }
        if steps.are_spent() {
            self.undecided.push("the tools: not all rules were held against all of them".to_owned());
        }
    }

    fn unknown_tool(&mut self, rule: &Rule<'_>, known: &[KnownTool], steps: &Steps) {
        let name = rule.name();
        let written = rule.outline.matcher().tool.any.iter().filter_map(|glob| glob.exact());
        let near = written.filter_map(|written| nearest(written, known.iter().map(|tool| &*tool.name), steps)).next();
        let by_server = known.iter().any(|tool| rule.outline.matcher().tool.matches(&tool.name));
        let message = if by_server {
            format!("rule `{name}` matches no known tool: its tools are not on its servers")
        } else {
            format!("rule `{name}` matches no known tool")
        };
        let remedy = match near {
            Some(near) if !by_server => format!("did you mean `{near}`?"),
            _ => "correct its `match`, or remove it if the tool is gone".to_owned(),
        };
        self.add(rule, FindingKind::UnknownTool, Severity::Warning, message, &remedy);
    }

    fn argument(
        &mut self,
        rule: &Rule<'_>,
        (path, test, condition): (&ArgumentPath, &Test, &Condition),
        matched: &[&KnownTool],
        steps: &Steps,
    ) {
        let places: Vec<Place<'_>> = matched.iter().map(|tool| find(tool, path, steps)).collect();
        // Where schemas were not looked at to their end, nothing is missing.
        if steps.are_spent() {
            return;
        }
        if places.iter().any(|place| matches!(place, Place::Open)) {
            return;
        }
        let there: Vec<(&str, Vec<&Json>)> = matched
            .iter()
            .zip(&places)
            .filter_map(|(tool, place)| match place {
                Place::There(schemas) => Some((&*tool.name, schemas.clone())),
                _ => None,
            })
            .collect();
        let name = rule.name();
        if there.is_empty() {
            let names = places.iter().filter_map(|place| match place {
                Place::Missing { step, known } => Some((*step, known)),
                _ => None,
            });
            let near = names.filter_map(|(step, known)| nearest(step, known.iter().copied(), steps)).next();
            let tools = matched.first().map(|tool| format!("`{}`", tool.name)).unwrap_or_default();
            let more = if matched.len() > 1 { format!(" and {} more", matched.len() - 1) } else { String::new() };
            let message =
                format!("rule `{name}`: no tool that it matches has an argument `{}` ({tools}{more})", path.text);
            let remedy = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "name an argument of the tool's `inputSchema`".to_owned(),
            };
            self.add(rule, FindingKind::UnknownArgument, Severity::Warning, message, &remedy);
            return;
        }
        let good = |schema: &&Json| possible(test, schema, steps);
        if there.iter().any(|(_, schemas)| schemas.is_empty() || schemas.iter().any(good)) {
            return;
        }
        if steps.are_spent() {
            return;
        }
        let (tool, schemas) = there.first().cloned().unwrap_or_default();
        let shown: Vec<String> = schemas.iter().map(|schema| describe(schema)).collect();
        let message = format!(
            "rule `{name}`: `{}` of `{tool}` is {}, so `{}` never holds",
            path.text,
            shown.join(" or "),
            condition.show()
        );
        let remedy = "compare it with a value that the tool's `inputSchema` allows";
        self.add(rule, FindingKind::ArgumentType, Severity::Warning, message, remedy);
    }
}

/// Where a path leads in a tool's schema.
enum Place<'s> {
    /// To these schemas.
    There(Vec<&'s Json>),
    /// Nowhere: this step is none of these.
    Missing { step: &'s str, known: Vec<&'s str> },
    /// The schema does not say.
    Open,
}

fn find<'s>(tool: &'s KnownTool, path: &'s ArgumentPath, steps: &Steps) -> Place<'s> {
    let mut at = vec![&tool.schema];
    for step in &path.steps {
        let mut next = Vec::new();
        let mut names = Vec::new();
        let mut open = true;
        for schema in at.iter().flat_map(|schema| branches(&tool.schema, schema, 0, steps)) {
            match &step.name {
                Some(name) => {
                    if let Some(properties) = schema.get("properties").and_then(Json::as_object) {
                        open = false;
                        steps.pay(properties.len());
                        names.extend(properties.keys().map(String::as_str));
                        next.extend(properties.get(&**name));
                    }
                }
                None => {
                    if let Some(items) = schema.get("items") {
                        open = false;
                        next.push(items);
                    }
                }
            }
        }
        if open {
            return Place::Open;
        }
        if next.is_empty() {
            return Place::Missing { step: step.name.as_deref().unwrap_or_default(), known: names };
        }
        at = next;
    }
    Place::There(at.into_iter().flat_map(|schema| branches(&tool.schema, schema, 0, steps)).collect())
}

/// A schema and what it is made of. Not all of it once the steps are spent.
fn branches<'s>(root: &'s Json, schema: &'s Json, depth: u32, steps: &Steps) -> Vec<&'s Json> {
    steps.pay(8);
    if depth > MAX_DEPTH || steps.are_spent() {
        return Vec::new();
    }
    if let Some(pointer) = schema.get("$ref").and_then(Json::as_str).and_then(|text| text.strip_prefix('#')) {
        return root.pointer(pointer).map(|schema| branches(root, schema, depth + 1, steps)).unwrap_or_default();
    }
    let parts = ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| schema.get(key)?.as_array()).flatten();
    let inner: Vec<&Json> = parts.flat_map(|part| branches(root, part, depth + 1, steps)).collect();
    if inner.is_empty() {
        vec![schema]
    } else {
        inner.into_iter().chain([schema].into_iter().filter(|own| own.get("properties").is_some())).collect()
    }
}

fn types(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(many)) => many.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

fn values(schema: &Json) -> Option<Vec<&Json>> {
    match (schema.get("enum").and_then(Json::as_array), schema.get("const")) {
        (Some(all), _) => Some(all.iter().collect()),
        (None, Some(one)) => Some(vec![one]),
        (None, None) => None,
    }
}

fn describe(schema: &Json) -> String {
    match values(schema) {
        Some(values) => format!("one of {}", values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        None => types(schema).join(" or "),
    }
}

/// Whether the test can come out true or false for some value of the schema; what the schema does not say is possible.
fn possible(test: &Test, schema: &Json, steps: &Steps) -> bool {
    let types = types(schema);
    let has = |wanted: &[&str]| types.is_empty() || types.iter().any(|own| wanted.contains(own));
    let literal = |own: &Literal| match own {
        Literal::Null => true,
        Literal::Bool(_) => has(&["boolean"]),
        Literal::Number(_) => has(&["number", "integer"]),
        Literal::Text(_) => has(&["string"]),
        Literal::List(_) => has(&["array"]),
        Literal::Map(_) => has(&["object"]),
    };
    let among = |own: &Literal| {
        let Some(values) = values(schema) else { return true };
        let own = own.show();
        values.iter().any(|value| {
            steps.pay(4 * of_text(&own));
            !steps.are_spent() && value.to_string() == own
        })
    };
    match test {
        Test::Equals(own) => literal(own) && among(own),
        Test::In(own) => own.iter().any(|own| literal(own) && among(own)),
        Test::NotIn(own) => own.iter().any(literal),
        Test::Ordered(_, own) => literal(own),
        Test::Contains(Literal::Text(_)) => has(&["string", "array", "object"]),
        Test::Contains(_) => has(&["array"]),
        Test::Exists(_) => true,
        Test::Pattern(_) | Test::Glob(..) | Test::Under(..) | Test::Host(..) | Test::Size(_) => {
            has(&["string", "array"])
        }
    }
}

/// The known name that is most like the given one, as far as there are steps to look for it.
fn nearest<'k>(found: &str, known: impl Iterator<Item = &'k str>, steps: &Steps) -> Option<&'k str> {
    let paid = known.take_while(|word| {
        steps.pay(8 + found.len().min(word.len()) * found.len().max(word.len()) / 8);
        !steps.are_spent()
    });
    crate::nearest::nearest(found, paid)
}
