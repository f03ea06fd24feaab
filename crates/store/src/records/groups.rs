//! Groups.

use sqlx::FromRow;
use sqlx::types::Json;
use stowage_model::{FileId, Group, GroupId, Member, ProjectId, Timestamp};
use uuid::Uuid;

use super::engine::{Engine, read, transaction};
use super::insert::lock_times;
use super::{Records, RecordsError};

#[derive(FromRow)]
struct MemberRow {
    project: i64,
    created_at: i64,
    file: Uuid,
    effects: String,
}

impl Records {
    /// Records a group of these files, of which there must be at least one, in this order; answers its creation time, which
    /// no other group of the project has: `now`, or the first moment after it that is free.
    pub async fn create_group(
        &self,
        id: Uuid,
        project: ProjectId,
        members: &[Member],
        now: Timestamp,
    ) -> Result<Timestamp, RecordsError> {
        // `now` if it is free, else the gap behind the run of neighbours that begins there.
        const FREE: &str = "SELECT CASE \
             WHEN NOT EXISTS (SELECT 1 FROM groups WHERE project = $1 AND created_at = $2) THEN $2 \
             ELSE (SELECT a.created_at + 1 FROM groups a WHERE a.project = $1 AND a.created_at >= $2 AND NOT EXISTS \
                     (SELECT 1 FROM groups b WHERE b.project = a.project AND b.created_at = a.created_at + 1) \
                 ORDER BY a.created_at LIMIT 1) \
             END";
        const GROUP: &str = "INSERT INTO groups (id, project, created_at) VALUES ($1, $2, $3)";
        const MEMBERS_SQLITE: &str = "INSERT INTO group_files (\"group\", position, file, effects) \
             SELECT $1, m.value ->> 0, unhex(m.value ->> 1), m.value ->> 2 FROM json_each($2) m";
        const MEMBERS_POSTGRES: &str = "INSERT INTO group_files (\"group\", position, file, effects) \
             SELECT $1, (m ->> 0)::bigint, (m ->> 1)::uuid, m ->> 2 FROM jsonb_array_elements($2::jsonb) m";
        let insert = match self.engine() {
            Engine::Sqlite { .. } => MEMBERS_SQLITE,
            Engine::Postgres(_) => MEMBERS_POSTGRES,
        };
        let rows: Vec<(usize, String, &str)> = members
            .iter()
            .enumerate()
            .map(|(position, member)| (position, member.file.0.simple().to_string(), member.effects.as_str()))
            .collect();
        transaction!(self.engine(), tx => {
            // All groups of a project are made one after the other, so that a time that was found free stays free.
            lock_times!(self.engine(), tx, project)?;
            let time: i64 = sqlx::query_scalar(FREE).bind(project.0).bind(now.0).fetch_one(&mut *tx).await?;
            sqlx::query(GROUP).bind(id).bind(project.0).bind(time).execute(&mut *tx).await?;
            sqlx::query(insert).bind(id).bind(Json(&rows)).execute(&mut *tx).await?;
            tx.commit().await?;
            Ok(Timestamp(time))
        })
    }

    /// A group; none as well if it has another number of files than the id says.
    pub async fn group(&self, id: GroupId) -> Result<Option<Group>, RecordsError> {
        const SQL: &str = "SELECT g.project, g.created_at, m.file, m.effects \
             FROM groups g JOIN group_files m ON m.\"group\" = g.id WHERE g.id = $1 ORDER BY m.position";
        let rows: Vec<MemberRow> =
            read!(self.engine(), pool => sqlx::query_as(SQL).bind(id.uuid).fetch_all(pool).await)?;
        let Some(first) = rows.first().filter(|_| u32::try_from(rows.len()) == Ok(id.count)) else { return Ok(None) };
        let (project, created_at) = (ProjectId(first.project), Timestamp(first.created_at));
        let members = rows.into_iter().map(|row| Member { file: FileId(row.file), effects: row.effects }).collect();
        Ok(Some(Group { id, project, created_at, members }))
    }
}
