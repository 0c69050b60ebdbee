//! Installations that belong to a package manager, told by where the program is.
//!
//! A package manager that finds another program in place of its own breaks at its next upgrade, or puts the old one
//! back. So we name its command instead.

/// What keeps this installation up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Managed {
    /// The package manager.
    pub by: &'static str,
    /// The command that updates.
    pub command: &'static str,
}

/// How a row recognises a path. Separators are `/`; where a row is about Windows, letter case does not count.
enum Where {
    /// Below this directory.
    Below(&'static str),
    /// These parts stand in the path, one after the other.
    Within(&'static str),
    /// The same, in a Windows path.
    WithinWindows(&'static str),
    /// Below the first, and the second exists.
    BelowIf(&'static str, &'static str),
}

struct Row(Where, Managed);

const fn row(place: Where, by: &'static str, command: &'static str) -> Row {
    Row(place, Managed { by, command })
}

/// The first row that fits counts.
const TABLE: &[Row] = &[
    row(Where::Within("/Cellar/"), "Homebrew", "brew upgrade thoth"),
    row(Where::Within("/Caskroom/"), "Homebrew", "brew upgrade --cask thoth"),
    row(Where::Below("/nix/store/"), "Nix", "nix profile upgrade thoth"),
    row(Where::Below("/gnu/store/"), "Guix", "guix upgrade thoth"),
    row(Where::Below("/snap/"), "snap", "sudo snap refresh thoth"),
    row(Where::Below("/var/lib/snapd/"), "snap", "sudo snap refresh thoth"),
    row(Where::Below("/opt/local/"), "MacPorts", "sudo port upgrade thoth"),
    row(Where::Within("/mise/installs/"), "mise", "mise upgrade thoth"),
    row(Where::Within("/.asdf/installs/"), "asdf", "asdf install thoth latest"),
    row(Where::Within("/node_modules/"), "npm", "npm update --global thoth"),
    row(Where::Within("/.cargo/bin/"), "cargo", CARGO),
    row(Where::WithinWindows("/.cargo/bin/"), "cargo", CARGO),
    row(Where::WithinWindows("/scoop/apps/"), "Scoop", "scoop update thoth"),
    row(Where::WithinWindows("/scoop/shims/"), "Scoop", "scoop update thoth"),
    row(Where::WithinWindows("/winget/packages/"), "winget", "winget upgrade thoth"),
    row(Where::WithinWindows("/winget/links/"), "winget", "winget upgrade thoth"),
    row(Where::WithinWindows("/chocolatey/"), "Chocolatey", "choco upgrade thoth"),
    row(
        Where::BelowIf("/usr/local/bin/", "/private/var/db/receipts/com.atensecurity.thoth.cli.plist"),
        "the macOS installer",
        "install the new `thoth-macos-universal.pkg`, or let device management do it",
    ),
    row(Where::BelowIf("/usr/lib/", "/var/lib/dpkg/info/thoth.list"), "dpkg", APT),
    row(Where::BelowIf("/usr/bin/", "/var/lib/dpkg/info/thoth.list"), "dpkg", APT),
    row(Where::BelowIf("/usr/bin/", "/etc/debian_version"), "dpkg", APT),
    row(Where::BelowIf("/usr/bin/", "/etc/alpine-release"), "apk", "sudo apk upgrade thoth"),
    row(Where::BelowIf("/usr/bin/", "/etc/arch-release"), "pacman", "sudo pacman -Syu thoth"),
    row(Where::BelowIf("/usr/bin/", "/usr/bin/zypper"), "rpm", "sudo zypper update thoth"),
    row(Where::BelowIf("/usr/bin/", "/usr/bin/dnf"), "rpm", "sudo dnf upgrade thoth"),
    row(Where::BelowIf("/usr/bin/", "/usr/bin/yum"), "rpm", "sudo yum update thoth"),
    row(Where::Below("/usr/bin/"), "the system's package manager", "use the system's package manager"),
    row(Where::Below("/usr/sbin/"), "the system's package manager", "use the system's package manager"),
    row(Where::Below("/bin/"), "the system's package manager", "use the system's package manager"),
    row(Where::Below("/sbin/"), "the system's package manager", "use the system's package manager"),
];

const APT: &str = "sudo apt-get install --only-upgrade thoth";
const CARGO: &str = concat!("cargo install --locked --git ", env!("CARGO_PKG_REPOSITORY"), " thoth-cli");

/// The package manager that owns the program at a path, which is absolute and has no symbolic links in it. `exists`
/// tells whether a file is there.
#[must_use]
pub fn managed_by(path: &str, exists: impl Fn(&str) -> bool) -> Option<Managed> {
    let windows = path.contains('\\');
    let path = path.replace('\\', "/");
    let lower = path.to_ascii_lowercase();
    let fits = |place: &Where| match *place {
        Where::Below(directory) => path.starts_with(directory),
        Where::Within(parts) => path.contains(parts),
        Where::WithinWindows(parts) => windows && lower.contains(parts),
        Where::BelowIf(directory, proof) => path.starts_with(directory) && exists(proof),
    };
    TABLE.iter().find(|Row(place, _)| fits(place)).map(|Row(_, managed)| *managed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each manager's places are known, and the places where people put programs themselves are nobody's.
    #[test]
    fn the_table() {
        let receipt = "/private/var/db/receipts/com.atensecurity.thoth.cli.plist";
        for (path, proof, by) in [
            ("/opt/homebrew/Cellar/thoth/0.1.0/bin/thoth", "", Some("Homebrew")),
            ("/usr/local/Cellar/thoth/0.1.0/bin/thoth", receipt, Some("Homebrew")),
            ("/home/linuxbrew/.linuxbrew/Cellar/thoth/0.1.0/bin/thoth", "", Some("Homebrew")),
            ("/nix/store/abc-thoth-0.1.0/bin/thoth", "", Some("Nix")),
            ("/snap/thoth/12/bin/thoth", "", Some("snap")),
            ("/opt/local/bin/thoth", "", Some("MacPorts")),
            ("/home/me/.local/share/mise/installs/thoth/0.1.0/thoth", "", Some("mise")),
            ("/home/me/.cargo/bin/thoth", "", Some("cargo")),
            (r"C:\Users\me\.cargo\bin\thoth.exe", "", Some("cargo")),
            (r"C:\Users\me\scoop\apps\thoth\current\thoth.exe", "", Some("Scoop")),
            (r"C:\Users\me\AppData\Local\Microsoft\WinGet\Packages\X_Y\thoth.exe", "", Some("winget")),
            (r"C:\ProgramData\chocolatey\lib\thoth\tools\thoth.exe", "", Some("Chocolatey")),
            ("/usr/local/bin/thoth", receipt, Some("the macOS installer")),
            ("/usr/bin/thoth", "/var/lib/dpkg/info/thoth.list", Some("dpkg")),
            ("/usr/lib/thoth/thoth", "/var/lib/dpkg/info/thoth.list", Some("dpkg")),
            ("/usr/bin/thoth", "/usr/bin/dnf", Some("rpm")),
            ("/usr/bin/thoth", "/etc/arch-release", Some("pacman")),
            ("/usr/bin/thoth", "/etc/alpine-release", Some("apk")),
            ("/usr/bin/thoth", "", Some("the system's package manager")),
            ("/usr/local/bin/thoth", "/usr/bin/dnf", None),
            ("/usr/local/bin/thoth", "/var/lib/dpkg/info/thoth.list", None),
            ("/usr/local/bin/thoth", "/etc/debian_version", None),
            ("/usr/local/bin/thoth", "", None),
            ("/home/me/.local/bin/thoth", "", None),
            ("/home/me/.thoth/bin/thoth", "", None),
            ("/opt/thoth/thoth", "", None),
            ("/home/scoop/apps/thoth", "", None),
            (r"C:\Program Files\Thoth\thoth.exe", "", None),
            (r"C:\Users\me\bin\thoth.exe", "", None),
        ] {
            let found = managed_by(path, |file| !proof.is_empty() && file == proof);
            assert_eq!(found.map(|managed| managed.by), by, "{path} {proof}");
        }
    }
}
