//! How much may be under way at once, to which target and as a whole, so that targets that are slow or dead delay nobody
//! but themselves.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use tokio::time::Instant;

/// How many deliveries in a row make a target doubtful by failing; one that has never taken anything is so after the first.
const DOUBTFUL: u32 = 4;
/// How many targets are remembered that have nothing under way.
const MOST_IDLE: usize = 1024;

/// The targets that deliveries, of messages or of files, are under way to, and how the last ones to each of the others went.
pub(crate) struct Targets<K> {
    known: HashMap<K, Target>,
    /// The most deliveries that are under way to one target.
    per_target: usize,
    /// How many deliveries are under way to targets that are doubtful.
    doubtful: usize,
    /// How many may be.
    most_doubtful: usize,
}

#[derive(Clone, Copy, Default)]
struct Target {
    under_way: usize,
    /// How many failed since it has taken the last one; none if it was never tried.
    failed: Option<u32>,
}

impl Target {
    fn doubtful(self) -> usize {
        if self.failed.is_some_and(|failed| failed >= DOUBTFUL) { self.under_way } else { 0 }
    }
}

impl<K: Hash + Eq> Targets<K> {
    /// Half of the places are kept from doubtful targets, however many there are; any other may have `per_target`.
    pub(crate) fn new(concurrency: usize, per_target: usize) -> Self {
        let (per_target, most_doubtful) = (per_target.max(1), (concurrency / 2).max(1));
        Self { known: HashMap::new(), per_target, doubtful: 0, most_doubtful }
    }

    /// How many more deliveries may be under way to a target.
    pub(crate) fn room<Q: Hash + Eq + ?Sized>(&self, target: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        let target = self.known.get(target).copied().unwrap_or_default();
        match target.failed {
            None => usize::from(target.under_way == 0),
            Some(failed) if failed < DOUBTFUL => self.per_target.saturating_sub(target.under_way),
            Some(_) => usize::from(target.under_way == 0 && self.doubtful < self.most_doubtful),
        }
    }

    /// Whether the last deliveries to a target have failed, so that it gets one at a time.
    pub(crate) fn is_doubtful<Q: Hash + Eq + ?Sized>(&self, target: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.known.get(target).is_some_and(|target| target.failed.is_some_and(|failed| failed >= DOUBTFUL))
    }

    /// Makes a target doubtful that gives no sign of life.
    pub(crate) fn doubt<Q: Hash + Eq + ToOwned<Owned = K> + ?Sized>(&mut self, target: &Q) {
        self.change(target, |target| target.failed = Some(DOUBTFUL));
    }

    /// Notes that deliveries are under way to a target.
    pub(crate) fn begin<Q: Hash + Eq + ToOwned<Owned = K> + ?Sized>(&mut self, target: &Q, count: usize) {
        self.change(target, |target| target.under_way += count);
    }

    /// Notes that deliveries are no longer under way, and whether the target has taken the last one, where that was tried.
    pub(crate) fn end<Q: Hash + Eq + ToOwned<Owned = K> + ?Sized>(
        &mut self,
        target: &Q,
        count: usize,
        taken: Option<bool>,
    ) {
        self.change(target, |target| {
            target.under_way = target.under_way.saturating_sub(count);
            target.failed = match taken {
                None => target.failed,
                Some(true) => Some(0),
                Some(false) => Some(target.failed.map_or(DOUBTFUL, |failed| failed.saturating_add(1))),
            };
        });
    }

    fn change<Q: ToOwned<Owned = K> + ?Sized>(&mut self, name: &Q, change: impl FnOnce(&mut Target)) {
        let target = self.known.entry(name.to_owned()).or_default();
        self.doubtful -= target.doubtful();
        change(target);
        self.doubtful += target.doubtful();
        if self.known.len() > MOST_IDLE {
            self.known.retain(|_, target| target.under_way > 0);
        }
    }
}

/// A ceiling of attempts in a second.
pub(crate) struct Pace {
    per_second: f64,
    saved: f64,
    at: Instant,
}

