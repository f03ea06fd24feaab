//! Copies that the server makes by itself, because it has the blob: no byte comes through here.

use aws_sdk_s3::types::MetadataDirective;
use stowage_store::blobs::s3::{copy_source, patient};

use crate::ask::Kind;
use crate::error::{CopyError, Refused};
use crate::parts::Parts;
use crate::put::{acl, blind};
use crate::target::{Copying, Ledger, Outcome, Source};

/// S3 copies objects up to this many bytes in one request.
const ONE_REQUEST: u64 = 5 << 30;

/// Whether a refusal to copy would be repeated for the next object.
pub(crate) fn is_lasting(code: &str) -> bool {
    matches!(code, "AccessDenied" | "MethodNotAllowed" | "NotImplemented")
}

impl Copying<'_> {
    /// The object that the storage's server may copy by itself, as it is named to it; none where it does not lie there.
    pub(crate) fn remote_source(&self) -> Option<String> {
        let Source::Blob { key, .. } = &self.order.source else { return None };
        let place = self.blobs.s3_place(key)?;
        let theirs = self.target.settings().endpoint_url.trim_end_matches('/');
        let same = place.endpoint.unwrap_or_default().trim_end_matches('/').eq_ignore_ascii_case(theirs);
        (same && self.target.learned.copies_remotely()).then(|| copy_source(place.bucket, &place.object))
    }

    /// Lets the server make the object of its own `source`. `absent` says that it was looked for and is not there.
    pub(crate) async fn copy_remotely(
        &self,
        source: &str,
        absent: bool,
        ledger: &impl Ledger,
    ) -> Result<Outcome, CopyError> {
        let size = self.order.source.size();
        if self.order.resume.is_some() || size > ONE_REQUEST {
            return self.make_in_parts(&Parts::Copied(source, size), self.order.resume, ledger).await;
        }
        let mut ask = self.ask(Kind::Copy);
        loop {
            if !ask.condition && !absent {
                return Err(blind());
            }
            let copy = self
                .link
                .client
                .copy_object()
                .copy_source(source)
                .bucket(self.bucket())
                .key(self.order.key)
                // Blobs have no content type of their own.
                .metadata_directive(MetadataDirective::Replace)
                .content_type(self.order.media_type)
                .set_acl(acl(&ask))
                .set_storage_class(self.storage_class())
                .set_server_side_encryption(self.encryption())
                .set_ssekms_key_id(self.encryption_key())
                .set_if_none_match(ask.condition.then(|| "*".to_owned()))
                .customize()
                .config_override(patient());
            match copy.send().await {
                Ok(copied) if copied.copy_object_result.as_ref().is_some_and(|result| result.e_tag.is_some()) => break,
                Ok(_) => return Err(CopyError::passing("copying failed: the server did not say what it made")),
                Err(error) => {
                    let refused = Refused::of("copying", &error);
                    if ask.condition && refused.is("PreconditionFailed") {
                        return Ok(Outcome::Existed);
                    }
                    ask.relent(refused).await?;
                }
            }
        }
        ask.learn();
        self.check_length(size).await?;
        Ok(Outcome::Copied)
    }
}
