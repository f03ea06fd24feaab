//! Looking up files.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde::Deserialize;
use sqlx::FromRow;
use sqlx::types::Json;
use stowage_model::{BlobKey, ContentInfo, File, FileId, FileName, Metadata, ProjectId, Tags, Timestamp};
use tokio::sync::broadcast;
use uuid::Uuid;

use super::engine::{Engine, json_of, read};
use super::{HOT_FOR, Records, RecordsError};

/// How many files the process remembers at most, and how many bytes of them: metadata may be a hundred times as long as the
/// rest of a record.
const HOT_FILES: usize = 4096;
const HOT_BYTES: u64 = 8 << 20;

/// How many removals a listener may be behind before it misses some.
const TOLD_REMOVALS: usize = 4096;

/// How long another process's change of a file may go unseen by [`Records::polled_file`].
pub const POLLED_FOR: Duration = Duration::from_secs(10);

#[derive(Clone)]
struct ByLength;

impl Weighter<FileId, (Instant, Arc<File>)> for ByLength {
    fn weight(&self, _: &FileId, (_, file): &(Instant, Arc<File>)) -> u64 {
        let metadata: usize = file.metadata.pairs().map(|(key, value)| key.len() + value.len() + 64).sum();
        let tags: usize = file.tags.as_slice().iter().map(|tag| tag.len() + 24).sum();
        (1024 + file.name.original().len() + file.mime_type.len() + metadata + tags) as u64
    }
}

pub(super) struct HotFiles {
    cache: Cache<FileId, (Instant, Arc<File>), ByLength>,
    /// Counts changes, so that a file that was read before a change is not remembered after it.
    changes: AtomicU64,
    /// Tells which files this process has removed.
    removals: broadcast::Sender<FileId>,
}

impl HotFiles {
    pub(super) fn new() -> Self {
        Self {
            cache: Cache::with_weighter(HOT_FILES, HOT_BYTES, ByLength),
            changes: AtomicU64::new(0),
            removals: broadcast::Sender::new(TOLD_REMOVALS),
        }
    }

    /// To be called after files have come or gone.
    pub(super) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// To be called after the change of a file is committed.
    pub(super) fn forget(&self, id: FileId) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.cache.remove(&id);
    }

    /// The same after its removal.
    pub(super) fn removed(&self, id: FileId) {
        self.forget(id);
        // Nobody may listen.
        let _ = self.removals.send(id);
    }

    /// To be called after all files have gone at once. Nobody is told which.
    pub(super) fn wipe(&self) {
        let Self { cache, changes, removals: _ } = self;
        changes.fetch_add(1, Ordering::SeqCst);
        cache.clear();
    }
}

/// The columns of a [`FileRow`].
macro_rules! columns {
    () => {
        "id, project, uploaded_at, stored_at, removed_at, blob, size, etag, name, mime_type, is_image, content, metadata, \
         tags"
    };
}

/// The same columns as one JSON array, in SQLite.
macro_rules! json_columns {
    () => {
        "json_array(lower(hex(id)), project, uploaded_at, stored_at, removed_at, blob, size, etag, name, mime_type, is_image, \
         json(content), json(metadata), json(tags))"
    };
}

pub(super) use {columns, json_columns};

#[derive(FromRow)]
pub(super) struct FileRow {
    id: Uuid,
    project: i64,
    uploaded_at: i64,
    stored_at: Option<i64>,
    removed_at: Option<i64>,
    blob: Option<String>,
    size: i64,
    etag: String,
    name: String,
    mime_type: String,
    is_image: bool,
    content: Json<ContentInfo>,
    metadata: Json<Metadata>,
    tags: Json<Tags>,
}

/// A row as [`json_columns`] writes it.
#[derive(Deserialize)]
struct JsonRow(
    Uuid,
    i64,
    i64,
    Option<i64>,
    Option<i64>,
    Option<String>,
    i64,
    String,
    String,
    String,
    u8,
    ContentInfo,
    Metadata,
    Tags,
);

