//! Random files, in a random order wrapped, edited elsewhere, wrapped otherwise and unwrapped: in the end every entry
//! has its very bytes, and what was edited is as edited.
//!
//! The oracle is the original text with the same edits. Edits replace marks that stand in unrelated values, in comments,
//! in arguments and in variables of entries, and between entries, where a whole new server is put.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

mod choices;
mod json;
mod toml;
mod yaml;

use proptest::prelude::{ProptestConfig, any, proptest};
use proptest::{collection, prop_assert_eq};
use thoth_endpoint::document::{Document, Format};
use thoth_endpoint::entry::Reason;
use thoth_endpoint::hosts::{HOSTS, Recognised, Shape, recognise};
use thoth_endpoint::rewrite::{Change, Rewrite};
use thoth_endpoint::unwrap::unwrap;
use thoth_endpoint::wrap::{WrapOptions, wrap};

use crate::choices::Choices;

/// A generated file, and the current state of it.
struct File {
    path: &'static str,
    original: String,
    text: String,
    shape: &'static Shape,
    format: Format,
    /// Why entries were left alone.
    refused: Vec<String>,
    new_servers: usize,
}

/// Stands for text that is edited; its first occurrences are numbered by [`File::edit`].
const MARK: &str = "@mark@";
/// Stands where a new server can be put.
const SLOT: &str = "@slot@";

impl File {
    fn new(path: &'static str, original: String) -> Self {
        let Some(Recognised { shape, format, .. }) = recognise(path, &original) else { panic!("{path}\n{original}") };
        Self { path, text: original.clone(), original, shape, format, refused: Vec::new(), new_servers: 0 }
    }

