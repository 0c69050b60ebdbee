//! A YAML file as the pieces in which it was written, with its comments: for laying it out anew.

use std::sync::Arc;

use granit_parser::{Event, Options, Parser, ScalarStyle, StructureStyle};

use super::{At, MAX_DEPTH, MAX_NODES, place_of, syntax};
use crate::diagnostic::{Diagnostic, DiagnosticCode, File};

/// One piece of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where it stands; of collections, where they begin or end.
    pub at: At,
    /// What it is.
    pub kind: PieceKind,
    /// The name of the anchor before it.
    pub anchor: Option<Arc<str>>,
}

/// What a piece is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PieceKind {
    /// A single value.
    Scalar {
        /// What it stands for.
        text: Arc<str>,
        /// How it was written.
        style: ScalarNotation,
    },
    /// `*name`
    Alias,
    /// A list begins; whether in brackets.
    ListStart(bool),
    /// A list ends.
    ListEnd,
    /// A mapping begins; whether in braces.
    MapStart(bool),
    /// A mapping ends.
    MapEnd,
    /// A comment, from its `#` to the end of the line.
    Comment,
}

/// How a single value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarNotation {
    /// Without quotes.
    Plain,
    /// In quotes.
    Quoted,
    /// After `|` or `>`.
    Block,
}

/// The pieces of one file, in its order.
pub(crate) fn pieces(file: &Arc<File>) -> Result<Vec<Piece>, Box<Diagnostic>> {
    let mut options = Options::default();
    options.set_emit_comments(true);
    options.emit_anchor_events = true;
    options.max_buffered_comment_events = MAX_NODES;
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    let mut all: Vec<Piece> = Vec::new();
    for next in Parser::new_from_str_with_options(&file.text, options) {
        let (event, span) = next.map_err(|error| syntax(file, &error))?;
        let at = place_of(&span);
        let kind = match event {
            Event::Scalar(text, style, ..) => {
                let style = match style {
                    ScalarStyle::Plain => ScalarNotation::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => ScalarNotation::Quoted,
                    _ => ScalarNotation::Block,
                };
                PieceKind::Scalar { text: text.as_ref().into(), style }
            }
            Event::Alias(_) => PieceKind::Alias,
            Event::SequenceStart(style, ..) => PieceKind::ListStart(style == StructureStyle::Flow),
            Event::SequenceEnd => PieceKind::ListEnd,
            Event::MappingStart(style, ..) => PieceKind::MapStart(style == StructureStyle::Flow),
            Event::MappingEnd => PieceKind::MapEnd,
            Event::Comment(..) => PieceKind::Comment,
            Event::Anchor(_, name) => {
                if let Some(last) = all.last_mut() {
                    last.anchor = Some(name.as_ref().into());
                }
                continue;
            }
            Event::DocumentStart(_, Some(_)) => {
                let message = "a YAML directive, which policies do not use";
                return Err(Diagnostic::new(DiagnosticCode::Syntax, file, at, message).into());
            }
            _ => continue,
        };
        all.push(Piece { at, kind, anchor: None });
    }
    Ok(all)
}
