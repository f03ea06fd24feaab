//! What webhooks are sent (REST API reference, "Webhooks", "Delivery"): compact JSON, members in the order of the reference,
//! and its signature. The same event, webhook and key give the same bytes again.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::{Digest, Sha256};
use stowage_model::content::VideoInfo;
use stowage_model::{
    Event, EventKind, File, FileId, HookVersion, ImageInfo, Initiator, Metadata, MimeInfo, ProjectId, PublicKey,
    PublicUrls, Timestamp, Webhook, WebhookId,
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::rest::{FileUrl, OriginalUrl};
use crate::upload::OldVideoInfo;
use crate::v07;

/// The header that carries a [`signature`].
pub const SIGNATURE: &str = "x-uc-signature";

/// The body that tells a webhook of an event, by the version of the webhook; `public_key` is that of its project.
pub fn body(event: &Event, webhook: &Webhook, public_key: &PublicKey) -> Result<String, serde_json::Error> {
    match webhook.version {
        HookVersion::V07 => serde_json::to_string(&Payload::new(event, webhook, public_key)),
        HookVersion::V06 | HookVersion::V05 => {
            let mut payload = OldPayload::new(event, webhook);
            let digest = Sha256::digest(serde_json::to_string(&payload)?);
            payload.payload_hash = digest.first_chunk().map(|bytes| u32::from_be_bytes(*bytes).to_string());
            serde_json::to_string(&payload)
        }
    }
}

/// The value of the header [`SIGNATURE`] for a body: `v1=`, and the HMAC-SHA256 in hexadecimal digits.
pub fn signature(secret: &str, body: &str) -> String {
    let mut text = "v1=".to_owned();
    // A key of any length is a good HMAC key, so that this cannot fail.
    if let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        for byte in mac.chain_update(body.as_bytes()).finalize().into_bytes() {
            let _ = write!(text, "{byte:02x}");
        }
    }
    text
}

/// The payload of 0.7.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookPayload)]
pub struct Payload<'a> {
    initiator: By,
    hook: Hook<'a>,
    data: v07::FileInfo<'a>,
    /// Where its original is, or was, delivered.
    #[schema(value_type = String, format = "uri")]
    file: OriginalUrl<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    previous_values: Option<Previous<'a>>,
}

impl<'a> Payload<'a> {
    fn new(event: &'a Event, webhook: &'a Webhook, public_key: &'a PublicKey) -> Self {
        let urls = &event.cause.urls;
        // Null where there was none, as documented.
        let previous = |metadata: &'a Metadata| Previous { metadata: (!metadata.is_empty()).then_some(metadata) };
        Self {
            initiator: By::new(&event.cause.initiator),
            hook: Hook {
                project_pub_key: Some(public_key),
                version: Some(webhook.version),
                ..Hook::new(event.kind, webhook)
            },
            data: v07::FileInfo::new(&event.file, urls).with_appdata(),
            file: OriginalUrl::new(&event.file, urls),
            previous_values: event.previous_metadata.as_ref().map(previous),
        }
    }
}

/// Who made it happen.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventInitiator)]
struct By {
    #[serde(rename = "type")]
    kind: &'static str,
    detail: Detail,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventInitiatorDetail)]
struct Detail {
    /// Which request it was.
    #[schema(required, value_type = Option<String>, format = "uuid")]
    request_id: Option<Uuid>,
    /// Which add-on it was: there are none yet.
    #[schema(required, value_type = Option<String>)]
    addon_name: (),
}

impl By {
    fn new(initiator: &Initiator) -> Self {
        let (kind, request_id) = match initiator {
            Initiator::Api { request_id } => ("api", Some(*request_id)),
            Initiator::System => ("system", None),
        };
        Self { kind, detail: Detail { request_id, addon_name: () } }
    }
}

