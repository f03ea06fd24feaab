//! The built-in address for webhooks, so that a test needs no receiver: `/_dev/capture/NAME` keeps what it is sent. What webhooks of this
//! server tell such an address is handed over inside, whatever host the address names: in a container that is often another one for the
//! test than for the server, and a private one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stowage_jobs::{PostAsked, PostOrder};
use stowage_model::{Clock, Timestamp};
use stowage_store::records::Sent;
use stowage_views::events;
use tokio::sync::Notify;
use utoipa::{IntoParams, ToSchema};

use crate::doors::{CAPTURE, SESSIONS};
use crate::journal::{ShownBody, shown_headers};
use crate::session::SessionName;

/// How much is kept, and how much of each.
const ENTRIES: usize = 1000;
const BODY: usize = 64 << 10;

/// What was sent to the built-in address of a world. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Captured(Arc<Inner>);

struct Inner {
    clock: Clock,
    ring: Mutex<Ring>,
    changed: Notify,
}

#[derive(Default)]
struct Ring {
    last: u64,
    entries: VecDeque<Arc<Entry>>,
}

/// Something that is kept.
struct Entry {
    /// As it is shown, but for its body.
    head: Caught,
    body: Box<[u8]>,
}

impl Entry {
    fn show(&self) -> Caught {
        let is_whole = self.body.len() as u64 == self.head.size;
        let body = if is_whole { serde_json::from_slice(&self.body).unwrap_or_default() } else { Value::Null };
        Caught { body, raw: ShownBody::new(&self.body, is_whole), ..self.head.clone() }
    }
}

/// Whether something was signed by whoever it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SignatureVerdict)]
pub(crate) enum Verdict {
    /// A signing secret of the webhooks in question has made the signature.
    Good,
    /// None of them has.
    Bad,
    /// It is not signed.
    None,
}

impl Verdict {
    /// Looks at a signature of a body.
    pub(crate) fn new<'s>(signature: Option<&str>, body: &str, secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let Some(signature) = signature else { return Self::None };
        let is_made_with = |secret| events::signature(secret, body) == signature;
        if secrets.into_iter().any(is_made_with) { Self::Good } else { Self::Bad }
    }
}

/// Something that was sent to the built-in address.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Captured)]
pub(crate) struct Caught {
    /// Counts from 1 on since the last reset.
    number: u64,
    /// The last part of the address.
    name: String,
    /// When it came, by the clock.
    at: Timestamp,
    method: String,
    /// The query of the address.
    #[schema(required)]
    query: Option<String>,
    /// By name, in lower case.
    headers: BTreeMap<String, String>,
    /// How many bytes were sent; 64 KiB of them are kept.
    size: u64,
    /// What was sent, if that is JSON.
    body: Value,
    /// What was sent, as it came.
    raw: ShownBody,
    verdict: Verdict,
    /// The event that it tells of, if it is that of a webhook.
    #[schema(required)]
    event: Option<String>,
    /// The public key of its project, if it is that of a webhook.
    #[schema(required)]
    project: Option<String>,
    /// The number of the delivery, where a webhook of this server was told.
    #[schema(required)]
    delivery: Option<i64>,
    /// The attempt of that delivery, from 1 on.
    #[schema(required)]
    attempt: Option<u32>,
    /// The status that was answered.
    status: u16,
}

/// What arrives at the built-in address.
pub(crate) struct Arrived<'a> {
    pub(crate) target: Target,
    pub(crate) method: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    pub(crate) verdict: Verdict,
    /// The public key of the project, where a webhook of this server is told.
    pub(crate) project: Option<&'a str>,
    /// The number of the delivery and of the attempt.
    pub(crate) delivery: Option<(i64, u32)>,
}

/// What an address says that captures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Target {
    /// The last part of its path.
    name: SessionName,
    query: Option<String>,
    /// What is answered.
    pub(crate) status: StatusCode,
}

impl Target {
    /// What a path and a query say; none if nothing is captured there.
    pub(crate) fn new(path: &str, query: Option<&str>) -> Option<Self> {
        let in_session = path.strip_prefix(SESSIONS).and_then(|rest| {
            let (session, rest) = rest.split_once('/')?;
            session.parse::<SessionName>().ok()?;
            Some(rest)
        });
        let below = CAPTURE.strip_prefix(crate::doors::BELOW)?;
        let name = path.strip_prefix(CAPTURE).or_else(|| in_session?.strip_prefix(below))?;
        // What is good for the name of a session is good enough here.
        let name = name.strip_suffix('/').unwrap_or(name).parse().ok()?;
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let wanted = pairs.filter(|(name, _)| name == "status").find_map(|(_, value)| value.parse::<u16>().ok());
        let status =
            wanted.filter(|status| (200..=599).contains(status)).and_then(|status| StatusCode::from_u16(status).ok());
        Some(Self { name, query: query.map(str::to_owned), status: status.unwrap_or(StatusCode::OK) })
    }

    /// The same of an absolute URL.
    fn of_url(url: &str) -> Option<Self> {
        let url = stowage_fetch::parse(url).ok()?;
        Self::new(url.path(), url.query())
    }
}

/// Whether a URL is a built-in address that captures: webhooks may have it whatever address its host has.
pub fn is_capture(url: &str) -> bool {
    Target::of_url(url).is_some()
}

