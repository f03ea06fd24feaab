//! Emptying a store, for tests that want to begin anew.

use std::fs;
use std::io;
use std::path::Path;

use super::options::{Bucket, OpenError, Options, Place};
use super::spool::blocking;
use super::{BlobError, Blobs, Disk, Engine, S3};

impl Blobs {
    /// Removes every blob, also those that are being written, and whatever has arrived of others in parts. What is not this store's
    /// stays. On disk this takes a moment, however much there is; the space becomes free a little later.
    pub async fn wipe(&self) -> Result<(), BlobError> {
        // Turns end by themselves.
        let Self { engine, turns: _ } = self;
        match engine {
            Engine::Disk(disk) => Disk::wipe(disk).await,
            Engine::S3(s3) => s3.wipe(false).await,
        }
    }

    /// Removes a store that nobody uses any more: everything below the branch that the options name, whoever has put it there.
    pub async fn destroy(options: &Options, data_dir: &Path) -> Result<(), OpenError> {
        if options.branch.is_empty() {
            return Err(OpenError::new("only a branch of blobs.url can be removed"));
        }
        let removed = match options.place(data_dir)? {
            Place::Disk(folder) => remove(folder).await,
            Place::S3(bucket) => return destroy_s3(bucket, options, data_dir).await,
        };
        removed.map_err(|error| OpenError::new(format!("blobs.url: a branch cannot be removed: {error}")))
    }
}

async fn remove(folder: std::path::PathBuf) -> Result<(), BlobError> {
    blocking(move || match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => Ok(other?),
    })
    .await
}

async fn destroy_s3(bucket: Bucket, options: &Options, data_dir: &Path) -> Result<(), OpenError> {
    let s3 = S3::open(bucket, options, data_dir).await?;
    s3.wipe(true).await.map_err(|error| OpenError::new(format!("blobs.url: a branch cannot be removed: {error}")))
}
