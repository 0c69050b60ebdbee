//! What the server says of itself and of what it offers, on its way to the client: each definition is looked at first, and
//! what is not in order stays here.
//!
//! INVARIANT: where nothing is kept back, not one byte of the server's message changes.

use thoth_mcp::{
    Edit, Listing, ListingPage, Response, ToolsListResult, push_json_string, without_caching, without_elements,
    without_members,
};
use thoth_policy::Shown as ShownTools;
use thoth_scan::fingerprint;
use thoth_types::{Fingerprint, Integrity, ItemKind, PinState};

use super::Inspection;
use crate::clock;
use crate::offers::Page;
use crate::warden::Shown;

/// Names that may stand in a note to a model as they are.
const MAX_PLAIN_NAME: usize = 128;

const fn kind_of(listing: Listing) -> ItemKind {
    match listing {
        Listing::Prompts => ItemKind::Prompt,
        Listing::Resources => ItemKind::Resource,
        Listing::Templates => ItemKind::ResourceTemplate,
    }
}

impl Inspection<'_> {
    /// One page of tools.
    pub(super) fn tools(&mut self, response: &Response<'_>, page: &ToolsListResult<'_>, first: bool) {
        let now = clock::now().monotonic_us;
        let take = |tools| Page { tools, first, last: page.next_cursor.is_none(), ttl_ms: page.ttl_ms };
        let Some(warden) = self.session.warden() else {
            let names = page.tools.iter().map(|tool| (tool.name.to_string(), None)).collect();
            self.listed = self.session.take_page(take(names), now).or(self.listed);
            return;
        };
        let shown = |tool: &thoth_mcp::ToolEntry<'_>| Shown {
            name: tool.name.to_string().into(),
            fingerprint: fingerprint::of_definition(ItemKind::Tool, tool.definition),
        };
        let shown: Vec<Shown<'_>> = page.tools.iter().map(shown).collect();
        let (known, suspects) = warden.judge_tools(&shown, first);
        for suspect in suspects {
            // The client has seen it, as no page can be taken back; calls of it are decided by what is known now.
            let before = self.session.lock().offers.of(&suspect.name, now).1.cloned();
            if let Some(again) = before.and_then(|known| warden.judge_again(&suspect, &known)) {
                self.session.lock().offers.update(&suspect.name, &again);
            }
        }
        let rules = warden.rules();
        let hidden: Vec<bool> = known.iter().map(|known| rules.refuses(&known.integrity)).collect();
        if hidden.contains(&true) {
            let is_hidden = |at: usize| hidden.get(at).copied().unwrap_or(true);
            let mut notes = Vec::new();
            if rules.quarantined_tools == ShownTools::Annotate {
                notes = page.tools.iter().zip(&known).map(|(tool, known)| note(&tool.name, &known.integrity)).collect();
            }
            let noted = |at: usize| notes.get(at).and_then(Option::as_ref);
            for (at, tool) in page.tools.iter().enumerate().filter(|(at, _)| is_hidden(*at)) {
                let with = noted(at).cloned();
                self.edits.extend(with.map(|with| Edit { span: tool.definition.span(), with }));
            }
            without_elements(page.list, |at| is_hidden(at) && noted(at).is_none(), &mut self.edits);
            response.result().into_iter().for_each(|result| without_caching(result, &mut self.edits));
        }
        let tools = shown.into_iter().zip(known).map(|(shown, known)| (shown.name.into_owned(), Some(known)));
        self.listed = self.session.take_page(take(tools.collect()), now).or(self.listed);
    }

    /// One page of prompts, resources or templates.
    pub(super) fn listing(
        &mut self,
        response: &Response<'_>,
        (listing, first): (Listing, bool),
        page: &ListingPage<'_>,
    ) {
        let Some(warden) = self.session.warden() else { return };
        let kind = kind_of(listing);
        let shown = |item: &thoth_mcp::ListedItem<'_>| Shown {
            name: item.name.to_string().into(),
            fingerprint: fingerprint::of_definition(kind, item.definition),
        };
        let shown: Vec<Shown<'_>> = page.items.iter().map(shown).collect();
        // Resources come and go, so that a change of one says nothing: they are only scanned.
        let known = match listing {
            Listing::Resources => warden.glance(kind, &shown),
            _ => warden.judge(kind, &shown),
        };
        let rules = warden.rules();
        let withheld: Vec<bool> = known.iter().map(|known| rules.withholds(&known.integrity)).collect();
        let mut state = self.session.lock();
        if first {
            state.shelf.begin(kind);
        }
        for ((shown, known), withheld) in shown.into_iter().zip(known).zip(&withheld) {
            match listing {
                Listing::Prompts => state.shelf.put_prompt(shown.name.into_owned(), known),
                Listing::Resources => state.shelf.put_resource(shown.name.into_owned(), *withheld),
                Listing::Templates => {}
            }
        }
        drop(state);
        if withheld.contains(&true) {
            without_elements(page.list, |at| withheld.get(at).copied().unwrap_or(true), &mut self.edits);
            response.result().into_iter().for_each(|result| without_caching(result, &mut self.edits));
        }
    }

    /// The server's instructions for the model.
    pub(super) fn instructions(&mut self, response: &Response<'_>, text: Option<&str>) {
        let (Some(warden), Some(text), Some(result)) = (self.session.warden(), text, response.result()) else { return };
        let fingerprint: Fingerprint = fingerprint::of_text("instructions", text);
        let known = warden.judge(ItemKind::Instructions, &[Shown { name: "".into(), fingerprint }]);
        let rules = warden.rules();
        if known.iter().any(|known| rules.withholds(&known.integrity)) {
            without_members(result, |key| key == "instructions", &mut self.edits);
            without_caching(result, &mut self.edits);
        }
    }
}

/// What the client sees in the place of a tool whose calls are refused: nothing of what the server says but its name.
/// `None` for a name that could say something itself.
fn note(name: &str, known: &Integrity) -> Option<Vec<u8>> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/');
    if name.is_empty() || name.len() > MAX_PLAIN_NAME || !name.bytes().all(plain) {
        return None;
    }
    let why = match known.pin {
        _ if known.problem.is_some() => "it cannot be told whether it is the tool that was approved",
        Some(PinState::Quarantined) => "it is not the tool that was approved",
        Some(PinState::Revoked) => "its approval was taken back",
        Some(PinState::Pending) => "nobody has approved it yet",
        _ => "its definition looks like an attack",
    };
    let text = format!("Thoth refuses calls of this tool: {why}. A person can look at it with `thoth pins show`.");
    let mut out = b"{\"name\":".to_vec();
    push_json_string(&mut out, name);
    out.extend_from_slice(b",\"description\":");
    push_json_string(&mut out, &text);
    out.extend_from_slice(b",\"inputSchema\":{\"type\":\"object\"}}");
    Some(out)
}
