//! The queue on a screen of cells: what is shown, and what no key and no news can do.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use thoth_store::{Hold, HoldState};
use thoth_testkit::holds_suite::{HeldCall, answer, at};
use thoth_types::{HoldToken, Place};

use super::state::{Drawn, Effect, Event, Key, State};
use super::view;

const NOW: i64 = 60;

fn now() -> Timestamp {
    at(NOW)
}

fn hold(number: u16, tool: &str, arguments: &str) -> Hold {
    let mut hold = HeldCall::new(number).hold(u128::from(number) << 112, at(i64::from(number)));
    hold.tool = tool.into();
    hold.arguments = arguments.as_bytes().into();
    hold.why.reason = "deletions need a person".to_owned();
    hold.why.place = Some(Place { file: "team.yaml".into(), line: 12, column: 5 });
    hold
}

fn token(number: u16) -> HoldToken {
    HoldToken::new((u128::from(number) << 112).to_be_bytes())
}

/// The queue with a screen.
struct Watch {
    state: State,
    terminal: Terminal<TestBackend>,
    now: Timestamp,
}

impl Watch {
    fn new(width: u16, height: u16, holds: &[Hold]) -> Self {
        let terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let mut watch = Self { state: State::default(), terminal, now: now() };
        watch.take_in(holds);
        watch
    }

    fn take_in(&mut self, holds: &[Hold]) {
        assert_eq!(self.state.update(Event::Holds(holds.to_vec()), self.now), None);
    }

    fn draw(&mut self) -> Drawn {
        let mut drawn = Drawn::default();
        let frame = |frame: &mut ratatui::Frame<'_>| {
            drawn = view::draw(&mut self.state, self.now, frame.area(), frame.buffer_mut());
        };
        self.terminal.draw(frame).unwrap();
        assert_eq!(self.state.update(Event::Drawn(drawn.clone()), self.now), None);
        drawn
    }

    /// The screen after a frame.
    fn screen(&mut self) -> String {
        self.draw();
        let lines: Vec<String> = self
            .terminal
            .backend()
            .to_string()
            .lines()
            .map(|line| line.trim_matches('"').trim_end().to_owned())
            .collect();
        lines.join("\n")
    }

    fn key(&mut self, key: char) -> Option<Effect> {
        self.state.update(Event::Key(Key::Char(key)), self.now)
    }

    fn wait(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
        assert_eq!(self.state.update(Event::Tick, self.now), None);
    }

    /// Presses `a` on what is on the screen, and may approve it.
    fn ask(&mut self) -> Option<HoldToken> {
        let Some(Effect::Check(token)) = self.key('a') else { return None };
        assert_eq!(self.state.update(Event::MayApprove(token.clone(), Ok(())), self.now), None);
        Some(token)
    }
}

