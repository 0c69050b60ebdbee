//! What the endpoint shows a policy server to be let in.

use super::super::kind::Kind;
use super::super::setting::Setting;

settings! {
    API_KEY: "The endpoint's key."
        => Setting::env(&["THOTH_API_KEY"], Kind::Secret).flag("--api-key").secret().enforcer();
    API_KEY_FILE: "A file with the key: JSON with `api_key`, or the key alone."
        => Setting::env(&["THOTH_API_KEY_FILE"], Kind::Path).otherwise("`~/.thoth/proxy_api_key.json`").enforcer();
    API_KEY_ID: "The name of the key, written as `key_id` when `~/.thoth/proxy_api_key.json` is created."
        => Setting::env(&["THOTH_API_KEY_ID"], Kind::Word).otherwise("the host name");
    RUNTIME_BEARER_TOKEN: "A short-lived token, to be preferred to a key."
        => Setting::env(&["THOTH_RUNTIME_BEARER_TOKEN"], Kind::Secret).secret().planned();
    AUTH_TOKEN: "A token of a signed-in session."
        => Setting::env(&["THOTH_AUTH_TOKEN"], Kind::Secret).secret().planned();
    AUTH_TOKEN_FILE: "A file with such a token."
        => Setting::env(&["THOTH_AUTH_TOKEN_FILE"], Kind::Path).planned();
    GOVAPI_BEARER_TOKEN: "A token for the governance API."
        => Setting::env(&["THOTH_GOVAPI_BEARER_TOKEN"], Kind::Secret).secret().planned();
    GOVAPI_API_KEY: "A key for the governance API."
        => Setting::env(&["THOTH_GOVAPI_API_KEY"], Kind::Secret).secret().planned();
}
