//! Who acts, and on which machine.

use super::super::kind::Kind;
use super::super::setting::Setting;

settings! {
    TENANT_ID: "The organisation. Where addresses are derived from it, it must be a DNS label."
        => Setting::env(&["THOTH_TENANT_ID"], Kind::Tenant).key("tenant_id").flag("--tenant-id");
    USER_ID: "The person for whom the agent acts: an e-mail address. (The flag takes any identifier.)"
        => Setting::env(&["THOTH_USER_ID"], Kind::Email).key("user_id").flag("--user-id");
    AGENT_ID: "The agent that calls: a name or a DID. No variable gives it: `THOTH_AGENT_ID` is of the SDKs."
        => Setting::env(&[], Kind::Agent).key("agent_id").flag("--agent-id");
    FLEET_ID: "The fleet that the machine belongs to, as the enforcer is told."
        => Setting::env(&["THOTH_FLEET_ID"], Kind::Word).key("fleet_id").enforcer();
    ENDPOINT_ID: "The machine's identity, where it should be none of the others."
        => Setting::env(&["THOTH_ENDPOINT_ID"], Kind::Endpoint).key("endpoint_id")
            .otherwise("the managed device id, the machine id's digest, the host name");
    INTUNE_DEVICE_ID: "The device id that Intune knows the machine by."
        => Setting::env(&["THOTH_INTUNE_DEVICE_ID", "INTUNE_DEVICE_ID"], Kind::Endpoint);
    JAMF_COMPUTER_ID: "The computer id that Jamf knows the machine by; it counts after Intune's."
        => Setting::env(&["THOTH_JAMF_COMPUTER_ID", "JAMF_COMPUTER_ID"], Kind::Endpoint);
    ENROLLMENT_SOURCE: "How the machine came under management, as the enforcer is told."
        => Setting::env(&["THOTH_ENROLLMENT_SOURCE"], Kind::Choice(&["jamf", "intune", "manual", "unmanaged"])).enforcer();
    ENV: "What the machine is for. `staging` and `prod`, when written, make `THOTH_REQUIRE_NON_ROOT` true; in both, as when \
        nothing is written, `allow` as a failure decision counts as `block`."
        => Setting::env(&["THOTH_ENV"], Kind::Choice(&["dev", "staging", "prod"])).key("environment").default("prod")
            .loosens(&["dev"]);
    ALLOWED_PATHS: "Folders that file servers may be set up for, by platform: `{\"macos\": [\"/Users/{{USERNAME}}/Work\"]}`. \
        Shown; nothing enforces it: write a rule on paths into the policy."
        => Setting::env(&[], Kind::Text).key("allowed_paths").planned();
}
