//! `cargo bench --bench everything`: the same as `cargo xtask bench`, for those whose fingers know the other name.
//!
//! What measures is not built with the bench profile but as it is shipped, by that task.

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    // Cargo itself adds `--bench`.
    let given = std::env::args_os().skip(1).filter(|argument| argument != "--bench");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    match Command::new(cargo).args(["xtask", "bench"]).args(given).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
