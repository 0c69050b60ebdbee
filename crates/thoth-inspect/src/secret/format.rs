//! Formats of providers that open with a literal of their own.

use std::ops::Range;

use super::super::detection::{Class, Confidence};
use super::super::leaf::Hit;
use super::placeholder;
use thoth_text::entropy::distinct;

/// Which bytes the body of a token is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// `0-9a-fA-F`
    Hex,
    /// `A-Z0-9`
    UpperAlnum,
    /// `A-Za-z0-9`
    Alnum,
    /// `A-Za-z0-9_-`
    Url,
    /// `A-Za-z0-9_.=-`
    UrlDotted,
    /// `A-Za-z0-9+/=`
    Base64,
    /// `A-Za-z0-9/`
    Path,
    /// `A-Za-z0-9._~+/=-`, of which HTTP makes tokens (RFC 6750, `b64token`)
    Token68,
}

impl Alphabet {
    pub(super) const fn has(self, byte: u8) -> bool {
        match self {
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::UpperAlnum => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::UrlDotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'='),
            Self::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='),
            Self::Token68 => {
                byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'~' | b'+' | b'/' | b'=')
            }
            Self::Path => byte.is_ascii_alphanumeric() || byte == b'/',
        }
    }
}

impl Alphabet {
    /// How long a run is that is known to have so many bytes.
    pub(super) fn run(self, bytes: &[u8], known: usize) -> usize {
        let more = bytes.get(known..).unwrap_or_default();
        known + more.iter().take_while(|byte| self.has(**byte)).count()
    }
}

/// Whether an escape stands before an offset, as in texts that were written for programs: `\n`, `%22`, `\x22`, `\u003d`.
pub(super) fn is_behind_escape(bytes: &[u8], at: usize) -> bool {
    let head = bytes.get(at.saturating_sub(6)..at).unwrap_or_default();
    let hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    match head {
        [.., b'\\', b'n' | b'r' | b't' | b'b' | b'f'] => true,
        [.., b'%', a, b] | [.., b'\\', b'x', a, b] => hex(&[*a, *b]),
        [b'\\', b'u', digits @ ..] => hex(digits) && digits.len() == 4,
        _ => false,
    }
}

/// The longest body that is measured. Of a longer run more is taken, to its end.
const MEASURED: usize = 2048;

/// A token of one provider: a literal, then a body.
#[derive(Debug)]
pub(super) struct Format {
    pub(super) kind: &'static str,
    pub(super) prefixes: &'static [&'static str],
    pub(super) alphabet: Alphabet,
    /// The shortest and the longest body.
    pub(super) body: (usize, usize),
    pub(super) message: &'static str,
}

const fn format(
    kind: &'static str,
    prefixes: &'static [&'static str],
    alphabet: Alphabet,
    body: (usize, usize),
    message: &'static str,
) -> Format {
    Format { kind, prefixes, alphabet, body, message }
}

const LONG: usize = MEASURED;

