//! What a tool answered, before the client sees it: what is in it, and what becomes of it.
//!
//! It is never asked whether the call may happen: it has happened. What is held back is replaced by whoever delivers it.

use std::sync::Arc;

use thoth_inspect::{Action, Class, Inspection, inspect_result, is_in_string, redact};
use thoth_types::json::{Limits, Tape, Value};
use thoth_types::{Caller, HarmClass, InspectAction};

use crate::gate::Gate;
use crate::inspector::{Inspector, class_of};
use crate::session::SessionLabels;
use crate::stage::inspection::shifted;

/// Members of a result that the protocol needs as they are, and that no model reads.
const PROTOCOL: [&str; 4] = ["/requestState", "/taskId", "/task/taskId", "/resultType"];

/// What was found in a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultFound {
    /// What becomes of it.
    pub action: InspectAction,
    /// What was found, by class, and how often.
    pub classes: Vec<(HarmClass, usize)>,
    /// The result as it is delivered, if something was taken out of it.
    pub redacted: Option<Vec<u8>>,
    /// What a model should know about it: what it must not obey, or why it gets nothing. Has nothing of the content.
    pub note: Option<String>,
    /// Whether it was delivered without the note, because it has no place for one: for whoever delivers it to say.
    pub note_left_out: bool,
}

impl Gate {
    /// Inspects the result of a call. `definition` is what the server says of the tool, whose output schema what is
    /// delivered must satisfy. Nothing where nothing was found: the bytes go on as they came. What is found labels the
    /// session of `labels`, whatever becomes of the result.
    #[must_use]
    pub fn inspect_result(
        &self,
        caller: &Caller,
        labels: &SessionLabels,
        tool: &str,
        result: Value<'_>,
        definition: impl FnOnce() -> Option<Arc<str>>,
    ) -> Option<ResultFound> {
        let standing = self.standing.load();
        let inspector = self.inspector(standing.policy(), caller.server.as_str());
        let mut inspection = inspect_result(tool, result, inspector.settings());
        inspection.detections.retain(|found| !is_protocol(&found.pointer));
        for found in &mut inspection.detections {
            // A number in the place of another looks like a value: it is taken out only where the policy says so.
            let said = inspector.place(class_of(found), thoth_types::Inspected::Results).is_some();
            if found.is_number
                && found.class == Class::PersonalData
                && !said
                && found.pointer.starts_with("/structuredContent")
                && !is_in_string(result, &found.pointer)
            {
                found.action = Action::Allow;
            }
        }
        labels.add(inspection.detections.iter().map(class_of).collect());
        if inspection.is_clean() { None } else { Some(judge(&inspector, &inspection, result, definition)) }
    }
}

fn is_protocol(pointer: &str) -> bool {
    PROTOCOL
        .iter()
        .any(|member| pointer.strip_prefix(member).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '!'])))
}

/// A result that nobody gets, and why.
const fn held_back(classes: Vec<(HarmClass, usize)>, note: String) -> ResultFound {
    ResultFound { action: InspectAction::Block, classes, redacted: None, note: Some(note), note_left_out: false }
}

fn judge(
    inspector: &Inspector,
    inspection: &Inspection,
    result: Value<'_>,
    definition: impl FnOnce() -> Option<Arc<str>>,
) -> ResultFound {
    let classes = counted(inspection);
    if let Some(why) = inspection.incomplete {
        let note = format!("it could not be inspected to the end ({})", why.as_str());
        return held_back(classes, note);
    }
    let strictest = inspection.detections.iter().map(|found| inspector.action(found)).max();
    let mut action = strictest.unwrap_or(InspectAction::Allow);
    let of = |wanted: &dyn Fn(InspectAction) -> bool| {
        let mut kinds: Vec<&str> = inspection
            .detections
            .iter()
            .filter(|found| wanted(inspector.action(found)))
            .map(|found| found.kind)
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds.truncate(8);
        kinds.join(", ")
    };
    // Nobody can be asked about what has happened.
    if action >= InspectAction::Ask {
        let kinds = of(&|action| action >= InspectAction::Ask);
        let note = format!("the policy does not let it pass, because it holds {kinds}");
        return held_back(classes, note);
    }
    let annotate = inspection.detections.iter().any(|found| inspector.action(found) == InspectAction::Annotate);
    let note = annotate.then(|| of(&|action| action == InspectAction::Annotate));
    if action != InspectAction::Redact {
        return ResultFound { action, classes, redacted: None, note, note_left_out: false };
    }
    let definition = definition();
    let mut tape = Tape::new();
    let schema = definition
        .as_deref()
        .and_then(|text| tape.parse(text.as_bytes(), &Limits { max_bytes: usize::MAX, ..Limits::default() }).ok())
        .and_then(|tool| tool.get("outputSchema"));
    let own = Inspection { detections: shifted(&inspection.detections, result.span().start), incomplete: None };
    match redact(result.raw(), &own, schema) {
        Ok(redaction) => {
            ResultFound { action, classes, redacted: Some(redaction.document), note, note_left_out: false }
        }
        Err(_) => {
            action = InspectAction::Block;
            let kinds = of(&|action| action == InspectAction::Redact);
            let note = format!("it holds {kinds}, which cannot be taken out of it so that its schema still holds");
            ResultFound { action, classes, redacted: None, note: Some(note), note_left_out: false }
        }
    }
}

fn counted(inspection: &Inspection) -> Vec<(HarmClass, usize)> {
    let count = |class: HarmClass| inspection.detections.iter().filter(|found| class_of(found) == class).count();
    HarmClass::ALL.iter().map(|class| (*class, count(*class))).filter(|(_, count)| *count > 0).collect()
}
