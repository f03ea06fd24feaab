//! `/files/search/`: finding files by what is known of them.

use serde_json::{Map, Value};
use stowage_model::search::{MAX_REACH, MAX_SORT_KEYS, MIN_QUERY_CHARS, Range, TagsFilter};
use stowage_model::{RestRefusal, Search};
use stowage_views::highlight::Highlight;
use stowage_views::rest::Page;

use super::call::{Answering, Call, Outcome};
use super::{Endpoint, content, links, list, moment, since_07};
use crate::errors;

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint { path: "/files/search/", methods: &[since_07("POST", search)] }];

/// How many files a page has unless something else is asked for.
const USUAL: u32 = 20;
/// The most files of a page.
const MOST: u32 = 100;
/// The longest name of a parameter that is repeated in a refusal, in characters.
const SHOWN: usize = 100;

type Object = Map<String, Value>;

fn search<'c>(call: &'c Call<'c>) -> Answering<'c> {
    Box::pin(find(call))
}

async fn find(call: &Call<'_>) -> Outcome {
    let limit = list::limit(call, USUAL, MOST);
    let offset = call.number("offset").unwrap_or(0);
    let end = offset.saturating_add(limit);
    if end > MAX_REACH {
        return Err(RestRefusal::SearchReachExceeded);
    }
    let search = read(&call.object()?)?;
    if !search.has_conditions() {
        return Err(RestRefusal::SearchEmpty);
    }
    let project = call.project()?.id;
    let found = call.state.records.search_files(project, &search, offset, limit).await;
    let found = found.map_err(errors::rest_of_records)?;
    let urls = call.urls();
    let link = |offset| Some(format!("{}/files/search/?{}", urls.rest, links::skipping(call.query(), offset)));
    let follows = u64::from(end) < found.total && end < MAX_REACH;
    call.json(&Page {
        next: if follows { link(end) } else { None },
        previous: if offset > 0 { link(offset.saturating_sub(limit)) } else { None },
        total: found.total,
        totals: None,
        per_page: limit,
        results: found
            .files
            .iter()
            .map(|file| call.show(file, &urls).with_highlight(Highlight::new(file, &search)))
            .collect(),
    })
}

fn bad(name: &str) -> RestRefusal {
    RestRefusal::SearchInvalid(name.chars().take(SHOWN).collect())
}

fn read(object: &Object) -> Result<Search, RestRefusal> {
    let mut search = Search::default();
    for (name, value) in object.iter().filter(|(_, value)| !value.is_null()) {
        let refusal = || bad(name);
        match name.as_str() {
            "query" => {
                let text = value.as_str().ok_or_else(refusal)?.trim();
                if text.chars().count() < MIN_QUERY_CHARS {
                    return Err(RestRefusal::SearchQueryTooShort);
                }
                search.query = Some(text.to_owned());
            }
            "phrase" => {
                for (field, text) in value.as_object().ok_or_else(refusal)? {
                    let text = text.as_str().ok_or_else(refusal)?.trim();
                    let field = field.parse().map_err(|_| refusal())?;
                    if text.chars().count() < MIN_QUERY_CHARS {
                        return Err(RestRefusal::SearchPhraseTooShort);
                    }
                    search.phrases.push((field, text.to_owned()));
                }
            }
            "exact" => {
                for (field, values) in value.as_object().ok_or_else(refusal)? {
                    let values = one_or_more(values).ok_or_else(refusal)?;
                    search.exact.push((field.parse().map_err(|_| refusal())?, values));
                }
            }
            "datetime_uploaded" => {
                search.uploaded_at =
                    range(value, |value| Some(moment::parse(value.as_str()?)?.micros())).ok_or_else(refusal)?;
            }
            "size" => search.size = range(value, Value::as_i64).ok_or_else(refusal)?,
            "is_image" => search.is_image = Some(content::boolean(value).ok_or_else(refusal)?),
            "tags" => search.tags = tags(value).ok_or_else(refusal)?,
            "sort" => {
                let keys = one_or_more(value).filter(|keys| keys.len() <= MAX_SORT_KEYS).ok_or_else(refusal)?;
                // All that is found is equally relevant.
                let keys = keys.iter().filter(|key| key.strip_prefix('-').unwrap_or(key) != "score");
                search.sort = keys.map(|key| key.parse()).collect::<Result<_, _>>().map_err(|_| refusal())?;
            }
            // What is looked for is looked for as it is written: there is nothing to set.
            "fuzziness" => drop(content::boolean(value).ok_or_else(refusal)?),
            _ => return Err(refusal()),
        }
    }
    if search.phrases.iter().any(|(phrase, _)| search.exact.iter().any(|(exact, _)| exact.is_about(*phrase))) {
        return Err(RestRefusal::SearchFieldTwice);
    }
    Ok(search)
}

