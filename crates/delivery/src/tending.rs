//! Variants go with their files: at once where this process removes them, and otherwise at the next look at the records. Nobody is
//! served a variant of a removed file in the meantime, because the record of the file is asked first.

use std::time::Duration;

use stowage_model::FileId;
use stowage_store::records::{Records, RecordsError};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::Delivery;

/// How long after the start, which has better things to do, the first look is taken.
const FIRST_LOOK: Duration = Duration::from_secs(60);
/// The time from one look to the next.
const BETWEEN_LOOKS: Duration = Duration::from_secs(3600);
/// How many files are looked up at once.
const BATCH: usize = 500;

impl Delivery {
    /// Removes variants of removed files, and now and then writes down which variants are used, until told to stop.
    pub async fn tend(self, records: Records, stop: CancellationToken) {
        let mut removals = records.removals();
        let mut looks = interval_at(Instant::now() + FIRST_LOOK, BETWEEN_LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let look = tokio::select! {
                () = stop.cancelled() => break,
                _ = looks.tick() => true,
                removed = removals.recv() => match removed {
                    Ok(first) => {
                        let mut gone = vec![first];
                        let missed = loop {
                            match removals.try_recv() {
                                Ok(file) => gone.push(file),
                                Err(TryRecvError::Lagged(_)) => break true,
                                Err(TryRecvError::Empty | TryRecvError::Closed) => break false,
                            }
                        };
                        self.forget(&gone);
                        missed
                    }
                    Err(RecvError::Lagged(_)) => true,
                    Err(RecvError::Closed) => break,
                },
            };
            if look {
                self.note_uses().await;
                let looked = stop.run_until_cancelled(Box::pin(self.forget_removed(&records))).await;
                if let Some(Err(failure)) = looked {
                    warn!(error = %failure, "variants of removed files could not be looked for");
                }
            }
        }
        self.note_uses().await;
    }

    /// Looks every file up of which there are variants, and removes those of removed ones; answers of how many.
    pub async fn forget_removed(&self, records: &Records) -> Result<usize, RecordsError> {
        let mut forgotten = 0;
        for kept in self.kept().chunks(BATCH) {
            let there = records.files(kept).await?;
            let there: Vec<FileId> =
                there.iter().filter(|file| file.removed_at.is_none()).map(|file| file.id).collect();
            let gone: Vec<FileId> = kept.iter().copied().filter(|file| !there.contains(file)).collect();
            self.forget(&gone);
            forgotten += gone.len();
        }
        Ok(forgotten)
    }
}
