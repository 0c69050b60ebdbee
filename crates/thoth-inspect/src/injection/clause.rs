//! What one clause does: which signs of an instruction to a model its words show, and how strongly.
//!
//! Every sign alone is weaker than the threshold, unless it has no innocent reading. Points add up over neighbouring
//! clauses, each family of signs once.

use super::layout::LazyLayout;
use super::lexicon::{
    ACT, AGENT, ALL, AUTHORITY, BECOME, BELONGINGS, BREAK, CALL, CALLED, CAPITAL, CODE, COMMA, COVERT, DISABLE,
    DISABLED, FIRST, FULFIL, GLYPH, GUARD, INVOKE, LEAK, LOUD, MENTION, MODEL, MUST, Meaning, NAME, NEW, NOT, NUMBER,
    OBEY, OVERRIDE, PLACE, PRECEDE, PRIOR, PROCESS, QUESTION, QUOTED, RESPONSE, RULES, SAY, SECRET, SELF, SHAPE,
    SOFTENER, SPEAKER, SYSTEM, TAG, TASK, TELL, TEMPLATE, THAT, THIS, TODO, TOOL, USER, WORK, YOU, YOUR,
};
use super::token::Clause;

/// A family of signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Sets aside what the model was told.
    Override,
    /// Claims to outrank it.
    Precedence,
    /// Delimiters of roles: templates.
    Template,
    /// Labels of authority.
    Label,
    /// Addresses the model.
    Address,
    /// Brings a new task.
    Task,
    /// Pretends to be the user.
    Impersonation,
    /// Directs to a tool.
    Tool,
    /// Demands obedience.
    Obedience,
    /// Demands secrecy.
    Secrecy,
    /// Gives away what is secret.
    Leak,
    /// Switches protection off.
    Disarm,
    /// Shapes what the model says.
    Shape,
    /// Plants code.
    Code,
    /// Wants an action done.
    Action,
    /// Does not belong where it stands.
    Foreign,
    /// Code that does harm.
    Harm,
    /// A note of work to do.
    Note,
}

/// How many families there are.
pub(super) const FAMILIES: usize = 18;

/// One sign and its points.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sign {
    pub(super) family: Family,
    pub(super) points: u8,
}

/// What is known about the text around a clause.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'l, 'v> {
    /// How the whole text is laid out.
    pub(super) layout: &'l LazyLayout<'v>,
    /// The line is a comment in a program.
    pub(super) comment: bool,
    /// A note of work to do opens the line, or stands in the middle of it.
    pub(super) todo: Todo,
}

/// Where a note of work to do stands, whose words follow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Todo {
    /// Nowhere.
    #[default]
    None,
    /// At the beginning of a line, as programmers write it.
    Line,
    /// After other words, as nobody does.
    Within,
}

/// A clause and quick looks into it.
struct Look<'c> {
    clause: &'c Clause,
}

impl Look<'_> {
    fn has(&self, meaning: Meaning) -> bool {
        self.clause.all & meaning != 0
    }

    fn at(&self, place: usize) -> Meaning {
        self.clause.tokens.get(place).map_or(0, |token| token.meaning)
    }

    /// Where the clause opens: behind the last mark after its first few words, if there is one.
    fn first(&self) -> usize {
        if !self.has(BREAK) {
            return 0;
        }
        let head = self.clause.tokens.iter().take(4).enumerate();
        head.rev().find(|(_, token)| token.meaning & BREAK != 0).map_or(0, |(at, _)| at)
    }

    /// The first word from `from` on, within `reach`, that has the meaning.
    fn find(&self, from: usize, reach: usize, meaning: Meaning) -> Option<usize> {
        if !self.has(meaning) {
            return None;
        }
        let tokens = self.clause.tokens.iter().enumerate().skip(from).take(reach);
        tokens.into_iter().find(|(_, token)| token.meaning & meaning != 0).map(|(at, _)| at)
    }

    fn count(&self, meaning: Meaning) -> usize {
        self.clause.tokens.iter().filter(|token| token.meaning & meaning != 0).count()
    }

    /// A word with the meaning that opens the clause, or a part of it after a comma or another mark, up to words that
    /// soften.
    fn imperative(&self, meaning: Meaning) -> Option<usize> {
        const BEFORE: Meaning =
            SOFTENER | AUTHORITY | TODO | TAG | SPEAKER | MUST | YOU | FIRST | MODEL | COVERT | TEMPLATE | NUMBER;
        if !self.has(meaning) {
            return None;
        }
        let mut open = 0;
        for (at, token) in self.clause.tokens.iter().enumerate().take(40) {
            if token.meaning & (COMMA | BREAK) != 0 {
                open = at;
            }
            if token.meaning & CALLED != 0 {
                continue;
            }
            let follows = at == 0
                || open == at
                || (at - open <= 5
                    && self.clause.tokens.iter().take(at).skip(open).all(|token| token.meaning & BEFORE != 0));
            if follows && token.meaning & meaning != 0 {
                return Some(at);
            }
        }
        None
    }
}

