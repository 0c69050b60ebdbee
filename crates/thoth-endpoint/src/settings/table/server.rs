//! Where a policy server is, and what happens without its answer.

use super::super::kind::Kind;
use super::super::setting::Setting;

settings! {
    APEX_DOMAIN: "The domain under which the organisation's policy server lives."
        => Setting::env(&["THOTH_APEX_DOMAIN"], Kind::Domain).key("apex_domain").planned();
    ENFORCER_URL: "The address of an enforcer that every call is put to, too: see [remote.md](../remote.md). `http://` is for \
        an enforcer on this very machine. Then a tenant, an agent and a key must be given."
        => Setting::env(&["THOTH_ENFORCER_URL"], Kind::ServerUrl).flag("--enforcer-url").key("enforcer_url");
    ENFORCER_TIMEOUT: "How long the decision about one call may take, attempts to get it included. Less makes more \
        of them an outage."
        => Setting::env(&["THOTH_ENFORCER_TIMEOUT_SECONDS"], Kind::Seconds).key("enforcer_timeout_seconds")
            .default("5").enforcer().loosens(&["*"]);
    ENFORCER_CONNECT_TIMEOUT: "How long a connection to the enforcer may take, of that time."
        => Setting::env(&["THOTH_ENFORCER_CONNECT_TIMEOUT_SECONDS"], Kind::Seconds)
            .key("enforcer_connect_timeout_seconds").default("2").enforcer().loosens(&["*"]);
    GOVAPI_URL: "The address of the governance API, where it is not the derived one."
        => Setting::env(&["THOTH_GOVAPI_URL", "THOTH_GOV_API_URL"], Kind::Url).planned();
    CHECKIN_INTERVAL: "How often the machine [checks in](../remote.md#the-machine) with the enforcer, which may ask for more \
        often: a number of seconds, or with a unit, as in `5m`."
        => Setting::env(&["THOTH_ENDPOINT_CHECKIN_INTERVAL_SEC", "THOTH_HEARTBEAT_INTERVAL_SECONDS"], Kind::Seconds)
            .key("endpoint_checkin_interval_seconds").default("60").enforcer();
    ENFORCER_FAILURE_DECISION: "What a call gets when the enforcer cannot be asked: it is refused, a person at this machine \
        is asked, or the local policy alone decides. `allow` counts as `block` in `staging` and `prod`."
        => Setting::env(&["THOTH_ENFORCER_FAILURE_DECISION"], Kind::Choice(&["block", "step_up", "allow"]))
            .key("enforcer_failure_decision").default("block").enforcer().loosens(&["allow", "step_up"]);
    ENFORCER_ALLOW_FALLBACK_OVERRIDE: "Lets `allow` stand in `staging` and `prod` too."
        => Setting::env(&["THOTH_ENFORCER_ALLOW_FALLBACK_OVERRIDE"], Kind::Bool)
            .key("enforcer_allow_fallback_override").default("false").enforcer().loosens(&["true"]);
}
