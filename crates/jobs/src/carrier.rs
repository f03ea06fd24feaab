//! Brings copies to custom storages: claims those that are due, makes them side by side, and records how that went. The queue lives in
//! the records, a single copy in the room `copy`; here is only who has the next turn.
//!
//! More is claimed than is made at once, so that nothing stands still while the records are asked. A storage may claim and make half of
//! everything; one that keeps failing gets one copy at a time, and what was claimed for it beyond that is given back. So it is with one
//! that falls silent while it has all that it may have under way; and a copy that takes long leaves its place to others. Then more are
//! under way than there are places: no more than are claimed, and the large pieces of all of them are counted elsewhere.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Weak};
use std::time::Duration;

use stowage_copy::{Copies, CopyError, Ran};
use stowage_model::{StorageId, Timestamp};
use stowage_store::records::{ClaimedCopy, CopyEnd, CopyId, NEVER, RecordsError};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};
use uuid::Uuid;

use crate::lane::Lane;
use crate::meddle::{CopyAsked, CopyOrder, Meddle};
use crate::spreading::Spreading;
use crate::targets::Targets;

/// For how long copies that end are gathered, so that they share one transaction.
const GATHER: Duration = Duration::from_millis(50);
/// How many times as many copies are claimed as are made at once.
const AHEAD: usize = 16;
/// How many due storages are looked at in one go.
const PAGE: u32 = 256;
/// For how long a copy keeps a place.
const PATIENCE: Duration = Duration::from_secs(30);

/// Brings copies to storages. Cheap to clone.
#[derive(Clone)]
pub struct Carrier {
    copies: Copies,
    poll: Duration,
    only: Option<StorageId>,
    patience: Duration,
    meddler: Option<Arc<dyn Meddle>>,
}

/// How a copy went.
type Trip = (ClaimedCopy, Went);

enum Went {
    Tried(Result<Ran, CopyError>),
    /// It had no turn.
    Untried,
    /// Somebody holds it.
    Held,
}

/// A copy that was tried, and what comes next.
#[derive(Clone, Copy, Debug)]
pub struct Carried<'a> {
    /// The copy.
    pub claim: &'a ClaimedCopy,
    /// What comes next.
    pub end: &'a CopyEnd,
}

/// What is under way.
struct Round {
    trips: JoinSet<Trip>,
    /// The copies that were claimed and are not over.
    live: HashMap<Id, ClaimedCopy>,
    /// How many copies may be made at once.
    places: Arc<Semaphore>,
    /// How many of one storage may.
    lanes: HashMap<StorageId, Weak<Lane>>,
    targets: Targets<StorageId>,
    /// Copies that are over and not recorded yet.
    done: Vec<(CopyId, Uuid, CopyEnd)>,
    /// Copies that were not tried and are not given back yet.
    untried: Vec<(CopyId, Uuid)>,
    /// Copies that somebody holds and that are not given back yet.
    held: Vec<(CopyId, Uuid)>,
    /// How many were tried.
    tried: u64,
    /// The storage that was looked at last: the next one has the next turn.
    after: StorageId,
    spreading: Spreading,
}

impl Carrier {
    /// A carrier; due copies of other processes are looked for every `poll`.
    pub fn new(copies: Copies, poll: Duration) -> Self {
        Self { copies, poll: poll.max(GATHER), only: None, patience: PATIENCE, meddler: None }
    }

    /// The same with another time after which a copy leaves its place to others, and a storage that has taken nothing counts as silent.
    /// For tests.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same with somebody who decides what becomes of copies.
    pub fn with_meddler(self, meddler: Arc<dyn Meddle>) -> Self {
        Self { meddler: Some(meddler), ..self }
    }

    /// The same for the copies of one storage only, and of what has happened before [`drain`](Self::drain) begins.
    pub fn only(self, storage: StorageId) -> Self {
        Self { only: Some(storage), ..self }
    }

