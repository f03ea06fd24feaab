//! Which variants are on disk, and which of them was used longest ago.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use stowage_model::FileId;

use super::{Entry, Name};
use crate::key::Key;

/// The variants on disk.
#[derive(Default)]
pub(super) struct Index {
    entries: BTreeMap<Key, Arc<Entry>>,
    /// When each entry was used, as far as was seen here: uses are counted without a lock, and looked up when it is decided
    /// what goes. What was removed may still stand here.
    order: BinaryHeap<Reverse<(u64, Key)>>,
    /// What all of them occupy, and what is about to be written.
    bytes: u64,
}

impl Index {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        self.entries.get(key).cloned()
    }

    pub(super) fn entries(&self) -> Vec<(Key, Arc<Entry>)> {
        self.entries.iter().map(|(key, entry)| (*key, Arc::clone(entry))).collect()
    }

    pub(super) fn files(&self) -> Vec<FileId> {
        let mut files: Vec<FileId> = self.entries.keys().map(|key| key.file).collect();
        files.dedup();
        files
    }

    /// Adds an entry; answers the one that stood in its place.
    pub(super) fn insert(&mut self, key: Key, entry: Arc<Entry>) -> Option<Arc<Entry>> {
        self.bytes += entry.occupies();
        self.order.push(Reverse((entry.used.load(Ordering::Relaxed), key)));
        let before = self.entries.insert(key, entry);
        if let Some(before) = &before {
            self.bytes -= before.occupies();
        }
        // What was removed otherwise than by age must not fill the memory.
        if self.order.len() > 2 * self.entries.len() + 1024 {
            self.order =
                self.entries.iter().map(|(key, entry)| Reverse((entry.used.load(Ordering::Relaxed), *key))).collect();
        }
        before
    }

    /// Removes an entry, only if it is still `entry` where one is named; whether there was one.
    pub(super) fn remove(&mut self, key: &Key, entry: Option<&Arc<Entry>>) -> bool {
        let Some(present) = self.entries.get(key) else { return false };
        if entry.is_some_and(|entry| !Arc::ptr_eq(entry, present)) {
            return false;
        }
        self.bytes -= present.occupies();
        self.entries.remove(key).is_some()
    }

    /// Removes every entry; what is about to be written keeps its room.
    pub(super) fn wipe(&mut self) {
        let Self { entries, order, bytes } = self;
        *bytes -= entries.values().map(|entry| entry.occupies()).sum::<u64>();
        entries.clear();
        order.clear();
    }

    pub(super) fn remove_file(&mut self, file: FileId) {
        let range = Key { file, hash: [0; 16] }..=Key { file, hash: [0xff; 16] };
        let keys: Vec<Key> = self.entries.range(range).map(|(key, _)| *key).collect();
        for key in keys {
            self.remove(&key, None);
        }
    }

    /// Takes `room` bytes, and removes as many entries as have to go so that there are no more than `capacity`.
    pub(super) fn make_room(&mut self, room: u64, capacity: u64) -> Vec<(Key, Name)> {
        self.bytes += room;
        self.remove_until(capacity)
    }

    /// Removes the entries that were used longest ago, as many as occupy so many bytes.
    pub(super) fn shrink(&mut self, bytes: u64) -> Vec<(Key, Name)> {
        self.remove_until(self.bytes.saturating_sub(bytes))
    }

    fn remove_until(&mut self, capacity: u64) -> Vec<(Key, Name)> {
        let mut gone = Vec::new();
        while self.bytes > capacity {
            let Some(Reverse((seen, key))) = self.order.pop() else { break };
            let Some(entry) = self.entries.get(&key) else { continue };
            let used = entry.used.load(Ordering::Relaxed);
            if used > seen {
                self.order.push(Reverse((used, key)));
                continue;
            }
            gone.push((key, entry.name));
            self.remove(&key, None);
        }
        gone
    }

    /// Gives back what [`Index::make_room`] took.
    pub(super) fn release(&mut self, room: u64) {
        self.bytes -= room;
    }
}
