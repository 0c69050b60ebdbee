//! Times of day and days of the week.

use jiff::Timestamp;
use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::TimeZone;

use crate::truth::Truth;

/// When a rule applies: a window within the day, days of the week, both in one time zone.
#[derive(Debug, Clone)]
pub struct Window {
    /// In which times and days are meant.
    pub zone: TimeZone,
    /// From this time on.
    pub after: Option<Time>,
    /// Until just before this time. Earlier than `after`: the window runs over midnight.
    pub before: Option<Time>,
    /// One bit per weekday, Monday lowest; `None` for every day.
    pub days: Option<u8>,
}

impl Window {
    /// Whether `now` lies in the window. The weekday is that on which the window opened: of a window over midnight,
    /// the hours after midnight belong to the day before.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> Truth {
        self.holds_locally(self.zone.to_datetime(now)).into()
    }

    /// [`Self::holds`], at a time of its zone.
    #[must_use]
    pub fn holds_locally(&self, local: DateTime) -> bool {
        let time = local.time();
        let today = local.weekday();
        let (in_day, opened) = match (self.after, self.before) {
            (Some(after), Some(before)) if after > before => {
                (time >= after || time < before, if time < before { today.previous() } else { today })
            }
            (after, before) => (after.is_none_or(|t| time >= t) && before.is_none_or(|t| time < t), today),
        };
        let on_day = self.days.is_none_or(|days| days & bit(opened) != 0);
        in_day && on_day
    }
}

/// The bit of a weekday in [`Window::days`].
pub(crate) const fn bit(day: Weekday) -> u8 {
    match day {
        Weekday::Monday => 1,
        Weekday::Tuesday => 1 << 1,
        Weekday::Wednesday => 1 << 2,
        Weekday::Thursday => 1 << 3,
        Weekday::Friday => 1 << 4,
        Weekday::Saturday => 1 << 5,
        Weekday::Sunday => 1 << 6,
    }
}

/// Full names and three-letter forms, Monday first; a day's number is its place from 1 (ISO 8601).
pub(crate) const DAY_NAMES: [(&str, &str); 7] = [
    ("mon", "monday"),
    ("tue", "tuesday"),
    ("wed", "wednesday"),
    ("thu", "thursday"),
    ("fri", "friday"),
    ("sat", "saturday"),
    ("sun", "sunday"),
];

/// Days as policies write them.
pub(crate) fn show_days(days: u8) -> String {
    let on = DAY_NAMES.iter().enumerate().filter(|(index, _)| days & (1 << index) != 0);
    on.map(|(_, (short, _))| *short).collect::<Vec<_>>().join(",")
}

/// The bit of a weekday written as a number from 1 to 7 or as an English name.
pub(crate) fn day_bit(text: &str) -> Option<u8> {
    let index = match text.parse::<usize>() {
        Ok(number) => number.checked_sub(1).filter(|n| *n < DAY_NAMES.len())?,
        Err(_) => {
            let lower = text.to_ascii_lowercase();
            DAY_NAMES.iter().position(|(short, long)| lower == *short || lower == *long)?
        }
    };
    Some(1 << index)
}

/// Reads `HH:MM`, from 00:00 to 23:59.
pub(crate) fn time_of_day(text: &str) -> Option<Time> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |part: &str, most: i8| {
        let plain = matches!(part.len(), 1 | 2) && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<i8>().ok().filter(|n| plain && *n <= most)
    };
    if minutes.len() != 2 {
        return None;
    }
    Time::new(number(hours, 23)?, number(minutes, 59)?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(after: &str, before: &str, zone: &str, days: Option<u8>) -> Window {
        let zone = TimeZone::get(zone).unwrap();
        Window { zone, after: time_of_day(after), before: time_of_day(before), days }
    }

    /// Defends overnight windows, zones and days.
    #[test]
    fn windows_hold_when_the_clock_says_so() {
        for (window, now, expected) in [
            (window("18:00", "08:00", "UTC", None), "2026-03-02T23:00:00Z", true),
            (window("18:00", "08:00", "UTC", None), "2026-03-02T07:59:59Z", true),
            (window("18:00", "08:00", "UTC", None), "2026-03-02T08:00:00Z", false),
            (window("09:00", "17:00", "UTC", None), "2026-03-02T09:00:00Z", true),
            (window("09:00", "17:00", "UTC", None), "2026-03-02T17:00:00Z", false),
            (window("09:00", "17:00", "Europe/Berlin", None), "2026-07-01T07:30:00Z", true),
            (window("09:00", "17:00", "Europe/Berlin", None), "2026-01-05T07:30:00Z", false),
            (window("09:00", "", "UTC", day_bit("mon")), "2026-03-02T10:00:00Z", true),
            (window("09:00", "", "UTC", day_bit("Tuesday")), "2026-03-02T10:00:00Z", false),
            (window("", "", "Asia/Tokyo", day_bit("2")), "2026-03-02T16:00:00Z", true),
            // 2026-03-06 is a Friday, and 2026-03-09 a Monday.
            (window("22:00", "06:00", "UTC", day_bit("fri")), "2026-03-06T22:00:00Z", true),
            (window("22:00", "06:00", "UTC", day_bit("fri")), "2026-03-07T05:59:59Z", true),
            (window("22:00", "06:00", "UTC", day_bit("fri")), "2026-03-07T06:00:00Z", false),
            (window("22:00", "06:00", "UTC", day_bit("fri")), "2026-03-06T05:59:59Z", false),
            (window("22:00", "06:00", "UTC", day_bit("fri")), "2026-03-07T22:00:00Z", false),
            (window("22:00", "06:00", "UTC", day_bit("sun")), "2026-03-09T01:00:00Z", true),
            (window("22:00", "06:00", "Asia/Tokyo", day_bit("fri")), "2026-03-06T20:00:00Z", true),
            (window("22:00", "06:00", "Asia/Tokyo", day_bit("fri")), "2026-03-06T21:00:00Z", false),
        ] {
            assert_eq!(window.holds(now.parse().unwrap()), expected.into(), "{window:?} {now}");
        }
        for bad in ["24:00", "1080", "18", "18:60", "-1:00", "18:0", "a:bb", "+8:00"] {
            assert_eq!(time_of_day(bad), None, "{bad}");
        }
        assert_eq!(day_bit("8"), None);
        assert_eq!(day_bit("0"), None);
        assert_eq!(day_bit("someday"), None);
    }
}
