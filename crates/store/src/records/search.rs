//! Searching the files of a project. Every file that other conditions leave over is looked at, so a search takes the longer
//! the more files there are; what bounds it by upload time makes it faster.

use sqlx::AssertSqlSafe;
use stowage_model::metadata::MAX_KEYS;
use stowage_model::search::{ExactField, Range, SortKey, TagsFilter, TextField};
use stowage_model::{File, FileId, ProjectId, Search};
use uuid::Uuid;

use super::engine::{Engine, json_of, read};
use super::files::{FileRow, columns};
use super::{Records, RecordsError};

/// What a search has found.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    /// The files of the page, in the order asked for.
    pub files: Vec<File>,
    /// How many files there are on all pages.
    pub total: u64,
}

impl Records {
    /// Up to `limit` of the files of a project that are not removed and that a search finds, behind the first `offset`.
    pub async fn search_files(
        &self,
        project: ProjectId,
        search: &Search,
        offset: u32,
        limit: u32,
    ) -> Result<Found, RecordsError> {
        let mut query = Query::new(self.engine(), project);
        query.add_all(search);
        if query.finds_nothing {
            return Ok(Found { files: Vec::new(), total: 0 });
        }
        let order = query.order(search);
        let (limit, offset) = (query.bind(Value::Number(limit.into())), query.bind(Value::Number(offset.into())));
        let columns = columns!();
        let conditions = query.conditions.join(" AND ");
        let files =
            format!("SELECT {columns} FROM files WHERE {conditions} ORDER BY {order} LIMIT {limit} OFFSET {offset}");
        let total = format!("SELECT count(*) FROM files WHERE {conditions}");
        let total_values = query.values[..query.values_of_conditions].to_vec();
        // The texts are made of constants of this file and numbers of parameters.
        let rows: Vec<FileRow> = read!(self.engine(), pool => {
            let mut statement = sqlx::query_as(AssertSqlSafe(files)).persistent(false);
            for value in query.values {
                statement = bind!(statement, value);
            }
            statement.fetch_all(pool).await
        })?;
        let total: i64 = read!(self.engine(), pool => {
            let mut statement = sqlx::query_scalar(AssertSqlSafe(total)).persistent(false);
            for value in total_values {
                statement = bind!(statement, value);
            }
            statement.fetch_one(pool).await
        })?;
        let files = rows.into_iter().map(File::from).collect();
        Ok(Found { files, total: u64::try_from(total).unwrap_or(0) })
    }
}

/// A value of a parameter.
#[derive(Clone)]
enum Value {
    Number(i64),
    Flag(bool),
    Text(String),
    Id(Uuid),
}

macro_rules! bind {
    ($statement:expr, $value:expr) => {
        match $value {
            Value::Number(number) => $statement.bind(number),
            Value::Flag(flag) => $statement.bind(flag),
            Value::Text(text) => $statement.bind(text),
            Value::Id(id) => $statement.bind(id),
        }
    };
}

use bind;

/// Conditions in one of the dialects, and the values of their parameters.
struct Query {
    dialect: &'static Dialect,
    conditions: Vec<String>,
    values: Vec<Value>,
    /// How many of the values are those of the conditions.
    values_of_conditions: usize,
    /// Whether something was asked for that no file can have.
    finds_nothing: bool,
}

/// What the engines say differently. `{}` is the parameter.
struct Dialect {
    name: &'static str,
    detected_type: &'static str,
    /// The texts of a JSON array.
    texts: &'static str,
    ids: &'static str,
    /// The value of a key of the metadata.
    metadata: &'static str,
    /// Only ASCII letters have two cases, in either engine, whatever the locale of the database is.
    contains: &'static str,
    metadata_contains: &'static str,
    any_tag: &'static str,
    all_tags: &'static str,
}

const SQLITE: Dialect = Dialect {
    name: "name",
    detected_type: "content ->> '$.mime.mime'",
    texts: "(SELECT value FROM json_each({}))",
    ids: "(SELECT unhex(value) FROM json_each({}))",
    metadata: "(SELECT m.value FROM json_each(metadata) m WHERE m.key = {})",
    contains: "instr(lower(FIELD), {}) > 0",
    metadata_contains: "EXISTS (SELECT 1 FROM json_each(metadata) m WHERE instr(lower(m.value), {}) > 0)",
    any_tag: "EXISTS (SELECT 1 FROM json_each(tags) t WHERE t.value IN (SELECT value FROM json_each({})))",
    all_tags: "NOT EXISTS (SELECT 1 FROM json_each({}) w WHERE w.value NOT IN (SELECT value FROM json_each(tags)))",
};

const POSTGRES: Dialect = Dialect {
    name: "name COLLATE \"C\"",
    detected_type: "(content #>> '{mime,mime}') COLLATE \"C\"",
    texts: "(SELECT jsonb_array_elements_text({}::jsonb))",
    ids: "(SELECT value::uuid FROM jsonb_array_elements_text({}::jsonb))",
    metadata: "(metadata ->> {})",
    contains: "strpos(lower(FIELD), {}) > 0",
    metadata_contains: "EXISTS (SELECT 1 FROM jsonb_each_text(metadata) m \
         WHERE strpos(lower(m.value COLLATE \"C\"), {}) > 0)",
    any_tag: "tags ?| ARRAY(SELECT jsonb_array_elements_text({}::jsonb))",
    all_tags: "tags @> {}::jsonb",
};

