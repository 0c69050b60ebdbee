//! A permit has no public fields.
fn main() {
    let _ = thoth_gate::Permit { frame: b"{}".as_slice().into(), tickets: Vec::new() };
}
