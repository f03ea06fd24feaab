//! What a ZIP archive is, by the names of its first members, which office formats, books and applications fix. Only
//! the first bytes of the file are looked at, member by member; the directory at its end is not needed.

use std::borrow::Cow;

/// Members that are looked at.
const MAX_MEMBERS: usize = 64;
const ZIP: &str = "application/zip";
const JAR: &str = "application/java-archive";

/// The type of an archive whose first bytes are `head`.
pub(super) fn detect(head: &[u8]) -> Cow<'static, str> {
    let mut at = 0;
    let mut found = ZIP;
    for index in 0..MAX_MEMBERS {
        let Some(member) = Member::read(head, at) else { break };
        if index == 0
            && member.name == b"mimetype"
            && let Some(mime) = declared(member.content(head))
        {
            return mime.to_owned().into();
        }
        match by_name(member.name) {
            // Android packages that are signed in the old way begin like those of Java.
            Some(JAR) => found = JAR,
            Some(mime) => return mime.into(),
            None => {}
        }
        match member.next(head) {
            Some(next) => at = next,
            None => break,
        }
    }
    found.into()
}

/// A type that the first member declares, if it has the form of one.
fn declared(content: &[u8]) -> Option<&str> {
    let mime = std::str::from_utf8(content).ok()?.trim_ascii_end();
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'+' | b'-');
    let (kind, subtype) = mime.split_once('/')?;
    (matches!(kind, "application" | "image") && !subtype.is_empty() && subtype.len() <= 80 && subtype.bytes().all(fits))
        .then_some(mime)
}

fn by_name(name: &[u8]) -> Option<&'static str> {
    let within = |folder: &[u8]| name.starts_with(folder);
    let at_top = |extension: &[u8]| name.ends_with(extension) && !name.contains(&b'/');
    Some(match name {
        b"AndroidManifest.xml" | b"classes.dex" | b"resources.arsc" => "application/vnd.android.package-archive",
        b"META-INF/MANIFEST.MF" | b"META-INF/" => JAR,
        b"BundleConfig.pb" => "application/vnd.android.aab",
        b"doc.kml" => "application/vnd.google-earth.kmz",
        b"FixedDocumentSequence.fdseq" => "application/oxps",
        _ if within(b"word/") => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        _ if within(b"xl/") => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        _ if within(b"ppt/") => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        _ if within(b"visio/") => "application/vnd.ms-visio.drawing.main+xml",
        _ if within(b"3D/") && name.ends_with(b".model") => "application/vnd.ms-package.3dmanufacturing-3dmodel+xml",
        _ if within(b"Payload/") && name.windows(5).any(|part| part == b".app/") => "application/x-ios-app",
        _ if at_top(b".usdc") || at_top(b".usda") || at_top(b".usd") => "model/vnd.usdz+zip",
        _ => return None,
    })
}

struct Member<'a> {
    name: &'a [u8],
    data: usize,
    len: usize,
    stored: bool,
    /// The length stands behind the data, not in front of it.
    streamed: bool,
}

impl<'a> Member<'a> {
    fn read(head: &'a [u8], at: usize) -> Option<Self> {
        let header: &[u8; 30] = head.get(at..)?.first_chunk()?;
        if header[..4] != *b"PK\x03\x04" {
            return None;
        }
        let short = |from: usize| usize::from(u16::from_le_bytes([header[from], header[from + 1]]));
        let name_end = at + 30 + short(26);
        Some(Self {
            name: head.get(at + 30..name_end)?,
            data: name_end + short(28),
            len: u32::from_le_bytes([header[18], header[19], header[20], header[21]]) as usize,
            stored: short(8) == 0,
            streamed: short(6) & 8 != 0,
        })
    }

    /// The first bytes of a member that is not compressed.
    fn content(&self, head: &'a [u8]) -> &'a [u8] {
        let rest = head.get(self.data..).filter(|_| self.stored).unwrap_or_default();
        let end = if self.streamed { rest.windows(2).position(|mark| mark == b"PK").unwrap_or(0) } else { self.len };
        &rest[..end.min(rest.len()).min(120)]
    }

    /// Where the next member begins.
    fn next(&self, head: &[u8]) -> Option<usize> {
        let end = self.data.checked_add(self.len)?;
        if !self.streamed || self.len > 0 {
            // Behind data of a streamed member its lengths follow.
            let rest = head.get(end..)?;
            return if self.streamed { Some(end + find_member(rest)?) } else { Some(end) };
        }
        Some(self.data + find_member(head.get(self.data..)?)?)
    }
}

fn find_member(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|mark| mark == b"PK\x03\x04")
}
