//! Reads the model: sieves and networks one after the other, all numbers little-endian and of 32 bits.

use std::sync::LazyLock;

use super::appearance::{PATTERN, Table};
use super::cascade::{Cascade, Group, SIDE};
use super::gradients::{Layer, Network, Part, parts};

/// The model of `SeetaFace` for faces seen from the front; `models/README.md` says where it is from.
static FRONTAL: &[u8] = include_bytes!("../../models/seeta_fd_frontal_v1.0.bin");

/// The marks of the two kinds of sieves.
const TABLES: i32 = 0;
const NETWORK: i32 = 1;
/// Patterns that a table knows.
const PATTERNS: usize = 256;
/// More of anything is a sign of a broken file.
const MAX_COUNT: usize = 4096;

/// The model, read once.
pub(super) fn cascade() -> Option<&'static Cascade> {
    static CASCADE: LazyLock<Option<Cascade>> = LazyLock::new(|| read(FRONTAL));
    CASCADE.as_ref()
}

fn read(bytes: &[u8]) -> Option<Cascade> {
    let mut reader = Reader { bytes };
    let parts = parts();
    let rounds = reader.count()?;
    // The first round are the sieves that look at everything, one for each view.
    let mut views = Vec::new();
    for _ in 0..reader.count()? {
        if (reader.count()?, reader.i32()?) != (1, TABLES) {
            return None;
        }
        views.push(reader.tables()?);
        reader.sources()?;
    }
    let mut cascade = Cascade { views, rounds: Vec::new() };
    for _ in 1..rounds {
        let groups = (0..reader.count()?).map(|_| reader.group(&parts)).collect::<Option<_>>()?;
        cascade.rounds.push(groups);
    }
    reader.bytes.is_empty().then_some(cascade)
}

/// What has not been read yet.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn word(&mut self) -> Option<[u8; 4]> {
        let (word, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(*word)
    }

    fn i32(&mut self) -> Option<i32> {
        self.word().map(i32::from_le_bytes)
    }

    fn f32(&mut self) -> Option<f32> {
        self.word().map(f32::from_le_bytes).filter(|value| value.is_finite())
    }

    fn f32s(&mut self, count: usize) -> Option<Vec<f32>> {
        (0..count).map(|_| self.f32()).collect()
    }

    fn count(&mut self) -> Option<usize> {
        self.i32().and_then(|count| usize::try_from(count).ok()).filter(|count| *count <= MAX_COUNT)
    }

    fn tables(&mut self) -> Option<Vec<Table>> {
        let count = self.count()?;
        // The number of the last pattern.
        if self.count()? + 1 != PATTERNS {
            return None;
        }
        let places: Vec<(usize, usize)> =
            (0..count).map(|_| Some((self.count()?, self.count()?))).collect::<Option<_>>()?;
        let thresholds = self.f32s(count)?;
        places
            .into_iter()
            .zip(thresholds)
            .map(|((x, y), threshold)| {
                let weights = self.f32s(PATTERNS)?;
                (x.max(y) + PATTERN <= SIDE).then_some(Table { x, y, weights, threshold })
            })
            .collect()
    }

    fn group(&mut self, parts: &[Part]) -> Option<Group> {
        let networks = (0..self.count()?).map(|_| self.network(parts)).collect::<Option<_>>()?;
        Some(Group { networks, sources: self.sources()? })
    }

    fn sources(&mut self) -> Option<Vec<usize>> {
        // Where there are none, the number is below 0.
        let count = usize::try_from(self.i32()?).unwrap_or(0).min(MAX_COUNT);
        (0..count).map(|_| self.count()).collect()
    }

    fn network(&mut self, parts: &[Part]) -> Option<Network> {
        if self.i32()? != NETWORK {
            return None;
        }
        let layers = self.count()?;
        // Parts are counted from 1 on.
        let chosen = (0..self.count()?)
            .map(|_| parts.get(self.count()?.checked_sub(1)?).copied())
            .collect::<Option<Vec<Part>>>()?;
        let threshold = self.f32()?;
        let mut inputs = self.count()?;
        let mut made = Vec::new();
        for _ in 1..layers {
            let outputs = self.count()?;
            let weights = self.f32s(inputs.checked_mul(outputs)?)?;
            made.push(Layer { inputs, weights, biases: self.f32s(outputs)? });
            inputs = outputs;
        }
        Network::new(chosen, threshold, made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_read_to_its_end() {
        let cascade = cascade().unwrap();
        assert!(!cascade.views.is_empty());
        assert!(!cascade.rounds.is_empty());
    }

    #[test]
    fn a_broken_model_is_refused() {
        assert!(read(&[]).is_none());
        assert!(read(&FRONTAL[..FRONTAL.len() - 1]).is_none());
        let mut longer = FRONTAL.to_vec();
        longer.push(0);
        assert!(read(&longer).is_none());
        for at in (0..2000).step_by(4) {
            let mut broken = FRONTAL.to_vec();
            broken[at..at + 4].copy_from_slice(&i32::MAX.to_le_bytes());
            // Some numbers may be anything; none may bring the reader down.
            let _ = read(&broken);
        }
    }
}
