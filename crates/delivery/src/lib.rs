//! Getting bytes out: originals, straight from the blob store or, where they are small and wanted often, from memory; variants
//! of pictures and what is known about them, computed once and kept on the local disk; archives of many files; videos of
//! animated pictures. HTTP stays with the door: this room knows files and ranges, not requests.

mod admission;
mod archive;
pub mod bake;
mod crew;
mod facts;
mod flights;
mod key;
mod label;
mod machine;
mod originals;
mod picture;
mod shelf;
mod source;
mod tending;
mod variant;
mod variants;
mod video;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use stowage_model::FileId;
use stowage_model::units::{bytes, duration};
use stowage_store::blobs::Blobs;

pub use archive::{Archive, ArchiveError, ArchiveKind, Member, tar};
pub use bake::BakeError;
pub use originals::Original;
pub use picture::{Look, VariantRequest};
pub use stowage_render::Accept;
pub use variant::{Body, Variant, VariantError, VariantStream};
pub use video::VideoRequest;

/// `[delivery]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Bytes of memory for small originals that are wanted often.
    #[serde(deserialize_with = "bytes")]
    pub memory_cache: u64,
    /// For how long browsers and proxies may keep what was delivered.
    #[serde(deserialize_with = "duration")]
    pub max_age: Duration,
    /// The folder of variants; empty means `variants` in the data folder.
    pub variant_folder: PathBuf,
    /// Bytes of disk for variants; 0 keeps none.
    #[serde(deserialize_with = "bytes")]
    pub variant_cache: u64,
    /// Bytes of memory for small variants that are wanted often.
    #[serde(deserialize_with = "bytes")]
    pub variant_memory: u64,
    /// How many pictures are computed at the same time; 0 means one for each processor.
    pub render_threads: usize,
    /// Bytes of memory for all pictures that are being computed; 0 means 60 % of what there is.
    #[serde(deserialize_with = "bytes")]
    pub render_memory: u64,
    /// How many variants may wait or be computed; further ones are refused.
    pub render_queue: usize,
    /// How long a request waits for its variant.
    #[serde(deserialize_with = "duration")]
    pub render_timeout: Duration,
    /// The most bytes of files in an archive.
    #[serde(deserialize_with = "bytes")]
    pub archive_size: u64,
    /// The ffmpeg program that makes videos; empty switches them off.
    pub ffmpeg: String,
    /// How long making a video may take.
    #[serde(deserialize_with = "duration")]
    pub video_timeout: Duration,
}

/// Delivers. Cheap to clone.
#[derive(Clone)]
pub struct Delivery {
    blobs: Blobs,
    originals: Arc<originals::Originals>,
    variants: Arc<variants::Variants>,
    archive_size: u64,
    videos: Arc<video::Videos>,
}

impl Delivery {
    /// A delivery from this blob store. Takes stock of the variants that are on disk already; `reserve` bytes of disk are
    /// left free. Must be called inside the runtime.
    pub async fn open(options: &Options, blobs: Blobs, data_dir: &Path, reserve: u64) -> io::Result<Self> {
        let folder = if options.variant_folder.as_os_str().is_empty() {
            data_dir.join("variants")
        } else {
            options.variant_folder.clone()
        };
        let variants = Box::pin(variants::Variants::open(options, folder.clone(), reserve)).await?;
        Ok(Self {
            blobs,
            originals: Arc::new(originals::Originals::new(options.memory_cache)),
            variants: Arc::new(variants),
            archive_size: options.archive_size,
            videos: Arc::new(video::Videos::new(options, folder)),
        })
    }

    /// Removes everything that was made of these files, because they are gone. What is being made of them is not kept.
    /// Returns at once; the disk is tidied in the background.
    pub fn forget(&self, files: &[FileId]) {
        self.variants.forget(files);
    }

    /// Removes everything that was kept or made of any file. What is being made is not kept. Returns when nobody finds any of it;
    /// the disk is tidied in the background.
    pub async fn wipe(&self) {
        let Self { blobs: _, originals, variants, archive_size: _, videos: _ } = self;
        originals.wipe();
        variants.wipe().await;
    }

    /// The files of which something is kept on disk, in no particular order.
    pub fn kept(&self) -> Vec<FileId> {
        self.variants.kept()
    }

    /// Writes down which variants were used lately, so that a restart does not forget it. Waits for the disk.
    pub async fn note_uses(&self) {
        self.variants.note_uses().await;
    }
}
