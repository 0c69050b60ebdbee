//! Bytes are lines, however they arrive.

use proptest::prelude::*;
use thoth_testkit::readers::{buffered_lines, simple_lines};

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Defends framing against the way in which a pipe cuts a stream to pieces.
    #[test]
    fn every_chunking_yields_the_lines_of_a_naive_split(
        input in proptest::collection::vec(
            prop_oneof![4 => Just(b'\n'), 2 => Just(b'\r'), 1 => Just(b' '), 8 => any::<u8>()], 0..400),
        pieces in proptest::collection::vec(1_u8..50, 1..20),
        max_frame in 1_usize..30,
    ) {
        prop_assert_eq!(buffered_lines(&input, max_frame, &pieces), Ok(simple_lines(&input, max_frame)));
    }
}
