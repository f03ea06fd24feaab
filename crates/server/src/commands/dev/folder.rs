//! A folder as one form: each file is a part, named by its path in the folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use axum::body::{Body, Bytes};
use futures_util::{StreamExt, stream};
use stowage_model::Ids;
use tokio_util::io::ReaderStream;

/// The form of all files of a folder and the folders in it, with its content type. They are read as they are sent.
pub(super) async fn form(folder: &Path) -> anyhow::Result<(String, Body)> {
    let boundary = Ids::random().hex(32);
    let mut files = Vec::new();
    for (name, file) in find(folder).await? {
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        files.push((head, file));
    }
    let end = format!("--{boundary}--\r\n");
    let parts = stream::iter(files).flat_map(|(head, file)| {
        let content = stream::once(tokio::fs::File::open(file)).flat_map(|opened| match opened {
            Ok(file) => ReaderStream::new(file).boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        });
        text(head).chain(content).chain(text("\r\n".to_owned()))
    });
    Ok((format!("multipart/form-data; boundary={boundary}"), Body::from_stream(parts.chain(text(end)))))
}

fn text(text: String) -> stream::Iter<std::array::IntoIter<std::io::Result<Bytes>, 1>> {
    stream::iter([Ok(Bytes::from(text))])
}

/// All files, by the names that they have in the folder.
async fn find(folder: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(here) = folders.pop() {
        let failed = || format!("cannot read the folder {}", here.display());
        let mut entries = tokio::fs::read_dir(&here).await.with_context(failed)?;
        while let Some(entry) = entries.next_entry().await.with_context(failed)? {
            let path = entry.path();
            let kind = tokio::fs::metadata(&path).await.with_context(|| format!("cannot read {}", path.display()))?;
            if kind.is_dir() {
                // A link to a folder may lead back to where we are.
                if !entry.file_type().await.with_context(failed)?.is_symlink() {
                    folders.push(path);
                }
                continue;
            }
            let name = path.strip_prefix(folder).ok().and_then(Path::to_str);
            match name.filter(|name| !name.contains(['"', '\\']) && !name.contains(char::is_control)) {
                Some(name) => files.push((name.to_owned(), path)),
                None => bail!("{} has a name that cannot be sent", path.display()),
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_becomes_a_form() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(folder.path().join("seed.toml"), "x = 1").unwrap();
        std::fs::write(folder.path().join("a/b.bin"), b"\r\n\0").unwrap();
        let (kind, body) = form(folder.path()).await.unwrap();
        let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap().to_owned();
        let sent = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let part = |name: &str, content: &str| {
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n{content}\r\n"
            )
        };
        let wanted = format!("{}{}--{boundary}--\r\n", part("a/b.bin", "\r\n\0"), part("seed.toml", "x = 1"));
        assert_eq!(String::from_utf8_lossy(&sent), wanted);
        std::fs::write(folder.path().join("a\"b"), "").unwrap();
        assert!(form(folder.path()).await.unwrap_err().to_string().contains("cannot be sent"));
    }
}
