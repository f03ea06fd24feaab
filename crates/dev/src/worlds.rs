//! All worlds: the configured one, and those of sessions.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Context;
use stowage_model::{Clock, FileId, GroupId, Ids};
use stowage_store::records::RecordsError;
use tracing::warn;

use crate::capture::Captured;
use crate::faults::Faults;
use crate::holds::Holds;
use crate::journal::Journal;
use crate::meddling::Meddling;
use crate::parts::{Build, Place, Tools};
use crate::seed::Seed;
use crate::session::SessionName;
use crate::{DevError, Options, World};

/// The doors for tests. Cheap to clone.
#[derive(Clone)]
pub struct Dev(Arc<Inner>);

struct Inner {
    options: Options,
    build: Arc<dyn Build>,
    /// The seed that each world begins with.
    seed: Option<Arc<Seed>>,
    configured: Arc<World>,
    sessions: RwLock<BTreeMap<SessionName, Arc<World>>>,
    /// One session is made or removed at a time.
    making: tokio::sync::Mutex<()>,
}

impl Dev {
    /// Opens the configured world, with the clock and the ids that are handed in, and begins to work.
    pub async fn open(options: Options, build: Arc<dyn Build>, clock: Clock, ids: Ids) -> anyhow::Result<Self> {
        let mut seed = None;
        if !options.seed.as_os_str().is_empty() {
            seed = Some(Arc::new(Seed::of_folder(&options.seed).await.context("the seed (`dev.seed`)")?));
        }
        let configured = make(&options, seed.clone(), &*build, Place::Configured, clock, ids).await?;
        let (sessions, making) = (RwLock::default(), tokio::sync::Mutex::default());
        Ok(Self(Arc::new(Inner { options, build, seed, configured: Arc::new(configured), sessions, making })))
    }

    /// The configured world.
    pub fn configured(&self) -> &Arc<World> {
        &self.0.configured
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    fn known(&self, name: &SessionName) -> Option<Arc<World>> {
        self.0.sessions.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The world of a session, made where it is new; the configured one where there is none.
    pub(crate) async fn world(&self, name: Option<&SessionName>) -> Result<Arc<World>, DevError> {
        let Some(name) = name else { return Ok(Arc::clone(&self.0.configured)) };
        if let Some(world) = self.known(name) {
            return Ok(world);
        }
        // It is made also when the client goes away: half a world would belong to nobody.
        let (dev, name) = (self.clone(), name.clone());
        let made = tokio::spawn(async move { dev.make(&name).await }).await;
        made.map_err(|crash| DevError::failed(format!("the session could not be made: {crash}")))?
    }

    async fn make(&self, name: &SessionName) -> Result<Arc<World>, DevError> {
        let _alone = self.0.making.lock().await;
        if let Some(world) = self.known(name) {
            return Ok(world);
        }
        let count = self.0.sessions.read().unwrap_or_else(PoisonError::into_inner).len();
        if count >= self.0.options.sessions {
            return Err(DevError {
                status: http::StatusCode::TOO_MANY_REQUESTS,
                text: format!(
                    "there are {count} sessions, as many as dev.sessions allows; DELETE /_dev/sessions/NAME ends one"
                ),
            });
        }
        let place = Place::Aside(Ids::random().hex(16));
        let world =
            make(&self.0.options, self.0.seed.clone(), &*self.0.build, place, Clock::driven(), Ids::driven()).await?;
        let world = Arc::new(world);
        self.0.sessions.write().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), Arc::clone(&world));
        Ok(world)
    }

    /// The sessions there are.
    pub(crate) fn sessions(&self) -> Vec<(SessionName, Arc<World>)> {
        let sessions = self.0.sessions.read().unwrap_or_else(PoisonError::into_inner);
        sessions.iter().map(|(name, world)| (name.clone(), Arc::clone(world))).collect()
    }

    /// Ends a session with everything that it kept; false if there is none.
    pub(crate) async fn remove(&self, name: &SessionName) -> Result<bool, DevError> {
        let _alone = self.0.making.lock().await;
        let world = self.0.sessions.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        let Some(world) = world else { return Ok(false) };
        self.discard(&world).await?;
        Ok(true)
    }

