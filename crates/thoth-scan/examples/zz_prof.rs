//! x
use thoth_scan::inspect::*;
use thoth_types::json::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let t = std::fs::read(&a[1]).unwrap();
    let mut tape = Tape::new();
    let v = tape.parse(&t, &Limits::default()).unwrap();
    let s = InspectSettings::default();
    let n: usize = a[2].parse().unwrap();
    for _ in 0..n {
        if a.len() > 3 {
            std::hint::black_box(inspect_arguments("t", v, None, &s));
        } else {
            std::hint::black_box(inspect_result("t", v, &s));
        }
    }
}
