//! Stage 7, inspection: what the arguments carry. What is to be taken out is taken out here, by cutting it out of the very
//! bytes of the frame; nothing else of it changes.
//!
//! INVARIANT (what was inspected is what is forwarded): a frame that was cut is read again by the strict parser, and the
//! arguments that it then has are inspected once more, before it can be forwarded.
//!
//! A finding names the rule and the argument. It never has anything of what the argument holds.

use std::borrow::Cow;
use std::ops::Range;

use thoth_inspect::{Action, Detection, Incomplete, Inspection, declares_roles, inspect_arguments, redact};
use thoth_policy::{Policy, Query};
use thoth_types::json::{Kind, Limits, Tape, Value};
use thoth_types::{
    Approval, Arguments, Finding, HarmClass, InspectAction, Inspected, Mode, ReasonCode, RiskLevel, Stage,
};

use crate::facts::Facts;
use crate::inspector::{Inspector, class_of};

/// The longest name of an argument that a finding repeats.
const MAX_NAME: usize = 64;

/// A call as it goes out instead of the one that came.
#[derive(Debug)]
pub(crate) struct Edited {
    /// The whole frame.
    pub(crate) frame: Vec<u8>,
    /// The arguments in it.
    pub(crate) arguments: Vec<u8>,
    /// The finding that says so.
    pub(crate) finding: usize,
}

/// What comes of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) edited: Option<Box<Edited>>,
    /// The finding about what would have been taken out in another mode.
    pub(crate) would_edit: Option<usize>,
}

/// `frame` is the frame that the call stands in; nothing for a call that cannot be changed, as one of a batch.
pub(crate) fn run(
    policy: &Policy,
    inspector: &Inspector,
    facts: &Facts<'_>,
    frame: Option<&[u8]>,
    findings: &mut Vec<Finding>,
) -> Outcome {
    policy.blocked_patterns(&facts.query, findings);
    also_sent(policy, inspector, facts, findings);
    let Some(arguments) = facts.call.arguments.value() else { return Outcome::default() };
    let definition = facts.call.integrity.as_ref().and_then(|known| known.definition.as_deref());
    let definition = definition.filter(|text| declares_roles(text));
    let mut tape = Tape::new();
    let schema = definition.and_then(|text| read(&mut tape, text.as_bytes())).and_then(|tool| tool.get("inputSchema"));
    let inspect = |arguments: Value<'_>| inspect_arguments(&facts.call.tool, arguments, schema, inspector.settings());
    let inspection = inspect(arguments);
    if inspection.is_clean() {
        return Outcome::default();
    }
    if let Some(why) = inspection.incomplete {
        findings.push(incomplete(why));
        return Outcome::default();
    }
    let first = findings.len();
    tell(inspector, &inspection, findings);
    if !inspection.detections.iter().any(|found| found.action == Action::Redact) {
        return Outcome::default();
    }
    let told = |finding: &Finding| finding.approval == Approval::Auto && finding.risk > RiskLevel::Low;
    let finding = first + findings.iter().skip(first).position(told).unwrap_or_default();
    if facts.caller.mode == Mode::Observe {
        return Outcome { edited: None, would_edit: Some(finding) };
    }
    let edited = match frame {
        None => Err("one call of a batch cannot be changed: make the call alone".to_owned()),
        Some(frame) => edit(frame, arguments, &inspection).and_then(|(frame, document)| {
            let mut tape = Tape::new();
            let again = read(&mut tape, &document).map(&inspect);
            let rest = |again: &Inspection| again.detections.iter().any(|found| found.action == Action::Redact);
            match again {
                Some(again) if again.incomplete.is_none() && !rest(&again) => Ok((frame, document)),
                _ => Err("what was found cannot be taken out".to_owned()),
            }
        }),
    };
    match edited {
        Ok((frame, arguments)) => {
            Outcome { edited: Some(Box::new(Edited { frame, arguments, finding })), would_edit: None }
        }
        Err(why) => {
            let code = findings.get(finding).map_or(ReasonCode::InspectionIncomplete, |finding| finding.code);
            findings.push(found(code, Approval::Block, RiskLevel::High, None, format!("the arguments: {why}")));
            Outcome::default()
        }
    }
}

