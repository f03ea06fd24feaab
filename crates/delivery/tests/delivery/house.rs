//! What the tests stand on: a blob store in a temporary folder, files in it, and a delivery.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use stowage_codecs::{Bitmap, Extras, Layout};
use stowage_delivery::{Accept, Body, Delivery, Look, Options, Variant, VariantError, VariantRequest};
use stowage_image::operations::Operations;
use stowage_model::{
    BlobKey, ContentInfo, File, FileName, Ids, ImageInfo, Metadata, MimeInfo, NewFile, ProjectId, Tags, Timestamp,
};
use stowage_store::Durability;
use stowage_store::blobs::conformance::put;
use stowage_store::blobs::{self, Blobs};

pub(crate) const START: Timestamp = Timestamp(1_704_164_645_000_000);

pub(crate) struct House {
    pub(crate) folder: PathBuf,
    pub(crate) blobs: Blobs,
    pub(crate) options: Options,
    pub(crate) delivery: Delivery,
}

pub(crate) fn options() -> Options {
    Options {
        memory_cache: 1 << 20,
        max_age: Duration::from_secs(60),
        variant_folder: PathBuf::new(),
        variant_cache: 64 << 20,
        variant_memory: 1 << 20,
        render_threads: 2,
        render_memory: 256 << 20,
        render_queue: 200,
        render_timeout: Duration::from_secs(120),
        archive_size: 100 << 30,
        ffmpeg: String::new(),
        video_timeout: Duration::from_secs(120),
    }
}

impl House {
    pub(crate) async fn open(folder: &Path, options: Options) -> Self {
        let store = blobs::Options { reserve: 0, ..blobs::Options::default() };
        let blobs = Blobs::open(&store, folder, Durability::Relaxed).await.unwrap();
        let delivery = Delivery::open(&options, blobs.clone(), folder, 0).await.unwrap();
        Self { folder: folder.to_owned(), blobs, options, delivery }
    }

    /// The same folder after a restart.
    pub(crate) async fn again(self) -> Self {
        drop(self.delivery);
        Self::open(&self.folder, self.options).await
    }

    pub(crate) async fn file(&self, name: &str, bytes: &Bytes, image: Option<ImageInfo>) -> Arc<File> {
        let blob = put(&self.blobs, bytes, 1 << 20).await;
        let mime = if image.is_some() { "image/png" } else { "application/octet-stream" };
        Arc::new(file(name, blob, bytes.len() as u64, mime, image))
    }

    /// A PNG of this size; its colours depend on `seed`.
    pub(crate) async fn picture(&self, seed: u8, width: u32, height: u32) -> Arc<File> {
        let bytes = Bytes::from(png(seed, width, height));
        self.file("picture.png", &bytes, Some(facts("PNG", width, height))).await
    }

    pub(crate) async fn variant(&self, file: &Arc<File>, path: &str) -> Result<Variant, VariantError> {
        self.delivery.variant(request(file, &operations(path))).await
    }
}

pub(crate) fn request<'a>(file: &'a Arc<File>, operations: &'a Operations) -> VariantRequest<'a> {
    let (accept, look) = (Accept::default(), Look::default());
    VariantRequest { file, operations, written: "", overlays: Vec::new(), accept, look }
}

pub(crate) fn operations(path: &str) -> Operations {
    let pieces: Vec<&str> = path.split('/').filter(|piece| !piece.is_empty()).collect();
    Operations::parse(&pieces).unwrap()
}

pub(crate) fn file(name: &str, blob: BlobKey, size: u64, mime: &str, image: Option<ImageInfo>) -> File {
    let new = NewFile {
        id: Ids::random().file(),
        blob,
        size,
        etag: "0".repeat(32),
        name: FileName::new(name),
        mime_type: mime.to_owned(),
        is_image: image.is_some(),
        content: ContentInfo { mime: MimeInfo::new(mime), image, video: None },
        stored: true,
        metadata: Metadata::default(),
        tags: Tags::default(),
        source: None,
    };
    new.recorded(ProjectId(1), START)
}

pub(crate) fn facts(format: &str, width: u32, height: u32) -> ImageInfo {
    ImageInfo {
        color_mode: Some("RGB".to_owned()),
        orientation: None,
        format: format.to_owned(),
        width,
        height,
        sequence: false,
        geo_location: None,
        datetime_original: None,
        dpi: None,
    }
}

pub(crate) fn png(seed: u8, width: u32, height: u32) -> Vec<u8> {
    let low = |number: u32| number.to_le_bytes()[0];
    let data = (0..height).flat_map(|y| (0..width).flat_map(move |x| [seed, low(x), low(y)])).collect();
    let bitmap = Bitmap { width, height, layout: Layout::Rgb, data };
    stowage_codecs::png(&bitmap, Extras::default()).unwrap()
}

pub(crate) async fn bytes(variant: &Variant) -> Vec<u8> {
    read(variant.whole()).await
}

pub(crate) async fn read(body: Body) -> Vec<u8> {
    match body {
        Body::Memory(bytes) => bytes.to_vec(),
        Body::Stream(stream) => stream.try_collect::<Vec<Bytes>>().await.unwrap().concat(),
    }
}

/// Every file below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(items) = std::fs::read_dir(folder) else { return files };
    for item in items {
        let path = item.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}
