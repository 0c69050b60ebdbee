//! The tables in the documentation, between two marks, so that nobody types figures there.

use anyhow::{Context as _, Result, bail};

use crate::report;
use crate::workspace::Workspace;

const PAGE: &str = "docs/detection.md";
const BEGIN: &str = "<!-- Measured by `cargo xtask eval --write-docs`; not edited by hand. -->";
const END: &str = "<!-- End of what is measured. -->";

/// Replaces what stands between the marks.
pub(super) fn write(workspace: &Workspace, tables: &str) -> Result<()> {
    let path = workspace.root().join(PAGE);
    let page = std::fs::read_to_string(&path).with_context(|| format!("cannot read {PAGE}"))?;
    std::fs::write(&path, replaced(&page, tables)?).with_context(|| format!("cannot write {PAGE}"))?;
    report::say(&format!("wrote {PAGE}"));
    Ok(())
}

fn replaced(page: &str, tables: &str) -> Result<String> {
    let (Some((before, rest)), true) = (page.split_once(BEGIN), page.matches(END).count() == 1) else {
        bail!("{PAGE} has not exactly one pair of marks: `{BEGIN}` and `{END}`");
    };
    let Some((_, after)) = rest.split_once(END) else { bail!("{PAGE}: the marks are in the wrong order") };
    Ok(format!("{before}{BEGIN}\n\n{tables}\n\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends: what people wrote around the tables stays, and writing twice changes nothing.
    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let page = format!("# A\n\n{BEGIN}\nold\n{END}\n\nB\n");
        let once = replaced(&page, "| new |").unwrap();
        assert_eq!(once, format!("# A\n\n{BEGIN}\n\n| new |\n\n{END}\n\nB\n"));
        assert_eq!(replaced(&once, "| new |").unwrap(), once);
        for bad in [String::new(), BEGIN.to_owned(), format!("{END} {BEGIN}"), format!("{BEGIN}{END}{END}")] {
            assert!(replaced(&bad, "x").is_err(), "{bad}");
        }
    }
}
