//! The one layout of policy files: two spaces a level, single spaces, no more than one blank line, comments where they
//! were.
//!
//! Words, quotes, and the order of everything stay as they are. [`lay_out`] refuses rather than lose a comment or change
//! what a file means: it reads what it wrote and compares.

mod tree;
mod write;

use thoth_policy::LoadError;
use thoth_policy::document::{self, Content, Node, PieceKind};
use thoth_types::Place;

/// Why a file is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// It is not YAML that policies use.
    #[error("{0}")]
    Invalid(LoadError),
    /// It has something that has no place in the layout.
    #[error("{place}: {what}, which the layout does not know; write it otherwise")]
    Unknown {
        /// Where.
        place: Place,
        /// What.
        what: &'static str,
    },
    /// It would not be the same any more.
    #[error("`{file}` is left as it is: laid out, {what}; please report this file")]
    Differs {
        /// The file.
        file: String,
        /// In what way.
        what: &'static str,
    },
}

/// How often a file is laid out until nothing changes.
const MOST_STEPS: usize = 3;

/// The file laid out.
///
/// # Errors
/// When it cannot be read, or would lose a comment or its meaning.
pub fn lay_out(name: &str, bytes: &[u8]) -> Result<String, LayoutError> {
    let differs = |what| LayoutError::Differs { file: name.to_owned(), what };
    let mut text = arrange(name, bytes)?;
    // A comment in an odd place may need a second step to where it belongs.
    let mut steps = 0;
    loop {
        let next = arrange(name, text.as_bytes())?;
        if next == text {
            break;
        }
        steps += 1;
        if steps > MOST_STEPS {
            return Err(differs("it would change again the next time"));
        }
        text = next;
    }
    if !same(&meaning(name, bytes)?, &meaning(name, text.as_bytes())?) {
        return Err(differs("it would mean something else"));
    }
    if comments(name, bytes)? != comments(name, text.as_bytes())? {
        return Err(differs("a comment would be lost"));
    }
    Ok(text)
}

/// Whether the file is a policy or a test file: nobody is told that a file is in order that nothing would load.
///
/// # Errors
/// What is wrong with it, as what it looks like.
pub fn known(name: &str, bytes: &[u8]) -> Result<(), LoadError> {
    let tests = document::read(name, bytes.to_vec(), |_, root| {
        let Some(Content::Map(entries)) = root.map(|root| &root.content) else { return false };
        entries.iter().any(|(key, _)| matches!(&*key.text, "tests" | "invariants"))
    })?;
    if tests {
        crate::suite::read(name, bytes.to_vec()).map(drop)
    } else {
        document::check_policy(name, bytes.to_vec())
    }
}

fn arrange(name: &str, bytes: &[u8]) -> Result<String, LayoutError> {
    let (text, pieces) = document::pieces(name, bytes.to_vec()).map_err(LayoutError::Invalid)?;
    Ok(write::write(&tree::build(name, &text, pieces)?))
}

fn meaning(name: &str, bytes: &[u8]) -> Result<Option<Node>, LayoutError> {
    document::read(name, bytes.to_vec(), |_, root| root.cloned()).map_err(LayoutError::Invalid)
}

/// All comments, sorted: where one stands between two things, either may keep it.
fn comments(name: &str, bytes: &[u8]) -> Result<Vec<String>, LayoutError> {
    let (text, pieces) = document::pieces(name, bytes.to_vec()).map_err(LayoutError::Invalid)?;
    let own = pieces.iter().filter(|piece| piece.kind == PieceKind::Comment);
    let mut all: Vec<String> = own
        .filter_map(|piece| text.get(piece.at.start..piece.at.end))
        .map(|own| own.trim_end_matches(tree::SPACE).to_owned())
        .collect();
    all.sort();
    Ok(all)
}

/// Whether two files say the same, wherever it stands in them.
fn same(one: &Option<Node>, other: &Option<Node>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => same_node(one, other),
        (None, None) => true,
        // A file without anything and one that says so.
        (Some(node), None) | (None, Some(node)) => node.is_null(),
    }
}

// Recursion is bounded by the depth of YAML files.
fn same_node(one: &Node, other: &Node) -> bool {
    match (&one.content, &other.content) {
        (Content::Scalar { text, plain }, Content::Scalar { text: other_text, plain: other_plain }) => {
            // Several words are a text with and without quotes.
            text == other_text && (plain == other_plain || text.contains([' ', '\n']))
        }
        (Content::List(one), Content::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_node(one, other))
        }
        (Content::Map(one), Content::Map(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|((key, one), (other_key, other))| key.text == other_key.text && same_node(one, other))
        }
        _ => false,
    }
}
