//! What is written comes back, and what cannot have been written is refused.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use thoth_gate::hold::{Hold, HoldState, Why};
use thoth_gate::{Holds as _, HoldsError};
use thoth_testkit::holds_suite::{HeldCall, at};
use thoth_types::{
    Approver, ApproverRule, ArgumentPattern, Binding, Caller, Channel, Grant, GrantScope, HoldToken, Mode, Namespaces,
    Place, ProcessRef, ReasonCode, Requester, Requirement, RiskLevel, Vote,
};

use super::{Scene, in_memory};
use crate::{SqliteHolds, rows};

fn id<T: std::str::FromStr<Err: std::fmt::Debug> + std::fmt::Debug>() -> impl Strategy<Value = T> + Clone {
    "[a-zü@:.\u{202e}][a-z 'ü@:.\u{202e}]{0,5}[a-z]".prop_map(|text| text.parse().unwrap())
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(|time| Timestamp::from_nanosecond(i128::from(time)).unwrap())
}

fn text() -> impl Strategy<Value = String> {
    any::<String>()
}

/// Namespaces that are not known are not written, as in documents of before.
fn process() -> impl Strategy<Value = ProcessRef> {
    let namespace = || prop_oneof![Just(0), any::<u64>()];
    (any::<u32>(), any::<u64>(), namespace(), namespace()).prop_map(|(id, started, processes, clock)| ProcessRef {
        id,
        started,
        namespaces: Namespaces { processes, clock },
    })
}

fn requester() -> impl Strategy<Value = Requester> {
    (text(), any::<u32>(), option::of(id()), option::of(process())).prop_map(|(account, uid, user, client)| Requester {
        account: account.into(),
        uid,
        user,
        client,
    })
}

fn vote() -> impl Strategy<Value = Vote> {
    (text(), any::<u32>(), any::<bool>(), select(Channel::ALL), text(), time(), vec(process(), 0..3)).prop_map(
        |(account, uid, approves, channel, origin, at, line)| Vote {
            approver: Approver { account: account.into(), uid },
            approves,
            channel,
            origin,
            at,
            line,
        },
    )
}

fn requirement() -> impl Strategy<Value = Requirement> {
    let rule = prop_oneof![
        Just(ApproverRule::LocalUser),
        Just(ApproverRule::LocalTerminal),
        text().prop_map(|account| ApproverRule::Account(account.into())),
    ];
    let numbers = (any::<u8>(), any::<u32>(), any::<u32>());
    (vec(vec(rule, 0..3), 0..3), numbers, any::<bool>(), any::<bool>(), option::of(text())).prop_map(
        |(approvers, (quorum, ttl_seconds, longest_grant_seconds), requester_may_approve, terminal, url)| Requirement {
            approvers,
            quorum,
            requester_may_approve,
            terminal,
            ttl_seconds,
            longest_grant_seconds,
            url: url.map(Into::into),
        },
    )
}

fn caller() -> impl Strategy<Value = Caller> {
    let ids = (option::of(id()), option::of(id()), option::of(id()), option::of(id()), id(), id());
    (ids, option::of(text()), vec(text(), 0..3), select(Mode::ALL)).prop_map(
        |((tenant, user, endpoint, agent, session, server), intent, approved_scope, mode)| Caller {
            tenant,
            user,
            endpoint,
            agent,
            session,
            server,
            intent,
            approved_scope,
            mode,
        },
    )
}

fn why() -> impl Strategy<Value = Why> {
    let place =
        (text(), any::<u32>(), any::<u32>()).prop_map(|(file, line, column)| Place { file: file.into(), line, column });
    let words = (select(ReasonCode::ALL), select(RiskLevel::ALL));
    (text(), words, option::of(text()), option::of(place), text()).prop_map(
        |(reason, (reason_code, risk), rule, place, policy_digest)| Why {
            reason,
            reason_code,
            rule: rule.map(Into::into),
            place,
            risk,
            policy_digest: policy_digest.into(),
        },
    )
}

fn token() -> impl Strategy<Value = HoldToken> {
    any::<[u8; 16]>().prop_map(HoldToken::new)
}

