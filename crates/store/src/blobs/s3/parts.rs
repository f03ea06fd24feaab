//! Objects that arrive in parts: from clients who PUT them to S3 with URLs that we signed, or through our own door.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::{Config, RequestChecksumCalculation};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use tracing::debug;
use uuid::Uuid;

use super::super::BlobError;
use super::super::draft::Content;
use super::super::key::Key;
use super::super::options::OpenError;
use super::super::parts::{AssembleError, Part, Parts, loose};
use super::super::turns::Turn;
use super::download::length;
use super::{S3, age, is_missing, patient, tell};

/// S3 knows no higher number of a part.
const MOST_PARTS: u32 = 10_000;

/// How long the URL of [`S3::check_presigning`] would be valid.
const PROBE_LIFE: Duration = Duration::from_mins(1);

/// An upload as S3 knows it.
pub(in super::super) struct PartTarget {
    pub(super) object: String,
    pub(super) upload: String,
}

impl S3 {
    /// The upload of a blob; it is not found where it was never begun here.
    pub(in super::super) fn target(&self, parts: &Parts) -> Result<PartTarget, BlobError> {
        let upload = parts.upload.clone().ok_or(BlobError::NotFound)?;
        Ok(PartTarget { object: self.object(loose(parts)?), upload })
    }

    /// Begins an upload under a new name.
    pub(in super::super) async fn begin_parts(&self) -> Result<(Uuid, String), BlobError> {
        let id = self.spool.new_id();
        Ok((id, self.begin_upload(&self.object(id)).await?))
    }

    /// URLs for the parts 1 to `count`; none where they come through our own door.
    pub(in super::super) async fn presign_parts(
        &self,
        target: &PartTarget,
        count: u32,
        life: Duration,
    ) -> Result<Option<Vec<String>>, BlobError> {
        let Some(client) = &self.presigner else { return Ok(None) };
        if count > MOST_PARTS {
            return Err(BlobError::S3(format!("presigning failed: {count} parts are more than S3 takes")));
        }
        let config =
            PresigningConfig::expires_in(life).map_err(|error| BlobError::S3(format!("presigning failed: {error}")))?;
        let mut urls = Vec::new();
        for number in 1..=count {
            let request = client
                .upload_part()
                .bucket(&self.bucket)
                .key(&target.object)
                .upload_id(&target.upload)
                .part_number(number.cast_signed())
                .presigned(config.clone());
            let request = request.await.map_err(|error| tell("presigning", &error))?;
            urls.push(request.uri().to_owned());
            // Nothing above really waits, and thousands of signatures take a while.
            tokio::task::yield_now().await;
        }
        Ok(Some(urls))
    }

    /// Makes a URL that nobody gets, so that what cannot work is told at the start.
    pub(super) async fn check_presigning(&self) -> Result<(), OpenError> {
        let nothing = PartTarget { object: self.object(Uuid::nil()), upload: "none".into() };
        match self.presign_parts(&nothing, 1, PROBE_LIFE).await {
            Ok(_) => Ok(()),
            Err(error) => Err(OpenError::new(format!(
                "blobs.part_urls: URLs for parts cannot be made: {error}; \"own\" does without them"
            ))),
        }
    }

    /// Sends a part that has come through our own door, and gives back its `ETag` and the turn.
    pub(in super::super) async fn send_part(
        s3: &Arc<Self>,
        target: PartTarget,
        number: u32,
        content: Content,
        turn: Turn,
    ) -> Result<(String, Turn), BlobError> {
        let s3 = Arc::clone(s3);
        // A task of its own that has the turn: where the caller gives up, the request may still replace the part.
        let task = tokio::spawn(async move {
            let etag = s3.upload_part(&target, number, &content).await?;
            Ok((etag, turn))
        });
        task.await.unwrap_or_else(|stopped| Err(BlobError::Io(std::io::Error::other(stopped))))
    }

    async fn upload_part(&self, target: &PartTarget, number: u32, content: &Content) -> Result<String, BlobError> {
        let (body, len) = match content {
            Content::Memory(bytes) => (ByteStream::from(bytes.clone()), bytes.len() as u64),
            Content::File(draft) => (self.part_of(draft, 0..draft.len)?, draft.len),
        };
        // S3 refuses parts whose checksums were not announced for the upload, and those that clients send have none.
        let plain = Config::builder().request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
        let sent = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(&target.object)
            .upload_id(&target.upload)
            .part_number(number.cast_signed())
            .content_length(len.cast_signed())
            .body(body)
            .customize()
            .config_override(plain)
            .send()
            .await;
        match sent {
            Ok(answer) => answer
                .e_tag()
                .map(unquoted)
                .ok_or_else(|| BlobError::S3("writing a part failed: the server gave no ETag for it".into())),
            Err(error) if is_missing(&error) => Err(BlobError::NotFound),
            Err(error) => Err(tell("writing a part", &error)),
        }
    }

