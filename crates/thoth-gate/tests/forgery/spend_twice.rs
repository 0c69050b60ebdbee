//! A permit is consumed by use.
fn forward(permit: thoth_gate::Permit<'_>) {
    let _ = permit.spend();
    let _ = permit.spend();
}

fn main() {
    let _ = forward;
}
