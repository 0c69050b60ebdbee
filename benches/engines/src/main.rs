//! Times the decisions of `cedar-policy` and `cel` on the rules of `decision_cost`, through their public calls.
//!
//! Prints table rows with the columns of that program and no header; `-` where an engine has no such thing. As there: the
//! rule that hits is the last one, and the call is made once. CEL has no rules: each is a program, and all are run until
//! one holds, in the order of the rules.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
use cel::{Context as Variables, Program, Value};

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

#[derive(Clone, Copy)]
enum Shape {
    Exact,
    Glob,
    Conditions,
}

impl Shape {
    const ALL: [(&'static str, Self); 3] =
        [("exact", Self::Exact), ("glob", Self::Glob), ("3 conditions", Self::Conditions)];

    /// The tool of the last rule.
    fn tool(self, rules: usize) -> String {
        match self {
            Self::Exact | Self::Conditions => format!("tool_{}", rules - 1),
            Self::Glob => format!("a_tool_{}_b", rules - 1),
        }
    }
}

fn main() {
    let span = Duration::from_millis(if std::env::args().any(|word| word == "--quick") { 200 } else { 800 });
    for (name, shape) in Shape::ALL {
        for rules in SIZES {
            let row = cedar(shape, rules, span);
            println!("| cedar-policy | {name} | {rules} | {row}");
        }
    }
    for (name, shape) in Shape::ALL {
        for rules in SIZES {
            let row = cel(shape, rules, span);
            println!("| cel | {name} | {rules} | {row}");
        }
    }
}

/// Microseconds per decision: median and 99th percentile over samples of up to 64 decisions.
fn measure(span: Duration, mut decide: impl FnMut()) -> (f64, f64) {
    let start = Instant::now();
    decide();
    let once = start.elapsed().max(Duration::from_nanos(50));
    let per_sample = u32::try_from((Duration::from_micros(200).as_nanos() / once.as_nanos()).clamp(1, 64)).unwrap();
    let end = Instant::now() + span;
    let mut samples = Vec::new();
    while Instant::now() < end || samples.len() < 20 {
        let start = Instant::now();
        for _ in 0..per_sample {
            decide();
        }
        samples.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(per_sample));
    }
    samples.sort_by(f64::total_cmp);
    (samples[samples.len() / 2], samples[samples.len() * 99 / 100])
}

fn row(hit: (f64, f64), miss: (f64, f64), load: Duration, grown: String) -> String {
    let load = load.as_secs_f64() * 1e3;
    format!("{:.3} | {:.3} | {:.3} | {:.3} | - | {load:.1} | {grown} |", hit.0, hit.1, miss.0, miss.1)
}

/// Resident memory of this process, in MiB.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024.0)
}

fn grown(before: Option<f64>) -> String {
    before.zip(resident()).map_or_else(|| "-".to_owned(), |(before, after)| format!("{:.1}", (after - before).max(0.0)))
}

fn cedar(shape: Shape, rules: usize, span: Duration) -> String {
    let mut text = "permit(principal, action, resource);\n".to_owned();
    for i in 0..rules {
        let (action, more) = match shape {
            Shape::Exact => (format!("action == Action::\"tool_{i}\""), String::new()),
            Shape::Glob => ("action".to_owned(), format!(" && context.tool like \"*tool_{i}_*\"")),
            Shape::Conditions => (
                format!("action == Action::\"tool_{i}\""),
                " && context.amount > 1000 && context.path like \"/srv/*\" && context.options.mode == \"append\""
                    .to_owned(),
            ),
        };
        writeln!(text, "forbid(principal, {action}, resource) when {{ context.server like \"prod-*\"{more} }};")
            .unwrap();
    }
    let before = resident();
    let start = Instant::now();
    let policies: PolicySet = text.parse().unwrap();
    let load = start.elapsed();
    let grown = grown(before);
    let request = |tool: &str| {
        let context = serde_json::json!({
            "tool": tool, "server": "prod-a", "path": "/srv/data/report.txt", "amount": 1250,
            "options": {"mode": "append", "depth": 3},
        });
        let uid = |text: String| -> EntityUid { text.parse().unwrap() };
        let context = Context::from_json_value(context, None).unwrap();
        let action = uid(format!("Action::\"{tool}\""));
        Request::new(uid("Agent::\"a\"".to_owned()), action, uid("Server::\"s\"".to_owned()), context, None).unwrap()
    };
    let (hit, miss) = (request(&shape.tool(rules)), request("another"));
    let (authorizer, entities) = (Authorizer::new(), Entities::empty());
    let decide = |request: &Request| authorizer.is_authorized(black_box(request), &policies, &entities).decision();
    assert_eq!(decide(&hit), Decision::Deny, "the last rule must hit");
    assert_eq!(decide(&miss), Decision::Allow, "nothing must hit");
    let on_hit = measure(span, || {
        black_box(decide(&hit));
    });
    let on_miss = measure(span, || {
        black_box(decide(&miss));
    });
    row(on_hit, on_miss, load, grown)
}

fn cel(shape: Shape, rules: usize, span: Duration) -> String {
    let sources: Vec<String> = (0..rules)
        .map(|i| match shape {
            Shape::Exact => format!("tool == 'tool_{i}' && server.startsWith('prod-')"),
            Shape::Glob => format!("tool.contains('tool_{i}_') && server.startsWith('prod-')"),
            Shape::Conditions => format!(
                "tool == 'tool_{i}' && server.startsWith('prod-') && amount > 1000 && path.startsWith('/srv/') && \
                 options.mode == 'append'"
            ),
        })
        .collect();
    let before = resident();
    let start = Instant::now();
    let programs: Vec<Program> = sources.iter().map(|source| Program::compile(source).unwrap()).collect();
    let load = start.elapsed();
    let grown = grown(before);
    let variables = |tool: &str| {
        let mut variables = Variables::default();
        variables.add_variable("tool", tool.to_owned()).unwrap();
        variables.add_variable("server", "prod-a".to_owned()).unwrap();
        variables.add_variable("path", "/srv/data/report.txt".to_owned()).unwrap();
        variables.add_variable("amount", 1250_i64).unwrap();
        variables.add_variable("options", serde_json::json!({"mode": "append", "depth": 3})).unwrap();
        variables
    };
    let holds =
        |program: &Program, variables: &Variables<'_, '_>| matches!(program.execute(variables), Ok(Value::Bool(true)));
    let decide = |variables: &Variables<'_, '_>| programs.iter().any(|program| holds(program, black_box(variables)));
    let (hit, miss) = (variables(&shape.tool(rules)), variables("another"));
    assert!(decide(&hit) && holds(programs.last().unwrap(), &hit), "the last rule must hit");
    assert!(!decide(&miss), "nothing must hit");
    let on_hit = measure(span, || {
        black_box(decide(&hit));
    });
    let on_miss = measure(span, || {
        black_box(decide(&miss));
    });
    row(on_hit, on_miss, load, grown)
}
