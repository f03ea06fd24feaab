//! How much memory there is for this process.

use std::fs;

/// Taken where nothing can be found out, in bytes.
const FALLBACK: u64 = 1 << 30;

/// The memory of the machine or, where that is less, of the control group that we run in, in bytes.
pub(crate) fn memory() -> u64 {
    let read = |path: &str| fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| total_of(&text));
    // Of version 2 and of version 1.
    let group = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let group = group.into_iter().filter_map(read).find_map(|text| text.trim().parse().ok());
    machine.into_iter().chain(group).min().unwrap_or(FALLBACK)
}

/// `MemTotal` of `/proc/meminfo`.
fn total_of(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_the_machine_is_read() {
        assert_eq!(total_of("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
        assert_eq!(total_of("nothing"), None);
        assert!(memory() > 1 << 20);
    }
}
