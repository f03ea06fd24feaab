//! Rate limits per public key and per client address, for this process alone: what is counted is forgotten at a restart
//! and not shared between nodes. Each key and each address has a bucket of the generic cell rate algorithm (GCRA): one number,
//! the moment at which the bucket will be empty again.
//!
//! Keys and addresses are what strangers send, in any number and of any length. So only a 64-bit hash of each is kept, at most
//! [`SHARDS`] times [`SHARD_BUCKETS`] of them, and buckets that are empty, else the emptiest, make room for new ones: a flood of names that are
//! used once cannot push out the one that has spent its limit.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use stowage_model::{Refusal, Timestamp};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;

/// Locks per limit, so that requests seldom wait for each other, and cleaning up holds up few of them.
const SHARDS: usize = 16;
/// Buckets behind one lock.
const SHARD_BUCKETS: usize = 4096;
/// Buckets that are remembered per limit; about 2 MiB.
#[cfg(test)]
const MAX_BUCKETS: usize = SHARDS * SHARD_BUCKETS;

/// `[throttle]` of the configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Requests per minute with one public key; 0 means no limit.
    pub per_key: u32,
    /// Requests per minute from one address, of IPv6 from one /64 network; 0 means no limit.
    pub per_address: u32,
    /// Requests that may come at once before the limits space them out evenly; 0 counts as 1.
    pub burst: u32,
}

/// The rate limits of this process.
#[derive(Debug)]
pub struct Throttle {
    keys: Option<Limit>,
    addresses: Option<Limit>,
}

impl Throttle {
    /// Limits that nothing has been counted against.
    pub fn new(options: &Options) -> Self {
        Self {
            keys: Limit::new(options.per_key, options.burst),
            addresses: Limit::new(options.per_address, options.burst),
        }
    }

    /// Forgets what was counted.
    pub(crate) fn wipe(&self) {
        let Self { keys, addresses } = self;
        for Limit { interval: _, tolerance: _, hasher: _, shards } in [keys, addresses].into_iter().flatten() {
            for shard in shards {
                shard.lock().unwrap_or_else(PoisonError::into_inner).clear();
            }
        }
    }

    /// Counts a request with a public key, whether there is such a key or not. Errors: [`Refusal::RequestThrottled`] with the
    /// whole seconds, at least one, after which a request will pass; what was refused is not counted.
    pub(crate) fn check_key(&self, key: &str, now: Timestamp) -> Result<(), Refusal> {
        check(self.keys.as_ref(), key, now)
    }

    /// Counts a request from an address; addresses of one IPv6 /64 network are one, because a single customer has them all.
    /// Errors as [`Throttle::check_key`] has them.
    pub(crate) fn check_address(&self, address: IpAddr, now: Timestamp) -> Result<(), Refusal> {
        let network = match address.to_canonical() {
            IpAddr::V4(address) => (4, u64::from(address.to_bits())),
            IpAddr::V6(address) => {
                let [network, ..] = split(address.to_bits());
                (6, network)
            }
        };
        check(self.addresses.as_ref(), network, now)
    }
}

/// The upper and the lower half.
#[expect(clippy::cast_possible_truncation, reason = "halves are what is wanted")]
fn split(bits: u128) -> [u64; 2] {
    [(bits >> 64) as u64, bits as u64]
}

fn check(limit: Option<&Limit>, name: impl Hash, now: Timestamp) -> Result<(), Refusal> {
    let wait = limit.map_or(0, |limit| limit.take(name, now));
    if wait == 0 {
        return Ok(());
    }
    let seconds = (wait.saturating_add(SECOND - 1) / SECOND).unsigned_abs();
    Err(Refusal::RequestThrottled { retry_after: seconds.max(1) })
}

/// One limit with its buckets.
#[derive(Debug)]
struct Limit {
    /// Microseconds in which one request flows off.
    interval: i64,
    /// How full a bucket may be, in microseconds, for another request to go in.
    tolerance: i64,
    /// Names are hashed with secrets of this process, so that nobody can make two of them meet in one bucket.
    hasher: RandomState,
    shards: Vec<Mutex<HashMap<u64, i64>>>,
}

