//! Takes what has happened to those who want to be told of it: claims due deliveries, tries them side by side, and records
//! how that went. The queue lives in the records; here is only what is under way.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use stowage_model::{Project, ProjectId, Webhook, WebhookId};
use stowage_store::records::{Attempted, ClaimedDelivery, DeliveryId, NEVER, Next, RecordsError};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use uuid::Uuid;

use crate::targets::{Pace, Targets};
use crate::{Tools, WebhookOptions, webhook};

/// For how long attempts that end are gathered, so that they share one transaction.
const GATHER: Duration = Duration::from_millis(50);
/// How much longer than an attempt a claim lasts: within that time it must have been recorded.
const MARGIN: Duration = Duration::from_secs(30);
/// In how many projects a turn looks for what has happened.
const PROJECTS: usize = 8;
/// The most deliveries that are under way to one target.
const PER_TARGET: usize = 8;
/// How many due webhooks are looked at in one go.
const PAGE: u32 = 256;

/// Delivers to webhooks. Cheap to clone.
#[derive(Clone)]
pub struct Postman {
    tools: Tools,
    options: Arc<WebhookOptions>,
    poll: Duration,
}

/// An attempt to tell a webhook.
#[derive(Clone, Copy, Debug)]
pub struct Tried<'a> {
    /// The webhook.
    pub webhook: WebhookId,
    /// How it went.
    pub attempted: &'a Attempted,
}

/// What is under way.
struct Round {
    posts: JoinSet<Option<Attempted>>,
    live: HashMap<Id, Live>,
    targets: Targets<String>,
    pace: Pace,
    /// Attempts that are over and not recorded yet.
    done: Vec<Attempted>,
    /// Deliveries that somebody holds and that are not given back yet.
    held: Vec<(DeliveryId, Uuid)>,
    /// The webhook that was looked at last: the next one has the next turn.
    after: WebhookId,
    /// Likewise the project of which events were spread last.
    spread: ProjectId,
}

/// A delivery that is under way.
struct Live {
    target: String,
    webhook: WebhookId,
    id: DeliveryId,
    lease: Uuid,
}

/// A due webhook, and how much of it is to be claimed.
struct Wanted {
    webhook: Arc<Webhook>,
    project: Arc<Project>,
    count: usize,
}

impl Postman {
    /// A postman; due deliveries of other processes are looked for every `poll`.
    pub fn new(tools: Tools, options: WebhookOptions, poll: Duration) -> Self {
        Self { tools, options: Arc::new(options), poll: poll.max(GATHER) }
    }