/// What stands in the parameters beside the arguments counts like one: a server may act on any of it. Nothing is taken out
/// there, so that what would be is refused.
pub(crate) fn also_sent(policy: &Policy, inspector: &Inspector, facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    let also_sent = &*facts.call.also_sent;
    if also_sent.is_empty() {
        return;
    }
    let mut tape = Tape::new();
    let Some(members) = read(&mut tape, also_sent) else {
        let detail = "what was sent beside the arguments cannot be read".to_owned();
        findings.push(found(ReasonCode::InspectionIncomplete, Approval::Block, RiskLevel::High, None, detail));
        return;
    };
    policy.blocked_patterns(&Query { arguments: Arguments::new(Some(members)), ..facts.query }, findings);
    let inspection = inspect_arguments(&facts.call.tool, members, None, inspector.settings());
    if inspection.is_clean() {
        return;
    }
    let first = findings.len();
    report(inspector, &inspection, findings);
    for finding in findings.iter_mut().skip(first) {
        if finding.approval == Approval::Auto && finding.risk > RiskLevel::Low {
            finding.approval = Approval::Block;
            finding.risk = RiskLevel::High;
            finding.detail = format!("{}: but not beside the arguments", finding.detail).into();
        }
    }
}

/// What this stage would find in a call of which no more is known than the policy's question, and the policy's own patterns
/// aside.
pub(crate) fn foresee(policy: &Policy, query: &Query<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(arguments) = query.arguments.value() {
        let inspector = Inspector::new(Some(policy), query.server);
        let inspection = inspect_arguments(query.tool, arguments, None, inspector.settings());
        report(&inspector, &inspection, &mut findings);
    }
    findings
}

/// What was found, and nothing done about it.
pub(crate) fn report(inspector: &Inspector, inspection: &Inspection, findings: &mut Vec<Finding>) {
    match inspection.incomplete {
        Some(why) => findings.push(incomplete(why)),
        None => tell(inspector, inspection, findings),
    }
}

/// One finding for each class.
fn tell(inspector: &Inspector, inspection: &Inspection, findings: &mut Vec<Finding>) {
    for class in inspection.classes() {
        let found: Vec<&Detection> = inspection.detections.iter().filter(|found| found.class == class).collect();
        let class = found.first().map(|found| class_of(found));
        findings.extend(class.map(|class| about(class, &found, inspector, inspection)));
    }
}

fn read<'d>(tape: &'d mut Tape, bytes: &'d [u8]) -> Option<Value<'d>> {
    tape.parse(bytes, &Limits { max_bytes: bytes.len(), ..Limits::default() }).ok()
}

/// The frame without what is to be taken out of `arguments`, and the arguments in it.
fn edit(frame: &[u8], arguments: Value<'_>, inspection: &Inspection) -> Result<(Vec<u8>, Vec<u8>), String> {
    let span = arguments.span();
    if frame.get(span.clone()) != Some(arguments.raw()) {
        return Err("they are not the ones of the frame".to_owned());
    }
    let own = Inspection { detections: shifted(&inspection.detections, span.start), incomplete: None };
    let document = redact(arguments.raw(), &own, None).map_err(|error| error.to_string())?.document;
    let mut out = Vec::with_capacity(frame.len() + document.len().saturating_sub(span.len()));
    out.extend_from_slice(frame.get(..span.start).unwrap_or_default());
    out.extend_from_slice(&document);
    out.extend_from_slice(frame.get(span.end..).unwrap_or_default());
    let mut tape = Tape::new();
    let root = read(&mut tape, out.trim_ascii_end()).ok_or("the frame cannot be read afterwards")?;
    let place = span.start..span.start + document.len();
    if at(root, &place).map(|value| value.raw()) != Some(&*document) {
        return Err("they are not the ones of the frame afterwards".to_owned());
    }
    Ok((out, document))
}

