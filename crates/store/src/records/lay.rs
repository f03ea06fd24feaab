//! Laying down files as they shall be, many at once: for data sets of tests, which are made and not uploaded.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use stowage_model::{File, Group};

use super::carry::carried;
use super::engine::transaction;
use super::insert::is_taken;
use super::{Records, RecordsError};

/// The most rows of a statement.
const ROWS: usize = 1000;

impl Records {
    /// Records files and groups as they are, all or none, and tells nobody. Several files may have the same blob. False if an id or a
    /// time is taken.
    pub async fn lay(&self, files: &[File], groups: &[Group]) -> Result<bool, RecordsError> {
        let mut statements = Vec::new();
        let members = groups.iter().flat_map(members_of).collect();
        let groups = groups.iter().map(group_row).collect();
        for (name, rows) in
            [("files", files.iter().map(file_row).collect()), ("groups", groups), ("group_files", members)]
        {
            let rows: Vec<Value> = rows;
            let Some(table) = carried().find(|table| table.name == name) else { continue };
            let sql = table.write_sql(self.engine());
            statements.extend(rows.chunks(ROWS).map(|rows| (sql.clone(), json!(rows).to_string())));
        }
        let laid = lay(self, statements).await;
        self.inner.files.changed();
        match laid {
            Ok(()) => Ok(true),
            Err(error) if is_taken(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

async fn lay(records: &Records, statements: Vec<(String, String)>) -> Result<(), sqlx::Error> {
    transaction!(records.engine(), tx => {
        for (sql, rows) in statements {
            sqlx::query(AssertSqlSafe(sql)).bind(rows).execute(&mut *tx).await?;
        }
        tx.commit().await
    })
}

fn file_row(file: &File) -> Value {
    json!({
        "id": file.id.0.simple().to_string(),
        "project": file.project,
        "uploaded_at": file.uploaded_at.0,
        "stored_at": file.stored_at.map(|time| time.0),
        "removed_at": file.removed_at.map(|time| time.0),
        "blob": file.blob,
        "size": file.size,
        "etag": file.etag,
        "name": file.name.original(),
        "mime_type": file.mime_type,
        "is_image": file.is_image,
        "content": file.content,
        "metadata": file.metadata,
        "tags": file.tags,
        "source": Value::Null,
    })
}

fn group_row(group: &Group) -> Value {
    json!({
        "id": group.id.uuid.simple().to_string(),
        "project": group.project,
        "created_at": group.created_at.0,
        "files": group.members.len(),
    })
}

fn members_of(group: &Group) -> impl Iterator<Item = Value> {
    let id = group.id.uuid.simple().to_string();
    group.members.iter().enumerate().map(move |(position, member)| {
        json!({ "group": id, "position": position, "file": member.file.0.simple().to_string(), "effects": member.effects })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use stowage_model::{FileId, GroupId, Ids, Member, ProjectId, Timestamp};

    use super::*;

    #[test]
    fn rows_have_every_column() {
        let ids = Ids::seeded(1);
        let file = FileId(ids.uuid());
        let group = Group {
            id: GroupId { uuid: ids.uuid(), count: 1 },
            project: ProjectId(1),
            created_at: Timestamp(1),
            members: vec![Member { file, effects: String::new() }],
        };
        let laid = File {
            id: file,
            project: ProjectId(1),
            uploaded_at: Timestamp(1),
            stored_at: None,
            removed_at: None,
            blob: None,
            size: 1,
            etag: String::new(),
            name: stowage_model::FileName::new("a"),
            mime_type: String::new(),
            is_image: false,
            content: stowage_model::ContentInfo::default(),
            metadata: stowage_model::Metadata::default(),
            tags: stowage_model::Tags::default(),
        };
        for (name, row) in [
            ("files", file_row(&laid)),
            ("groups", group_row(&group)),
            ("group_files", members_of(&group).next().unwrap()),
        ] {
            let table = carried().find(|table| table.name == name).unwrap();
            let columns: BTreeSet<&str> = table.columns.iter().map(|column| column.name).collect();
            assert_eq!(row.as_object().unwrap().keys().map(String::as_str).collect::<BTreeSet<_>>(), columns, "{name}");
        }
    }
}
