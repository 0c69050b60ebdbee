//! Policies to start from, each with its tests and an explanation.

/// A policy to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pack {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in a few words.
    pub title: &'static str,
    /// The policy.
    pub policy: &'static str,
    /// Its tests; they call the policy `policy.yaml`.
    pub tests: &'static str,
    /// What it does and does not do.
    pub explanation: &'static str,
}

macro_rules! packs {
    ($($name:literal => $title:literal),+ $(,)?) => {
        /// All packs.
        pub const PACKS: &[Pack] = &[$(Pack {
            name: $name,
            title: $title,
            policy: include_str!(concat!("../../../packs/", $name, "/policy.yaml")),
            tests: include_str!(concat!("../../../packs/", $name, "/policy.test.yaml")),
            explanation: include_str!(concat!("../../../packs/", $name, "/README.md")),
        }),+];
    };
}

packs! {
    "read-only" => "look at files and change nothing",
    "developer" => "reading runs, writing asks, destroying is blocked",
    "database" => "questions to a database and nothing else",
    "web" => "pages over https, nothing on your own network",
    "hipaa-minimum-necessary" => "one patient at a time, disclosures ask, with HIPAA's controls",
    "soc2" => "changes and exports ask somebody else, with SOC 2's criteria",
    "pci-dss" => "payments without card numbers, with PCI DSS's requirements",
    "gdpr" => "one person at a time, for a purpose, with GDPR's articles",
}

impl Pack {
    /// The pack of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        PACKS.iter().find(|pack| pack.name == name)
    }

    /// The tests for a policy whose file has another name.
    #[must_use]
    pub fn tests_for(&self, file: &str) -> String {
        let named = serde_json::Value::from(file).to_string();
        self.tests.replacen("policy: policy.yaml\n", &format!("policy: {named}\n"), 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite;

    /// Whatever the policy's file is called, its tests know it.
    #[test]
    fn tests_name_their_policy() {
        for pack in PACKS {
            for file in ["policy.yaml", "a b.yaml", "it's \"é\".yaml", "#.yaml"] {
                let suite = suite::read("t.yaml", pack.tests_for(file).into_bytes()).unwrap();
                assert_eq!(suite.policy.as_deref(), Some(file), "{}", pack.name);
            }
        }
    }
}
