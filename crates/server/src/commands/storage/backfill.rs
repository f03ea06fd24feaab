//! `stowage storage backfill`: copies the files that were there before the storage. What is to be copied goes into the records first,
//! piece by piece, so that it is known at the end and nothing is lost when this ends early; then it is copied, here or by the workers.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use stowage_copy::{Copies, CopyTools};
use stowage_jobs::Carrier;
use stowage_model::{Clock, Ids, Storage};
use stowage_store::records::{CopyCounts, Records};
use tokio::time::{Instant, sleep};

use super::{connection, show};
use crate::commands::{bar, say};
use crate::config::Config;
use crate::run;

/// How many files are enqueued in one transaction: others write meanwhile.
const PIECE: u32 = 1000;
/// How often the bar looks at the records while copies are made.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Args)]
pub(in crate::commands) struct How {
    /// Say how many files would be copied, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave the copying to the server or to `stowage work`
    #[arg(long)]
    enqueue_only: bool,
    /// Begin with the oldest file again; what is in the bucket already is not written again
    #[arg(long, conflicts_with = "dry_run")]
    restart: bool,
}

pub(super) async fn run(
    config: &Config,
    records: &Records,
    clock: &Clock,
    storage: &Storage,
    how: &How,
) -> anyhow::Result<()> {
    let place = connection::place(&storage.settings);
    if how.dry_run {
        let left = records.backfill_left(storage.id).await?;
        say(&format!("{left} file(s) would be copied to {place}; nothing was enqueued"));
        return Ok(());
    }
    if !how.enqueue_only {
        // A storage that does not work would refuse every single file.
        connection::must_work(&storage.settings).await?;
    }
    if how.restart {
        records.reset_backfill(storage.id).await?;
    }
    let enqueued = enqueue(records, clock, storage).await?;
    let CopyCounts { waiting, failed } = show::counts(records, storage.id).await?;
    say(&format!("{enqueued} file(s) enqueued, {waiting} to be copied to {place}"));
    if how.enqueue_only {
        return Ok(());
    }
    Box::pin(copy(config, records, clock, storage)).await?;
    let counts = show::counts(records, storage.id).await?;
    say(&show::counted(counts));
    if counts.waiting > 0 {
        say("those that wait did not succeed yet, or another process makes them; the server goes on with them");
    }
    if counts.failed > failed {
        bail!("{} cop(ies) failed; `stowage storage copies` says why", counts.failed - failed);
    }
    Ok(())
}

/// Puts what is to be copied into the records; answers how many files that are.
async fn enqueue(records: &Records, clock: &Clock, storage: &Storage) -> anyhow::Result<u64> {
    let until = clock.now();
    let bar = bar("enqueued", records.backfill_left(storage.id).await?);
    let mut enqueued = 0;
    loop {
        let step = records.backfill(storage.id, until, PIECE, clock.now()).await?;
        enqueued += step.enqueued;
        bar.inc(step.looked_at);
        if step.done {
            bar.finish_and_clear();
            return Ok(enqueued);
        }
    }
}

/// Makes copies until none waits, or until nothing could be done for the time of a lease: by then copies of a process that died are due
/// again, and those that wait longer are for the server.
async fn copy(config: &Config, records: &Records, clock: &Clock, storage: &Storage) -> anyhow::Result<()> {
    let blobs = run::open_blobs(config).await?;
    let delivery = run::open_side_delivery(config, blobs.clone(), "backfill").await?;
    let (clock, ids) = (clock.clone(), Ids::random());
    let tools = CopyTools { records: records.clone(), blobs, delivery, clock, ids };
    let carrier = Carrier::new(Copies::new(tools, config.copy.clone()), config.jobs.poll).only(storage.id);
    let bar = bar("copied", show::counts(records, storage.id).await?.waiting);
    let work = async {
        let mut busy = Instant::now();
        loop {
            if Box::pin(carrier.drain()).await? > 0 {
                busy = Instant::now();
            }
            if show::counts(records, storage.id).await?.waiting == 0
                || busy.elapsed() > config.copy.lease + config.jobs.poll
            {
                return anyhow::Ok(());
            }
            sleep(LOOK).await;
        }
    };
    let watch = async {
        loop {
            sleep(LOOK).await;
            if let Ok(counts) = show::counts(records, storage.id).await {
                bar.set_position(bar.length().unwrap_or_default().saturating_sub(counts.waiting));
            }
        }
    };
    tokio::select! {
        worked = work => worked?,
        never = watch => never,
    };
    bar.finish_and_clear();
    Ok(())
}
