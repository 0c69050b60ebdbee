//! A permit cannot be copied.
fn twice(permit: &thoth_gate::Permit<'static>) -> thoth_gate::Permit<'static> {
    permit.clone()
}

fn main() {
    let _ = twice;
}
