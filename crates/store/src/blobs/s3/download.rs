//! Reading objects. A connection that breaks is taken up again where it broke: a slow reader keeps it open for longer
//! than some servers like.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::try_unfold;
use tracing::debug;
use uuid::Uuid;

use super::super::{BlobError, BlobStream, too_short};
use super::{S3, into_io, is_missing, tell};

/// How often in a row a read is taken up again without having brought anything.
const ATTEMPTS: u32 = 3;

struct Download {
    s3: Arc<S3>,
    object: String,
    etag: Option<String>,
    rest: Range<u64>,
    body: ByteStream,
    attempts: u32,
}

impl S3 {
    /// Opens a part of an object for reading.
    pub(in super::super) async fn read(s3: &Arc<Self>, id: Uuid, range: Range<u64>) -> Result<BlobStream, BlobError> {
        let object = s3.object(id);
        let len = range.end.checked_sub(range.start).ok_or_else(too_short)?;
        if len == 0 {
            s3.check_length(&object, range.end).await?;
            return Ok(BlobStream::of(Bytes::new()));
        }
        let (body, etag) = s3.get(&object, &range, None).await?;
        let download = Download { s3: Arc::clone(s3), object, etag, rest: range, body, attempts: ATTEMPTS };
        Ok(BlobStream::of_stream(try_unfold(download, Download::next).boxed(), len))
    }

    async fn check_length(&self, object: &str, at_least: u64) -> Result<(), BlobError> {
        match self.client.head_object().bucket(&self.bucket).key(object).send().await {
            Ok(head) if length(head.content_length()) >= at_least => Ok(()),
            Ok(_) => Err(too_short()),
            Err(error) if is_missing(&error) => Err(BlobError::NotFound),
            Err(error) => Err(tell("asking for an object", &error)),
        }
    }

    async fn get(
        &self,
        object: &str,
        range: &Range<u64>,
        etag: Option<String>,
    ) -> Result<(ByteStream, Option<String>), BlobError> {
        let get = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(object)
            .range(format!("bytes={}-{}", range.start, range.end - 1))
            .set_if_match(etag);
        match get.send().await {
            Ok(answer) if length(answer.content_length) == range.end - range.start => Ok((answer.body, answer.e_tag)),
            Ok(_) => Err(too_short()),
            Err(error) if is_missing(&error) => Err(BlobError::NotFound),
            Err(error) if error.code() == Some("InvalidRange") => Err(too_short()),
            Err(error) => Err(tell("reading", &error)),
        }
    }
}

pub(super) fn length(said: Option<i64>) -> u64 {
    said.and_then(|length| u64::try_from(length).ok()).unwrap_or(0)
}

impl Download {
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        while !self.rest.is_empty() {
            let broken = match self.body.next().await {
                Some(Ok(bytes)) if bytes.is_empty() => continue,
                Some(Ok(bytes)) => {
                    self.rest.start = self.rest.end.min(self.rest.start + bytes.len() as u64);
                    self.attempts = ATTEMPTS;
                    return Ok(Some((bytes, self)));
                }
                Some(Err(error)) => io::Error::other(error),
                None => io::ErrorKind::UnexpectedEof.into(),
            };
            if self.attempts == 0 {
                return Err(broken);
            }
            self.attempts -= 1;
            debug!(object = self.object, error = %broken, "taking up a broken read again");
            let again = self.s3.get(&self.object, &self.rest, self.etag.clone()).await;
            self.body = again.map_err(into_io)?.0;
        }
        Ok(None)
    }
}
