//! The page of all settings, from the table.

use super::table::TABLE;
use super::{Kind, Setting};

const HEAD: &str = "\
# Settings of thothd

<!-- Written by `thothd config reference` from the table in `crates/thoth-server/src/options/table.rs`. Do not edit. -->

Every setting has one name. It is a flag with `-` for `_`, a variable in capitals behind `THOTHD_`, and a key in a file of
settings: `enforce_per_minute` is `--enforce-per-minute 500`, `THOTHD_ENFORCE_PER_MINUTE=500` and `enforce_per_minute = 500`.

The first of these that gives a setting counts:

1. the flag;
2. the variable; one that is set to nothing counts as not set;
3. the file that `--config FILE` names, or else `THOTHD_CONFIG`; without either there is no file;
4. for a few settings, a variable that many programs know, such as `OTEL_SERVICE_NAME`;
5. the default.

The file is TOML with these names at the top and no sections. Texts stand between quotes, numbers and `true` or `false` without.
Paths in it start from the folder of the file. A name that is not known, or a value that cannot be used, is an error with its
line and column, also where a stronger place gives the setting; nothing is started then. Nobody else may be able to write to
the file.

`thothd config check FILE` says what is wrong, `thothd config show` what holds and where it stands, with the same flags as
`thothd serve`. `thothd keys create`, `migrate` and others take the settings of the data directory and the database in the
same ways. No message has the value of a secret.

A setting with `…` has any number of values: the flag is repeated, the variable has commas between them, and the file has a list,
as `oidc_role = [\"admin=write\", \"audit=read\"]`. The stronger place replaces all of them.

```toml
# /etc/thothd/thothd.toml
listen = \"0.0.0.0:8787\"
tls_cert = \"tls/cert.pem\"          # /etc/thothd/tls/cert.pem
tls_key = \"tls/key.pem\"
data = \"/var/lib/thothd\"
policy = \"policy.yaml\"
enforce_per_minute = 2000
```

| setting | value | default | what |
|---|---|---|---|
";

/// The whole page, ending with a line end.
pub(crate) fn reference() -> String {
    let rows = TABLE.iter().map(row);
    HEAD.to_owned() + &rows.collect::<String>()
}

fn row(setting: &Setting) -> String {
    let Setting { name, value, what, more, .. } = setting;
    let value = match setting.kind {
        Kind::Word(words) => {
            let first: Vec<String> = words.iter().filter_map(|same| Some(format!("`{}`", same.first()?))).collect();
            first.join(", ")
        }
        Kind::Switch => "`true`, `false`".to_owned(),
        Kind::List(_) => format!("{value}…"),
        _ => (*value).to_owned(),
    };
    let default = setting.default.map_or_else(|| "–".to_owned(), |default| format!("`{default}`"));
    let more = if more.is_empty() { String::new() } else { format!(" {more}") };
    let common: Vec<String> = setting.common.iter().map(|name| format!("`{name}`")).collect();
    let common = match common.join(", else ") {
        names if names.is_empty() => names,
        names => format!(" Where nothing says it for `thothd`: {names}."),
    };
    format!("| `{name}` | {value} | {default} | {what}.{more}{common} |\n")
}
