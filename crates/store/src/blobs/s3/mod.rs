//! Blobs in a bucket. Drafts wait in a local folder, so that a refused upload never touches the bucket.
//! What is public here serves the room that copies files to other people's buckets.

mod blocks;
mod connect;
mod copy;
mod download;
mod parts;
mod upload;
mod wipe;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Builder, Config, StalledStreamProtectionConfig};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::DateTime;
use uuid::Uuid;

use super::key::{Key, name};
use super::options::{Bucket, OpenError, Options, PartUrls};
use super::spool::{Spool, blocking};
use super::{BlobError, Cursor, Inventory, Stored};
pub(super) use blocks::Blocks;
pub use connect::{Reach, client, http};
pub use copy::copy_source;
pub(super) use parts::PartTarget;
pub use upload::{body, part_ranges};

/// How long the probe of [`S3::ready`] may take.
const READY_WITHIN: Duration = Duration::from_secs(5);

/// How long a server may work before it begins to answer, where it copies bytes that it has.
const COPY_WITHIN: Duration = Duration::from_mins(10);

/// How long such an answer may take altogether: one that breaks off in silence ends by nothing else.
const COPIED_WITHIN: Duration = Duration::from_hours(1);

/// How many keys a page of the inventory has at most.
const PAGE: i32 = 1000;

/// Where a blob lies in S3, for those who let S3 copy it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct S3Place<'b> {
    /// The address of the service; none means AWS.
    pub endpoint: Option<&'b str>,
    /// The bucket.
    pub bucket: &'b str,
    /// The key of the object.
    pub object: String,
}

/// The store.
pub(super) struct S3 {
    client: Client,
    bucket: String,
    prefix: String,
    endpoint: Option<String>,
    spool: Arc<Spool>,
    /// Makes URLs for parts; none where they come through our own door.
    presigner: Option<Client>,
}

impl S3 {
    /// Opens the store, and makes the bucket when it is missing.
    pub(super) async fn open(bucket: Bucket, options: &Options, data_dir: &Path) -> Result<Self, OpenError> {
        let folder = data_dir.join("spool");
        let reserve = options.reserve;
        let spool = blocking(move || Ok(Spool::open(folder, reserve)?)).await.map_err(|error| {
            OpenError::new(format!("data_dir: the folder for unfinished uploads cannot be used: {error}"))
        })?;
        let client = connect::own_client(&bucket, options).await?;
        let custom = bucket.endpoint.is_some();
        let presigner = match options.part_urls {
            PartUrls::Presigned => Some(connect::presigner(&client, &bucket, options)),
            PartUrls::Own => None,
        };
        let store =
            Self { client, bucket: bucket.name, prefix: bucket.prefix, endpoint: bucket.endpoint, spool, presigner };
        store.find_bucket(bucket.region.as_deref()).await?;
        store.check_presigning().await?;
        if custom {
            store.check_honesty().await?;
        }
        Ok(store)
    }

    pub(super) fn spool(&self) -> &Arc<Spool> {
        &self.spool
    }

    fn object(&self, id: Uuid) -> String {
        format!("{}{}", self.prefix, id.simple())
    }

    /// Where a blob lies.
    pub(super) fn place(&self, id: Uuid) -> S3Place<'_> {
        S3Place { endpoint: self.endpoint.as_deref(), bucket: &self.bucket, object: self.object(id) }
    }

    /// The id of an object that this store may have written.
    fn ours(&self, object: &str) -> Option<Uuid> {
        object.strip_prefix(&self.prefix).and_then(name)
    }

    /// Deletes a blob.
    pub(super) async fn delete(&self, id: Uuid) -> Result<(), BlobError> {
        self.delete_object(&self.object(id)).await
    }

    /// Fails where the bucket does not answer soon.
    pub(super) async fn ready(&self) -> Result<(), BlobError> {
        let timeouts = TimeoutConfig::builder().operation_timeout(READY_WITHIN).build();
        let hurry = Config::builder().timeout_config(timeouts);
        let head = self.client.head_bucket().bucket(&self.bucket).customize().config_override(hurry).send().await;
        head.map(drop).map_err(|error| tell("asking for the bucket", &error))
    }

    /// A page of the bucket; whatever has a name that is not ours is passed over.
    pub(super) async fn inventory(&self, after: Option<&Cursor>, grace: Duration) -> Result<Inventory, BlobError> {
        let listing = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(&self.prefix)
            .max_keys(PAGE)
            .set_start_after(after.map(|cursor| cursor.0.clone()))
            .send()
            .await
            .map_err(|error| tell("listing", &error))?;
        let mut page = Inventory::default();
        for object in listing.contents() {
            let Some(id) = object.key().and_then(|key| self.ours(key)) else { continue };
            if object.last_modified().is_some_and(|written| age(written) >= grace) {
                let size = object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
                page.items.push(Stored::Blob { key: Key::Loose(id).text(), size });
            }
        }
        if listing.is_truncated() == Some(true) {
            page.next = listing.contents().last().and_then(|object| object.key()).map(|key| Cursor(key.to_owned()));
        }
        Ok(page)
    }
}

/// For requests that a server may work on for long. Some say now and then that they are not done yet, but slowly.
pub fn patient() -> Builder {
    let timeouts = TimeoutConfig::builder().read_timeout(COPY_WITHIN).operation_attempt_timeout(COPIED_WITHIN).build();
    Config::builder().timeout_config(timeouts).stalled_stream_protection(StalledStreamProtectionConfig::disabled())
}

/// How long ago a moment was, by the machine's clock.
fn age(moment: &DateTime) -> Duration {
    let now = stowage_model::clock::machine_now().micros();
    let then = i64::try_from(moment.as_nanos() / 1000).unwrap_or(i64::MAX);
    Duration::from_micros(u64::try_from(now.saturating_sub(then)).unwrap_or(0))
}

/// An error of the client.
pub type Failure<E> = SdkError<E, aws_sdk_s3::config::http::HttpResponse>;

/// Whether the server says that there is no such thing.
fn is_missing<E: ProvideErrorMetadata>(error: &Failure<E>) -> bool {
    matches!(error.code(), Some("NoSuchKey" | "NotFound" | "NoSuchUpload"))
        || error.raw_response().is_some_and(|response| response.status().as_u16() == 404 && error.code().is_none())
}

/// What went wrong, without headers and bodies: those may carry keys.
fn tell<E>(doing: &str, error: &Failure<E>) -> BlobError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let Some(response) = error.raw_response() else {
        return BlobError::S3(format!("{doing} failed: {}", causes(error)));
    };
    let mut parts = vec![format!("{doing} failed: status {}", response.status().as_u16())];
    parts.extend([error.code(), error.message()].into_iter().flatten().map(str::to_owned));
    parts.extend(response.headers().get("x-amz-request-id").map(|id| format!("request {id}")));
    BlobError::S3(parts.join(", "))
}

/// An error and what caused it, in one line.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

fn into_io(error: BlobError) -> io::Error {
    match error {
        BlobError::Io(error) => error,
        other => io::Error::other(other),
    }
}
