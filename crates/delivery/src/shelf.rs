//! Variants on the local disk: at most so many bytes, the least recently used ones go first. One folder for each file, so that
//! its variants can be found and removed; the name of a variant says what it is, so that the index, which is in memory, can be
//! made anew at each start from names, lengths and times alone.
//!
//! A variant is written under another name and renamed, so that a process that dies leaves nothing that looks whole. Nothing is
//! synced: after a failure of power a variant may be cut short or full of zeros. So its name holds a checksum, and what was
//! there before the start is compared with it when it is wanted for the first time.

mod index;
mod names;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use stowage_model::FileId;
use tracing::{debug, info, warn};

use crate::flights::Wanted;
use crate::key::Key;
use crate::label::Label;
use index::Index;
pub(crate) use names::Name;

/// What a file occupies at least, in bytes; lengths are rounded up to it.
const BLOCK: u64 = 4096;

/// A folder of variants. Its methods wait for the disk, unless they say otherwise.
pub(crate) struct Shelf {
    root: PathBuf,
    capacity: u64,
    reserve: u64,
    index: Mutex<Index>,
    /// Numbers the uses, so that it is known what was used longest ago.
    uses: AtomicU64,
    drafts: AtomicU64,
}

/// A variant on disk.
pub(crate) struct Entry {
    /// What its name says.
    pub(crate) name: Name,
    /// Its length in bytes.
    pub(crate) len: u64,
    used: AtomicU64,
    /// Whether it was used since that was written down.
    unwritten: AtomicBool,
    /// Whether its bytes are known to be what its name says.
    verified: AtomicBool,
}

impl Entry {
    fn new(name: Name, len: u64, used: u64, verified: bool) -> Self {
        Self {
            name,
            len,
            used: AtomicU64::new(used),
            unwritten: AtomicBool::new(false),
            verified: AtomicBool::new(verified),
        }
    }

    fn occupies(&self) -> u64 {
        occupied(self.len)
    }
}

fn occupied(len: u64) -> u64 {
    len.div_ceil(BLOCK).max(1) * BLOCK
}

impl Shelf {
    /// Opens the folder, makes it where it is missing, and takes stock of it. Keeps at most `capacity` bytes, and leaves
    /// `reserve` bytes of the disk free.
    pub(crate) fn open(root: PathBuf, capacity: u64, reserve: u64) -> io::Result<Self> {
        fs::create_dir_all(&root)?;
        let (index, uses) = take_stock(&root)?;
        let shelf = Self {
            root,
            capacity,
            reserve,
            index: Mutex::new(index),
            uses: AtomicU64::new(uses),
            drafts: AtomicU64::new(0),
        };
        let surplus = shelf.lock().make_room(0, capacity);
        shelf.discard(&surplus);
        let (count, bytes) = shelf.size();
        info!(count, bytes, folder = %shelf.root.display(), "variants on disk");
        Ok(shelf)
    }

    /// How many variants there are, and the bytes of disk that they occupy. Does not wait.
    pub(crate) fn size(&self) -> (usize, u64) {
        let index = self.lock();
        (index.len(), index.bytes())
    }

    /// Finds a variant, which counts as a use of it. Does not wait.
    pub(crate) fn find(&self, key: &Key) -> Option<Arc<Entry>> {
        let entry = self.lock().get(key)?;
        self.touch(&entry);
        Some(entry)
    }

