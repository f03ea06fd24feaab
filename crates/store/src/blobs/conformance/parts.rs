//! Blobs that arrive in parts. The parts are no smaller than S3 allows.

use std::future::poll_fn;
use std::io::{Read, Seek, SeekFrom};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use stowage_model::{BlobKey, Ids};

use super::super::{AssembleError, BlobError, Blobs, Part, PartDraft, PartError, Parts};
use super::{content, eventually, get};

/// The least that S3 takes for any part but the last; whole pages of a disk.
const EVEN: usize = 5 << 20;

/// Parts that begin and end inside pages.
const ODD: usize = EVEN + 3;

/// Pieces in which bodies arrive.
const PIECE: usize = 60_000;

pub(super) async fn check(blobs: &Blobs) {
    parts_come_in_any_order(blobs).await;
    parts_come_at_once(blobs).await;
    the_last_complete_part_wins(blobs).await;
    what_was_cut_off_leaves_no_trace(blobs).await;
    parts_take_turns(blobs).await;
    a_part_has_its_limit(blobs).await;
    the_last_part_may_have_been_longer(blobs).await;
    nothing_is_left_of_what_was_forgotten(blobs).await;
    nonsense_is_refused(blobs).await;
}

/// Sends a part in pieces.
pub async fn put_part(blobs: &Blobs, parts: &Parts, number: u32, part_size: usize, bytes: &Bytes) -> Part {
    let mut draft = blobs.part(parts, number, part_size as u64).await.unwrap();
    write(&mut draft, bytes).await;
    let turn = draft.finish().await.unwrap();
    assert_eq!((turn.part().number, turn.part().size), (number, bytes.len() as u64));
    assert!(!turn.part().etag.is_empty() && !turn.part().etag.contains('"'));
    turn.part().clone()
}

async fn write(draft: &mut PartDraft, bytes: &Bytes) {
    for at in (0..bytes.len()).step_by(PIECE) {
        draft.write(bytes.slice(at..bytes.len().min(at + PIECE))).await.unwrap();
    }
}

/// `bytes` as the parts that they arrive in, with their numbers.
fn cut(bytes: &Bytes, part_size: usize) -> Vec<(u32, Bytes)> {
    let starts = (0..bytes.len()).step_by(part_size);
    (1..).zip(starts.map(|at| bytes.slice(at..bytes.len().min(at + part_size)))).collect()
}

/// Assembles a blob, reads it, and removes it again.
async fn is_whole(blobs: &Blobs, parts: &Parts, list: &[Part], bytes: &Bytes) {
    let size = bytes.len() as u64;
    assert_eq!(list.iter().map(|part| part.size).sum::<u64>(), size);
    if let Some(mut listed) = blobs.list_parts(parts).await.unwrap() {
        for (listed, known) in listed.iter_mut().zip(list) {
            if listed.etag.is_empty() {
                listed.etag.clone_from(&known.etag);
            }
        }
        assert_eq!(listed, list, "S3 knows what has arrived");
    }
    // Twice, as when the first answer was lost, and then asked without parts.
    blobs.assemble(parts, size, list).await.unwrap();
    blobs.assemble(parts, size, list).await.unwrap();
    blobs.assemble(parts, size, &[]).await.unwrap();
    assert!(get(blobs, &parts.key, 0, bytes.len()).await.unwrap() == bytes, "what was sent is read");
    assert!(get(blobs, &parts.key, 0, bytes.len() + 1).await.is_err(), "and nothing behind it");
    let mut reader = blobs.reader(&parts.key, size).await.unwrap();
    let last = tokio::task::spawn_blocking(move || {
        let (mut last, _) = (vec![0; 1000], reader.seek(SeekFrom::End(-1000)).unwrap());
        reader.read_exact(&mut last).unwrap();
        last
    });
    assert!(last.await.unwrap() == bytes[bytes.len() - 1000..]);
    blobs.abort_parts(parts).await.unwrap();
    assert!(matches!(get(blobs, &parts.key, 0, 1).await, Err(BlobError::NotFound)));
}

async fn parts_come_in_any_order(blobs: &Blobs) {
    for (part_size, last) in [(EVEN, 4097), (ODD, 4096), (EVEN, EVEN), (ODD, 1)] {
        let bytes = content(last as u64, 2 * part_size + last);
        let parts = blobs.begin_parts(bytes.len() as u64).await.unwrap();
        let mut list = Vec::new();
        for (number, part) in cut(&bytes, part_size).into_iter().rev() {
            list.push(put_part(blobs, &parts, number, part_size, &part).await);
        }
        list.reverse();
        is_whole(blobs, &parts, &list, &bytes).await;
    }
}

