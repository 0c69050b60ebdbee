//! Times: windows of the day, zones, weekdays, durations.

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use crate::condition::Condition;
use crate::diagnostic::DiagnosticCode;
use crate::read::Reader;
use crate::window::{self, Window};
use crate::yaml::{Key, Node};

impl Reader<'_> {
    pub(super) fn window(&mut self, fields: &[(&Key, &Node)]) -> Option<Condition> {
        let get = |name: &str| fields.iter().find(|(key, _)| &*key.text == name).map(|(key, value)| (*key, *value));
        let zone = match get("tz") {
            Some((_, node)) => self.zone(node)?,
            None => TimeZone::UTC,
        };
        let (after, before, days) = (get("time_after"), get("time_before"), get("weekdays"));
        if after.is_none() && before.is_none() && days.is_none() {
            if let Some((key, _)) = get("tz") {
                let message = "`tz` without `time_after`, `time_before` or `weekdays` says nothing";
                self.error(DiagnosticCode::BadTime, key.at, message);
            }
            return None;
        }
        let after_time = after.and_then(|(key, node)| self.time(node, &key.text));
        let before_time = before.and_then(|(key, node)| self.time(node, &key.text));
        if let (Some(from), Some(to), Some((_, node))) = (after_time, before_time, before)
            && from == to
        {
            let message = "the window from `time_after` to `time_before` is empty";
            self.error(DiagnosticCode::BadTime, node.at, message);
        }
        let days = days.and_then(|(_, node)| self.weekdays(node));
        Some(Condition::When(Window { zone, after: after_time, before: before_time, days }))
    }

    fn zone(&mut self, node: &Node) -> Option<TimeZone> {
        let text = self.text(node, "`tz`")?;
        match TimeZone::get(text) {
            Ok(zone) => Some(zone),
            Err(_) => {
                let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
                let known: Vec<&str> = names.iter().map(String::as_str).collect();
                let help = match crate::read::nearest(text, &known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "write a name of the IANA database, such as `Europe/Berlin`".to_owned(),
                };
                self.error_help(DiagnosticCode::BadTime, node.at, format!("`{text}` is no time zone"), help);
                None
            }
        }
    }

    fn time(&mut self, node: &Node, key: &str) -> Option<jiff::civil::Time> {
        let text = self.text(node, &format!("`{key}`"))?;
        let time = window::time_of_day(text);
        if time.is_none() {
            let minutes = text.parse::<u32>().ok().filter(|n| (60..24 * 60).contains(n));
            let help = match minutes {
                Some(minutes) => format!(
                    "write \"{:02}:{:02}\" with quotes: tools of YAML 1.1 turn it into the number {minutes}",
                    minutes / 60,
                    minutes % 60
                ),
                None => "write a time from \"00:00\" to \"23:59\"".to_owned(),
            };
            self.error_help(DiagnosticCode::BadTime, node.at, format!("`{text}` is no time of day"), help);
        }
        time
    }

    fn weekdays(&mut self, node: &Node) -> Option<u8> {
        let mut days = 0;
        for (text, at) in self.texts(node, "`weekdays`") {
            match window::day_bit(text) {
                Some(bit) => days |= bit,
                None => {
                    let known: Vec<&str> = window::DAY_NAMES.iter().flat_map(|(short, long)| [*short, *long]).collect();
                    self.unknown(
                        DiagnosticCode::BadTime,
                        at,
                        &format!("`{text}` is no weekday (1 is Monday)"),
                        text,
                        &known,
                    );
                }
            }
        }
        (days != 0).then_some(days)
    }

    /// `30s`, `5m`, `1h`, `1d`; at most 31 days.
    pub(super) fn duration(&mut self, node: &Node) -> Option<SignedDuration> {
        self.seconds(node, "`window`", 1, MOST_SECONDS).map(|seconds| SignedDuration::from_secs(seconds.into()))
    }

    /// A duration of at least `least` and at most `most` seconds.
    pub fn seconds(&mut self, node: &Node, what: &str, least: u32, most: u32) -> Option<u32> {
        let text = self.text(node, what)?;
        let seconds = UNITS.iter().find_map(|(suffix, unit)| {
            let number = text.strip_suffix(*suffix).filter(|number| number.bytes().all(|b| b.is_ascii_digit()))?;
            number.parse::<u32>().ok()?.checked_mul(*unit)
        });
        if seconds.is_none_or(|seconds| !(least..=most).contains(&seconds)) {
            let (least, most) = (show_seconds(least), show_seconds(most));
            let message = format!("`{text}` is no duration for {what}");
            let help = format!("write a number with `s`, `m`, `h` or `d`, from `{least}` to `{most}`");
            self.error_help(DiagnosticCode::BadTime, node.at, message, help);
            return None;
        }
        seconds
    }
}

/// The longest window.
pub(super) const MOST_SECONDS: u32 = 31 * 86_400;

const UNITS: [(char, u32); 4] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];

/// Seconds as policies write them, in the largest unit that leaves no rest.
pub(crate) fn show_seconds(seconds: u32) -> String {
    let unit = UNITS.iter().rev().find(|(_, unit)| seconds != 0 && seconds.is_multiple_of(*unit));
    let (suffix, unit) = unit.copied().unwrap_or(('s', 1));
    format!("{}{suffix}", seconds / unit)
}
