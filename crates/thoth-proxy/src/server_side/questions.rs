//! What the server puts to the user or to the host's model: elicitation and sampling, as requests of its own in the legacy
//! era, and inside of answers and of what is told of tasks in the modern one. Nobody can be asked about a question, so that
//! one that the policy does not let pass goes nowhere.

use std::collections::HashSet;

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

/// The most of neighbouring texts that is read as one, in bytes: half of what the scanner reads of one text.
const MAX_ROW: usize = 64 * 1024;

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

    /// Questions that come in the place of a result.
    pub(super) fn questions(&self, response: &Response<'_>) -> Result<(), Refusal> {
        match response.input_requests()? {
            Some(asked) if self.asks_wrongly(asked) => Err(response.refuse(RefusalCode::Withheld, 0)),
            _ => Ok(()),
        }
    }

    /// Questions that the error in an answer demands, whatever it answers.
    pub(super) fn demanded(&self, response: &Response<'_>) -> Result<(), Refusal> {
        match response.error() {
            Some(error) if self.demands_wrongly(error) => Err(response.refuse(RefusalCode::Withheld, 0)),
            _ => Ok(()),
        }
    }

    /// Whether any question that an error demands (revision 2025-11-25) may go nowhere.
    pub(super) fn demands_wrongly(&self, error: Value<'_>) -> bool {
        let demanded = error.get("data").and_then(|data| data.get("elicitations"));
        demanded.is_some_and(|demanded| self.asks_wrongly(demanded))
    }

    /// Whether any of these questions may go nowhere.
    pub(super) fn asks_wrongly(&self, questions: Value<'_>) -> bool {
        let refused = |question: Value<'_>| {
            let method = question.get("method").and_then(|method| method.as_str());
            self.is_refused(method.as_deref().unwrap_or("elicitation/create"), question)
        };
        questions.members().map(|(_, question)| question).chain(questions.elements()).any(refused)
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

/// What a question says, as far as it is read.
#[derive(Default)]
struct Texts {
    found: Vec<String>,
    /// Names, each once: schemas repeat theirs.
    names: HashSet<String>,
    bytes: usize,
    too_much: bool,
}

impl Texts {
    /// Every text and name at any depth but the content of images and the like. The depth is bounded by the parser.
    fn gather(&mut self, value: Value<'_>) {
        match value.kind() {
            Kind::String => self.text(value.as_str().unwrap_or_default().into_owned()),
            Kind::Array => {
                value.elements().for_each(|element| self.gather(element));
                self.joined(value);
            }
            Kind::Object => {
                // A form may have fields of these names, which are no texts but objects.
                let is_text = |value: Value<'_>| value.kind() == Kind::String;
                let is_blob = value.get("mimeType").is_some_and(is_text);
                for (key, member) in value.members() {
                    if !(is_blob && is_text(member) && (key.is_str("data") || key.is_str("blob"))) {
                        self.name(&key.as_str().unwrap_or_default());
                        self.gather(member);
                    }
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: String) {
        self.bytes += text.len();
        if self.found.len() >= MAX_TEXTS || self.bytes > MAX_BYTES {
            self.too_much = true;
        } else {
            self.found.push(text);
        }
    }

    /// A name is shown to whoever answers, too.
    fn name(&mut self, name: &str) {
        if !self.names.contains(name) {
            self.names.insert(name.to_owned());
            self.text(name.to_owned());
        }
    }

    /// Blocks of text that stand beside each other are read as one, too: so does a model. They were counted already.
    fn joined(&mut self, blocks: Value<'_>) {
        let mut row = String::new();
        let mut count = 0;
        for block in blocks.elements() {
            let text = block.get("text").and_then(|text| text.as_str());
            let fits = text.as_ref().is_some_and(|text| row.len() + text.len() < MAX_ROW);
            if !fits {
                self.row(&mut row, count);
                count = 0;
            }
            if let Some(text) = text.filter(|text| text.len() < MAX_ROW) {
                row.push_str(&text);
                row.push('\n');
                count += 1;
            }
        }
        self.row(&mut row, count);
    }

    fn row(&mut self, row: &mut String, count: usize) {
        let row = std::mem::take(row);
        if count > 1 && !self.too_much {
            self.found.push(row);
        }
    }
}