async fn parts_come_at_once(blobs: &Blobs) {
    for part_size in [EVEN, ODD] {
        let bytes = content(11, 4 * part_size + 70_000);
        let parts = blobs.begin_parts(bytes.len() as u64).await.unwrap();
        let sent = cut(&bytes, part_size).into_iter().map(|(number, part)| {
            let (blobs, parts) = (blobs.clone(), parts.clone());
            tokio::spawn(async move { put_part(&blobs, &parts, number, part_size, &part).await })
        });
        let list: Vec<Part> = join_all(sent.collect::<Vec<_>>()).await.into_iter().map(Result::unwrap).collect();
        is_whole(blobs, &parts, &list, &bytes).await;
    }
}

async fn the_last_complete_part_wins(blobs: &Blobs) {
    let bytes = content(12, EVEN + 500_000);
    let parts = blobs.begin_parts(bytes.len() as u64).await.unwrap();
    let mut list = Vec::new();
    for (number, part) in cut(&bytes, EVEN) {
        let before = put_part(blobs, &parts, number, EVEN, &content(13, part.len())).await;
        let again = put_part(blobs, &parts, number, EVEN, &part).await;
        assert_ne!(before.etag, again.etag);
        list.push(again);
    }
    is_whole(blobs, &parts, &list, &bytes).await;
}

/// A client that hangs up leaves writes behind, which must not fall on those of its next attempt.
async fn what_was_cut_off_leaves_no_trace(blobs: &Blobs) {
    for part_size in [EVEN, ODD] {
        let bytes = content(14, 2 * part_size);
        let parts = blobs.begin_parts(bytes.len() as u64).await.unwrap();
        let mut list = Vec::new();
        for (number, part) in cut(&bytes, part_size) {
            for attempt in 0..12 {
                let stale = content(100 + attempt, part_size);
                let mut draft = blobs.part(&parts, number, part_size as u64).await.unwrap();
                let most = usize::try_from(attempt).unwrap() * 400_000;
                write(&mut draft, &stale.slice(..most)).await;
                if attempt % 3 == 0 {
                    // Cut off in the middle of a write.
                    let mut writing = pin!(draft.write(stale.slice(most..part_size.min(most + 700_000))));
                    poll_fn(|cx| Poll::Ready(writing.as_mut().poll(cx).is_ready())).await;
                } else if attempt % 3 == 1 {
                    // Cut off at the very end.
                    let mut finishing = pin!(draft.finish());
                    poll_fn(|cx| Poll::Ready(finishing.as_mut().poll(cx).is_ready())).await;
                }
            }
            list.push(put_part(blobs, &parts, number, part_size, &part).await);
        }
        is_whole(blobs, &parts, &list, &bytes).await;
    }
    eventually("no draft is left", async || blobs.sweep_drafts(Duration::ZERO, true).await.unwrap().items == 0).await;
}

async fn parts_take_turns(blobs: &Blobs) {
    let bytes = content(15, EVEN + 9000);
    let parts = blobs.begin_parts(bytes.len() as u64).await.unwrap();
    let whole = cut(&bytes, EVEN);
    let mut first = blobs.part(&parts, 1, EVEN as u64).await.unwrap();
    let second = {
        let (blobs, parts, part) = (blobs.clone(), parts.clone(), whole[0].1.clone());
        tokio::spawn(async move { put_part(&blobs, &parts, 1, EVEN, &part).await })
    };
    write(&mut first, &content(16, EVEN)).await;
    // Another part need not wait.
    let other = put_part(blobs, &parts, 2, EVEN, &whole[1].1).await;
    let first = first.finish().await.unwrap();
    assert!(!second.is_finished(), "the first has its turn until the records know of it");
    drop(first);
    is_whole(blobs, &parts, &[second.await.unwrap(), other], &bytes).await;
}

