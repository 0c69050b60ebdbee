//! What the server puts to the user or to the host's model: elicitation and sampling, as requests of its own in the legacy
//! era and inside of answers in the modern one. Nobody can be asked about a question, so that one that the policy does
//! not let pass goes nowhere.

use thoth_audit::EventType;
use thoth_mcp::{Refusal, RefusalCode, Request, Response};
use thoth_types::display::harmless;
use thoth_types::json::{Kind, Value};
use thoth_types::{Reaction, Severity, Threat};

use super::{Incident, Inspection, note};
use crate::notices::say;
use crate::scanning::scan_message;

/// Texts of one question that are read, and their bytes in all. A question of more cannot be judged, and does not pass.
const MAX_TEXTS: usize = 4096;
const MAX_BYTES: usize = 1 << 20;

/// Methods whose parameters are read by a person or a model.
const QUESTIONS: [&str; 2] = ["elicitation/create", "sampling/createMessage"];

impl Inspection<'_> {
    /// A question as a request of the server.
    pub(super) fn question(&self, request: &Request<'_>) -> Result<(), Refusal> {
        match request.params {
            Some(params) if QUESTIONS.contains(&&*request.method) && self.is_refused(&request.method, params) => {
                Err(request.refuse(RefusalCode::Withheld, 0))
            }
            _ => Ok(()),
        }
    }

    /// Questions in the answer to a call.
    pub(super) fn questions(&self, response: &Response<'_>, questions: Option<Value<'_>>) -> Result<(), Refusal> {
        let Some(questions) = questions else { return Ok(()) };
        let refused = |question: Value<'_>| {
            let method = question.get("method").and_then(|method| method.as_str()).unwrap_or_default();
            self.is_refused(&method, question)
        };
        if questions.members().any(|(_, question)| refused(question)) {
            return Err(response.refuse(RefusalCode::Withheld, 0));
        }
        Ok(())
    }

    fn is_refused(&self, method: &str, question: Value<'_>) -> bool {
        let Some(warden) = self.session.warden() else { return false };
        let rules = warden.rules();
        let mut texts = Texts::default();
        texts.gather(question);
        let mut worst: Option<Threat> = texts.too_much.then(|| Threat {
            severity: Severity::Critical,
            rule: "too_large".into(),
            message: "it has more text than is read".into(),
        });
        for threat in texts.found.iter().flat_map(|text| scan_message(text)) {
            if worst.as_ref().is_none_or(|known| threat.severity > known.severity) {
                worst = Some(threat);
            }
        }
        let Some(Threat { severity, rule, message }) = worst.filter(|worst| worst.severity >= Severity::Warning) else {
            return false;
        };
        let refused = rules.on(severity) > Reaction::Allow;
        let what = if refused { "a question of the server was kept back" } else { "a question of the server" };
        let detail = harmless(&format!("{what}, {method}: {severity}: {message} ({rule})"));
        note(self.gate, self.caller, &Incident { kind: EventType::ToolFlagged, detail: &detail, refusal: None });
        if refused {
            say(&detail);
        }
        refused
    }
}

#[derive(Default)]
struct Texts {
    found: Vec<String>,
    bytes: usize,
    too_much: bool,
}

impl Texts {
    /// Every text at any depth but those of images and the like. The depth is bounded by the parser.
    fn gather(&mut self, value: Value<'_>) {
        match value.kind() {
            Kind::String => {
                let text = value.as_str().unwrap_or_default();
                self.bytes += text.len();
                if self.found.len() >= MAX_TEXTS || self.bytes > MAX_BYTES {
                    self.too_much = true;
                } else {
                    self.found.push(text.into_owned());
                }
            }
            Kind::Array => value.elements().for_each(|element| self.gather(element)),
            Kind::Object => {
                let is_blob = value.get("mimeType").is_some();
                for (key, member) in value.members() {
                    if !(is_blob && (key.is_str("data") || key.is_str("blob"))) {
                        self.gather(member);
                    }
                }
            }
            _ => {}
        }
    }
}
