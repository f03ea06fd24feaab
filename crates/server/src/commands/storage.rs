//! `stowage storage …`: the custom storages in the records, and the copies that are made there.

mod backfill;
mod changes;
mod connection;
mod show;

use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use stowage_copy::Targets;
use stowage_model::storage::{Bucket, BucketError};
use stowage_model::{Clock, Project, PublicKey, Storage, StorageName, StorageSettings};
use stowage_store::records::{CopyUpload, CreateStorageError, HOT_FOR, Records};
use tokio::task::JoinSet;

use super::{project, say};
use crate::config::Config;
use crate::run;
use changes::Changes;

/// How many uploads of a removed storage are aborted at once: one that is dead takes its time for each.
const ABORTS: usize = 32;

#[derive(Subcommand)]
pub(super) enum Action {
    /// List storages with their settings, without secrets, and how many copies wait and have failed
    List {
        /// Of the project with this public key
        #[arg(long, value_name = "KEY")]
        project: Option<PublicKey>,
        /// As JSON, one storage a line
        #[arg(long)]
        json: bool,
    },
    /// Add a storage; every upload is copied there from now on, unless `auto_copy=false`
    Add {
        #[command(flatten)]
        named: Named,
        /// The bucket
        #[arg(value_parser = bucket)]
        bucket: Bucket,
        #[command(flatten)]
        changes: Changes,
    },
    /// Change settings of a storage
    Update {
        #[command(flatten)]
        named: Named,
        #[command(flatten)]
        changes: Changes,
    },
    /// Remove a storage with the copies that wait; what is in the bucket stays there
    Remove {
        #[command(flatten)]
        named: Named,
    },
    /// Test the connection step by step, and say what to change where it does not work
    Test {
        #[command(flatten)]
        named: Named,
        /// Print a policy for the bucket, ready to paste, instead of connecting
        #[arg(long)]
        policy: bool,
    },
    /// Show how many copies wait and have failed, and why these did
    Copies {
        #[command(flatten)]
        named: Named,
        /// How many failed ones at most
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u32,
        /// As JSON, one failed copy a line
        #[arg(long)]
        json: bool,
    },
    /// Try failed copies again
    Retry {
        #[command(flatten)]
        named: Named,
    },
    /// Copy the files that were there before the storage; stopped at any time, it goes on when it is started again
    Backfill {
        #[command(flatten)]
        named: Named,
        #[command(flatten)]
        how: backfill::How,
    },
}

/// Which storage.
#[derive(Args)]
pub(super) struct Named {
    /// Public key of its project
    project: PublicKey,
    /// Its name
    name: StorageName,
}

fn bucket(text: &str) -> Result<Bucket, BucketError> {
    text.to_owned().try_into()
}

pub(super) async fn run(config: Config, action: Action) -> anyhow::Result<()> {
    let clock = Clock::machine();
    let records = run::open_records(&config, &clock).await?;
    let done = Box::pin(act(&config, &records, &clock, action)).await;
    records.close().await;
    done
}

async fn act(config: &Config, records: &Records, clock: &Clock, action: Action) -> anyhow::Result<()> {
    match action {
        Action::List { project, json } => show::storages(records, project.as_ref(), json).await,
        Action::Add { named, bucket, changes } => add(config, records, clock, &named, bucket, &changes).await,
        Action::Update { named, changes } => {
            let storage = changeable(config, records, &named).await?;
            let settings = changes.over_those_of(&storage)?;
            records.update_storage(storage.id, &settings).await?;
            known_everywhere().await;
            Ok(())
        }
        Action::Remove { named } => {
            let storage = changeable(config, records, &named).await?;
            remove(config, records, &storage).await
        }
        Action::Test { named, policy } => connection::test(config, records, &named, policy).await,
        Action::Copies { named, limit, json } => {
            let storage = find(records, &named).await?;
            show::copies(records, &storage, limit, json).await
        }
        Action::Retry { named } => {
            let storage = find(records, &named).await?;
            let due = records.retry_copies(storage.id, clock.now()).await?;
            say(&format!("{due} cop{} due again", if due == 1 { "y is" } else { "ies are" }));
            Ok(())
        }
        Action::Backfill { named, how } => {
            let storage = find(records, &named).await?;
            Box::pin(backfill::run(config, records, clock, &storage, &how)).await
        }
    }
}

