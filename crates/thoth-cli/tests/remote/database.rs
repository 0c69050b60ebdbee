//! The same sessions with an enforcer that keeps everything in PostgreSQL.

use crate::site::Keeps;
use crate::{decisions, holds, reports};

#[test]
fn both_must_admit_on_postgresql() {
    decisions::both(Keeps::Postgres);
}

#[test]
fn an_enforcer_is_killed_and_comes_back_on_postgresql() {
    decisions::killed(Keeps::Postgres);
}

#[test]
fn people_answer_on_postgresql() {
    holds::ticketed(Keeps::Postgres);
    holds::waited(Keeps::Postgres);
}

#[test]
fn machines_report_on_postgresql() {
    reports::quarantined(Keeps::Postgres);
    reports::told_once(Keeps::Postgres);
}