impl Limit {
    fn new(per_minute: u32, burst: u32) -> Option<Self> {
        if per_minute == 0 {
            return None;
        }
        // Rounded up: a limit may be missed by a part of a millionth, never exceeded.
        let interval = (MINUTE + i64::from(per_minute) - 1) / i64::from(per_minute);
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        let tolerance = interval * (i64::from(burst.max(1)) - 1);
        Some(Self { interval, tolerance, hasher: RandomState::new(), shards })
    }

    /// Lets a request into its bucket, or answers after how many microseconds it will fit.
    fn take(&self, name: impl Hash, Timestamp(now): Timestamp) -> i64 {
        let name = self.hasher.hash_one(name);
        let shard = usize::try_from(name % SHARDS as u64).unwrap_or_default();
        let mut buckets = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        let level = buckets.get(&name).map_or(0, |empty_at| empty_at.saturating_sub(now));
        // No bucket is fuller than this, unless the clock was set back: then nobody has to wait for the old time to return.
        let level = level.clamp(0, self.tolerance + self.interval);
        if level > self.tolerance {
            return level - self.tolerance;
        }
        if buckets.len() >= SHARD_BUCKETS && !buckets.contains_key(&name) {
            make_room(&mut buckets, now);
        }
        buckets.insert(name, now.saturating_add(level + self.interval));
        0
    }
}

