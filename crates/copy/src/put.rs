//! Objects that are made in one request.

use aws_sdk_s3::operation::put_object::PutObjectOutput;
use aws_sdk_s3::types::{ObjectCannedAcl, ServerSideEncryption, StorageClass};
use tokio::sync::SemaphorePermit;
use tracing::debug;

use crate::ask::{Ask, Kind};
use crate::content::{Content, Piece, SMALL};
use crate::error::{CopyError, DATA_CORRUPTED, Refused};
use crate::link::{text, unhurried};
use crate::target::{Copying, Look, Outcome};

impl Copying<'_> {
    /// Makes the object in one request. `absent` says that it was looked for and is not there.
    pub(crate) async fn put(&self, content: &Content, mut absent: bool) -> Result<Outcome, CopyError> {
        let _room = self.room(content.size()).await;
        let mut ask = self.ask(Kind::Bytes);
        let piece = content.piece(0..content.size(), ask.checksum, self.is_open()).await?;
        let put = loop {
            if !ask.condition && !absent {
                match self.look().await? {
                    Look::There => return Ok(Outcome::Existed),
                    Look::Absent => absent = true,
                    Look::Hidden => return Err(blind()),
                }
            }
            match self.put_once(&piece, &ask).await {
                Ok(put) => break put,
                Err(refused) if ask.condition && refused.is("PreconditionFailed") => return Ok(Outcome::Existed),
                Err(refused) => {
                    // Some servers look at the bytes after they have kept them. Nobody may take those for a copy; but whether
                    // they are what is there now is not for us to say.
                    if refused.is_of_changed_bytes() && matches!(self.look().await?, Look::There) {
                        let message =
                            format!("{}; there is an object of this key now, which may be damaged", refused.text());
                        return Err(CopyError::Permanent { code: DATA_CORRUPTED.to_owned(), message });
                    }
                    ask.relent(refused).await?;
                }
            }
        };
        ask.learn();
        self.check_put(&piece, &ask, &put).await?;
        self.prove(content, Some((&piece, &ask))).await?;
        Ok(Outcome::Copied)
    }

    async fn put_once(&self, piece: &Piece, ask: &Ask<'_>) -> Result<PutObjectOutput, Refused> {
        let put = self
            .link
            .client
            .put_object()
            .bucket(self.bucket())
            .key(self.order.key)
            .content_type(self.order.media_type)
            .content_length(piece.len.cast_signed())
            .set_acl(acl(ask))
            .set_storage_class(self.storage_class())
            .set_server_side_encryption(self.encryption())
            .set_ssekms_key_id(self.encryption_key())
            .set_checksum_crc32(piece.crc.clone().filter(|_| ask.checksum))
            .set_if_none_match(ask.condition.then(|| "*".to_owned()))
            .body(piece.body());
        let sent = if piece.len <= SMALL {
            put.send().await
        } else {
            let slow = unhurried(self.target.shared().options.timeout);
            put.customize().config_override(slow).interceptor(piece.signature()).send().await
        };
        sent.map_err(|error| Refused::of("writing the object", &error))
    }

    /// Makes sure that the server has all that it was sent. One that tells the checksum has compared it.
    async fn check_put(&self, piece: &Piece, ask: &Ask<'_>, put: &PutObjectOutput) -> Result<(), CopyError> {
        if let Some(ours) = piece.crc.as_deref().filter(|_| ask.checksum) {
            match put.checksum_crc32() {
                Some(theirs) if theirs == ours => return Ok(()),
                Some(_) => return Err(self.reject("its checksum is another").await),
                None => ask.learn_silence(),
            }
        }
        self.check_length(piece.len).await
    }

    /// Makes sure that the object has `size` bytes.
    pub(crate) async fn check_length(&self, size: u64) -> Result<(), CopyError> {
        match self.length().await? {
            Some(length) if length != size => Err(self.reject(&format!("{length} bytes instead of {size}")).await),
            _ => Ok(()),
        }
    }

    /// Reads the beginning of the first object back that this storage was given, and tries with the first small one whether a
    /// second one of the same key is refused: some servers keep other bytes than they were sent, some overlook conditions, and
    /// neither say so.
    pub(crate) async fn prove(&self, content: &Content, again: Option<(&Piece, &Ask<'_>)>) -> Result<(), CopyError> {
        let learned = &self.target.learned;
        let len = content.size().min(SMALL);
        if len == 0 || (!learned.is_proven() && !self.read_back(content, len).await?) {
            return Ok(());
        }
        learned.prove();
        let again = again.filter(|(piece, ask)| piece.len <= SMALL && ask.condition);
        if let Some((piece, ask)) = again.filter(|_| !learned.was_told_not_to_overwrite()) {
            match self.put_once(piece, ask).await {
                Ok(_) => learned.it_overwrites(true),
                Err(refused) if refused.is("PreconditionFailed") => learned.it_overwrites(false),
                // Nothing is known, then; the next object shows it.
                Err(refused) => debug!(error = refused.text(), "overwriting could not be tried"),
            }
        }
        Ok(())
    }

    /// Compares the first `len` bytes of the object; false where that cannot be done at the moment.
    async fn read_back(&self, content: &Content, len: u64) -> Result<bool, CopyError> {
        let get = self.link.client.get_object().bucket(self.bucket()).key(self.order.key);
        match get.range(format!("bytes=0-{}", len - 1)).send().await {
            Ok(answer) => {
                let (mut body, mut hasher, mut read) = (answer.body, crc32fast::Hasher::new(), 0);
                while let Some(bytes) = body.next().await {
                    let Ok(bytes) = bytes else { return Ok(false) };
                    hasher.update(&bytes);
                    read += bytes.len() as u64;
                    if read > len {
                        break;
                    }
                }
                if read != len || hasher.finalize() != content.crc32(0..len).await? {
                    return Err(self.reject("other bytes came back").await);
                }
                Ok(true)
            }
            Err(error) => {
                let refused = Refused::of("reading back", &error);
                debug!(error = refused.text(), "the first object cannot be read back");
                Ok(!refused.is_passing())
            }
        }
    }

    /// Whether bytes go to the storage on a way on which others could change them.
    pub(crate) fn is_open(&self) -> bool {
        self.target.settings().endpoint_url.starts_with("http://")
    }

    /// Waits until so many bytes may be sent; small pieces need not wait.
    pub(crate) async fn room(&self, len: u64) -> Option<[SemaphorePermit<'_>; 2]> {
        if len <= SMALL {
            return None;
        }
        // First the storage's own, so that nobody waits for that with a place in hand that others could use.
        let own = self.target.parts.acquire().await.ok()?;
        Some([own, self.target.shared().parts.acquire().await.ok()?])
    }

    pub(crate) fn ask(&self, kind: Kind) -> Ask<'_> {
        Ask::new(kind, self.order.make_public, self.target.settings(), &self.target.learned)
    }

    pub(crate) fn storage_class(&self) -> Option<StorageClass> {
        text(&self.target.settings().storage_class).map(StorageClass::from)
    }

    pub(crate) fn encryption(&self) -> Option<ServerSideEncryption> {
        text(&self.target.settings().sse).map(ServerSideEncryption::from)
    }

    pub(crate) fn encryption_key(&self) -> Option<String> {
        text(&self.target.settings().sse_kms_key).map(str::to_owned)
    }
}

pub(crate) fn acl(ask: &Ask<'_>) -> Option<ObjectCannedAcl> {
    ask.public.then_some(ObjectCannedAcl::PublicRead)
}

/// Where objects may not be looked for and conditions are unknown, nothing keeps us from overwriting.
pub(crate) fn blind() -> CopyError {
    CopyError::Permanent {
        code: "AccessDenied".to_owned(),
        message: "looking for the object is denied, and the storage knows no conditional writes".to_owned(),
    }
}
