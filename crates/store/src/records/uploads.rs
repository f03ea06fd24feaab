//! Multipart uploads from their start to their end; what arrives is in `arrivals`, and completing in `complete`.

use sqlx::FromRow;
use sqlx::types::Json;
use stowage_model::{BlobKey, FileId, FileName, Metadata, ProjectId, Tags, Timestamp, Upload};
use uuid::Uuid;

use super::engine::{Engine, read, transaction, write};
use super::{Records, RecordsError};

/// The columns of an [`UploadRow`].
macro_rules! columns {
    () => {
        "id, project, started_at, expires_at, size, part_size, blob, blob_upload, completed_at, name, mime_type, stored, \
         metadata, tags, source"
    };
}

#[derive(FromRow)]
struct UploadRow {
    id: Uuid,
    project: i64,
    started_at: i64,
    expires_at: i64,
    size: i64,
    part_size: i64,
    blob: String,
    blob_upload: Option<String>,
    completed_at: Option<i64>,
    name: String,
    mime_type: String,
    stored: bool,
    metadata: Json<Metadata>,
    tags: Json<Tags>,
    source: Option<String>,
}

/// An upload, and whether one part of it has arrived.
#[derive(FromRow)]
struct PartRow {
    #[sqlx(flatten)]
    upload: UploadRow,
    arrived: bool,
}

impl From<UploadRow> for Upload {
    fn from(row: UploadRow) -> Self {
        Self {
            id: FileId(row.id),
            project: ProjectId(row.project),
            started_at: Timestamp(row.started_at),
            expires_at: Timestamp(row.expires_at),
            size: u64::try_from(row.size).unwrap_or(0),
            part_size: u64::try_from(row.part_size).unwrap_or(0),
            blob: BlobKey(row.blob),
            blob_upload: row.blob_upload,
            completed: row.completed_at.is_some(),
            name: FileName::new(&row.name),
            mime_type: row.mime_type,
            stored: row.stored,
            metadata: row.metadata.0,
            tags: row.tags.0,
            source: row.source,
        }
    }
}