prop_compose! {
    fn hold()(
        names in (token(), any::<[u8; 32]>(), caller(), requester()),
        texts in (text(), text(), text(), text()),
        arguments in vec(any::<u8>(), 0..200),
        asked in (why(), requirement()),
        times in (time(), time()),
        state in select(HoldState::ALL),
        votes in vec(vote(), 0..3),
        spent_by in option::of(text()),
        shown in vec(select(Channel::ALL), 0..4),
    ) -> Hold {
        Hold {
            token: names.0,
            binding: Binding(names.1),
            caller: names.2,
            requester: names.3,
            tool: texts.0.into(),
            arguments: arguments.into(),
            call_id: texts.1.into(),
            trace_id: texts.2.into(),
            also_sent: texts.3.as_str().into(),
            enforcement_trace: texts.3.len().is_multiple_of(3).then(|| texts.3.as_str().into()),
            modified: texts.3.len().is_multiple_of(2),
            arguments_digest: texts.3.into(),
            why: asked.0,
            requirement: asked.1,
            created_at: times.0,
            ends_at: times.1,
            state,
            votes,
            spent_by: spent_by.map(Into::into),
            shown,
        }
    }
}

prop_compose! {
    fn grant()(
        names in (text(), token(), requester()),
        scope in (option::of(id()), option::of(id()), id(), text()),
        patterns in vec((text(), text()), 0..3),
        given in vec(vote(), 0..3),
        ends_at in time(),
    ) -> Grant {
        let (tenant, agent, server, tool) = scope;
        Grant {
            id: names.0.into(),
            scope: GrantScope { tenant, agent, server, tool: tool.into() },
            requester: names.2,
            patterns: patterns.into_iter().map(|(argument, glob)| ArgumentPattern { argument, glob }).collect(),
            given,
            hold: names.1,
            ends_at,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Invariant: whatever a hold carries, it carries still after it was written, and after it was changed.
    #[test]
    fn holds_come_back_whole(made in hold(), changed in hold()) {
        let connection = in_memory();
        rows::insert(&connection, &made, Path::new("/ledger")).unwrap();
        prop_assert_eq!(format!("{:?}", rows::hold(&connection, &made.token).unwrap()), format!("{made:?}"));
        // What a call is bound to, what it says and when it was held never change.
        let Hold { token, binding, arguments, created_at, .. } = made;
        let changed = Hold { token, binding, arguments, created_at, ..changed };
        rows::rewrite(&connection, &changed, None).unwrap();
        prop_assert_eq!(format!("{:?}", rows::hold(&connection, &changed.token).unwrap()), format!("{changed:?}"));
    }

    /// Invariant: the same of grants.
    #[test]
    fn grants_come_back_whole(grant in grant()) {
        let connection = in_memory();
        rows::insert_grant(&connection, &grant).unwrap();
        let before = i64::try_from(grant.ends_at.as_nanosecond()).unwrap().saturating_sub(1);
        let kept = rows::grants_of(&connection, &grant.scope, before).unwrap();
        let expected = if before < i64::MIN + 1 { vec![] } else { vec![grant] };
        prop_assert_eq!(kept, expected);
    }

    /// Invariant: a document that we did not write is an error, whatever it is, and never half a hold.
    #[test]
    fn other_documents_are_refused(
        hold in hold(),
        at in any::<prop::sample::Index>(),
        put in prop_oneof![any::<String>(), "[\\[\\]{}\",:0-9a-z]{0,6}"],
    ) {
        let connection = in_memory();
        rows::insert(&connection, &hold, Path::new("/ledger")).unwrap();
        let document: String = connection.query_row("SELECT document FROM holds", [], |row| row.get(0)).unwrap();
        let (mut first, mut second) = document.split_at(document.floor_char_boundary(at.index(document.len())));
        let damaged = [first, &put, second].concat();
        connection.execute("UPDATE holds SET document = ?1", [&damaged]).unwrap();
        match rows::hold(&connection, &hold.token) {
            Err(crate::error::Fault::Damaged(what)) => prop_assert!(what.contains(hold.token.as_str()), "{what}"),
            // What was put in stood in a text or between two values: another hold, but a whole one.
            Ok(read) => {
                connection.execute("DELETE FROM holds", []).unwrap();
                rows::insert(&connection, &read, Path::new("/ledger")).unwrap();
                let again = rows::hold(&connection, &read.token).unwrap();
                prop_assert_eq!(format!("{again:?}"), format!("{read:?}"));
            }
            Err(other) => prop_assert!(false, "{other:?}"),
        }
        // Cut short, it is none.
        (first, second) = (second, first);
        connection.execute("UPDATE holds SET document = ?1", [if first.is_empty() { "" } else { second }]).unwrap();
        prop_assert!(rows::hold(&connection, &hold.token).is_err());
    }
}

/// Defends: a word that no version of us writes is an error in whatever reads it, and refuses the call; it is not left
/// out, and not taken for the next best.
#[test]
fn unknown_words_are_errors() {
    for change in [
        "state = 'aproved'",
        "document = replace(document, '\"rule_approve\"', '\"rule_aprove\"')",
        "document = replace(document, '\"high\"', '\"higher\"')",
        "document = replace(document, '\"local_terminal\"', '\"everybody\"')",
        "document = replace(document, '\"block\"', '\"blocked\"')",
        "document = replace(document, '\"terminal\":true', '\"terminals\":true')",
        "document = replace(document, '\"quorum\":1', '\"quorum\":256')",
        "document = replace(document, '\"votes\":[]', '\"votes\":[],\"votes\":[]')",
        "document = replace(document, '\"votes\":[]', '\"votes\":[],\"more\":1')",
        "document = replace(document, '\"server\":\"files\"', '\"server\":\"\"')",
        "token = upper(token)",
        "binding = zeroblob(31)",
    ] {
        let scene = Scene::new();
        let store = scene.store();
        let call = HeldCall::new(1);
        call.consult(&store, 0xab << 120, None, at(0)).unwrap();
        let raw = scene.raw();
        raw.execute_batch("PRAGMA ignore_check_constraints = ON").unwrap();
        assert_eq!(raw.execute(&format!("UPDATE holds SET {change}"), []).unwrap(), 1);
        let told = |error: HoldsError| {
            let text = error.to_string();
            assert!(
                text.contains("is damaged") && text.contains("state.db") && text.contains("move it away"),
                "{text}"
            );
        };
        told(store.list().map(drop).expect_err(change));
        if !change.starts_with("binding") && !change.starts_with("state") {
            told(call.consult(&store, 2, Some("b"), at(1)).map(drop).expect_err(change));
        }
    }
}

/// Defends: a hold is found by what people type, and by nothing less.
#[test]
fn the_table_of_prefixes() {
    let scene = Scene::new();
    let store = scene.store();
    for (number, token) in [(1, 0xabcd_0000 << 96), (2, 0xabcd_ffff << 96), (3, 0xabce_0000 << 96)] {
        HeldCall::new(number).consult(&store, token, None, at(0)).unwrap();
    }
    for (prefix, found) in [
        ("abcd", 2),
        ("hold_abcd", 2),
        ("abcd0", 1),
        ("abcdf", 1),
        ("hold_abce0000000000000000000000000000", 1),
        ("abce00000000000000000000000000001", 0),
        ("abc", 0),
        ("", 0),
        ("hold_", 0),
        ("ABCD", 0),
        ("ab%%", 0),
        ("____", 0),
        ("abcg", 0),
        ("abcd\0", 0),
    ] {
        assert_eq!(store.find(prefix).unwrap().len(), found, "{prefix:?}");
    }
}

/// Defends: a hold's records go to the ledger of the sidecar that made it, whatever its folder is called, and only its own
/// sidecars note its end there.
#[test]
fn each_ledger_has_its_holds() {
    let scene = Scene::new();
    let odd = Path::new(OsStr::from_bytes(b"/ledger \xff"));
    let (mine, other) = (scene.store(), SqliteHolds::new(scene.path(), odd.to_owned()));
    let token = |number: u128| HoldToken::new(number.to_be_bytes());
    HeldCall::new(1).consult(&mine, 1, None, at(0)).unwrap();
    HeldCall::new(2).consult(&other, 2, None, at(0)).unwrap();
    assert_eq!(mine.ledger_of(&token(2)).unwrap(), odd);
    assert_eq!(other.ledger_of(&token(1)).unwrap(), scene.folder.path().join("ledger"));
    assert!(matches!(mine.ledger_of(&token(3)), Err(HoldsError::Unknown(_))));
    assert_eq!(mine.lapsed(at(10_000)).unwrap(), [token(1)]);
    assert_eq!(other.lapsed(at(10_000)).unwrap(), [token(2)]);
}