    /// Works until told to stop; deliveries under way then have `drain` to end, and those that do not are given back.
    pub async fn work(self, stop: CancellationToken, drain: Duration) {
        let mut round = self.round();
        let (mut looked, mut woken, mut rest) = (Instant::now(), true, GATHER);
        loop {
            let due = looked + if woken { rest } else { self.poll };
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.tools.records.delivery_arrived(), if !woken => woken = true,
                Some(ended) = round.posts.join_next_with_id() => {
                    let _ = round.end(ended);
                    woken = true;
                }
                () = sleep_until(due) => {
                    looked = Instant::now();
                    match Box::pin(self.turn(&mut round)).await {
                        Ok(more) => (woken, rest) = (more, GATHER),
                        Err(failure) => {
                            error!(error = %failure, "webhooks cannot be served; trying again");
                            (woken, rest) = (false, self.poll);
                        }
                    }
                }
            }
        }
        self.leave(round, drain).await;
    }

    /// Tries everything that is due once; answers how many attempts there were. For tests.
    pub async fn drain(&self) -> Result<u64, RecordsError> {
        let mut count = 0;
        self.drain_with(&mut |_| count += 1).await?;
        Ok(count)
    }

    /// Like [`drain`](Self::drain), and tells how each attempt went.
    pub async fn drain_with(&self, tell: &mut (dyn FnMut(Tried<'_>) + Send)) -> Result<(), RecordsError> {
        let mut round = self.round();
        loop {
            let more = Box::pin(self.turn(&mut round)).await?;
            if let Some(ended) = round.posts.join_next_with_id().await {
                if let Some(webhook) = round.end(ended)
                    && let Some(attempted) = round.done.last()
                {
                    tell(Tried { webhook, attempted });
                }
            } else if more {
                sleep(GATHER).await;
            } else {
                return Ok(());
            }
        }
    }

    fn round(&self) -> Round {
        Round {
            posts: JoinSet::new(),
            live: HashMap::new(),
            targets: Targets::new(self.options.concurrency, PER_TARGET),
            pace: Pace::new(self.options.per_second, Instant::now()),
            done: Vec::new(),
            held: Vec::new(),
            after: WebhookId(0),
            spread: ProjectId(0),
        }
    }

    /// Records what has ended and begins what is due, as far as there is room. Answers whether there is more to look at
    /// before anything else happens.
    async fn turn(&self, round: &mut Round) -> Result<bool, RecordsError> {
        let (records, now) = (&self.tools.records, self.tools.clock.now());
        if !round.done.is_empty() {
            records.record_attempts(&round.done, now).await?;
            round.done.clear();
        }
        if !round.held.is_empty() {
            records.release_deliveries(&round.held, NEVER).await?;
            round.held.clear();
        }
        let places = self.options.concurrency.max(1).saturating_sub(round.live.len());
        if places == 0 {
            return Ok(false);
        }
        let pace = round.pace.room(Instant::now());
        if pace == 0 {
            return Ok(true);
        }
        let waiting = self.spread(round, pace).await?;
        let (wanted, more) = self.choose(round, places.min(pace)).await?;
        let counts: Vec<(WebhookId, u32)> =
            wanted.iter().map(|wanted| (wanted.webhook.id, u32::try_from(wanted.count).unwrap_or(u32::MAX))).collect();
        let lease = self.options.timeout.saturating_mul(2).saturating_add(MARGIN);
        let claimed = records.claim_deliveries(&counts, now, lease, self.tools.ids.lease()).await;
        let mut claims: HashMap<WebhookId, Vec<ClaimedDelivery>> = HashMap::new();
        let claimed = claimed.map(|claimed| {
            for claim in claimed {
                claims.entry(claim.webhook).or_default().push(claim);
            }
        });
        for Wanted { webhook, project, count } in wanted {
            let claims = claims.remove(&webhook.id).unwrap_or_default();
            round.targets.end(&webhook.target_url, count.saturating_sub(claims.len()), None);
            round.pace.take(claims.len());
            for claim in claims {
                self.begin(round, &webhook, &project, claim);
            }
        }
        claimed?;
        Ok(more || waiting)
    }

    /// Makes deliveries of what has happened, project by project, of about as many events as there may be attempts now: what cannot be
    /// delivered yet need not be spread either. Answers whether some may be left.
    async fn spread(&self, round: &mut Round, pace: usize) -> Result<bool, RecordsError> {
        let mut room = u64::try_from(pace).unwrap_or(u64::MAX);
        for _ in 0..PROJECTS {
            let limit = u32::try_from(room).unwrap_or(u32::MAX);
            let Some(spread) = self.tools.records.spread_events(round.spread, limit).await? else { return Ok(false) };
            round.spread = spread.project;
            room = room.saturating_sub(spread.events);
            if room == 0 {
                break;
            }
        }
        Ok(true)
    }

    /// Chooses among due webhooks, each in its turn, what is to be claimed, and reserves places for it: at most `room`.
    /// Answers as well whether there are others that could not be looked at.
    async fn choose(&self, round: &mut Round, mut room: usize) -> Result<(Vec<Wanted>, bool), RecordsError> {
        let (due, mut others) = self.due(round.after).await?;
        let first = due.first().map_or(WebhookId(0), |(webhook, _)| webhook.id);
        let mut last = round.after;
        let mut wanted = Vec::new();
        for (webhook, project) in due {
            if room == 0 {
                others = true;
                break;
            }
            last = webhook.id;
            let count = round.targets.room(&webhook.target_url).min(room);
            if count > 0 {
                round.targets.begin(&webhook.target_url, count);
                room -= count;
                wanted.push(Wanted { webhook: Arc::new(webhook), project, count });
            }
        }
        // Where all were looked at, the second begins the next time: those who share a target take turns in being served.
        round.after = if others { last } else { first };
        Ok((wanted, others))
    }

    /// Due webhooks with their projects, from the one behind `after` on and around, and whether there may be others.
    async fn due(&self, after: WebhookId) -> Result<(Vec<(Webhook, Arc<Project>)>, bool), RecordsError> {
        let (records, now) = (&self.tools.records, self.tools.clock.now());
        let mut webhooks = records.due_webhooks(now, after, PAGE).await?;
        let others = webhooks.len() == PAGE as usize;
        if !others && after > WebhookId(0) {
            let before = records.due_webhooks(now, WebhookId(0), PAGE).await?;
            webhooks.extend(before.into_iter().take_while(|webhook| webhook.id <= after));
        }
        let mut due = Vec::with_capacity(webhooks.len());
        for webhook in webhooks {
            if let Some(project) = records.project(webhook.project).await? {
                due.push((webhook, project));
            }
        }
        Ok((due, others))
    }

    fn begin(&self, round: &mut Round, webhook: &Arc<Webhook>, project: &Arc<Project>, claim: ClaimedDelivery) {
        let target = webhook.target_url.clone();
        let live = Live { target, webhook: webhook.id, id: claim.id, lease: claim.lease };
        let (tools, options) = (self.tools.clone(), Arc::clone(&self.options));
        let (webhook, project) = (Arc::clone(webhook), Arc::clone(project));
        let post = async move { webhook::attempt(&tools, &options, &webhook, &project.public_key, claim).await };
        let id = round.posts.spawn(post).id();
        round.live.insert(id, live);
    }

    /// Waits for what is under way, and gives back what does not end in time.
    async fn leave(&self, mut round: Round, drain: Duration) {
        let deadline = Instant::now() + drain;
        while !round.live.is_empty() {
            tokio::select! {
                Some(ended) = round.posts.join_next_with_id() => drop(round.end(ended)),
                () = sleep_until(deadline) => break,
            }
        }
        // Some may have ended meanwhile, and are not to be begun again.
        round.posts.abort_all();
        while let Some(ended) = round.posts.join_next_with_id().await {
            if ended.is_ok() {
                let _ = round.end(ended);
            }
        }
        let (records, now) = (&self.tools.records, self.tools.clock.now());
        if let Err(failure) = records.record_attempts(&round.done, now).await {
            warn!(error = %failure, "what was delivered last is delivered again after its lease");
        }
        let untried: Vec<(DeliveryId, Uuid)> = round.live.values().map(|live| (live.id, live.lease)).collect();
        for (deliveries, due_at) in [(untried, now), (round.held, NEVER)] {
            if let Err(failure) = records.release_deliveries(&deliveries, due_at).await {
                warn!(error = %failure, "deliveries are begun again only after their lease");
            }
        }
    }
}

impl Round {
    /// Notes that an attempt is over; answers its webhook if there was one.
    fn end(&mut self, ended: Result<(Id, Option<Attempted>), JoinError>) -> Option<WebhookId> {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(crash) => crash.id(),
        };
        let live = self.live.remove(&id)?;
        let Ok((_, attempted)) = ended else {
            // Its lease runs out, and it is begun again, as if the process had died.
            error!(delivery = %live.id, "a delivery crashed");
            self.targets.end(&live.target, 1, Some(false));
            return None;
        };
        let Some(attempted) = attempted else {
            self.targets.end(&live.target, 1, None);
            self.held.push((live.id, live.lease));
            return None;
        };
        let Live { target, webhook, id, .. } = live;
        self.targets.end(&target, 1, Some(attempted.next == Next::Delivered));
        let outcome = match attempted.next {
            Next::Delivered => "delivered",
            Next::Retry(_) => "retry",
            Next::Failed => "failed",
        };
        metrics::counter!("stowage_webhook_attempts_total", "outcome" => outcome).increment(1);
        // The target may carry a secret, so that it is not logged.
        let (number, attempt) = (webhook.0, &attempted.attempt);
        match attempted.next {
            Next::Failed => info!(%id, webhook = number, ?attempt, "a delivery to a webhook has failed for good"),
            Next::Delivered | Next::Retry(_) => {
                debug!(%id, webhook = number, ?attempt, outcome, "tried to tell a webhook");
            }
        }
        self.done.push(attempted);
        Some(webhook)
    }
}
