//! The journal: the last requests of a world with their answers. While requests are served it only copies; what is shown of them, and
//! what is not, is settled when somebody asks.

mod bodies;
mod filter;
mod forms;
mod mask;
mod view;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body as _;
use stowage_model::clock::machine_now;
use stowage_model::{PublicKey, Timestamp};
use tokio::sync::Notify;

use bodies::{Incoming, Kept, Outgoing};
pub(crate) use filter::Filter;
pub(crate) use view::{Body as ShownBody, Entry as ShownEntry, headers as shown_headers};

/// The last requests of a world. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Journal(Arc<Inner>);

struct Inner {
    /// How many entries it remembers.
    entries: usize,
    /// How many bytes of each body.
    body: usize,
    ring: Mutex<Ring>,
    changed: Notify,
}

#[derive(Default)]
struct Ring {
    last: u64,
    entries: VecDeque<Arc<Entry>>,
}

/// A request that the journal remembers. Texts are copies: pieces of what was read would keep whole buffers alive.
struct Entry {
    number: u64,
    at: Timestamp,
    machine_at: Timestamp,
    method: Method,
    path: Box<str>,
    query: Option<Box<str>>,
    headers: Box<[u8]>,
    later: Mutex<Later>,
}

/// What turns out while a request is answered.
struct Later {
    project: Option<PublicKey>,
    fault: Option<String>,
    request: Kept,
    answer: Option<Answer>,
    end: Option<End>,
}

struct Answer {
    status: StatusCode,
    headers: Box<[u8]>,
    body: Kept,
}

/// How and after how long it ended.
#[derive(Clone, Copy)]
struct End {
    whole: bool,
    took: Duration,
}

impl Entry {
    fn later(&self) -> MutexGuard<'_, Later> {
        self.later.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Headers as lines; no value has a line break in it.
fn lines(headers: &HeaderMap) -> Box<[u8]> {
    let size = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 2).sum();
    let mut lines = Vec::with_capacity(size);
    for (name, value) in headers {
        lines.extend_from_slice(name.as_str().as_bytes());
        lines.push(b':');
        lines.extend_from_slice(value.as_bytes());
        lines.push(b'\n');
    }
    lines.into_boxed_slice()
}

