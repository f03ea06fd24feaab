//! Copying objects inside the bucket: S3 has the bytes already.

use std::ops::Range;
use std::sync::Arc;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{CompletedPart, CopyPartResult};
use futures_util::{StreamExt, TryStreamExt, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

use super::super::BlobError;
use super::upload::part_ranges;
use super::{Failure, S3, is_missing, patient, tell};

/// S3 copies objects up to this many bytes in one request.
const ONE_REQUEST: u64 = 5 << 30;

/// Bytes of one part of a larger object. S3 would take five times that, but works on the parts side by side.
const PART: u64 = 1 << 30;

/// How many parts are copied at the same time.
const AT_ONCE: usize = 4;

/// What the name of a source is written in: it goes into a header, which nobody encodes for us.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The source of a copy, as a header names it.
pub fn copy_source(bucket: &str, object: &str) -> String {
    utf8_percent_encode(&format!("{bucket}/{object}"), ENCODED).to_string()
}

impl S3 {
    /// Makes a second object of the `size` bytes of another.
    pub(in super::super) async fn copy(s3: &Arc<Self>, id: Uuid, size: u64) -> Result<Uuid, BlobError> {
        Self::copy_by(s3, id, size, ONE_REQUEST, PART).await
    }

    /// The same, with what is larger than `at_once` bytes in parts of `part` bytes.
    async fn copy_by(s3: &Arc<Self>, id: Uuid, size: u64, at_once: u64, part: u64) -> Result<Uuid, BlobError> {
        let copier = Arc::clone(s3);
        let source = copy_source(&s3.bucket, &s3.object(id));
        S3::write(s3, async move |object| {
            if size <= at_once {
                copier.copy_whole(source, &object).await
            } else {
                copier.copy_in_parts(&source, &object, part_ranges(size, part)).await
            }
        })
        .await
    }

    async fn copy_whole(&self, source: String, object: &str) -> Result<(), BlobError> {
        let copy = self.client.copy_object().copy_source(source).bucket(&self.bucket).key(object);
        let copied = copy.customize().config_override(patient()).send().await;
        copied.map(drop).map_err(|error| refused(&error))
    }

    async fn copy_in_parts(
        &self,
        source: &str,
        object: &str,
        ranges: impl Iterator<Item = Range<u64>>,
    ) -> Result<(), BlobError> {
        let upload = self.begin_upload(object).await?;
        let parts = stream::iter(ranges.zip(1..)).map(async |(range, number)| {
            let request = self
                .client
                .upload_part_copy()
                .copy_source(source)
                .copy_source_range(format!("bytes={}-{}", range.start, range.end - 1))
                .bucket(&self.bucket)
                .key(object)
                .upload_id(&upload)
                .part_number(number)
                .customize()
                .config_override(patient());
            let copied = request.send().await.map_err(|error| refused(&error))?;
            let part = copied
                .copy_part_result
                .ok_or_else(|| BlobError::S3("copying a part failed: the server did not say what it made".into()))?;
            Ok(completed(number, part))
        });
        let parts = parts.buffer_unordered(AT_ONCE).try_collect().await;
        self.end_upload(object, &upload, parts).await
    }
}

/// Why something was not copied.
fn refused<E>(error: &Failure<E>) -> BlobError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    // An upload that is missing is ours, not the source.
    if is_missing(error) && error.code() != Some("NoSuchUpload") {
        return BlobError::NotFound;
    }
    tell("copying", error)
}

fn completed(number: i32, copied: CopyPartResult) -> CompletedPart {
    CompletedPart::builder()
        .part_number(number)
        .set_e_tag(copied.e_tag)
        .set_checksum_crc32(copied.checksum_crc32)
        .set_checksum_crc32_c(copied.checksum_crc32_c)
        .set_checksum_crc64_nvme(copied.checksum_crc64_nvme)
        .build()
}

#[cfg(test)]
mod tests {
    use super::super::super::Engine;
    use stowage_model::{BlobKey, Ids};

    use super::super::super::key::Key;
    use super::*;
    use crate::Durability;
    use crate::blobs::conformance::{content, get, put};
    use crate::blobs::{Blobs, Checksums, Options};
    use crate::testing::services::S3Server;

    /// What only objects larger than five gigabytes see otherwise.
    #[tokio::test]
    async fn a_real_server_copies_in_parts() {
        let Some(server) = S3Server::find() else { return };
        for checksums in [Checksums::Auto, Checksums::Always] {
            let bucket = format!("test-{}", Ids::random().uuid().simple());
            let options = Options { checksums, ..server.options(&format!("{bucket}/a b/ü+c")) };
            let folder = tempfile::tempdir().unwrap();
            let blobs = Blobs::open(&options, folder.path(), Durability::Full).await.unwrap();
            let Engine::S3(s3) = &blobs.engine else { panic!("a bucket") };
            let copy = async |key: BlobKey, len: usize| match Key::parse(&key) {
                Some(Key::Loose(id)) => S3::copy_by(s3, id, len as u64, 100, 5 << 20).await,
                _ => panic!("an object"),
            };
            for len in [100, 101, 5 << 20, (10 << 20) + 17] {
                let bytes = content(1, len);
                let key = put(&blobs, &bytes, 1 << 20).await;
                let copied = Key::Loose(copy(key.clone(), len).await.unwrap()).text();
                blobs.delete(&key).await.unwrap();
                assert!(get(&blobs, &copied, 0, len).await.unwrap() == bytes, "{len}");
                blobs.delete(&copied).await.unwrap();
                assert!(matches!(copy(key, len).await, Err(BlobError::NotFound)), "{len}");
            }
            assert_eq!(blobs.unfinished_parts(std::time::Duration::ZERO).await.unwrap(), []);
        }
    }
}
