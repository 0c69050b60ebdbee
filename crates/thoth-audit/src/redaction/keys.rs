//! Keys whose values are secrets.

/// A key longer than this is prose, not a name.
const LONGEST: usize = 64;

/// Endings of secret names, after [`normalise`]. An ending rather than a part: `passwordPolicy` is no password.
const ENDINGS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "secretstring",
    "secrets",
    "token",
    "accesstokens",
    "refreshtokens",
    "authtokens",
    "apitokens",
    "authorization",
    "apikey",
    "apikeys",
    "accesskey",
    "accesskeyid",
    "secretkey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "accountkey",
    "masterkey",
    "sshkey",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "bearer",
    "jwt",
    "connectionstring",
];

/// Names that end like a secret but are positions in a list.
const HARMLESS: &[&str] = &["pagetoken", "nexttoken", "continuationtoken", "progresstoken", "synctoken", "starttoken"];

/// Words after a secret's name that do not change what it is: `clientSecretValue`.
const TAILS: &[&str] = &["value", "text", "plain"];

/// Whether a key's value is taken to be a secret. Case, `_`, `-`, `.`, spaces and camelCase make no difference.
pub(super) fn is_secret(name: &str) -> bool {
    if name.len() < 3 || name.len() > LONGEST {
        return false;
    }
    let mut buffer = [0; LONGEST];
    let mut length = 0;
    for byte in name.bytes().filter(u8::is_ascii_alphanumeric) {
        if let Some(slot) = buffer.get_mut(length) {
            *slot = byte.to_ascii_lowercase();
            length += 1;
        }
    }
    let Some(mut name) = buffer.get(..length) else { return false };
    while let Some((b'0'..=b'9', head)) = name.split_last() {
        name = head;
    }
    if let Some(tail) = TAILS.iter().find(|tail| name.ends_with(tail.as_bytes())) {
        name = name.get(..name.len() - tail.len()).unwrap_or_default();
    }
    ENDINGS.iter().any(|end| name.ends_with(end.as_bytes()))
        && !HARMLESS.iter().any(|end| name.ends_with(end.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every spelling of a secret's name is one; names that only contain such a word are not.
    #[test]
    fn names_are_told_apart() {
        for name in [
            "password",
            "PASSWORD",
            "dbPassword",
            "db_password",
            "db-password",
            "user.password",
            "password2",
            "Authorization",
            "X-Api-Key",
            "apiKey",
            "api_key",
            "OPENAI_API_KEY",
            "clientSecret",
            "client_secret_value",
            "accessToken",
            "refresh_token",
            "Set-Cookie",
            "privateKey",
            "aws_secret_access_key",
            "credentials",
            "SecretString",
            "pwd",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "path",
            "content",
            "maxTokens",
            "max_tokens",
            "tokenCount",
            "nextPageToken",
            "page_token",
            "progressToken",
            "passwordPolicy",
            "password_length",
            "secretary",
            "keyboard",
            "primaryKey",
            "key",
            "monkey",
            "cookieBanner",
            "author",
            "tokenizer",
            "string",
            "value",
            "keys",
            "cwd",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
