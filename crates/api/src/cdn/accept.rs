//! What a request says in `Accept`.

use http::{HeaderMap, header};
use stowage_delivery::Accept;

/// The media ranges with their weights.
fn ranges(headers: &HeaderMap) -> impl Iterator<Item = (&str, f32)> {
    let lists = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(|item| {
        let mut parts = item.split(';').map(str::trim);
        let range = parts.next().unwrap_or_default();
        (range, parts.find_map(weight).unwrap_or(1.0))
    })
}

/// `q=0.5`; what cannot be read counts nothing.
fn weight(parameter: &str) -> Option<f32> {
    let (name, value) = parameter.split_once('=')?;
    let weight: f32 = value.trim().parse().unwrap_or(0.0);
    name.trim().eq_ignore_ascii_case("q").then_some(weight.clamp(0.0, 1.0))
}

/// How much a request wants the ranges that `is_wanted` picks.
fn wants(headers: &HeaderMap, is_wanted: impl Fn(&str) -> bool) -> f32 {
    ranges(headers).filter(|(range, _)| is_wanted(range)).map(|(_, weight)| weight).fold(0.0, f32::max)
}

/// How much a request wants a type that it names; wildcards name none.
fn named(headers: &HeaderMap, wanted: &str) -> f32 {
    wants(headers, |range| range.eq_ignore_ascii_case(wanted))
}

/// The formats between which an automatic one chooses.
pub(super) fn formats(headers: &HeaderMap) -> Accept {
    Accept { avif: named(headers, "image/avif") > 0.0, webp: named(headers, "image/webp") > 0.0 }
}

/// Whether a picture says more to the sender than a page: it is an `<img>`, not a window.
pub(super) fn prefers_pictures(headers: &HeaderMap) -> bool {
    let is_picture = |range: &str| range.get(..6).is_some_and(|kind| kind.eq_ignore_ascii_case("image/"));
    wants(headers, is_picture) > named(headers, "text/html")
}

/// Whether JSON says more to the sender than a page.
pub(super) fn prefers_json(headers: &HeaderMap) -> bool {
    named(headers, "application/json") > named(headers, "text/html")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(accept: &str) -> HeaderMap {
        [(header::ACCEPT, accept.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn formats_have_to_be_named() {
        let formats = |accept| {
            let Accept { avif, webp } = formats(&headers(accept));
            (avif, webp)
        };
        assert_eq!(formats("image/avif,image/webp,*/*;q=0.8"), (true, true));
        assert_eq!(formats("image/*, */*"), (false, false));
        assert_eq!(formats("Image/WebP;q=0.001, image/avif; q=0"), (false, true));
        assert_eq!(formats("image/avif;q=x,image/webp;v=1;Q=1"), (false, true));
        assert_eq!(super::formats(&HeaderMap::new()), Accept::default());
    }

    #[test]
    fn pictures_pages_and_json() {
        let picture = |accept| prefers_pictures(&headers(accept));
        assert!(picture("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"));
        assert!(picture("image/*;q=0.8,text/html;q=0.7"));
        assert!(!picture("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"));
        assert!(!picture("*/*") && !picture("") && !picture("é"));
        assert!(prefers_json(&headers("application/json, text/plain, */*")));
        assert!(!prefers_json(&headers("text/html,application/json;q=0.9")) && !prefers_json(&headers("*/*")));
    }
}
