//! What every blob store must do, whatever is behind it. Each check leaves the store as it was.

#![expect(clippy::unwrap_used, reason = "a check that fails shall panic")]

mod copies;
mod parts;

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::io::{Read, Seek, SeekFrom};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use stowage_model::{BlobKey, Ids};

use super::{BlobError, BlobReader, Blobs, SMALL, Stored};
pub use parts::put_part;

/// Lengths around every border that some store may have.
const LENGTHS: [usize; 14] = [
    0,
    1,
    4095,
    4096,
    4097,
    10_240,
    SMALL - 1,
    SMALL,
    SMALL + 1,
    256 << 10,
    (256 << 10) + 1,
    (512 << 10) - 1,
    3_000_017,
    5 << 20,
];

/// Runs all checks.
pub async fn check(blobs: &Blobs) {
    blobs.ready().await.unwrap();
    what_was_kept_is_read(blobs).await;
    ranges_are_exact(blobs).await;
    nothing_else_is_found(blobs).await;
    deleting_is_idempotent(blobs).await;
    drafts_leave_nothing(blobs).await;
    a_keeper_may_give_up(blobs).await;
    finished_drafts_are_read_back(blobs).await;
    the_inventory_lists_files(blobs).await;
    many_at_once(blobs).await;
    kept_blobs_are_sought_in(blobs).await;
    copies::check(blobs).await;
    parts::check(blobs).await;
}

/// Bytes that differ from those of every other `seed`, at every place.
pub fn content(seed: u64, len: usize) -> Bytes {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes.into()
}

/// Keeps bytes that arrive in pieces of `piece`.
pub async fn put(blobs: &Blobs, bytes: &Bytes, piece: usize) -> BlobKey {
    let mut draft = blobs.draft();
    for at in (0..bytes.len()).step_by(piece) {
        draft.write(bytes.slice(at..bytes.len().min(at + piece))).await.unwrap();
    }
    let finished = draft.finish().await.unwrap();
    assert_eq!(finished.len(), bytes.len() as u64);
    finished.keep().await.unwrap()
}

/// Reads a range of a blob.
pub async fn get(blobs: &Blobs, key: &BlobKey, from: usize, to: usize) -> Result<Bytes, BlobError> {
    let stream = blobs.read(key, from as u64..to as u64).await?;
    assert_eq!(stream.remaining(), (to - from) as u64);
    let pieces: Vec<Bytes> = stream.try_collect().await.map_err(BlobError::from)?;
    Ok(pieces.concat().into())
}

/// Waits until a background task has made `holds` true.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("after ten seconds still not: {what}");
}

/// The keys of all blobs that are files or objects of their own.
pub async fn listed(blobs: &Blobs, grace: Duration) -> BTreeSet<BlobKey> {
    let (mut keys, mut after) = (BTreeSet::new(), None);
    loop {
        let page = blobs.inventory(after.as_ref(), grace).await.unwrap();
        keys.extend(page.items.into_iter().filter_map(|item| match item {
            Stored::Blob { key, .. } => Some(key),
            Stored::Pack { .. } => None,
        }));
        match page.next {
            Some(next) => after = Some(next),
            None => return keys,
        }
    }
}

async fn what_was_kept_is_read(blobs: &Blobs) {
    for (seed, len) in LENGTHS.into_iter().enumerate() {
        let bytes = content(seed as u64, len);
        for piece in [len.max(1), 100_000, 1 << 13] {
            let key = put(blobs, &bytes, piece).await;
            assert_eq!(get(blobs, &key, 0, len).await.unwrap(), bytes, "{len} bytes in pieces of {piece}");
            assert_eq!(blobs.read_small(&key, len as u64).await.unwrap(), bytes, "{len} bytes in pieces of {piece}");
            blobs.delete(&key).await.unwrap();
        }
    }
    let zeros = Bytes::from(vec![0; 9000]);
    let key = put(blobs, &zeros, 1).await;
    assert_eq!(get(blobs, &key, 0, 9000).await.unwrap(), zeros);
    blobs.delete(&key).await.unwrap();
}

async fn ranges_are_exact(blobs: &Blobs) {
    for len in [10_000, 700_001] {
        let bytes = content(99, len);
        let key = put(blobs, &bytes, 5000).await;
        let half = len / 2;
        for (from, to) in [(0, 0), (0, 1), (1, 2), (half, half), (half, len), (len - 1, len), (len, len), (3, len - 3)]
        {
            assert_eq!(get(blobs, &key, from, to).await.unwrap(), bytes[from..to], "{from}..{to} of {len}");
        }
        for (from, to) in [(0, len + 1), (len, len + 1), (len + 5, len + 6)] {
            assert!(get(blobs, &key, from, to).await.is_err(), "{from}..{to} of {len}");
        }
        assert!(blobs.read_small(&key, len as u64 + 1).await.is_err());
        blobs.delete(&key).await.unwrap();
    }
}