    /// Ends all sessions.
    pub(crate) async fn remove_all(&self) -> Result<(), DevError> {
        let _alone = self.0.making.lock().await;
        let sessions = std::mem::take(&mut *self.0.sessions.write().unwrap_or_else(PoisonError::into_inner));
        let mut outcome = Ok(());
        for world in sessions.into_values() {
            // All of them, whatever becomes of one: nobody could end them later.
            outcome = outcome.and(self.discard(&world).await);
        }
        outcome
    }

    async fn discard(&self, world: &World) -> Result<(), DevError> {
        world.end().await;
        Ok(self.0.build.remove(world.place.clone(), &world.parts).await?)
    }

    /// The world that something belongs to which is asked for by its id alone, as browsers ask for pictures: the configured one, unless
    /// it does not know the id and a session does.
    pub(crate) async fn home(&self, path: &str) -> Arc<World> {
        let configured = &self.0.configured;
        let Some(id) = id_in(path) else { return Arc::clone(configured) };
        let sessions = self.sessions();
        if sessions.is_empty() {
            return Arc::clone(configured);
        }
        let worlds = std::iter::once(Arc::clone(configured)).chain(sessions.into_iter().map(|(_, world)| world));
        for world in worlds {
            match knows(&world, id).await {
                Ok(true) => return world,
                Ok(false) => {}
                Err(failure) => warn!(%failure, "a world cannot say what it knows"),
            }
        }
        Arc::clone(configured)
    }

    /// Stops everything.
    pub async fn stop(&self) {
        if let Err(failure) = self.remove_all().await {
            warn!(%failure, "what sessions have kept could not be removed");
        }
        self.0.configured.end().await;
        self.0.configured.parts.records.close().await;
    }
}

async fn make(
    options: &Options,
    seed: Option<Arc<Seed>>,
    build: &dyn Build,
    place: Place,
    clock: Clock,
    ids: Ids,
) -> anyhow::Result<World> {
    let holds = Arc::new(Holds::default());
    let faults = Arc::new(Faults::default());
    let captured = Captured::new(clock.clone());
    let meddling = Meddling { holds: Arc::clone(&holds), faults: Arc::clone(&faults), captured: captured.clone() };
    let journal = Journal::new(options.journal, options.journal_body);
    let tools = Tools { clock, ids, meddler: Some(Arc::new(meddling)) };
    let parts = build.build(place.clone(), tools).await?;
    let world = World::new(parts, place, holds, faults, captured, journal, seed)?;
    if let Err(failure) = world.begin().await {
        // Nobody could end it later, and the next request would make another.
        world.end().await;
        if let Err(left) = build.remove(world.place.clone(), &world.parts).await {
            warn!(%left, "what a session has kept that could not begin could not be removed");
        }
        return Err(failure.into());
    }
    Ok(world)
}

#[derive(Clone, Copy)]
enum Id {
    File(FileId),
    Group(GroupId),
}

/// The id that the path of delivery, or that of a part, names.
fn id_in(path: &str) -> Option<Id> {
    let path = path.trim_start_matches('/');
    let first = path.strip_prefix("multipart/upload/").unwrap_or(path).split('/').next()?;
    let group = || first.parse().ok().map(Id::Group);
    first.parse().ok().map(Id::File).or_else(group)
}

async fn knows(world: &World, id: Id) -> Result<bool, RecordsError> {
    let records = &world.parts.records;
    Ok(match id {
        Id::File(id) => records.hot_file(id).await?.is_some() || records.upload(id).await?.is_some(),
        Id::Group(id) => records.group(id).await?.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_paths() {
        let id = "0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61";
        assert!(matches!(id_in(&format!("/{id}/-/preview/")), Some(Id::File(found)) if found.to_string() == id));
        assert!(matches!(id_in(&format!("/multipart/upload/{id}/")), Some(Id::File(_))));
        assert!(matches!(id_in(&format!("/{id}~2/nth/0/")), Some(Id::Group(_))));
        assert!(id_in("/base/").is_none());
    }
}
