//! Where a policy server is, and what happens without its answer.

use super::super::kind::Kind;
use super::super::setting::Setting;

settings! {
    APEX_DOMAIN: "The domain under which the organisation's policy server lives."
        => Setting::env(&["THOTH_APEX_DOMAIN"], Kind::Domain).key("apex_domain").planned();
    ENFORCER_URL: "The address of a policy server. This version decides locally and does not start with one, rather than \
        let anybody believe that it asks."
        => Setting::env(&["THOTH_ENFORCER_URL"], Kind::Url).flag("--enforcer-url").refused();
    GOVAPI_URL: "The address of the governance API, where it is not the derived one."
        => Setting::env(&["THOTH_GOVAPI_URL", "THOTH_GOV_API_URL"], Kind::Url).planned();
    CHECKIN_INTERVAL: "How often the endpoint reports: a number of seconds, or with a unit, as in `5m`."
        => Setting::env(&["THOTH_ENDPOINT_CHECKIN_INTERVAL_SEC", "THOTH_HEARTBEAT_INTERVAL_SECONDS"], Kind::Seconds)
            .default("60").planned();
    ENFORCER_FAILURE_DECISION: "What a call gets when the policy server cannot be asked. `allow` counts as `block` in \
        `staging` and `prod`."
        => Setting::env(&["THOTH_ENFORCER_FAILURE_DECISION"], Kind::Choice(&["block", "step_up", "allow"]))
            .key("enforcer_failure_decision").default("block").planned().loosens(&["allow", "step_up"]);
    ENFORCER_ALLOW_FALLBACK_OVERRIDE: "Lets `allow` stand in `staging` and `prod` too."
        => Setting::env(&["THOTH_ENFORCER_ALLOW_FALLBACK_OVERRIDE"], Kind::Bool)
            .key("enforcer_allow_fallback_override").default("false").planned().loosens(&["true"]);
}
