//! What a policy does, proved before it runs.
