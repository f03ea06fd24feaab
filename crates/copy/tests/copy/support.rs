//! A place of bytes, a storage, and somebody who looks into its bucket.

use std::sync::Mutex;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::Bytes;
use stowage_copy::{CopyError, Ledger, Options, Order, Outcome, Source, Target, Targets};
use stowage_model::{BlobKey, Checksums, Ids, ProjectId, Storage, StorageId, StorageSettings, Timestamp};
use stowage_store::Durability;
use stowage_store::blobs::conformance::put;
use stowage_store::blobs::s3::{Reach, client, http};
use stowage_store::blobs::{Blobs, Options as BlobOptions};
use stowage_store::records::CopyUpload;
use stowage_store::testing::bytes;
use stowage_store::testing::services::S3Server;
use tempfile::TempDir;

pub(crate) const MIB: usize = 1 << 20;

/// What is configured, with little patience.
pub(crate) fn options() -> Options {
    Options {
        concurrency: 32,
        parts: 16,
        schedule: Vec::new(),
        give_up_after: Duration::from_hours(72),
        sync_timeout: Duration::from_mins(5),
        lease: Duration::from_mins(1),
        timeout: Duration::from_mins(5),
        allow_large: true,
    }
}

/// A bucket of a server, and blobs on disk.
pub(crate) struct Stand {
    pub(crate) endpoint: String,
    keys: (String, String),
    pub(crate) bucket: String,
    pub(crate) owner: Client,
    pub(crate) blobs: Blobs,
    folder: TempDir,
    /// Every upload that was noted.
    begun: Mutex<Vec<CopyUpload>>,
}

impl Stand {
    /// One at the server that stores; none where there is no such server.
    pub(crate) async fn new() -> Option<Self> {
        let server = S3Server::find()?;
        Some(Self::at(server.endpoint.clone(), &server.key, &server.secret).await)
    }

    /// One at the server that honours ACLs; none where there is no such server.
    pub(crate) async fn with_acls() -> Option<Self> {
        let endpoint = stowage_store::testing::named("STOWAGE_TEST_S3_ACL_ENDPOINT", "s3")?;
        Some(Self::at(endpoint, "key", "secret").await)
    }

    async fn at(endpoint: String, key: &str, secret: &str) -> Self {
        let bucket = format!("copies-{}", Ids::random().uuid().simple());
        let reach = Reach {
            http: http(),
            endpoint: Some(&endpoint),
            region: None,
            path_style: None,
            keys: Some((key, secret)),
            role: None,
            checksums: Checksums::WhenRequired,
        };
        let owner = client(&reach).await;
        owner.create_bucket().bucket(&bucket).send().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let options = BlobOptions::default();
        let blobs = Blobs::open(&options, folder.path(), Durability::Relaxed).await.unwrap();
        Self {
            keys: (key.to_owned(), secret.to_owned()),
            endpoint,
            bucket,
            owner,
            blobs,
            folder,
            begun: Mutex::default(),
        }
    }

    /// The same with blobs in a bucket of the server at `endpoint`.
    pub(crate) async fn with_blobs_at(mut self, endpoint: &str) -> Self {
        let options = BlobOptions {
            url: format!("s3://blobs-{}?endpoint={endpoint}", Ids::random().uuid().simple()),
            access_key_id: self.keys.0.clone(),
            secret_access_key: self.keys.1.clone(),
            ..BlobOptions::default()
        };
        self.blobs = Blobs::open(&options, self.folder.path(), Durability::Relaxed).await.unwrap();
        self
    }

    pub(crate) fn settings(&self) -> StorageSettings {
        let mut settings = StorageSettings::new(self.bucket.clone().try_into().unwrap());
        settings.endpoint_url.clone_from(&self.endpoint);
        settings.access_key_id.clone_from(&self.keys.0);
        settings.secret_access_key = stowage_model::storage::Secret::new(&self.keys.1);
        settings
    }

