//! `stowage seed`: many synthetic files for load tests, laid down in the records as if they had been uploaded in the past year. A few of
//! them bring bytes along; the others have the same, so that a million files cost the space of a handful. Nobody is told of them.

mod content;
mod plan;

use std::num::NonZeroU64;

use anyhow::{Context, bail};
use clap::Args;
use serde::de::IntoDeserializer;
use stowage_intake::{Description, Intake, IntakeError, Seedling};
use stowage_model::{Clock, File, FileName, Ids, Metadata, Project, PublicKey, Tags};
use stowage_store::records::{OpenError, Options, Records};

use super::{bar, say};
use crate::config::Config;
use crate::run;
use plan::{Laid, Plan};

/// How many files are recorded in one transaction: others write meanwhile.
const PIECE: usize = 5000;
/// How often other times are tried where files of the project have those of a piece.
const TRIES: usize = 20;

#[derive(Args)]
pub(super) struct Wanted {
    /// How many files
    #[arg(long, value_name = "N")]
    count: NonZeroU64,
    /// Public key of their project; the first one that the configuration declares where none is given
    #[arg(long, value_name = "KEY")]
    project: Option<PublicKey>,
    /// About how long each file is, such as 10KiB
    #[arg(long, value_name = "BYTES", default_value = "10KiB", value_parser = bytes)]
    size: u64,
    /// The same number makes the same files, but for their times; a new one where none is given
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

fn bytes(text: &str) -> Result<u64, serde::de::value::Error> {
    stowage_model::units::bytes(text.into_deserializer())
}

pub(super) async fn run(config: &Config, wanted: Wanted) -> anyhow::Result<()> {
    let clock = Clock::machine();
    let records = open(config, &clock).await?;
    let done = Box::pin(lay(config, &records, &clock, &wanted)).await;
    records.close().await;
    done
}

/// The records as they are; made ready like by a server where none has been there yet.
async fn open(config: &Config, clock: &Clock) -> anyhow::Result<Records> {
    run::make_folder(&config.data_dir)?;
    let options = Options { migrate: false, ..config.database.clone() };
    match Records::open(&options, &config.data_dir, config.durability, clock.clone()).await {
        Err(OpenError::Pending(_)) => run::prepare_records(config, clock).await,
        opened => Ok(opened?),
    }
}

async fn lay(config: &Config, records: &Records, clock: &Clock, wanted: &Wanted) -> anyhow::Result<()> {
    let project = find(config, records, wanted.project.as_ref()).await?;
    let number = wanted.seed.unwrap_or_else(|| Ids::random().uuid().as_u64_pair().0 >> 12);
    let ids = Ids::seeded(number);
    let samples = Box::pin(plant(config, records, clock, &ids, &project, wanted)).await?;
    let count = wanted.count.get() - samples.len() as u64;
    let (janitor, now) = (&config.janitor, clock.now());
    let mut plan = Plan::new(project.id, samples, count, now, janitor, ids);
    let bar = bar("laid down", wanted.count.get());
    bar.set_position(wanted.count.get() - count);
    loop {
        let Laid { mut files, mut groups } = plan.next(PIECE)?;
        if files.is_empty() {
            break;
        }
        let mut tries = 0;
        while !records.lay(&files, &groups).await? {
            // Uploads of the past have times to the microsecond.
            plan.later(&mut files, &mut groups);
            tries += 1;
            if tries == TRIES {
                bail!("the times of the files are taken in this project; try again");
            }
        }
        bar.inc(files.len() as u64);
    }
    bar.finish_and_clear();
    let (key, groups) = (&project.public_key, plan.groups());
    say(&format!("{} file(s) and {groups} group(s) laid down in {key} (--seed {number})", wanted.count));
    Ok(())
}

async fn find(config: &Config, records: &Records, key: Option<&PublicKey>) -> anyhow::Result<Project> {
    let declared = config.declared_projects()?;
    let key = key.or(declared.first().map(|project| &project.public_key));
    let key = key.context("the configuration declares no project; name one by --project")?;
    let found = records.project_by_key(key.as_str()).await?;
    let found = found.with_context(|| format!("there is no project {key}; `stowage project create` makes one"))?;
    Ok((*found).clone())
}

/// Puts the files into the project of which the others have their bytes; they are older than those.
async fn plant(
    config: &Config,
    records: &Records,
    clock: &Clock,
    ids: &Ids,
    project: &Project,
    wanted: &Wanted,
) -> anyhow::Result<Vec<File>> {
    let blobs = run::open_blobs(config).await?;
    let intake = Intake::new(records.clone(), blobs, clock.clone(), ids.clone(), config.scan.clone());
    let mut seedlings = Vec::new();
    let most = usize::try_from(wanted.count.get()).unwrap_or(usize::MAX);
    for (name, bytes) in content::samples(wanted.size, ids)?.into_iter().take(most) {
        let mut incoming = intake.begin();
        incoming.write(bytes.into()).await?;
        let description = Description {
            id: None,
            name: FileName::new(name),
            // As clients say it: the bytes alone do not tell it from other text.
            declared_type: (name == "figures.csv").then(|| "text/csv".to_owned()),
            stored: true,
            metadata: Metadata::default(),
            tags: Tags::default(),
            source: None,
        };
        let received = intake.finish(incoming).await?;
        let uploaded_at = clock.now().minus(plan::YEAR);
        seedlings.push(Seedling { received, description, uploaded_at, stored_at: None });
    }
    match intake.plant(project, seedlings, None).await {
        Err(IntakeError::IdTaken(_)) => {
            bail!("the files of this --seed are there already; take another number, or none")
        }
        planted => Ok(planted?),
    }
}
