//! Writing objects: in one request, or in parts where they are large.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use aws_sdk_s3::operation::upload_part::UploadPartOutput;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use http_body::{Body, Frame, SizeHint};
use tracing::warn;
use uuid::Uuid;

use super::super::draft::{Content, OnDisk};
use super::super::{BlobError, BlobStream};
use super::{S3, patient, tell};

/// Objects up to this many bytes are written in one request.
const ONE_REQUEST: u64 = 64 << 20;

/// Bytes of one part of a larger object.
const PART: u64 = 16 << 20;

/// S3 takes no more parts.
const MOST_PARTS: u64 = 10_000;

/// How many parts are sent at the same time.
const AT_ONCE: usize = 3;

/// The content type of every object: what it is, the records know.
const CONTENT_TYPE: &str = "application/octet-stream";

/// A written object whose writer may have given up: it is deleted unless its id is asked for.
struct Written {
    s3: Arc<S3>,
    id: Option<Uuid>,
}

impl Drop for Written {
    fn drop(&mut self) {
        if let (Some(id), Ok(runtime)) = (self.id.take(), tokio::runtime::Handle::try_current()) {
            let s3 = Arc::clone(&self.s3);
            runtime.spawn(async move {
                if let Err(error) = s3.delete(id).await {
                    warn!(%error, "an object that is not wanted stays until the janitor finds it");
                }
            });
        }
    }
}

impl S3 {
    /// Makes a draft an object.
    pub(in super::super) async fn keep(s3: &Arc<Self>, content: Content) -> Result<Uuid, BlobError> {
        let writer = Arc::clone(s3);
        S3::write(s3, async move |object| match content {
            Content::Memory(bytes) => writer.put(&object, ByteStream::from(bytes.clone()), bytes.len() as u64).await,
            Content::File(draft) if draft.len <= ONE_REQUEST => {
                writer.put(&object, writer.part_of(&draft, 0..draft.len)?, draft.len).await
            }
            Content::File(draft) => writer.put_in_parts(&object, &draft).await,
        })
        .await
    }

    /// Lets `writing` make an object of the name that it gets, to the end; one that nobody waits for any more is deleted.
    pub(super) async fn write<F>(s3: &Arc<Self>, writing: impl FnOnce(String) -> F) -> Result<Uuid, BlobError>
    where
        F: Future<Output = Result<(), BlobError>> + Send + 'static,
    {
        let id = s3.spool.new_id();
        let writing = writing(s3.object(id));
        let s3 = Arc::clone(s3);
        // A task of its own: where the caller gives up, the request is still ended in an orderly way.
        let task = tokio::spawn(async move {
            writing.await?;
            Ok(Written { s3, id: Some(id) })
        });
        let mut written: Written =
            task.await.unwrap_or_else(|stopped| Err(BlobError::Io(io::Error::other(stopped))))?;
        written.id.take().ok_or(BlobError::NotFound)
    }

    async fn put(&self, object: &str, body: ByteStream, len: u64) -> Result<(), BlobError> {
        let put = self.client.put_object().bucket(&self.bucket).key(object).content_type(CONTENT_TYPE);
        let put = put.content_length(len.cast_signed()).body(body);
        put.send().await.map(drop).map_err(|error| tell("writing", &error))
    }

    /// The bytes `range` of a draft as a body that can be sent again.
    pub(super) fn part_of(&self, draft: &OnDisk, range: Range<u64>) -> io::Result<ByteStream> {
        let file = Arc::new(draft.file.open()?);
        let buffers = Arc::clone(&self.spool.buffers);
        let len = range.end - range.start;
        Ok(body(len, move || BlobStream::of_file(Arc::clone(&file), range.start, len, Arc::clone(&buffers))))
    }

    /// Begins an upload in parts and gives back S3's id of it.
    pub(super) async fn begin_upload(&self, object: &str) -> Result<String, BlobError> {
        let begin = self.client.create_multipart_upload().bucket(&self.bucket).key(object).content_type(CONTENT_TYPE);
        let begun = begin.send().await.map_err(|error| tell("beginning an upload in parts", &error))?;
        begun
            .upload_id
            .ok_or_else(|| BlobError::S3("beginning an upload in parts failed: the server gave no id for it".into()))
    }

