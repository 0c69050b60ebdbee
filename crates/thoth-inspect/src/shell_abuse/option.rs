//! Values that a program would take for options, and those among them by which it starts another program.

/// A value that a program would read as an option: `-o/etc/passwd`, `--upload-pack=…`.
pub(super) fn is_option(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('-') else { return false };
    let long = rest.strip_prefix('-').is_some_and(|name| name.starts_with(|first: char| first.is_ascii_alphabetic()));
    let short = rest.starts_with(|first: char| first.is_ascii_alphabetic())
        && (rest.len() == 1 || rest.contains(['/', '=', '~', ':']));
    long || short
}

/// Options of ordinary programs whose value is run.
const STARTING: &[&str] = &[
    "--upload-pack",
    "--receive-pack",
    "--upload-archive",
    "--exec",
    "--exec-path",
    "--config-env",
    "--open-files-in-pager",
    "--extcmd",
    "--rsh",
    "--rsync-path",
    "--ssh-command",
    "--proxy-command",
    "--checkpoint-action",
    "--to-command",
    "--use-compress-program",
    "--use-askpass",
    "--info-script",
    "--pager",
];

/// `--upload-pack=…`, `-oProxyCommand=…`, `-c core.sshCommand=…`: options by which a program starts another one.
pub(super) fn starts_program(text: &str) -> bool {
    if !text.starts_with('-') {
        return false;
    }
    let (name, value) = text.split_once(['=', ' ', '\t']).unwrap_or((text, ""));
    if STARTING.contains(&name) {
        return !value.trim().is_empty();
    }
    // A setting of git or ssh that names a program.
    let setting = match name {
        "-c" | "--config" | "-o" => value.trim_start(),
        _ => text.strip_prefix("-o").or_else(|| text.strip_prefix("-c")).unwrap_or_default(),
    };
    let key = setting.split(['=', ' ']).next().unwrap_or_default().to_ascii_lowercase();
    key.len() < setting.len()
        && (["command", "pager", "editor", "hookspath", "askpass", "fsmonitor", "helper", "gitproxy", "uploadpack"]
            .iter()
            .any(|end| key.ends_with(end))
            || key.starts_with("alias."))
}

/// Whether an argument is there for options of a program.
pub(super) fn takes_options(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["arg", "opt", "flag", "param"].iter().any(|part| key.contains(part))
}

/// `ext::sh -c …`: transports of git that start what they name.
pub(super) fn names_program(text: &str) -> bool {
    text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("ext::")) && text.len() > 5
}
