//! Memory that is used again: fresh pages cost more than the copying into them.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::os::ALIGN;

/// Buffers of one length that nobody uses at the moment.
pub(super) struct Pool {
    idle: Mutex<Vec<Vec<u8>>>,
    len: usize,
    keep: usize,
}

impl Pool {
    /// A pool of buffers of `len` bytes that keeps at most `keep` idle ones.
    pub(super) fn new(len: usize, keep: usize) -> Arc<Self> {
        Arc::new(Self { idle: Mutex::new(Vec::new()), len, keep })
    }

    /// A buffer with whatever was in it before.
    pub(super) fn get(self: &Arc<Self>) -> Buffer {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Buffer::new(idle.unwrap_or_else(|| aligned_memory(self.len)), self.len, Some(Arc::clone(self)))
    }
}

fn aligned_memory(len: usize) -> Vec<u8> {
    vec![0; len + ALIGN]
}

/// Memory that direct writes may start from; it goes back to its pool when dropped.
pub(super) struct Buffer {
    memory: Vec<u8>,
    start: usize,
    len: usize,
    pool: Option<Arc<Pool>>,
}

impl Buffer {
    fn new(memory: Vec<u8>, len: usize, pool: Option<Arc<Pool>>) -> Self {
        let start = memory.as_ptr().align_offset(ALIGN).min(ALIGN);
        Self { memory, start, len, pool }
    }

    /// A buffer of its own length that belongs to no pool.
    pub(super) fn alone(len: usize) -> Self {
        Self::new(aligned_memory(len), len, None)
    }

    /// The first `len` bytes, without copying them.
    pub(super) fn freeze(self, len: usize) -> Bytes {
        Bytes::from_owner(Frozen { buffer: self, len })
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(pool) = &self.pool {
            let mut idle = pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < pool.keep {
                idle.push(std::mem::take(&mut self.memory));
            }
        }
    }
}

struct Frozen {
    buffer: Buffer,
    len: usize,
}

impl AsRef<[u8]> for Frozen {
    fn as_ref(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_come_back() {
        let pool = Pool::new(3 * ALIGN, 1);
        let (mut one, two) = (pool.get(), pool.get());
        assert!(one.as_ptr().addr().is_multiple_of(ALIGN) && two.as_ptr().addr().is_multiple_of(ALIGN));
        assert_eq!((one.len(), Buffer::alone(ALIGN).len()), (3 * ALIGN, ALIGN));
        one[..3].copy_from_slice(b"abc");
        let frozen = one.freeze(3);
        assert_eq!(&frozen[..], b"abc");
        assert_eq!(pool.idle.lock().unwrap().len(), 0);
        drop((frozen, two));
        assert_eq!(pool.idle.lock().unwrap().len(), 1);
    }
}
