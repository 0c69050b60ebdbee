//! Invariant 1, no permit, no forwarding: what must not compile, does not.

#[test]
fn a_permit_cannot_be_forged_copied_or_used_twice() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/forgery/*.rs");
}
