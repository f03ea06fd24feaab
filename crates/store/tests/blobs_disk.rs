//! Blobs in a folder: what every store does, and what only packs and disks do.

#![expect(clippy::unwrap_used, reason = "a test that fails shall panic, in its helpers, too")]
#![expect(clippy::print_stderr, reason = "a skipped test must be seen in the output")]

#[path = "blobs_disk/copies.rs"]
mod copies;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use stowage_model::BlobKey;
use stowage_store::Durability;
use stowage_store::blobs::conformance::{self, content, eventually, get, put, put_part};
use stowage_store::blobs::{AssembleError, BlobError, Blobs, Freed, Options, PackId, PartError, SMALL, Stored};

const NO_GRACE: Duration = Duration::ZERO;

async fn open(folder: &Path, durability: Durability) -> Blobs {
    let options = Options { reserve: 0, ..Options::default() };
    Blobs::open(&options, folder, durability).await.unwrap()
}

async fn packs(blobs: &Blobs) -> Vec<PackId> {
    let mut packs = Vec::new();
    let page = blobs.inventory(None, NO_GRACE).await.unwrap();
    for item in page.items {
        if let Stored::Pack { id, size } = item {
            assert!(size > 0, "an empty pack is removed, not listed");
            packs.push(id);
        }
    }
    packs
}

fn pack_files(folder: &Path) -> usize {
    fs::read_dir(folder.join("blobs/packs")).unwrap().count()
}