    /// Works until told to stop; copies under way then have `drain` to end, and those that do not are given back.
    pub async fn work(self, stop: CancellationToken, drain: Duration) {
        let mut round = self.round();
        let (mut looked, mut woken, mut rest) = (Instant::now(), true, GATHER);
        loop {
            let due = looked + if woken { rest } else { self.poll };
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.copies.tools().records.copy_arrived(), if !woken => woken = true,
                Some(ended) = round.trips.join_next_with_id() => {
                    self.end(&mut round, ended, &mut |_| {});
                    woken = true;
                }
                Some(any) = round.spreading.end() => woken |= any,
                () = sleep_until(due) => {
                    looked = Instant::now();
                    match Box::pin(self.turn(&mut round)).await {
                        Ok(more) => (woken, rest) = (more, GATHER),
                        Err(failure) => {
                            error!(error = %failure, "storages cannot be served; trying again");
                            (woken, rest) = (false, self.poll);
                        }
                    }
                }
            }
        }
        self.leave(round, drain).await;
    }

    /// Makes every copy that is due, until none is; answers how many attempts there were. For tests and commands.
    pub async fn drain(&self) -> Result<u64, RecordsError> {
        self.drain_with(&mut |_| {}).await
    }

    /// Like [`drain`](Self::drain), and tells how each attempt went.
    pub async fn drain_with(&self, tell: &mut (dyn FnMut(Carried<'_>) + Send)) -> Result<u64, RecordsError> {
        let mut round = self.round();
        if self.only.is_some() {
            // Once: while others are busy, something happens all the time.
            round.spreading.begin(&self.copies.tools().records);
            round.spreading.end().await;
        }
        loop {
            let more = Box::pin(self.turn(&mut round)).await?;
            if let Some(ended) = round.trips.join_next_with_id().await {
                self.end(&mut round, ended, tell);
                sleep(GATHER).await;
                while let Some(ended) = round.trips.try_join_next_with_id() {
                    self.end(&mut round, ended, tell);
                }
            } else if let Some(any) = round.spreading.end().await {
                if !any && !more {
                    return Ok(round.tried);
                }
                sleep(GATHER).await;
            } else if more {
                sleep(GATHER).await;
            } else {
                return Ok(round.tried);
            }
        }
    }

    fn concurrency(&self) -> usize {
        self.copies.options().concurrency.max(1)
    }

    fn round(&self) -> Round {
        let (places, claims) = (self.concurrency(), self.concurrency().saturating_mul(AHEAD));
        Round {
            trips: JoinSet::new(),
            live: HashMap::new(),
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            lanes: HashMap::new(),
            targets: Targets::new(places, claims.div_ceil(2)),
            done: Vec::new(),
            untried: Vec::new(),
            held: Vec::new(),
            tried: 0,
            after: StorageId(0),
            spreading: Spreading::new(),
        }
    }

    /// Records what has ended and begins what is due, as far as there is room. Answers whether there is more to look at
    /// before anything else happens.
    async fn turn(&self, round: &mut Round) -> Result<bool, RecordsError> {
        let tools = self.copies.tools();
        let now = tools.clock.now();
        self.record(round, now).await?;
        round.doubt_silent();
        if self.only.is_none() {
            round.spreading.begin(&tools.records);
        }
        let places = self.concurrency().saturating_mul(AHEAD).saturating_sub(round.live.len());
        if places == 0 {
            return Ok(false);
        }
        let (wanted, more) = self.choose(round, now, places).await?;
        let lease = self.copies.options().lease;
        let claimed = tools.records.claim_copies(&wanted, now, lease, tools.ids.lease()).await;
        let mut claims: HashMap<StorageId, Vec<ClaimedCopy>> = HashMap::new();
        let claimed = claimed.map(|claimed| {
            for claim in claimed {
                claims.entry(claim.task.storage).or_default().push(claim);
            }
        });
        for (storage, count) in wanted {
            let claims = claims.remove(&storage).unwrap_or_default();
            round.targets.end(&storage, (count as usize).saturating_sub(claims.len()), None);
            for claim in claims {
                self.begin(round, claim);
            }
        }
        claimed?;
        Ok(more)
    }

    async fn record(&self, round: &mut Round, now: Timestamp) -> Result<(), RecordsError> {
        let records = &self.copies.tools().records;
        if !round.done.is_empty() {
            records.end_copies(&round.done, now).await?;
            round.done.clear();
        }
        if !round.untried.is_empty() {
            records.release_copies(&round.untried, now).await?;
            round.untried.clear();
        }
        if !round.held.is_empty() {
            records.release_copies(&round.held, NEVER).await?;
            round.held.clear();
        }
        Ok(())
    }

    /// Chooses among due storages, each in its turn, how many copies are to be claimed, and reserves places for them: at most `room`.
    /// Answers as well whether there are others that could not be looked at.
    async fn choose(
        &self,
        round: &mut Round,
        now: Timestamp,
        mut room: usize,
    ) -> Result<(Vec<(StorageId, u32)>, bool), RecordsError> {
        let (due, mut others) = self.due(now, round.after).await?;
        let first = due.first().copied().unwrap_or(StorageId(0));
        let mut last = round.after;
        let mut wanted = Vec::new();
        for storage in due {
            if room == 0 {
                others = true;
                break;
            }
            last = storage;
            let count = round.targets.room(&storage).min(room);
            if count > 0 {
                round.targets.begin(&storage, count);
                room -= count;
                wanted.push((storage, u32::try_from(count).unwrap_or(u32::MAX)));
            }
        }
        // Where all were looked at, the second begins the next time: those who share the room take turns in being served.
        round.after = if others { last } else { first };
        Ok((wanted, others))
    }

    /// Due storages from the one behind `after` on and around, and whether there may be others.
    async fn due(&self, now: Timestamp, after: StorageId) -> Result<(Vec<StorageId>, bool), RecordsError> {
        let records = &self.copies.tools().records;
        if let Some(only) = self.only {
            let due = records.due_storages(now, StorageId(only.0 - 1), 1).await?;
            return Ok((due.into_iter().filter(|storage| *storage == only).collect(), false));
        }
        let mut due = records.due_storages(now, after, PAGE).await?;
        let others = due.len() == PAGE as usize;
        if !others && after > StorageId(0) {
            let before = records.due_storages(now, StorageId(0), PAGE).await?;
            due.extend(before.into_iter().take_while(|storage| *storage <= after));
        }
        Ok((due, others))
    }

    fn begin(&self, round: &mut Round, mut claim: ClaimedCopy) {
        let storage = claim.task.storage;
        let live = claim.clone();
        let (copies, places, lane) = (self.copies.clone(), Arc::clone(&round.places), self.lane(round, storage));
        let (patience, meddler) = (self.patience, self.meddler.clone());
        let trip = async move {
            if let Some(meddler) = meddler
                && let Some(went) = meddle(meddler.as_ref(), &copies, &claim).await
            {
                return (claim, went);
            }
            let (take, taken) = oneshot::channel();
            let turn = async {
                let (turn, place) = lane.turn(&places).await?;
                take.send(place).ok()?;
                Some(turn)
            };
            let keep = async {
                let Ok(place) = taken.await else { return pending().await };
                lane.keep(place, patience).await
            };
            let ran = tokio::select! {
                ran = copies.run_in_turn(&mut claim, turn) => ran,
                never = keep => never,
            };
            (claim, ran.map_or(Went::Untried, Went::Tried))
        };
        let id = round.trips.spawn(trip).id();
        round.live.insert(id, live);
    }

    /// The turns of one storage: half of all places.
    fn lane(&self, round: &mut Round, storage: StorageId) -> Arc<Lane> {
        let known = round.lanes.get(&storage).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            round.lanes.retain(|_, lane| lane.strong_count() > 0);
            let lane = Arc::new(Lane::new(self.concurrency().div_ceil(2)));
            round.lanes.insert(storage, Arc::downgrade(&lane));
            lane
        })
    }

    /// Notes that a copy is over, and tells how an attempt went.
    fn end(&self, round: &mut Round, ended: Result<(Id, Trip), JoinError>, note: &mut (dyn FnMut(Carried<'_>) + Send)) {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(crash) => crash.id(),
        };
        let Some(live) = round.live.remove(&id) else { return };
        let (storage, id, lease) = (live.task.storage, live.id, live.lease);
        let Ok((_, (claim, went))) = ended else {
            error!(copy = id.0, storage = storage.0, "a copy crashed");
            round.targets.end(&storage, 1, None);
            round.done.push((id, lease, self.copies.once_more(&live, "the copy crashed".to_owned())));
            return;
        };
        let ran = match went {
            Went::Tried(ran) => ran,
            Went::Untried => {
                round.targets.end(&storage, 1, None);
                round.untried.push((id, lease));
                return;
            }
            Went::Held => {
                round.targets.end(&storage, 1, None);
                round.held.push((id, lease));
                return;
            }
        };
        round.tried += 1;
        round.targets.end(&storage, 1, taken(&ran));
        if round.targets.is_doubtful(&storage)
            && let Some(lane) = round.lanes.get(&storage).and_then(Weak::upgrade)
        {
            lane.give_back();
        }
        let end = self.copies.end_of(&claim, &ran);
        tell(&claim, ran.as_ref().ok(), &end);
        note(Carried { claim: &claim, end: &end });
        // One that is no longer ours is not ours to end.
        if !matches!(ran, Err(CopyError::Lost)) {
            round.done.push((id, lease, end));
        }
    }

    /// Waits for what is being made, and gives back what does not end in time and what was not begun.
    async fn leave(&self, mut round: Round, drain: Duration) {
        let deadline = Instant::now() + drain;
        round.places.close();
        while !round.live.is_empty() {
            tokio::select! {
                Some(ended) = round.trips.join_next_with_id() => self.end(&mut round, ended, &mut |_| {}),
                () = sleep_until(deadline) => break,
            }
        }
        // Some may have ended meanwhile, and are not to be begun again.
        round.trips.abort_all();
        while let Some(ended) = round.trips.join_next_with_id().await {
            if ended.is_ok() {
                self.end(&mut round, ended, &mut |_| {});
            }
        }
        round.spreading.stop().await;
        round.untried.extend(round.live.values().map(|live| (live.id, live.lease)));
        if let Err(failure) = self.record(&mut round, self.copies.tools().clock.now()).await {
            warn!(error = %failure, "copies are begun again only after their lease");
        }
    }
}

