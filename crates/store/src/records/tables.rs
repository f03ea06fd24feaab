//! Every table, and how its rows hang on a project: for whoever empties the records or carries them elsewhere. A test compares the
//! list with what the databases have, so that a new table does not compile its way past this file.

/// How the rows of a table hang on a project.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Of {
    /// They are the projects.
    Itself,
    /// This column has the number of the project.
    Column(&'static str),
    /// `project` in this column, a JSON object, is the number of the project.
    Json(&'static str),
    /// This column names a row of the other table, by its `id`, and the row goes with that one.
    Row(&'static str, &'static str),
    /// On none.
    Nobody,
    /// On none, and they outlive [`Records::wipe`](super::Records::wipe).
    House,
}

/// A table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Table {
    /// Its name; to be quoted, as one of them is a word of SQL.
    pub name: &'static str,
    /// How its rows hang on a project.
    pub of: Of,
    /// The column that the database fills with numbers; none where it does not.
    pub numbered: Option<&'static str>,
}

const fn table(name: &'static str, of: Of) -> Table {
    Table { name, of, numbered: None }
}

const fn numbered(name: &'static str, of: Of, column: &'static str) -> Table {
    Table { name, of, numbered: Some(column) }
}

/// Every table but that of the migrations, in an order in which they can be emptied, and in the reverse of which they can be filled.
pub const TABLES: [Table; 18] = [
    table("upload_parts", Of::Row("upload", "uploads")),
    table("uploads", Of::Column("project")),
    table("jobs", Of::Json("payload")),
    numbered("files", Of::Column("project"), "seq"),
    table("group_files", Of::Row("group", "groups")),
    table("groups", Of::Column("project")),
    // After what their triggers count.
    table("counts", Of::Column("project")),
    table("url_tasks", Of::Column("project")),
    table("url_history", Of::Column("project")),
    numbered("deliveries", Of::Row("webhook", "webhooks"), "id"),
    numbered("webhooks", Of::Column("project"), "id"),
    numbered("events", Of::Column("project"), "id"),
    numbered("copies", Of::Row("storage", "storages"), "id"),
    numbered("storages", Of::Column("project"), "id"),
    table("garbage", Of::Nobody),
    table("token_uses", Of::Nobody),
    table("secrets", Of::House),
    numbered("projects", Of::Itself, "id"),
];