fn pack_of(key: &BlobKey) -> &str {
    key.0.split('/').next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn conformance_durable() {
    let folder = tempfile::tempdir().unwrap();
    conformance::check(&open(folder.path(), Durability::Full).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conformance_relaxed() {
    let folder = tempfile::tempdir().unwrap();
    conformance::check(&open(folder.path(), Durability::Relaxed).await).await;
}

#[tokio::test]
async fn conformance_on_one_thread() {
    let folder = tempfile::tempdir().unwrap();
    conformance::check(&open(folder.path(), Durability::Relaxed).await).await;
}

#[tokio::test]
async fn conformance_in_memory() {
    let shm = Path::new("/dev/shm");
    if !shm.is_dir() {
        eprintln!("skipped: there is no /dev/shm, a file system without direct writes or read-ahead");
        return;
    }
    let folder = tempfile::tempdir_in(shm).unwrap();
    conformance::check(&open(folder.path(), Durability::Full).await).await;
}

#[tokio::test]
async fn what_was_kept_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path(), Durability::Full).await;
    let (small, large) = (content(1, 1000), content(2, 500_000));
    let (a, b) = (put(&first, &small, 100).await, put(&first, &large, 1 << 14).await);
    drop(first);
    let second = open(folder.path(), Durability::Full).await;
    assert_eq!(get(&second, &a, 0, 1000).await.unwrap(), small);
    assert_eq!(get(&second, &b, 0, 500_000).await.unwrap(), large);
    // A second process adds to a pack of its own.
    let c = put(&second, &small, 1000).await;
    assert_ne!(pack_of(&a), pack_of(&c));
}

#[tokio::test]
async fn a_relative_folder_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}/a/b", folder.path().display());
    let blobs = Blobs::open(&Options { url, ..Options::default() }, Path::new("/nowhere"), Durability::Full).await;
    put(&blobs.unwrap(), &content(1, 10), 10).await;
    assert!(folder.path().join("a/b/packs").is_dir());
    let url = format!("file://{}/file", folder.path().display());
    fs::write(folder.path().join("file"), "x").unwrap();
    let refused = Blobs::open(&Options { url, ..Options::default() }, folder.path(), Durability::Full).await;
    let text = refused.err().unwrap().to_string();
    assert!(text.contains("blobs.url") && text.contains("/file"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pack_is_followed_by_another_and_reclaimed() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path(), Durability::Relaxed).await;
    let bytes = content(3, SMALL);
    let mut keys = vec![put(&blobs, &bytes, SMALL).await];
    let first = pack_of(&keys[0]).to_owned();
    while pack_of(keys.last().unwrap()) == first {
        keys.push(put(&blobs, &bytes, SMALL).await);
        assert!(keys.len() < 2000, "packs must not grow for ever");
    }
    let next = keys.pop().unwrap();
    let mut sorted = keys.clone();
    sorted.sort();
    assert_eq!(sorted, keys, "keys sort by their place");

    // The active pack is not offered, the full one is.
    let sealed = packs(&blobs).await;
    assert_eq!(sealed.len(), 1);
    assert_eq!(sealed[0].prefix(), format!("{first}/"));
    assert!(keys.iter().all(|key| key.0.starts_with(&sealed[0].prefix())));
    assert_eq!(blobs.inventory(None, Duration::from_hours(1)).await.unwrap().items, [], "young packs are left alone");

    let live: Vec<BlobKey> = keys.iter().step_by(2).cloned().collect();
    let dead: Vec<&BlobKey> = keys.iter().skip(1).step_by(2).collect();
    let young = blobs.reclaim(sealed[0], &live, Duration::from_hours(1), false).await.unwrap();
    assert_eq!(young, Freed::default());
    let would = blobs.reclaim(sealed[0], &live, NO_GRACE, true).await.unwrap();
    assert_eq!((would.items, would.bytes), (dead.len() as u64, dead.len() as u64 * (SMALL as u64 + 4096)));
    assert_eq!(get(&blobs, dead[0], 0, SMALL).await.unwrap(), bytes, "a dry run frees nothing");

    let freed = blobs.reclaim(sealed[0], &live, NO_GRACE, false).await.unwrap();
    assert_eq!(freed, would);
    assert!(matches!(get(&blobs, dead[0], 0, SMALL).await, Err(BlobError::NotFound)));
    for key in &live {
        assert_eq!(get(&blobs, key, 0, SMALL).await.unwrap(), bytes);
    }
    assert_eq!(blobs.reclaim(sealed[0], &live, NO_GRACE, false).await.unwrap(), Freed::default());

    // A key of another pack is a mistake after which nothing is freed.
    assert!(blobs.reclaim(sealed[0], std::slice::from_ref(&next), NO_GRACE, false).await.is_err());
    assert_eq!(get(&blobs, &live[0], 0, SMALL).await.unwrap(), bytes);

    assert_eq!(pack_files(folder.path()), 2);
    let rest = blobs.reclaim(sealed[0], &[], NO_GRACE, false).await.unwrap();
    assert_eq!(rest.bytes, live.len() as u64 * (SMALL as u64 + 4096));
    assert_eq!(pack_files(folder.path()), 1);
    assert!(matches!(get(&blobs, &live[0], 0, SMALL).await, Err(BlobError::NotFound)));
    assert_eq!(get(&blobs, &next, 0, SMALL).await.unwrap(), bytes);
}

#[tokio::test]
async fn an_active_pack_belongs_to_its_process() {
    let folder = tempfile::tempdir().unwrap();
    let serving = open(folder.path(), Durability::Full).await;
    let working = open(folder.path(), Durability::Full).await;
    let bytes = content(1, 5000);
    let (a, b) = (put(&serving, &bytes, 5000).await, put(&serving, &bytes, 5000).await);
    assert_eq!(packs(&working).await, []);

    // Another process may delete a blob of the pack, but never the pack itself.
    working.delete(&a).await.unwrap();
    working.delete(&b).await.unwrap();
    assert!(matches!(get(&serving, &a, 0, 5000).await, Err(BlobError::NotFound)));
    assert_eq!(pack_files(folder.path()), 1);
    let c = put(&serving, &bytes, 5000).await;
    assert_eq!(pack_of(&c), pack_of(&a));
    assert_eq!(get(&working, &c, 0, 5000).await.unwrap(), bytes);

    // The end of the process is the end of its pack, which then goes with its last blob.
    drop(serving);
    assert_eq!(packs(&working).await.len(), 1);
    working.delete(&c).await.unwrap();
    assert_eq!(pack_files(folder.path()), 0);
    working.delete(&c).await.unwrap();
}

