//! When frames are shown: a video has one rate, a picture a time for each frame.

use std::time::Duration;

/// The finest that is told apart, in milliseconds: 50 frames a second.
const FINEST: u64 = 20;
/// The coarsest, in milliseconds: players do not like less than one frame a second.
const COARSEST: u64 = 1000;
/// How long a video may be, in milliseconds.
pub(super) const LONGEST: u64 = 600_000;

/// The rate of a video, and how long each of its frames is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Timing {
    /// Milliseconds of one frame of the video.
    pub(super) tick: u64,
    /// For how many frames of the video each frame of the picture stands.
    pub(super) repeats: Vec<u64>,
}

impl Timing {
    /// The largest common tick of these times; where that is too fine, times are rounded, without adding up the error.
    pub(super) fn new(times: &[Duration]) -> Self {
        let times: Vec<u64> = times.iter().map(|time| millis(*time).max(FINEST)).collect();
        let common = times.iter().fold(0, |common, time| gcd(common, *time));
        let tick = match common {
            0 => COARSEST,
            FINEST..=COARSEST => common,
            // A part of it that is neither too fine nor too coarse.
            1001.. => (2..=common).map(|part| common / part).find(|tick| *tick <= COARSEST).unwrap_or(COARSEST),
            _ => FINEST,
        };
        let (mut shown, mut ticks) = (0, 0);
        let repeats = times.iter().map(|time| {
            shown += time;
            let until = (shown + tick / 2) / tick;
            let repeats = until.saturating_sub(ticks).max(1);
            ticks += repeats;
            repeats
        });
        Self { repeats: repeats.collect(), tick }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).min(LONGEST)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(times: &[u64]) -> (u64, Vec<u64>) {
        let times: Vec<Duration> = times.iter().map(|time| Duration::from_millis(*time)).collect();
        let Timing { tick, repeats } = Timing::new(&times);
        (tick, repeats)
    }

    #[test]
    fn frames_stay_as_long_as_they_should() {
        assert_eq!(timing(&[100, 100, 100]), (100, vec![1, 1, 1]));
        assert_eq!(timing(&[100, 250]), (50, vec![2, 5]));
        assert_eq!(timing(&[3000]), (1000, vec![3]));
        assert_eq!(timing(&[1500, 1500]), (750, vec![2, 2]));
        assert_eq!(timing(&[30, 70, 110]), (20, vec![2, 3, 6]), "10 ms are too fine; 210 ms become 220");
        assert_eq!(timing(&[0, 1]), (20, vec![1, 1]));
        assert_eq!(timing(&[]), (1000, vec![]));
    }
}
