//! Copies: second blobs of the same bytes.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use stowage_model::{BlobKey, Ids};

use super::super::{BlobError, Blobs, SMALL};
use super::{content, eventually, get, listed, put, put_part};

/// Lengths of blobs that share a file with others, and of some that do not.
const LENGTHS: [usize; 6] = [0, 1, 10_240, SMALL, SMALL + 1, 3_000_017];

pub(super) async fn check(blobs: &Blobs) {
    a_copy_outlives_its_source(blobs).await;
    a_source_outlives_its_copy(blobs).await;
    what_came_in_parts_is_copied(blobs).await;
    what_is_gone_is_not_copied(blobs).await;
    copies_are_listed(blobs).await;
    a_copier_may_give_up(blobs).await;
    many_copies_at_once(blobs).await;
}

async fn a_copy_outlives_its_source(blobs: &Blobs) {
    for len in LENGTHS {
        let bytes = content(30, len);
        let mut key = put(blobs, &bytes, 1 << 16).await;
        // Copies of copies are no different.
        for _ in 0..3 {
            let copy = blobs.copy(&key, len as u64).await.unwrap();
            assert_ne!(copy, key);
            assert_eq!(get(blobs, &key, 0, len).await.unwrap(), bytes, "{len}");
            blobs.delete(&key).await.unwrap();
            assert!(matches!(get(blobs, &key, 0, len).await, Err(BlobError::NotFound)), "{len}");
            assert_eq!(get(blobs, &copy, 0, len).await.unwrap(), bytes, "{len}");
            assert_eq!(blobs.read_small(&copy, len as u64).await.unwrap(), bytes, "{len}");
            key = copy;
        }
        blobs.delete(&key).await.unwrap();
        assert!(matches!(get(blobs, &key, 0, len).await, Err(BlobError::NotFound)), "{len}");
    }
}

async fn a_source_outlives_its_copy(blobs: &Blobs) {
    for len in LENGTHS {
        let bytes = content(31, len);
        let key = put(blobs, &bytes, 1 << 16).await;
        let (one, two) = (blobs.copy(&key, len as u64).await.unwrap(), blobs.copy(&key, len as u64).await.unwrap());
        for copy in [&one, &two] {
            blobs.delete(copy).await.unwrap();
            assert!(matches!(get(blobs, copy, 0, len).await, Err(BlobError::NotFound)), "{len}");
            assert_eq!(get(blobs, &key, 0, len).await.unwrap(), bytes, "{len}");
        }
        assert_ne!(one, two);
        blobs.delete(&key).await.unwrap();
    }
}

async fn what_came_in_parts_is_copied(blobs: &Blobs) {
    let bytes = content(32, (5 << 20) + 1000);
    let parts = blobs.begin_parts(bytes.len() as u64).await.unwrap();
    let first = put_part(blobs, &parts, 1, 5 << 20, &bytes.slice(..5 << 20)).await;
    let second = put_part(blobs, &parts, 2, 5 << 20, &bytes.slice(5 << 20..)).await;
    blobs.assemble(&parts, bytes.len() as u64, &[first, second]).await.unwrap();
    let copy = blobs.copy(&parts.key, bytes.len() as u64).await.unwrap();
    blobs.delete(&parts.key).await.unwrap();
    assert!(get(blobs, &copy, 0, bytes.len()).await.unwrap() == bytes);
    blobs.delete(&copy).await.unwrap();
}

async fn what_is_gone_is_not_copied(blobs: &Blobs) {
    let before = listed(blobs, Duration::ZERO).await;
    for len in LENGTHS {
        let key = put(blobs, &content(33, len), 1 << 16).await;
        blobs.delete(&key).await.unwrap();
        let copied = blobs.copy(&key, len as u64).await;
        assert!(matches!(copied, Err(BlobError::NotFound)), "{len}: {copied:?}");
    }
    let unknown = Ids::random().uuid().simple().to_string();
    let in_a_pack = format!("{unknown}/00000000-5");
    for key in [unknown.as_str(), &in_a_pack, "", "..", "../../etc/passwd", "a/b", "\0"] {
        let copied = blobs.copy(&BlobKey(key.to_owned()), 5).await;
        assert!(matches!(copied, Err(BlobError::NotFound)), "{key:?}: {copied:?}");
    }
    assert_eq!(listed(blobs, Duration::ZERO).await, before);
}

async fn copies_are_listed(blobs: &Blobs) {
    let before = listed(blobs, Duration::ZERO).await;
    let len = SMALL + 1;
    let key = put(blobs, &content(34, len), 1 << 16).await;
    let copy = blobs.copy(&key, len as u64).await.unwrap();
    let now = listed(blobs, Duration::ZERO).await;
    let added: BTreeSet<BlobKey> = now.difference(&before).cloned().collect();
    assert_eq!(added, [key.clone(), copy.clone()].into());
    assert!(listed(blobs, Duration::from_hours(1)).await.is_disjoint(&added), "what is young is not listed");
    blobs.delete(&key).await.unwrap();
    let now = listed(blobs, Duration::ZERO).await;
    assert_eq!(now.difference(&before).collect::<Vec<_>>(), [&copy]);
    blobs.delete(&copy).await.unwrap();
    assert_eq!(listed(blobs, Duration::ZERO).await, before);
}

async fn a_copier_may_give_up(blobs: &Blobs) {
    for len in [100, 300_000] {
        let key = put(blobs, &content(35, len), 1 << 16).await;
        let before = listed(blobs, Duration::ZERO).await;
        let mut copying = pin!(blobs.copy(&key, len as u64));
        // One look: most often it has only begun.
        if let Poll::Ready(copy) = poll_fn(|cx| Poll::Ready(copying.as_mut().poll(cx))).await {
            blobs.delete(&copy.unwrap()).await.unwrap();
        }
        copying.set(blobs.copy(&key, len as u64));
        let copy = copying.await.unwrap();
        blobs.delete(&copy).await.unwrap();
        // Whatever was under way comes to its end, and then nothing of it is left.
        tokio::time::sleep(Duration::from_millis(100)).await;
        eventually("no copy is left", async || listed(blobs, Duration::ZERO).await == before).await;
        assert_eq!(get(blobs, &key, 0, len).await.unwrap(), content(35, len));
        blobs.delete(&key).await.unwrap();
    }
}

async fn many_copies_at_once(blobs: &Blobs) {
    for len in [5000, 400_000] {
        let bytes = content(36, len);
        let key = put(blobs, &bytes, 1 << 16).await;
        let jobs = stream::iter(0..64).map(|_| {
            let (blobs, key) = (blobs.clone(), key.clone());
            tokio::spawn(async move { blobs.copy(&key, len as u64).await.unwrap() })
        });
        let copies: Vec<BlobKey> = jobs.buffer_unordered(16).try_collect().await.unwrap();
        blobs.delete(&key).await.unwrap();
        assert_eq!(copies.iter().collect::<BTreeSet<_>>().len(), copies.len());
        for copy in &copies {
            assert_eq!(get(blobs, copy, 0, len).await.unwrap(), bytes);
            blobs.delete(copy).await.unwrap();
        }
    }
}