#[tokio::test]
async fn an_empty_pack_goes_with_its_process() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path(), Durability::Relaxed).await;
    let key = put(&blobs, &content(1, 10), 10).await;
    blobs.delete(&key).await.unwrap();
    assert_eq!(pack_files(folder.path()), 1);
    drop(blobs);
    assert_eq!(pack_files(folder.path()), 0);
}

#[tokio::test]
async fn deleting_gives_the_space_back() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path(), Durability::Full).await;
    let mut keys = Vec::new();
    for seed in 0..20 {
        keys.push(put(&blobs, &content(seed, 50_000), 50_000).await);
    }
    let path = folder.path().join("blobs/packs").join(format!("{}.pack", pack_of(&keys[0])));
    let occupied = || fs::metadata(&path).unwrap().blocks() * 512;
    let before = occupied();
    for key in &keys[5..15] {
        blobs.delete(key).await.unwrap();
    }
    let freed = before - occupied();
    assert!(freed >= 10 * 50_000, "{freed} bytes were freed of {before}");
}

#[tokio::test]
async fn what_a_power_cut_took_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path(), Durability::Relaxed).await;
    let (a, b) = (put(&blobs, &content(1, 9000), 9000).await, put(&blobs, &content(2, 9000), 9000).await);
    let large = put(&blobs, &content(3, 200_000), 50_000).await;
    let root = folder.path().join("blobs");
    let pack = root.join("packs").join(format!("{}.pack", pack_of(&a)));
    fs::OpenOptions::new().write(true).open(pack).unwrap().set_len(16_384).unwrap();
    assert_eq!(get(&blobs, &a, 0, 9000).await.unwrap(), content(1, 9000));
    assert!(matches!(get(&blobs, &b, 0, 9000).await, Err(BlobError::NotFound)));
    blobs.delete(&b).await.unwrap();
    fs::OpenOptions::new().write(true).open(file_of(folder.path(), &large)).unwrap().set_len(1000).unwrap();
    assert!(matches!(get(&blobs, &large, 0, 200_000).await, Err(BlobError::Io(_))));
}

#[tokio::test]
async fn left_overs_of_a_dead_process_are_swept() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path(), Durability::Full).await;
    let left = folder.path().join("blobs/tmp/0b7c0b9e25b84c4d9e557d8c6f6c4b61");
    fs::write(&left, [1; 5000]).unwrap();
    assert_eq!(blobs.sweep_drafts(Duration::from_hours(1), false).await.unwrap(), Freed::default());
    let expected = Freed { items: 1, bytes: 5000 };
    assert_eq!(blobs.sweep_drafts(NO_GRACE, true).await.unwrap(), expected);
    assert!(left.exists());
    assert_eq!(blobs.sweep_drafts(NO_GRACE, false).await.unwrap(), expected);
    assert!(!left.exists());
}

#[tokio::test]
async fn strange_files_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path(), Durability::Full).await;
    let key = put(&blobs, &content(1, 100_000), 100_000).await;
    let root = folder.path().join("blobs");
    for path in ["files/readme", "files/ab/x", "files/lost+found/cd/x", "packs/x.pack", "packs/readme"] {
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs::write(root.join(path), "x").unwrap();
    }
    // A blob in the wrong folder would not be found again by its key.
    fs::create_dir_all(root.join("files/00/00")).unwrap();
    fs::write(root.join("files/00/00/0b7c0b9e25b84c4d9e557d8c6f6c4b61"), "x").unwrap();
    let page = blobs.inventory(None, NO_GRACE).await.unwrap();
    assert_eq!(page.items, [Stored::Blob { key, size: 100_000 }]);
    assert_eq!(page.next, None);
}

#[tokio::test]
async fn long_inventories_come_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path(), Durability::Relaxed).await;
    let mut expected = Vec::new();
    for n in 0..2500_u64 {
        let id = blake3::hash(&n.to_le_bytes()).to_hex()[..32].to_owned();
        let inner = folder.path().join("blobs/files").join(&id[..2]).join(&id[2..4]);
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join(&id), "x").unwrap();
        expected.push(BlobKey(id));
    }
    expected.sort();
    let first = blobs.inventory(None, NO_GRACE).await.unwrap();
    assert!(first.items.len() < expected.len() && first.next.is_some());
    let all: Vec<BlobKey> = conformance::listed(&blobs, NO_GRACE).await.into_iter().collect();
    assert_eq!(all, expected);
}

