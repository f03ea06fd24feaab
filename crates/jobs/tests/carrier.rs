//! The carrier on real records, blobs and an S3 server, with a clock that is moved by hand.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stowage_copy::{Copies, CopyError, CopyTools, Ran};
use stowage_delivery::Delivery;
use stowage_intake::{Description, Intake, ScanOptions};
use stowage_jobs::Carrier;
use stowage_model::storage::{Bucket, Secret};
use stowage_model::{
    Cause, Clock, FileId, FileName, Ids, Initiator, Metadata, Project, PublicUrls, Settings, StorageId,
    StorageSettings, Tags, Timestamp,
};
use stowage_store::Durability;
use stowage_store::blobs::{self, Blobs};
use stowage_store::records::{self, CopyEnd, CopyId, CopyRequest, CopyTask, CopyUpload, Declared, Records};
use stowage_store::testing::services::S3Server;
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const START: Timestamp = Timestamp(1_704_164_645_000_000);
const MINUTE: Duration = Duration::from_secs(60);
/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:1";

struct House {
    folder: TempDir,
    s3: S3Server,
    records: Records,
    intake: Intake,
    tools: CopyTools,
    clock: Clock,
    ids: Ids,
    project: Arc<Project>,
}

fn options() -> stowage_copy::Options {
    stowage_copy::Options {
        concurrency: 4,
        schedule: vec![MINUTE, 5 * MINUTE],
        give_up_after: 10 * MINUTE,
        parts: 4,
        sync_timeout: MINUTE,
        lease: MINUTE,
        timeout: 60 * MINUTE,
        allow_large: true,
    }
}

fn delivery_options() -> stowage_delivery::Options {
    stowage_delivery::Options {
        memory_cache: 1 << 20,
        max_age: MINUTE,
        variant_folder: PathBuf::new(),
        variant_cache: 64 << 20,
        variant_memory: 1 << 20,
        render_threads: 1,
        render_memory: 256 << 20,
        render_queue: 10,
        render_timeout: 2 * MINUTE,
        archive_size: 1 << 30,
        ffmpeg: String::new(),
        video_timeout: MINUTE,
    }
}

impl House {
    /// Waits until the storage `good` has all these files, and no copies left to make.
    async fn until_served(&self, good: StorageId, files: &[FileId]) {
        for file in files {
            until("the good storage has it", || async { self.object("good", &file.to_string()).is_some() }).await;
        }
        until("it has no copies left", || async { self.counts(good).await == (0, 0) }).await;
    }

    /// None where there is no S3 server.
    async fn open() -> Option<Self> {
        let s3 = S3Server::own()?;
        let folder = tempfile::tempdir().unwrap();
        let (clock, ids) = (Clock::manual(START), Ids::random());
        let database = records::Options::default();
        let records = Records::open(&database, folder.path(), Durability::Relaxed, clock.clone()).await.unwrap();
        let store = blobs::Options { reserve: 0, ..blobs::Options::default() };
        let blobs = Blobs::open(&store, folder.path(), Durability::Relaxed).await.unwrap();
        let delivery = Delivery::open(&delivery_options(), blobs.clone(), folder.path(), 0).await.unwrap();
        let scan = ScanOptions { concurrency: 1, timeout: MINUTE, ..ScanOptions::default() };
        let intake = Intake::new(records.clone(), blobs.clone(), clock.clone(), ids.clone(), scan);
        let declared =
            Declared { public_key: "p".parse().unwrap(), secret_keys: vec!["s".into()], settings: Settings::default() };
        let id = records.create_project(&declared, START).await.unwrap();
        let project = records.project(id).await.unwrap().unwrap();
        let tools = CopyTools { records: records.clone(), blobs, delivery, clock: clock.clone(), ids: ids.clone() };
        Some(Self { folder, s3, records, intake, tools, clock, ids, project })
    }