async fn nothing_else_is_found(blobs: &Blobs) {
    let unknown = Ids::random().uuid().simple().to_string();
    let in_a_pack = format!("{unknown}/00000000-5");
    for key in [unknown.as_str(), &in_a_pack, "", "..", "../../etc/passwd", "%2e%2e", "a/b", "\0"] {
        let key = BlobKey(key.to_owned());
        assert!(matches!(blobs.read(&key, 0..5).await, Err(BlobError::NotFound)), "{key:?}");
        assert!(matches!(blobs.read(&key, 0..0).await, Err(BlobError::NotFound)), "{key:?}");
        assert!(matches!(blobs.read_small(&key, 5).await, Err(BlobError::NotFound)), "{key:?}");
        blobs.delete(&key).await.unwrap();
    }
}

async fn deleting_is_idempotent(blobs: &Blobs) {
    for len in LENGTHS {
        let (bytes, other) = (content(1, len), content(2, len));
        let (key, neighbour) = (put(blobs, &bytes, 1 << 16).await, put(blobs, &other, 1 << 16).await);
        for _ in 0..2 {
            blobs.delete(&key).await.unwrap();
            assert!(matches!(get(blobs, &key, 0, len).await, Err(BlobError::NotFound)), "{len}");
            assert!(matches!(blobs.read_small(&key, len as u64).await, Err(BlobError::NotFound)), "{len}");
        }
        assert_eq!(get(blobs, &neighbour, 0, len).await.unwrap(), other);
        blobs.delete(&neighbour).await.unwrap();
    }
}

async fn drafts_leave_nothing(blobs: &Blobs) {
    let before = listed(blobs, Duration::ZERO).await;
    for len in [100, 300_000, 2_000_000] {
        let mut draft = blobs.draft();
        draft.write(content(1, len)).await.unwrap();
        drop(draft);
        let mut draft = blobs.draft();
        draft.write(content(1, len)).await.unwrap();
        draft.write(content(2, len)).await.unwrap();
        drop(draft.finish().await.unwrap());
        // A living draft is no left-over, however old.
        let mut draft = blobs.draft();
        draft.write(content(1, len)).await.unwrap();
        let finished = draft.finish().await.unwrap();
        blobs.sweep_drafts(Duration::ZERO, false).await.unwrap();
        let key = finished.keep().await.unwrap();
        assert_eq!(get(blobs, &key, 0, len).await.unwrap(), content(1, len));
        blobs.delete(&key).await.unwrap();
    }
    eventually("no draft is left", async || blobs.sweep_drafts(Duration::ZERO, true).await.unwrap().items == 0).await;
    assert_eq!(listed(blobs, Duration::ZERO).await, before);
}

async fn a_keeper_may_give_up(blobs: &Blobs) {
    let before = listed(blobs, Duration::ZERO).await;
    for len in [100, 300_000] {
        let mut draft = blobs.draft();
        draft.write(content(1, len)).await.unwrap();
        let finished = draft.finish().await.unwrap();
        let mut keeping = pin!(finished.keep());
        // One look: most often it has only begun.
        if let Poll::Ready(kept) = poll_fn(|cx| Poll::Ready(keeping.as_mut().poll(cx))).await {
            blobs.delete(&kept.unwrap()).await.unwrap();
        }
    }
    // Whatever was under way comes to its end, and then nothing of it is left.
    tokio::time::sleep(Duration::from_millis(100)).await;
    eventually("nothing was kept", async || listed(blobs, Duration::ZERO).await == before).await;
}

async fn finished_drafts_are_read_back(blobs: &Blobs) {
    for len in [0, 10, SMALL, 1_000_001] {
        let bytes = content(7, len);
        let mut draft = blobs.draft();
        for at in (0..len).step_by(30_000) {
            draft.write(bytes.slice(at..len.min(at + 30_000))).await.unwrap();
        }
        let finished = draft.finish().await.unwrap();
        assert_eq!(finished.head(), &bytes[..len.min(SMALL)]);
        assert_eq!((finished.len(), finished.is_empty()), (len as u64, len == 0));
        seek_about(finished.reader().unwrap(), &bytes).await;
    }
}

