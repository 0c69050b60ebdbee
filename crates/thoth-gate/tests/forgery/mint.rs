//! Only the gate mints.
fn main() {
    let _ = thoth_gate::Permit::mint(b"{}".as_slice().into(), Vec::new());
}
