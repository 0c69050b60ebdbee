//! Where files live, and what the installer reads.

use super::super::kind::Kind;
use super::super::setting::Setting;

const INSTALLER: &str = "the installer";

settings! {
    HOME: "Moves `~/.thoth`. It chooses the default policy, as `--policy` does: whoever may set it for `thoth run` may choose \
        the policy."
        => Setting::env(&["THOTH_HOME"], Kind::Path).otherwise("`~/.thoth`");
    INSTALL_DIR: "Where the installer puts the programs."
        => Setting::env(&["THOTH_INSTALL_DIR"], Kind::Path).otherwise("`/usr/local/bin`").of(INSTALLER);
    VERSION: "Which version it installs."
        => Setting::env(&["THOTH_VERSION"], Kind::Word).otherwise("`latest`").of(INSTALLER);
    HOME_DIR: "Which directory it prepares; `thoth` itself reads `THOTH_HOME`."
        => Setting::env(&["THOTH_HOME_DIR"], Kind::Path).otherwise("`$HOME/.thoth`").of(INSTALLER);
}
