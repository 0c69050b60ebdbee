//! An answer of `admit` is no permit: the evidence comes first.
fn forward(permit: thoth_gate::Permit<'_>) {
    let _ = permit.spend();
}

fn main() {
    forward(thoth_gate::Answer::Admitted);
}