/// Reads `bytes` out of `reader`, here and there.
async fn seek_about(mut reader: BlobReader, bytes: &Bytes) {
    let bytes = bytes.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let len = bytes.len();
        assert_eq!((reader.len(), reader.is_empty()), (len as u64, len == 0));
        let mut whole = Vec::new();
        reader.read_to_end(&mut whole).unwrap();
        assert!(whole == bytes, "{len} bytes");
        assert_eq!(reader.seek(SeekFrom::End(0)).unwrap(), len as u64);
        assert!(reader.seek(SeekFrom::Current(i64::MIN)).is_err(), "nothing lies before the first byte");
        // To and fro, so that whatever the reader remembers is of use or in its way.
        for eighth in [4, 0, 7, 1, 6, 2, 5, 3, 8] {
            let at = len * eighth / 8;
            assert_eq!(reader.seek(SeekFrom::Start(at as u64)).unwrap(), at as u64);
            let mut some = vec![0; 1000.min(len - at)];
            reader.read_exact(&mut some).unwrap();
            assert!(some == bytes[at..at + some.len()], "{at} of {len}");
        }
        for beyond in [len as u64, len as u64 + 1, u64::MAX] {
            reader.seek(SeekFrom::Start(beyond)).unwrap();
            assert_eq!(reader.read(&mut [0; 10]).unwrap(), 0, "{beyond} of {len}");
        }
        reader.seek(SeekFrom::End(-i64::try_from(len / 3).unwrap())).unwrap();
        let mut third = Vec::new();
        reader.read_to_end(&mut third).unwrap();
        assert!(third == bytes[len - len / 3..], "the last third of {len}");
    });
    reading.await.unwrap();
}

async fn kept_blobs_are_sought_in(blobs: &Blobs) {
    for len in [0, 1, 10_240, SMALL, SMALL + 1, 1_000_001] {
        let bytes = content(8, len);
        let key = put(blobs, &bytes, 30_000).await;
        seek_about(blobs.reader(&key, len as u64).await.unwrap(), &bytes).await;
        blobs.delete(&key).await.unwrap();
        assert!(matches!(blobs.reader(&key, len as u64).await, Err(BlobError::NotFound)));
    }
    assert!(matches!(blobs.reader(&BlobKey("../x".into()), 5).await, Err(BlobError::NotFound)));
    // What is shorter than its record says is found out, at the latest where it ends.
    let key = put(blobs, &content(8, 300_000), 30_000).await;
    if let Ok(mut reader) = blobs.reader(&key, 300_001).await {
        let read = tokio::task::spawn_blocking(move || reader.read_to_end(&mut Vec::new()));
        assert!(read.await.unwrap().is_err());
    }
    blobs.delete(&key).await.unwrap();
}

async fn the_inventory_lists_files(blobs: &Blobs) {
    let before = listed(blobs, Duration::ZERO).await;
    let mut keys = BTreeSet::new();
    for seed in 0..3 {
        keys.insert(put(blobs, &content(seed, SMALL + 1), 1 << 16).await);
    }
    let now = listed(blobs, Duration::ZERO).await;
    assert_eq!(now.difference(&before).cloned().collect::<BTreeSet<_>>(), keys);
    let old = listed(blobs, Duration::from_hours(1)).await;
    assert!(old.is_disjoint(&keys), "what is young is not listed");
    for key in &keys {
        blobs.delete(key).await.unwrap();
    }
    assert_eq!(listed(blobs, Duration::ZERO).await, before);
}

async fn many_at_once(blobs: &Blobs) {
    let lengths = (0..208_usize).map(|n| if n % 26 == 0 { 400_000 + n } else { n * 331 % SMALL });
    let jobs = stream::iter(lengths.enumerate()).map(|(seed, len)| {
        let blobs = blobs.clone();
        tokio::spawn(async move {
            let bytes = content(seed as u64, len);
            let key = put(&blobs, &bytes, 20_000).await;
            assert_eq!(get(&blobs, &key, 0, len).await.unwrap(), bytes);
            (key, bytes)
        })
    });
    let kept: Vec<(BlobKey, Bytes)> = jobs.buffer_unordered(64).try_collect().await.unwrap();
    let keys: BTreeSet<_> = kept.iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), kept.len());
    for (key, bytes) in &kept {
        assert_eq!(get(blobs, key, 0, bytes.len()).await.unwrap(), bytes);
        blobs.delete(key).await.unwrap();
    }
}
