//! A file above the five gigabytes that one request takes, and the vendor.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use stowage_copy::{Outcome, Source};

use crate::support::{MIB, Stand, target};

const SIZE: u64 = 6 << 30;
/// The server keeps the parts until the object is made of them.
const NEEDED: u64 = 20 << 30;
/// The most memory that this process may have had.
const MOST_MEMORY_KIB: u64 = 128 << 10;

/// The only file below a folder that is not empty.
fn the_file(folder: &Path) -> Option<PathBuf> {
    fs::read_dir(folder).unwrap().flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() { the_file(&path) } else { path.metadata().is_ok_and(|stat| stat.len() > 0).then_some(path) }
    })
}

fn peak_memory_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn six_gigabytes_are_streamed_in_little_memory() {
    let Some(stand) = Stand::new().await else { return };
    let free = rustix::fs::statvfs("/tmp").unwrap();
    if free.f_bavail * free.f_frsize < NEEDED {
        eprintln!("skipped: less than 20 GiB are free under /tmp");
        return;
    }
    let (key, content) = stand.blob(1, MIB).await;
    // The blob grows without taking room.
    let marks: [(u64, &[u8]); 2] = [(5 << 30, b"behind five"), (SIZE - 7, b"the end")];
    let file = OpenOptions::new().write(true).open(the_file(&stand.blobs_folder().join("files")).unwrap()).unwrap();
    file.set_len(SIZE).unwrap();
    for (at, mark) in marks {
        file.write_all_at(mark, at).unwrap();
    }
    let copied = stand.copy(&target(stand.settings()), Source::Blob { key, size: SIZE }, "large").await;
    let peak = peak_memory_kib();
    let object = || stand.owner.get_object().bucket(&stand.bucket).key("large");
    let mut shown = Vec::new();
    for (at, mark) in [(0, &content[..1000]), marks[0], marks[1]] {
        let part = object().range(format!("bytes={at}-{}", at + mark.len() as u64 - 1)).send().await;
        let (length, body) = match part {
            Ok(part) => (part.content_range.unwrap_or_default(), part.body.collect().await.unwrap().into_bytes()),
            Err(_) => break,
        };
        shown.push(body == mark && length.ends_with(&format!("/{SIZE}")));
    }
    let unfinished = stand.unfinished().await;
    // Before anything is said about it: nobody else clears that away.
    stand.owner.delete_object().bucket(&stand.bucket).key("large").send().await.unwrap();
    assert_eq!(copied, Ok(Outcome::Copied));
    assert_eq!((shown, unfinished), (vec![true; 3], 0));
    assert!(peak < MOST_MEMORY_KIB, "{peak} KiB");
}
