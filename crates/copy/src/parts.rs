//! Objects that are made in parts: of bytes that are sent, or that the server copies by itself.

use std::collections::HashMap;
use std::ops::Range;

use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use futures_util::{StreamExt, TryStreamExt, stream};
use stowage_store::blobs::s3::{part_ranges, patient};
use stowage_store::records::CopyUpload;
use tracing::{debug, warn};

use crate::ask::Kind;
use crate::content::{Content, PART, part_size};
use crate::error::{CopyError, DATA_CORRUPTED, Refused};
use crate::link::unhurried;
use crate::put::{acl, blind};
use crate::target::{Copying, Ledger, Look, Outcome, forget};

/// How many parts of one object are under way at the same time.
const AT_ONCE: usize = 4;

/// Bytes of a part that the server copies, unless there would be too many of them.
const COPIED_PART: u64 = 512 << 20;

/// The largest part that S3 takes, in bytes.
const LARGEST_PART: u64 = 5 << 30;

/// How many pages a list of parts may have; S3 puts a thousand parts on each.
const MOST_PAGES: u32 = 100;

/// Refusals that mean that an upload is not what we took it for. Some servers deny access to uploads that are gone.
const STALE: &[&str] = &["AccessDenied", "EntityTooSmall", "InvalidPart", "InvalidPartOrder", "NoSuchUpload"];

/// Where parts come from.
pub(crate) enum Parts<'p> {
    /// They are sent.
    Sent(&'p Content),
    /// The server copies them from this object of so many bytes.
    Copied(&'p str, u64),
}

/// An upload under way.
struct Upload {
    known: CopyUpload,
    /// Whether it takes checksums.
    checksum: bool,
    /// The parts that the server has already, by their numbers.
    done: HashMap<i32, CompletedPart>,
}

impl Parts<'_> {
    fn size(&self) -> u64 {
        match self {
            Self::Sent(content) => content.size(),
            Self::Copied(_, size) => *size,
        }
    }

    fn part_size(&self) -> u64 {
        match self {
            Self::Sent(content) => part_size(content.size(), PART),
            Self::Copied(_, size) => part_size(*size, COPIED_PART).min(LARGEST_PART),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Sent(_) => Kind::Bytes,
            Self::Copied(..) => Kind::Copy,
        }
    }
}

