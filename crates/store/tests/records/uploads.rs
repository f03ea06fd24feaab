//! Multipart uploads: their life, and the races of parts, completions and the janitor.

use std::collections::HashSet;
use std::time::Duration;

use stowage_model::{BlobKey, FileId, FileName, Ids, Metadata, NewFile, ProjectId, Tags, Upload};
use stowage_store::records::{AddError, CompleteError, Records};
use tokio::task::JoinSet;

use crate::{Case, DAY, T0, cause, is_pending, new_file, project};

fn an_upload(project: ProjectId) -> Upload {
    let id = Ids::random().file();
    Upload {
        id,
        project,
        started_at: T0,
        expires_at: T0.plus(DAY),
        size: 10,
        part_size: 5,
        blob: BlobKey(id.0.simple().to_string()),
        blob_upload: Some("theirs".into()),
        completed: false,
        name: FileName::new("Ünïcode \"q\".bin"),
        mime_type: "application/x-thing".into(),
        stored: true,
        metadata: Metadata::from_pairs([("key", "v \u{1F980}".as_bytes())]).unwrap(),
        tags: Tags::from_list("b,a").unwrap(),
        source: Some("local".into()),
    }
}

fn file_of(upload: &Upload) -> NewFile {
    NewFile { id: upload.id, blob: upload.blob.clone(), size: upload.size, ..new_file("x") }
}

/// An upload whose two parts have arrived.
pub(crate) async fn arrived(records: &Records, project: ProjectId) -> Upload {
    let upload = an_upload(project);
    records.start_upload(&upload).await.unwrap();
    for number in [1, 2] {
        assert!(records.put_part(upload.id, number, 5, "etag", T0).await.unwrap());
    }
    upload
}

/// An upload that has become a file.
pub(crate) async fn completed(records: &Records, project: ProjectId) {
    let upload = arrived(records, project).await;
    records.complete_upload(&upload, file_of(&upload), Some(whole()), cause(), T0).await.unwrap();
}

/// Parts as a completion expects them.
fn parts<const N: usize>(expected: [(u32, &str); N]) -> Vec<(u32, String)> {
    expected.into_iter().map(|(number, etag)| (number, etag.to_owned())).collect()
}

/// What [`arrived`] leaves.
fn whole() -> Vec<(u32, String)> {
    parts([(1, "etag"), (2, "etag")])
}

async fn an_upload_goes_from_start_to_file(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let upload = an_upload(project);
    records.start_upload(&upload).await.unwrap();
    assert_eq!(records.upload(upload.id).await.unwrap(), Some(upload.clone()));
    assert_eq!(records.upload_for_part(upload.id, 2).await.unwrap(), Some((upload.clone(), false)));
    assert!(records.put_part(upload.id, 2, 3, "two", T0).await.unwrap());
    assert!(records.put_part(upload.id, 1, 5, "one", T0).await.unwrap());
    assert!(records.put_part(upload.id, 2, 5, "two again", T0).await.unwrap());
    assert_eq!(records.upload_for_part(upload.id, 2).await.unwrap(), Some((upload.clone(), true)));
    let listed = records.upload_parts(upload.id).await.unwrap();
    assert_eq!(listed, [(1, 5, "one".to_owned()), (2, 5, "two again".to_owned())]);
    assert_eq!(records.file(upload.id).await.unwrap(), None, "unknown until it is completed");

    let new = NewFile { stored: true, ..file_of(&upload) };
    let expected = parts([(1, "one"), (2, "two again")]);
    let time = records.complete_upload(&upload, new.clone(), Some(expected), cause(), T0).await.unwrap();
    let file = records.file(upload.id).await.unwrap().unwrap();
    assert_eq!((file.uploaded_at, file.stored_at, file.project), (time, Some(time), project));
    assert_eq!((file.blob, file.size, file.name), (Some(new.blob), 10, new.name));
    assert_eq!(records.upload(upload.id).await.unwrap(), Some(Upload { completed: true, ..upload.clone() }));
    assert_eq!(records.upload_parts(upload.id).await.unwrap(), []);
    assert!(!records.put_part(upload.id, 1, 5, "late", T0).await.unwrap());
    assert!(!records.begin_part(upload.id, 1, T0).await.unwrap());
    assert!(!records.discard_upload(upload.id, T0).await.unwrap());
    let again = records.complete_upload(&upload, file_of(&upload), Some(whole()), cause(), T0).await;
    assert!(matches!(again, Err(CompleteError::NotOpen)), "{again:?}");
    assert_eq!(records.upload_parts(upload.id).await.unwrap(), []);
    assert!(records.file(upload.id).await.unwrap().is_some());
    assert_eq!(records.garbage(10).await.unwrap(), []);
}

