//! Definitions and what is found in them.