#[tokio::test]
async fn the_reserve_is_kept_free() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { reserve: u64::MAX, ..Options::default() };
    let blobs = Blobs::open(&options, folder.path(), Durability::Full).await.unwrap();
    let mut draft = blobs.draft();
    draft.write(content(1, 10)).await.unwrap();
    let kept = draft.finish().await.unwrap().keep().await;
    assert!(matches!(kept, Err(BlobError::NoSpace)), "{kept:?}");
    let mut draft = blobs.draft();
    let written = async {
        draft.write(content(1, 2_000_000)).await?;
        draft.finish().await.map(drop)
    };
    assert!(matches!(written.await, Err(BlobError::NoSpace)));
    assert_eq!(pack_files(folder.path()), 0);
}

/// Where the file of a blob of its own is.
fn file_of(folder: &Path, key: &BlobKey) -> PathBuf {
    folder.join("blobs/files").join(&key.0[..2]).join(&key.0[2..4]).join(&key.0)
}

#[tokio::test]
async fn an_announced_size_reserves_nothing() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path(), Durability::Full).await;
    let parts = blobs.begin_parts(1 << 40).await.unwrap();
    let path = file_of(folder.path(), &parts.key);
    let stat = || fs::metadata(&path).unwrap();
    assert_eq!((stat().len(), stat().blocks()), (1 << 40, 0));
    // It lies where it will stay, and nothing else is made.
    let inode = stat().ino();
    put_part(&blobs, &parts, 40_000, 5 << 20, &content(1, 1 << 20)).await;
    assert!(stat().blocks() * 512 >= 1 << 20 && stat().blocks() * 512 < 3 << 20, "{}", stat().blocks());
    blobs.assemble(&parts, 1 << 40, &[]).await.unwrap();
    assert_eq!(stat().ino(), inode);
    assert_eq!(get(&blobs, &parts.key, 0, 9).await.unwrap(), [0; 9][..]);
    assert_eq!(blobs.sweep_drafts(NO_GRACE, true).await.unwrap(), Freed::default());
    // What the records do not know the janitor finds as it finds any blob.
    let listed = blobs.inventory(None, NO_GRACE).await.unwrap().items;
    assert_eq!(listed, [Stored::Blob { key: parts.key.clone(), size: 1 << 40 }]);
    assert_eq!(blobs.unfinished_parts(NO_GRACE).await.unwrap(), []);
    blobs.abort_parts(&parts).await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_file_that_is_gone_or_too_short_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path(), Durability::Full).await;
    let parts = blobs.begin_parts(100_000).await.unwrap();
    let path = file_of(folder.path(), &parts.key);
    let refused = async |size| matches!(blobs.assemble(&parts, size, &[]).await, Err(AssembleError::Refused));
    assert!(refused(100_001).await);
    let part = put_part(&blobs, &parts, 1, 120_000, &content(1, 120_000)).await;
    assert!(part.etag.len() == 32 && part.etag.bytes().all(|b| b"0123456789abcdef".contains(&b)), "{}", part.etag);
    assert!(!refused(100_000).await);
    assert_eq!(fs::metadata(&path).unwrap().len(), 100_000, "what was too much is cut off");
    let mut draft = blobs.part(&parts, 2, 50_000).await.unwrap();
    fs::remove_file(&path).unwrap();
    assert!(refused(100_000).await);
    assert!(matches!(blobs.part(&parts, 1, 120_000).await, Err(BlobError::NotFound)));
    // An attempt that had begun ends without harm.
    draft.write(content(2, 50_000)).await.unwrap();
    draft.finish().await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn parts_keep_the_reserve_free() {
    let folder = tempfile::tempdir().unwrap();
    let begun = open(folder.path(), Durability::Full).await.begin_parts(1 << 20).await.unwrap();
    let options = Options { reserve: u64::MAX, ..Options::default() };
    let blobs = Blobs::open(&options, folder.path(), Durability::Full).await.unwrap();
    assert!(matches!(blobs.begin_parts(1 << 20).await, Err(BlobError::NoSpace)));
    let mut draft = blobs.part(&begun, 1, 1 << 20).await.unwrap();
    let written = async {
        draft.write(content(1, 1 << 20)).await?;
        draft.finish().await.map(drop).map_err(PartError::from)
    };
    assert!(matches!(written.await, Err(PartError::Blobs(BlobError::NoSpace))));
}

