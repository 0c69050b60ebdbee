//! The section `progressive`.

use crate::diagnostic::DiagnosticCode;
use crate::progressive::{ProgressiveDraft, ProgressiveScope};
use crate::read::Reader;
use crate::read::time::MOST_SECONDS;
use crate::yaml::Node;

/// Whoever wants more wants another mode.
const MOST: u32 = 1_000;
/// A shorter window would forget violations before the next one.
const LEAST_WINDOW: u32 = 60;

impl Reader<'_> {
    pub(crate) fn progressive(&mut self, node: &Node) -> ProgressiveDraft {
        let mut draft = ProgressiveDraft::default();
        for (key, value) in self.fields(node, "`progressive`", &["warn", "ask", "per", "window"]) {
            match &*key.text {
                "warn" => draft.warn = self.threshold(value, "`warn`"),
                "ask" => draft.ask = self.threshold(value, "`ask`"),
                "per" => draft.per = self.progressive_scope(value),
                _ => draft.window_seconds = self.seconds(value, "`window`", LEAST_WINDOW, MOST_SECONDS),
            }
        }
        draft
    }

    fn threshold(&mut self, node: &Node, what: &str) -> Option<u32> {
        self.whole(node, what, 0, MOST.into()).and_then(|number| u32::try_from(number).ok())
    }

    fn progressive_scope(&mut self, node: &Node) -> Option<ProgressiveScope> {
        let text = self.text(node, "`per`")?;
        let all = [ProgressiveScope::Session, ProgressiveScope::Agent];
        let found = all.into_iter().find(|scope| scope.as_str() == &**text);
        if found.is_none() {
            let message = format!("no thresholds per `{text}`");
            self.unknown(DiagnosticCode::BadValue, node.at, &message, text, &all.map(ProgressiveScope::as_str));
        }
        found
    }
}
