//! What the lists of files and of groups have in common: which part of them is asked for, and the page as it is shown.

use serde::Serialize;
use stowage_model::{RestRefusal, Timestamp};
use stowage_store::records::Edge;
use stowage_views::rest::{Page, Totals};

use super::call::Call;
use super::links::{self, Place};
use super::moment;

/// How many items a page has unless something else is asked for.
const USUAL: u32 = 100;
/// The most items of a page.
const MOST: u32 = 1000;

/// Which part of a list is asked for.
pub(super) struct Window<T> {
    pub(super) edge: Option<Edge<T>>,
    pub(super) offset: u32,
    pub(super) limit: u32,
}

impl<T> Window<T> {
    /// Reads `from`, `to`, `offset` and `limit`. Where a page is to begin counts more than where it is to end.
    pub(super) fn read(
        call: &Call<'_>,
        value: impl Fn(&'static str, &str) -> Result<T, RestRefusal>,
    ) -> Result<Self, RestRefusal> {
        let edge = |name| call.parameter(name).map(|text| value(name, &text)).transpose();
        let (from, to) = (edge("from")?, edge("to")?);
        let edge = from.map(Edge::After).or(to.map(Edge::Before));
        let offset = call.number("offset").unwrap_or(0);
        Ok(Self { edge, offset, limit: limit(call, USUAL, MOST) })
    }
}

/// How many items a page is to have. What is no number, or none that a page could have, counts as missing.
pub(super) fn limit(call: &Call<'_>, usual: u32, most: u32) -> u32 {
    let asked = call.parameter("limit").and_then(|text| text.parse().ok());
    asked.filter(|limit: &u64| *limit > 0).map_or(usual, |limit| u32::try_from(limit).unwrap_or(most).min(most))
}

/// A time in microseconds.
pub(super) fn time(name: &'static str, text: &str) -> Result<i64, RestRefusal> {
    moment::parse(text).map(Timestamp::micros).ok_or(RestRefusal::TimeExpected(name))
}

/// Where the neighbours of a page begin and end, if there are any.
#[derive(Debug, Default)]
pub(super) struct Ends {
    pub(super) next: Option<Place>,
    pub(super) previous: Option<Place>,
}

/// Where the page in front of one ends, in a list by time. An empty page lies behind its edge: what stands in front of it ends
/// with the edge itself.
pub(super) fn front(edge: Option<Edge<i64>>, first: Option<Timestamp>, descending: bool) -> Option<Place> {
    let behind_it =
        |micros: i64| Timestamp(if descending { micros.saturating_sub(1) } else { micros.saturating_add(1) });
    let time = match (first, edge) {
        (Some(time), _) => time,
        (None, Some(Edge::After(micros))) => behind_it(micros),
        (None, _) => return None,
    };
    Some(Place { value: moment::in_link(time), offset: 0 })
}

/// A page with the addresses of its neighbours.
pub(super) fn page<T: Serialize>(
    call: &Call<'_>,
    address: &str,
    ends: &Ends,
    total: u64,
    totals: Option<Totals>,
    per_page: u32,
    results: Vec<T>,
) -> Page<T> {
    let link = |query: String| format!("{address}?{query}");
    let next = ends.next.as_ref().map(|place| link(links::next(call.query(), place)));
    let previous = ends.previous.as_ref().map(|place| link(links::previous(call.query(), place)));
    Page { next, previous, total, totals, per_page, results }
}