/// The detections of a document that stands at `start` of another one, as detections of itself.
pub(crate) fn shifted(detections: &[Detection], start: usize) -> Vec<Detection> {
    let own = |span: &Range<usize>| span.start.saturating_sub(start)..span.end.saturating_sub(start);
    detections.iter().map(|found| Detection { span: own(&found.span), ..found.clone() }).collect()
}

/// The value that takes up exactly these bytes.
fn at<'d>(root: Value<'d>, place: &Range<usize>) -> Option<Value<'d>> {
    let mut value = root;
    while value.span() != *place {
        let holds = |inner: &Value<'_>| inner.span().start <= place.start && place.end <= inner.span().end;
        value = match value.kind() {
            Kind::Object => value.members().map(|(_, inner)| inner).find(holds)?,
            Kind::Array => value.elements().find(holds)?,
            _ => return None,
        };
    }
    Some(value)
}

/// One finding for all detections of a class: the strictest of them speaks for it.
fn about(class: HarmClass, of_class: &[&Detection], inspector: &Inspector, inspection: &Inspection) -> Finding {
    let strictest = of_class.iter().rev().max_by_key(|found| (inspector.action(found), found.confidence));
    let action = strictest.map_or(InspectAction::Block, |found| inspector.action(found));
    let (approval, risk) = match action {
        InspectAction::Allow | InspectAction::Annotate => (Approval::Auto, RiskLevel::Low),
        InspectAction::Redact => (Approval::Auto, RiskLevel::Medium),
        InspectAction::Ask => (Approval::Approve, RiskLevel::High),
        InspectAction::Block => (Approval::Block, RiskLevel::Critical),
    };
    let mut detail = String::new();
    if let Some(found) = strictest {
        let name = argument(found, inspection);
        let place = name.map_or_else(|| "an argument".to_owned(), |name| format!("the argument `{name}`"));
        detail = format!("{place}: {} ({})", found.message, found.kind);
        if action == InspectAction::Redact {
            detail.push_str(", which is taken out");
        }
    }
    if of_class.len() > 1 {
        detail.push_str(&format!(", and {} more of `{class}`", of_class.len() - 1));
    }
    let code = match class {
        HarmClass::Secrets => ReasonCode::ArgumentSecret,
        HarmClass::PersonalData => ReasonCode::ArgumentPersonalData,
        HarmClass::Shell => ReasonCode::ArgumentShell,
        HarmClass::Path => ReasonCode::ArgumentPath,
        HarmClass::Sql => ReasonCode::ArgumentSql,
        HarmClass::Ssrf => ReasonCode::ArgumentSsrf,
        HarmClass::Injection => ReasonCode::ArgumentInjection,
    };
    found(code, approval, risk, inspector.place(class, Inspected::Arguments), detail)
}

/// The name of the top-level argument, if it is plain: a name may itself be what was found.
fn argument<'f>(found: &'f Detection, inspection: &Inspection) -> Option<&'f str> {
    if inspection.detections.iter().any(|found| found.in_key) {
        return None;
    }
    let name = found.pointer.strip_prefix('/')?.split(['/', '!']).next()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (!name.is_empty() && name.len() <= MAX_NAME && name.bytes().all(plain)).then_some(name)
}

fn incomplete(why: Incomplete) -> Finding {
    let detail = format!("the arguments cannot be inspected to the end: {}", why.as_str());
    found(ReasonCode::InspectionIncomplete, Approval::Block, RiskLevel::High, None, detail)
}

/// The finding about a changed call that cannot be read.
pub(crate) fn unreadable() -> Finding {
    let detail = "the arguments cannot be read after what was found in them was taken out".to_owned();
    found(ReasonCode::InspectionIncomplete, Approval::Block, RiskLevel::High, None, detail)
}

fn found(
    code: ReasonCode,
    approval: Approval,
    risk: RiskLevel,
    place: Option<thoth_types::Place>,
    detail: String,
) -> Finding {
    Finding {
        stage: Stage::Inspection,
        approval,
        code,
        risk,
        rule: None,
        place,
        detail: Cow::Owned(detail),
        hard: false,
        retry_after_seconds: None,
    }
}
