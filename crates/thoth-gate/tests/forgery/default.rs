//! There is no permit by default.
fn main() {
    let _: thoth_gate::Permit<'static> = Default::default();
}
