//! As whom the gate may run.

use super::super::kind::Kind;
use super::super::setting::Setting;

settings! {
    REQUIRE_NON_ROOT: "Whether `thoth run` refuses to run as root."
        => Setting::env(&["THOTH_REQUIRE_NON_ROOT"], Kind::Bool).key("require_non_root")
            .otherwise("true if `THOTH_ENV` is written as `staging` or `prod`; when it is not written, false, and \
                `thoth doctor` warns").loosens(&["false"]);
    EXPECTED_PROXY_USER: "The name of the only user as whom `thoth run` may run."
        => Setting::env(&["THOTH_EXPECTED_PROXY_USER"], Kind::Text).key("expected_proxy_user");
    EXPECTED_PROXY_UID: "The same by number."
        => Setting::env(&["THOTH_EXPECTED_PROXY_UID"], Kind::Uid).key("expected_proxy_uid");
}