    fn settings(&self, bucket: &str, endpoint: &str) -> StorageSettings {
        StorageSettings {
            pattern: "${uuid}".to_owned().try_into().unwrap(),
            endpoint_url: endpoint.to_owned(),
            access_key_id: self.s3.key.clone(),
            secret_access_key: Secret::new(self.s3.secret.clone()),
            ..StorageSettings::new(Bucket::try_from(bucket.to_owned()).unwrap())
        }
    }

    /// A storage of the name of its bucket, which is made.
    async fn storage(&self, bucket: &str, endpoint: &str) -> StorageId {
        std::fs::create_dir_all(self.s3.folder().unwrap().join(bucket)).unwrap();
        let (name, settings) = (bucket.parse().unwrap(), self.settings(bucket, endpoint));
        self.records.create_storage(self.project.id, &name, &settings, self.clock.now()).await.unwrap()
    }

    async fn good_storage(&self, bucket: &str) -> StorageId {
        self.storage(bucket, &self.s3.endpoint).await
    }

    async fn upload(&self, bytes: Vec<u8>) -> FileId {
        let mut incoming = self.intake.begin();
        incoming.write(Bytes::from(bytes)).await.unwrap();
        let received = self.intake.finish(incoming).await.unwrap();
        let description = Description {
            id: None,
            name: FileName::new("x.bin"),
            declared_type: None,
            stored: true,
            metadata: Metadata::default(),
            tags: Tags::default(),
            source: None,
        };
        self.intake.accept(&self.project, vec![(received, description)], cause()).await.unwrap()[0]
    }

    fn copies(&self, options: stowage_copy::Options) -> Copies {
        Copies::new(self.tools.clone(), options)
    }

    fn carrier(&self) -> Carrier {
        Carrier::new(self.copies(options()), MINUTE)
    }

    fn object(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        std::fs::read(self.s3.folder().unwrap().join(bucket).join(key)).ok()
    }

    fn is_empty(&self, bucket: &str) -> bool {
        std::fs::read_dir(self.s3.folder().unwrap().join(bucket)).unwrap().next().is_none()
    }

    /// How many copies wait and have failed.
    async fn counts(&self, storage: StorageId) -> (u64, u64) {
        let counts = self.records.copy_counts().await.unwrap();
        counts.into_iter().find(|(id, _)| *id == storage).map_or((0, 0), |(_, counts)| (counts.waiting, counts.failed))
    }
}

fn cause() -> Cause {
    let url = || "http://localhost".to_owned();
    Cause { initiator: Initiator::System, urls: PublicUrls { upload: url(), rest: url(), cdn: url() } }
}

/// The URL of a server that takes everything and never answers.
async fn black_hole() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            kept.push(stream);
        }
    });
    url
}

