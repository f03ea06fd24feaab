//! Archives, as programs of others see them.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use stowage_delivery::{Archive, ArchiveError, ArchiveKind, Member, Options};
use stowage_model::File;
use stowage_store::blobs::conformance::content;

use crate::house::{House, file, files_below, options};

/// Says what is in an archive, as JSON: names, lengths, checksums, times.
const LOOK: &str = r"
import hashlib, json, sys, tarfile, zipfile
path, found = sys.argv[1], []
if zipfile.is_zipfile(path):
    archive = zipfile.ZipFile(path)
    assert archive.testzip() is None
    for info in archive.infolist():
        digest = hashlib.sha256(archive.read(info)).hexdigest()
        found.append([info.filename, info.file_size, digest, list(info.date_time)])
else:
    archive = tarfile.open(path)
    for info in archive:
        digest = hashlib.sha256(archive.extractfile(info).read()).hexdigest()
        found.append([info.name, info.size, digest, info.mtime])
print(json.dumps(found))
";

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn look(path: &Path) -> Vec<(String, u64, String, serde_json::Value)> {
    serde_json::from_str(&run("python3", &["-c", LOOK, path.to_str().unwrap()])).unwrap()
}

fn sha256(path: &Path) -> String {
    run("sha256sum", &[path.to_str().unwrap()]).split(' ').next().unwrap().to_owned()
}

fn members(files: &[Arc<File>]) -> Vec<Member> {
    files.iter().map(|file| Member { name: file.name.original().to_owned(), file: Arc::clone(file) }).collect()
}

/// Writes an archive; where its pieces are empty, the file has holes.
async fn save(mut archive: Archive, path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    let (announced, mut len) = (archive.len(), 0);
    while let Some(piece) = archive.try_next().await.unwrap() {
        assert!(piece.len() <= 2 << 20, "a piece of {} bytes", piece.len());
        for part in piece.chunks(4096) {
            if part.iter().all(|byte| *byte == 0) {
                file.seek(SeekFrom::Current(part.len().try_into().unwrap())).unwrap();
            } else {
                file.write_all(part).unwrap();
            }
        }
        len += piece.len() as u64;
    }
    file.set_len(len).unwrap();
    assert_eq!(len, announced, "its length was announced");
}

/// The most memory that this process has ever used, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() << 10
}

#[tokio::test]
async fn others_find_every_file_in_an_archive() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), options()).await;
    let mut files = Vec::new();
    let long = format!("{}.bin", "n".repeat(150));
    let names = ["a.bin", "Ünïcödé ж.bin", "a.bin", "empty", &long, "..", "sub/evil.bin", "big.bin"];
    let sizes = [1, 511, 512, 0, 65_535, 65_536, 131_071, 3_000_000];
    for (seed, (name, size)) in names.into_iter().zip(sizes).enumerate() {
        files.push(house.file(name, &content(seed as u64, size), None).await);
    }
    let expected = ["a.bin", "Ünïcödé ж.bin", "a_2.bin", "empty", &long, "original", "evil.bin", "big.bin"];
    for kind in [ArchiveKind::Zip, ArchiveKind::Tar] {
        let path = folder.path().join(format!("out.{}", kind.extension()));
        save(house.delivery.archive(kind, members(&files)).unwrap(), &path).await;
        let found = look(&path);
        assert_eq!(found.len(), files.len());
        for (seed, (name, size, digest, time)) in found.iter().enumerate() {
            let plain = folder.path().join("plain");
            fs::write(&plain, content(seed as u64, sizes[seed])).unwrap();
            assert_eq!((name.as_str(), *size), (expected[seed], sizes[seed] as u64), "{kind:?}");
            assert_eq!(digest, &sha256(&plain), "{kind:?} {name}");
            let moment = match kind {
                ArchiveKind::Zip => serde_json::json!([2024, 1, 2, 3, 4, 4]),
                ArchiveKind::Tar => serde_json::json!(1_704_164_645),
            };
            assert_eq!(*time, moment);
        }
        let out = folder.path().join(format!("unpacked-{}", kind.extension()));
        fs::create_dir(&out).unwrap();
        let (path, out_text) = (path.to_str().unwrap(), out.to_str().unwrap());
        match kind {
            ArchiveKind::Zip => run("python3", &["-m", "zipfile", "-e", path, out_text]),
            ArchiveKind::Tar => run("tar", &["-xf", path, "-C", out_text]),
        };
        assert_eq!(fs::read(out.join("big.bin")).unwrap(), content(7, sizes[7]));
        assert_eq!(files_below(&out).len(), files.len());
    }
}

