//! From the manifest to a seed that is good by itself, whatever there is already.

use std::fmt::Display;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};
use stowage_model::group::MAX_FILES;
use stowage_model::webhook::{MAX_SECRET_CHARS, MAX_TARGET_CHARS};
use stowage_model::{
    EventKind, FileId, FileName, GroupId, HookVersion, Metadata, PublicKey, StorageName, StorageSettings, Tags,
    media_type,
};
use stowage_store::records::{Declared, NewWebhook};

use super::content::{Content, Parts};
use super::manifest::{FileEntry, GroupEntry, Manifest, WebhookEntry, settings, take};
use super::when::When;
use super::{Bundle, Hook, Item, Seed, Store, wrong};
use crate::DevError;
use crate::faults::Faults;

/// The longest name of where a file comes from, in characters, as for uploads.
const MAX_SOURCE: usize = 64;

pub(super) async fn read(parts: &Parts) -> Result<Seed, DevError> {
    let Manifest { projects, storages, webhooks, files, groups, faults, holds } = Manifest::parse(&parts.manifest)?;
    let projects = each("projects", projects, project)?;
    for (index, declared) in projects.iter().enumerate() {
        if projects[..index].iter().any(|other| other.public_key == declared.public_key) {
            return Err(wrong(format!("projects[{index}].public_key"), "another project of the seed has it"));
        }
    }
    let first = projects.first().map(|first| &first.public_key);
    let storages = each("storages", storages, |entry, place| storage(entry, place, first))?;
    let webhooks = each("webhooks", webhooks, |entry, place| webhook(entry, place, first))?;
    let mut items = Vec::with_capacity(files.len());
    for (index, entry) in files.into_iter().enumerate() {
        items.push(item(entry, &format!("files[{index}]"), first, parts).await?);
    }
    let groups = each("groups", groups, |entry, place| bundle(entry, place, first))?;
    for (index, fault) in faults.iter().enumerate() {
        Faults::check(fault).map_err(|what| wrong(format!("faults[{index}]"), what))?;
    }
    for (index, hold) in holds.iter().enumerate() {
        hold.check().map_err(|fault| wrong(format!("holds[{index}]"), fault))?;
    }
    Ok(Seed { projects, storages, webhooks, files: items, groups, faults, holds })
}

fn each<E, T>(list: &str, entries: Vec<E>, read: impl Fn(E, &str) -> Result<T, DevError>) -> Result<Vec<T>, DevError> {
    entries.into_iter().enumerate().map(|(index, entry)| read(entry, &format!("{list}[{index}]"))).collect()
}

/// Reads a text of an entry; what is wrong is said with its place.
fn text<T: std::str::FromStr<Err: Display>>(text: &str, place: &str, key: &str) -> Result<T, DevError> {
    text.parse().map_err(|fault| wrong(format!("{place}.{key}"), fault))
}

fn owner(named: Option<&str>, place: &str, first: Option<&PublicKey>) -> Result<Option<PublicKey>, DevError> {
    match named {
        Some(key) => text(key, place, "project").map(Some),
        None => Ok(first.cloned()),
    }
}

fn missing(place: &str, key: &str) -> DevError {
    wrong(format!("{place}.{key}"), "it is missing")
}

fn project(mut entry: Map<String, Value>, place: &str) -> Result<Declared, DevError> {
    let key = take(&mut entry, "public_key", place)?.ok_or_else(|| missing(place, "public_key"))?;
    let public_key = text(&key, place, "public_key")?;
    let secrets = entry.remove("secret_keys").unwrap_or_else(|| Value::Array(Vec::new()));
    // Said without the values: they are secret.
    let secret_keys: Vec<String> =
        serde_json::from_value(secrets).map_err(|_| wrong(format!("{place}.secret_keys"), "it is a list of texts"))?;
    if secret_keys.iter().any(String::is_empty) {
        return Err(wrong(format!("{place}.secret_keys"), "one is empty: anybody could sign with it"));
    }
    Ok(Declared { public_key, secret_keys, settings: settings(entry, place)? })
}

fn storage(mut entry: Map<String, Value>, place: &str, first: Option<&PublicKey>) -> Result<Store, DevError> {
    let project = owner(take(&mut entry, "project", place)?.as_deref(), place, first)?;
    let name = take(&mut entry, "name", place)?.ok_or_else(|| missing(place, "name"))?;
    let name: StorageName = text(&name, place, "name")?;
    let settings: StorageSettings = settings(entry, place)?;
    match settings.fault() {
        Some(fault) => Err(wrong(place, fault)),
        None => Ok(Store { project, name, settings }),
    }
}

