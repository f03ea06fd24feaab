//! Sowing: first everything that is there is compared with the seed, then what is missing is made. Where something does not fit, nothing
//! is done.

use std::collections::HashMap;

use stowage_intake::{Description, Seedling};
use stowage_model::{Cause, File, FileId, Initiator, Project, ProjectId, PublicKey, Storage, Timestamp};
use stowage_store::records::{CreateError, CreateStorageError, NewWebhook, WebhookChange, WebhookError};

use super::groups;
use super::report::{Sown, SownFile, SownProject, SownStorage, SownWebhook, Was};
use super::{Hook, Item, Seed, wrong};
use crate::{DevError, World};

impl Seed {
    /// Sows it; where `only` names a project, only what that has. Webhooks are told of new files if `events` says so.
    ///
    /// Whoever calls it sees to it that the world is not reset meanwhile, and does not give it up halfway.
    pub(crate) async fn sow(&self, world: &World, only: Option<&PublicKey>, events: bool) -> Result<Sown, DevError> {
        let _alone = world.sowing.lock().await;
        let field = Field::look(self, world, only).await?;
        let plots = field.plots().await?;
        let lots = groups::look(&field, &plots).await?;
        let mut sown = Sown { projects: field.declare().await?, ..Sown::default() };
        let projects = field.projects().await?;
        sown.storages = field.store(&projects).await?;
        sown.webhooks = field.hook(&projects).await?;
        sown.files = field.plant(&projects, plots, events).await?;
        sown.groups = groups::make(&field, &projects, lots).await?;
        if only.is_none() {
            let missing = self.faults.iter().filter(|rule| !world.faults.has(rule)).cloned().collect();
            world.faults.add(missing)?;
            for hold in &self.holds {
                world.holds.add_once(hold.clone())?;
            }
            (sown.faults, sown.holds) = (self.faults.len(), self.holds.len());
        }
        Ok(sown)
    }
}

/// A file of a seed, compared with what is there.
pub(super) struct Plot<'a> {
    pub(super) place: String,
    pub(super) item: &'a Item,
    pub(super) project: &'a PublicKey,
    pub(super) id: FileId,
    was: Was,
}

/// Where a seed is sown.
pub(super) struct Field<'a> {
    pub(super) seed: &'a Seed,
    pub(super) world: &'a World,
    only: Option<&'a PublicKey>,
    now: Timestamp,
    /// The projects that there are before.
    before: Vec<Project>,
    /// The project of what names none.
    first: Option<PublicKey>,
}

impl<'a> Field<'a> {
    async fn look(seed: &'a Seed, world: &'a World, only: Option<&'a PublicKey>) -> Result<Self, DevError> {
        let before = world.parts.records.projects().await?;
        let first = before.first().map(|project| project.public_key.clone());
        Ok(Self { seed, world, only, now: world.parts.clock.now(), before, first })
    }

