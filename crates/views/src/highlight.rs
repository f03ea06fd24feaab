//! Why a search has found a file: the texts in which it was found, with what was looked for between `<em>` and `</em>`. Nothing in them is escaped:
//! they are texts, not HTML.

use std::collections::BTreeMap;

use serde::Serialize;
use stowage_model::search::TextField;
use stowage_model::{File, Search};
use utoipa::ToSchema;

/// The texts of a file in which something was found, what was found between `<em>` and `</em>`; nothing is escaped.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Highlight {
    /// Its name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(nullable = false)]
    original_filename: Vec<String>,
    /// Its detected type.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(nullable = false)]
    detected_mime_type: Vec<String>,
    /// Values of metadata, by key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(nullable = false)]
    metadata: BTreeMap<String, String>,
}

impl Highlight {
    /// Where a search has found its texts in a file; none if it looked for none, or found the file by its id.
    pub fn new(file: &File, search: &Search) -> Option<Self> {
        let looked_for = |field| {
            let phrases = search.phrases.iter().filter(move |(of, _)| *of == field).map(|(_, text)| text.as_str());
            let texts: Vec<&str> = search.query.as_deref().into_iter().chain(phrases).collect();
            move |value: &str| mark(value, &texts)
        };
        let of_metadata = looked_for(TextField::Metadata);
        let found = Self {
            original_filename: looked_for(TextField::Name)(file.name.original()).into_iter().collect(),
            detected_mime_type: looked_for(TextField::DetectedType)(&file.content.mime.mime).into_iter().collect(),
            metadata: file
                .metadata
                .pairs()
                .filter_map(|(key, value)| Some((key.to_owned(), of_metadata(value)?)))
                .collect(),
        };
        (found != Self::default()).then_some(found)
    }
}

/// Marks what is found, in either case of ASCII letters; none if nothing is.
fn mark(value: &str, texts: &[&str]) -> Option<String> {
    // ASCII letters have the same length in either case, so that places agree.
    let folded = value.to_ascii_lowercase();
    let mut places: Vec<(usize, usize)> = texts
        .iter()
        .filter(|text| !text.is_empty())
        .flat_map(|text| {
            let text = text.to_ascii_lowercase();
            folded.match_indices(&text).map(|(at, found)| (at, at + found.len())).collect::<Vec<_>>()
        })
        .collect();
    places.sort_unstable();
    let mut marked = String::with_capacity(value.len() + 9 * places.len());
    let mut end = 0;
    let mut places = places.into_iter().peekable();
    places.peek()?;
    while let Some((from, mut to)) = places.next() {
        while let Some((_, further)) = places.next_if(|(next, _)| *next <= to) {
            to = to.max(further);
        }
        marked.push_str(value.get(end..from)?);
        marked.push_str("<em>");
        marked.push_str(value.get(from..to)?);
        marked.push_str("</em>");
        end = to;
    }
    marked.push_str(value.get(end..)?);
    Some(marked)
}

#[cfg(test)]
mod tests {
    use super::mark;

    #[test]
    fn what_was_found_is_marked() {
        for (value, texts, expected) in [
            ("Summer in SUMMER", &["summer"][..], Some("<em>Summer</em> in <em>SUMMER</em>")),
            ("abcdef", &["abc", "cde"], Some("<em>abcde</em>f")),
            ("abcd", &["ab", "cd"], Some("<em>abcd</em>")),
            ("a\u{130}Été", &["Été"], Some("a\u{130}<em>Été</em>")),
            ("été", &["Été"], None),
            ("x", &[], None),
            ("x", &[""], None),
        ] {
            assert_eq!(mark(value, texts).as_deref(), expected, "{value} {texts:?}");
        }
    }
}