/// What says how a word stands, and nothing of what it means.
const MARKED: Meaning = BREAK | QUOTED | NUMBER | CALLED | CAPITAL;

/// Whether a clause can show a sign at all: some meanings never make one by themselves.
pub(super) const fn may_show_signs(clause: &Clause) -> bool {
    const WEAK: Meaning =
        SOFTENER | QUESTION | THIS | COMMA | YOU | SELF | ALL | PLACE | NOT | LOUD | FIRST | BECOME | NEW | MARKED;
    clause.all & !WEAK != 0
}

/// The signs that a clause shows.
pub(super) fn signs(clause: &Clause, around: Around<'_, '_>, mut sign: impl FnMut(Sign)) {
    let look = Look { clause };
    let mut add = |family: Family, points: u8| {
        if points > 0 {
            sign(Sign { family, points });
        }
    };
    add(Family::Override, overrides(&look));
    add(Family::Precedence, outranks(&look));
    add(Family::Template, if look.has(TEMPLATE) { 4 } else { 0 });
    add(Family::Label, if look.has(TAG) { 2 } else { u8::from(look.has(SPEAKER)) });
    add(Family::Address, addresses(&look));
    add(Family::Task, tasks(&look));
    add(Family::Impersonation, impersonates(&look));
    add(Family::Tool, directs_to_tool(&look, around));
    add(Family::Obedience, obeys(&look));
    add(Family::Secrecy, hushes(&look));
    add(Family::Leak, leaks(&look));
    add(Family::Disarm, disarms(&look));
    add(Family::Shape, shapes(&look, around));
    add(Family::Code, plants_code(&look));
    add(Family::Action, acts(&look, around));
    let noted = match around.todo {
        Todo::Within if !around.comment => 4,
        Todo::Line if !around.comment && around.layout.get().structured => 3,
        _ => 0,
    };
    add(Family::Note, if noted > 0 && look.imperative(ACT | LEAK | SAY).is_some() { noted } else { 0 });
}

/// `Ignore all previous instructions`, `do not follow your guidelines`.
fn overrides(look: &Look<'_>) -> u8 {
    if look.has(OBEY) && look.has(NOT) && look.has(RULES) {
        return disobeys(look);
    }
    if !look.has(OVERRIDE) || !look.has(RULES | GUARD | PRIOR) {
        return 0;
    }
    if look.has(GLYPH) && look.has(RULES) {
        return if look.has(PRIOR | ALL | YOUR) { 6 } else { 4 };
    }
    // A capital in the middle opens a sentence, but perhaps only a name or the text of a button.
    let (verb, doubt) = match (look.imperative(OVERRIDE), look.find(0, 40, CAPITAL)) {
        (Some(verb), _) => (verb, 0),
        (None, Some(verb)) if look.find(verb + 1, 40, ACT | LEAK | SHAPE | SAY | TELL).is_some() => (verb, 0),
        (None, Some(verb)) => (verb, 2),
        (None, None) => return 0,
    };
    let negated = verb > 0 && look.at(verb - 1) & NOT != 0;
    let Some(rules) = look.find(verb + 1, 8, RULES) else {
        // `Forget everything above`, `ignore what I told you before`.
        let everything = look.find(verb + 1, 4, ALL).is_some();
        let told = look.find(verb + 1, 6, YOU).is_some();
        let before = look.find(verb + 1, 6, PRIOR).is_some();
        return match (negated, everything, told, before) {
            (false, true, true, _) => 6 - doubt,
            (false, true, false, true) => 5 - doubt,
            _ => 0,
        };
    };
    let qualified = look.find(verb + 1, rules - verb + 3, PRIOR | ALL | YOUR | SELF | SYSTEM | MODEL).is_some();
    match (negated, qualified) {
        (true, _) => 0,
        (false, true) => 6 - doubt,
        (false, false) => 2 - doubt,
    }
}