    async fn put_in_parts(&self, object: &str, draft: &OnDisk) -> Result<(), BlobError> {
        let upload = self.begin_upload(object).await?;
        let sent = self.send_parts(object, draft, &upload).await;
        self.end_upload(object, &upload, sent).await
    }

    /// Makes an object of the parts that were `sent`; where that fails, or they are an error, the upload is forgotten.
    pub(super) async fn end_upload(
        &self,
        object: &str,
        upload: &str,
        sent: Result<Vec<CompletedPart>, BlobError>,
    ) -> Result<(), BlobError> {
        let ended = match sent {
            Ok(parts) => self.complete_upload(object, upload, parts).await,
            Err(error) => Err(error),
        };
        if ended.is_err() {
            let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(object).upload_id(upload);
            if let Err(error) = abort.send().await {
                warn!(error = %tell("aborting", &error), "an unfinished upload stays until the janitor finds it");
            }
        }
        ended
    }

    async fn complete_upload(
        &self,
        object: &str,
        upload: &str,
        mut parts: Vec<CompletedPart>,
    ) -> Result<(), BlobError> {
        parts.sort_unstable_by_key(CompletedPart::part_number);
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.client.complete_multipart_upload().bucket(&self.bucket).key(object).upload_id(upload);
        // Some copy the parts together.
        let done = complete.multipart_upload(parts).customize().config_override(patient()).send().await;
        done.map(drop).map_err(|error| tell("ending an upload in parts", &error))
    }

    async fn send_parts(&self, object: &str, draft: &OnDisk, upload: &str) -> Result<Vec<CompletedPart>, BlobError> {
        let ranges = part_ranges(draft.len, PART);
        let parts = stream::iter(ranges.zip(1..)).map(async |(range, number)| {
            let len = range.end - range.start;
            let request = self
                .client
                .upload_part()
                .bucket(&self.bucket)
                .key(object)
                .upload_id(upload)
                .part_number(number)
                .content_length(len.cast_signed())
                .body(self.part_of(draft, range)?);
            let sent = request.send().await.map_err(|error| tell("writing a part", &error))?;
            Ok::<_, BlobError>(completed(number, sent))
        });
        parts.buffer_unordered(AT_ONCE).try_collect().await
    }
}

fn completed(number: i32, sent: UploadPartOutput) -> CompletedPart {
    CompletedPart::builder()
        .part_number(number)
        .set_e_tag(sent.e_tag)
        .set_checksum_crc32(sent.checksum_crc32)
        .set_checksum_crc32_c(sent.checksum_crc32_c)
        .set_checksum_crc64_nvme(sent.checksum_crc64_nvme)
        .build()
}

/// The parts, of `part` bytes if that is not too many, in which an object of `len` bytes is written.
pub fn part_ranges(len: u64, part: u64) -> impl Iterator<Item = Range<u64>> {
    let part = part.max(len.div_ceil(MOST_PARTS));
    (0..len.div_ceil(part)).map(move |n| n * part..len.min((n + 1) * part))
}

/// A request body of `len` bytes that is read anew for every attempt.
pub fn body(len: u64, open: impl Fn() -> BlobStream + Send + Sync + 'static) -> ByteStream {
    ByteStream::new(SdkBody::retryable(move || SdkBody::from_body_1_x(Streamed { stream: Mutex::new(open()), len })))
}

/// The lock is never waited for: it is there because the client wants bodies that threads could share.
struct Streamed {
    stream: Mutex<BlobStream>,
    len: u64,
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let stream = self.stream.get_mut().unwrap_or_else(PoisonError::into_inner);
        Pin::new(stream).poll_next(cx).map(|next| next.map(|piece| piece.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.stream.try_lock().map_or(self.len, |stream| stream.remaining());
        SizeHint::with_exact(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_everything_and_are_never_too_many() {
        for len in [ONE_REQUEST + 1, 5 << 40] {
            let (mut at, mut count) = (0, 0);
            for range in part_ranges(len, PART) {
                assert!(range.start == at && range.end > at);
                assert!(range.end == len || range.end - range.start >= PART);
                (at, count) = (range.end, count + 1);
            }
            assert_eq!(at, len);
            assert!(count <= MOST_PARTS, "{len}: {count}");
        }
    }
}
