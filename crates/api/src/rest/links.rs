//! The addresses of the pages behind and in front of one. They repeat the query that the page was asked for with, its
//! parameters in their places, and say where the other page begins (`from`) or ends (`to`).

/// Where a page begins or ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// A time or a size, escaped.
    pub(super) value: String,
    /// How many items are skipped.
    pub(super) offset: u32,
}

/// The query of the page that begins behind a place.
pub(super) fn next(query: &str, place: &Place) -> String {
    with(query, ("from", Some(&place.value)), "to", place.offset)
}

/// The query of the page that ends in front of a place.
pub(super) fn previous(query: &str, place: &Place) -> String {
    with(query, ("to", Some(&place.value)), "from", place.offset)
}

/// The query of a page that is found by its offset alone.
pub(super) fn skipping(query: &str, offset: u32) -> String {
    with(query, ("from", None), "to", offset)
}

fn with(query: &str, (edge, value): (&str, Option<&str>), other_edge: &str, offset: u32) -> String {
    let value = value.map(|value| format!("{edge}={value}"));
    let offset = Some(format!("offset={offset}"));
    let mut wanted = [(edge, value), ("offset", offset), (other_edge, None)];
    let mut pairs: Vec<String> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let name = form_urlencoded::parse(pair.as_bytes()).next().map(|(name, _)| name.into_owned());
        match wanted.iter_mut().find(|(known, _)| name.as_deref() == Some(*known)) {
            // A parameter that comes twice is not repeated twice.
            Some((_, pair)) => pairs.extend(pair.take()),
            None => pairs.push(pair.to_owned()),
        }
    }
    pairs.extend(wanted.into_iter().filter_map(|(_, pair)| pair));
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(value: &str, offset: u32) -> Place {
        Place { value: value.to_owned(), offset }
    }

    #[test]
    fn links_of_the_real_service() {
        for (query, next_query, previous_query) in [
            ("", "from=T&offset=0", "to=T&offset=0"),
            ("limit=100", "limit=100&from=T&offset=0", "limit=100&to=T&offset=0"),
            (
                "limit=100&from=2013%3A&offset=0",
                "limit=100&from=T&offset=0",
                // As recorded: `offset` keeps its place, `to` is new.
                "limit=100&offset=0&to=T",
            ),
            ("to=X&stored=true", "stored=true&from=T&offset=0", "to=T&stored=true&offset=0"),
        ] {
            assert_eq!(next(query, &place("T", 0)), next_query, "{query}");
            assert_eq!(previous(query, &place("T", 0)), previous_query, "{query}");
        }
    }

    #[test]
    fn other_parameters_stay_as_they_were_sent() {
        let query = "ordering=-size&&x=%D0%B4+%&from=1&fro%6D=2&offset=7&y";
        assert_eq!(next(query, &place("5", 3)), "ordering=-size&x=%D0%B4+%&from=5&offset=3&y");
        assert_eq!(skipping("from=1&limit=2", 4), "limit=2&offset=4");
    }
}
