//! Copies of files: what they have of their source, and what stays of one that fails.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stowage_intake::{Description, Intake, IntakeError, ScanOptions};
use stowage_model::{
    BlobKey, Cause, Clock, File, FileName, Ids, Initiator, Metadata, Project, PublicUrls, Settings, Tags, Timestamp,
};
use stowage_store::Durability;
use stowage_store::blobs::conformance::{content, get, listed};
use stowage_store::blobs::{self, Blobs};
use stowage_store::records::{self, Declared, Records};

const START: Timestamp = Timestamp(1_704_164_645_000_000);
const LARGE: usize = 200_000;

struct House {
    intake: Intake,
    records: Records,
    blobs: Blobs,
    clock: Clock,
    project: Arc<Project>,
}

impl House {
    async fn open(folder: &Path) -> Self {
        let clock = Clock::manual(START);
        let options = records::Options { max_connections: 2, ..records::Options::default() };
        let records = Records::open(&options, folder, Durability::Relaxed, clock.clone()).await.unwrap();
        let options = blobs::Options { reserve: 0, ..blobs::Options::default() };
        let blobs = Blobs::open(&options, folder, Durability::Relaxed).await.unwrap();
        let declared =
            Declared { public_key: "p".parse().unwrap(), secret_keys: vec!["s".into()], settings: Settings::default() };
        let id = records.create_project(&declared, START).await.unwrap();
        let project = records.project(id).await.unwrap().unwrap();
        let intake = intake(&records, &blobs, &clock);
        Self { intake, records, blobs, clock, project }
    }

    async fn upload(&self, bytes: &Bytes) -> File {
        let mut incoming = self.intake.begin();
        incoming.write(bytes.clone()).await.unwrap();
        let received = self.intake.finish(incoming).await.unwrap();
        let description = Description {
            id: None,
            name: FileName::new("Ünïcode.bin"),
            declared_type: Some("application/x-thing".into()),
            stored: true,
            metadata: metadata("of", "source"),
            tags: Tags::from_list("a,b").unwrap(),
            source: Some("local".into()),
        };
        let ids = self.intake.accept(&self.project, vec![(received, description)], cause()).await.unwrap();
        self.records.file(ids[0]).await.unwrap().unwrap()
    }

    async fn copy(&self, source: &File, stored: bool, metadata: Metadata) -> Result<File, IntakeError> {
        self.intake.copy(&self.project, source, stored, metadata, cause()).await
    }

    async fn bytes(&self, file: &File) -> Bytes {
        get(&self.blobs, file.blob.as_ref().unwrap(), 0, usize::try_from(file.size).unwrap()).await.unwrap()
    }
}

/// An intake that gives the same ids as every other.
fn intake(records: &Records, blobs: &Blobs, clock: &Clock) -> Intake {
    let scan = ScanOptions { concurrency: 1, timeout: Duration::from_mins(1), ..ScanOptions::default() };
    Intake::new(records.clone(), blobs.clone(), clock.clone(), Ids::seeded(1), scan)
}

fn metadata(key: &str, value: &str) -> Metadata {
    Metadata::from_pairs([(key, value.as_bytes())]).unwrap()
}

fn cause() -> Cause {
    let url = || "http://localhost".to_owned();
    Cause { initiator: Initiator::System, urls: PublicUrls { upload: url(), rest: url(), cdn: url() } }
}

#[tokio::test]
async fn a_copy_has_all_that_is_known_of_the_bytes_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path()).await;
    for len in [0, 5000, LARGE] {
        let bytes = content(len as u64, len);
        let source = house.upload(&bytes).await;
        house.clock.advance(Duration::from_secs(1));
        for stored in [true, false] {
            let copy = house.copy(&source, stored, metadata("of", "copy")).await.unwrap();
            assert_eq!(house.records.file(copy.id).await.unwrap().as_ref(), Some(&copy), "as recorded");
            assert!(copy.id != source.id && copy.blob != source.blob && copy.uploaded_at >= house.clock.now());
            let expected = File {
                id: copy.id,
                uploaded_at: copy.uploaded_at,
                stored_at: stored.then_some(copy.uploaded_at),
                blob: copy.blob.clone(),
                metadata: metadata("of", "copy"),
                tags: Tags::default(),
                ..source.clone()
            };
            assert_eq!(copy, expected);
            assert_eq!(house.bytes(&copy).await, bytes);
        }
        assert_eq!(house.records.file(source.id).await.unwrap(), Some(source.clone()), "the source is as it was");
        assert_eq!(house.bytes(&source).await, bytes);
    }
}

#[tokio::test]
async fn what_is_gone_cannot_be_copied() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path()).await;
    for len in [5000, LARGE] {
        let source = house.upload(&content(1, len)).await;
        let blob: &BlobKey = source.blob.as_ref().unwrap();
        house.blobs.delete(blob).await.unwrap();
        let meanwhile = house.copy(&source, true, Metadata::default()).await;
        assert!(matches!(meanwhile, Err(IntakeError::SourceGone)), "{meanwhile:?}");
        let before = house.copy(&File { blob: None, ..source }, true, Metadata::default()).await;
        assert!(matches!(before, Err(IntakeError::SourceGone)), "{before:?}");
    }
    let totals = house.records.totals(house.project.id).await.unwrap();
    assert_eq!((totals.stored.files, totals.temporary.files), (2, 0), "no copy was recorded");
}

#[tokio::test]
async fn a_copy_that_is_not_recorded_leaves_no_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path()).await;
    let source = house.upload(&content(1, LARGE)).await;
    let before = listed(&house.blobs, Duration::ZERO).await;
    // The second intake begins with the same ids, of which the first one is taken.
    let again = intake(&house.records, &house.blobs, &house.clock);
    let refused = again.copy(&house.project, &source, true, Metadata::default(), cause()).await;
    assert!(matches!(refused, Err(IntakeError::IdTaken(id)) if id == source.id), "{refused:?}");
    assert_eq!(listed(&house.blobs, Duration::ZERO).await, before);
    assert_eq!(house.bytes(&source).await, content(1, LARGE));
}
