//! What is in the files of a seed: in memory, so that a reset is quick, or in the folder where it is large.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use stowage_intake::{Intake, Received, etag_of};
use tokio::io::AsyncReadExt;

use super::{MANIFEST, wrong};
use crate::DevError;

/// The largest manifest, in bytes.
pub(crate) const MAX_MANIFEST: usize = 16 << 20;
/// The largest file that is kept in memory, in bytes.
const MAX_KEPT: u64 = 8 << 20;
/// The most bytes of all files that are kept in memory.
const MAX_ALL_KEPT: u64 = 256 << 20;
/// How much of a file is read at once, in bytes.
const PORTION: usize = 256 << 10;

/// The content of a file.
pub(super) struct Content {
    place: Place,
    pub(super) size: u64,
    pub(super) etag: String,
}

enum Place {
    Memory(Bytes),
    Folder(PathBuf),
}

impl Content {
    pub(super) fn of_bytes(bytes: Bytes) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&bytes);
        Self { size: bytes.len() as u64, etag: etag_of(&hasher), place: Place::Memory(bytes) }
    }

    async fn of_file(path: PathBuf) -> std::io::Result<Self> {
        let mut file = tokio::fs::File::open(&path).await?;
        let (mut hasher, mut size, mut portion) = (blake3::Hasher::new(), 0, vec![0; PORTION]);
        loop {
            let read = file.read(&mut portion).await?;
            if read == 0 {
                break;
            }
            hasher.update(&portion[..read]);
            size += read as u64;
        }
        Ok(Self { size, etag: etag_of(&hasher), place: Place::Folder(path) })
    }

    /// Takes it in, as if it had been uploaded.
    pub(super) async fn take_in(&self, intake: &Intake, place: &str) -> Result<Received, DevError> {
        let failed = |failure: stowage_intake::IntakeError| DevError::failed(format!("{place}: {failure}"));
        let mut incoming = intake.begin();
        match &self.place {
            Place::Memory(bytes) => incoming.write(bytes.clone()).await.map_err(failed)?,
            Place::Folder(path) => {
                let unreadable = |failure| wrong(place, format!("{}: {failure}", path.display()));
                let mut file = tokio::fs::File::open(path).await.map_err(unreadable)?;
                loop {
                    let mut portion = bytes::BytesMut::with_capacity(PORTION);
                    if file.read_buf(&mut portion).await.map_err(unreadable)? == 0 {
                        break;
                    }
                    incoming.write(portion.freeze()).await.map_err(failed)?;
                }
            }
        }
        let received = intake.finish(incoming).await.map_err(failed)?;
        if received.etag() != self.etag {
            return Err(DevError::clash(format!(
                "{place}: the file has changed since the seed was read; start the server again"
            )));
        }
        Ok(received)
    }
}

/// The parts of a seed: the manifest, and files by their paths.
pub(crate) struct Parts {
    pub(super) manifest: Bytes,
    files: Files,
}

enum Files {
    Sent(BTreeMap<String, Arc<Content>>),
    Folder { root: PathBuf, kept: tokio::sync::Mutex<u64> },
}

impl Parts {
    /// Those that were sent.
    pub(crate) fn sent(manifest: Bytes, files: BTreeMap<String, Bytes>) -> Self {
        let files = files.into_iter().map(|(path, bytes)| (path, Arc::new(Content::of_bytes(bytes))));
        Self { manifest, files: Files::Sent(files.collect()) }
    }

    /// Those in a folder.
    pub(super) async fn of_folder(folder: &Path) -> Result<Self, DevError> {
        let manifest = folder.join(MANIFEST);
        let unreadable = |failure: std::io::Error| DevError::bad(format!("{}: {failure}", manifest.display()));
        let root = tokio::fs::canonicalize(folder).await.map_err(unreadable)?;
        let text = tokio::fs::read(&manifest).await.map_err(unreadable)?;
        let kept = tokio::sync::Mutex::new(0);
        Ok(Self { manifest: text.into(), files: Files::Folder { root, kept } })
    }

    /// The content of the file at a path.
    pub(super) async fn content(&self, path: &str, place: &str) -> Result<Arc<Content>, DevError> {
        if !is_inside(path) {
            return Err(wrong(place, format!("`{path}` is no path inside of the folder")));
        }
        let (root, kept) = match &self.files {
            Files::Sent(files) => {
                let missing = || wrong(place, format!("no part of the request is called `{path}`"));
                return files.get(path).cloned().ok_or_else(missing);
            }
            Files::Folder { root, kept } => (root, kept),
        };
        let unreadable = |failure: std::io::Error| wrong(place, format!("`{path}`: {failure}"));
        let file = tokio::fs::canonicalize(root.join(path)).await.map_err(unreadable)?;
        if !file.starts_with(root) {
            return Err(wrong(place, format!("`{path}` leads out of the folder")));
        }
        let facts = tokio::fs::metadata(&file).await.map_err(unreadable)?;
        if !facts.is_file() {
            return Err(wrong(place, format!("`{path}` is no file")));
        }
        let mut kept = kept.lock().await;
        let content = if facts.len() <= MAX_KEPT && *kept + facts.len() <= MAX_ALL_KEPT {
            *kept += facts.len();
            Content::of_bytes(tokio::fs::read(&file).await.map_err(unreadable)?.into())
        } else {
            Content::of_file(file).await.map_err(unreadable)?
        };
        Ok(Arc::new(content))
    }
}

/// Whether a path names something below where it begins.
fn is_inside(path: &str) -> bool {
    let path = Path::new(path);
    path.components().next().is_some() && path.components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        assert!(is_inside("a.txt") && is_inside("a/b.txt"));
        for path in ["", ".", "..", "/etc/passwd", "../a", "a/../../b", "./a"] {
            assert!(!is_inside(path), "{path}");
        }
    }

    #[tokio::test]
    async fn links_do_not_lead_out_of_the_folder() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("secret"), "x").unwrap();
        std::fs::write(folder.path().join(MANIFEST), "{}").unwrap();
        std::fs::write(folder.path().join("a.txt"), "inside").unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), folder.path().join("link")).unwrap();
        let parts = Parts::of_folder(folder.path()).await.unwrap();
        assert_eq!(parts.content("a.txt", "files[0].path").await.unwrap().size, 6);
        let text = async |path: &str| parts.content(path, "files[0].path").await.err().unwrap().text;
        assert!(text("link").await.contains("files[0].path: `link` leads out of the folder"));
        assert!(text("../a").await.contains("no path inside"));
        assert!(text("b.txt").await.contains("files[0].path: `b.txt`: No such file"));
    }
}