/// Files of an array of such rows.
pub(super) fn files_of_json(text: &str) -> Result<Vec<File>, RecordsError> {
    let rows: Vec<JsonRow> = serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let file = |row: JsonRow| {
        let row = FileRow {
            id: row.0,
            project: row.1,
            uploaded_at: row.2,
            stored_at: row.3,
            removed_at: row.4,
            blob: row.5,
            size: row.6,
            etag: row.7,
            name: row.8,
            mime_type: row.9,
            is_image: row.10 != 0,
            content: Json(row.11),
            metadata: Json(row.12),
            tags: Json(row.13),
        };
        File::from(row)
    };
    Ok(rows.into_iter().map(file).collect())
}

impl From<FileRow> for File {
    fn from(row: FileRow) -> Self {
        Self {
            id: FileId(row.id),
            project: ProjectId(row.project),
            uploaded_at: Timestamp(row.uploaded_at),
            stored_at: row.stored_at.map(Timestamp),
            removed_at: row.removed_at.map(Timestamp),
            blob: row.blob.map(BlobKey),
            size: u64::try_from(row.size).unwrap_or(0),
            etag: row.etag,
            name: FileName::new(&row.name),
            mime_type: row.mime_type,
            is_image: row.is_image,
            content: row.content.0,
            metadata: row.metadata.0,
            tags: row.tags.0,
        }
    }
}

impl Records {
    /// A file, removed or not, as it is now.
    pub async fn file(&self, id: FileId) -> Result<Option<File>, RecordsError> {
        const SQL: &str = concat!("SELECT ", columns!(), " FROM files WHERE id = $1");
        let row: Option<FileRow> =
            read!(self.engine(), pool => sqlx::query_as(SQL).bind(id.0).fetch_optional(pool).await)?;
        Ok(row.map(File::from))
    }

    /// Those of these files that there are, removed or not, as they are now; each once, in no particular order.
    pub async fn files(&self, ids: &[FileId]) -> Result<Vec<File>, RecordsError> {
        const SQLITE: &str =
            concat!("SELECT ", columns!(), " FROM files WHERE id IN (SELECT unhex(value) FROM json_each($1))");
        const POSTGRES: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM files WHERE id = ANY (ARRAY(SELECT value::uuid FROM jsonb_array_elements_text($1::jsonb)))"
        );
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let sql = match self.engine() {
            Engine::Sqlite { .. } => SQLITE,
            Engine::Postgres(_) => POSTGRES,
        };
        let ids = json_of(ids.iter().map(|id| id.0));
        let rows: Vec<FileRow> = read!(self.engine(), pool => sqlx::query_as(sql).bind(ids).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(File::from).collect())
    }

    /// A number that is another one after whatever this process did to any file; for those who remember what they were told.
    /// What other processes do does not change it.
    pub fn file_changes(&self) -> u64 {
        self.inner.files.changes.load(Ordering::SeqCst)
    }

    /// The files that this process removes from now on. A listener that is slow misses some, and what other processes remove
    /// is not told: [`Records::files`] knows.
    pub fn removals(&self) -> broadcast::Receiver<FileId> {
        self.inner.files.removals.subscribe()
    }

    /// A file, removed or not, for delivery: a change made by another process may go unseen for [`HOT_FOR`].
    pub async fn hot_file(&self, id: FileId) -> Result<Option<Arc<File>>, RecordsError> {
        self.file_within(id, HOT_FOR).await
    }

    /// A file, removed or not, for clients that ask again and again what has become of their upload: a change made by
    /// another process may go unseen for [`POLLED_FOR`].
    pub async fn polled_file(&self, id: FileId) -> Result<Option<Arc<File>>, RecordsError> {
        self.file_within(id, POLLED_FOR).await
    }

    async fn file_within(&self, id: FileId, age: Duration) -> Result<Option<Arc<File>>, RecordsError> {
        let hot = &self.inner.files;
        if let Some((since, file)) = hot.cache.get(&id)
            && since.elapsed() < age
        {
            return Ok(Some(file));
        }
        let changes = hot.changes.load(Ordering::SeqCst);
        // Boxed: the future of a request is small where the answer is at hand.
        let Some(file) = Box::pin(self.file(id)).await? else {
            hot.cache.remove(&id);
            return Ok(None);
        };
        let file = Arc::new(file);
        hot.cache.insert(id, (Instant::now(), Arc::clone(&file)));
        if hot.changes.load(Ordering::SeqCst) != changes {
            hot.cache.remove(&id);
        }
        Ok(Some(file))
    }
}