#[tokio::test]
async fn an_archive_may_be_empty_and_has_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), Options { archive_size: 10, ..options() }).await;
    for kind in [ArchiveKind::Zip, ArchiveKind::Tar] {
        let path = folder.path().join("empty");
        save(house.delivery.archive(kind, Vec::new()).unwrap(), &path).await;
        assert!(look(&path).is_empty());
    }
    let small = house.file("a", &content(1, 10), None).await;
    let more = house.file("b", &content(2, 1), None).await;
    assert!(house.delivery.archive(ArchiveKind::Zip, members(&[Arc::clone(&small)])).is_ok());
    let error = house.delivery.archive(ArchiveKind::Zip, members(&[small, more])).err().unwrap();
    assert_eq!(error, ArchiveError::TooLarge(11, 10));
}

#[tokio::test]
async fn an_archive_breaks_off_where_a_file_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), options()).await;
    let (stays, goes) =
        (house.file("a", &content(1, 1000), None).await, house.file("b", &content(2, 200_000), None).await);
    let archive = house.delivery.archive(ArchiveKind::Tar, members(&[stays, Arc::clone(&goes)])).unwrap();
    house.blobs.delete(goes.blob.as_ref().unwrap()).await.unwrap();
    assert!(archive.try_collect::<Vec<Bytes>>().await.is_err());
    let without = Arc::new(File { blob: None, ..(*goes).clone() });
    assert_eq!(house.delivery.archive(ArchiveKind::Zip, members(&[without])).err().unwrap(), ArchiveError::Gone);
}

/// A file of 4 GiB and a bit, nearly all of which is a hole.
async fn huge(house: &House) -> Arc<File> {
    const LEN: u64 = (4 << 30) + 12_345;
    let small = house.file("huge.bin", &content(9, 100_000), None).await;
    let path = files_below(&house.folder).into_iter().find(|path| path.metadata().unwrap().len() == 100_000).unwrap();
    let mut hole = fs::OpenOptions::new().write(true).open(path).unwrap();
    hole.set_len(LEN).unwrap();
    hole.seek(SeekFrom::Start(LEN - 3)).unwrap();
    hole.write_all(b"end").unwrap();
    let blob = small.blob.clone().unwrap();
    Arc::new(file("huge.bin", blob, LEN, "application/octet-stream", None))
}

#[tokio::test]
async fn archives_over_four_gibibytes_are_read_by_others_and_need_little_memory() {
    const LAST: &str = "
import sys, zipfile, tarfile
path = sys.argv[1]
if zipfile.is_zipfile(path):
    archive = zipfile.ZipFile(path)
    first, last = archive.infolist()
    assert last.header_offset > 1 << 32, last
    assert first.file_size == (4 << 30) + 12345, first
    print(archive.read(last).decode())
    with archive.open(first) as file:
        assert len(file.read(1000)) == 1000
else:
    archive = tarfile.open(path)
    first, last = archive.getmembers()
    assert first.size == (4 << 30) + 12345, first
    file = archive.extractfile(first)
    file.seek(-3, 2)
    assert file.read() == b'end'
    print(archive.extractfile(last).read().decode())
";
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), options()).await;
    let huge = huge(&house).await;
    let last = house.file("last.txt", &Bytes::from_static(b"behind it"), None).await;
    let before = peak();
    for kind in [ArchiveKind::Zip, ArchiveKind::Tar] {
        let path = folder.path().join(format!("out.{}", kind.extension()));
        let both = members(&[Arc::clone(&huge), Arc::clone(&last)]);
        save(house.delivery.archive(kind, both).unwrap(), &path).await;
        assert_eq!(run("python3", &["-c", LAST, path.to_str().unwrap()]).trim(), "behind it");
        fs::remove_file(&path).unwrap();
    }
    let grown = peak() - before;
    assert!(grown < 32 << 20, "{grown} bytes more");
}
