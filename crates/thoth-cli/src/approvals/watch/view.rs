//! The queue on a screen: from the state to cells, nothing else. Every text of a hold comes through `safe` or `page`.

use clap::builder::styling;
use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::state::{Drawn, Row, State};
use crate::approvals::page::{self, Detail};
use crate::approvals::times::between;
use thoth_shell::cells::{broken, cell, columns, cut};
use thoth_shell::terminal::{BAD, CARE, DIM, GOOD};

/// From this width on all columns are shown.
const WIDE: usize = 72;

/// The most lines that a question may take.
const QUESTION: usize = 4;

const HELP: &[&str] = &[
    "↑ ↓ or k j       another hold",
    "Enter or Space   read the details: then ↑ ↓ move them",
    "PgUp PgDn        move the details",
    "a                approve: this very call goes out once",
    "d                deny: this very call is refused for a while",
    "q                leave; whatever waits goes on waiting",
    "",
    "Names and arguments are the agent's. What is written as \\u{…} cannot be",
    "seen, moves other text, or looks like something else.",
];

/// Draws it, and says what was drawn.
pub(crate) fn draw(state: &mut State, now: Timestamp, area: Rect, buffer: &mut Buffer) -> Drawn {
    let width = usize::from(area.width);
    if area.height < 4 || width < 20 {
        put(buffer, area, 0, "too small", Style::new());
        return Drawn::default();
    }
    let status = status(state, width);
    let below = area.height - u16::try_from(status.len()).unwrap_or(1).min(area.height);
    for (y, (text, style)) in (below..area.height).zip(&status) {
        put(buffer, area, y, text, *style);
    }
    if state.help {
        put(buffer, area, 0, "Keys", of(GOOD));
        for (y, text) in (1..below).zip(HELP) {
            put(buffer, area, y, text, Style::new());
        }
        return Drawn::default();
    }
    let waiting = state.waiting();
    let title = match waiting {
        0 => "No calls wait for approval".to_owned(),
        1 => "1 call waits for approval".to_owned(),
        count => format!("{count} calls wait for approval"),
    };
    put(buffer, area, 0, &title, Style::new().add_modifier(Modifier::BOLD));
    let rows = rows_shown(state.rows.len(), below);
    draw_rows(state, now, area, rows, buffer);
    let top = 1 + rows;
    let question = state.question.as_ref().is_some_and(|question| broken(&question.text, width).len() <= QUESTION);
    let Some(row) = state.current() else { return Drawn { question, ..Drawn::default() } };
    let token = row.hold.token.clone();
    let mut facts = page::facts(&row.hold, now, width, Detail::Brief).lines;
    if let Some((_, style, what)) = &row.over {
        facts.insert(0, page::PageLine { text: what.clone(), style: *style });
    }
    let room = usize::from(below.saturating_sub(top + 1));
    let lines = facts.len() + state.arguments(width).len();
    let scroll = state.scroll.min(lines.saturating_sub(room));
    let shown = if lines <= room {
        String::new()
    } else {
        format!(", lines {}-{} of {lines}", scroll + 1, (scroll + room).min(lines))
    };
    let rule = format!("── {}{shown} {}", token.short(), "─".repeat(width));
    put(buffer, area, top, &rule, if state.reads { of(GOOD) } else { of(DIM) });
    let arguments = state.arguments(width);
    for (y, line) in (top + 1..below).zip(facts.iter().chain(arguments).skip(scroll)) {
        put(buffer, area, y, &line.text, of(line.style));
    }
    Drawn { hold: Some(token), question, room, lines }
}

/// How many rows of the queue there is room for: a third of the screen at most, and at least two.
fn rows_shown(rows: usize, height: u16) -> u16 {
    u16::try_from(rows).unwrap_or(u16::MAX).min((height / 3).max(2))
}