async fn add(
    config: &Config,
    records: &Records,
    clock: &Clock,
    named: &Named,
    bucket: Bucket,
    changes: &Changes,
) -> anyhow::Result<()> {
    let Named { project: key, name } = named;
    let project = project::find(records, key).await?;
    refuse_declared(config, named)?;
    let settings = changes.over(&StorageSettings::new(bucket))?;
    match records.create_storage(project.id, name, &settings, clock.now()).await {
        Ok(_) => {
            known_everywhere().await;
            say(&format!("added; `stowage storage test {key} {name}` says whether it works"));
        }
        Err(CreateStorageError::NameTaken) => {
            bail!("project `{key}` has a storage `{name}` already; `stowage storage update` changes it")
        }
        Err(CreateStorageError::Records(error)) => return Err(error.into()),
    }
    Ok(())
}

/// Waits until no process goes by what it remembers of before: an upload after the command is copied as the command says, and a back-fill
/// after it finds all others.
async fn known_everywhere() {
    tokio::time::sleep(2 * HOT_FOR).await;
}

async fn remove(config: &Config, records: &Records, storage: &Storage) -> anyhow::Result<()> {
    let uploads = records.remove_storage(storage.id).await?;
    if uploads.is_empty() {
        return Ok(());
    }
    // Their parts would be kept, and paid for, and nobody here would know of them any more.
    let targets = Targets::new(config.copy.clone());
    let target = targets.get(storage);
    // Said before anything else is tried: whoever breaks this off has what it takes to abort them by hand.
    for CopyUpload { upload_id, key, .. } in &uploads {
        say(&format!("aborting the multipart upload {upload_id} of {key}"));
    }
    let mut aborts = JoinSet::new();
    for upload in uploads {
        if aborts.len() == ABORTS {
            aborts.join_next().await;
        }
        let target = Arc::clone(&target);
        aborts.spawn(async move {
            if let Err(error) = target.abort(&upload).await {
                say(&format!(
                    "the multipart upload {} of {} could not be aborted; abort it at the service: {error}",
                    upload.upload_id, upload.key
                ));
            }
        });
    }
    while aborts.join_next().await.is_some() {}
    Ok(())
}

/// The storage, as the records have it.
async fn find(records: &Records, named: &Named) -> anyhow::Result<Storage> {
    let Named { project: key, name } = named;
    let Project { id, .. } = project::find(records, key).await?;
    let storage = records.storages().await?.into_iter().find(|storage| storage.project == id && storage.name == *name);
    storage.with_context(|| format!("project `{key}` has no storage `{name}`; `stowage storage list` shows all"))
}

async fn changeable(config: &Config, records: &Records, named: &Named) -> anyhow::Result<Storage> {
    refuse_declared(config, named)?;
    let storage = find(records, named).await?;
    if storage.from_config {
        let Named { project, name } = named;
        bail!(
            "storage `{name}` of project `{project}` is declared in the configuration that the server was started with, which \
             wins at each start: change it there"
        );
    }
    Ok(storage)
}

/// Refuses to change what the configuration of this command declares, in the records already or not.
fn refuse_declared(config: &Config, named: &Named) -> anyhow::Result<()> {
    let Named { project, name } = named;
    if config.declared_storage(project, name)?.is_some() {
        bail!(
            "storage `{name}` of project `{project}` is declared in {}, which wins at each start: change it there",
            config.source()
        );
    }
    Ok(())
}
