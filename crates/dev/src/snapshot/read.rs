//! Reading an archive: of tar only what an export writes, so that nothing else can be meant by it. Nothing becomes a path.

use std::io::{self, Read, Seek, SeekFrom};

use stowage_store::records::content_size;

use super::{END, HEAD};

const BLOCK: usize = 512;
/// The most bytes of the extended records of a file; an export writes two of them.
const MAX_RECORDS: u64 = 64 << 10;
/// The most bytes of a file that is read as a whole.
const MAX_WHOLE: u64 = 64 << 20;

/// Why an archive is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// It ends too early.
    #[error("the archive ends too early")]
    Short,
    /// It is no archive of ours.
    #[error("{0}")]
    Bad(String),
    /// Reading failed.
    #[error("reading failed: {0}")]
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(failure: io::Error) -> Self {
        if failure.kind() == io::ErrorKind::UnexpectedEof { Self::Short } else { Self::Io(failure) }
    }
}

pub(super) fn bad<T>(text: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Bad(text.into()))
}

/// A file of an archive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Member {
    /// What the world is besides its stores.
    Head,
    /// Rows of this table.
    Rows(String),
    /// The bytes of this name.
    Content(String),
    /// What there must be.
    End,
}

impl Member {
    fn named(name: &str) -> Result<Self, Fault> {
        let rows = || {
            let (table, number) = name.strip_prefix("records/")?.strip_suffix(".jsonl")?.split_once('/')?;
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            let good = table.bytes().all(plain) && number.bytes().all(|byte| byte.is_ascii_digit());
            good.then(|| Self::Rows(table.to_owned()))
        };
        let content = || name.strip_prefix("blobs/").filter(|name| content_size(name).is_some());
        match name {
            HEAD => Ok(Self::Head),
            END => Ok(Self::End),
            _ => match rows().or_else(|| content().map(|name| Self::Content(name.to_owned()))) {
                Some(member) => Ok(member),
                None => bad(format!("a snapshot has no file `{}`", name.escape_debug())),
            },
        }
    }
}

/// An archive that is read from its beginning.
pub(super) struct Archive<R> {
    from: R,
    /// The digest of what was read; none where nobody asks.
    hasher: Option<blake3::Hasher>,
    /// The digest of what stood before the present file.
    before: Option<blake3::Hash>,
    /// What is left of the present file, and what stands behind it.
    left: u64,
    padding: u64,
}

impl<R: Read + Seek> Archive<R> {
    /// An archive of which the digest is wanted.
    pub(super) fn with_digest(from: R) -> Self {
        Self { hasher: Some(blake3::Hasher::new()), ..Self::new(from) }
    }

    pub(super) fn new(from: R) -> Self {
        Self { from, hasher: None, before: None, left: 0, padding: 0 }
    }

    /// The digest of everything before the present file.
    pub(super) fn before(&self) -> Option<String> {
        self.before.map(|hash| hash.to_hex().to_string())
    }

    /// Goes to the next file; none at the end. Answers its length in bytes as well.
    pub(super) fn next(&mut self) -> Result<Option<(Member, u64)>, Fault> {
        self.skip()?;
        self.before = self.hasher.as_ref().map(blake3::Hasher::finalize);
        let mut header = self.block()?;
        if header == [0; BLOCK] {
            return Ok(None);
        }
        let mut large = None;
        if header[156] == b'x' {
            large = Some(self.records(&header)?);
            header = self.block()?;
        }
        let (name, size) = plain(&header)?;
        let size = large.unwrap_or(size);
        let member = Member::named(name)?;
        self.begin(size);
        Ok(Some((member, size)))
    }

    /// The size in the extended records, which are there for nothing else.
    fn records(&mut self, header: &[u8; BLOCK]) -> Result<u64, Fault> {
        let len = checked_size(header)?;
        if len > MAX_RECORDS {
            return bad("extended records are too long");
        }
        self.begin(len);
        let records = self.whole()?;
        let size = records.lines().find_map(|line| line.split_once(' ')?.1.strip_prefix("size=")?.parse::<u64>().ok());
        match size {
            Some(size) if i64::try_from(size).is_ok() => {
                self.skip()?;
                Ok(size)
            }
            _ => bad("there are extended records without a size"),
        }
    }