    fn document(&self) -> Document {
        Document::parse(self.format, self.text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{}", self.text))
    }

    fn change(&mut self, rewrite: Rewrite) {
        for outcome in rewrite.outcomes {
            if let Change::Skipped(Reason::Unwritable(why)) = outcome.change {
                self.refused.push(why);
            }
        }
        self.text = rewrite.text;
    }

    fn wrap(&mut self, choices: &mut Choices<'_>) {
        let options = options(choices);
        let rewrite = wrap(&self.document(), self.shape, &options).unwrap();
        self.change(rewrite);
        let again = wrap(&self.document(), self.shape, &options).unwrap();
        assert_eq!(again.text, self.text, "wrapping twice differs from wrapping once: {options:?}");
    }

    fn unwrap(&mut self, servers: &[String]) {
        let rewrite = unwrap(&self.document(), self.shape, servers).unwrap();
        self.change(rewrite);
    }

    /// Replaces one mark by some text, in both texts.
    fn edit(&mut self, choices: &mut Choices<'_>) {
        let count = self.original.matches(MARK).count();
        assert_eq!(self.text.matches(MARK).count(), count, "a mark was lost or doubled\n{}", self.text);
        if count == 0 {
            return;
        }
        let index = choices.below(count);
        let new = choices.of(&["", "x", "it's --", "longer than before: -- run", "thoth"]);
        // Marks keep their order: nothing that has one is moved.
        for text in [&mut self.original, &mut self.text] {
            let at = text.match_indices(MARK).nth(index).map(|(at, _)| at).unwrap();
            text.replace_range(at..at + MARK.len(), new);
        }
    }

    fn add_server(&mut self) {
        self.new_servers += 1;
        let server = match self.format {
            Format::Json => json::new_server(self.path, self.new_servers),
            Format::Toml => toml::new_server(self.new_servers),
            Format::Yaml => yaml::new_server(&self.original, self.path, self.new_servers),
        };
        for text in [&mut self.original, &mut self.text] {
            if let Some((before, _)) = text.split_once(SLOT) {
                // Before the comment that the slot is in.
                let at = match self.format {
                    Format::Json => before.len() - "/* ".len(),
                    Format::Toml | Format::Yaml => before.rfind('\n').map_or(0, |end| end + 1),
                };
                text.insert_str(at, &server);
            }
        }
    }
}

fn options(choices: &mut Choices<'_>) -> WrapOptions {
    let text = |text: &str| text.to_owned();
    let mut options = WrapOptions { default_agent: text(HOSTS[choices.below(3)].id), ..WrapOptions::default() };
    if choices.one_in(2) {
        options.tenant_id = Some(text(choices.of(&["acme", "ümlaut"])));
    }
    if choices.one_in(3) {
        options.thoth = Some(text(choices.of(&["/opt/thoth/bin/thoth", r"C:\Program Files\thoth.exe", "thoth"])));
    }
    if choices.one_in(3) {
        options.session_intent = Some(text(choices.of(&["support", "-x", "it's \"quoted\""])));
    }
    for name in ["A", "OURS", "PATH"] {
        if choices.one_in(3) {
            options.env.push((text(name), text(choices.of(&["", "1", "a: b # c", "\"'\\", "two\nlines"]))));
        }
    }
    if choices.one_in(4) {
        options.servers = vec![text(choices.of(&["s0", "s1", "new1"]))];
    }
    options
}

/// One random life of a file. Returns why entries were refused.
fn live(mut file: File, choices: &mut Choices<'_>) -> Vec<String> {
    file.document();
    for _ in 0..choices.below(7) {
        match choices.below(5) {
            0 | 1 => file.wrap(choices),
            2 => file.edit(choices),
            3 => file.add_server(),
            _ => file.unwrap(&[choices.of(&["s0", "s1", "s2"]).to_owned()]),
        }
        file.document();
    }
    file.wrap(choices);
    file.edit(choices);
    file.unwrap(&[]);
    assert_eq!(file.text, file.original);
    file.refused
}

/// What makes a file unusual wherever it comes to stand, or malformed.
const ODDITIES: [&str; 40] = [
    "\n",
    "\r\n",
    "\n\n",
    " ",
    "  ",
    "\t",
    "\u{feff}",
    "é",
    "# c\n",
    " # c",
    "// c\n",
    "/* c */",
    ",",
    ":",
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    "- ",
    "-",
    "? ",
    "&a ",
    "*a",
    "!!str ",
    "<<: *a\n",
    "|\n",
    ">-\n",
    "---\n",
    "...\n",
    "\\",
    "\"\"\"",
    "'''",
    "[[a]]\n",
    "[mcp_servers.s0.env]\n",
    "[mcp_servers.s1]\n",
    "mcp_servers.s0.env.Z = \"1\"\n",
    "a.b = 1\n",
    "\"a\": 1,",
];

/// The text with oddities, mostly between words, where they do least harm.
fn odd(mut text: String, choices: &mut Choices<'_>) -> String {
    for _ in 0..1 + choices.below(4) {
        let oddity = choices.of(&ODDITIES);
        let anywhere = choices.one_in(3);
        let is_place = |c: char| anywhere || matches!(c, '\n' | ' ' | ':' | '=' | ',');
        let places: Vec<usize> = text.char_indices().filter(|(_, c)| is_place(*c)).map(|(at, _)| at).collect();
        // Two bytes, so that every place of a long file can be chosen.
        let index = choices.below(256) * 256 + choices.below(256);
        let at = places.get(index % places.len().max(1)).copied().unwrap_or(text.len());
        text.insert_str(at, oddity);
    }
    text
}

/// The life of a file that may be written in any way at all. What is refused is left alone; nothing is damaged.
fn live_oddly(path: &'static str, text: String, choices: &mut Choices<'_>) {
    let Some(Recognised { format, .. }) = recognise(path, &text) else { return };
    if Document::parse(format, text.as_bytes()).is_err() {
        return;
    }
    let mut file = File::new(path, text);
    for _ in 0..1 + choices.below(3) {
        file.wrap(choices);
        if choices.one_in(3) {
            file.unwrap(&["s0".to_owned()]);
        }
    }
    file.unwrap(&[]);
    assert_eq!(file.text, file.original);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every JSON entry that has a command can be governed.
    #[test]
    fn json_files(bytes in collection::vec(any::<u8>(), 0..400)) {
        let mut choices = Choices::new(&bytes);
        let (path, text) = json::file(&mut choices);
        prop_assert_eq!(live(File::new(path, text), &mut choices), Vec::<String>::new());
    }

    #[test]
    fn toml_files(bytes in collection::vec(any::<u8>(), 0..400)) {
        let mut choices = Choices::new(&bytes);
        let (path, text) = toml::file(&mut choices);
        prop_assert_eq!(live(File::new(path, text), &mut choices), Vec::<String>::new());
    }

    #[test]
    fn yaml_files(bytes in collection::vec(any::<u8>(), 0..400)) {
        let mut choices = Choices::new(&bytes);
        let (path, text) = yaml::file(&mut choices);
        prop_assert_eq!(live(File::new(path, text), &mut choices), Vec::<String>::new());
    }

    #[test]
    fn odd_files(bytes in collection::vec(any::<u8>(), 0..400)) {
        let mut choices = Choices::new(&bytes);
        let (path, text) = match choices.below(3) {
            0 => json::file(&mut choices),
            1 => toml::file(&mut choices),
            _ => yaml::file(&mut choices),
        };
        let text = odd(text, &mut choices);
        live_oddly(path, text, &mut choices);
    }
}
