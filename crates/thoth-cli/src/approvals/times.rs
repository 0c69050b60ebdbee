//! Times and lengths of time as people read them.

use jiff::{SignedDuration, Timestamp};

/// From `from` to `to` in its two largest units, as in `14m 50s`.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> String {
    length(to.duration_since(from))
}

/// A length of time in its two largest units.
pub(crate) fn length(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let units = [(days, "d"), (hours, "h"), (minutes, "m"), (seconds % 60, "s")];
    let start = units.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let parts = units.iter().skip(start).take(2).enumerate();
    let shown = parts.filter(|(index, (count, _))| *index == 0 || *count > 0);
    shown.map(|(_, (count, unit))| format!("{count}{unit}")).collect::<Vec<_>>().join(" ")
}

/// A time of today by its clock, another one by its date, too.
pub(crate) fn clock(at: Timestamp, now: Timestamp) -> String {
    let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    let format = if day(at) == day(now) { "%H:%M:%S UTC" } else { "%Y-%m-%d %H:%M:%S UTC" };
    at.strftime(format).to_string()
}

/// The length of time of a `--for`: `30m`, `1h30m`, `90s`.
pub(crate) fn parse(text: &str) -> Result<SignedDuration, String> {
    let wrong = || "write it like `30m`, `1h30m` or `90s`".to_owned();
    let duration: SignedDuration = text.parse().map_err(|_| wrong())?;
    if duration < SignedDuration::from_secs(1) { Err(wrong()) } else { Ok(duration) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_two_units() {
        for (seconds, expected) in [
            (-5, "0s"),
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (890, "14m 50s"),
            (3_600, "1h"),
            (3_601, "1h"),
            (90_000, "1d 1h"),
        ] {
            assert_eq!(length(SignedDuration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn lengths_are_read() {
        for (text, expected) in
            [("30m", Some(1_800)), ("1h30m", Some(5_400)), ("90s", Some(90)), ("1h 30m", Some(5_400))]
        {
            assert_eq!(parse(text).ok().map(|length| length.as_secs()), expected, "{text}");
        }
        for text in ["", "30", "0m", "-5m", "1w", "soon", "10ms"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn clocks_name_other_days() {
        let now: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
        assert_eq!(clock("2026-11-21T14:32:05Z".parse().unwrap(), now), "14:32:05 UTC");
        assert_eq!(clock("2026-11-22T00:01:00Z".parse().unwrap(), now), "2026-11-22 00:01:00 UTC");
    }
}
