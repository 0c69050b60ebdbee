//! From one line to a frame, or to the reason why not.

use thoth_types::json::{Kind, Limits, Tape, Value};

use crate::envelope;
use crate::fault::Fault;
use crate::message::{Direction, Frame, Message};
use crate::refusal::{Refusal, RefusalCode};
use crate::rescue;

/// The longest batch that is accepted, in messages.
pub const MAX_BATCH: usize = 256;

/// What to do with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BatchRule {
    /// Refuse it: no revision but 2025-03-26 has batches.
    Refuse,
    /// Decode its elements, each under the same rules. One bad element refuses the whole batch.
    Accept,
}

impl BatchRule {
    /// The rule for a session that negotiated this protocol revision.
    #[must_use]
    pub fn for_revision(revision: &str) -> Self {
        if revision == "2025-03-26" { Self::Accept } else { Self::Refuse }
    }
}

/// Decodes one line at a time; keeps its room between lines.
#[derive(Debug, Default)]
pub struct Decoder {
    tape: Tape,
    limits: Limits,
}

impl Decoder {
    /// A decoder that accepts documents within `limits`.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self { tape: Tape::new(), limits }
    }

    /// Decodes the body of one line, its line end already cut off.
    ///
    /// # Errors
    /// When the line is anything that two readers could understand differently, or no MCP message. Nothing of a
    /// refused line may be forwarded.
    pub fn decode<'d>(
        &'d mut self,
        body: &'d [u8],
        direction: Direction,
        batch: BatchRule,
    ) -> Result<Frame<'d>, Refusal> {
        decode(&mut self.tape, &self.limits, body, direction, batch)
            .map_err(|fault| rescue::refuse(fault, body, batch, &self.limits))
    }
}

fn decode<'d>(
    tape: &'d mut Tape,
    limits: &Limits,
    body: &'d [u8],
    direction: Direction,
    batch: BatchRule,
) -> Result<Frame<'d>, Fault> {
    // Anywhere but before the newline, some peers end a line at a carriage return and read what follows as another
    // message. A newline cannot come out of a `FrameBuffer`, but bodies may come from elsewhere.
    if let Some(offset) = memchr::memchr2(b'\r', b'\n', body) {
        let code = match body.get(offset) {
            Some(b'\r') => RefusalCode::BareCarriageReturn,
            _ => RefusalCode::NewlineInside,
        };
        return Err(Fault::new(code, offset));
    }
    let document = tape.parse(body, limits)?;
    if document.kind() != Kind::Array {
        return envelope::read(document, direction).map(Frame::One);
    }
    if batch == BatchRule::Refuse {
        return Err(Fault::at(RefusalCode::BatchNotNegotiated, document));
    }
    elements(document, direction).map(Frame::Batch)
}

fn elements(document: Value<'_>, direction: Direction) -> Result<Vec<Message<'_>>, Fault> {
    let mut messages = Vec::new();
    let mut ids = Vec::new();
    for element in document.elements() {
        if messages.len() == MAX_BATCH {
            return Err(Fault::at(RefusalCode::BatchTooLong, element));
        }
        let message = envelope::read(element, direction)?;
        if let Message::Request(request) = &message {
            ids.push((request.id.key(), element.span().start));
        }
        messages.push(message);
    }
    if messages.is_empty() {
        return Err(Fault::at(RefusalCode::BatchEmpty, document));
    }
    ids.sort_unstable();
    ids.windows(2).try_for_each(|pair| match pair {
        [(a, _), (b, offset)] if a == b => Err(Fault::new(RefusalCode::BatchIdReused, *offset)),
        _ => Ok(()),
    })?;
    Ok(messages)
}
