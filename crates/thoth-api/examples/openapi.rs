//! Prints the OpenAPI document of the contract, as it is checked in under `openapi/`.

use std::io::{self, Write as _};

fn main() -> io::Result<()> {
    let document = thoth_api::contract::openapi::document().map_err(io::Error::other)?;
    let mut text = serde_json::to_string_pretty(&document)?;
    text.push('\n');
    io::stdout().write_all(text.as_bytes())
}