    /// Where the blobs on disk are.
    pub(crate) fn blobs_folder(&self) -> std::path::PathBuf {
        self.folder.path().join("blobs")
    }

    /// Keeps `len` bytes as a blob.
    pub(crate) async fn blob(&self, seed: u64, len: usize) -> (BlobKey, Bytes) {
        let content = Bytes::from(bytes(seed, len));
        (put(&self.blobs, &content, MIB).await, content)
    }

    pub(crate) async fn copy(&self, target: &Target, source: Source, key: &str) -> Result<Outcome, CopyError> {
        self.order(target, order(source, key), &Notes::default()).await
    }

    pub(crate) async fn order(&self, target: &Target, order: Order<'_>, notes: &Notes) -> Result<Outcome, CopyError> {
        let ended = Box::pin(target.copy(&self.blobs, order, notes)).await;
        self.begun.lock().unwrap().extend(notes.all.lock().unwrap().iter().flatten().cloned());
        ended
    }

    pub(crate) async fn get(&self, key: &str) -> Option<(GetObjectOutput, Bytes)> {
        let mut object = self.owner.get_object().bucket(&self.bucket).key(key).send().await.ok()?;
        let body = std::mem::take(&mut object.body).collect().await.unwrap().into_bytes();
        Some((object, body))
    }

    /// How many uploads in parts are under way in the bucket.
    pub(crate) async fn unfinished(&self) -> usize {
        if let Ok(list) = self.owner.list_multipart_uploads().bucket(&self.bucket).send().await {
            return list.uploads().len();
        }
        // Not every server tells that; then those are counted that have parts.
        let begun = self.begun.lock().unwrap().clone();
        let mut count = 0;
        for upload in begun {
            let list = self.owner.list_parts().bucket(&self.bucket).key(upload.key).upload_id(upload.upload_id);
            count += usize::from(list.send().await.is_ok_and(|list| !list.parts().is_empty()));
        }
        count
    }
}

/// A target for a storage that nobody has used yet.
pub(crate) fn target(settings: StorageSettings) -> std::sync::Arc<Target> {
    Targets::new(options()).get(&storage(settings))
}

pub(crate) fn storage(settings: StorageSettings) -> Storage {
    Storage {
        id: StorageId(1),
        project: ProjectId(1),
        name: "storage".parse().unwrap(),
        from_config: false,
        created_at: Timestamp(0),
        settings,
    }
}

pub(crate) fn order(source: Source, key: &str) -> Order<'_> {
    Order { source, key, media_type: "text/x-test", make_public: false, resume: None }
}

pub(crate) fn blob(key: &BlobKey, content: &[u8]) -> Source {
    Source::Blob { key: key.clone(), size: content.len() as u64 }
}

/// An upload that an earlier version of this program has begun.
pub(crate) fn upload(key: &str, upload_id: Option<String>, part_size: u64) -> CopyUpload {
    let (bucket, endpoint) = (String::new(), String::new());
    CopyUpload { key: key.to_owned(), upload_id: upload_id.unwrap(), part_size, bucket, endpoint }
}

/// A ledger that remembers everything.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) all: Mutex<Vec<Option<CopyUpload>>>,
    /// The copy belongs to somebody else.
    pub(crate) lost: bool,
}

impl Notes {
    /// What stands there at the end.
    pub(crate) fn last(&self) -> Option<CopyUpload> {
        self.all.lock().unwrap().last().cloned().flatten()
    }
}

impl Ledger for Notes {
    async fn note(&self, upload: Option<&CopyUpload>) -> Result<bool, CopyError> {
        self.all.lock().unwrap().push(upload.cloned());
        Ok(!self.lost)
    }
}

/// The code of a permanent refusal.
pub(crate) fn code(ended: Result<Outcome, CopyError>) -> String {
    match ended {
        Err(CopyError::Permanent { code, .. }) => code,
        other => format!("{other:?}"),
    }
}
