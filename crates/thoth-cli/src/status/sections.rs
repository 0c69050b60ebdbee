//! The sections of what `thoth status` says, under their headings.

use clap::builder::styling::Style;

use crate::rewriting::by_remedy;
use thoth_shell::terminal::{DIM, harmless_text, styled};

/// A heading that is written before the first item below it.
pub(super) struct Heading(Option<&'static str>);

impl Heading {
    pub(super) const fn new(text: &'static str) -> Self {
        Self(Some(text))
    }

    /// Items and what to do about them; said once for all that it holds for.
    pub(super) fn items(mut self, text: &mut String, style: Style, items: Vec<(String, String)>) {
        for (whats, how) in by_remedy(items) {
            whats.iter().for_each(|what| self.item(text, style, what, None));
            remedy(text, &how);
        }
    }

    pub(super) fn item(&mut self, text: &mut String, style: Style, what: &str, how: Option<&str>) {
        if let Some(heading) = self.0.take() {
            let gap = if text.is_empty() { "" } else { "\n" };
            say(text, format_args!("{gap}{}", styled(style, heading)));
        }
        say(text, format_args!("  {}", harmless_text(what)));
        if let Some(how) = how {
            remedy(text, how);
        }
    }
}

pub(super) fn say(text: &mut String, what: impl std::fmt::Display) {
    text.push_str(&format!("{what}\n"));
}

pub(super) fn remedy(text: &mut String, how: &str) {
    say(text, styled(DIM, format_args!("    -> {}", harmless_text(how))));
}
