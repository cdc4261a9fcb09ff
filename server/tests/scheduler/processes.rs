//! Processes, as the operating system shows them, and signals to them.

use std::path::Path;
use std::process::Command;

/// The processes whose command line names `folder` and begins with `selectivity-lab <command>`.
pub fn running(command: &str, folder: &Path) -> Vec<u32> {
    let folder = folder.to_str().unwrap();
    let listed = std::fs::read_dir("/proc").unwrap().flatten();
    let mut processes: Vec<u32> = listed
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|process: &u32| {
            let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            let words: Vec<_> = line
                .split(|&byte| byte == 0)
                .map(String::from_utf8_lossy)
                .collect();
            words
                .first()
                .is_some_and(|program| program.ends_with("selectivity-lab"))
                && words.iter().any(|word| word == command)
                && words.iter().any(|word| word.starts_with(folder))
        })
        .collect();
    processes.sort_unstable();
    processes
}

/// The workers of a lab in `folder`.
pub fn workers(folder: &Path) -> Vec<u32> {
    running("worker", folder)
}

/// Sends `signal` (for example `KILL`) to `process`, or to a whole group where it begins with `-`.
pub fn send(signal: &str, process: impl std::fmt::Display) {
    let sent = Command::new("bash")
        .args(["-c", &format!("kill -{signal} -- {process}")])
        .status()
        .unwrap();
    assert!(sent.success(), "kill -{signal} {process}");
}
