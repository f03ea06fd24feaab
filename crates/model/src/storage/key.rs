//! Keys of copies: patterns like `${uuid}/${auto_filename}` and what becomes of them (vendor document: S3 integration, key patterns).

use std::fmt;
use std::fmt::Write as _;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::KeyPrefix;
use crate::{FileId, FileName};

/// The longest key that S3 takes, in bytes.
const MAX_KEY: usize = 1024;
/// The longest effects that are written out, in characters.
const MAX_EFFECTS: usize = 128;
/// How much of longer ones is kept in front of their digest.
const KEPT_EFFECTS: usize = 110;

/// A pattern of keys: variables and literal characters.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyPattern {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Literal(String),
    Variable(Variable),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Variable {
    Default,
    AutoFilename,
    Effects,
    Filename,
    Uuid,
    Ext,
}

/// Why something is no pattern. The REST API shows these texts behind `Invalid pattern provided: `.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PatternError {
    /// There is no such variable, or one is not closed; carries the pattern.
    #[error("`{0}`")]
    Variable(String),
    /// A character that keys may not have.
    #[error("Invalid character in a pattern.")]
    Character,
}

/// The pattern makes no key of this file: it would be empty, too long, or have a segment `.` or `..`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the pattern makes no key of this file")]
pub struct KeyError;

/// What a key is made of.
#[derive(Clone, Copy, Debug)]
pub struct Keyed<'k> {
    /// The file.
    pub id: FileId,
    /// Its name.
    pub name: &'k FileName,
    /// The operations without their first `-/`, as [`FileRef`](crate::FileRef) has them; empty for the original.
    pub operations: &'k str,
}

/// Whether patterns may have this character outside variables.
pub(super) fn is_literal(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!-_.*'()/=+,@&:;".contains(c)
}

impl Default for KeyPattern {
    fn default() -> Self {
        Self { text: "${default}".to_owned(), pieces: vec![Piece::Variable(Variable::Default)] }
    }
}

impl TryFrom<String> for KeyPattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix("${") {
                let variable = inner.split_once('}').and_then(|(name, after)| Some((variable(name)?, after)));
                let Some((variable, after)) = variable else { return Err(PatternError::Variable(text)) };
                pieces.push(Piece::Variable(variable));
                rest = after;
            } else {
                let end = rest.find("${").unwrap_or(rest.len());
                let (literal, after) = rest.split_at(end);
                if !literal.chars().all(is_literal) {
                    return Err(PatternError::Character);
                }
                pieces.push(Piece::Literal(literal.to_owned()));
                rest = after;
            }
        }
        // What an empty text means is for its reader to say: here it is the default.
        Ok(if pieces.is_empty() { Self::default() } else { Self { text, pieces } })
    }
}

impl From<KeyPattern> for String {
    fn from(pattern: KeyPattern) -> Self {
        pattern.text
    }
}

impl fmt::Display for KeyPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn variable(name: &str) -> Option<Variable> {
    Some(match name {
        "default" => Variable::Default,
        "auto_filename" => Variable::AutoFilename,
        "effects" => Variable::Effects,
        "filename" => Variable::Filename,
        "uuid" => Variable::Uuid,
        "ext" => Variable::Ext,
        _ => return None,
    })
}

impl KeyPattern {
    /// The key of a copy: `prefix` and what the pattern makes, without slashes in front and doubled ones.
    pub fn key(&self, prefix: &KeyPrefix, of: Keyed<'_>) -> Result<String, KeyError> {
        let mut key = prefix.as_str().to_owned();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => key.push_str(text),
                Piece::Variable(variable) => of.write(*variable, &mut key),
            }
        }
        let mut tidy = String::with_capacity(key.len());
        for c in key.trim_start_matches('/').chars() {
            if c != '/' || !tidy.ends_with('/') {
                tidy.push(c);
            }
        }
        let bad = tidy.is_empty() || tidy.len() > MAX_KEY || tidy.split('/').any(|part| part == "." || part == "..");
        if bad { Err(KeyError) } else { Ok(tidy) }
    }
}

impl Keyed<'_> {
    fn write(&self, variable: Variable, key: &mut String) {
        let (root, extension) = self.name.sanitised_parts();
        match variable {
            Variable::Default => {
                self.write(Variable::Uuid, key);
                key.push('/');
                self.write(Variable::AutoFilename, key);
            }
            Variable::AutoFilename => {
                key.push_str(&root);
                self.write(Variable::Effects, key);
                self.write(Variable::Ext, key);
            }
            Variable::Effects => key.push_str(&effects(self.operations)),
            Variable::Filename => key.push_str(&root),
            Variable::Uuid => {
                let _ = write!(key, "{}", self.id);
            }
            Variable::Ext => {
                let extension = format_of(self.operations).unwrap_or(&extension);
                if !extension.is_empty() {
                    key.push('.');
                    key.push_str(extension);
                }
            }
        }
    }
}

/// The calls of operations as they are written, without the markers that components leave (`@clib/…`).
fn calls(operations: &str) -> impl DoubleEndedIterator<Item = Vec<&str>> {
    let pieces: Vec<&str> = operations.split('/').filter(|piece| !piece.is_empty()).collect();
    let calls: Vec<Vec<&str>> = pieces.split(|piece| *piece == "-").map(<[_]>::to_vec).collect();
    calls.into_iter().filter(|call| call.first().is_some_and(|name| !name.starts_with('@')))
}