    /// The parts that have arrived, in order.
    pub(in super::super) async fn list_parts(&self, target: &PartTarget) -> Result<Vec<Part>, BlobError> {
        let mut parts = Vec::new();
        let mut marker = None;
        loop {
            let page = self
                .client
                .list_parts()
                .bucket(&self.bucket)
                .key(&target.object)
                .upload_id(&target.upload)
                .set_part_number_marker(marker.take())
                .send()
                .await;
            let page = match page {
                Ok(page) => page,
                Err(error) if is_missing(&error) => return Err(BlobError::NotFound),
                Err(error) => return Err(tell("listing parts", &error)),
            };
            parts.extend(page.parts().iter().filter_map(|part| {
                let number = part.part_number().and_then(|number| u32::try_from(number).ok())?;
                // Not every server tells the version; one that does not will hardly ask for it.
                Some(Part { number, size: length(part.size()), etag: part.e_tag().map(unquoted).unwrap_or_default() })
            }));
            marker = page.next_part_number_marker().map(str::to_owned);
            if page.is_truncated() != Some(true) || marker.is_none() {
                parts.sort_unstable_by_key(|part| part.number);
                return Ok(parts);
            }
        }
    }

    /// Makes the parts one object. Where that fails it may have been done before: nothing else has the object's name.
    pub(in super::super) async fn assemble(
        &self,
        target: &PartTarget,
        size: u64,
        list: &[Part],
    ) -> Result<(), AssembleError> {
        if list.is_empty() {
            return if self.is_assembled(target, size).await? { Ok(()) } else { Err(AssembleError::Refused) };
        }
        let parts = list.iter().map(|part| {
            let etag = (!part.etag.is_empty()).then(|| format!("\"{}\"", part.etag));
            CompletedPart::builder().part_number(part.number.cast_signed()).set_e_tag(etag).build()
        });
        let done = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(&target.object)
            .upload_id(&target.upload)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build())
            .customize()
            // Some copy the parts together.
            .config_override(patient())
            .send()
            .await;
        let Err(error) = done else { return Ok(()) };
        let told = tell("ending an upload in parts", &error);
        if matches!(error.code(), Some("InvalidPart" | "InvalidPartOrder" | "EntityTooSmall")) {
            debug!(error = %told, "S3 does not take the parts");
            return Err(AssembleError::Refused);
        }
        match self.is_assembled(target, size).await {
            Ok(true) => Ok(()),
            Ok(false) if is_missing(&error) => Err(AssembleError::Refused),
            _ => Err(told.into()),
        }
    }

    /// Whether the object is there and has `size` bytes.
    async fn is_assembled(&self, target: &PartTarget, size: u64) -> Result<bool, BlobError> {
        match self.client.head_object().bucket(&self.bucket).key(&target.object).send().await {
            Ok(head) => Ok(length(head.content_length()) == size),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(tell("asking for an object", &error)),
        }
    }

    /// Forgets an upload, but not the object that it may have become.
    pub(in super::super) async fn abort_parts(&self, target: &PartTarget) -> Result<(), BlobError> {
        let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(&target.object);
        match abort.upload_id(&target.upload).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            // Some servers have other words for an upload that is gone.
            Err(error) => match self.list_parts(target).await {
                Err(BlobError::NotFound) => Ok(()),
                Ok(parts) if parts.is_empty() => Ok(()),
                _ => Err(tell("aborting an unfinished upload", &error)),
            },
        }
    }

    /// Uploads begun more than `grace` ago under names that are ours.
    pub(in super::super) async fn unfinished_parts(&self, grace: Duration) -> Result<Vec<Parts>, BlobError> {
        let ours = |(target, begun): (PartTarget, Option<DateTime>)| {
            let id = self.ours(&target.object).filter(|_| begun.is_some_and(|begun| age(&begun) >= grace))?;
            Some(Parts { key: Key::Loose(id).text(), upload: Some(target.upload) })
        };
        Ok(self.uploads().await?.into_iter().filter_map(ours).collect())
    }

    /// Every upload below the prefix that is neither ended nor aborted, and when it was begun.
    pub(super) async fn uploads(&self) -> Result<Vec<(PartTarget, Option<DateTime>)>, BlobError> {
        let mut uploads = Vec::new();
        let (mut key_marker, mut upload_marker) = (None, None);
        loop {
            let page = self
                .client
                .list_multipart_uploads()
                .bucket(&self.bucket)
                .prefix(&self.prefix)
                .set_key_marker(key_marker.take())
                .set_upload_id_marker(upload_marker.take())
                .send()
                .await;
            let page = match page {
                Ok(page) => page,
                Err(error) if error.code() == Some("NotImplemented") => {
                    debug!("this S3 server cannot list unfinished uploads");
                    return Ok(uploads);
                }
                Err(error) => return Err(tell("listing unfinished uploads", &error)),
            };
            for upload in page.uploads() {
                let (Some(key), Some(upload_id)) = (upload.key(), upload.upload_id()) else { continue };
                let target = PartTarget { object: key.to_owned(), upload: upload_id.to_owned() };
                uploads.push((target, upload.initiated().copied()));
            }
            key_marker = page.next_key_marker().map(str::to_owned);
            upload_marker = page.next_upload_id_marker().map(str::to_owned);
            if page.is_truncated() != Some(true) || key_marker.is_none() {
                return Ok(uploads);
            }
        }
    }
}

fn unquoted(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}
