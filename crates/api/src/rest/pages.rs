//! Pages of lists that were made a moment ago: who asks again and nothing has changed is answered from memory. What this
//! process changes is seen at once, what others change after [`HOT_FOR`].

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use stowage_model::{ProjectId, PublicUrls, RestVersion};
use stowage_store::records::HOT_FOR;

/// How many bytes of pages are remembered, and how many pages that is, more or less.
const BYTES: u64 = 8 << 20;
const PAGES: usize = 256;

/// What a page was made of, besides the files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Asked {
    pub(super) project: ProjectId,
    pub(super) version: RestVersion,
    pub(super) urls: PublicUrls,
    /// As it was sent: links repeat it.
    pub(super) query: String,
}

impl Hash for Asked {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.project.hash(state);
        self.version.hash(state);
        self.urls.rest.hash(state);
        self.query.hash(state);
    }
}

#[derive(Clone)]
struct Made {
    at: Instant,
    /// What [`stowage_store::records::Records::file_changes`] was before the records were asked.
    changes: u64,
    page: Bytes,
}

#[derive(Clone)]
struct ByLength;

impl Weighter<Asked, Made> for ByLength {
    fn weight(&self, asked: &Asked, made: &Made) -> u64 {
        (256 + asked.query.len() + made.page.len()) as u64
    }
}

/// Pages of lists of files.
#[derive(Clone)]
pub struct Pages(Arc<Cache<Asked, Made, ByLength>>);

impl Default for Pages {
    fn default() -> Self {
        Self(Arc::new(Cache::with_weighter(PAGES, BYTES, ByLength)))
    }
}

impl Pages {
    /// The page, if it is still as it was; `changes` is what the records say now.
    pub(super) fn get(&self, asked: &Asked, changes: u64) -> Option<Bytes> {
        let made = self.0.get(asked)?;
        (made.changes == changes && made.at.elapsed() < HOT_FOR).then_some(made.page)
    }

    /// Forgets all of them.
    pub(crate) fn wipe(&self) {
        let Self(pages) = self;
        pages.clear();
    }

    /// Remembers a page; `changes` is what the records said before they were asked for it.
    pub(super) fn put(&self, asked: Asked, changes: u64, at: Instant, page: Bytes) {
        self.0.insert(asked, Made { at, changes, page });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn asked(query: &str) -> Asked {
        let url = || "http://x".to_owned();
        let urls = PublicUrls { upload: url(), rest: url(), cdn: url() };
        Asked { project: ProjectId(1), version: RestVersion::V07, urls, query: query.to_owned() }
    }

    #[test]
    fn a_page_is_the_same_until_something_changes_or_a_moment_has_passed() {
        let (pages, page, now) = (Pages::default(), Bytes::from_static(b"[]"), Instant::now());
        pages.put(asked("a"), 7, now, page.clone());
        assert_eq!(pages.get(&asked("a"), 7), Some(page.clone()));
        pages.wipe();
        assert_eq!(pages.get(&asked("a"), 7), None, "forgotten");
        pages.put(asked("a"), 7, now, page.clone());
        assert_eq!(pages.get(&asked("a"), 8), None, "something was changed");
        assert_eq!(pages.get(&asked("b"), 7), None, "another query");
        let other = Asked { version: RestVersion::V06, ..asked("a") };
        assert_eq!(pages.get(&other, 7), None, "another version");
        let mut elsewhere = asked("a");
        elsewhere.urls.cdn = "http://y".to_owned();
        assert_eq!(pages.get(&elsewhere, 7), None, "other addresses");
        if let Some(before) = now.checked_sub(HOT_FOR + Duration::from_secs(1)) {
            pages.put(asked("a"), 7, before, page);
            assert_eq!(pages.get(&asked("a"), 7), None, "another process may have changed something");
        }
    }
}
