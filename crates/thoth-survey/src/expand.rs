//! Filling in what clients fill in: variables of the environment and the user's home in an entry's texts.

use std::path::Path;

use thoth_endpoint::platform::Environment;

/// What can be filled in.
#[derive(Debug, Clone, Copy)]
pub struct Fill<'a> {
    /// Where variables come from.
    pub environment: &'a Environment,
    /// The user's home.
    pub home: &'a str,
    /// The root of the project that the entry came with.
    pub project: Option<&'a Path>,
}

impl Fill<'_> {
    /// The text with its references filled in.
    ///
    /// # Errors
    /// The first reference that only the client can fill in, such as a question to its user.
    pub fn text(&self, text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = match text.strip_prefix("~/") {
            Some(rest) => {
                out.push_str(self.home);
                out.push('/');
                rest
            }
            None => text,
        };
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let Some((reference, after)) = after.split_once('}') else {
                // Not a reference, after all.
                out.push_str("${");
                rest = after;
                continue;
            };
            out.push_str(&self.reference(reference).ok_or_else(|| format!("${{{reference}}}"))?);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn reference(&self, reference: &str) -> Option<String> {
        let project = || self.project.and_then(Path::to_str).map(str::to_owned);
        match reference {
            "userHome" => return Some(self.home.to_owned()),
            "workspaceFolder" => return project(),
            "pathSeparator" | "/" => return Some("/".to_owned()),
            _ => {}
        }
        let name = reference.strip_prefix("env:").unwrap_or(reference);
        let (name, default) = name.split_once(":-").map_or((name, None), |(name, default)| (name, Some(default)));
        // Thoth's own settings are no business of a server.
        if name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("THOTH_")) || name.contains(':') {
            return None;
        }
        self.environment.get(name).or(default).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use thoth_endpoint::platform::Platform;

    use super::*;

    /// Defends: what clients fill in is filled in, what only they can is told, and our own settings go nowhere.
    #[test]
    fn references() {
        let variables = [("TOKEN", "t"), ("THOTH_API_KEY", "hush"), ("EMPTY", "")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let environment = Environment::new(Platform::Linux, variables);
        let fill = Fill { environment: &environment, home: "/home/u", project: Some(Path::new("/p")) };
        for (text, expected) in [
            ("plain $TOKEN ${", Ok("plain $TOKEN ${")),
            ("${TOKEN}-${env:TOKEN}", Ok("t-t")),
            ("${NONE:-x}${TOKEN:-x}", Ok("xt")),
            ("~/a", Ok("/home/u/a")),
            ("a~/b", Ok("a~/b")),
            ("${userHome}/a ${workspaceFolder}", Ok("/home/u/a /p")),
            ("${NONE}", Err("${NONE}")),
            ("${input:key}", Err("${input:key}")),
            ("${THOTH_API_KEY}", Err("${THOTH_API_KEY}")),
            ("${env:thoth_api_key:-x}", Err("${env:thoth_api_key:-x}")),
        ] {
            assert_eq!(fill.text(text), expected.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
    }
}