fn webhook(entry: WebhookEntry, place: &str, first: Option<&PublicKey>) -> Result<Hook, DevError> {
    let WebhookEntry { project, target_url, event, signing_secret, is_active } = entry;
    let project = owner(project.as_deref(), place, first)?;
    let event: EventKind =
        event.parse().map_err(|fault| wrong(format!("{place}.event"), format!("`{event}` is {fault}")))?;
    let wrong_target = |what: &dyn Display| wrong(format!("{place}.target_url"), what);
    if target_url.contains(':') {
        stowage_fetch::parse(&target_url).map_err(|fault| wrong_target(&fault))?;
        if target_url.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(wrong_target(&"it has blanks in it"));
        }
        if target_url.chars().count() > MAX_TARGET_CHARS {
            return Err(wrong_target(&format!("it is longer than {MAX_TARGET_CHARS} characters")));
        }
    } else if !is_capture_name(&target_url) {
        return Err(wrong_target(&"it is a URL, or the name of a capture address: 1 to 64 of A-Z a-z 0-9 . _ -"));
    }
    if signing_secret.as_ref().is_some_and(|secret| secret.is_empty() || secret.chars().count() > MAX_SECRET_CHARS) {
        return Err(wrong(format!("{place}.signing_secret"), format!("it has 1 to {MAX_SECRET_CHARS} characters")));
    }
    let is_active = is_active.unwrap_or(true);
    Ok(Hook { project, new: NewWebhook { event, target_url, is_active, version: HookVersion::V07, signing_secret } })
}

/// Whether this may be the name of a capture address.
fn is_capture_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

async fn item(entry: FileEntry, place: &str, first: Option<&PublicKey>, parts: &Parts) -> Result<Item, DevError> {
    let FileEntry { project, path, text: written, base64, uuid, name, mime_type, .. } = &entry;
    let project = owner(project.as_deref(), place, first)?;
    let content = match (path, written, base64) {
        (Some(path), None, None) => parts.content(path, &format!("{place}.path")).await?,
        (None, Some(text), None) => Arc::new(Content::of_bytes(Bytes::from(text.clone()))),
        (None, None, Some(text)) => {
            let bytes = STANDARD.decode(text).map_err(|fault| wrong(format!("{place}.base64"), fault))?;
            Arc::new(Content::of_bytes(bytes.into()))
        }
        _ => return Err(wrong(place, "one of `path`, `text` and `base64` says what is in the file")),
    };
    if content.size == 0 {
        return Err(wrong(place, "the file is empty"));
    }
    let id: Option<FileId> = uuid.as_deref().map(|uuid| text(uuid, place, "uuid")).transpose()?;
    let name = FileName::new(name.as_deref().or(path.as_deref()).unwrap_or_default());
    if mime_type.as_deref().is_some_and(|mime_type| !media_type::is_well_formed(mime_type)) {
        return Err(wrong(format!("{place}.mime_type"), "it is a media type like image/png"));
    }
    let pairs = entry.metadata.iter().map(|(key, value)| (key.as_str(), value.as_bytes()));
    let metadata = Metadata::from_pairs(pairs).map_err(|refusal| wrong(format!("{place}.metadata"), refusal))?;
    let tags = Tags::from_texts(entry.tags.iter().map(String::as_str));
    let tags = tags.map_err(|refusal| wrong(format!("{place}.tags"), refusal))?;
    if entry.source.as_deref().is_some_and(|source| source.chars().count() > MAX_SOURCE) {
        return Err(wrong(format!("{place}.source"), format!("it is longer than {MAX_SOURCE} characters")));
    }
    let stored = entry.stored.unwrap_or(true);
    let uploaded_at = when(entry.uploaded_at.as_deref(), place, "uploaded_at")?;
    let stored_at = when(entry.stored_at.as_deref(), place, "stored_at")?;
    if stored_at.is_some() && !stored {
        return Err(wrong(format!("{place}.stored_at"), "the file is not stored"));
    }
    let FileEntry { path, mime_type, source, .. } = entry;
    Ok(Item { project, path, content, id, name, mime_type, metadata, tags, stored, uploaded_at, stored_at, source })
}

fn when(written: Option<&str>, place: &str, key: &str) -> Result<Option<When>, DevError> {
    written.map(|written| text(written, place, key)).transpose()
}

fn bundle(entry: GroupEntry, place: &str, first: Option<&PublicKey>) -> Result<Bundle, DevError> {
    let GroupEntry { project, id, files, created_at } = entry;
    let project = owner(project.as_deref(), place, first)?;
    if files.is_empty() || files.len() > MAX_FILES {
        return Err(wrong(format!("{place}.files"), format!("a group has 1 to {MAX_FILES} files")));
    }
    let id = match id.as_deref() {
        None => None,
        Some(id) if id.contains('~') => {
            let GroupId { uuid, count } = text(id, place, "id")?;
            if usize::try_from(count) != Ok(files.len()) {
                return Err(wrong(format!("{place}.id"), format!("the group has {} files", files.len())));
            }
            Some(uuid)
        }
        Some(id) => Some(text::<FileId>(id, place, "id")?.0),
    };
    let created_at = when(created_at.as_deref(), place, "created_at")?;
    Ok(Bundle { project, id, members: files, created_at })
}
