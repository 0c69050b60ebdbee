//! A permit has no public fields.
fn main() {
    let _ = thoth_gate::Permit { frame: b"{}", tickets: Vec::new() };
}