/// The extension that an explicit format asks for; the last one counts.
fn format_of(operations: &str) -> Option<&'static str> {
    let format = calls(operations).rfind(|call| call.first() == Some(&"format"))?;
    Some(match *format.get(1)? {
        "jpeg" => "jpg",
        "png" => "png",
        "webp" => "webp",
        "avif" => "avif",
        _ => return None,
    })
}

/// `${effects}`: the operations as a part of a file name. The vendor's own spelling is not published; this one is ours.
fn effects(operations: &str) -> String {
    let mut effects = String::new();
    for piece in calls(operations).flatten() {
        effects.push('-');
        let kept = |c: char| c.is_ascii_alphanumeric() || "_.~".contains(c);
        let decoded = percent_decode_str(piece).decode_utf8_lossy();
        effects.extend(decoded.chars().map(|c| if kept(c) { c } else { '_' }));
    }
    if effects.len() > MAX_EFFECTS {
        let digest = Sha256::digest(effects.as_bytes());
        effects.truncate(KEPT_EFFECTS);
        effects.push('-');
        for byte in digest.iter().take(8) {
            let _ = write!(effects, "{byte:02x}");
        }
    }
    effects
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61";

    fn pattern(text: &str) -> Result<KeyPattern, String> {
        KeyPattern::try_from(text.to_owned()).map_err(|error| error.to_string())
    }

    fn key(prefix: &str, text: &str, name: &str, operations: &str) -> Result<String, KeyError> {
        let prefix = KeyPrefix::try_from(prefix.to_owned()).unwrap();
        let of = Keyed { id: ID.parse().unwrap(), name: &FileName::new(name), operations };
        pattern(text).unwrap().key(&prefix, of)
    }

    #[test]
    fn keys_as_the_vendor_writes_them() {
        for (name, text, expected) in [
            ("image-sample.jpeg", "${default}", "{}/imagesample.jpeg"),
            ("image(1).jpeg", "${default}", "{}/image1.jpeg"),
            ("().png", "", "{}/noroot.png"),
            ("archive.tar.gz", "${filename}${ext}", "archivetar.gz"),
            ("Москалев Данила.pdf", "docs/${auto_filename}", "docs/noroot.pdf"),
            ("2250", "${uuid}${ext}", "{}"),
            (".env", "${default}", "{}/noroot.env"),
            ("a.b.", "${default}", "{}/ab"),
            ("x.JPG", "${filename}${ext}", "x.JPG"),
            // The reference's own example has a dot too many.
            ("x.jpg", "${uuid}.${ext}", "{}..jpg"),
            ("x.jpg", "/a//b/${filename}", "a/b/x"),
            ("x.jpg", "a+b=c,@&:;!*'()/${uuid}", "a+b=c,@&:;!*'()/{}"),
        ] {
            assert_eq!(key("", text, name, "").unwrap(), expected.replace("{}", ID), "{text} of {name}");
        }
        assert_eq!(key("backup/", "${filename}", "x.jpg", "").unwrap(), "backup/x");
        assert_eq!(key("/backup-", "/${filename}", "x.jpg", "").unwrap(), "backup-/x");
    }

    #[test]
    fn effects_and_formats() {
        for (operations, expected) in [
            ("", "roof.jpg"),
            ("resize/200x/", "roof-resize-200x.jpg"),
            ("crop/50x50/center/-/grayscale/", "roof-crop-50x50-center-grayscale.jpg"),
            ("resize/200x/-/format/webp/", "roof-resize-200x-format-webp.webp"),
            ("format/jpeg/", "roof-format-jpeg.jpg"),
            ("format/auto/", "roof-format-auto.jpg"),
            ("format/png/-/format/avif/", "roof-format-png-format-avif.avif"),
            ("crop/50%25x50%25/-/@clib/blocks/1.0/", "roof-crop-50_x50_.jpg"),
            ("text/10x10/0,0/%D0%96%2F..%2F/", "roof-text-10x10-0_0-__.._.jpg"),
        ] {
            assert_eq!(key("", "${auto_filename}", "roof.jpg", operations).unwrap(), expected, "{operations}");
        }
        let long = key("", "${effects}", "roof.jpg", &"-/enhance/50/".repeat(20)).unwrap();
        assert_eq!(long.len(), KEPT_EFFECTS + 17);
        assert_ne!(long, key("", "${effects}", "roof.jpg", &"-/enhance/50/".repeat(21)).unwrap());
    }

    #[test]
    fn what_is_no_pattern() {
        for text in ["${nope}", "${uuid", "a/${}", "${ uuid }", "${UUID}"] {
            assert_eq!(pattern(text), Err(format!("`{text}`")));
        }
        for text in ["a b", "é", "a\\b", "$uuid", "{uuid}", "a\u{7}", "a%20b", "\"", "a?b", "#"] {
            assert_eq!(pattern(text), Err("Invalid character in a pattern.".to_owned()), "{text}");
        }
        assert_eq!(pattern("").unwrap(), KeyPattern::default());
    }

    #[test]
    fn what_is_no_key() {
        for (text, name) in [
            ("${effects}", "x.jpg"),
            ("/", "x"),
            ("../${uuid}", "x"),
            ("a/./b", "x"),
            ("${filename}${filename}${filename}${filename}${filename}", ""),
        ] {
            let name = if name.is_empty() { "y".repeat(250) } else { name.to_owned() };
            assert_eq!(key("", text, &name, ""), Err(KeyError), "{text}");
        }
        assert!(key("", "..${ext}/x", "x.jpg", "").is_ok(), "dots alone are what is dangerous");
    }
}
