//! What it was measured on.

use std::fs;

/// The machine and its load, in one line.
pub(crate) fn described() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "Machine: {}; {cores} processors; Linux {}; load average of the last minute before this: {}.",
        model(&cpuinfo),
        kernel.trim(),
        load.split(' ').next().filter(|figure| !figure.is_empty()).unwrap_or("unknown"),
    )
}

fn model(cpuinfo: &str) -> &str {
    let value = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    value.map_or("unknown processor", |(_, model)| model.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named_or_said_to_be_unknown() {
        assert_eq!(model("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n"), "Some CPU @ 2 GHz");
        assert_eq!(model(""), "unknown processor");
    }
}