    /// Counts a use. Does not wait.
    pub(crate) fn touch(&self, entry: &Entry) {
        entry.used.store(self.uses.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        entry.unwritten.store(true, Ordering::Relaxed);
    }

    /// Opens a variant. None where it is gone or broken; it is forgotten then.
    pub(crate) fn read(&self, key: &Key, entry: &Arc<Entry>) -> Option<File> {
        let path = self.path(key, &entry.name);
        let opened = File::open(&path).and_then(|file| {
            let whole = entry.verified.load(Ordering::Relaxed) || entry.name.check == check_of(&file, entry.len)?;
            Ok(whole.then_some(file))
        });
        match opened {
            Ok(Some(file)) => {
                entry.verified.store(true, Ordering::Relaxed);
                return Some(file);
            }
            Ok(None) => warn!(path = %path.display(), "a variant is broken and made anew"),
            Err(error) => debug!(path = %path.display(), %error, "a variant cannot be read and is made anew"),
        }
        if self.lock().remove(key, Some(entry)) {
            self.discard(&[(*key, entry.name)]);
        }
        None
    }

    /// Keeps a variant, unless it is unwanted by then or there is no room for it.
    pub(crate) fn keep(
        &self,
        key: &Key,
        label: Label,
        bytes: &[u8],
        wanted: &Wanted,
    ) -> io::Result<Option<Arc<Entry>>> {
        let (len, room) = (bytes.len() as u64, occupied(bytes.len() as u64));
        if room > self.capacity {
            return Ok(None);
        }
        let missing = self.missing(room)?;
        if missing > 0 {
            // Others have filled the disk, and what they keep is worth more.
            let surplus = self.lock().shrink(missing);
            self.discard(&surplus);
            // Asked once more only: some disks say later what has become free.
            if surplus.is_empty() || self.missing(room)? > 0 {
                return Ok(None);
            }
        }
        let surplus = self.lock().make_room(room, self.capacity);
        self.discard(&surplus);
        let name = Name { hash: key.hash, check: check(bytes), label };
        let kept = self.write(&self.path(key, &name), bytes);
        let mut index = self.lock();
        index.release(room);
        kept?;
        if !wanted.yes() {
            drop(index);
            self.discard(&[(*key, name)]);
            return Ok(None);
        }
        let entry = Arc::new(Entry::new(name, len, self.uses.fetch_add(1, Ordering::Relaxed) + 1, true));
        let before = index.insert(*key, Arc::clone(&entry));
        drop(index);
        if let Some(before) = before.filter(|before| before.name != name) {
            self.discard(&[(*key, before.name)]);
        }
        Ok(Some(entry))
    }

    /// Removes all variants of these files.
    pub(crate) fn forget(&self, files: &HashSet<FileId>) {
        {
            let mut index = self.lock();
            for file in files {
                index.remove_file(*file);
            }
        }
        for file in files {
            // Whatever is in the folder, known or not.
            if let Err(error) = fs::remove_dir_all(self.folder(*file))
                && error.kind() != io::ErrorKind::NotFound
            {
                warn!(%file, %error, "the variants of a removed file could not be deleted");
            }
        }
    }

    /// Removes all variants: what is on disk is moved aside, and deleted by and by.
    pub(crate) fn wipe(&self) -> io::Result<()> {
        let Self { root, capacity: _, reserve: _, index: _, uses: _, drafts } = self;
        self.lock().wipe();
        let number = drafts.fetch_add(1, Ordering::Relaxed);
        let aside = root.join(format!("{}{}-{number}", names::WIPED, std::process::id()));
        let mut moved = false;
        for item in fs::read_dir(root)? {
            let name = item?.file_name();
            if name.to_str().is_some_and(names::is_shelf) {
                if !moved {
                    fs::create_dir(&aside)?;
                    moved = true;
                }
                fs::rename(root.join(&name), aside.join(&name))?;
            }
        }
        if moved {
            thread::Builder::new().name("wipe".into()).spawn(move || clear(&aside))?;
        }
        Ok(())
    }

    /// The files that have variants. Does not wait.
    pub(crate) fn files(&self) -> Vec<FileId> {
        self.lock().files()
    }

    /// Gives what was used since the last time the present time as the time of its file, the last use the latest: the order
    /// survives a restart.
    pub(crate) fn note_uses(&self, now: SystemTime) {
        let mut used = self.lock().entries();
        used.retain(|(_, entry)| entry.unwritten.swap(false, Ordering::Relaxed));
        used.sort_by_key(|(_, entry)| entry.used.load(Ordering::Relaxed));
        for (age, (key, entry)) in used.into_iter().rev().enumerate() {
            let at = now.checked_sub(Duration::from_micros(age as u64)).unwrap_or(now);
            let noted = File::open(self.path(&key, &entry.name)).and_then(|file| file.set_modified(at));
            if let Err(error) = noted {
                debug!(%error, "the use of a variant could not be noted");
            }
        }
    }

    /// How many bytes the disk lacks for so many more, with the reserve left free.
    fn missing(&self, room: u64) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.root)?;
        Ok(self.reserve.saturating_add(room).saturating_sub(stat.f_bavail.saturating_mul(stat.f_frsize)))
    }

    /// Writes a whole file or none.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let number = self.drafts.fetch_add(1, Ordering::Relaxed);
        let draft = self.root.join(format!("{}-{number}{}", std::process::id(), names::DRAFT));
        let written = fs::write(&draft, bytes).and_then(|()| {
            // Somebody may remove the folder, because it is empty, just before something comes into it.
            for _ in 0..8 {
                path.parent().map_or(Ok(()), fs::create_dir_all)?;
                match fs::rename(&draft, path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    other => return other,
                }
            }
            Err(io::ErrorKind::NotFound.into())
        });
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written
    }

    /// Deletes files that the index knows no more, and folders that have become empty.
    fn discard(&self, variants: &[(Key, Name)]) {
        for (key, name) in variants {
            let path = self.path(key, name);
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                warn!(path = %path.display(), %error, "a variant could not be deleted");
            }
            // Fails where there are others, as it should.
            let _ = fs::remove_dir(self.folder(key.file));
        }
    }

    fn folder(&self, file: FileId) -> PathBuf {
        names::folder(&self.root, file)
    }

    fn path(&self, key: &Key, name: &Name) -> PathBuf {
        self.folder(key.file).join(name.text())
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A variant that was found on disk.
struct Found {
    modified: SystemTime,
    key: Key,
    name: Name,
    len: u64,
}

/// Reads names, lengths and times; removes what is no variant. Answers the index and the number of the last use. What cannot
/// be read is left alone: a cache is no reason not to start.
fn take_stock(root: &Path) -> io::Result<(Index, u64)> {
    let mut found = Vec::new();
    for item in fs::read_dir(root)? {
        let item = item?;
        if item.file_name().to_string_lossy().starts_with(names::WIPED) {
            clear(&item.path());
        } else if item.file_type()?.is_dir() {
            if let Err(error) = look_into(root, &item.path(), &mut found) {
                warn!(folder = %item.path().display(), %error, "variants could not be read");
            }
        } else if item.file_name().to_string_lossy().ends_with(names::DRAFT) {
            // Of a process that died. Other files are not ours.
            let _ = fs::remove_file(item.path());
        }
    }
    found.sort_by_key(|found| found.modified);
    let (mut index, mut uses) = (Index::default(), 0);
    for Found { key, name, len, .. } in found {
        uses += 1;
        let entry = Entry::new(name, len, uses, false);
        if let Some(older) = index.insert(key, Arc::new(entry)) {
            let _ = fs::remove_file(names::folder(root, key.file).join(older.name.text()));
        }
    }
    Ok((index, uses))
}

/// Deletes what was moved aside.
fn clear(aside: &Path) {
    if let Err(error) = fs::remove_dir_all(aside) {
        warn!(folder = %aside.display(), %error, "variants could not be deleted from the disk");
    }
}

fn look_into(root: &Path, shelf: &Path, found: &mut Vec<Found>) -> io::Result<()> {
    for folder in fs::read_dir(shelf)? {
        let folder = folder?.path();
        let file = folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<FileId>().ok());
        let Some(file) = file.filter(|file| names::folder(root, *file) == folder) else { continue };
        for variant in fs::read_dir(&folder)? {
            let variant = variant?;
            let stat = variant.metadata()?;
            match variant.file_name().to_str().and_then(Name::parse) {
                Some(name) if stat.is_file() => {
                    let key = Key { file, hash: name.hash };
                    found.push(Found { modified: stat.modified()?, key, name, len: stat.len() });
                }
                _ => {
                    let _ = fs::remove_file(variant.path());
                }
            }
        }
        // Fails where there are any, as it should.
        let _ = fs::remove_dir(&folder);
    }
    Ok(())
}

/// The checksum of bytes in the name of their file.
fn check(bytes: &[u8]) -> u64 {
    first_bytes(&blake3::hash(bytes))
}

/// The same of a file that has to be `len` bytes long.
fn check_of(file: &File, len: u64) -> io::Result<u64> {
    use std::io::Seek;
    let mut file = file;
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut file.take(len.saturating_add(1)), &mut hasher)?;
    file.rewind()?;
    Ok(first_bytes(&hasher.finalize()))
}

fn first_bytes(hash: &blake3::Hash) -> u64 {
    hash.as_bytes()[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