/// References: the providers' own documentation of their token formats and their secret-scanning programmes.
pub(super) const FORMATS: &[Format] = &[
    format("secrets.anthropic_key", &["sk-ant-"], Alphabet::Url, (20, 200), "an Anthropic API key"),
    format(
        "secrets.openai_key",
        &["sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-"],
        Alphabet::Url,
        (20, 220),
        "an OpenAI API key",
    ),
    format("secrets.openrouter_key", &["sk-or-v1-"], Alphabet::Hex, (32, 64), "an OpenRouter API key"),
    format("secrets.openai_key", &["sk-"], Alphabet::Alnum, (32, 64), "an OpenAI API key"),
    format(
        "secrets.github_token",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
        Alphabet::Alnum,
        (30, 255),
        "a GitHub token",
    ),
    format("secrets.github_token", &["github_pat_"], Alphabet::Url, (40, 255), "a GitHub fine-grained token"),
    format(
        "secrets.gitlab_token",
        &[
            "glpat-", "gloas-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "glsoat-",
            "glffct-",
        ],
        Alphabet::UrlDotted,
        (20, 100),
        "a GitLab token",
    ),
    format(
        "secrets.aws_access_key_id",
        &["AKIA", "ASIA", "ABIA", "ACCA"],
        Alphabet::UpperAlnum,
        (16, 16),
        "an AWS access key id",
    ),
    format("secrets.google_api_key", &["AIza"], Alphabet::Url, (35, 35), "a Google API key"),
    format("secrets.google_oauth_secret", &["GOCSPX-"], Alphabet::Url, (20, 40), "a Google OAuth client secret"),
    format("secrets.google_oauth_token", &["ya29."], Alphabet::Url, (20, LONG), "a Google OAuth access token"),
    format("secrets.google_oauth_token", &["1//0"], Alphabet::Url, (40, 200), "a Google OAuth refresh token"),
    format(
        "secrets.slack_token",
        &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxo-", "xapp-", "xoxc-", "xoxd-", "xoxe.", "xoxe-"],
        Alphabet::UrlDotted,
        (18, 400),
        "a Slack token",
    ),
    format(
        "secrets.slack_webhook",
        &["hooks.slack.com/services/", "hooks.slack.com/workflows/"],
        Alphabet::Path,
        (20, 120),
        "a Slack webhook address",
    ),
    format(
        "secrets.discord_webhook",
        &["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"],
        Alphabet::Path,
        (40, 140),
        "a Discord webhook address",
    ),
    format(
        "secrets.stripe_key",
        &["sk_live_", "sk_test_", "rk_live_", "rk_test_"],
        Alphabet::Alnum,
        (16, 250),
        "a Stripe key",
    ),
    format("secrets.stripe_webhook_secret", &["whsec_"], Alphabet::Base64, (24, 100), "a webhook signing secret"),
    format("secrets.twilio_key", &["SK"], Alphabet::Hex, (32, 32), "a Twilio API key"),
    format("secrets.sendgrid_key", &["SG."], Alphabet::UrlDotted, (60, 80), "a SendGrid API key"),
    format("secrets.mailgun_key", &["key-"], Alphabet::Hex, (32, 32), "a Mailgun API key"),
    format("secrets.brevo_key", &["xkeysib-"], Alphabet::Url, (64, 100), "a Brevo API key"),
    format("secrets.npm_token", &["npm_"], Alphabet::Alnum, (36, 36), "an npm token"),
    format("secrets.pypi_token", &["pypi-AgEI"], Alphabet::Url, (50, 400), "a PyPI token"),
    format("secrets.rubygems_key", &["rubygems_"], Alphabet::Hex, (48, 48), "a RubyGems API key"),
    format("secrets.huggingface_token", &["hf_", "api_org_"], Alphabet::Alnum, (30, 40), "a Hugging Face token"),
    format("secrets.groq_key", &["gsk_"], Alphabet::Alnum, (40, 60), "a Groq API key"),
    format("secrets.xai_key", &["xai-"], Alphabet::Alnum, (60, 100), "an xAI API key"),
    format("secrets.perplexity_key", &["pplx-"], Alphabet::Alnum, (40, 60), "a Perplexity API key"),
    format("secrets.replicate_token", &["r8_"], Alphabet::Alnum, (36, 40), "a Replicate token"),
    format(
        "secrets.digitalocean_token",
        &["dop_v1_", "doo_v1_", "dor_v1_"],
        Alphabet::Hex,
        (64, 64),
        "a DigitalOcean token",
    ),
    format("secrets.databricks_token", &["dapi"], Alphabet::Hex, (32, 32), "a Databricks token"),
    format(
        "secrets.shopify_token",
        &["shpat_", "shpca_", "shppa_", "shpss_"],
        Alphabet::Hex,
        (32, 32),
        "a Shopify token",
    ),
    format("secrets.square_token", &["sq0atp-", "sq0csp-"], Alphabet::Url, (22, 50), "a Square token"),
    format("secrets.linear_key", &["lin_api_", "lin_oauth_"], Alphabet::Alnum, (32, 64), "a Linear API key"),
    format("secrets.notion_token", &["ntn_", "secret_"], Alphabet::Alnum, (43, 50), "a Notion token"),
    format("secrets.figma_token", &["figd_"], Alphabet::Url, (40, 60), "a Figma token"),
    format("secrets.postman_key", &["PMAK-"], Alphabet::Url, (50, 70), "a Postman API key"),
    format("secrets.grafana_token", &["glsa_", "glc_"], Alphabet::Url, (32, 400), "a Grafana token"),
    format("secrets.newrelic_key", &["NRAK-", "NRJS-", "NRII-"], Alphabet::Url, (19, 40), "a New Relic key"),
    format("secrets.sentry_token", &["sntrys_", "sntryu_"], Alphabet::UrlDotted, (40, 400), "a Sentry token"),
    format("secrets.vault_token", &["hvs.", "hvb.", "hvr."], Alphabet::Url, (24, 300), "a Vault token"),
    format(
        "secrets.doppler_token",
        &["dp.pt.", "dp.st.", "dp.ct.", "dp.sa."],
        Alphabet::UrlDotted,
        (40, 80),
        "a Doppler token",
    ),
    format("secrets.docker_token", &["dckr_pat_", "dckr_oat_"], Alphabet::Url, (20, 60), "a Docker Hub token"),
    format("secrets.pulumi_token", &["pul-"], Alphabet::Hex, (40, 40), "a Pulumi token"),
    format(
        "secrets.planetscale_token",
        &["pscale_tkn_", "pscale_pw_", "pscale_oauth_"],
        Alphabet::UrlDotted,
        (32, 80),
        "a PlanetScale token",
    ),
    format("secrets.supabase_key", &["sbp_", "sb_secret_"], Alphabet::Url, (30, 60), "a Supabase key"),
    format("secrets.tailscale_key", &["tskey-"], Alphabet::Url, (20, 80), "a Tailscale key"),
    format(
        "secrets.atlassian_token",
        &["ATATT3", "ATCTT3", "ATBB"],
        Alphabet::UrlDotted,
        (28, 400),
        "an Atlassian token",
    ),
    format("secrets.circleci_token", &["CCIPAT_"], Alphabet::Url, (40, 80), "a CircleCI token"),
    format("secrets.netlify_token", &["nfp_"], Alphabet::Alnum, (36, 50), "a Netlify token"),
    format("secrets.contentful_token", &["CFPAT-"], Alphabet::Url, (40, 60), "a Contentful token"),
    format("secrets.fly_token", &["fm2_", "fo1_"], Alphabet::Base64, (40, LONG), "a Fly.io token"),
    format("secrets.telegram_token", &[":AA"], Alphabet::Url, (33, 33), "a Telegram bot token"),
    format("secrets.age_key", &["AGE-SECRET-KEY-1"], Alphabet::UpperAlnum, (58, 58), "an age private key"),
    format("secrets.dropbox_token", &["sl.u."], Alphabet::Url, (100, LONG), "a Dropbox token"),
    format("secrets.heroku_key", &["HRKU-"], Alphabet::Url, (36, 80), "a Heroku API key"),
    format("secrets.facebook_token", &["EAACEdEose0cBA"], Alphabet::Alnum, (20, LONG), "a Facebook token"),
    format(
        "secrets.azure_key",
        &["AccountKey=", "SharedAccessKey=", "SharedSecretValue="],
        Alphabet::Base64,
        (40, 100),
        "an Azure shared key",
    ),
];