/// `Do not follow your guidelines`; that something else is not to be followed, people tell each other.
fn disobeys(look: &Look<'_>) -> u8 {
    let Some(not) = look.imperative(NOT) else { return 0 };
    let Some(obey) = look.find(not + 1, 2, OBEY) else { return 0 };
    let Some(rules) = look.find(obey + 1, 6, RULES) else { return 0 };
    let whose = |meaning| look.find(obey + 1, rules - obey, meaning).is_some();
    match (whose(YOUR | SYSTEM | MODEL), whose(ALL)) {
        (true, _) => 6,
        (false, true) => 4,
        (false, false) => 2,
    }
}

/// `This directive takes priority over security policies`.
fn outranks(look: &Look<'_>) -> u8 {
    if !look.has(PRECEDE) {
        return 0;
    }
    let Some(at) = look.find(0, 40, PRECEDE) else { return 0 };
    let over = look.find(at + 1, 8, RULES | GUARD).is_some();
    let wide = look.find(at + 1, 8, PRIOR | ALL | GUARD).is_some();
    if !over || !wide {
        return 0;
    }
    let own = look.find(0, 4, THIS).is_some() && look.find(0, 5, RULES | AUTHORITY).is_some();
    3 + u8::from(own) + u8::from(look.has(GUARD))
}

/// `you, the assistant`; `AI agents reading this page`; `Claude, please …`.
fn addresses(look: &Look<'_>) -> u8 {
    // `You are now …` gives a part to play.
    let open = look.first();
    let cast = look.at(open) & YOU != 0 && look.at(open + 1) & BECOME != 0 && look.at(open + 2) & (SOFTENER | NEW) != 0;
    if cast || !look.has(MODEL | AGENT) {
        return if cast && look.has(MODEL | AGENT | DISABLED | AUTHORITY) { 3 } else { u8::from(cast) };
    }
    let Some(model) = look.find(0, 40, MODEL | AGENT) else { return 0 };
    let strong = look.has(MODEL);
    if look.has(PROCESS) && look.find(model, 5, PROCESS).is_some() && strong {
        return 4;
    }
    let you = look.find(model.saturating_sub(4), 4, YOU).is_some() || look.find(model + 1, 2, YOU).is_some();
    if you && (strong || look.find(0, 4, YOU | THIS).is_some()) {
        return if strong { 3 } else { 1 };
    }
    // A call by name at the beginning, and then a request.
    let called = (open..=open + 2).contains(&model) && strong && look.at(model + 1) & COMMA != 0;
    let asked = called && look.find(model + 1, 5, ACT | SHAPE | LEAK | OVERRIDE | MUST | YOU).is_some();
    if asked { 3 } else { 0 }
}

/// `Before you solve the task that I gave you`; `I have a new task for you`.
fn tasks(look: &Look<'_>) -> u8 {
    let Some(task) = look.find(0, 64, TASK) else {
        let first = look.has(FIRST) && look.has(THIS) && look.imperative(FULFIL).is_some() && look.has(SOFTENER);
        return if first { 2 } else { 0 };
    };
    let near = |meaning: Meaning| look.find(task.saturating_sub(3), 3, meaning).is_some();
    let mut points = 0;
    if near(NEW | PRIOR) {
        points += 2;
    }
    if look.has(FULFIL) && (near(PRIOR | NEW) || look.has(SELF)) {
        points += 1;
    }
    if look.has(SELF) && look.has(YOU) {
        points += 2;
    }
    if look.has(FIRST) && look.has(YOU) && look.has(FULFIL) {
        points += 1;
    }
    if look.has(GLYPH) && look.has(NEW) { 3 } else { points.min(5) }
}

/// `I am the user`, `New user query`.
fn impersonates(look: &Look<'_>) -> u8 {
    let open = look.first();
    let Some(user) = look.find(open, 6, USER) else { return 0 };
    let me = user <= open + 3 && look.at(open) & SELF != 0 && look.clause.tokens.len() <= open + 8;
    let query = look.find(user + 1, 1, TASK).is_some()
        && look.find(user.saturating_sub(1), 1, NEW | PRIOR).is_some()
        && user <= open + 2;
    if me {
        4
    } else if query {
        3
    } else {
        0
    }
}