/// Forgets the buckets that are empty, and the emptier half of the others when too few were.
fn make_room(buckets: &mut HashMap<u64, i64>, now: i64) {
    buckets.retain(|_, empty_at| *empty_at > now);
    if buckets.len() <= SHARD_BUCKETS / 2 {
        return;
    }
    let mut levels: Vec<i64> = buckets.values().copied().collect();
    let middle = levels.len() / 2;
    let (_, median, _) = levels.select_nth_unstable(middle);
    let median = *median;
    buckets.retain(|_, empty_at| *empty_at > median);
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::time::Duration;

    use super::*;

    const START: Timestamp = Timestamp(1_700_000_000_000_000);

    fn after(micros: i64) -> Timestamp {
        Timestamp(START.0 + micros)
    }

    fn throttle(per_key: u32, per_address: u32, burst: u32) -> Throttle {
        Throttle::new(&Options { per_key, per_address, burst })
    }

    fn buckets(limit: Option<&Limit>) -> usize {
        limit.unwrap().shards.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }

    fn wait(seconds: u64) -> Result<(), Refusal> {
        Err(Refusal::RequestThrottled { retry_after: seconds })
    }

    #[test]
    fn a_burst_passes_and_then_one_request_per_interval() {
        let throttle = throttle(60, 0, 3);
        let take = |at: i64| throttle.check_key("key", after(at));
        for _ in 0..3 {
            assert_eq!(take(0), Ok(()));
        }
        assert_eq!(take(0), wait(1));
        assert_eq!(take(SECOND - 1), wait(1), "what was refused is not counted");
        assert_eq!(take(SECOND), Ok(()));
        assert_eq!(take(SECOND), wait(1));
        // After a pause the whole burst is there again, and no more than that.
        for _ in 0..3 {
            assert_eq!(take(3600 * SECOND), Ok(()));
        }
        assert_eq!(take(3600 * SECOND), wait(1));
    }

    #[test]
    fn what_was_counted_can_be_forgotten() {
        let throttle = throttle(1, 1, 1);
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let take = || (throttle.check_key("key", START).is_ok(), throttle.check_address(address, START).is_ok());
        assert_eq!((take(), take()), ((true, true), (false, false)));
        throttle.wipe();
        assert_eq!((take(), take()), ((true, true), (false, false)));
    }

    #[test]
    fn the_wait_is_told_in_whole_seconds_and_is_long_enough() {
        for (per_minute, seconds) in [(1, 60), (2, 30), (7, 9), (60, 1), (6000, 1), (u32::MAX, 1)] {
            let throttle = throttle(per_minute, 0, 1);
            assert_eq!(throttle.check_key("key", START), Ok(()), "{per_minute}");
            assert_eq!(throttle.check_key("key", START), wait(seconds), "{per_minute}");
            let later = START.plus(Duration::from_secs(seconds));
            assert_eq!(throttle.check_key("key", later), Ok(()), "{per_minute}");
        }
    }

    #[test]
    fn the_rate_holds_over_a_long_time() {
        let throttle = throttle(7, 0, 5);
        let passed = (0..3600).filter(|second| throttle.check_key("key", after(second * SECOND)).is_ok()).count();
        assert!((7 * 60..=7 * 60 + 5).contains(&passed), "{passed}");
    }

    #[test]
    fn zero_switches_a_limit_off_and_a_burst_of_zero_is_one() {
        let off = throttle(0, 0, 0);
        let strict = throttle(1, 1, 0);
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        for _ in 0..1000 {
            assert_eq!(off.check_key("key", START), Ok(()));
            assert_eq!(off.check_address(address, START), Ok(()));
        }
        assert_eq!(strict.check_key("key", START), Ok(()));
        assert_eq!(strict.check_address(address, START), Ok(()), "keys and addresses are counted apart");
        assert_eq!(strict.check_key("key", START), wait(60));
        assert_eq!(strict.check_key("other", START), Ok(()));
        assert_eq!(strict.check_address(address, START), wait(60));
    }

    #[test]
    fn addresses_are_counted_by_network() {
        let throttle = throttle(0, 1, 1);
        let take = |address: &str| throttle.check_address(address.parse().unwrap(), START).is_ok();
        assert!(take("192.0.2.1") && take("192.0.2.2"));
        assert!(!take("::ffff:192.0.2.1"), "a mapped address is the address");
        assert!(take("2001:db8:1:2::1"));
        assert!(!take("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert!(take("2001:db8:1:3::1"));
        assert!(take("::192.0.2.1") && !take("::7"), "the network of zeros is one as well");
        assert!(take("0.0.0.0"), "and none of its addresses is an old one");
    }

    #[test]
    fn a_clock_that_jumps_hurts_nobody_for_long() {
        let throttle = throttle(60, 0, 2);
        assert_eq!(throttle.check_key("key", after(86_400 * SECOND)), Ok(()));
        // A day back: the bucket counts as full, not as full for a day.
        assert_eq!(throttle.check_key("key", START), wait(1));
        assert_eq!(throttle.check_key("key", after(2 * 86_400 * SECOND)), Ok(()));
        for extreme in [i64::MIN, -1, 0, i64::MAX] {
            let _ = throttle.check_key("extreme", Timestamp(extreme));
        }
        let wide = self::throttle(1, 0, u32::MAX);
        for extreme in [i64::MAX, i64::MIN, i64::MAX] {
            let _ = wide.check_key("extreme", Timestamp(extreme));
        }
    }

    #[test]
    fn any_number_of_names_takes_bounded_memory_and_pushes_nobody_out_who_is_at_the_limit() {
        let throttle = throttle(60, 60, 10);
        for _ in 0..10 {
            assert_eq!(throttle.check_key("spent", START), Ok(()));
        }
        for name in 0..5 * MAX_BUCKETS as u128 {
            assert_eq!(throttle.check_key(&format!("hostile {name}"), START), Ok(()));
            let network = Ipv6Addr::from_bits(name << 64 | 1);
            assert_eq!(throttle.check_address(IpAddr::V6(network), START), Ok(()));
        }
        assert!(buckets(throttle.keys.as_ref()) <= MAX_BUCKETS);
        assert!(buckets(throttle.addresses.as_ref()) <= MAX_BUCKETS);
        assert_eq!(throttle.check_key("spent", START), wait(1));
        // Even a flood of names that spend as much cannot grow the memory.
        for name in 0..MAX_BUCKETS + 1000 {
            for _ in 0..10 {
                assert_eq!(throttle.check_key(&format!("greedy {name}"), START), Ok(()));
            }
        }
        assert!(buckets(throttle.keys.as_ref()) <= MAX_BUCKETS);
    }

    #[test]
    fn buckets_that_have_run_empty_make_room_first_then_the_emptier_half() {
        let now = START.0;
        let mut buckets: HashMap<u64, i64> = (0..4096).map(|name| (name, now + i64::try_from(name).unwrap())).collect();
        make_room(&mut buckets, now + 3000);
        assert_eq!(buckets.len(), 1095);
        let mut buckets: HashMap<u64, i64> = (0..4096).map(|name| (name, now + i64::try_from(name).unwrap())).collect();
        make_room(&mut buckets, now - 1);
        assert_eq!(buckets.len(), 2047);
        assert!(buckets.keys().all(|name| *name > 2048));
    }
}
