//! Values that must never be printed.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

/// A secret. It has no `Display`, its `Debug` shows nothing of it, and its memory is cleared when it is dropped.
#[derive(Clone)]
pub struct Redacted<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Redacted<T> {
    /// Wraps a secret.
    pub fn new(secret: T) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The secret itself. Every use of this name is a place to review.
    pub fn expose_secret(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Redacted::new("hunter2".to_owned())), "[redacted]");
    }
}
