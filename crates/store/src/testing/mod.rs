//! What tests of this and other rooms need of the engines, and content to put into them. The servers themselves are started by `tests/run`, which
//! names them in `STOWAGE_TEST_*`; an engine that is not named is skipped with a printed reason, or is a failure where
//! `STOWAGE_TEST_REQUIRE` lists it.

pub mod services;

use std::env;

use stowage_model::Ids;

/// The URL of a fresh schema in the Postgres of `STOWAGE_TEST_POSTGRES_URL`; none where there is no such server.
#[expect(clippy::expect_used, reason = "test support: a broken test server must fail the test loudly")]
pub async fn postgres_url() -> Option<String> {
    let base = named("STOWAGE_TEST_POSTGRES_URL", "postgres")?;
    let schema = format!("t{}", Ids::random().uuid().simple());
    let pool = sqlx::PgPool::connect(&base).await.expect("the Postgres of STOWAGE_TEST_POSTGRES_URL answers");
    let create = sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
    sqlx::query(create).execute(&pool).await.expect("a schema can be created");
    pool.close().await;
    let separator = if base.contains('?') { '&' } else { '?' };
    Some(format!("{base}{separator}options=-c%20search_path%3D{schema}"))
}

/// The value of an environment variable that names a test server.
///
/// # Panics
/// Where the variable is missing although `STOWAGE_TEST_REQUIRE` lists `engine`.
#[expect(clippy::print_stderr, reason = "a skipped engine must be seen in the test's output")]
pub fn named(variable: &str, engine: &str) -> Option<String> {
    let value = env::var(variable).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        let required = env::var("STOWAGE_TEST_REQUIRE").unwrap_or_default();
        assert!(
            !required.split(',').any(|name| name.trim() == engine),
            "{engine} is required, but {variable} is not set"
        );
        eprintln!("skipped: {variable} is not set (tests/run starts a throwaway {engine})");
    }
    value
}

/// `len` bytes that differ from seed to seed and are the same in every run.
pub fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