/// Which of the things that were captured are asked for; what is not given does not matter.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// The last part of the address.
    pub(crate) name: Option<String>,
    /// An event, like `file.uploaded`.
    event: Option<String>,
    /// The public key of a project.
    project: Option<String>,
    /// Those with larger numbers.
    since: Option<u64>,
    /// The most that are listed, the newest; 100 where nobody says.
    pub(crate) limit: Option<usize>,
    /// How many have to be there before the answer, if they come in time.
    pub(crate) at_least: Option<usize>,
    /// For how long they are waited for, like `5s`; 60s at most.
    #[serde(default, deserialize_with = "crate::doors::query::wait")]
    #[param(value_type = Option<String>)]
    pub(crate) wait: Duration,
}

impl Filter {
    fn takes(&self, caught: &Caught) -> bool {
        let Self { name, event, project, since, limit: _, at_least: _, wait: _ } = self;
        let fits = |wanted: &Option<String>, is: Option<&String>| wanted.is_none() || wanted.as_ref() == is;
        fits(name, Some(&caught.name))
            && fits(event, caught.event.as_ref())
            && fits(project, caught.project.as_ref())
            && since.is_none_or(|since| caught.number > since)
    }
}

impl Captured {
    /// Nothing so far.
    pub(crate) fn new(clock: Clock) -> Self {
        Self(Arc::new(Inner { clock, ring: Mutex::default(), changed: Notify::new() }))
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps something; answers its number.
    pub(crate) fn add(&self, arrived: &Arrived<'_>) -> u64 {
        let Arrived { target, method, headers, body, verdict, project, delivery } = arrived;
        let kept = &body[..body.len().min(BODY)];
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let hook = |member: &str| json["hook"][member].as_str().map(str::to_owned);
        let mut head = Caught {
            number: 0,
            name: target.name.to_string(),
            at: self.0.clock.now(),
            method: (*method).to_owned(),
            query: target.query.clone(),
            headers: shown_headers(headers),
            size: body.len() as u64,
            body: Value::Null,
            raw: ShownBody::default(),
            verdict: *verdict,
            event: hook("event"),
            project: project.map(str::to_owned).or_else(|| hook("project_pub_key")),
            delivery: delivery.map(|(delivery, _)| delivery),
            attempt: delivery.map(|(_, attempt)| attempt),
            status: target.status.as_u16(),
        };
        let number = {
            let mut ring = self.ring();
            ring.last += 1;
            head.number = ring.last;
            if ring.entries.len() >= ENTRIES {
                ring.entries.pop_front();
            }
            ring.entries.push_back(Arc::new(Entry { head, body: kept.into() }));
            ring.last
        };
        self.0.changed.notify_waiters();
        number
    }

    /// What a webhook is to be told, if its target is an address that captures.
    pub(crate) fn letter(&self, asked: &PostAsked<'_>) -> Option<Letter> {
        let PostAsked { key, webhook, claim, sent } = asked;
        let (target, sent) = (Target::of_url(&webhook.target_url)?, (*sent)?);
        Some(Letter {
            captured: self.clone(),
            target,
            verdict: Verdict::new(sent.signature.as_deref(), &sent.body, webhook.signing_secret.as_deref()),
            sent: sent.clone(),
            project: key.to_string(),
            delivery: (claim.id.0, claim.attempts + 1),
        })
    }

    /// What a filter lets through, the newest last.
    pub(crate) fn find(&self, filter: &Filter) -> Vec<Caught> {
        let newest: Vec<Arc<Entry>> = {
            let ring = self.ring();
            let newest = ring.entries.iter().rev().filter(|entry| filter.takes(&entry.head));
            newest.take(filter.limit.unwrap_or(usize::MAX)).cloned().collect()
        };
        newest.iter().rev().map(|entry| entry.show()).collect()
    }

    /// How much a filter lets through.
    pub(crate) fn count(&self, filter: &Filter) -> usize {
        self.ring().entries.iter().filter(|entry| filter.takes(&entry.head)).count()
    }

    /// Told of every change.
    pub(crate) fn changed(&self) -> &Notify {
        &self.0.changed
    }

    /// Forgets what was sent to an address of this name, or all of it; numbers go on.
    pub(crate) fn clear(&self, name: Option<&str>) {
        self.ring().entries.retain(|entry| name.is_some_and(|name| entry.head.name != name));
    }

    /// Forgets what the webhooks of a project were told; numbers go on.
    pub(crate) fn forget_project(&self, key: &str) {
        self.ring().entries.retain(|entry| entry.head.project.as_deref() != Some(key));
    }

    /// Forgets everything: numbers begin anew.
    pub(crate) fn wipe(&self) {
        let Inner { clock: _, ring: _, changed: _ } = &*self.0;
        *self.ring() = Ring::default();
    }
}

/// What a webhook of this server is to be told at the built-in address.
pub(crate) struct Letter {
    captured: Captured,
    target: Target,
    sent: Sent,
    verdict: Verdict,
    project: String,
    delivery: (i64, u32),
}

impl Letter {
    /// Keeps it, and answers what the address says.
    pub(crate) fn keep(self) -> PostOrder {
        let Self { captured, target, sent, verdict, project, delivery } = self;
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(Ok(value)) = sent.signature.as_deref().map(HeaderValue::from_str) {
            headers.insert(HeaderName::from_static(events::SIGNATURE), value);
        }
        let status = target.status.as_u16();
        captured.add(&Arrived {
            target,
            method: "POST",
            headers: &headers,
            body: sent.body.as_bytes(),
            verdict,
            project: Some(&project),
            delivery: Some(delivery),
        });
        PostOrder::Answer(status)
    }
}

impl std::fmt::Debug for Captured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Captured").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
