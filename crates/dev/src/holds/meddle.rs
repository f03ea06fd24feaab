//! What the workers ask of the holds.

use std::future::ready;

use stowage_jobs::{
    CopyAsked, CopyOrder, FetchAsked, FetchOrder, Later, Meddle, Outcome, Piece, PostAsked, PostOrder, Stop,
};
use tokio::sync::watch;
use uuid::Uuid;

use super::rule::{At, Kind, Rule, Total};
use super::{Holds, Inner, Job, JobKey, MOST_JOBS, Verdict};

impl Inner {
    /// The first hold that takes such a job, of which it now counts as one.
    fn take(&mut self, kind: Kind, project: &str, url: &str) -> Option<(u64, Rule)> {
        let hold = self.holds.iter_mut().find(|hold| hold.left != Some(0) && hold.rule.takes(kind, project, url))?;
        hold.left = hold.left.map(|left| left - 1);
        Some((hold.id, hold.rule.clone()))
    }

    /// What is known of a job that is held before it begins or not at all: it is asked of the holds once.
    fn job(&mut self, key: JobKey, kind: Kind, project: &str, url: &str) -> Option<&mut Job> {
        if !self.jobs.contains_key(&key) {
            let (hold, rule) = self.take(kind, project, url)?;
            if self.jobs.len() >= MOST_JOBS {
                self.jobs.retain(|_, job| !job.released);
            }
            self.jobs.insert(key, Job { at: At::Waiting, ..Job::new(Some(hold), rule, None) });
        }
        self.jobs.get_mut(&key)
    }
}

impl Job {
    /// What becomes of an attempt: its verdict, or nothing where it is held.
    fn attempt(&mut self) -> Attempt {
        match self.verdict.take() {
            Some(verdict) => {
                // The next attempt is one like others.
                self.released = true;
                Attempt::Ends(verdict)
            }
            None if self.released => Attempt::Goes,
            None => Attempt::Waits,
        }
    }
}

enum Attempt {
    Goes,
    Waits,
    Ends(Verdict),
}

impl Meddle for Holds {
    fn fetch(&self, asked: &FetchAsked<'_>) -> FetchOrder {
        let FetchAsked { key, claim, task } = asked;
        self.change(|inner| {
            let name = JobKey::FromUrl(task.token);
            if inner.holds.is_empty() && !inner.jobs.contains_key(&name) {
                return FetchOrder::Go;
            }
            if !inner.jobs.contains_key(&name) {
                let job = match inner.take(Kind::FromUrl, key.as_str(), &task.url) {
                    Some((hold, rule)) => Job::new(Some(hold), rule, Some(claim.id)),
                    None => Job { released: true, ..Job::new(None, Rule::default(), Some(claim.id)) },
                };
                inner.jobs.insert(name, job);
            }
            let Some(job) = inner.jobs.get_mut(&name) else { return FetchOrder::Go };
            job.parked = false;
            match &job.verdict {
                Some(verdict) => verdict.clone().into(),
                None if job.released || job.at == At::Progress => {
                    job.instead().map_or(FetchOrder::Go, FetchOrder::Take)
                }
                None => FetchOrder::Hold,
            }
        })
    }

    fn hides_total(&self, token: Uuid) -> bool {
        self.lock().jobs.get(&JobKey::FromUrl(token)).is_some_and(|job| job.rule.total == Some(Total::Unknown))
    }

    fn shows_later(&self, token: Uuid) -> bool {
        self.lock().jobs.get(&JobKey::FromUrl(token)).is_some_and(|job| !job.released && job.at == At::Progress)
    }

    fn piece(&self, piece: Piece) -> Option<Stop> {
        let key = JobKey::FromUrl(piece.token);
        let (steps, done) = {
            let mut inner = self.lock();
            let job = inner.jobs.get_mut(&key)?;
            if let Some(verdict) = &job.verdict {
                return Some(Stop { done: piece.done, order: Box::pin(ready(verdict.clone().into())) });
            }
            if job.released || !piece.last {
                return None;
            }
            (job.steps, job.rule.stop(job.steps, piece.done)?)
        };
        Some(Stop { done, order: self.wait(key, steps) })
    }

    fn fetched(&self, token: Uuid, outcome: &Outcome) {
        self.change(|inner| {
            let key = JobKey::FromUrl(token);
            match outcome {
                Outcome::Done(_) | Outcome::Failed(_) | Outcome::Lost => drop(inner.jobs.remove(&key)),
                Outcome::Held => {
                    if let Some(job) = inner.jobs.get_mut(&key) {
                        job.parked = job.at == At::Progress;
                    }
                }
                Outcome::Later => {}
            }
        });
    }

    fn post(&self, asked: &PostAsked<'_>) -> Later<PostOrder> {
        let (key, target) = (asked.key.as_str(), asked.webhook.target_url.as_str());
        let order = self.change(|inner| {
            let job = inner.job(JobKey::Webhook(asked.claim.id), Kind::Webhook, key, target);
            match job.map_or(Attempt::Goes, Job::attempt) {
                Attempt::Goes => PostOrder::Post,
                Attempt::Waits => PostOrder::Hold,
                Attempt::Ends(Verdict::Succeed(_)) => PostOrder::Answer(200),
                Attempt::Ends(Verdict::Fail { code, text }) => match code.parse() {
                    Ok(status @ 100..=599) => PostOrder::Answer(status),
                    _ => PostOrder::Fail(text),
                },
            }
        });
        Box::pin(ready(order))
    }

    fn copy(&self, asked: &CopyAsked<'_>) -> CopyOrder {
        let bucket = format!("s3://{}/", asked.storage.settings.bucket.as_str());
        self.change(|inner| {
            let job = inner.job(JobKey::Copy(asked.claim.id), Kind::Copy, asked.key.as_str(), &bucket);
            match job.map_or(Attempt::Goes, Job::attempt) {
                Attempt::Goes => CopyOrder::Go,
                Attempt::Waits => CopyOrder::Hold,
                Attempt::Ends(Verdict::Succeed(_)) => CopyOrder::Succeed,
                Attempt::Ends(Verdict::Fail { code, text }) => CopyOrder::Fail { code, text },
            }
        })
    }
}

impl Holds {
    /// Waits until a job may pass by the place after so many steps, or somebody says how it ends.
    fn wait(&self, key: JobKey, steps: u32) -> Later<FetchOrder> {
        let mut changes: watch::Receiver<u64> = self.changed.subscribe();
        let (inner, changed) = (std::sync::Arc::clone(&self.inner), self.changed.clone());
        Box::pin(async move {
            // It has arrived when clients can see that: whoever asks for the order has shown it.
            if let Some(job) = super::lock(&inner).jobs.get_mut(&key) {
                job.arrived = job.arrived.max(steps + 1);
            }
            changed.send_modify(|count| *count = count.wrapping_add(1));
            loop {
                changes.borrow_and_update();
                {
                    let inner = super::lock(&inner);
                    // Forgotten by a reset: nobody holds it any more.
                    let Some(job) = inner.jobs.get(&key) else { return FetchOrder::Go };
                    if let Some(verdict) = &job.verdict {
                        return verdict.clone().into();
                    }
                    if job.released || job.steps > steps {
                        return FetchOrder::Go;
                    }
                }
                if changes.changed().await.is_err() {
                    return FetchOrder::Go;
                }
            }
        })
    }
}