impl Copying<'_> {
    /// Makes the object in parts, those of `resume` included.
    pub(crate) async fn make_in_parts(
        &self,
        parts: &Parts<'_>,
        resume: Option<&CopyUpload>,
        ledger: &impl Ledger,
    ) -> Result<Outcome, CopyError> {
        if let Some(known) = resume
            && let Some(upload) = self.go_on(known, parts).await?
        {
            debug!(parts = upload.done.len(), "going on with an upload");
            match self.fill(parts, &upload).await {
                Err(CopyError::Permanent { code, message }) if STALE.contains(&code.as_str()) => {
                    debug!(reason = message, "the upload is begun anew");
                }
                ended => return self.settle(ended, &upload.known, ledger).await,
            }
        }
        if let Some(known) = resume {
            // The ledger has room for one: the next takes its place there.
            self.target.try_abort(known).await?;
        }
        let upload = self.begin(parts, ledger).await?;
        let ended = self.fill(parts, &upload).await;
        let ended = ended.map_err(|error| match error {
            // Somebody has aborted it under our hands.
            CopyError::Permanent { code, message } if code == "NoSuchUpload" => CopyError::Passing { message },
            other => other,
        });
        self.settle(ended, &upload.known, ledger).await
    }

    /// Forgets an upload unless another attempt may go on with it.
    async fn settle(
        &self,
        ended: Result<Outcome, CopyError>,
        upload: &CopyUpload,
        ledger: &impl Ledger,
    ) -> Result<Outcome, CopyError> {
        match &ended {
            Ok(Outcome::Copied) => {
                if let Err(error) = ledger.note(None).await {
                    warn!(%error, "an upload that has become an object could not be forgotten");
                }
            }
            // The bytes may go another way now, by an upload that takes its place in the ledger. Keys that may do nothing any
            // more may be mended: until then it stays there.
            Err(CopyError::Permanent { code, .. }) if code != DATA_CORRUPTED => match self.target.abort(upload).await {
                Ok(()) => forget(ledger).await?,
                Err(error @ CopyError::Permanent { .. }) => {
                    let CopyUpload { key, upload_id, .. } = upload;
                    warn!(%error, key, upload_id, "an unfinished upload cannot be aborted");
                }
                Err(failure) => return Err(failure),
            },
            Ok(Outcome::Existed) | Err(CopyError::Permanent { .. } | CopyError::Gone) => {
                self.clear_or_say(upload, ledger).await;
            }
            Err(CopyError::Passing { .. } | CopyError::Ours { .. } | CopyError::Refused(_) | CopyError::Lost) => {}
        }
        ended
    }

    async fn begin(&self, parts: &Parts<'_>, ledger: &impl Ledger) -> Result<Upload, CopyError> {
        let mut ask = self.ask(parts.kind()).without_condition();
        let begun = loop {
            let begin = self
                .link
                .client
                .create_multipart_upload()
                .bucket(self.bucket())
                .key(self.order.key)
                .content_type(self.order.media_type)
                .set_acl(acl(&ask))
                .set_storage_class(self.storage_class())
                .set_server_side_encryption(self.encryption())
                .set_ssekms_key_id(self.encryption_key())
                .set_checksum_algorithm(ask.checksum.then_some(ChecksumAlgorithm::Crc32));
            match begin.send().await {
                Ok(begun) => break begun,
                Err(error) => ask.relent(Refused::of("beginning an upload in parts", &error)).await?,
            }
        };
        ask.learn();
        let Some(upload_id) = begun.upload_id else {
            return Err(CopyError::passing("beginning an upload in parts failed: the server gave no id for it"));
        };
        let known = CopyUpload {
            key: self.order.key.to_owned(),
            upload_id,
            part_size: parts.part_size(),
            bucket: self.bucket().to_owned(),
            endpoint: self.target.settings().endpoint_url.clone(),
        };
        let noted = ledger.note(Some(&known)).await;
        if !matches!(noted, Ok(true)) {
            if let Err(error) = self.target.try_abort(&known).await {
                let CopyUpload { key, upload_id, .. } = &known;
                warn!(%error, key, upload_id, "an upload that nobody knows of stays at the storage");
            }
            return Err(noted.err().unwrap_or(CopyError::Lost));
        }
        Ok(Upload { known, checksum: ask.checksum, done: HashMap::new() })
    }

    /// What there is of an upload; none where it cannot be gone on with.
    async fn go_on(&self, known: &CopyUpload, parts: &Parts<'_>) -> Result<Option<Upload>, CopyError> {
        let size = parts.size();
        let count = size.div_ceil(known.part_size.max(1));
        // Parts that are sent may have to be in memory as a whole; those that a server was to copy are too large for that.
        let too_large = matches!(parts, Parts::Sent(_)) && known.part_size > parts.part_size();
        if known.key != self.order.key || !self.target.has(known) || count > 10_000 || too_large {
            return Ok(None);
        }
        let mut upload = Upload { known: known.clone(), checksum: false, done: HashMap::new() };
        let mut marker: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let list = self.link.client.list_parts().bucket(self.bucket()).key(&known.key).upload_id(&known.upload_id);
            let page = match list.set_part_number_marker(marker.clone()).send().await {
                Ok(page) => page,
                Err(error) => {
                    let refused = Refused::of("listing parts", &error);
                    // What answers, but not with a list that we can read, will not do so later either.
                    return match refused.status {
                        None | Some(429 | 500..) => Err(refused.into()),
                        Some(_) => Ok(None),
                    };
                }
            };
            upload.checksum |= page.checksum_algorithm == Some(ChecksumAlgorithm::Crc32);
            for part in page.parts() {
                let Some(number) = part.part_number.filter(|number| *number >= 1) else { continue };
                let start = (u64::from(number.unsigned_abs()) - 1).saturating_mul(known.part_size);
                let whole = known.part_size.min(size.saturating_sub(start));
                if part.size.is_some_and(|size| size > 0 && size.unsigned_abs() == whole) {
                    let done = CompletedPart::builder().part_number(number).set_e_tag(part.e_tag.clone());
                    upload.done.insert(number, done.set_checksum_crc32(part.checksum_crc32.clone()).build());
                }
            }
            let next = page.next_part_number_marker().map(str::to_owned);
            if page.is_truncated() != Some(true) || next.is_none() || next == marker {
                return Ok(Some(upload));
            }
            marker = next;
        }
        Ok(None)
    }

    /// Makes the parts that are missing, and the object of all of them.
    async fn fill(&self, parts: &Parts<'_>, upload: &Upload) -> Result<Outcome, CopyError> {
        let ranges = part_ranges(parts.size(), upload.known.part_size).zip(1..);
        let made = stream::iter(ranges).map(async |(range, number)| match (upload.done.get(&number), parts) {
            (Some(part), _) => Ok(part.clone()),
            (None, Parts::Sent(content)) => self.send_part(content, upload, range, number).await,
            (None, Parts::Copied(source, _)) => self.copy_part(source, upload, range, number).await,
        });
        let mut made: Vec<CompletedPart> = made.buffer_unordered(AT_ONCE).try_collect().await?;
        made.sort_unstable_by_key(CompletedPart::part_number);
        let outcome = self.complete(upload, made, parts.size()).await?;
        if outcome == Outcome::Copied {
            self.check_length(parts.size()).await?;
            if let Parts::Sent(content) = parts {
                self.prove(content, None).await?;
            }
        }
        Ok(outcome)
    }

    async fn send_part(
        &self,
        content: &Content,
        upload: &Upload,
        range: Range<u64>,
        number: i32,
    ) -> Result<CompletedPart, CopyError> {
        let _room = self.room(range.end - range.start).await;
        let piece = content.piece(range, upload.checksum, self.is_open()).await?;
        let mut ask = self.ask(Kind::Bytes).without_condition();
        let sent = loop {
            let send = self
                .link
                .client
                .upload_part()
                .bucket(self.bucket())
                .key(self.order.key)
                .upload_id(&upload.known.upload_id)
                .part_number(number)
                .content_length(piece.len.cast_signed())
                .set_checksum_crc32(piece.crc.clone())
                .body(piece.body())
                .customize()
                .config_override(unhurried(self.target.shared().options.timeout))
                .interceptor(piece.signature());
            match send.send().await {
                Ok(sent) => break sent,
                Err(error) => ask.relent_once_begun(Refused::of("writing a part", &error)).await?,
            }
        };
        if piece.crc.is_some() && sent.checksum_crc32.is_some() && piece.crc != sent.checksum_crc32 {
            return Err(CopyError::passing("writing a part failed: its checksum came back as another"));
        }
        let part = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag);
        // Only what the server has told is asked for when the object is made.
        Ok(part.set_checksum_crc32(sent.checksum_crc32.and(piece.crc)).build())
    }

    async fn copy_part(
        &self,
        source: &str,
        upload: &Upload,
        range: Range<u64>,
        number: i32,
    ) -> Result<CompletedPart, CopyError> {
        let mut ask = self.ask(Kind::Copy).without_condition();
        loop {
            let copy = self
                .link
                .client
                .upload_part_copy()
                .copy_source(source)
                .copy_source_range(format!("bytes={}-{}", range.start, range.end - 1))
                .bucket(self.bucket())
                .key(self.order.key)
                .upload_id(&upload.known.upload_id)
                .part_number(number)
                .customize()
                .config_override(patient());
            match copy.send().await {
                Ok(copied) => {
                    let part = copied.copy_part_result.filter(|part| part.e_tag.is_some());
                    let part =
                        part.ok_or_else(|| CopyError::passing("copying a part failed: the server named none"))?;
                    let done = CompletedPart::builder().part_number(number).set_e_tag(part.e_tag);
                    return Ok(done.set_checksum_crc32(part.checksum_crc32).build());
                }
                Err(error) => ask.relent_once_begun(Refused::of("copying a part", &error)).await?,
            }
        }
    }

    async fn complete(&self, upload: &Upload, parts: Vec<CompletedPart>, size: u64) -> Result<Outcome, CopyError> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let mut ask = self.ask(Kind::Bytes);
        // The ACL was asked for in the beginning.
        ask.public = false;
        // Sending has taken its time, and some servers overlook the condition.
        let absent = match self.look().await? {
            Look::There => return Ok(Outcome::Existed),
            Look::Absent => true,
            Look::Hidden => false,
        };
        loop {
            if !ask.condition && !absent {
                return Err(blind());
            }
            let complete = self
                .link
                .client
                .complete_multipart_upload()
                .bucket(self.bucket())
                .key(self.order.key)
                .upload_id(&upload.known.upload_id)
                .multipart_upload(parts.clone())
                .set_if_none_match(ask.condition.then(|| "*".to_owned()))
                .customize()
                // Some servers copy the parts together.
                .config_override(patient());
            match complete.send().await {
                Ok(done) if done.e_tag.is_some() => break,
                Ok(_) => {
                    return Err(CopyError::passing("ending an upload in parts failed: the server named no object"));
                }
                Err(error) => {
                    let refused = Refused::of("ending an upload in parts", &error);
                    if ask.condition && refused.is("PreconditionFailed") {
                        return Ok(Outcome::Existed);
                    }
                    // An answer was lost, and the client has asked again.
                    let gone = refused.is("NoSuchUpload") || refused.is("AccessDenied");
                    if gone && absent && self.length().await.is_ok_and(|length| length == Some(size)) {
                        break;
                    }
                    ask.relent(refused).await?;
                }
            }
        }
        ask.learn();
        Ok(Outcome::Copied)
    }
}
