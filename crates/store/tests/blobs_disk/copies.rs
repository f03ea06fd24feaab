//! Second names, and what becomes of them where the file system gives none.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use stowage_store::Durability;
use stowage_store::blobs::conformance::{content, get, listed, put};
use stowage_store::blobs::{BlobError, Blobs, Freed, Options, SMALL};

use super::{NO_GRACE, file_of, mount, open, pack_of};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn a_copy_of_a_file_occupies_nothing() {
    for durability in [Durability::Full, Durability::Relaxed] {
        let folder = tempfile::tempdir().unwrap();
        let blobs = open(folder.path(), durability).await;
        let bytes = content(1, 3_000_000);
        let key = put(&blobs, &bytes, 1 << 16).await;
        let copy = blobs.copy(&key, 3_000_000).await.unwrap();
        let (one, two) = (file_of(folder.path(), &key), file_of(folder.path(), &copy));
        assert_eq!(fs::metadata(&one).unwrap().ino(), fs::metadata(&two).unwrap().ino());
        assert_eq!(fs::metadata(&two).unwrap().nlink(), 2);
        blobs.delete(&key).await.unwrap();
        assert!(!one.exists());
        assert_eq!(fs::metadata(&two).unwrap().nlink(), 1);
        assert_eq!(get(&blobs, &copy, 0, 3_000_000).await.unwrap(), bytes);
        assert_eq!(blobs.sweep_drafts(NO_GRACE, true).await.unwrap(), Freed::default());
    }
}

#[tokio::test]
async fn a_copy_of_an_old_blob_is_young() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path(), Durability::Full).await;
    let key = put(&blobs, &content(1, SMALL + 1), 1 << 16).await;
    let file = fs::File::open(file_of(folder.path(), &key)).unwrap();
    let now = stowage_model::clock::machine_now().to_system_time();
    file.set_modified(now - 2 * HOUR).unwrap();
    assert_eq!(listed(&blobs, HOUR).await, [key.clone()].into());
    let copy = blobs.copy(&key, SMALL as u64 + 1).await.unwrap();
    assert!(!listed(&blobs, HOUR).await.contains(&copy), "its record may be on its way");
    assert_eq!(listed(&blobs, NO_GRACE).await, [key, copy].into());
}

#[tokio::test]
async fn a_small_blob_is_added_to_the_pack_of_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path(), Durability::Full).await;
    let key = put(&first, &content(1, 5000), 5000).await;
    drop(first);
    let second = open(folder.path(), Durability::Full).await;
    let copy = second.copy(&key, 5000).await.unwrap();
    assert_ne!(pack_of(&key), pack_of(&copy));
    drop(second);
    let third = open(folder.path(), Durability::Full).await;
    third.delete(&key).await.unwrap();
    assert_eq!(get(&third, &copy, 0, 5000).await.unwrap(), content(1, 5000));
}

#[tokio::test]
async fn what_is_shorter_than_its_record_says_is_not_copied() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path(), Durability::Full).await;
    for len in [5000, 200_000] {
        let key = put(&blobs, &content(1, len), 1 << 16).await;
        let copied = blobs.copy(&key, len as u64 + 1).await;
        assert!(matches!(copied, Err(BlobError::Io(_))), "{copied:?}");
        blobs.delete(&key).await.unwrap();
    }
    assert_eq!(listed(&blobs, NO_GRACE).await, [].into());
}

#[tokio::test]
async fn copies_keep_the_reserve_free() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path(), Durability::Full).await;
    let (small, large) = (put(&blobs, &content(1, 5000), 5000).await, put(&blobs, &content(2, 200_000), 1 << 16).await);
    drop(blobs);
    let options = Options { reserve: u64::MAX, ..Options::default() };
    let blobs = Blobs::open(&options, folder.path(), Durability::Full).await.unwrap();
    for (key, len) in [(&small, 5000), (&large, 200_000)] {
        let copied = blobs.copy(key, len).await;
        assert!(matches!(copied, Err(BlobError::NoSpace)), "{copied:?}");
    }
    assert_eq!(listed(&blobs, NO_GRACE).await, [large].into());
}

#[tokio::test]
async fn where_there_are_no_second_names_the_bytes_are_copied() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(1, 3_000_017);
    let key = put(&open(folder.path(), Durability::Full).await, &bytes, 1 << 16).await;
    // A mount of its own, so that no other folder can have names for its files.
    let outer = folder.path().join("blobs/files").join(&key.0[..2]);
    let Some(_mounted) = mount(&outer, &["--bind".as_ref(), outer.as_os_str()]) else { return };
    // A process puts what it keeps into one folder for a while: one of another mount is looked for.
    let blobs = loop {
        let blobs = open(folder.path(), Durability::Full).await;
        let probe = put(&blobs, &content(2, SMALL + 1), 1 << 16).await;
        blobs.delete(&probe).await.unwrap();
        if probe.0[..2] != key.0[..2] {
            break blobs;
        }
    };
    let copy = blobs.copy(&key, 3_000_017).await.unwrap();
    let stat = |key| fs::metadata(file_of(folder.path(), key)).unwrap();
    assert!(stat(&copy).nlink() == 1 && stat(&key).nlink() == 1 && stat(&copy).ino() != stat(&key).ino());
    assert!(!listed(&blobs, HOUR).await.contains(&copy));
    blobs.delete(&key).await.unwrap();
    assert!(get(&blobs, &copy, 0, 3_000_017).await.unwrap() == bytes);
    assert_eq!(blobs.sweep_drafts(NO_GRACE, true).await.unwrap(), Freed::default(), "no draft is left");
    assert!(matches!(blobs.copy(&key, 3_000_017).await, Err(BlobError::NotFound)));
}
