//! `docs/errors.md` against the catalogue in the sources.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

const PAGE: &str = include_str!("../../../docs/errors.md");
const SOURCE: &str = include_str!("../src/refusal.rs");
const REST_SOURCE: &str = include_str!("../src/rest.rs");

/// Code → (status, text); `{…}` of a format string is `%`.
fn of_source() -> BTreeMap<String, (String, String)> {
    let texts = texts(SOURCE);
    let mut rows = BTreeMap::new();
    for line in SOURCE.lines().map(str::trim).filter(|line| line.starts_with("Self::") && line.contains("=> (")) {
        let (variants, row) = line.split_once(" => (").unwrap();
        let (status, rest) = row.split_once(", \"").unwrap();
        let code = rest.split('"').next().unwrap();
        let variant = variants.split(['(', '{', ' ', '|']).next().unwrap().trim_start_matches("Self::").trim();
        rows.insert(code.to_owned(), (status.to_owned(), texts[variant].clone()));
    }
    rows
}

/// Variant → text.
fn texts(source: &str) -> BTreeMap<&str, String> {
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    let mut text = None;
    for line in source.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("#[error(\"") {
            let end = rest.char_indices().find(|(at, c)| *c == '"' && !rest[..*at].ends_with('\\')).unwrap().0;
            text = Some(without_braces(&rest[..end].replace("\\\"", "\"")));
        } else if let Some(found) = text.take() {
            let end = line.find(|c: char| !c.is_alphanumeric()).unwrap();
            texts.insert(&line[..end], found);
        }
    }
    texts
}

/// Variant → what a function of the REST catalogue answers for it.
fn answers(function: &str) -> BTreeMap<&'static str, &'static str> {
    let body = REST_SOURCE.split_once(function).unwrap().1;
    let body = body.split_once("_ =>").unwrap().0.split_once("match self {").unwrap().1;
    let mut answers = BTreeMap::new();
    let mut arms = body.split("=>").peekable();
    let mut variants = arms.next().unwrap();
    for arm in arms {
        let end = if arm.starts_with(" {") { "}\n" } else { ",\n" };
        let (answer, next) = arm.split_once(end).unwrap();
        for variant in variants.split("Self::").skip(1) {
            let end = variant.find(|c: char| !c.is_alphanumeric()).unwrap();
            answers.insert(&variant[..end], answer.trim());
        }
        variants = next;
    }
    answers
}

#[test]
fn the_page_tells_what_the_sources_say_of_the_rest_api() {
    let texts = texts(REST_SOURCE);
    let (statuses, shapes) = (answers("pub fn status"), answers("pub fn shape"));
    let table = PAGE.split_once("# Refusals of the REST API").unwrap().1;
    let mut told = Vec::new();
    for line in table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Refusal")) {
        let cells: Vec<&str> = line.trim_start_matches("| ").split(" | ").collect();
        let name = cells[0];
        let status = statuses.get(name).copied().unwrap_or("400");
        let field = shapes.get(name).and_then(|shape| shape.split('"').nth(1)).unwrap_or_default();
        assert_eq!(cells[2].trim_matches('`').trim(), texts[name], "{name}");
        assert_eq!(if status.contains("()") { "*" } else { status }, cells[1], "{name}");
        // An empty cell leaves the bar of the next one behind.
        let told_field = if cells[3].starts_with('|') { "" } else { cells[3] };
        assert_eq!(told_field, field, "{name}");
        told.push(name);
    }
    told.sort_unstable();
    assert_eq!(told, texts.keys().copied().collect::<Vec<_>>());
}

fn without_braces(text: &str) -> String {
    let mut plain = String::new();
    let mut depth = 0;
    for c in text.chars() {
        match c {
            '{' => {
                depth += 1;
                plain.push('%');
            }
            '}' => depth -= 1,
            c if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    plain
}

/// The rows of a table: code → (status, text).
fn of_page(page: &str) -> BTreeMap<String, (String, String)> {
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let (code, status, text) = (cells.next()?, cells.next()?, cells.next()?);
        let text = text.trim_matches('`').trim();
        code.ends_with("Error").then(|| (code.to_owned(), (status.to_owned(), text.to_owned())))
    });
    rows.collect()
}

#[test]
fn the_page_tells_what_the_sources_say() {
    let (raised, not_raised) = PAGE.split_once("## Not raised").unwrap();
    let (raised, not_raised, source) = (of_page(raised), of_page(not_raised), of_source());
    assert_eq!(raised.len() + not_raised.len(), 97, "the vendor's catalogue has 97 codes");
    for (code, (status, text)) in &raised {
        let (real_status, real_text) = source.get(code).unwrap_or_else(|| panic!("{code} is not in refusal.rs"));
        // The status of an access token's refusal is a field of it.
        assert!(real_status == status || real_status.starts_with('*'), "{code}: {status} on the page");
        assert_eq!(real_text, text, "{code}");
    }
    for code in not_raised.keys() {
        assert!(!source.contains_key(code), "{code} can be raised");
    }
    for code in source.keys() {
        assert!(raised.contains_key(code), "{code} is not on the page");
    }
}