impl Records {
    /// Records that an upload was started.
    pub async fn start_upload(&self, upload: &Upload) -> Result<(), RecordsError> {
        const SQL: &str = "INSERT INTO uploads (id, project, started_at, expires_at, size, part_size, blob, blob_upload, \
             name, mime_type, stored, metadata, tags, source) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        Ok(write!(self.engine(), pool => {
            sqlx::query(SQL)
                .bind(upload.id.0)
                .bind(upload.project.0)
                .bind(upload.started_at.0)
                .bind(upload.expires_at.0)
                .bind(i64::try_from(upload.size).unwrap_or(i64::MAX))
                .bind(i64::try_from(upload.part_size).unwrap_or(i64::MAX))
                .bind(&upload.blob.0)
                .bind(upload.blob_upload.as_deref())
                .bind(upload.name.original())
                .bind(&upload.mime_type)
                .bind(upload.stored)
                .bind(Json(&upload.metadata))
                .bind(Json(&upload.tags))
                .bind(upload.source.as_deref())
                .execute(pool)
                .await
                .map(drop)
        })?)
    }

    /// An upload, open, expired or completed.
    pub async fn upload(&self, id: FileId) -> Result<Option<Upload>, RecordsError> {
        const SQL: &str = concat!("SELECT ", columns!(), " FROM uploads WHERE id = $1");
        let row: Option<UploadRow> =
            read!(self.engine(), pool => sqlx::query_as(SQL).bind(id.0).fetch_optional(pool).await)?;
        Ok(row.map(Upload::from))
    }

    /// An upload, open, expired or completed, and whether this part of it has arrived.
    pub async fn upload_for_part(&self, id: FileId, number: u32) -> Result<Option<(Upload, bool)>, RecordsError> {
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            ", EXISTS (SELECT 1 FROM upload_parts p WHERE p.upload = u.id AND p.number = $2) AS arrived ",
            "FROM uploads u WHERE id = $1"
        );
        let row: Option<PartRow> = read!(self.engine(), pool => {
            sqlx::query_as(SQL).bind(id.0).bind(i64::from(number)).fetch_optional(pool).await
        })?;
        Ok(row.map(|row| (row.upload.into(), row.arrived)))
    }

    /// Forgets that a part has arrived, because it is about to be written again; false, and nothing is changed, if the
    /// upload is completed, expired or gone: then nobody may write to its blob any more.
    pub async fn begin_part(&self, id: FileId, number: u32, now: Timestamp) -> Result<bool, RecordsError> {
        const OPEN_SQLITE: &str = "SELECT id FROM uploads WHERE id = $1 AND completed_at IS NULL AND expires_at > $2";
        const OPEN_POSTGRES: &str =
            "SELECT id FROM uploads WHERE id = $1 AND completed_at IS NULL AND expires_at > $2 FOR SHARE";
        const FORGET: &str = "DELETE FROM upload_parts WHERE upload = $1 AND number = $2";
        let sql = match self.engine() {
            Engine::Sqlite { .. } => OPEN_SQLITE,
            Engine::Postgres(_) => OPEN_POSTGRES,
        };
        let open: Option<Uuid> = transaction!(self.engine(), tx => {
            let open = sqlx::query_scalar(sql).bind(id.0).bind(now.0).fetch_optional(&mut *tx).await?;
            if open.is_some() {
                sqlx::query(FORGET).bind(id.0).bind(i64::from(number)).execute(&mut *tx).await?;
            }
            tx.commit().await?;
            open
        });
        Ok(open.is_some())
    }

    /// The parts of an upload that have arrived, ordered by number: number, length in bytes, `ETag`.
    pub async fn upload_parts(&self, id: FileId) -> Result<Vec<(u32, u64, String)>, RecordsError> {
        const SQL: &str = "SELECT number, size, etag FROM upload_parts WHERE upload = $1 ORDER BY number";
        let rows: Vec<(i64, i64, String)> =
            read!(self.engine(), pool => sqlx::query_as(SQL).bind(id.0).fetch_all(pool).await)?;
        let part = |(number, size, etag)| (u32::try_from(number).unwrap_or(0), u64::try_from(size).unwrap_or(0), etag);
        Ok(rows.into_iter().map(part).collect())
    }

    /// Deletes an upload that is not completed, and its parts, and lets go of its blob, in one transaction; false if it was
    /// completed or is gone.
    pub async fn discard_upload(&self, id: FileId, now: Timestamp) -> Result<bool, RecordsError> {
        // Its parts go with it.
        const DELETE: &str = "DELETE FROM uploads WHERE id = $1 AND completed_at IS NULL RETURNING blob";
        const DISCARD: &str = "INSERT INTO garbage (blob, since) VALUES ($1, $2) ON CONFLICT (blob) DO NOTHING";
        let blob: Option<String> = transaction!(self.engine(), tx => {
            let blob: Option<String> = sqlx::query_scalar(DELETE).bind(id.0).fetch_optional(&mut *tx).await?;
            if let Some(blob) = &blob {
                sqlx::query(DISCARD).bind(blob).bind(now.0).execute(&mut *tx).await?;
            }
            tx.commit().await?;
            blob
        });
        Ok(blob.is_some())
    }

    /// Up to `limit` uploads that were not completed in time, oldest first.
    pub async fn expired_uploads(&self, now: Timestamp, limit: u32) -> Result<Vec<Upload>, RecordsError> {
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM uploads WHERE completed_at IS NULL AND expires_at <= $1 ORDER BY expires_at LIMIT $2"
        );
        let rows: Vec<UploadRow> = read!(self.engine(), pool => {
            sqlx::query_as(SQL).bind(now.0).bind(i64::from(limit)).fetch_all(pool).await
        })?;
        Ok(rows.into_iter().map(Upload::from).collect())
    }

    /// Deletes up to `limit` completed uploads whose time would be over; answers how many. Until then a second completion
    /// is told from one of an unknown upload.
    pub async fn purge_uploads(&self, now: Timestamp, limit: u32) -> Result<u64, RecordsError> {
        const SQL: &str = "DELETE FROM uploads WHERE id IN (SELECT id FROM uploads \
             WHERE completed_at IS NOT NULL AND expires_at <= $1 ORDER BY expires_at LIMIT $2)";
        Ok(write!(self.engine(), pool => {
            sqlx::query(SQL).bind(now.0).bind(i64::from(limit)).execute(pool).await.map(|done| done.rows_affected())
        })?)
    }
}