/// The URL of what passes everything on to `address`, until it is told to fall silent.
async fn faltering(address: String, silence: CancellationToken) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (address, silence) = (address.clone(), silence.clone());
            tokio::spawn(async move {
                let mut far = TcpStream::connect(address).await.unwrap();
                if silence.run_until_cancelled(copy_bidirectional(&mut near, &mut far)).await.is_none() {
                    // Open, and nothing comes.
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    url
}

/// Waits until `condition` holds; a minute is more than anything here needs.
async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    for _ in 0..1200 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited in vain until {what}");
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let pixels: Vec<u8> = (0..width * height * 3).map(|at| u8::try_from(at % 251).unwrap()).collect();
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    bytes
}

#[tokio::test]
async fn copies_are_tried_on_schedule_and_parked_and_tried_again() {
    let Some(house) = House::open().await else { return };
    let storage = house.storage("bucket", NOBODY).await;
    let file = house.upload(b"content".to_vec()).await;
    let carrier = house.carrier();
    // Attempts at 0, 1 and 6 minutes; the next one would be too late.
    let mut attempts = Vec::new();
    for minute in 0..12 {
        if carrier.drain().await.unwrap() > 0 {
            attempts.push(minute);
        }
        house.clock.advance(MINUTE);
    }
    assert_eq!(attempts, [0, 1, 6]);
    assert_eq!(house.counts(storage).await, (0, 1));
    let failed = house.records.failed_copies(storage, CopyId(0), 10).await.unwrap();
    assert_eq!((failed.len(), failed[0].file, failed[0].attempts), (1, file, 3));
    assert!(!failed[0].error.is_empty());

    let settings = house.settings("bucket", &house.s3.endpoint);
    house.records.update_storage(storage, &settings).await.unwrap();
    assert_eq!(house.records.retry_copies(storage, house.clock.now()).await.unwrap(), 1);
    assert_eq!(carrier.drain().await.unwrap(), 1);
    assert_eq!(house.object("bucket", &file.to_string()), Some(b"content".to_vec()));
    assert_eq!(house.counts(storage).await, (0, 0));
}

#[tokio::test]
async fn what_is_gone_is_not_copied() {
    let Some(house) = House::open().await else { return };
    let storage = house.good_storage("bucket").await;
    let file = house.upload(b"content".to_vec()).await;
    house.records.remove_files(house.project.id, &[file], &cause(), house.clock.now()).await.unwrap();
    assert_eq!(house.carrier().drain().await.unwrap(), 1);
    assert_eq!(house.counts(storage).await, (0, 0));
    house.upload(b"more".to_vec()).await;
    house.records.remove_storage(storage).await.unwrap();
    assert_eq!(house.carrier().drain().await.unwrap(), 0);
    assert!(house.is_empty("bucket"));
}

#[tokio::test]
async fn a_lost_lease_stops_a_copy() {
    let Some(house) = House::open().await else { return };
    let storage = house.storage("bucket", &black_hole().await).await;
    let file = house.upload(b"content".to_vec()).await;
    let options = stowage_copy::Options { lease: Duration::from_millis(600), ..options() };
    let (copies, lease) = (house.copies(options.clone()), options.lease);
    let task = CopyTask { file, storage, request: None };
    let now = house.clock.now();
    let mut claim = house.records.begin_copy(&task, now.plus(lease), house.ids.uuid(), now).await.unwrap();
    let stale = claim.clone();
    let mine = copies.clone();
    let running = tokio::spawn(async move { mine.run(&mut claim).await });
    // Renewed again and again, it stays ours until the clock is too fast for that.
    let mut taken = Vec::new();
    while taken.is_empty() {
        house.clock.advance(10 * MINUTE);
        let holder = house.ids.uuid();
        taken = house.records.claim_copies(&[(storage, 1)], house.clock.now(), lease, holder).await.unwrap();
    }
    assert_eq!((taken[0].id, taken[0].attempt), (stale.id, 2));
    assert_eq!(running.await.unwrap(), Err(CopyError::Lost));
    let done = [(stale.id, stale.lease, CopyEnd::Done)];
    house.records.end_copies(&done, house.clock.now()).await.unwrap();
    assert_eq!(house.counts(storage).await, (1, 0), "what is not ours is not ours to end");
}

#[tokio::test]
async fn left_over_requests_are_rendered() {
    let Some(house) = House::open().await else { return };
    let storage = house.good_storage("bucket").await;
    let file = house.upload(png(40, 20)).await;
    let request = |operations: &str, key: &str| {
        let request = CopyRequest { operations: operations.to_owned(), key: key.to_owned(), make_public: false };
        CopyTask { file, storage, request: Some(request) }
    };
    let now = house.clock.now();
    for (operations, key) in [("resize/10x/", "small.png"), ("", "same"), ("text/1/2/3", "nonsense")] {
        house.records.begin_copy(&request(operations, key), now, house.ids.uuid(), now).await.unwrap();
    }
    house.carrier().drain().await.unwrap();
    let small = house.object("bucket", "small.png").expect("it was made");
    assert_eq!((&small[1..4], &small[16..24]), (&b"PNG"[..], &[0, 0, 0, 10, 0, 0, 0, 5][..]));
    assert_eq!(house.object("bucket", "same"), Some(png(40, 20)));
    assert_eq!(house.object("bucket", &file.to_string()), Some(png(40, 20)), "and the automatic copy");
    assert_eq!(house.object("bucket", "nonsense"), None);
    assert_eq!(house.counts(storage).await, (0, 1), "what can never be made is not tried again");
}

#[tokio::test]
async fn what_was_given_up_is_aborted() {
    let Some(house) = House::open().await else { return };
    let storage = house.good_storage("bucket").await;
    let file = house.upload(b"content".to_vec()).await;
    let task = CopyTask { file, storage, request: None };
    let now = house.clock.now();
    let claim = house.records.begin_copy(&task, now.plus(MINUTE), house.ids.uuid(), now).await.unwrap();
    let upload = CopyUpload {
        key: "x".to_owned(),
        upload_id: house.ids.uuid().to_string(),
        part_size: 16 << 20,
        bucket: String::new(),
        endpoint: String::new(),
    };
    assert!(house.records.note_copy_upload(claim.id, claim.lease, Some(&upload)).await.unwrap());
    let failed = CopyEnd::Failed { error: "the first error".to_owned() };
    house.records.end_copies(&[(claim.id, claim.lease, failed)], now).await.unwrap();
    house.carrier().drain().await.unwrap();
    assert_eq!(house.records.due_storages(now.plus(60 * MINUTE), StorageId(0), 9).await.unwrap(), []);
    let failed = house.records.failed_copies(storage, CopyId(0), 10).await.unwrap();
    assert_eq!((failed.len(), failed[0].error.as_str()), (1, "the first error"));
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_storages_leave_room_and_a_stop_gives_back() {
    let Some(house) = House::open().await else { return };
    let mut dead = Vec::new();
    for bucket in ["dead1", "dead2", "dead3"] {
        dead.push(house.storage(bucket, &black_hole().await).await);
    }
    let good = house.good_storage("good").await;
    let stop = CancellationToken::new();
    let working = tokio::spawn(house.carrier().work(stop.clone(), Duration::ZERO));
    let mut files = Vec::new();
    for seed in 0..50_u64 {
        files.push(house.upload(stowage_store::testing::bytes(seed, 100)).await);
    }
    house.until_served(good, &files).await;
    stop.cancel();
    working.await.unwrap();
    let now = house.clock.now();
    let everything: Vec<(StorageId, u32)> = dead.iter().map(|storage| (*storage, 100)).collect();
    let back = house.records.claim_copies(&everything, now, MINUTE, house.ids.uuid()).await.unwrap();
    assert_eq!(back.len(), dead.len() * files.len());
    assert!(back.iter().all(|claim| claim.attempt == 1), "what was given back was not tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn storages_that_fall_silent_leave_room() {
    let Some(house) = House::open().await else { return };
    let silence = CancellationToken::new();
    let mut silent = Vec::new();
    for bucket in ["silent1", "silent2"] {
        let address = house.s3.endpoint.trim_start_matches("http://").to_owned();
        silent.push(house.storage(bucket, &faltering(address, silence.clone()).await).await);
    }
    let carrier = house.carrier().with_patience(Duration::from_secs(1));
    let stop = CancellationToken::new();
    let working = tokio::spawn(carrier.work(stop.clone(), Duration::ZERO));
    let first = house.upload(b"first".to_vec()).await.to_string();
    until("both have proved themselves", || async {
        let mut left = 0;
        for storage in &silent {
            left += house.counts(*storage).await.0;
        }
        left == 0 && house.object("silent1", &first).is_some() && house.object("silent2", &first).is_some()
    })
    .await;
    silence.cancel();
    // More than the carrier claims.
    for seed in 0..40_u64 {
        house.upload(stowage_store::testing::bytes(seed, 100)).await;
    }
    let good = house.good_storage("good").await;
    let mut files = Vec::new();
    for seed in 50..60_u64 {
        files.push(house.upload(stowage_store::testing::bytes(seed, 100)).await);
    }
    house.until_served(good, &files).await;
    stop.cancel();
    working.await.unwrap();
    for storage in silent {
        assert_eq!(house.counts(storage).await, (50, 0), "nothing of it has ended");
    }
}

#[tokio::test]
async fn one_storage_alone_can_be_served() {
    let Some(house) = House::open().await else { return };
    let (one, other) = (house.good_storage("one").await, house.good_storage("other").await);
    let file = house.upload(b"content".to_vec()).await;
    assert_eq!(house.carrier().only(one).drain().await.unwrap(), 1);
    assert!(house.object("one", &file.to_string()).is_some());
    assert_eq!((house.counts(one).await, house.counts(other).await), ((0, 0), (1, 0)));
    assert_eq!(house.carrier().drain().await.unwrap(), 1);
    assert!(house.object("other", &file.to_string()).is_some());
    // Once more, as a back-fill or another node would do it: the object is there, and that is all.
    let task = CopyTask {
        file,
        storage: one,
        request: Some(CopyRequest { operations: String::new(), key: file.to_string(), make_public: false }),
    };
    let now = house.clock.now();
    let mut claim = house.records.begin_copy(&task, now.plus(MINUTE), house.ids.uuid(), now).await.unwrap();
    assert_eq!(house.copies(options()).run(&mut claim).await, Ok(Ran::Existed));
}

#[tokio::test]
async fn one_storage_alone_is_served_however_much_happens() {
    let Some(house) = House::open().await else { return };
    let storage = house.good_storage("bucket").await;
    let file = house.upload(b"content".to_vec()).await;
    let carrier = house.carrier().only(storage);
    let uploading = async {
        loop {
            house.upload(b"more".to_vec()).await;
        }
    };
    tokio::select! {
        ended = tokio::time::timeout(MINUTE, carrier.drain()) => assert!(ended.expect("it ends").unwrap() > 0),
        never = uploading => never,
    }
    assert!(house.object("bucket", &file.to_string()).is_some());
}

#[tokio::test]
async fn our_own_failures_are_not_those_of_the_storage() {
    let Some(house) = House::open().await else { return };
    let storage = house.good_storage("bucket").await;
    // So many that they have a file of their own.
    let content = stowage_store::testing::bytes(1, 100_000);
    let file = house.upload(content.clone()).await;
    let blob = find(house.folder.path(), &content).expect("the bytes are there");
    let aside = house.folder.path().join("aside");
    std::fs::rename(&blob, &aside).unwrap();
    std::fs::create_dir(&blob).unwrap();
    let (task, now) = (CopyTask { file, storage, request: None }, house.clock.now());
    let mut claim = house.records.begin_copy(&task, now, house.ids.uuid(), now).await.unwrap();
    let ran = house.copies(options()).run(&mut claim).await;
    assert!(matches!(ran, Err(CopyError::Ours { .. })), "{ran:?}");
    assert_eq!(house.carrier().drain().await.unwrap(), 1);
    assert_eq!(house.counts(storage).await, (1, 0), "it is tried again");
    std::fs::remove_dir(&blob).unwrap();
    std::fs::rename(&aside, &blob).unwrap();
    house.clock.advance(10 * MINUTE);
    assert_eq!(house.carrier().drain().await.unwrap(), 1);
    assert_eq!(house.object("bucket", &file.to_string()), Some(content));
}

/// The file below `folder` that holds `content`.
fn find(folder: &Path, content: &[u8]) -> Option<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).find_map(|path| {
        if path.is_dir() {
            return find(&path, content);
        }
        std::fs::read(&path).is_ok_and(|bytes| bytes == content).then_some(path)
    })
}
