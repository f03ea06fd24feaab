//! Our side of `bench/copy`: copies one blob to a bucket and prints the seconds that took; beside it a bare `CopyObject`.
//!
//!     send BLOBS BLOB SIZE ENDPOINT KEY SECRET BUCKET NAME
//!     send copy-object SOURCE ENDPOINT KEY SECRET BUCKET NAME
#![expect(clippy::print_stdout, reason = "an example that prints what it measured")]

use std::path::Path;
use std::time::{Duration, Instant};

use stowage_copy::{CopyError, Ledger, Options, Order, Source, Targets};
use stowage_model::storage::Secret;
use stowage_model::{BlobKey, Checksums, ProjectId, Storage, StorageId, StorageSettings, Timestamp};
use stowage_store::Durability;
use stowage_store::blobs::s3::{self, Reach};
use stowage_store::blobs::{Blobs, Options as BlobOptions};
use stowage_store::records::CopyUpload;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Nobody takes this copy up again.
struct Unwritten;

impl Ledger for Unwritten {
    async fn note(&self, _: Option<&CopyUpload>) -> Result<bool, CopyError> {
        Ok(true)
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let took = match *arguments.as_slice() {
        ["copy-object", source, endpoint, key, secret, bucket, name] => {
            Box::pin(copy_object(source, endpoint, (key, secret), bucket, name)).await?
        }
        [blobs, blob, size, endpoint, key, secret, bucket, name] => {
            let blobs = BlobOptions {
                url: blobs.to_owned(),
                access_key_id: key.to_owned(),
                secret_access_key: secret.to_owned(),
                ..BlobOptions::default()
            };
            let mut settings = StorageSettings::new(bucket.to_owned().try_into()?);
            endpoint.clone_into(&mut settings.endpoint_url);
            key.clone_into(&mut settings.access_key_id);
            settings.secret_access_key = Secret::new(secret);
            let source = Source::Blob { key: BlobKey(blob.to_owned()), size: size.parse()? };
            Box::pin(copy(&blobs, source, settings, name)).await?
        }
        _ => return Err("send BLOBS BLOB SIZE ENDPOINT KEY SECRET BUCKET NAME".into()),
    };
    println!("{:.3}", took.as_secs_f64());
    Ok(())
}

async fn copy(blobs: &BlobOptions, source: Source, settings: StorageSettings, name: &str) -> Result<Duration, Failure> {
    let folder = tempfile::tempdir()?;
    let blobs = Blobs::open(blobs, Path::new(folder.path()), Durability::Relaxed).await?;
    let options = Options {
        concurrency: 32,
        parts: 16,
        schedule: Vec::new(),
        give_up_after: Duration::ZERO,
        sync_timeout: Duration::from_mins(5),
        lease: Duration::from_mins(1),
        timeout: Duration::from_mins(5),
        allow_large: true,
    };
    let storage = Storage {
        id: StorageId(1),
        project: ProjectId(1),
        name: "bench".parse()?,
        from_config: false,
        created_at: Timestamp(0),
        settings,
    };
    let target = Targets::new(options).get(&storage);
    let order = Order { source, key: name, media_type: "application/octet-stream", make_public: false, resume: None };
    let began = Instant::now();
    target.copy(&blobs, order, &Unwritten).await?;
    Ok(began.elapsed())
}

async fn copy_object(
    source: &str,
    endpoint: &str,
    keys: (&str, &str),
    bucket: &str,
    name: &str,
) -> Result<Duration, Failure> {
    let reach = Reach {
        http: s3::http(),
        endpoint: Some(endpoint),
        region: None,
        path_style: None,
        keys: Some(keys),
        role: None,
        checksums: Checksums::WhenRequired,
    };
    let client = s3::client(&reach).await;
    let began = Instant::now();
    let copy = client.copy_object().copy_source(source).bucket(bucket).key(name);
    copy.customize().config_override(s3::patient()).send().await?;
    Ok(began.elapsed())
}
