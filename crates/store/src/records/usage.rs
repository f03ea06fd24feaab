//! How much projects keep.

use std::collections::HashMap;
use std::ops::AddAssign;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use stowage_model::{NewFile, ProjectId};

use super::engine::read;
use super::{Records, RecordsError};

/// How many times as long as the counting took its result is remembered: counting costs a tenth of the time at most.
const REMEMBERED_FOR: u32 = 10;
/// A count that took no longer is made anew rather than corrected by what was recorded while it was made.
const QUICK: Duration = Duration::from_millis(1);

/// What a project keeps: its files that are not removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// How many there are.
    pub files: u64,
    /// The sum of their lengths in bytes.
    pub bytes: u64,
}

impl AddAssign for Usage {
    fn add_assign(&mut self, more: Self) {
        self.files = self.files.saturating_add(more.files);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}

/// What is remembered of projects that were asked for.
#[derive(Default)]
pub(super) struct HotUsage(Mutex<HashMap<ProjectId, Arc<Counted>>>);

#[derive(Default)]
struct Counted {
    /// One request counts while the others wait for it.
    counting: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The last count and what was recorded since, with the moment from which on it is forgotten.
    usage: Option<(Usage, Instant)>,
    /// What was recorded since the last count began.
    meanwhile: Usage,
}

impl HotUsage {
    fn of(&self, project: ProjectId) -> Arc<Counted> {
        let mut projects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(projects.entry(project).or_default())
    }

    /// To be called after files were removed; a count that is being made may still have them.
    pub(super) fn forget(&self) {
        for counted in self.0.lock().unwrap_or_else(PoisonError::into_inner).values() {
            counted.known().usage = None;
        }
    }

    /// To be called after new files of a project are committed.
    pub(super) fn add(&self, project: ProjectId, files: &[NewFile]) {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&project).cloned();
        // Of a project that nobody asks for nothing is remembered.
        let Some(counted) = counted else { return };
        let bytes = files.iter().map(|file| file.size).fold(0, u64::saturating_add);
        let more = Usage { files: files.len() as u64, bytes };
        let mut known = counted.known();
        known.meanwhile += more;
        if let Some((usage, _)) = &mut known.usage {
            *usage += more;
        }
    }
}

impl Counted {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self) -> Option<Usage> {
        let (usage, until) = self.known().usage?;
        (Instant::now() < until).then_some(usage)
    }

    fn remember(&self, mut usage: Usage, took: Duration) {
        let mut known = self.known();
        // It may have been counted or not.
        let meanwhile = known.meanwhile;
        let exact = meanwhile == Usage::default();
        usage += meanwhile;
        known.usage = (exact || took > QUICK).then(|| (usage, Instant::now() + took * REMEMBERED_FOR));
    }
}

impl Records {
    /// What a project keeps. Counting takes the longer the more files there are, so its result is remembered for ten times
    /// as long as it took; what this process records meanwhile is added and what it removes makes it count anew, while changes made
    /// by other processes go unseen.
    pub async fn usage(&self, project: ProjectId) -> Result<Usage, RecordsError> {
        const SQL: &str = "SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM files \
             WHERE project = $1 AND removed_at IS NULL";
        let counted = self.inner.usage.of(project);
        if let Some(usage) = counted.remembered() {
            return Ok(usage);
        }
        let _alone = counted.counting.lock().await;
        if let Some(usage) = counted.remembered() {
            return Ok(usage);
        }
        counted.known().meanwhile = Usage::default();
        let begun = Instant::now();
        let (files, bytes): (i64, i64) =
            read!(self.engine(), pool => sqlx::query_as(SQL).bind(project.0).fetch_one(pool).await)?;
        let usage = Usage { files: u64::try_from(files).unwrap_or(0), bytes: u64::try_from(bytes).unwrap_or(0) };
        counted.remember(usage, begun.elapsed());
        Ok(usage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Usage = Usage { files: 1, bytes: 10 };
    const TWO: Usage = Usage { files: 2, bytes: 20 };

    #[test]
    fn a_slow_count_is_remembered_and_kept_up_to_date() {
        let counted = Counted::default();
        counted.remember(ONE, Duration::from_secs(3600));
        assert_eq!(counted.remembered(), Some(ONE));
        let hot = HotUsage::default();
        hot.of(ProjectId(1)).remember(ONE, Duration::from_secs(3600));
        hot.add(ProjectId(1), &[]);
        assert_eq!(hot.of(ProjectId(1)).remembered(), Some(ONE));
        hot.forget();
        assert_eq!(hot.of(ProjectId(1)).remembered(), None);
        counted.remember(ONE, Duration::ZERO);
        assert_eq!(counted.remembered(), None, "remembered for no time");
    }

    #[test]
    fn what_is_recorded_during_a_slow_count_is_added_and_spoils_a_quick_one() {
        let counted = Counted::default();
        counted.known().meanwhile = ONE;
        counted.remember(ONE, Duration::from_secs(3600));
        assert_eq!(counted.remembered(), Some(TWO));
        counted.remember(ONE, QUICK);
        assert_eq!(counted.remembered(), None);
    }
}