async fn an_unknown_upload_takes_nothing(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let unknown = an_upload(project);
    assert_eq!(records.upload(unknown.id).await.unwrap(), None);
    assert_eq!(records.upload_for_part(unknown.id, 1).await.unwrap(), None);
    assert!(!records.put_part(unknown.id, 1, 5, "x", T0).await.unwrap());
    assert!(!records.begin_part(unknown.id, 1, T0).await.unwrap());
    assert!(!records.discard_upload(unknown.id, T0).await.unwrap());
    let outcome = records.complete_upload(&unknown, file_of(&unknown), None, cause(), T0).await;
    assert!(matches!(outcome, Err(CompleteError::NotOpen)));
    assert_eq!(records.file(unknown.id).await.unwrap(), None);
}

async fn parts_must_be_those_that_were_looked_at(case: Case) {
    let records = case.open().await;
    let upload = arrived(&records, project(&records, "p").await).await;
    for expected in [
        parts([(1, "etag")]),
        parts([(1, "etag"), (2, "other")]),
        parts([(1, "etag"), (3, "etag")]),
        parts([(1, "etag"), (2, "etag"), (3, "etag")]),
        parts([]),
    ] {
        let outcome = records.complete_upload(&upload, file_of(&upload), Some(expected.clone()), cause(), T0).await;
        assert!(matches!(outcome, Err(CompleteError::PartsChanged)), "{expected:?}: {outcome:?}");
    }
    // Written once more, with as many bytes as before.
    assert!(records.begin_part(upload.id, 1, T0).await.unwrap());
    assert!(records.put_part(upload.id, 1, 5, "again", T0).await.unwrap());
    let outcome = records.complete_upload(&upload, file_of(&upload), Some(whole()), cause(), T0).await;
    assert!(matches!(outcome, Err(CompleteError::PartsChanged)));
    assert!(records.begin_part(upload.id, 2, T0).await.unwrap());
    assert!(records.begin_part(upload.id, 2, T0).await.unwrap(), "it is open, even if the part is missing already");
    assert!(!records.upload_for_part(upload.id, 2).await.unwrap().unwrap().1);
    let outcome = records.complete_upload(&upload, file_of(&upload), Some(whole()), cause(), T0).await;
    assert!(matches!(outcome, Err(CompleteError::PartsChanged)));
    assert!(!records.upload(upload.id).await.unwrap().unwrap().completed, "it stays open");
    assert_eq!(records.file(upload.id).await.unwrap(), None);
    // Where the blob store knows the parts, nothing is compared.
    records.complete_upload(&upload, file_of(&upload), None, cause(), T0).await.unwrap();
    assert_eq!(case.count("upload_parts").await, 0);
}

async fn an_upload_may_have_no_parts(case: Case) {
    let records = case.open().await;
    let upload = an_upload(project(&records, "p").await);
    records.start_upload(&upload).await.unwrap();
    assert_eq!(records.upload_parts(upload.id).await.unwrap(), []);
    records.complete_upload(&upload, file_of(&upload), Some(Vec::new()), cause(), T0).await.unwrap();
}

async fn of_two_completions_one_wins(case: Case) {
    let nodes = case.nodes(2).await;
    let project = project(&nodes[0], "p").await;
    for _ in 0..20 {
        let upload = arrived(&nodes[0], project).await;
        let mut tries = JoinSet::new();
        for n in 0..6 {
            let (node, upload) = (nodes[n % 2].clone(), upload.clone());
            tries.spawn(
                async move { node.complete_upload(&upload, file_of(&upload), Some(whole()), cause(), T0).await },
            );
        }
        let outcomes = tries.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(CompleteError::NotOpen))), "{outcomes:?}");
        assert!(nodes[1].file(upload.id).await.unwrap().is_some());
    }
    assert_eq!(case.count("files").await, 20);
}