impl Format {
    /// Judges what stands behind an opening at `opening`. Also says up to where it looked.
    pub(super) fn check(&self, text: &str, opening: Range<usize>) -> (Option<Hit>, usize) {
        let mut looked = 0;
        (self.judge(text, opening, &mut looked), looked)
    }

    fn judge(&self, text: &str, opening: Range<usize>, looked: &mut usize) -> Option<Hit> {
        let bytes = text.as_bytes();
        let literal = bytes.get(opening.clone())?;
        let exact = self.prefixes.iter().any(|prefix| prefix.as_bytes() == literal);
        let assignment = literal.ends_with(b"=");
        let telegram = literal == b":AA";
        let before = opening.start.checked_sub(1).and_then(|at| bytes.get(at)).copied();
        // Inside a longer run it is not an opening; this also keeps the whole linear.
        let joined = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let fresh = telegram || !joined || is_behind_escape(bytes, opening.start);
        if !fresh || !(exact || assignment) {
            return None;
        }
        let rest = bytes.get(opening.end..)?;
        let run = rest.iter().take(self.body.1 + 1).take_while(|byte| self.alphabet.has(**byte)).count();
        *looked = opening.end + run;
        let (least, most) = self.body;
        // A longer run of the same letters is something else, unless the format has no fixed length.
        let fits = run >= least && (run <= most || most >= 100);
        let body = rest.get(..run)?;
        if !fits || distinct(body) < 7.min(u32::try_from(least / 3).unwrap_or(7)) || placeholder::is_filler(body) {
            return None;
        }
        let start = if telegram { telegram_start(bytes, opening.start)? } else { opening.start };
        if self.kind == "secrets.openai_key" && literal == b"sk-" && !body.iter().any(u8::is_ascii_digit) {
            return None;
        }
        if self.kind == "secrets.sendgrid_key" && body.iter().filter(|byte| **byte == b'.').count() != 1 {
            return None;
        }
        let start = if assignment { opening.end } else { start };
        let example = memchr::memmem::find(body, b"EXAMPLE").is_some();
        Some(Hit {
            class: Class::Secrets,
            kind: self.kind,
            range: start..opening.end + self.alphabet.run(rest, run),
            confidence: if example { Confidence::Low } else { Confidence::High },
            message: self.message,
        })
    }
}

/// A bot token opens with the bot's number: 8 to 10 digits before the colon.
fn telegram_start(bytes: &[u8], colon: usize) -> Option<usize> {
    let head = bytes.get(colon.saturating_sub(11)..colon)?;
    let digits = head.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    (8..=10).contains(&digits).then(|| colon - digits)
}