/// A text, or at least one text in an array.
fn one_or_more(value: &Value) -> Option<Vec<String>> {
    let texts = match value {
        Value::String(text) => vec![text.clone()],
        value => content::texts(value)?.into_iter().map(str::to_owned).collect(),
    };
    (!texts.is_empty()).then_some(texts)
}

/// An object of bounds, at least one.
fn range(value: &Value, read: impl Fn(&Value) -> Option<i64>) -> Option<Range> {
    let bounds = value.as_object().filter(|bounds| !bounds.is_empty())?;
    let mut range = Range::default();
    for (side, value) in bounds {
        range = range.and(side.parse().ok()?, read(value)?);
    }
    Some(range)
}

/// An object of lists of tags, written in any case.
fn tags(value: &Value) -> Option<TagsFilter> {
    let mut filter = TagsFilter::default();
    for (name, list) in value.as_object()? {
        let tags = content::texts(list)?.into_iter().map(|tag| tag.trim().to_lowercase()).collect();
        match name.as_str() {
            "any" => filter.any = tags,
            "all" => filter.all = tags,
            "none" => filter.none = tags,
            _ => return None,
        }
    }
    Some(filter)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stowage_model::search::{ExactField, TextField};

    use super::*;

    fn of(value: &Value) -> Result<Search, RestRefusal> {
        read(value.as_object().unwrap())
    }

    #[test]
    fn every_condition_is_read() {
        let search = of(&json!({
            "query": " summer ",
            "phrase": { "original_filename": " xyz1" },
            "exact": { "metadata[a]": ["1", "2"], "uuid": "x" },
            "datetime_uploaded": { "gte": "1970-01-01T00:00:00", "lt": "1970-01-01T00:00:01Z" },
            "size": { "gt": 5 },
            "is_image": true,
            "tags": { "any": [" Cat"], "none": [] },
            "sort": ["-size", "datetime_uploaded"],
            "fuzziness": true,
        }))
        .unwrap();
        assert_eq!(search.query.as_deref(), Some("summer"));
        assert_eq!(search.phrases, [(TextField::Name, "xyz1".to_owned())]);
        assert!(search.exact.contains(&(ExactField::Metadata("a".into()), vec!["1".into(), "2".into()])));
        assert_eq!((search.uploaded_at.from, search.uploaded_at.to), (0, 999_999));
        assert_eq!((search.size.from, search.size.to), (6, i64::MAX));
        assert_eq!((search.is_image, search.sort.len()), (Some(true), 2));
        assert_eq!(search.tags, TagsFilter { any: vec!["cat".into()], ..TagsFilter::default() });
        assert!(!of(&json!({ "query": null, "sort": "size" })).unwrap().has_conditions());
        let by_score = of(&json!({ "sort": ["-score", "size", "score"] })).unwrap();
        assert_eq!(by_score.sort, ["size".parse().unwrap()]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        assert_eq!(of(&json!({ "query": "abc " })), Err(RestRefusal::SearchQueryTooShort));
        assert_eq!(of(&json!({ "phrase": { "metadata": "abc" } })), Err(RestRefusal::SearchPhraseTooShort));
        for (phrase, exact) in [("original_filename", "original_filename"), ("metadata", "metadata[a]")] {
            let twice = json!({ "phrase": { phrase: "abcd" }, "exact": { exact: ["1"] } });
            assert_eq!(of(&twice), Err(RestRefusal::SearchFieldTwice), "{phrase}");
        }
        for (name, value) in [
            ("fuzziness", json!("much")),
            ("query", json!(["abcd"])),
            ("phrase", json!("x")),
            ("phrase", json!({ "size": "x" })),
            ("exact", json!({ "uuid": [] })),
            ("exact", json!({ "uuid": [1] })),
            ("exact", json!({ "metadata[é]": ["1"] })),
            ("datetime_uploaded", json!({ "gt": 5 })),
            ("datetime_uploaded", json!({})),
            ("size", json!({ "gt": "5" })),
            ("size", json!({ "eq": 5 })),
            ("is_image", json!("maybe")),
            ("tags", json!(["cat"])),
            ("tags", json!({ "some": ["cat"] })),
            ("sort", json!([])),
            ("sort", json!(["size", "size", "size", "size", "size"])),
            ("sort", json!(["uuid"])),
            ("colour", json!("red")),
        ] {
            assert_eq!(of(&json!({ name: value })), Err(RestRefusal::SearchInvalid(name.to_owned())), "{name} {value}");
        }
    }
}
