//! A full disk: uploads get a clear refusal, nothing is lost, deletes still work, and space that comes back is used.

use std::path::PathBuf;
use std::process::Command;

use crate::stowage::{Place, bytes, other_pair, until};

/// A small file system of its own; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(&at).output().ok()?;
        done.status.success().then_some(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_uploads_and_nothing_else() {
    if other_pair() {
        return; // the disk is not ours to fill there
    }
    let place = Place::with(&[
        ("STOWAGE_BLOBS__RESERVE", "6MiB"),
        ("STOWAGE_JANITOR__TEMPORARY_TTL", "0s"),
        ("STOWAGE_JANITOR__GRACE", "0s"),
    ])
    .await;
    let Some(_disk) = SmallDisk::mount(place.data()) else {
        eprintln!("skipped: a small file system cannot be mounted here (needs root)");
        return;
    };
    let server = place.serve(&["--no-worker"]).await;
    let (mut kept, mut refused) = (Vec::new(), Vec::new());
    for seed in 0..400_u64 {
        let len = if seed % 3 == 0 { 500_000 } else { 10_000 };
        match server.upload("x", bytes(seed, len), if seed < 10 { "1" } else { "0" }).await {
            Ok(id) => kept.push((id, seed, len)),
            Err(text) => refused.push(text),
        }
    }
    assert!(kept.len() > 20 && refused.len() > 20, "{} kept, {} refused", kept.len(), refused.len());
    refused.dedup();
    assert_eq!(refused, ["403 Upload failed."]);
    for (id, seed, len) in &kept {
        assert!(server.fetch(id).await == (200, bytes(*seed, *len)), "{id}");
    }
    let done = place.print(&["janitor"]).await;
    assert!(done.contains(&format!("{} file(s) expired", kept.len() - 10)), "{done}");
    until("there is space again", || async { server.upload("y", bytes(7, 500_000), "1").await.is_ok() }).await;
    for (id, seed, len) in &kept[..10] {
        assert!(server.fetch(id).await == (200, bytes(*seed, *len)), "{id} was stored");
    }
}