impl Journal {
    /// Remembers so many requests, with so many bytes of each body.
    pub(crate) fn new(entries: usize, body: u64) -> Self {
        let body = usize::try_from(body).unwrap_or(usize::MAX);
        Self(Arc::new(Inner { entries, body, ring: Mutex::default(), changed: Notify::new() }))
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request that has come; none where nothing is remembered.
    pub(crate) fn begin(&self, request: &Request<Body>, now: Timestamp) -> Option<Arc<Record>> {
        if self.0.entries == 0 {
            return None;
        }
        let expected = usize::try_from(request.body().size_hint().lower()).unwrap_or(usize::MAX);
        let later = Later {
            project: None,
            fault: None,
            request: Kept::new(self.0.body, expected, bodies::TAIL),
            answer: None,
            end: None,
        };
        let uri = request.uri();
        let mut entry = Entry {
            number: 0,
            at: now,
            machine_at: machine_now(),
            method: request.method().clone(),
            path: uri.path().into(),
            query: uri.query().map(Into::into),
            headers: lines(request.headers()),
            later: Mutex::new(later),
        };
        let (entry, forgotten) = {
            let mut ring = self.ring();
            ring.last += 1;
            entry.number = ring.last;
            let entry = Arc::new(entry);
            let forgotten = if ring.entries.len() >= self.0.entries { ring.entries.pop_front() } else { None };
            ring.entries.push_back(Arc::clone(&entry));
            (entry, forgotten)
        };
        // Not while others wait.
        drop(forgotten);
        self.0.changed.notify_waiters();
        Some(Arc::new(Record { journal: self.clone(), entry, began: Instant::now() }))
    }

    /// The requests that a filter lets through, the newest last.
    pub(crate) fn find(&self, filter: &Filter) -> Vec<ShownEntry> {
        let limit = filter.limit.unwrap_or(usize::MAX);
        let entries: Vec<Arc<Entry>> = self.ring().entries.iter().cloned().collect();
        let mut found: Vec<ShownEntry> = entries
            .iter()
            .rev()
            .filter(|entry| filter.takes(entry))
            .take(limit)
            .map(|entry| view::entry(entry, false))
            .collect();
        found.reverse();
        found
    }

    /// How many requests a filter lets through.
    pub(crate) fn count(&self, filter: &Filter) -> usize {
        let entries: Vec<Arc<Entry>> = self.ring().entries.iter().cloned().collect();
        entries.iter().filter(|entry| filter.takes(entry)).count()
    }

    /// A request with its bodies.
    pub(crate) fn show(&self, number: u64) -> Option<ShownEntry> {
        let entry = self.ring().entries.iter().find(|entry| entry.number == number).cloned();
        entry.map(|entry| view::entry(&entry, true))
    }

    /// Told of every change.
    pub(crate) fn changed(&self) -> &Notify {
        &self.0.changed
    }

    /// Forgets all requests; numbers go on.
    pub(crate) fn clear(&self) {
        let forgotten = std::mem::take(&mut self.ring().entries);
        drop(forgotten);
    }

    /// Forgets the requests about a project; numbers go on.
    pub(crate) fn forget_project(&self, key: &PublicKey) {
        let is_about = |entry: &Arc<Entry>| entry.later().project.as_ref() == Some(key);
        self.ring().entries.retain(|entry| !is_about(entry));
    }

    /// Forgets everything: numbers begin anew.
    pub(crate) fn wipe(&self) {
        let Inner { entries: _, body: _, ring: _, changed: _ } = &*self.0;
        let forgotten = std::mem::take(&mut *self.ring());
        drop(forgotten);
    }
}

/// A request that is being noted. Where nobody answers it before all of these are gone, it has broken off.
pub(crate) struct Record {
    journal: Journal,
    entry: Arc<Entry>,
    began: Instant,
}

impl Record {
    /// The project that it turned out to be about.
    pub(crate) fn project(&self, key: &PublicKey) {
        let mut later = self.entry.later();
        if later.project.as_ref() != Some(key) {
            later.project = Some(key.clone());
        }
    }

    /// The name of the fault that it has met.
    pub(crate) fn fault(&self, name: &str) {
        self.entry.later().fault = Some(name.to_owned());
    }

    /// Notes the body as it is read.
    pub(crate) fn request_body(self: &Arc<Self>, body: Body) -> Body {
        if body.is_end_stream() {
            self.entry.later().request.end();
            return body;
        }
        Body::new(Incoming { body, record: Arc::clone(self) })
    }

    /// Notes the answer, and its body as it is sent.
    pub(crate) fn answer(self: &Arc<Self>, answer: Response<Body>) -> Response<Body> {
        let (parts, body) = answer.into_parts();
        let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        let kept = Kept::new(self.journal.0.body, expected, 0);
        let noted = Answer { status: parts.status, headers: lines(&parts.headers), body: kept };
        self.entry.later().answer = Some(noted);
        self.journal.0.changed.notify_waiters();
        let bodiless = self.entry.method == Method::HEAD || !may_have_body(parts.status);
        let body = Outgoing::new(body, &parts.headers, bodiless, Arc::clone(self));
        Response::from_parts(parts, Body::new(body))
    }

    fn end(&self, whole: bool) {
        {
            let mut later = self.entry.later();
            if later.end.is_some() {
                return;
            }
            if whole && let Some(answer) = &mut later.answer {
                answer.body.end();
            }
            later.end = Some(End { whole, took: self.began.elapsed() });
        }
        self.journal.0.changed.notify_waiters();
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.end(false);
    }
}

/// Whether answers of this status are sent with a body.
fn may_have_body(status: StatusCode) -> bool {
    !status.is_informational() && status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED
}

#[cfg(test)]
mod tests;
