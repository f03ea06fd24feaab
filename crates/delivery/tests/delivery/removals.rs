//! Variants go with their files.

use std::sync::Arc;

use bytes::Bytes;
use stowage_model::{Cause, Clock, File, Initiator, NewFile, PublicUrls, Settings};
use stowage_store::Durability;
use stowage_store::blobs::conformance::eventually;
use stowage_store::records::{self, Declared, Records};
use tokio_util::sync::CancellationToken;

use crate::house::{House, START, facts, files_below, options, png};

async fn open_records(house: &House) -> (Records, stowage_model::ProjectId) {
    let settings = records::Options { max_connections: 2, ..records::Options::default() };
    let records = Records::open(&settings, &house.folder, Durability::Relaxed, Clock::manual(START)).await.unwrap();
    let declared =
        Declared { public_key: "p".parse().unwrap(), secret_keys: vec!["s".into()], settings: Settings::default() };
    let project = records.create_project(&declared, START).await.unwrap();
    (records, project)
}

fn cause() -> Cause {
    let urls = PublicUrls { upload: String::new(), rest: String::new(), cdn: String::new() };
    Cause { initiator: Initiator::System, urls }
}

/// A recorded picture with a variant on disk.
async fn with_variant(house: &House, records: &Records, project: stowage_model::ProjectId, seed: u8) -> Arc<File> {
    let file = house.file("a.png", &Bytes::from(png(seed, 300, 200)), Some(facts("PNG", 300, 200))).await;
    let new = NewFile {
        id: file.id,
        blob: file.blob.clone().unwrap(),
        size: file.size,
        etag: file.etag.clone(),
        name: file.name.clone(),
        mime_type: file.mime_type.clone(),
        is_image: true,
        content: file.content.clone(),
        stored: true,
        metadata: file.metadata.clone(),
        tags: file.tags.clone(),
        source: None,
    };
    records.add_files(project, vec![new], cause()).await.unwrap();
    house.variant(&file, "-/resize/30x/").await.unwrap();
    eventually("it is on disk", async || of(house, &file) == 1).await;
    file
}

/// How many variants of a file are on disk.
fn of(house: &House, file: &File) -> usize {
    let id = file.id.to_string();
    files_below(&house.folder.join("variants")).iter().filter(|path| path.to_string_lossy().contains(&id)).count()
}

#[tokio::test]
async fn a_removed_file_takes_its_variants_along() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), options()).await;
    let (records, project) = open_records(&house).await;
    let stop = CancellationToken::new();
    let (stays, goes) =
        (with_variant(&house, &records, project, 1).await, with_variant(&house, &records, project, 2).await);
    let tending = tokio::spawn(house.delivery.clone().tend(records.clone(), stop.clone()));
    tokio::task::yield_now().await;
    eventually("the variants of the removed one are gone", async || {
        // Removed as often as it takes: the listener may not have listened yet.
        records.store_files(project, &[goes.id], &cause(), START).await.unwrap();
        records.remove_files(project, &[goes.id], &cause(), START).await.unwrap();
        of(&house, &goes) == 0
    })
    .await;
    assert_eq!(of(&house, &stays), 1);
    // Out of memory as well: without its blob it cannot be made again.
    house.blobs.delete(goes.blob.as_ref().unwrap()).await.unwrap();
    assert!(house.variant(&goes, "-/resize/30x/").await.is_err());
    stop.cancel();
    tending.await.unwrap();
    records.close().await;
}

#[tokio::test]
async fn what_others_removed_is_found_by_looking() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), options()).await;
    let (records, project) = open_records(&house).await;
    let (stays, goes) =
        (with_variant(&house, &records, project, 1).await, with_variant(&house, &records, project, 2).await);
    let unknown = house.picture(3, 300, 200).await;
    house.variant(&unknown, "-/resize/30x/").await.unwrap();
    eventually("it is on disk", async || of(&house, &unknown) == 1).await;
    assert_eq!(house.delivery.forget_removed(&records).await.unwrap(), 1, "the one that was never recorded");
    records.remove_files(project, &[goes.id], &cause(), START).await.unwrap();
    assert_eq!(house.delivery.forget_removed(&records).await.unwrap(), 1);
    eventually("they are gone", async || of(&house, &goes) + of(&house, &unknown) == 0).await;
    assert_eq!(of(&house, &stays), 1);
    assert_eq!(house.delivery.forget_removed(&records).await.unwrap(), 0);
    records.close().await;
}