fn two() -> Vec<Hold> {
    vec![
        hold(1, "delete_note", r#"{"path":"/notes/a b.md","force":true}"#),
        hold(2, "pay", r#"{"to":"p\u0430ypal.com","amount":1.0}"#),
    ]
}

#[test]
fn a_screen_of_80_by_24() {
    let mut watch = Watch::new(80, 24, &two());
    insta::assert_snapshot!(watch.screen(), @r#"
    2 calls wait for approval
    > 00010000     59s  14m 1s high     delete_note   files         agent
     !00020000     58s  14m 2s high     pay           files         agent
    ── 00010000 ────────────────────────────────────────────────────────────────────
    hold        hold_00010000000000000000000000000000: pending until 08:15:01 UTC (1
                4m 1s left)
    tool        delete_note of server files
    risk        high
    asked by    agent, under the account dev (1000)
    because     deletions need a person (rule_approve)
    rule        write (team.yaml:12:5)
    takes       one of local_terminal, user:root; within 15m; or a grant of up to 1h
    arguments (37 bytes)
      │ {
      │   "path": "/notes/a b.md",
      │   "force": true
      │ }






    ↑↓ select  Enter read  PgUp/PgDn move  a approve  d deny  ? help  q quit
    "#);
}

#[test]
fn a_screen_of_40_by_10() {
    let mut watch = Watch::new(40, 10, &two());
    insta::assert_snapshot!(watch.screen(), @r#"
    2 calls wait for approval
    >     59s  14m 1s delete_note files
     !    58s  14m 2s pay files
    ── 00010000, lines 1-5 of 18 ───────────
    hold        hold_00010000000000000000000
                000000000: pending until 08:
                15:01 UTC (14m 1s left)
    tool        delete_note of server files
    risk        high
    a approve  d deny  ? help  q quit
    "#);
    watch.ask().unwrap();
    insta::assert_snapshot!(watch.screen(), @r#"
    2 calls wait for approval
    >     59s  14m 1s delete_note files
     !    58s  14m 2s pay files
    ── 00010000, lines 1-4 of 18 ───────────
    hold        hold_00010000000000000000000
                000000000: pending until 08:
                15:01 UTC (14m 1s left)
    tool        delete_note of server files
    Approve delete_note on files (00010000)?
     13 lines of it not yet shown! y/n
    "#);
}

#[test]
fn nothing_waits() {
    let mut watch = Watch::new(80, 24, &[]);
    assert!(watch.screen().starts_with("No calls wait for approval\n"));
    for key in "adjkgGy n?q".chars() {
        assert!(matches!(watch.key(key), None | Some(Effect::Quit)), "{key}");
        watch.draw();
    }
}

/// Defends: an answer is for what was on the screen when the key was pressed, whatever comes or goes meanwhile.
#[test]
fn what_arrives_does_not_move_the_selection() {
    let mut holds = two();
    let mut watch = Watch::new(80, 24, &holds);
    watch.draw();
    watch.key('j');
    watch.draw();
    holds.insert(0, hold(0, "delete_all", "{}"));
    holds.push(hold(3, "delete_all", "{}"));
    watch.take_in(&holds);
    assert!(watch.state.take_bell() && !watch.state.take_bell());
    assert_eq!(watch.state.selected, Some(token(2)));
    assert_eq!(watch.ask(), Some(token(2)));
    watch.draw();
    holds.retain(|hold| hold.token != token(1));
    watch.take_in(&holds);
    assert_eq!(watch.key('y'), Some(Effect::Answer { hold: token(2), approves: true }));
}

#[test]
fn what_was_not_on_the_screen_is_not_answered() {
    let mut watch = Watch::new(80, 24, &two());
    assert_eq!(watch.key('a'), None, "nothing was drawn yet");
    watch.draw();
    watch.key('j');
    assert_eq!(watch.key('a'), None, "the other one was drawn");
    assert_eq!(watch.key('d'), None);
    assert!(watch.state.question.is_none());
    watch.draw();
    assert_eq!(watch.ask(), Some(token(2)));
    assert_eq!(watch.key('y'), None, "the question was not drawn yet");
    assert!(watch.state.question.is_some());
    assert!(watch.screen().contains("Approve pay on files (00020000)?"));
    assert_eq!(watch.key('y'), Some(Effect::Answer { hold: token(2), approves: true }));
    assert!(watch.state.question.is_none());
}

/// Any key but `y` leaves it waiting.
#[test]
fn only_y_is_yes() {
    for key in "nYqad?jk x".chars() {
        for approves in [true, false] {
            let mut watch = Watch::new(80, 24, &two());
            watch.draw();
            if approves {
                drop(watch.ask())
            } else {
                drop(watch.key('d'))
            }
            watch.draw();
            assert!(watch.state.question.is_some());
            assert_eq!(watch.key(key), None, "{key}");
            assert!(watch.state.question.is_none() && watch.screen().contains("00010000 still waits"), "{key}");
        }
    }
}

#[test]
fn a_question_ends_when_its_hold_does() {
    let mut watch = Watch::new(80, 24, &two());
    watch.draw();
    watch.ask().unwrap();
    watch.draw();
    let mut holds = two();
    holds[0].vote(&answer(1000, false, now())).unwrap();
    watch.take_in(&holds);
    assert_eq!(watch.key('y'), None);
    assert!(watch.screen().contains("denied by dev"));
    // It fades, and the next one is not answered by a key that was meant for it.
    watch.wait(7);
    assert_eq!(watch.state.selected, Some(token(2)));
    assert_eq!(watch.key('a'), None);
}

#[test]
fn what_is_over_says_how_and_goes() {
    let mut holds = two();
    let mut watch = Watch::new(80, 24, &holds);
    watch.draw();
    holds[1].vote(&answer(1000, true, now())).unwrap();
    watch.take_in(&holds);
    assert!(watch.screen().contains("approved by dev: pay on files"));
    holds[1].state = HoldState::Spent;
    watch.take_in(&holds);
    assert!(watch.screen().contains("approved by dev, and gone out: pay on files"));
    watch.take_in(&holds[1..]);
    assert!(watch.screen().contains("no longer kept"));
    watch.wait(7);
    assert!(watch.state.rows.is_empty());
    let mut watch = Watch::new(80, 24, &two());
    watch.draw();
    watch.wait(3600);
    assert!(watch.screen().contains("expired: delete_note on files"));
    assert_eq!(watch.key('a'), None);
}

/// Defends: the screen shows of a hostile call what it is, and a text in it makes no line of ours.
#[test]
fn a_hostile_call_is_shown_as_what_it_is() {
    let arguments = serde_json::json!({
        "a": "x\u{1b}[2J\u{1b}]0;t\u{7}\r\n  \"force\": false\n\u{202e}evil\u{200b} p\u{430}y",
        "b": "y/n approved \u{2028} └──",
    });
    let tool = "del\u{1b}[31m\u{202e}ete\nApprove? y/n";
    for (width, height) in [(80, 24), (40, 10), (20, 4), (200, 60)] {
        let mut watch = Watch::new(width, height, &[hold(1, tool, &arguments.to_string())]);
        let drawn = watch.draw();
        let mut all = String::new();
        for _ in 0..=drawn.lines {
            all.push_str(&watch.screen());
            watch.state.update(Event::Key(Key::PageDown), watch.now);
        }
        watch.ask();
        all.push_str(&watch.screen());
        let hostile = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{200b}\u{2028}\u{430}".contains(c);
        assert!(!all.contains(hostile), "{width}x{height}: {all}");
    }
    let mut watch = Watch::new(80, 30, &[hold(1, tool, &arguments.to_string())]);
    insta::assert_snapshot!(watch.screen(), @r#"
    1 call waits for approval
    >!00010000     59s  14m 1s high     del\u{1b}[3… files         agent
    ── 00010000 ────────────────────────────────────────────────────────────────────
    hold        hold_00010000000000000000000000000000: pending until 08:15:01 UTC (1
                4m 1s left)
    tool        "del\u{1b}[31m\u{202e}ete\nApprove? y/n" of server files
    risk        high
    asked by    agent, under the account dev (1000)
    because     deletions need a person (rule_approve)
    rule        write (team.yaml:12:5)
    takes       one of local_terminal, user:root; within 15m; or a grant of up to 1h
      ! a name has characters that cannot be seen, or look like others: \u{…}
    arguments (106 bytes)
      │ {
      │   "a": "x\u{1b}[2J\u{1b}]0;t\u{7}\r\n"
      │        "  \"force\": false\n"
      │        "\u{202e}evil\u{200b} p\u{430}y",
      ! what is written as \u{…} cannot be seen, moves other text, or looks like so
        mething else
      │   "b": "y/n approved \u{2028} └──"
      ! what is written as \u{…} cannot be seen, moves other text, or looks like so
        mething else
      │ }
      ! 7 characters are not ASCII





    ↑↓ select  Enter read  PgUp/PgDn move  a approve  d deny  ? help  q quit
    "#);
}

/// Defends: a huge argument is formatted once, not for each frame, and can be read to its end.
#[test]
fn a_huge_argument_is_formatted_once() {
    let arguments = serde_json::json!({"big": format!("{}Z", "b".repeat(1 << 20))}).to_string();
    let mut watch = Watch::new(80, 24, &[hold(1, "write", &arguments), hold(2, "pay", "{}")]);
    let drawn = watch.draw();
    assert!(drawn.lines > 10_000);
    for key in [Key::PageDown, Key::Enter, Key::Down, Key::Up, Key::PageUp, Key::End] {
        watch.state.update(Event::Key(key), watch.now);
        watch.draw();
        watch.wait(1);
    }
    assert_eq!(watch.state.formattings, 1);
    assert!(watch.screen().contains('Z'), "{}", watch.screen());
    watch.state.update(Event::Key(Key::Home), watch.now);
    watch.draw();
    // What was not read to its end is asked about with that said.
    let mut unread = Watch::new(80, 24, &[hold(1, "write", &arguments)]);
    unread.draw();
    unread.ask().unwrap();
    assert!(unread.screen().contains("lines of it not yet shown! y/n"), "{}", unread.screen());
    assert_eq!(unread.state.formattings, 1);
    unread.terminal.backend_mut().resize(60, 20);
    unread.draw();
    assert_eq!(unread.state.formattings, 2);
}

#[test]
fn who_may_not_approve_is_told_why() {
    let mut watch = Watch::new(80, 24, &two());
    watch.draw();
    assert_eq!(watch.key('a'), Some(Effect::Check(token(1))));
    let why = "00010000 was not approved: this approval comes from under the client".to_owned();
    assert_eq!(watch.state.update(Event::MayApprove(token(1), Err(why.clone())), watch.now), None);
    assert!(watch.state.question.is_none() && watch.screen().contains(&why));
    assert_eq!(watch.key('y'), None);
}

/// No size makes it fail, and no size makes it answer what it cannot show.
#[test]
fn every_size_is_drawn() {
    for width in 1..50 {
        for height in 1..14 {
            let mut watch = Watch::new(width, height, &two());
            watch.draw();
            let asked = watch.ask();
            let drawn = watch.draw();
            assert!(drawn.question || watch.key('y').is_none(), "{width}x{height}");
            watch.key('?');
            watch.draw();
            assert!(asked.is_some() || width < 20 || height < 4, "{width}x{height}");
        }
    }
    let arguments: Arc<[u8]> = Arc::from(&b""[..]);
    let mut watch = Watch::new(80, 24, &[Hold { arguments, ..hold(1, "pay", "") }]);
    assert!(watch.screen().contains("no longer kept"));
}
