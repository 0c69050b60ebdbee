//! Desktop notifications of held calls: which tool of which server, and how to answer. Never the arguments: they would
//! stand in the logs and on the lock screens of desktops.

mod session_bus;

use std::io;
use std::time::Duration;

use thoth_proxy::{News, Notifier};
use thoth_types::display::name;

use thoth_shell::cells::{cut, first};

/// Where desktops say how their services are reached.
const ADDRESS: &str = "DBUS_SESSION_BUS_ADDRESS";

/// How long the desktop is given. Nobody waits for it but the next notification, and a machine that is busy takes seconds to
/// start what shows them.
const DEADLINE: Duration = Duration::from_secs(10);

/// The widest name.
const WIDEST: usize = 48;

/// The session's desktop.
#[derive(Debug)]
struct Desktop {
    /// The addresses of its bus.
    addresses: String,
}

/// The desktop of this session, if there is one. Whether it shows notifications is known when it is asked to.
pub(crate) fn desktop() -> Option<Box<dyn Notifier>> {
    let addresses = std::env::var(ADDRESS).ok().filter(|addresses| !addresses.is_empty())?;
    Some(Box::new(Desktop { addresses }))
}

impl Notifier for Desktop {
    fn tell(&mut self, news: &News<'_>) -> io::Result<()> {
        let (summary, body) = match news {
            News::One(hold) => one(&hold.tool, hold.caller.server.as_str(), hold.token.short()),
            News::Several(count) => several(*count),
        };
        session_bus::notify(&self.addresses, &summary, &body, DEADLINE)
    }
}

fn one(tool: &str, server: &str, id: &str) -> (String, String) {
    let summary = format!("Approval needed: {} on {}", plain(tool), plain(server));
    (summary, format!("In a terminal: thoth approvals show {id}"))
}

fn several(count: usize) -> (String, String) {
    (format!("{count} calls wait for approval"), "In a terminal: thoth approvals watch".to_owned())
}

/// A name that is one line, of bounded width, and markup on no desktop. Some read the text as markup and some do not, so
/// its signs are written out as all others are that cannot be shown as they are.
fn plain(text: &str) -> String {
    let shown = cut(&name(first(text, 4 * WIDEST)), WIDEST);
    let sign = |c: char| match c {
        '&' | '<' | '>' => c.escape_unicode().to_string(),
        c => c.to_string(),
    };
    shown.chars().map(sign).collect()
}

#[cfg(test)]
mod tests {
    use thoth_testkit::session_bus::{Behaviour, SessionBus};

    use super::*;

    const HOSTILE: &str = "<b>a&b</b>\u{1b}]0;x\u{7}\u{202e}\u{0}p\u{430}y\n\nApproved";

    /// Defends: a tool cannot put words, markup or lines of its own into what a person is told.
    #[test]
    fn names_are_no_markup_and_one_short_line() {
        assert_eq!(plain("delete_note"), "delete_note");
        assert_eq!(
            one("delete_note", "notes", "3f9a2c1d"),
            (
                "Approval needed: delete_note on notes".to_owned(),
                "In a terminal: thoth approvals show 3f9a2c1d".to_owned()
            )
        );
        assert_eq!(plain("<b>a&b</b>"), r#""\u{3c}b\u{3e}a\u{26}b\u{3c}/b\u{3e}""#);
        let text = plain(HOSTILE);
        assert!(text.chars().all(|c| !c.is_control() && !"<>&\u{202e}\u{430}".contains(c)), "{text}");
        let long = plain(&"漢<".repeat(1 << 19));
        assert!(long.len() < 400 && long.ends_with('…'), "{long}");
    }

    /// A real bus checks every byte of what is sent, and what arrives is read by other code than wrote it.
    #[test]
    fn the_desktop_gets_what_was_said() {
        let bus = SessionBus::start(Behaviour::Answers);
        let (summary, body) = one(HOSTILE, "notes ö", "3f9a2c1d");
        // An address of a kind that we do not use, and one where nobody is, come first.
        for addresses in
            [bus.address().to_owned(), format!("unixexec:path=/bin/false;unix:path=/nowhere;{}", bus.address())]
        {
            let mut desktop = Desktop { addresses };
            session_bus::notify(&desktop.addresses, &summary, &body, Duration::from_secs(30)).unwrap();
            let shown = bus.next();
            assert_eq!((&*shown.app, &*shown.summary, &*shown.body), ("Thoth", &*summary, &*body));
            desktop.tell(&News::Several(3)).unwrap();
            assert_eq!(bus.next().summary, "3 calls wait for approval");
        }
    }

    /// Defends: what was not shown is not taken for shown.
    #[test]
    fn a_desktop_that_does_not_show_it_is_an_error() {
        let short = Duration::from_millis(200);
        for (behaviour, what) in
            [(Behaviour::Refuses, "refuses"), (Behaviour::Absent, "absent"), (Behaviour::Hangs, "hangs")]
        {
            let bus = SessionBus::start(behaviour);
            let deadline = if behaviour == Behaviour::Hangs { short } else { Duration::from_secs(30) };
            session_bus::notify(bus.address(), "summary", "body", deadline).expect_err(what);
        }
        for address in ["", "unix:", "unix:path=/nowhere", "tcp:host=localhost,port=1", "unix:path=%zz", "garbage"] {
            session_bus::notify(address, "summary", "body", short).expect_err(address);
        }
    }
}
