//! `thoth policy test`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use thoth_policy::{LoadError, Source as _};
use thoth_shell::exit::{Code, Failure, Outcome, finish};
use thoth_shell::terminal::line;
use thoth_workbench::coverage::Coverage;
use thoth_workbench::junit::junit;
use thoth_workbench::mutate::mutate;
use thoth_workbench::suite::{self, Line, Report, Suite};

use super::check::painted;
use super::{findings, invalid};
use crate::policy_files::PolicyFiles;
use thoth_shell::home::Home;

/// `thoth policy test`
#[derive(Debug, Args)]
#[command(after_help = "\
Without --tests, the test files are those beside the policy: `*.test.yaml`, and `*.yaml` in `tests/`. One that names
another policy (`policy: other.yaml`) is left out.

Exit codes: 0 all passed, 1 something failed, 2 no tests were found, 3 the policy or a test file is invalid.

Examples:
  thoth policy test policy.yaml
  thoth policy test policy.yaml --tests cases.yaml --coverage
  thoth policy test policy.yaml --mutate --junit > tests.xml")]
pub(crate) struct TestArgs {
    /// The policy file; the default is `~/.thoth/policy.yaml`
    pub(crate) policy: Option<PathBuf>,
    /// A test file, or a directory of them; may be given several times
    #[arg(long, value_name = "PATH")]
    pub(crate) tests: Vec<PathBuf>,
    /// Show which rules and conditions the tests reach
    #[arg(long)]
    pub(crate) coverage: bool,
    /// Change each rule in turn; some test must fail then
    #[arg(long)]
    pub(crate) mutate: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Print JUnit XML
    #[arg(long, conflicts_with = "json")]
    pub(crate) junit: bool,
}

pub(super) fn run(arguments: TestArgs) -> Outcome {
    let json = arguments.json;
    finish(test(arguments), json)
}

fn test(arguments: TestArgs) -> Outcome {
    let path = match arguments.policy {
        Some(path) => path,
        None => Home::locate()?.policy_file(),
    };
    let policy =
        PolicyFiles::new(path.clone()).load().map_err(|problem| invalid(&path.display().to_string(), &problem))?;
    let suites = suites(&path, &arguments.tests)?;
    let mut coverage = Coverage::new(&policy);
    let inspect: suite::Inspect<'_> = &|policy, query| thoth_proxy::foresee(policy, query);
    let now = jiff::Timestamp::now();
    let decide: suite::Decide<'_> = &|policy, invariant| invariant.decide(policy, now);
    let runs: Vec<suite::Run> =
        suites.iter().map(|suite| suite::run(&policy, suite, inspect, decide, &mut coverage)).collect();
    let mutants = arguments.mutate.then(|| mutate(&policy, &suites, &runs, inspect, decide));
    let report = Report {
        policy: &policy,
        runs: &runs,
        coverage: arguments.coverage.then_some(&coverage),
        mutants: mutants.as_deref(),
    };
    if arguments.json {
        line(report.to_json())?;
    } else if arguments.junit {
        line(junit(&report).trim_end())?;
    } else {
        for shown in report.lines() {
            show(&shown)?;
        }
    }
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::from(Code::Failed as u8) })
}

fn show(shown: &Line) -> Result<(), Failure> {
    line(format_args!("{} {}", painted(shown.tone, shown.word), shown.text))
}

/// The test files that were named, or those beside the policy that are meant for it.
fn suites(policy: &Path, named: &[PathBuf]) -> Result<Vec<Suite>, Failure> {
    let mut files = Vec::new();
    if named.is_empty() {
        let directory = policy.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        files.extend(yaml_files(directory)?.into_iter().filter(|file| is_test(file)));
        let tests = directory.join("tests");
        if tests.is_dir() {
            files.extend(yaml_files(&tests)?);
        }
    } else {
        for path in named {
            if path.is_dir() {
                files.extend(yaml_files(path)?);
            } else {
                files.push(path.clone());
            }
        }
    }
    let mut suites = Vec::new();
    for file in files {
        let suite = read(&file)?;
        if !named.is_empty() || is_for(&suite, &file, policy) {
            suites.push(suite);
        }
    }
    if suites.is_empty() {
        let failure = Failure::usage(format!("no tests for `{}` were found", policy.display()));
        return Err(failure.hint("write them to a file `*.test.yaml` beside the policy, or name one with --tests"));
    }
    Ok(suites)
}

fn is_test(file: &Path) -> bool {
    file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(".test"))
}

/// A test file that names no policy is for each policy beside it.
fn is_for(suite: &Suite, file: &Path, policy: &Path) -> bool {
    let Some(named) = &suite.policy else { return true };
    let named = file.parent().unwrap_or(Path::new("")).join(&**named);
    match (fs::canonicalize(named), fs::canonicalize(policy)) {
        (Ok(named), Ok(policy)) => named == policy,
        _ => false,
    }
}

/// The YAML files of a directory, by name.
fn yaml_files(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |error| Failure::failed(format!("cannot read the directory `{}`: {error}", directory.display()));
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|own| own == "yaml" || own == "yml") && path.is_file() {
            // Names are shown as a person would write them.
            files.push(path.strip_prefix("./").map(Path::to_path_buf).unwrap_or(path));
        }
    }
    files.sort();
    Ok(files)
}

fn read(file: &Path) -> Result<Suite, Failure> {
    let name = file.display().to_string();
    let text = PolicyFiles::new(file.to_path_buf())
        .read(&name, None)
        .map_err(|error| Failure::new(Code::InvalidPolicy, format!("a test file cannot be used: {error}")))?;
    suite::read(&name, text.bytes).map_err(|error: LoadError| {
        let shown = format!("a test file is invalid\n{}", error.render(false));
        Failure::new(Code::InvalidPolicy, shown)
            .detail("file", name.clone())
            .detail("errors", findings(&error.diagnostics))
            .detail("errors_total", error.diagnostics.len())
    })
}
