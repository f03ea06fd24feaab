//! Groups.

use sqlx::FromRow;
use sqlx::types::Json;
use stowage_model::{FileId, Group, GroupId, Member, ProjectId, Timestamp};
use uuid::Uuid;

use super::engine::{Engine, read, transaction, write};
use super::insert::lock_times;
use super::list::{Edge, Listed};
use super::{Records, RecordsError};

/// A page of the list of a project's groups. The edges do not have the group itself that was made at that moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupPage {
    /// Whether the group that was made last comes first.
    pub descending: bool,
    /// Where the page begins or ends; at the beginning of the list where there is nothing.
    pub edge: Option<Edge<Timestamp>>,
    /// How many groups next to the edge, or at the beginning, are skipped.
    pub offset: u32,
    /// The most groups of the page.
    pub limit: u32,
}

/// A group in a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupEntry {
    /// Its id, which tells how many files it has.
    pub id: GroupId,
    /// When it was made; unique in its project.
    pub created_at: Timestamp,
}

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
        const GROUP: &str = "INSERT INTO groups (id, project, created_at, files) VALUES ($1, $2, $3, $4)";
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
        let files = i64::try_from(members.len()).unwrap_or(i64::MAX);
        transaction!(self.engine(), tx => {
            // All groups of a project are made one after the other, so that a time that was found free stays free.
            lock_times!(self.engine(), tx, project)?;
            let time: i64 = sqlx::query_scalar(FREE).bind(project.0).bind(now.0).fetch_one(&mut *tx).await?;
            sqlx::query(GROUP).bind(id).bind(project.0).bind(time).bind(files).execute(&mut *tx).await?;
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

    /// The project of a group and its file at a place, counted from 0; no file behind the last one. None where there is no such
    /// group, as for [`Records::group`].
    pub async fn group_member(
        &self,
        id: GroupId,
        place: u32,
    ) -> Result<Option<(ProjectId, Option<Member>)>, RecordsError> {
        let row: Option<(i64, Option<Uuid>, Option<String>)> = read!(self.engine(), pool => {
            sqlx::query_as(MEMBER)
                .bind(id.uuid)
                .bind(i64::from(id.count))
                .bind(i64::from(place))
                .fetch_optional(pool)
                .await
        })?;
        let Some((project, file, effects)) = row else { return Ok(None) };
        let member = file.zip(effects).map(|(file, effects)| Member { file: FileId(file), effects });
        Ok(Some((ProjectId(project), member)))
    }

    /// A page of the groups of a project.
    pub async fn list_groups(&self, project: ProjectId, page: &GroupPage) -> Result<Listed<GroupEntry>, RecordsError> {
        let GroupPage { descending, edge, offset, limit } = *page;
        let backwards = matches!(edge, Some(Edge::Before(_)));
        let down = descending != backwards;
        let begin = match edge {
            Some(Edge::After(time) | Edge::Before(time)) => time.0,
            None if down => i64::MAX,
            None => i64::MIN,
        };
        let rows: Vec<(Uuid, i64, i64)> = read!(self.engine(), pool => {
            sqlx::query_as(page_sql(down))
                .bind(project.0)
                .bind(begin)
                .bind(i64::from(limit) + 1)
                .bind(i64::from(offset))
                .fetch_all(pool)
                .await
        })?;
        let behind = if edge.is_none() && offset == 0 {
            false
        } else {
            let (other_side, on_the_way): (bool, bool) = read!(self.engine(), pool => {
                sqlx::query_as(around_sql(down)).bind(project.0).bind(begin).fetch_one(pool).await
            })?;
            other_side || (offset > 0 && on_the_way)
        };
        let entry = |(uuid, created_at, files)| {
            let count = u32::try_from(files).unwrap_or(u32::MAX);
            GroupEntry { id: GroupId { uuid, count }, created_at: Timestamp(created_at) }
        };
        Ok(Listed::of_walk(rows.into_iter().map(entry).collect(), limit, backwards, behind))
    }

    /// Deletes a group and leaves its files alone; false if the project has no such group.
    pub async fn delete_group(&self, project: ProjectId, id: GroupId) -> Result<bool, RecordsError> {
        const SQL: &str = "DELETE FROM groups WHERE id = $1 AND project = $2 AND files = $3";
        let deleted = write!(self.engine(), pool => {
            sqlx::query(SQL)
                .bind(id.uuid)
                .bind(project.0)
                .bind(i64::from(id.count))
                .execute(pool)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(deleted > 0)
    }
}

/// One place of a group.
const MEMBER: &str = "SELECT g.project, m.file, m.effects FROM groups g \
     LEFT JOIN group_files m ON m.\"group\" = g.id AND m.position = $3 WHERE g.id = $1 AND g.files = $2";

/// Groups that were made later than `$2`, or earlier: `$3` of them behind the first `$4`.
pub(super) fn page_sql(down: bool) -> &'static str {
    const UP: &str = "SELECT id, created_at, files FROM groups WHERE project = $1 AND created_at > $2 \
         ORDER BY created_at LIMIT $3 OFFSET $4";
    const DOWN: &str = "SELECT id, created_at, files FROM groups WHERE project = $1 AND created_at < $2 \
         ORDER BY created_at DESC LIMIT $3 OFFSET $4";
    if down { DOWN } else { UP }
}

/// Whether there is a group whose time compares like this with `$2`.
macro_rules! is_one {
    ($compares:literal) => {
        concat!(
            "(SELECT 1 FROM groups WHERE project = $1 AND created_at ",
            $compares,
            " $2 ORDER BY created_at LIMIT 1) IS NOT NULL"
        )
    };
}

/// Whether there is a group on the other side of `$2`, and whether there is one on the way; ordered as in `list`.
pub(super) fn around_sql(down: bool) -> &'static str {
    const UP: &str = concat!("SELECT ", is_one!("<="), ", ", is_one!(">"));
    const DOWN: &str = concat!("SELECT ", is_one!(">="), ", ", is_one!("<"));
    if down { DOWN } else { UP }
}