async fn a_part_has_its_limit(blobs: &Blobs) {
    let bytes = content(17, 2 * ODD);
    let parts = blobs.begin_parts(bytes.len() as u64).await.unwrap();
    let whole = cut(&bytes, ODD);
    let second = put_part(blobs, &parts, 2, ODD, &whole[1].1).await;
    let mut draft = blobs.part(&parts, 1, ODD as u64).await.unwrap();
    write(&mut draft, &content(18, ODD)).await;
    draft.write(Bytes::new()).await.unwrap();
    assert!(matches!(draft.write(content(18, 1)).await, Err(PartError::TooLarge)));
    assert!(matches!(draft.write(Bytes::new()).await, Err(PartError::Blobs(BlobError::Io(_)))));
    assert!(draft.finish().await.is_err());
    let mut draft = blobs.part(&parts, 1, ODD as u64).await.unwrap();
    assert!(matches!(draft.write(content(18, ODD + 1)).await, Err(PartError::TooLarge)));
    drop(draft);
    let first = put_part(blobs, &parts, 1, ODD, &whole[0].1).await;
    is_whole(blobs, &parts, &[first, second], &bytes).await;
}

async fn the_last_part_may_have_been_longer(blobs: &Blobs) {
    for part_size in [EVEN, ODD] {
        let bytes = content(19, part_size + 123_457);
        let parts = blobs.begin_parts(bytes.len() as u64).await.unwrap();
        let whole = cut(&bytes, part_size);
        for longer in [part_size, part_size - 5000, 123_458] {
            put_part(blobs, &parts, 2, part_size, &content(20, longer)).await;
        }
        let first = put_part(blobs, &parts, 1, part_size, &whole[0].1).await;
        let last = put_part(blobs, &parts, 2, part_size, &whole[1].1).await;
        is_whole(blobs, &parts, &[first, last], &bytes).await;
    }
}

async fn nothing_is_left_of_what_was_forgotten(blobs: &Blobs) {
    let listed = async |parts: &Parts, grace| blobs.unfinished_parts(grace).await.unwrap().contains(parts);
    let part = content(22, EVEN);
    let parts = blobs.begin_parts(2 * EVEN as u64).await.unwrap();
    let sent = put_part(blobs, &parts, 1, EVEN, &part).await;
    assert!(!listed(&parts, Duration::from_hours(1)).await, "what is young is not listed");
    let mut late = blobs.part(&parts, 2, EVEN as u64).await.unwrap();
    write(&mut late, &part.slice(..3_000_000)).await;
    for _ in 0..2 {
        blobs.abort_parts(&parts).await.unwrap();
    }
    assert!(!listed(&parts, Duration::ZERO).await);
    // A part that was under way may end well or not; it helps nobody.
    write(&mut late, &part.slice(3_000_000..)).await;
    let _ = late.finish().await;
    let later = match blobs.part(&parts, 1, EVEN as u64).await {
        Ok(draft) => draft.finish().await.map(drop),
        Err(error) => Err(error),
    };
    assert!(later.is_err());
    let refused = blobs.assemble(&parts, 2 * EVEN as u64, &[]).await;
    assert!(matches!(refused, Err(AssembleError::Refused)), "{refused:?}");
    assert!(blobs.assemble(&parts, EVEN as u64, &[sent]).await.is_err());
    assert!(matches!(get(blobs, &parts.key, 0, 1).await, Err(BlobError::NotFound)));
}

async fn nonsense_is_refused(blobs: &Blobs) {
    let parts = blobs.begin_parts(100).await.unwrap();
    assert!(matches!(blobs.part(&parts, 0, 100).await, Err(BlobError::Io(_))));
    assert!(matches!(blobs.part(&parts, u32::MAX, u64::MAX).await, Err(BlobError::Io(_))));
    let mut nothing = blobs.part(&parts, 1, 0).await.unwrap();
    assert!(matches!(nothing.write(Bytes::from_static(b"x")).await, Err(PartError::TooLarge)));
    drop(nothing);
    blobs.abort_parts(&parts).await.unwrap();
    let unknown = Ids::random().uuid().simple().to_string();
    for key in [unknown.as_str(), "../../etc/passwd", "", &format!("{unknown}/00000000-5")] {
        for upload in [None, Some("nothing".to_owned())] {
            let parts = Parts { key: BlobKey(key.to_owned()), upload };
            let taken = match blobs.part(&parts, 1, 100).await {
                Ok(draft) => draft.finish().await.map(drop),
                Err(error) => Err(error),
            };
            assert!(taken.is_err(), "{key}");
            assert!(blobs.assemble(&parts, 100, &[]).await.is_err(), "{key}");
            blobs.abort_parts(&parts).await.unwrap();
        }
    }
}
