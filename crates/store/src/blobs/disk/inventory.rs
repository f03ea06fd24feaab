//! What the folder holds, in pages, for the janitor.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::super::key::{Key, PackId, name};
use super::super::spool::blocking;
use super::super::{BlobError, Cursor, Inventory, Stored, age};
use super::Disk;
use super::packs::try_lock;

/// A page ends with the folder in which it has become this long.
const PAGE: usize = 1000;

impl Disk {
    /// A page: packs first, then folder after folder of files.
    pub(in super::super) async fn inventory(
        disk: &Arc<Self>,
        after: Option<&Cursor>,
        grace: Duration,
    ) -> Result<Inventory, BlobError> {
        let disk = Arc::clone(disk);
        let after = after.map(|cursor| cursor.0.clone());
        blocking(move || {
            let items = match after.as_deref() {
                None => disk.sealed_packs(grace)?,
                Some(_) => Vec::new(),
            };
            Ok(disk.files_after(after.as_deref().unwrap_or_default(), items, grace)?)
        })
        .await
    }

    fn sealed_packs(&self, grace: Duration) -> io::Result<Vec<Stored>> {
        let mut packs = Vec::new();
        for file_name in names(&self.packs)? {
            let Some(id) = file_name.strip_suffix(".pack").and_then(name) else { continue };
            let path = self.packs.join(&file_name);
            let stat = match fs::symlink_metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                stat => stat?,
            };
            if stat.is_file() && age(&stat) >= grace && is_sealed(&path)? {
                packs.push(Stored::Pack { id: PackId(id), size: stat.blocks() * 512 });
            }
        }
        Ok(packs)
    }

    fn files_after(&self, after: &str, mut items: Vec<Stored>, grace: Duration) -> io::Result<Inventory> {
        let root = self.files.root();
        let done = after.get(..2).unwrap_or_default();
        for outer in names(root)?.into_iter().filter(|outer| outer.len() == 2 && outer.as_str() >= done) {
            for inner in names(&root.join(&outer))?.into_iter().filter(|inner| inner.len() == 2) {
                let place = format!("{outer}{inner}");
                if place.as_str() <= after {
                    continue;
                }
                let folder = root.join(&outer).join(inner);
                for file_name in names(&folder)? {
                    let Some(id) = name(&file_name).filter(|_| file_name.starts_with(&place)) else { continue };
                    match fs::symlink_metadata(folder.join(&file_name)) {
                        Ok(stat) if stat.is_file() && age(&stat) >= grace => {
                            items.push(Stored::Blob { key: Key::Loose(id).text(), size: stat.len() });
                        }
                        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                        _ => {}
                    }
                }
                if items.len() >= PAGE {
                    return Ok(Inventory { items, next: Some(Cursor(place)) });
                }
            }
        }
        Ok(Inventory { items, next: None })
    }
}

/// Whether no process adds to the pack any more.
fn is_sealed(path: &Path) -> io::Result<bool> {
    match File::open(path) {
        Ok(file) => Ok(try_lock(&file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The names in a folder, sorted; names that are not text are not ours.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}