impl Pace {
    /// At most `per_second`; 0 means no limit.
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Self { per_second: f64::from(per_second), saved: f64::INFINITY, at: now }
    }

    /// How many attempts may begin now. What was not used is saved for a tenth of a second.
    pub(crate) fn room(&mut self, now: Instant) -> usize {
        if self.per_second == 0.0 {
            return usize::MAX;
        }
        let earned = now.duration_since(self.at).as_secs_f64() * self.per_second;
        self.saved = (self.saved + earned).min((self.per_second / 10.0).max(1.0));
        self.at = now;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most a tenth of a u32, or one")]
        {
            self.saved.max(0.0) as usize
        }
    }

    /// Notes that attempts have begun.
    pub(crate) fn take(&mut self, count: usize) {
        self.saved -= count as f64;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PER_TARGET: usize = 8;

    #[test]
    fn a_target_gets_more_while_it_takes_what_it_is_sent() {
        let mut targets = Targets::<String>::new(64, PER_TARGET);
        assert_eq!(targets.room("a"), 1, "it has to prove itself");
        targets.begin("a", 1);
        assert_eq!((targets.room("a"), targets.room("b")), (0, 1));
        targets.end("a", 1, Some(true));
        assert_eq!(targets.room("a"), PER_TARGET);
        targets.begin("a", 3);
        assert_eq!(targets.room("a"), PER_TARGET - 3);
        targets.end("a", 1, None);
        assert_eq!(targets.room("a"), PER_TARGET - 2, "what was not tried says nothing");
        targets.begin("a", 2);
        for _ in 1..DOUBTFUL {
            targets.end("a", 1, Some(false));
        }
        assert_eq!(targets.room("a"), PER_TARGET - 1, "failing now and then is no reason");
        targets.end("a", 1, Some(false));
        assert_eq!((targets.room("a"), targets.doubtful), (1, 0));
        assert!(targets.is_doubtful("a") && !targets.is_doubtful("b"));
        targets.begin("a", 1);
        assert_eq!((targets.room("a"), targets.doubtful), (0, 1), "one is under way");
    }

    #[test]
    fn dead_targets_leave_half_of_the_places_to_others() {
        let mut targets = Targets::<String>::new(4, PER_TARGET);
        for dead in ["a", "b", "c"] {
            targets.begin(dead, 1);
            targets.end(dead, 1, Some(false));
        }
        targets.begin("good", 1);
        targets.end("good", 1, Some(true));
        for dead in ["a", "b", "c"] {
            let room = targets.room(dead);
            assert_eq!(room, usize::from(dead != "c"), "{dead}");
            targets.begin(dead, room);
        }
        assert_eq!((targets.room("good"), targets.room("new")), (PER_TARGET, 1));
        targets.end("a", 1, Some(false));
        assert_eq!((targets.room("a"), targets.room("c")), (1, 1));
        // One that stops answering counts as well, with all that is under way to it.
        for _ in 0..DOUBTFUL {
            targets.begin("good", 1);
            targets.end("good", 1, Some(false));
        }
        targets.begin("good", 1);
        assert_eq!((targets.doubtful, targets.room("c")), (2, 0));
        targets.end("good", 1, Some(true));
        assert_eq!((targets.doubtful, targets.room("c")), (1, 1));
        targets.begin("good", 2);
        targets.doubt("good");
        assert_eq!((targets.doubtful, targets.room("good"), targets.room("c")), (3, 0, 0));
        targets.end("good", 2, Some(true));
        assert_eq!((targets.doubtful, targets.room("good")), (1, PER_TARGET));
        let mut one = Targets::<String>::new(1, PER_TARGET);
        one.begin("a", 1);
        one.end("a", 1, Some(false));
        assert_eq!(one.room("a"), 1);
    }

    #[test]
    fn idle_targets_are_forgotten_when_there_are_too_many() {
        let mut targets = Targets::<String>::new(64, PER_TARGET);
        targets.begin("busy", 1);
        for n in 0..5 * MOST_IDLE {
            let name = n.to_string();
            targets.begin(name.as_str(), 1);
            targets.end(name.as_str(), 1, Some(true));
        }
        assert!(targets.known.len() <= MOST_IDLE);
        assert_eq!((targets.room("busy"), targets.doubtful), (0, 0));
    }

    #[test]
    fn the_pace_is_kept() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let mut pace = Pace::new(500, start);
        assert_eq!(pace.room(start), 50, "a tenth of a second is saved");
        pace.take(50);
        assert_eq!(pace.room(start), 0);
        assert_eq!(pace.room(after(20)), 10);
        pace.take(10);
        assert_eq!(pace.room(after(21)), 0);
        assert_eq!(pace.room(after(10_000)), 50);
        let mut slow = Pace::new(1, start);
        assert_eq!(slow.room(start), 1);
        slow.take(1);
        assert_eq!((slow.room(after(500)), slow.room(after(1500))), (0, 1));
        assert_eq!(Pace::new(0, start).room(start), usize::MAX);
    }
}