fn draw_rows(state: &State, now: Timestamp, area: Rect, rows: u16, buffer: &mut Buffer) {
    let selected = state.position();
    let first = (selected + 1).saturating_sub(usize::from(rows));
    for (y, (index, row)) in (1..=rows).zip(state.rows.iter().enumerate().skip(first)) {
        let mut style = match (&row.over, row.new_until) {
            (Some((_, style, _)), _) => of(*style).add_modifier(Modifier::DIM),
            (None, Some(_)) => of(CARE).add_modifier(Modifier::BOLD),
            (None, None) => of(page::risk_style(row.hold.why.risk)).remove_modifier(Modifier::DIM),
        };
        if index == selected {
            style = style.add_modifier(Modifier::REVERSED);
        }
        let text = row_text(row, now, usize::from(area.width), index == selected);
        put(buffer, area, y, &format!("{text:width$}", width = usize::from(area.width)), style);
    }
}

fn row_text(row: &Row, now: Timestamp, width: usize, selected: bool) -> String {
    let hold = &row.hold;
    let mark = if selected {
        '>'
    } else if row.new_until.is_some() {
        '*'
    } else {
        ' '
    };
    let odd = if row.strange { '!' } else { ' ' };
    let (tool, server) = (&*hold.tool, hold.caller.server.as_str());
    if let Some((_, _, what)) = &row.over {
        let text = format!("{mark}{odd}{} {what}: {} on {}", hold.token.short(), cell(tool, 24), cell(server, 16));
        return cut(&text, width);
    }
    let (age, ends) = (between(hold.created_at, now), between(now, hold.ends_at));
    if width < WIDE {
        // Age and end, tool and server: what is left of 40 columns.
        let room = width.saturating_sub(2 + 8 + 8 + 2);
        let short =
            format!("{mark}{odd}{age:>7} {ends:>7} {} {}", cell(tool, room * 3 / 5), cell(server, room * 2 / 5));
        return cut(&short, width);
    }
    let risk = hold.why.risk.to_string();
    let room = width.saturating_sub(2 + 9 + 8 + 8 + 9 + 3) / 3;
    let agent = hold.caller.agent.as_ref().map_or_else(|| "-".to_owned(), |agent| cell(agent.as_str(), room));
    let (tool, server) = (cell(tool, room), cell(server, room));
    let id = hold.token.short();
    let text = format!(
        "{mark}{odd}{id} {age:>7} {ends:>7} {risk:8} {} {} {}",
        padded(&tool, room),
        padded(&server, room),
        padded(&agent, room)
    );
    cut(&text, width)
}

/// A cell with blanks after it, by the width that it may take.
fn padded(text: &str, width: usize) -> String {
    let blanks = width.saturating_sub(columns(text));
    format!("{text}{}", " ".repeat(blanks))
}

/// The lines at the bottom: the question, a message, or the keys.
fn status(state: &State, width: usize) -> Vec<(String, Style)> {
    if let Some(question) = &state.question {
        let style = of(if question.approves { CARE } else { BAD }).add_modifier(Modifier::REVERSED);
        // One that does not fit is cut, and then it does not count as shown.
        let mut lines = broken(&question.text, width);
        lines.truncate(QUESTION);
        return lines.into_iter().map(|line| (line, style)).collect();
    }
    if let Some((style, text)) = state.message() {
        let mut lines = broken(text, width);
        lines.truncate(QUESTION);
        return lines.into_iter().map(|line| (line, of(style))).collect();
    }
    let keys = if width < WIDE {
        "a approve  d deny  ? help  q quit"
    } else {
        "↑↓ select  Enter read  PgUp/PgDn move  a approve  d deny  ? help  q quit"
    };
    vec![(keys.to_owned(), of(DIM))]
}

fn put(buffer: &mut Buffer, area: Rect, y: u16, text: &str, style: Style) {
    buffer.set_stringn(area.x, area.y.saturating_add(y), text, usize::from(area.width), style);
}

/// The screen's word for a style of the command line.
fn of(style: styling::Style) -> Style {
    match style {
        GOOD => Style::new().fg(Color::Green),
        BAD => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        CARE => Style::new().fg(Color::Yellow),
        DIM => Style::new().add_modifier(Modifier::DIM),
        _ => Style::new(),
    }
}
