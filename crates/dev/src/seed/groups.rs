//! The groups of a seed.

use std::collections::{HashMap, HashSet};

use stowage_model::{FileId, FileRef, GroupId, Member, Project, PublicKey};
use uuid::Uuid;

use super::apply::{Field, Plot, found, uuid_of};
use super::report::{SownGroup, Was};
use super::{Bundle, wrong};
use crate::DevError;

/// A group of a seed, compared with what is there.
pub(super) struct Lot<'a> {
    bundle: &'a Bundle,
    project: &'a PublicKey,
    id: GroupId,
    members: Vec<Member>,
    was: Was,
}

/// Finds the files of the groups, and whether the groups are there.
pub(super) async fn look<'a>(field: &'a Field<'a>, plots: &[Plot<'a>]) -> Result<Vec<Lot<'a>>, DevError> {
    let mut lots = Vec::new();
    for (index, bundle) in field.seed.groups.iter().enumerate() {
        let place = format!("groups[{index}]");
        let Some(project) = field.owner(bundle.project.as_ref(), &place)? else { continue };
        let members: Vec<Member> = bundle
            .members
            .iter()
            .enumerate()
            .map(|(at, text)| member(text, &format!("{place}.files[{at}]"), project, plots))
            .collect::<Result<_, DevError>>()?;
        check_members(field, project, &members, &place, plots).await?;
        let count = u32::try_from(members.len()).unwrap_or(u32::MAX);
        let id = GroupId { uuid: bundle.id.unwrap_or_else(|| derived(project, &members)), count };
        if lots.iter().any(|lot: &Lot<'_>| lot.id.uuid == id.uuid) {
            return Err(wrong(format!("{place}.id"), "another group of the seed has it, or has the same files"));
        }
        let records = &field.world.parts.records;
        let was = match records.group(id).await? {
            None if !records.has_group(id.uuid).await? => Was::Made,
            Some(there) if Some(there.project) == field.number(project) && there.members == members => Was::There,
            _ => {
                let text =
                    format!("{place}.id: there is another group {}, in another project or of other files", id.uuid);
                return Err(DevError::clash(text));
            }
        };
        lots.push(Lot { bundle, project, id, members, was });
    }
    Ok(lots)
}

/// Reads an id, or a name or path of the seed, with operations.
fn member(text: &str, place: &str, project: &PublicKey, plots: &[Plot<'_>]) -> Result<Member, DevError> {
    if let Ok(FileRef { id, operations }) = text.parse() {
        return Ok(Member { file: id, effects: operations });
    }
    let (named, operations) = text.split_once("/-/").unwrap_or((text, ""));
    let has_name = |plot: &&Plot<'_>| {
        plot.project == project && (plot.item.name.original() == named || plot.item.path.as_deref() == Some(named))
    };
    let mut found = plots.iter().filter(has_name);
    let (Some(plot), more) = (found.next(), found.next()) else {
        return Err(wrong(
            place,
            format!("`{named}` is no id, and no name or path of a file of the seed in this project"),
        ));
    };
    if more.is_some() {
        return Err(wrong(place, format!("several files of the seed are called `{named}`; say the uuid")));
    }
    let operations = operations.trim_end_matches('/');
    let effects = if operations.is_empty() { String::new() } else { format!("{operations}/") };
    Ok(Member { file: plot.id, effects })
}

/// Refuses members that are neither in the seed nor there, or that are of another project.
async fn check_members(
    field: &Field<'_>,
    project: &PublicKey,
    members: &[Member],
    place: &str,
    plots: &[Plot<'_>],
) -> Result<(), DevError> {
    let sown: HashSet<FileId> = plots.iter().filter(|plot| plot.project == project).map(|plot| plot.id).collect();
    let others: Vec<FileId> = members.iter().map(|member| member.file).filter(|id| !sown.contains(id)).collect();
    let files = field.world.parts.records.files(&others).await?;
    let number = field.number(project);
    let there = |id: &FileId| {
        files.iter().any(|file| file.id == *id && Some(file.project) == number && file.removed_at.is_none())
    };
    match others.iter().find(|id| !there(id)) {
        Some(id) => Err(wrong(format!("{place}.files"), format!("the project has no file {id}"))),
        None => Ok(()),
    }
}

/// Makes the groups that are missing.
pub(super) async fn make(
    field: &Field<'_>,
    projects: &HashMap<PublicKey, Project>,
    lots: Vec<Lot<'_>>,
) -> Result<Vec<SownGroup>, DevError> {
    let mut sown = Vec::new();
    for lot in lots {
        if lot.was == Was::Made {
            let owner = found(projects, lot.project)?;
            let now = field.now();
            let time = lot.bundle.created_at.map_or(now, |when| when.seen_from(now));
            field.world.parts.records.create_group(lot.id.uuid, owner.id, &lot.members, time).await?;
        }
        sown.push(SownGroup { id: lot.id.to_string(), project: lot.project.clone(), was: lot.was });
    }
    Ok(sown)
}

/// The id of a group that has none of its own: always the same for the same project and files.
fn derived(project: &PublicKey, members: &[Member]) -> Uuid {
    let mut hasher = blake3::Hasher::new_derive_key("stowage seed: id of a group");
    hasher.update(project.as_str().as_bytes()).update(&[0]);
    for Member { file, effects } in members {
        hasher.update(file.0.as_bytes()).update(effects.as_bytes()).update(&[0]);
    }
    uuid_of(&hasher)
}