    fn begin(&mut self, size: u64) {
        (self.left, self.padding) = (size, size.next_multiple_of(BLOCK as u64) - size);
    }

    /// Reads on in the present file; nothing at its end.
    pub(super) fn read(&mut self, into: &mut [u8]) -> Result<usize, Fault> {
        let want = into.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.fill(&mut into[..want])?;
        self.left -= want as u64;
        Ok(want)
    }

    /// The whole of the present file.
    pub(super) fn whole(&mut self) -> Result<String, Fault> {
        if self.left > MAX_WHOLE {
            return bad(format!("a file of {} bytes with lines or facts; the most are {MAX_WHOLE}", self.left));
        }
        // Grows with what is there: the length may be a lie.
        let (mut text, mut piece) = (Vec::new(), vec![0; BLOCK << 7]);
        loop {
            match self.read(&mut piece)? {
                0 => break,
                read => text.extend_from_slice(&piece[..read]),
            }
        }
        String::from_utf8(text).or_else(|_| bad("a file with lines or facts is not UTF-8"))
    }

    /// Goes behind the present file.
    fn skip(&mut self) -> Result<(), Fault> {
        if self.hasher.is_none() {
            let rest = i64::try_from(self.left + self.padding).map_err(|_| Fault::Short)?;
            self.from.seek(SeekFrom::Current(rest))?;
            self.begin(0);
            return Ok(());
        }
        let mut piece = vec![0; BLOCK << 7];
        while self.read(&mut piece)? > 0 {}
        let padding = usize::try_from(self.padding).unwrap_or(0);
        self.fill(&mut piece[..padding])?;
        self.begin(0);
        Ok(())
    }

    fn block(&mut self) -> Result<[u8; BLOCK], Fault> {
        let mut block = [0; BLOCK];
        self.fill(&mut block)?;
        Ok(block)
    }

    fn fill(&mut self, into: &mut [u8]) -> Result<(), Fault> {
        self.from.read_exact(into)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(into);
        }
        Ok(())
    }
}

/// The name and the size of a plain file.
fn plain(header: &[u8; BLOCK]) -> Result<(&str, u64), Fault> {
    let size = checked_size(header)?;
    let end = header[..100].iter().position(|byte| *byte == 0).unwrap_or(100);
    let prefix_is_empty = header[345..500].iter().all(|byte| *byte == 0);
    match (header[156], str::from_utf8(&header[..end])) {
        (b'0', Ok(name)) if prefix_is_empty => Ok((name, size)),
        _ => bad("there is something else than plain files with short names"),
    }
}