/// The webhook, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventHook)]
struct Hook<'a> {
    id: WebhookId,
    project_id: ProjectId,
    /// Since 0.7.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    project_pub_key: Option<&'a PublicKey>,
    #[schema(format = "uri")]
    target: &'a str,
    /// What it is told of here, which a change of the webhook does not change.
    event: EventKind,
    is_active: bool,
    /// Since 0.7.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    version: Option<HookVersion>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl<'a> Hook<'a> {
    fn new(event: EventKind, webhook: &'a Webhook) -> Self {
        Self {
            id: webhook.id,
            project_id: webhook.project,
            project_pub_key: None,
            target: &webhook.target_url,
            event,
            is_active: webhook.is_active,
            version: None,
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
        }
    }
}

/// What has changed, as it was before.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventPreviousValues)]
struct Previous<'a> {
    #[schema(required)]
    metadata: Option<&'a Metadata>,
}

/// The payload of 0.6 and 0.5, as it was captured in 2021.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookPayloadOld)]
pub struct OldPayload<'a> {
    /// The vendor does not say of what it is a hash. Ours is of the payload without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required, nullable = false)]
    payload_hash: Option<String>,
    data: OldData<'a>,
    hook: Hook<'a>,
    /// Where its original is, or was, delivered.
    #[schema(value_type = String, format = "uri")]
    file: OriginalUrl<'a>,
}

impl<'a> OldPayload<'a> {
    fn new(event: &'a Event, webhook: &'a Webhook) -> Self {
        let urls = &event.cause.urls;
        Self {
            payload_hash: None,
            data: OldData::new(webhook.version, &event.file, urls),
            hook: Hook::new(event.kind, webhook),
            file: OriginalUrl::new(&event.file, urls),
        }
    }
}

/// A file as old payloads show it, with other members and in another order than the REST API.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventFileOld)]
struct OldData<'a> {
    uuid: FileId,
    #[schema(required)]
    image_info: Option<&'a ImageInfo>,
    #[schema(required)]
    video_info: Option<OldVideoInfo<'a>>,
    /// Since 0.6.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    content_info: Option<OldContentInfo<'a>>,
    mime_type: &'a str,
    original_filename: &'a str,
    size: u64,
    is_image: bool,
    is_ready: bool,
    #[schema(required)]
    datetime_removed: Option<Timestamp>,
    #[schema(required)]
    datetime_stored: Option<Timestamp>,
    datetime_uploaded: Timestamp,
    #[schema(required, value_type = Option<String>, format = "uri")]
    original_file_url: Option<OriginalUrl<'a>>,
    #[schema(value_type = String, format = "uri")]
    url: FileUrl<'a>,
    /// What it was copied from, in the answer that made it alone.
    #[schema(required, value_type = Option<String>)]
    source: (),
    /// What was converted from it: nothing yet.
    #[schema(required, value_type = Option<Object>)]
    variations: (),
    /// What was recognised in it: nothing yet.
    #[schema(required, value_type = Option<Object>)]
    rekognition_info: (),
}

/// `content_info` with a member for whatever the file is not.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventContentInfoOld)]
struct OldContentInfo<'a> {
    mime: &'a MimeInfo,
    #[schema(required)]
    video: Option<&'a VideoInfo>,
    #[schema(required)]
    image: Option<&'a ImageInfo>,
}

impl<'a> OldData<'a> {
    fn new(version: HookVersion, file: &'a File, urls: &'a PublicUrls) -> Self {
        let content = &file.content;
        let content_info =
            OldContentInfo { mime: &content.mime, video: content.video.as_ref(), image: content.image.as_ref() };
        Self {
            uuid: file.id,
            image_info: content.image.as_ref(),
            video_info: content.video.as_ref().and_then(OldVideoInfo::new),
            content_info: (version != HookVersion::V05).then_some(content_info),
            mime_type: &file.mime_type,
            original_filename: file.name.original(),
            size: file.size,
            is_image: file.is_image,
            is_ready: true,
            datetime_removed: file.removed_at,
            datetime_stored: file.stored_at,
            datetime_uploaded: file.uploaded_at,
            original_file_url: OriginalUrl::unless_removed(file, urls),
            url: FileUrl { id: file.id, urls },
            source: (),
            variations: (),
            rekognition_info: (),
        }
    }
}
