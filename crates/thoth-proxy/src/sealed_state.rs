//! The state that a modern client carries from our question to its retry, sealed so that only this session can have
//! written it.
//!
//! It says which hold was asked about, and nothing is believed of a retry without it. It approves nothing: the answer
//! that comes with it is a vote like any other, and a hold is answered and used up once, in the store.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use jiff::Timestamp;
use thoth_types::{Binding, HoldToken, Redacted, SessionId};

/// How our states begin; the number is that of their form. One without it is the server's, and is not looked into.
pub(crate) const PREFIX: &str = "thoth1.";

/// Random and 24 bytes long, so that no two are ever the same.
pub(crate) const NONCE_BYTES: usize = 24;
const TOKEN_BYTES: usize = 16;
const BINDING_BYTES: usize = 32;
const PLAIN_BYTES: usize = TOKEN_BYTES + BINDING_BYTES + size_of::<i64>();
const TAG_BYTES: usize = 16;
/// How long every state of ours is: what is of another length need not be tried.
const SEALED_CHARS: usize = PREFIX.len() + ((NONCE_BYTES + PLAIN_BYTES + TAG_BYTES) * 4).div_ceil(3);

/// What a question of ours was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// The hold that was shown.
    pub(crate) hold: HoldToken,
    /// The call that it stands for.
    pub(crate) binding: Binding,
    /// When the state is worth nothing any more.
    pub(crate) expires_at: Timestamp,
    /// Names this state and no other.
    pub(crate) nonce: [u8; NONCE_BYTES],
}

/// Why a state does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// It does not begin as ours do: the server's.
    Foreign,
    /// It begins as ours do and is none of this session: changed, made up, of an earlier session, or the server's after
    /// all.
    Broken,
    /// It is ours, and its time is over.
    Expired,
}

/// Seals and opens the states of one session.
#[derive(Debug)]
pub(crate) struct Sealer {
    key: Redacted<[u8; 32]>,
    /// What every state is bound to besides what it says: its form and the session.
    context: Vec<u8>,
}

impl Sealer {
    /// A sealer with a random key that nobody else has and that ends with the session.
    pub(crate) fn new(key: Redacted<[u8; 32]>, session: &SessionId) -> Self {
        Self { key, context: [PREFIX.as_bytes(), session.as_str().as_bytes()].concat() }
    }

    /// The state as the client is to return it. Nothing if the hold's token is none.
    pub(crate) fn seal(&self, state: &State) -> Option<String> {
        let mut plain = Vec::with_capacity(PLAIN_BYTES);
        let token = u128::from_str_radix(state.hold.as_str().strip_prefix("hold_")?, 16).ok()?;
        plain.extend_from_slice(&token.to_be_bytes());
        plain.extend_from_slice(&state.binding.0);
        plain.extend_from_slice(&state.expires_at.as_microsecond().to_be_bytes());
        let payload = Payload { msg: &plain, aad: &self.context };
        let sealed = self.cipher().encrypt(&XNonce::from(state.nonce), payload).ok()?;
        let bytes = [state.nonce.as_slice(), &sealed].concat();
        Some(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Reads a state that a client has returned.
    pub(crate) fn open(&self, text: &str, now: Timestamp) -> Result<State, Unopened> {
        let body = text.strip_prefix(PREFIX).ok_or(Unopened::Foreign)?;
        let state = self.unseal(text, body).ok_or(Unopened::Broken)?;
        if now < state.expires_at { Ok(state) } else { Err(Unopened::Expired) }
    }

    fn unseal(&self, text: &str, body: &str) -> Option<State> {
        if text.len() != SEALED_CHARS {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(body).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: &self.context };
        let plain = self.cipher().decrypt(&XNonce::from(*nonce), payload).ok()?;
        let (token, rest) = plain.split_first_chunk::<TOKEN_BYTES>()?;
        let (binding, rest) = rest.split_first_chunk::<BINDING_BYTES>()?;
        let expires_at = i64::from_be_bytes(rest.try_into().ok()?);
        Some(State {
            hold: HoldToken::new(*token),
            binding: Binding(*binding),
            expires_at: Timestamp::from_microsecond(expires_at).ok()?,
            nonce: *nonce,
        })
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.key.expose_secret().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(name: &str) -> SessionId {
        name.parse().unwrap()
    }

    fn sealer(key: u8, name: &str) -> Sealer {
        Sealer::new(Redacted::new([key; 32]), &session(name))
    }

    fn state(nonce: u8) -> State {
        State {
            hold: HoldToken::new([0xab; 16]),
            binding: Binding([7; 32]),
            expires_at: Timestamp::from_second(1_000).unwrap(),
            nonce: [nonce; NONCE_BYTES],
        }
    }

    #[test]
    fn what_was_sealed_opens_until_its_time_is_over() {
        let (sealer, at) = (sealer(1, "s"), |second| Timestamp::from_second(second).unwrap());
        let sealed = sealer.seal(&state(1)).unwrap();
        assert_eq!(sealed.len(), SEALED_CHARS);
        assert!(sealed.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{sealed}");
        assert_eq!(sealer.open(&sealed, at(999)), Ok(state(1)));
        assert_eq!(sealer.open(&sealed, at(1_000)), Err(Unopened::Expired));
        assert_ne!(sealer.seal(&state(2)).unwrap(), sealed);
    }

    /// Defends that a client's retry counts only in the session that asked.
    #[test]
    fn states_of_other_sessions_keys_and_writers_do_not_open() {
        let ours = sealer(1, "s");
        for (other, why) in [
            (sealer(1, "t").seal(&state(1)), "another session"),
            (sealer(2, "s").seal(&state(1)), "another key"),
            (Some(format!("{PREFIX}{}", "A".repeat(SEALED_CHARS - PREFIX.len()))), "made up"),
            (Some(PREFIX.to_owned()), "nothing in it"),
            (Some(format!("{PREFIX}page=2")), "a server's own"),
        ] {
            assert_eq!(ours.open(&other.unwrap(), Timestamp::UNIX_EPOCH), Err(Unopened::Broken), "{why}");
        }
        for foreign in ["", "thoth1", "Thoth1.x", " thoth1.x", "thoth2.x", "eyJhbGciOiJIUzI1NiJ9.e30.x"] {
            assert_eq!(ours.open(foreign, Timestamp::UNIX_EPOCH), Err(Unopened::Foreign), "{foreign}");
        }
    }

    /// Defends the seal: no byte of it can be changed, put in or taken out. The text is short, so every one is tried.
    #[test]
    fn a_changed_state_does_not_open() {
        let sealer = sealer(1, "s");
        let sealed = sealer.seal(&state(1)).unwrap();
        let opens = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            sealer.open(&text, Timestamp::UNIX_EPOCH).is_ok()
        };
        for at in 0..sealed.len() {
            for other in (b' '..=b'~').filter(|other| *other != sealed.as_bytes()[at]) {
                let mut changed = sealed.clone().into_bytes();
                changed[at] = other;
                assert!(!opens(&changed), "byte {at} as {}", char::from(other));
            }
            let mut shorter = sealed.clone().into_bytes();
            shorter.remove(at);
            assert!(!opens(&shorter), "without byte {at}");
            let mut longer = sealed.clone().into_bytes();
            longer.insert(at, b'A');
            assert!(!opens(&longer), "with a byte more at {at}");
        }
        assert!(!opens(format!("{sealed}=").as_bytes()) && !opens(format!("{sealed}A").as_bytes()));
    }
}