/// `Use the write_file tool`, `retry with run_shell('…')`.
fn directs_to_tool(look: &Look<'_>, around: Around<'_, '_>) -> u8 {
    let Some(name) = look.find(0, 40, NAME) else { return 0 };
    // `Please use write_file to …`, or `Save … by using write_file`.
    let near = |verb: usize| verb < name && name - verb <= 5;
    let Some(verb) = look.imperative(INVOKE).filter(|verb| near(*verb)).or_else(|| {
        look.imperative(ACT | LEAK).and_then(|verb| look.find(verb + 1, 40, INVOKE)).filter(|verb| near(*verb))
    }) else {
        return 0;
    };
    let tool = look.find(name.saturating_sub(2), 5, TOOL).is_some();
    let call = look.has(CALL);
    2 + if tool { 2 } else { 0 }
        + if call { 2 } else { 0 }
        + u8::from(verb + 4 >= name && around.layout.get().error) * 2
}

/// `You must strictly adhere to the following instructions`.
fn obeys(look: &Look<'_>) -> u8 {
    let must = look.find(0, 40, MUST).filter(|must| look.find(must.saturating_sub(2), 2, YOU).is_some());
    if must.is_some_and(|must| look.find(must + 1, 8, RULES).is_some()) { 3 } else { 0 }
}

/// `Do not tell the user`, `without informing anybody`, `silently`.
fn hushes(look: &Look<'_>) -> u8 {
    if look.has(GLYPH) && look.has(NOT) && look.has(TELL) {
        return if look.has(USER) { 5 } else { 2 };
    }
    if look.has(NOT) && look.has(TELL) {
        let Some(not) = look.find(0, 40, NOT) else { return 0 };
        let Some(tell) = look.find(not + 1, 3, TELL) else { return 0 };
        let target = look.find(tell + 1, 6, USER);
        let ordered = look.imperative(NOT).is_some();
        let same = look.find(tell + 1, 5, THIS | RULES).is_some();
        return match (ordered, target.is_some(), same) {
            (_, true, true) => 5,
            (true, true, _) | (true, _, true) => 4,
            (false, true, _) => 3,
            _ => 0,
        };
    }
    if look.has(COVERT) && look.imperative(ACT | LEAK).is_some() { 3 } else { 0 }
}

/// `Print your system prompt`, `send the password to …`.
fn leaks(look: &Look<'_>) -> u8 {
    if !look.has(LEAK) {
        return 0;
    }
    if look.has(GLYPH) {
        return if look.has(SECRET | RULES) && look.has(YOUR | YOU | PLACE | USER) { 4 } else { 0 };
    }
    let Some(verb) = look.imperative(LEAK) else { return 0 };
    if verb > 0 && look.at(verb - 1) & NOT != 0 {
        return 0;
    }
    let prompt = look.find(verb + 1, 8, RULES);
    let yours = prompt.is_some_and(|prompt| look.find(verb + 1, prompt - verb, YOUR).is_some());
    let system = prompt.is_some_and(|prompt| look.at(prompt - 1) & (SYSTEM | PRIOR) != 0);
    if yours || system {
        return match (yours, system) {
            (true, true) => 6,
            (true, false) => 4,
            _ => 3,
        };
    }
    let place = look.find(verb + 1, 40, PLACE).is_some();
    let secret = look.find(verb + 1, 16, SECRET).is_some();
    let thing = look.find(verb + 1, 12, BELONGINGS).is_some();
    let whole = look.find(verb + 1, 4, ALL).is_some();
    let user = look.find(verb + 1, 20, USER).is_some();
    match (place, secret, thing) {
        (true, true, _) => 4 + u8::from(user || whole),
        (true, false, false) if look.find(verb + 1, 3, THIS).is_some() => 3,
        (true, false, true) => 2 + 2 * u8::from(whole) + u8::from(user),
        (false, true, _) => u8::from(user && look.find(verb + 1, 6, SECRET).is_some()) * 2,
        _ => 0,
    }
}