async fn a_part_is_put_before_or_after_the_completion(case: Case) {
    let nodes = case.nodes(2).await;
    let project = project(&nodes[0], "p").await;
    for round in 0..30 {
        let upload = arrived(&nodes[0], project).await;
        let (put, complete) = tokio::join!(
            nodes[round % 2].put_part(upload.id, 2, 7, "longer", T0),
            nodes[0].complete_upload(&upload, file_of(&upload), Some(whole()), cause(), T0),
        );
        match (put.unwrap(), complete) {
            (true, Err(CompleteError::PartsChanged)) => {
                assert_eq!(nodes[1].upload_parts(upload.id).await.unwrap()[1].1, 7);
            }
            (false, Ok(_)) => assert_eq!(nodes[1].upload_parts(upload.id).await.unwrap(), []),
            other => panic!("{other:?}"),
        }
    }
}

async fn a_part_is_begun_before_or_after_the_completion(case: Case) {
    let nodes = case.nodes(2).await;
    let project = project(&nodes[0], "p").await;
    for round in 0..30 {
        let upload = arrived(&nodes[0], project).await;
        let (begun, complete) = tokio::join!(
            nodes[round % 2].begin_part(upload.id, 1, T0),
            nodes[0].complete_upload(&upload, file_of(&upload), Some(whole()), cause(), T0),
        );
        match (begun.unwrap(), complete) {
            (true, Err(CompleteError::PartsChanged)) | (false, Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn an_upload_is_discarded_or_completed(case: Case) {
    let nodes = case.nodes(2).await;
    let project = project(&nodes[0], "p").await;
    let mut discarded = 0;
    for round in 0..30 {
        let upload = arrived(&nodes[0], project).await;
        let (gone, complete) = tokio::join!(
            nodes[round % 2].discard_upload(upload.id, T0),
            nodes[0].complete_upload(&upload, file_of(&upload), Some(whole()), cause(), T0),
        );
        match (gone.unwrap(), complete) {
            (true, Err(CompleteError::NotOpen)) => discarded += 1,
            (false, Ok(_)) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(nodes[0].upload_parts(upload.id).await.unwrap(), []);
    }
    assert_eq!(nodes[0].garbage(100).await.unwrap().len(), discarded);
    assert_eq!(case.count("files").await, 30 - i64::try_from(discarded).unwrap());
}

async fn uploads_expire(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let (open, completed) = (arrived(&records, project).await, arrived(&records, project).await);
    let young = Upload { expires_at: T0.plus(2 * DAY), ..an_upload(project) };
    records.start_upload(&young).await.unwrap();
    records.complete_upload(&completed, file_of(&completed), Some(whole()), cause(), T0).await.unwrap();
    let before = T0.plus(DAY).minus(Duration::from_micros(1));
    assert_eq!(records.expired_uploads(before, 10).await.unwrap(), []);
    assert_eq!(records.purge_uploads(before, 10).await.unwrap(), 0);
    assert!(records.begin_part(open.id, 1, before).await.unwrap());
    assert!(records.put_part(open.id, 1, 5, "last", before).await.unwrap());

    let now = T0.plus(DAY);
    assert!(!records.begin_part(open.id, 1, now).await.unwrap());
    assert!(!records.put_part(open.id, 1, 5, "late", now).await.unwrap());
    assert_eq!(records.upload_parts(open.id).await.unwrap()[0].2, "last", "nothing was forgotten or replaced");
    let outcome = records.complete_upload(&open, file_of(&open), Some(whole()), cause(), now).await;
    assert!(matches!(outcome, Err(CompleteError::NotOpen)));
    assert_eq!(records.expired_uploads(now, 10).await.unwrap(), std::slice::from_ref(&open));
    assert_eq!(records.expired_uploads(now, 0).await.unwrap(), []);
    assert!(records.discard_upload(open.id, now).await.unwrap());
    assert!(!records.discard_upload(open.id, now).await.unwrap());
    assert_eq!(records.expired_uploads(now, 10).await.unwrap(), []);
    assert_eq!(records.garbage(10).await.unwrap(), [open.blob]);
    assert_eq!(case.count("upload_parts").await, 0);

    assert_eq!(records.purge_uploads(now, 10).await.unwrap(), 1);
    assert_eq!(records.upload(completed.id).await.unwrap(), None);
    assert!(records.file(completed.id).await.unwrap().is_some());
    assert!(records.upload(young.id).await.unwrap().is_some());
}

async fn blobs_of_open_uploads_are_known(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let upload = Upload { blob: BlobKey("pack7/blob".into()), ..an_upload(project) };
    records.start_upload(&upload).await.unwrap();
    let known = async || {
        let listed = records.known_blobs(std::slice::from_ref(&upload.blob)).await.unwrap();
        (listed.len(), records.blobs_with_prefix("pack7/").await.unwrap().len())
    };
    assert_eq!(known().await, (1, 1));
    records.complete_upload(&upload, file_of(&upload), None, cause(), T0).await.unwrap();
    assert_eq!(known().await, (1, 1), "as the blob of a file, once");
    let later = T0.plus(DAY);
    let unstored = records.expire_files(later, later, later, 10, &cause()).await.unwrap();
    assert_eq!(unstored, [upload.id]);
    assert_eq!(known().await, (0, 0), "a completed upload holds nothing");
    // Its key is taken all the same, so that nobody writes to a blob that is being deleted.
    let twin = Upload { id: Ids::random().file(), ..upload.clone() };
    assert!(records.start_upload(&twin).await.is_err());
}

async fn many_parts_and_files_share_the_writer(case: Case) {
    let nodes = case.nodes(2).await;
    let project = project(&nodes[0], "p").await;
    let mut uploads = Vec::new();
    for _ in 0..4 {
        let upload = an_upload(project);
        nodes[0].start_upload(&upload).await.unwrap();
        uploads.push(upload);
    }
    let mut orders = JoinSet::new();
    for number in 1..=64 {
        for (n, upload) in uploads.iter().enumerate() {
            let (node, id) = (nodes[n % 2].clone(), upload.id);
            orders.spawn(async move { node.put_part(id, number, u64::from(number), "x", T0).await.unwrap() });
        }
        let (node, unknown) = (nodes[0].clone(), Ids::random().file());
        orders.spawn(async move { !node.put_part(unknown, number, 1, "x", T0).await.unwrap() });
        let node = nodes[0].clone();
        orders.spawn(async move { node.add_files(project, vec![new_file("x")], cause()).await.is_ok() });
    }
    assert!(orders.join_all().await.into_iter().all(|as_expected| as_expected));
    for upload in &uploads {
        let parts = nodes[1].upload_parts(upload.id).await.unwrap();
        let expected: Vec<_> = (1..=64).map(|number| (number, u64::from(number), "x".to_owned())).collect();
        assert_eq!(parts, expected);
    }
    assert_eq!((case.count("upload_parts").await, case.count("files").await), (256, 64));
}

async fn a_part_that_is_put_many_times_at_once_has_one_row(case: Case) {
    let records = case.open().await;
    let upload = an_upload(project(&records, "p").await);
    records.start_upload(&upload).await.unwrap();
    let mut orders = JoinSet::new();
    for size in 0..50 {
        let (node, id) = (records.clone(), upload.id);
        orders.spawn(async move { node.put_part(id, 3, size, &size.to_string(), T0).await.unwrap() });
    }
    assert!(orders.join_all().await.into_iter().all(|taken| taken));
    let parts = records.upload_parts(upload.id).await.unwrap();
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0].1.to_string(), parts[0].2, "length and tag are of the same attempt");
}

async fn a_bad_order_fails_alone(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let upload = an_upload(project);
    records.start_upload(&upload).await.unwrap();
    let taken = new_file("taken");
    records.add_files(project, vec![taken.clone()], cause()).await.unwrap();
    for _ in 0..10 {
        let good = new_file("good");
        let (refused, part, accepted) = tokio::join!(
            records.add_files(project, vec![new_file("with it"), taken.clone()], cause()),
            records.put_part(upload.id, 1, 5, "x", T0),
            records.add_files(project, vec![good.clone()], cause()),
        );
        assert!(matches!(refused, Err(AddError::IdTaken(id)) if id == taken.id));
        assert!(part.unwrap());
        accepted.unwrap();
        assert!(records.file(good.id).await.unwrap().is_some());
    }
    assert_eq!(case.count("files").await, 11);
    assert_eq!(records.add_files(project, Vec::new(), cause()).await.unwrap(), []);
}

async fn a_taken_id_leaves_the_upload_open(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let upload = arrived(&records, project).await;
    let squatter = NewFile { id: upload.id, ..new_file("squatter") };
    records.add_files(project, vec![squatter.clone()], cause()).await.unwrap();
    let outcome = records.complete_upload(&upload, file_of(&upload), Some(whole()), cause(), T0).await;
    assert!(matches!(outcome, Err(CompleteError::IdTaken(id)) if id == upload.id), "{outcome:?}");
    assert_eq!(records.upload(upload.id).await.unwrap(), Some(upload.clone()));
    assert_eq!(records.upload_parts(upload.id).await.unwrap().len(), 2);
    assert_eq!(records.file(upload.id).await.unwrap().unwrap().blob, Some(squatter.blob));
}

async fn completed_uploads_get_times_of_their_own(case: Case) {
    let nodes = case.nodes(3).await;
    let project = project(&nodes[0], "p").await;
    let mut uploads = Vec::new();
    for _ in 0..60 {
        let upload = an_upload(project);
        nodes[0].start_upload(&upload).await.unwrap();
        uploads.push(upload);
    }
    let mut orders = JoinSet::new();
    for (n, upload) in uploads.into_iter().enumerate() {
        let node = nodes[n % 3].clone();
        orders.spawn(async move {
            let completed = node.complete_upload(&upload, file_of(&upload), None, cause(), T0).await.unwrap();
            let added = node.add_files(project, vec![new_file("x")], cause()).await.unwrap();
            [(upload.id, completed), (FileId(uuid::Uuid::nil()), added[0])]
        });
    }
    let times: Vec<_> = orders.join_all().await.into_iter().flatten().collect();
    let distinct: HashSet<_> = times.iter().map(|(_, time)| *time).collect();
    assert_eq!(distinct.len(), 120);
    for (id, time) in times.into_iter().filter(|(id, _)| !id.0.is_nil()) {
        assert_eq!(nodes[0].file(id).await.unwrap().unwrap().uploaded_at, time);
    }
}

async fn what_was_handed_in_is_done_before_the_records_close(case: Case) {
    let records = case.open().await;
    let upload = arrived(&records, project(&records, "p").await).await;
    let node = records.clone();
    let completion = upload.clone();
    let mut order =
        Box::pin(
            async move { node.complete_upload(&completion, file_of(&completion), Some(whole()), cause(), T0).await },
        );
    // Polled once, it has handed the order in; then its caller goes away.
    assert!(is_pending(&mut order).await);
    drop(order);
    records.close().await;
    assert!(records.put_part(upload.id, 1, 5, "x", T0).await.is_err(), "closed");
    assert!(case.open().await.file(upload.id).await.unwrap().is_some());
}

on_both_engines!(
    an_upload_goes_from_start_to_file,
    an_unknown_upload_takes_nothing,
    parts_must_be_those_that_were_looked_at,
    an_upload_may_have_no_parts,
    of_two_completions_one_wins,
    a_part_is_put_before_or_after_the_completion,
    a_part_is_begun_before_or_after_the_completion,
    an_upload_is_discarded_or_completed,
    uploads_expire,
    blobs_of_open_uploads_are_known,
    many_parts_and_files_share_the_writer,
    a_part_that_is_put_many_times_at_once_has_one_row,
    a_bad_order_fails_alone,
    a_taken_id_leaves_the_upload_open,
    completed_uploads_get_times_of_their_own,
    what_was_handed_in_is_done_before_the_records_close,
);
