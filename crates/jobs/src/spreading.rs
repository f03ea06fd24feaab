//! Makes copies of what has happened, beside everything else: copying does not wait for that.

use stowage_model::ProjectId;
use stowage_store::records::{Records, RecordsError};
use tokio::task::JoinSet;
use tracing::error;

/// In how many projects in a row it is looked for what has happened.
const PROJECTS: usize = 8;
/// How many events of one are made copies of in one transaction, about.
const EVENTS: u32 = 256;

/// What is made copies of at the moment.
pub(crate) struct Spreading {
    under_way: JoinSet<Result<Spread, RecordsError>>,
    /// The project of which events were spread last.
    last: ProjectId,
}

/// What was spread.
struct Spread {
    /// The project of the last events.
    last: ProjectId,
    /// Whether there were any, be it that another process is at them.
    any: bool,
}

impl Spreading {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self { under_way: JoinSet::new(), last: ProjectId(0) }
    }

    /// Looks at the next projects, unless some are being looked at.
    pub(crate) fn begin(&mut self, records: &Records) {
        if self.under_way.is_empty() {
            self.under_way.spawn(spread(records.clone(), self.last));
        }
    }

    /// Waits for that; answers whether there was anything, so that there may be more, and copies of it. None where nothing is begun.
    pub(crate) async fn end(&mut self) -> Option<bool> {
        let any = match self.under_way.join_next().await? {
            Ok(Ok(Spread { last, any })) => {
                self.last = last;
                any
            }
            Ok(Err(failure)) => {
                error!(error = %failure, "what has happened cannot be copied; trying again");
                false
            }
            Err(crash) => {
                error!(%crash, "spreading what has happened crashed");
                false
            }
        };
        Some(any)
    }

    /// Breaks it off.
    pub(crate) async fn stop(&mut self) {
        self.under_way.shutdown().await;
    }
}

/// Makes copies of what has happened, from the project behind `last` on.
async fn spread(records: Records, mut last: ProjectId) -> Result<Spread, RecordsError> {
    let mut any = false;
    for _ in 0..PROJECTS {
        let Some(spread) = records.spread_to_storages(last, EVENTS).await? else { break };
        (last, any) = (spread.project, true);
    }
    Ok(Spread { last, any })
}
