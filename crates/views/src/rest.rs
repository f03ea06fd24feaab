//! What the versions of the REST API have in common, and what tells them apart (REST API reference, "Versions").

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};
use stowage_model::project::Collaborator;
use stowage_model::{
    EventKind, File, FileId, Group, GroupId, HookVersion, Member, Project, ProjectId, PublicKey, PublicUrls, Timestamp,
    Webhook, WebhookId,
};
use utoipa::ToSchema;

use crate::highlight::Highlight;
use crate::{v05, v06, v07};

/// The type of a file whose content is not known yet.
pub(crate) const UNPROCESSED_TYPE: &str = "application/octet-stream";

/// The address of a file in the REST API.
#[derive(Clone, Copy, Debug)]
pub struct FileUrl<'a> {
    /// The file.
    pub id: FileId,
    /// The public addresses.
    pub urls: &'a PublicUrls,
}

impl fmt::Display for FileUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/files/{}/", self.urls.rest, self.id)
    }
}

impl Serialize for FileUrl<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The address under which the original of a file is, or was, delivered.
#[derive(Clone, Copy, Debug)]
pub struct OriginalUrl<'a> {
    file: &'a File,
    urls: &'a PublicUrls,
}

impl<'a> OriginalUrl<'a> {
    /// The address of a file, removed or not.
    pub fn new(file: &'a File, urls: &'a PublicUrls) -> Self {
        Self { file, urls }
    }

    pub(crate) fn unless_removed(file: &'a File, urls: &'a PublicUrls) -> Option<Self> {
        file.removed_at.is_none().then_some(Self { file, urls })
    }
}

impl fmt::Display for OriginalUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.urls.cdn, self.file.id, self.file.name.sanitised())
    }
}

impl Serialize for OriginalUrl<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A file as a version shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = File)]
pub enum FileInfo<'a> {
    /// By 0.5.
    V05(v05::FileInfo<'a>),
    /// By 0.6.
    V06(v06::FileInfo<'a>),
    /// By 0.7.
    V07(v07::FileInfo<'a>),
}

impl<'a> FileInfo<'a> {
    /// Shows a file.
    pub fn new(version: HookVersion, file: &'a File, urls: &'a PublicUrls) -> Self {
        match version {
            HookVersion::V05 => Self::V05(v05::FileInfo::new(file, urls)),
            HookVersion::V06 => Self::V06(v06::FileInfo::new(file, urls)),
            HookVersion::V07 => Self::V07(v07::FileInfo::new(file, urls)),
        }
    }

    /// Shows what is only shown on demand as well: `appdata` by 0.7, `rekognition_info` before.
    #[must_use]
    pub fn with_extras(self) -> Self {
        match self {
            Self::V05(info) => Self::V05(info.with_rekognition()),
            Self::V06(info) => Self::V06(info.with_rekognition()),
            Self::V07(info) => Self::V07(info.with_appdata()),
        }
    }

    /// Shows as well where a search has found it, by 0.7.
    #[must_use]
    pub fn with_highlight(self, highlight: Option<Highlight>) -> Self {
        match self {
            Self::V07(info) => Self::V07(info.with_highlight(highlight)),
            older => older,
        }
    }

    /// Shows the file as the answer does that made it by copying `source`.
    #[must_use]
    pub fn copied_from(self, source: FileId) -> Self {
        match self {
            Self::V05(info) => Self::V05(info.copied_from(source)),
            Self::V06(info) => Self::V06(info.unprocessed()),
            Self::V07(info) => Self::V07(info.unprocessed()),
        }
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The address of the page behind this one.
    #[schema(required, format = "uri")]
    pub next: Option<String>,
    /// The address of the page in front of this one.
    #[schema(required, format = "uri")]
    pub previous: Option<String>,
    /// How many items the list has on all pages.
    pub total: u64,
    /// How many files the project has; only in lists of files, since 0.7.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub totals: Option<Totals>,
    /// How many items a page has at most.
    pub per_page: u32,
    /// The items.
    pub results: Vec<T>,
}

/// How many files a project has.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Totals {
    /// Removed ones whose records are still there.
    pub removed: u64,
    /// Stored ones.
    pub stored: u64,
    /// Temporary ones.
    pub unstored: u64,
}

/// The answer to storing or removing many files.
#[derive(Debug, Serialize, ToSchema)]
pub struct Batch<'a> {
    status: &'static str,
    #[serde(rename = "problems", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = BTreeMap<String, String>)]
    problems_first: Option<Problems<'a>>,
    result: Vec<FileInfo<'a>>,
    /// What is wrong with the ids that were sent and are not in the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = BTreeMap<String, String>)]
    problems: Option<Problems<'a>>,
}

/// What is wrong with the ids that were sent.
pub type Problems<'a> = BTreeMap<&'a str, &'static str>;

impl<'a> Batch<'a> {
    /// Shows what was changed, and which ids were not found; 0.5 told the problems first.
    pub fn new(version: HookVersion, result: Vec<FileInfo<'a>>, problems: Problems<'a>) -> Self {
        let (problems_first, problems) =
            if version == HookVersion::V05 { (Some(problems), None) } else { (None, Some(problems)) };
        Self { status: "ok", problems_first, result, problems }
    }
}

/// The answer to copying a file into its own project.
#[derive(Debug, Serialize, ToSchema)]
pub struct Copied<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    result: FileInfo<'a>,
}