#[tokio::test]
async fn a_part_that_does_not_fit_may_be_sent_again() {
    let Some(disk) = SmallDisk::mount(4) else { return };
    let blobs = open(disk.path(), Durability::Full).await;
    let in_the_way = put(&blobs, &content(1, 2_000_000), 1 << 16).await;
    let bytes = content(2, 3_000_000);
    let parts = blobs.begin_parts(3_000_000).await.unwrap();
    let mut draft = blobs.part(&parts, 1, 3_000_000).await.unwrap();
    let refused = async {
        draft.write(bytes.clone()).await?;
        draft.finish().await.map(drop).map_err(PartError::from)
    };
    assert!(matches!(refused.await, Err(PartError::Blobs(BlobError::NoSpace))));
    blobs.delete(&in_the_way).await.unwrap();
    let part = put_part(&blobs, &parts, 1, 3_000_000, &bytes).await;
    blobs.assemble(&parts, 3_000_000, &[part]).await.unwrap();
    assert_eq!(get(&blobs, &parts.key, 0, 3_000_000).await.unwrap(), bytes);
}

/// A file system of its own that is soon full.
struct SmallDisk {
    mounted: Mounted,
    _folder: tempfile::TempDir,
}

impl SmallDisk {
    fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mounted = mount(folder.path(), &["-t", "tmpfs", "-o", &size, "tmpfs"].map(OsStr::new))?;
        Some(Self { mounted, _folder: folder })
    }

    fn path(&self) -> &Path {
        &self.mounted.0
    }
}

/// Something that is mounted until this is dropped.
struct Mounted(PathBuf);

/// Mounts at `place` what the arguments of `mount` name; none, with a printed reason, where that is not allowed.
fn mount(place: &Path, what: &[&OsStr]) -> Option<Mounted> {
    match Command::new("mount").args(what).arg(place).output() {
        Ok(output) if output.status.success() => Some(Mounted(place.to_owned())),
        _ => {
            eprintln!("skipped: nothing can be mounted here");
            None
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_and_recovers() {
    let Some(disk) = SmallDisk::mount(4) else { return };
    let blobs = open(disk.path(), Durability::Full).await;
    for len in [SMALL, 300_000] {
        let mut kept = Vec::new();
        let refused = loop {
            let mut draft = blobs.draft();
            let bytes = content(kept.len() as u64, len);
            let result = async {
                draft.write(bytes.clone()).await?;
                draft.finish().await?.keep().await
            };
            match result.await {
                Ok(key) => kept.push((key, bytes)),
                Err(error) => break error,
            }
            assert!(kept.len() < 100, "four megabytes do not hold that much");
        };
        assert!(matches!(refused, BlobError::NoSpace), "{refused:?}");
        assert!(kept.len() > 5, "{}", kept.len());
        for (key, bytes) in &kept {
            assert_eq!(get(&blobs, key, 0, len).await.unwrap(), bytes, "what was kept before is whole");
        }
        let (first, _) = kept.remove(0);
        blobs.delete(&first).await.unwrap();
        eventually("the draft that did not fit is gone", async || {
            blobs.sweep_drafts(NO_GRACE, true).await.unwrap().items == 0
        })
        .await;
        let again = put(&blobs, &content(77, len), 1 << 14).await;
        assert_eq!(get(&blobs, &again, 0, len).await.unwrap(), content(77, len));
        kept.push((again, content(77, len)));
        for (key, bytes) in &kept {
            assert_eq!(get(&blobs, key, 0, len).await.unwrap(), bytes);
            blobs.delete(key).await.unwrap();
        }
    }
}