impl Round {
    /// Doubts the storages that have fallen silent with all their turns taken.
    fn doubt_silent(&mut self) {
        for (storage, lane) in &self.lanes {
            if let Some(lane) = lane.upgrade().filter(|lane| lane.is_silent()) {
                self.targets.doubt(storage);
                // Those that have come since it was told.
                lane.give_back();
            }
        }
    }
}

/// What somebody makes of a copy before it begins. Uploads of copies that were given up are always aborted.
async fn meddle(meddler: &dyn Meddle, copies: &Copies, claim: &ClaimedCopy) -> Option<Went> {
    if claim.given_up {
        return None;
    }
    let records = &copies.tools().records;
    let storage = records.storage(claim.task.storage).await.ok()??;
    let project = records.project(storage.project).await.ok()??;
    match meddler.copy(&CopyAsked { key: &project.public_key, storage: &storage, claim }) {
        CopyOrder::Go => None,
        CopyOrder::Hold => Some(Went::Held),
        CopyOrder::Fail { code, text } => Some(Went::Tried(Err(CopyError::Permanent { code, message: text }))),
        CopyOrder::Succeed => Some(Went::Tried(Ok(Ran::Copied))),
    }
}

/// What an attempt says about the storage: whether it takes what it is sent. Nothing where the reason lies elsewhere.
fn taken(ran: &Result<Ran, CopyError>) -> Option<bool> {
    match ran {
        Ok(Ran::Copied | Ran::Existed) => Some(true),
        Err(CopyError::Permanent { code, .. }) if code == stowage_copy::KEY_INVALID => None,
        Err(CopyError::Permanent { .. } | CopyError::Passing { .. }) => Some(false),
        Ok(Ran::Dropped) | Err(_) => None,
    }
}

fn tell(claim: &ClaimedCopy, ran: Option<&Ran>, end: &CopyEnd) {
    let (file, storage, attempt) = (claim.task.file, claim.task.storage.0, claim.attempt);
    match end {
        CopyEnd::Failed { error } => warn!(%file, storage, attempt, error, "a copy to a storage has failed for good"),
        CopyEnd::Retry { error, .. } => debug!(%file, storage, attempt, error, "a copy to a storage is tried again"),
        CopyEnd::Done => debug!(%file, storage, attempt, outcome = ?ran, "a copy to a storage is done"),
    }
}