impl<'a> Copied<'a> {
    /// Shows the copy.
    pub fn new(result: FileInfo<'a>) -> Self {
        Self { kind: "file", result }
    }
}

/// The answer to copying a file to a storage.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FileRemoteCopy)]
pub struct Sent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    /// Where the copy is: `s3://bucket/key`.
    result: &'a str,
}

impl<'a> Sent<'a> {
    /// Shows where the copy is.
    pub fn new(result: &'a str) -> Self {
        Self { kind: "url", result }
    }
}

/// A group, in lists without its files.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Group)]
pub struct GroupInfo<'a> {
    id: String,
    datetime_created: Timestamp,
    /// Gone since 0.7, and null before: groups are not stored, their files are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Timestamp>)]
    datetime_stored: Option<()>,
    files_count: u32,
    /// Where the group is delivered.
    #[schema(format = "uri")]
    cdn_url: String,
    /// Its address in the REST API.
    #[schema(format = "uri")]
    url: String,
    /// Its files in order, removed ones as well; null in the place of one whose record is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    files: Option<Vec<Option<MemberInfo<'a>>>>,
}

/// A file of a group.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
struct MemberInfo<'a> {
    #[serde(flatten)]
    info: FileInfo<'a>,
    /// The operations with which it was put in, without the first `-/`; empty for none.
    default_effects: &'a str,
}

impl<'a> GroupInfo<'a> {
    /// Shows a group as lists do.
    pub fn listed(version: HookVersion, id: GroupId, created_at: Timestamp, urls: &PublicUrls) -> Self {
        Self {
            id: id.to_string(),
            datetime_created: created_at,
            datetime_stored: (version != HookVersion::V07).then_some(()),
            files_count: id.count,
            cdn_url: format!("{}/{id}/", urls.cdn),
            url: format!("{}/groups/{id}/", urls.rest),
            files: None,
        }
    }

    /// Shows a group with its files, removed ones as well; one that `file` does not find is null.
    pub fn whole(
        version: HookVersion,
        group: &'a Group,
        urls: &'a PublicUrls,
        file: impl Fn(FileId) -> Option<&'a File>,
    ) -> Self {
        let member = |member: &'a Member| {
            let info = FileInfo::new(version, file(member.file)?, urls);
            Some(MemberInfo { info, default_effects: &member.effects })
        };
        let files = Some(group.members.iter().map(member).collect());
        Self { files, ..Self::listed(version, group.id, group.created_at, urls) }
    }
}

/// A webhook.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookInfo<'a> {
    id: WebhookId,
    created: Timestamp,
    updated: Timestamp,
    event: EventKind,
    #[schema(format = "uri")]
    target_url: &'a str,
    project: ProjectId,
    is_active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    version: Option<HookVersion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    signing_secret: Option<Secret<'a>>,
}

/// With what payloads are signed, or null.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Secret<'a>(Option<&'a str>);

impl<'a> WebhookInfo<'a> {
    /// Shows a webhook; signing secrets came with 0.6, versions of webhooks with 0.7.
    pub fn new(version: HookVersion, webhook: &'a Webhook) -> Self {
        Self {
            id: webhook.id,
            created: webhook.created_at,
            updated: webhook.updated_at,
            event: webhook.event,
            target_url: &webhook.target_url,
            project: webhook.project,
            is_active: webhook.is_active,
            version: (version == HookVersion::V07).then_some(webhook.version),
            signing_secret: (version != HookVersion::V05).then_some(Secret(webhook.signing_secret.as_deref())),
        }
    }
}

/// A project.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Project)]
pub struct ProjectInfo<'a> {
    collaborators: &'a [Collaborator],
    name: &'a str,
    pub_key: &'a PublicKey,
    autostore_enabled: bool,
}

impl<'a> ProjectInfo<'a> {
    /// Shows a project.
    pub fn new(project: &'a Project) -> Self {
        Self {
            collaborators: &project.settings.collaborators,
            name: &project.settings.name,
            pub_key: &project.public_key,
            autostore_enabled: project.settings.autostore,
        }
    }
}