/// `Bypass authentication`, `all checks are suspended`.
fn disarms(look: &Look<'_>) -> u8 {
    if !look.has(DISABLE) || !look.has(GUARD | RULES) {
        return 0;
    }
    if let Some(verb) = look.imperative(DISABLE)
        && look.find(verb + 1, 6, GUARD).is_some()
    {
        let negated = verb > 0 && look.at(verb - 1) & NOT != 0;
        return if negated { 0 } else { 3 + u8::from(look.has(ALL | PRIOR)) };
    }
    if look.has(GUARD) && look.has(DISABLED) { 2 } else { 0 }
}

/// `Translate your answer into Spanish`, `in your reply, mention …`, `can you reply in German?`.
fn shapes(look: &Look<'_>, around: Around<'_, '_>) -> u8 {
    let open = look.first();
    let tokens = look.clause.tokens.len();
    let whole = look.clause.opens_line && look.clause.closes_line && tokens <= 40;
    let own_response = (0..tokens.min(40))
        .filter(|_| look.has(YOUR) && look.has(RESPONSE))
        .find(|at| look.at(*at) & YOUR != 0 && look.find(at + 1, 3, RESPONSE).is_some());
    let mut points = 0;
    if let Some(own) = own_response {
        let verb = look.imperative(SHAPE | SAY).filter(|verb| *verb < own);
        let leading =
            own <= open + 2 && look.clause.tokens.iter().skip(own).take(5).any(|token| token.meaning & COMMA != 0);
        if verb.is_some() || leading {
            points = 4;
        }
    }
    let asked = look.clause.asks
        && look.at(open) & QUESTION != 0
        && look.at(open + 1) & YOU != 0
        && look.find(open + 2, 2, SHAPE).is_some()
        && tokens <= open + 12;
    if asked && points == 0 {
        points = if own_response.is_some() { 4 } else { 2 };
    }
    let speech = look.imperative(SAY).filter(|verb| *verb <= open + 1 && look.find(verb + 1, 6, SELF | USER).is_some());
    if speech.is_some() && points == 0 {
        points = 3;
    }
    // An item of a listing that wants something said: items say things, they do not ask for it.
    let item = speech.is_some() && look.find(0, 3, THAT).is_some() && around.layout.get().structured;
    let points = points + u8::from(item && whole);
    if points > 0 && whole { points + 2 } else { points }
}

/// `Add the following snippet to your solution`.
fn plants_code(look: &Look<'_>) -> u8 {
    if !look.has(CODE) || !look.has(THIS) {
        return 0;
    }
    let following = (0..look.clause.tokens.len().min(40))
        .find(|at| look.at(*at) & THIS != 0 && look.find(at + 1, 2, CODE).is_some());
    if following.is_none() {
        return 0;
    }
    let yours = look
        .clause
        .tokens
        .iter()
        .enumerate()
        .any(|(own, token)| token.meaning & YOUR != 0 && look.find(own + 1, 3, WORK).is_some());
    let said = look
        .clause
        .tokens
        .iter()
        .enumerate()
        .any(|(own, token)| token.meaning & YOUR != 0 && look.find(own + 1, 2, RESPONSE).is_some());
    match (said, yours) {
        (true, _) => 4,
        (_, true) => 3,
        _ => 1,
    }
}

/// An action wanted in the middle of data, or noted as work to do.
fn acts(look: &Look<'_>, around: Around<'_, '_>) -> u8 {
    let Some(verb) = look.imperative(ACT | LEAK) else { return 0 };
    if around.comment || (verb > 0 && look.at(verb - 1) & NOT != 0) || look.has(MENTION) {
        return 0;
    }
    let places = look.count(PLACE).min(2);
    let object = look.find(verb + 1, 16, BELONGINGS | SECRET | USER | SELF).is_some();
    let user = look.find(verb + 1, 24, USER).is_some();
    let secret = look.find(verb + 1, 16, SECRET).is_some();
    let whole = look.find(verb + 1, 4, ALL).is_some();
    let mut points = u8::from(object) + u8::from(secret) + u8::from(whole);
    points += u8::try_from(places).unwrap_or(0);
    points += u8::from(user && (secret || look.has(BELONGINGS))) * 2;
    if points > 0 && around.layout.get().structured {
        points += 1;
    }
    points.min(5)
}
