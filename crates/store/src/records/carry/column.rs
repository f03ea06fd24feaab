//! A column that a snapshot carries: how it gets into a line and out of it, and what may stand there.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use stowage_model::{PublicKey, StorageName};

use super::super::engine::Engine;

/// The largest number of a row: larger ones are no longer whole where JSON is read as floating point, and leave no room for others.
pub(in super::super) const LAST_NUMBER: i64 = 1 << 53;

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Number,
    Flag,
    Text,
    /// Any JSON, which is a member of the row as it is.
    Json,
    /// A UUID, written as 32 hexadecimal digits.
    Id,
}

/// What the column is in a snapshot.
#[derive(Clone, Copy, Debug)]
enum Source {
    Itself,
    /// An expression that both engines understand.
    Sql(&'static str),
    /// The digits of the UUID in another column.
    Digits(&'static str),
}

/// A column that is carried.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Column {
    pub(in super::super) name: &'static str,
    kind: Kind,
    nullable: bool,
    source: Source,
    /// Whether a value of the right kind also makes sense.
    check: fn(&RawValue) -> bool,
}

impl Column {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, nullable: false, source: Source::Itself, check: |_| true }
    }

    pub(super) const fn nullable(self) -> Self {
        Self { nullable: true, ..self }
    }

    pub(super) const fn as_sql(self, sql: &'static str) -> Self {
        Self { source: Source::Sql(sql), ..self }
    }

    pub(super) const fn as_digits(self, of: &'static str) -> Self {
        Self { source: Source::Digits(of), ..self }
    }

    pub(super) const fn check(self, check: fn(&RawValue) -> bool) -> Self {
        Self { check, ..self }
    }

    /// Whether a value may stand in this column.
    pub(in super::super) fn takes(&self, value: &RawValue) -> bool {
        let text = value.get();
        if text == "null" {
            return self.nullable;
        }
        let fits = match self.kind {
            Kind::Number => text.parse::<i64>().is_ok(),
            Kind::Flag => matches!(text, "true" | "false"),
            // No engine but one takes the character zero.
            Kind::Text => text_of(value).is_some_and(|text| !text.contains('\0')),
            Kind::Json => true,
            Kind::Id => text_of(value).is_some_and(|text| is_hex(&text, 32)),
        };
        fits && (self.check)(value)
    }

    /// The value in a line, read from its row.
    pub(super) fn read(&self, engine: &Engine) -> String {
        let column = match self.source {
            Source::Itself => format!("\"{}\"", self.name),
            Source::Sql(sql) => return sql.to_owned(),
            Source::Digits(other) => return digits(engine, other),
        };
        match (self.kind, engine) {
            (Kind::Id, _) => digits(engine, self.name),
            (Kind::Flag, Engine::Sqlite { .. }) => format!("json(iif({column}, 'true', 'false'))"),
            (Kind::Json, Engine::Sqlite { .. }) => format!("json({column})"),
            _ => column,
        }
    }

    /// The value of a row, read from its line.
    pub(super) fn write(&self, engine: &Engine) -> String {
        let name = self.name;
        match (self.kind, engine) {
            (Kind::Json, _) => format!("value -> '{name}'"),
            (Kind::Id, Engine::Sqlite { .. }) => format!("unhex(value ->> '{name}')"),
            (Kind::Id, Engine::Postgres(_)) => format!("(value ->> '{name}')::uuid"),
            (Kind::Number, Engine::Postgres(_)) => format!("(value ->> '{name}')::bigint"),
            (Kind::Flag, Engine::Postgres(_)) => format!("(value ->> '{name}')::boolean"),
            (Kind::Number | Kind::Flag, Engine::Sqlite { .. }) | (Kind::Text, _) => format!("value ->> '{name}'"),
        }
    }
}

fn digits(engine: &Engine, column: &str) -> String {
    match engine {
        Engine::Sqlite { .. } => format!("iif(\"{column}\" IS NULL, NULL, lower(hex(\"{column}\")))"),
        Engine::Postgres(_) => format!("replace(\"{column}\"::text, '-', '')"),
    }
}

/// The text of a JSON string.
pub(in super::super) fn text_of(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// Whether this is so many lower-case hexadecimal digits.
pub(in super::super) fn is_hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether it is what somebody will read there.
pub(super) fn reads<T: DeserializeOwned>(value: &RawValue) -> bool {
    serde_json::from_str::<T>(value.get()).is_ok()
}

/// Whether the JSON in a text is what somebody will read there.
pub(super) fn holds<T: DeserializeOwned>(value: &RawValue) -> bool {
    text_of(value).is_some_and(|text| serde_json::from_str::<T>(&text).is_ok())
}

pub(super) fn is_public_key(value: &RawValue) -> bool {
    text_of(value).is_some_and(|text| text.parse::<PublicKey>().is_ok())
}

pub(super) fn is_storage_name(value: &RawValue) -> bool {
    text_of(value).is_some_and(|text| text.parse::<StorageName>().is_ok())
}

fn is_row_number(value: &RawValue) -> bool {
    value.get().parse().is_ok_and(|number: i64| (1..LAST_NUMBER).contains(&number))
}

pub(super) fn is_size(value: &RawValue) -> bool {
    value.get().parse().is_ok_and(|size: i64| size >= 0)
}

pub(super) fn is_etag(value: &RawValue) -> bool {
    text_of(value).is_some_and(|text| is_hex(&text, 32))
}

pub(super) const fn number(name: &'static str) -> Column {
    Column::new(name, Kind::Number)
}

pub(super) const fn row_number(name: &'static str) -> Column {
    number(name).check(is_row_number)
}

pub(super) const fn flag(name: &'static str) -> Column {
    Column::new(name, Kind::Flag)
}

pub(super) const fn text(name: &'static str) -> Column {
    Column::new(name, Kind::Text)
}

pub(super) const fn json(name: &'static str) -> Column {
    Column::new(name, Kind::Json)
}

pub(super) const fn id(name: &'static str) -> Column {
    Column::new(name, Kind::Id)
}