/// The size in a header whose checksum is right.
fn checked_size(header: &[u8; BLOCK]) -> Result<u64, Fault> {
    let sum = header.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) });
    if &header[257..262] != b"ustar" || octal(&header[148..156]) != Some(sum.sum()) {
        return bad("it is no tar archive, or it is damaged");
    }
    match octal(&header[124..136]) {
        Some(size) => Ok(size),
        None => bad("a file has no size"),
    }
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = str::from_utf8(field).ok()?.trim_end_matches(['\0', ' ']);
    if text.bytes().all(|byte| matches!(byte, b'0'..=b'7')) { u64::from_str_radix(text, 8).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;
    use stowage_delivery::tar::{self, Tar};
    use stowage_model::Timestamp;

    use super::*;

    const CONTENT: &str = "0123456789abcdef0123456789abcdef-5";

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut tar, mut out) = (Tar::new(), Vec::new());
        for (name, bytes) in files {
            out.extend_from_slice(&tar.begin(name, bytes.len() as u64, Timestamp(0)));
            out.extend_from_slice(bytes);
            out.extend_from_slice(&tar.finish());
        }
        out.extend_from_slice(&tar::end());
        out
    }

    fn read_all(bytes: &[u8], digest: bool) -> Result<Vec<(Member, String)>, Fault> {
        let from = Cursor::new(bytes);
        let mut archive = if digest { Archive::with_digest(from) } else { Archive::new(from) };
        let mut all = Vec::new();
        while let Some((member, size)) = archive.next()? {
            let text = archive.whole()?;
            assert_eq!(text.len() as u64, size);
            all.push((member, text));
        }
        Ok(all)
    }

    #[test]
    fn what_is_written_is_read() {
        let rows = "records/files/000001.jsonl";
        let content = format!("blobs/{CONTENT}");
        let long = "x".repeat(70_000);
        let bytes = archive(&[(HEAD, b"{}"), (rows, long.as_bytes()), (&content, b"12345"), (END, b"")]);
        let expected = [
            (Member::Head, "{}".to_owned()),
            (Member::Rows("files".to_owned()), long),
            (Member::Content(CONTENT.to_owned()), "12345".to_owned()),
            (Member::End, String::new()),
        ];
        assert_eq!(read_all(&bytes, false).unwrap(), expected);
        assert_eq!(read_all(&bytes, true).unwrap(), expected);
        let (mut archive, mut members) = (Archive::with_digest(Cursor::new(&bytes)), Vec::new());
        let mut digest = None;
        while let Some((member, _)) = archive.next().unwrap() {
            digest = archive.before();
            members.push(member);
        }
        assert_eq!(members.len(), 4, "files that nobody reads are skipped");
        let end = bytes.len() - 3 * BLOCK;
        assert_eq!(digest.unwrap(), blake3::hash(&bytes[..end]).to_hex().to_string());
        for cut in [0, 1, BLOCK, 3 * BLOCK, bytes.len() - 3 * BLOCK] {
            assert!(matches!(read_all(&bytes[..cut], true), Err(Fault::Short)), "{cut}");
            assert!(matches!(read_all(&bytes[..cut], false), Err(Fault::Short)), "{cut}");
        }
    }

    #[test]
    fn nothing_else_is_meant() {
        for name in [
            "../../etc/passwd",
            "/snapshot.json",
            "./snapshot.json",
            "snapshot.json/",
            "blobs/",
            "blobs/../x",
            "blobs/0123456789abcdef0123456789abcdef",
            "records/files.jsonl",
            "records/../1.jsonl",
            "records/files/../1.jsonl",
            "records/files/1.jsonl/x",
            "x",
        ] {
            assert!(matches!(read_all(&archive(&[(name, b"")]), true), Err(Fault::Bad(_))), "{name}");
        }
        let good = archive(&[(HEAD, b"{}")]);
        let changed = |at: usize, to: u8| {
            let mut bytes = good.clone();
            bytes[at] = to;
            bytes
        };
        // A link, another size, a prefix: each with the checksum of the plain file.
        for at in [156, 130, 350, 258] {
            assert!(matches!(read_all(&changed(at, b'2'), true), Err(Fault::Bad(_))), "{at}");
        }
        // The same with the right checksum.
        let mut link = changed(156, b'2');
        let sum: u64 = (0..BLOCK).map(|at| if (148..156).contains(&at) { 32 } else { u64::from(link[at]) }).sum();
        link[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert!(matches!(read_all(&link, true), Err(Fault::Bad(text)) if text.contains("plain")));
    }

    #[test]
    fn a_size_that_is_a_lie_costs_no_memory() {
        let mut tar = Tar::new();
        for size in [MAX_WHOLE, MAX_WHOLE + 1, 1 << 33, 1 << 40, i64::MAX as u64] {
            let header = tar.begin(HEAD, size, Timestamp(0));
            assert!(read_all(&header, true).is_err());
            let mut archive = Archive::new(Cursor::new(&header));
            assert_eq!(archive.next().unwrap(), Some((Member::Head, size)));
            assert!(archive.next().is_err());
        }
    }

    proptest! {
        #[test]
        fn noise_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000), at in 0_usize..600, with: u8) {
            let _ = read_all(&bytes, true);
            let mut good = archive(&[(HEAD, b"{}")]);
            good[at] = with;
            let _ = read_all(&good, false);
        }
    }
}