impl Query {
    fn new(engine: &Engine, project: ProjectId) -> Self {
        let dialect = match engine {
            Engine::Sqlite { .. } => &SQLITE,
            Engine::Postgres(_) => &POSTGRES,
        };
        let conditions = vec!["project = $1".to_owned(), "removed_at IS NULL".to_owned()];
        let values = vec![Value::Number(project.0)];
        Self { dialect, conditions, values, values_of_conditions: 1, finds_nothing: false }
    }

    fn add_all(&mut self, search: &Search) {
        if let Some(query) = &search.query {
            self.add_query(query);
        }
        for (field, text) in &search.phrases {
            let parameter = self.bind_text(&text.to_ascii_lowercase());
            let condition = self.contains(*field, &parameter);
            self.conditions.push(condition);
        }
        let keys = search.exact.iter().filter(|(field, _)| matches!(field, ExactField::Metadata(_)));
        if keys.count() > MAX_KEYS {
            // No file has as many, and the engines take conditions apart only down to some depth.
            self.finds_nothing = true;
            return;
        }
        for (field, values) in &search.exact {
            self.add_exact(field, values);
        }
        self.add_range("uploaded_at", search.uploaded_at);
        self.add_range("size", search.size);
        if let Some(is_image) = search.is_image {
            let parameter = self.bind(Value::Flag(is_image));
            self.conditions.push(format!("is_image = {parameter}"));
        }
        self.add_tags(&search.tags);
        self.values_of_conditions = self.values.len();
    }

    /// One of the fields has the text, or it is the id.
    fn add_query(&mut self, text: &str) {
        let parameter = self.bind_text(&text.to_ascii_lowercase());
        let mut either: Vec<String> = [TextField::Name, TextField::Metadata, TextField::DetectedType]
            .into_iter()
            .map(|field| self.contains(field, &parameter))
            .collect();
        if let Ok(FileId(id)) = text.trim().parse() {
            let parameter = self.bind(Value::Id(id));
            either.push(format!("id = {parameter}"));
        }
        self.conditions.push(format!("({})", either.join(" OR ")));
    }

    fn add_exact(&mut self, field: &ExactField, values: &[String]) {
        let (expression, parameter) = match field {
            ExactField::Id => {
                let ids = values.iter().filter_map(|value| value.parse().ok()).map(|FileId(id)| id);
                let parameter = self.bind(Value::Text(json_of(ids)));
                self.conditions.push(format!("id IN {}", filled(self.dialect.ids, &parameter)));
                return;
            }
            ExactField::Name => (self.dialect.name.to_owned(), self.bind_texts(values)),
            ExactField::DetectedType => (self.dialect.detected_type.to_owned(), self.bind_texts(values)),
            ExactField::Metadata(key) => {
                let key = self.bind_text(key);
                (filled(self.dialect.metadata, &key), self.bind_texts(values))
            }
        };
        self.conditions.push(format!("{expression} IN {}", filled(self.dialect.texts, &parameter)));
    }

    fn add_range(&mut self, column: &str, range: Range) {
        for (compares, bound, least) in [(">=", range.from, i64::MIN), ("<=", range.to, i64::MAX)] {
            if bound != least {
                let parameter = self.bind(Value::Number(bound));
                self.conditions.push(format!("{column} {compares} {parameter}"));
            }
        }
    }

    fn add_tags(&mut self, tags: &TagsFilter) {
        let Dialect { any_tag, all_tags, .. } = self.dialect;
        let wanted = [("", *any_tag, &tags.any), ("", *all_tags, &tags.all), ("NOT ", *any_tag, &tags.none)];
        for (not, text, tags) in wanted {
            if !tags.is_empty() {
                let parameter = self.bind_texts(tags);
                self.conditions.push(format!("{not}{}", filled(text, &parameter)));
            }
        }
    }

    fn contains(&self, field: TextField, parameter: &str) -> String {
        let expression = match field {
            TextField::Name => self.dialect.name,
            TextField::DetectedType => self.dialect.detected_type,
            TextField::Metadata => return filled(self.dialect.metadata_contains, parameter),
        };
        filled(self.dialect.contains, parameter).replace("FIELD", expression)
    }

    /// By what the result is sorted. Nothing tells which text fits better than another, but the file whose id was asked for
    /// comes first. The last key is unique.
    fn order(&mut self, search: &Search) -> String {
        let mut keys = Vec::new();
        let id = search.query.as_ref().and_then(|query| query.trim().parse().ok());
        if let (true, Some(FileId(id))) = (search.sort.is_empty(), id) {
            let parameter = self.bind(Value::Id(id));
            keys.push(format!("CASE WHEN id = {parameter} THEN 0 ELSE 1 END"));
        }
        for sort in &search.sort {
            let expression = match sort.key {
                SortKey::UploadedAt => "uploaded_at",
                SortKey::Size => "size",
                SortKey::Name => self.dialect.name,
                SortKey::DetectedType => self.dialect.detected_type,
            };
            keys.push(format!("{expression}{}", if sort.descending { " DESC" } else { "" }));
        }
        keys.push("uploaded_at DESC".to_owned());
        keys.join(", ")
    }

    fn bind_texts(&mut self, texts: &[String]) -> String {
        // Postgres knows no such text, so no file has it.
        let texts: Vec<&String> = texts.iter().filter(|text| !text.contains('\0')).collect();
        self.bind(Value::Text(serde_json::json!(texts).to_string()))
    }

    fn bind_text(&mut self, text: &str) -> String {
        if text.contains('\0') {
            self.finds_nothing = true;
        }
        self.bind(Value::Text(text.to_owned()))
    }

    fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }
}

fn filled(text: &str, parameter: &str) -> String {
    text.replace("{}", parameter)
}