    /// What time it is.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// The project that something belongs to; none if it is not to be sown.
    pub(super) fn owner(
        &'a self,
        named: Option<&'a PublicKey>,
        place: &str,
    ) -> Result<Option<&'a PublicKey>, DevError> {
        let missing =
            || wrong(format!("{place}.project"), "there is no project at all; the seed can have one in `projects`");
        let key = named.or(self.first.as_ref()).ok_or_else(missing)?;
        let declared = self.seed.projects.iter().any(|project| project.public_key == *key);
        if !declared && !self.before.iter().any(|project| project.public_key == *key) {
            return Err(wrong(format!("{place}.project"), format!("there is no project `{key}`")));
        }
        Ok(Some(key).filter(|key| self.only.is_none_or(|only| only == *key)))
    }

    /// The number of a project, if there was one before.
    pub(super) fn number(&self, key: &PublicKey) -> Option<ProjectId> {
        self.before.iter().find(|project| project.public_key == *key).map(|project| project.id)
    }

    /// The files of the seed with their ids, and whether they are there.
    async fn plots(&'a self) -> Result<Vec<Plot<'a>>, DevError> {
        // Whatever is wrong with a webhook or a storage is said before anything is done.
        for (index, storage) in self.seed.storages.iter().enumerate() {
            self.owner(storage.project.as_ref(), &format!("storages[{index}]"))?;
        }
        for (index, webhook) in self.seed.webhooks.iter().enumerate() {
            self.owner(webhook.project.as_ref(), &format!("webhooks[{index}]"))?;
        }
        let (mut plots, mut places) = (Vec::new(), HashMap::<FileId, String>::new());
        for (index, item) in self.seed.files.iter().enumerate() {
            let place = format!("files[{index}]");
            let Some(project) = self.owner(item.project.as_ref(), &place)? else { continue };
            let id = item.id.unwrap_or_else(|| derived(project, item));
            if let Some(other) = places.insert(id, place.clone()) {
                let what = match item.id {
                    Some(_) => format!("{other} has the same id"),
                    None => format!("{other} has the same project, name and content; give one of them a uuid"),
                };
                return Err(wrong(format!("{place}.uuid"), what));
            }
            plots.push(Plot { place, item, project, id, was: Was::Made });
        }
        let ids: Vec<FileId> = plots.iter().map(|plot| plot.id).collect();
        let there = self.world.parts.records.files(&ids).await?;
        let there: HashMap<FileId, File> = there.into_iter().map(|file| (file.id, file)).collect();
        for plot in &mut plots {
            let Some(file) = there.get(&plot.id) else { continue };
            let content = &plot.item.content;
            if Some(file.project) != self.number(plot.project)
                || (&file.etag, file.size) != (&content.etag, content.size)
            {
                let Plot { place, id, .. } = plot;
                let text =
                    format!("{place}.uuid: there is another file {id}, in another project or with other content");
                return Err(DevError::clash(text));
            }
            plot.was = if file.removed_at.is_some() { Was::Removed } else { Was::There };
        }
        Ok(plots)
    }

    /// Makes the projects of the seed.
    async fn declare(&self) -> Result<Vec<SownProject>, DevError> {
        let records = &self.world.parts.records;
        let mut sown = Vec::new();
        for declared in &self.seed.projects {
            let public_key = declared.public_key.clone();
            if self.only.is_some_and(|only| *only != public_key) {
                continue;
            }
            let was = match self.before.iter().find(|project| project.public_key == public_key) {
                None => match records.create_project(declared, self.now).await {
                    Ok(_) => Was::Made,
                    Err(CreateError::KeyTaken) => Was::There,
                    Err(CreateError::Records(failure)) => return Err(failure.into()),
                },
                Some(there) if (&there.secret_keys, &there.settings) == (&declared.secret_keys, &declared.settings) => {
                    Was::There
                }
                Some(there) => {
                    records.update_project(there.id, &declared.secret_keys, &declared.settings).await?;
                    Was::Changed
                }
            };
            sown.push(SownProject { public_key, was });
        }
        Ok(sown)
    }

    /// All projects by their keys, with those of the seed.
    async fn projects(&self) -> Result<HashMap<PublicKey, Project>, DevError> {
        let projects = self.world.parts.records.projects().await?;
        Ok(projects.into_iter().map(|project| (project.public_key.clone(), project)).collect())
    }

    async fn store(&self, projects: &HashMap<PublicKey, Project>) -> Result<Vec<SownStorage>, DevError> {
        let records = &self.world.parts.records;
        let there: Vec<Storage> = if self.seed.storages.is_empty() { Vec::new() } else { records.storages().await? };
        let mut sown = Vec::new();
        for (index, storage) in self.seed.storages.iter().enumerate() {
            let Some(key) = self.owner(storage.project.as_ref(), &format!("storages[{index}]"))? else { continue };
            let project = found(projects, key)?;
            let was = match there.iter().find(|other| other.project == project.id && other.name == storage.name) {
                Some(other) if other.settings == storage.settings => Was::There,
                Some(other) => {
                    records.update_storage(other.id, &storage.settings).await?;
                    Was::Changed
                }
                None => match records.create_storage(project.id, &storage.name, &storage.settings, self.now).await {
                    Ok(_) => Was::Made,
                    Err(CreateStorageError::NameTaken) => Was::There,
                    Err(CreateStorageError::Records(failure)) => return Err(failure.into()),
                },
            };
            sown.push(SownStorage { project: key.clone(), name: storage.name.to_string(), was });
        }
        Ok(sown)
    }

    async fn hook(&self, projects: &HashMap<PublicKey, Project>) -> Result<Vec<SownWebhook>, DevError> {
        let records = &self.world.parts.records;
        let mut sown = Vec::new();
        for (index, Hook { project, new }) in self.seed.webhooks.iter().enumerate() {
            let place = format!("webhooks[{index}]");
            let Some(key) = self.owner(project.as_ref(), &place)? else { continue };
            let project = found(projects, key)?;
            let new = NewWebhook { target_url: self.target(&new.target_url), ..new.clone() };
            let there = records.webhooks(project.id).await?;
            let there = there.into_iter().find(|other| other.event == new.event && other.target_url == new.target_url);
            let (webhook, was) = match there {
                None => (records.create_webhook(project.id, &new, self.now).await.map_err(refused(&place))?, Was::Made),
                Some(there) if (there.is_active, &there.signing_secret) == (new.is_active, &new.signing_secret) => {
                    (there, Was::There)
                }
                Some(there) => {
                    let change = WebhookChange {
                        is_active: Some(new.is_active),
                        signing_secret: Some(new.signing_secret.clone()),
                        ..WebhookChange::default()
                    };
                    let changed = records.update_webhook(project.id, there.id, &change, self.now).await;
                    (changed.map_err(refused(&place))?.unwrap_or(there), Was::Changed)
                }
            };
            let (id, event, target_url) = (webhook.id, webhook.event, webhook.target_url);
            sown.push(SownWebhook { id, project: key.clone(), event, target_url, was });
        }
        Ok(sown)
    }

    /// The URL of a target, which may be the name of a capture address.
    fn target(&self, target: &str) -> String {
        if target.contains(':') {
            return target.to_owned();
        }
        format!("{}/_dev/capture/{target}", self.world.parts.urls.upload)
    }

    async fn plant(
        &self,
        projects: &HashMap<PublicKey, Project>,
        plots: Vec<Plot<'_>>,
        events: bool,
    ) -> Result<Vec<SownFile>, DevError> {
        let intake = &self.world.parts.intake;
        let mut beds: Vec<(&PublicKey, Vec<Seedling>)> = Vec::new();
        for plot in plots.iter().filter(|plot| plot.was == Was::Made) {
            let Plot { place, item, project, id, .. } = plot;
            let received = item.content.take_in(intake, place).await?;
            let description = Description {
                id: Some(*id),
                name: item.name.clone(),
                declared_type: item.mime_type.clone(),
                stored: item.stored,
                metadata: item.metadata.clone(),
                tags: item.tags.clone(),
                source: item.source.clone(),
            };
            let uploaded_at = item.uploaded_at.map_or(self.now, |when| when.seen_from(self.now));
            let stored_at = item.stored_at.map(|when| when.seen_from(self.now));
            let seedling = Seedling { received, description, uploaded_at, stored_at };
            match beds.iter_mut().find(|(key, _)| key == project) {
                Some((_, bed)) => bed.push(seedling),
                None => beds.push((project, vec![seedling])),
            }
        }
        let cause = Cause { initiator: Initiator::System, urls: self.world.parts.urls.clone() };
        for (key, bed) in beds {
            let project = found(projects, key)?;
            let planted = intake.plant(project, bed, events.then_some(&cause)).await;
            planted.map_err(|failure| DevError::failed(format!("files: {failure}")))?;
        }
        let file = |plot: Plot<'_>| {
            let name = plot.item.name.original().to_owned();
            SownFile { uuid: plot.id, project: plot.project.clone(), name, was: plot.was }
        };
        Ok(plots.into_iter().map(file).collect())
    }
}

/// A project of those that were looked at before.
pub(super) fn found<'p>(projects: &'p HashMap<PublicKey, Project>, key: &PublicKey) -> Result<&'p Project, DevError> {
    projects.get(key).ok_or_else(|| DevError::clash(format!("the project `{key}` has gone meanwhile")))
}

fn refused(place: &str) -> impl Fn(WebhookError) -> DevError {
    move |failure| match failure {
        WebhookError::Records(failure) => failure.into(),
        other => DevError::clash(format!("{place}: {other}")),
    }
}

/// The id of a file that has none of its own: always the same for the same project, name and content.
fn derived(project: &PublicKey, item: &Item) -> FileId {
    let mut hasher = blake3::Hasher::new_derive_key("stowage seed: id of a file");
    for part in [project.as_str(), item.name.original(), &item.content.etag] {
        hasher.update(part.as_bytes()).update(&[0]);
    }
    FileId(uuid_of(&hasher))
}

/// A version 4 UUID of what was hashed.
pub(super) fn uuid_of(hasher: &blake3::Hasher) -> uuid::Uuid {
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}
