//! Is it text, and which kind: markup, JSON, scripts, tables, or plain.

use super::{Detected, json, markup, name};
use crate::formats::Format;
use file_format::FileFormat;

/// How much of a file is looked at to call it text.
const SAMPLE: usize = 16 * 1024;

/// Whether the first bytes can be text in UTF-8, UTF-16 with a byte order mark, or any one-byte encoding: there are
/// no control characters but those of typewriters and terminals.
pub(super) fn is_text(head: &[u8]) -> bool {
    let sample = sample(head);
    let all_textual = |chunk: &[u8]| chunk.iter().fold(true, |all, byte| all & is_textual(*byte));
    // libmagic calls a single byte data, whatever it is.
    sample.len() > 1 && (sample.chunks(256).all(all_textual) || is_utf16(sample))
}

/// Whether the first bytes are a text that was filled up with zeros.
pub(super) fn is_padded_text(head: &[u8]) -> bool {
    head.iter().rposition(|byte| *byte != 0).is_some_and(|last| is_text(&head[..=last]))
}

fn is_textual(byte: u8) -> bool {
    // Bell to carriage return, and escape.
    (byte >= 0x20 && byte != 0x7F) || (7..=13).contains(&byte) || byte == 0x1B
}

fn sample(head: &[u8]) -> &[u8] {
    &head[..head.len().min(SAMPLE)]
}

fn is_utf16(sample: &[u8]) -> bool {
    let unit: fn([u8; 2]) -> u16 = match sample {
        [0xFF, 0xFE, ..] => u16::from_le_bytes,
        [0xFE, 0xFF, ..] => u16::from_be_bytes,
        _ => return false,
    };
    sample.len() > 2
        && sample
            .chunks_exact(2)
            .map(|pair| unit([pair[0], pair[1]]))
            .all(|unit| u8::try_from(unit).map_or(unit != 0xFFFE && unit != 0xFFFF, is_textual))
}

/// The kind of a text, given the first bytes and the length of the file.
pub(super) fn detect(head: &[u8], len: u64) -> Detected {
    let text = sample(head);
    if is_utf16(text) {
        return "text/plain".into();
    }
    let cut = (text.len() as u64) < len;
    let plain = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let start = plain.trim_ascii_start();
    match start.first() {
        // Comments in front of the root may be long, so the whole head counts.
        Some(b'<') => match markup::detect(head) {
            Some(markup::SVG) => {
                return Detected { mime: markup::SVG.into(), format: Some(Format::Svg) };
            }
            Some(mime) => return mime.into(),
            None => {}
        },
        Some(b'{' | b'[') => {
            if let Some(mime) = json::detect(start, cut) {
                return mime.into();
            }
        }
        _ => {}
    }
    script(plain)
        .or_else(|| magic(plain))
        .or_else(|| is_csv(plain).then_some("text/csv"))
        .unwrap_or("text/plain")
        .into()
}

/// The language of a script, by its first line.
fn script(text: &[u8]) -> Option<&'static str> {
    if text.starts_with(b"<?php") {
        return Some("text/x-php");
    }
    let line = text.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_ascii_whitespace().map(|word| word.rsplit('/').next().unwrap_or(word));
    let program = words.find(|word| *word != "env" && !word.starts_with('-'))?;
    Some(match program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "sh" | "bash" | "dash" | "zsh" | "ksh" | "csh" | "tcsh" | "fish" => "text/x-shellscript",
        "python" | "pypy" => "text/x-script.python",
        "perl" => "text/x-perl",
        "ruby" => "text/x-ruby",
        "node" | "nodejs" => "application/javascript",
        "php" => "text/x-php",
        "lua" => "text/x-lua",
        "tclsh" | "wish" => "text/x-tcl",
        "awk" | "gawk" | "mawk" => "text/x-awk",
        _ => return None,
    })
}

/// Formats that are written in text and have a signature long enough to be no word of a language.
fn magic(text: &[u8]) -> Option<&'static str> {
    if text.trim_ascii_start().starts_with(b"%PDF-") {
        return Some("application/pdf");
    }
    let format = FileFormat::from_bytes(&text[..text.len().min(512)]);
    Some(match name(format).as_ref() {
        "application/postscript" => "application/postscript",
        "application/x-subrip" => "application/x-subrip",
        "application/x-bittorrent" => "application/x-bittorrent",
        "application/pgp-keys" => "application/pgp-keys",
        "application/pgp-signature" => "application/pgp-signature",
        "application/vnd.debian.binary-package" => "application/vnd.debian.binary-package",
        "text/rtf" => "text/rtf",
        "text/vcard" => "text/vcard",
        "text/calendar" => "text/calendar",
        "text/vtt" => "text/vtt",
        "text/x-tex" => "text/x-tex",
        "text/x-msdos-batch" => "text/x-msdos-batch",
        "image/x-xpixmap" => "image/x-xpixmap",
        "image/x-portable-bitmap" if has_sizes(text) => "image/x-portable-bitmap",
        "image/x-portable-graymap" if has_sizes(text) => "image/x-portable-graymap",
        "image/x-portable-pixmap" if has_sizes(text) => "image/x-portable-pixmap",
        _ => return None,
    })
}

/// Whether numbers or a comment follow the two letters of a portable anymap.
fn has_sizes(text: &[u8]) -> bool {
    text.get(2..)
        .and_then(|rest| rest.trim_ascii_start().first())
        .is_some_and(|byte| byte.is_ascii_digit() || *byte == b'#')
}

/// At least three lines, the same number of commas in each of the first ten; commas in quotes do not count.
fn is_csv(text: &[u8]) -> bool {
    let (mut expected, mut commas, mut lines, mut quoted) = (0, 0, 0, false);
    for byte in text {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => commas += 1,
            b'\n' if !quoted => {
                lines += 1;
                if lines == 1 {
                    expected = commas;
                }
                if commas == 0 || commas != expected {
                    return false;
                }
                if lines == 10 {
                    return true;
                }
                commas = 0;
            }
            _ => {}
        }
    }
    lines > 2
}
