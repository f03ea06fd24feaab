//! Entities: short texts that a document gives names to. Those that hold markup or other entities are not taken over, so
//! that nothing grows by being resolved, and what is counted before stays what it was.

use super::clean::{damaged, too_large};
use crate::RenderError;
use quick_xml::escape::{resolve_predefined_entity, unescape_with};
use std::collections::HashMap;

/// Bytes of the text that an entity stands for.
const MAX_ENTITY: usize = 128;
/// References to entities in one attribute, and declarations.
const MAX_REFERENCES: usize = 4096;

/// The entities of a document.
#[derive(Default)]
pub(super) struct Entities(HashMap<String, String>);

impl Entities {
    /// What a document type declares.
    pub(super) fn declared(doctype: &str) -> Self {
        let mut found = HashMap::new();
        for declaration in doctype.split("<!ENTITY").skip(1).take(MAX_REFERENCES) {
            let Some((name, rest)) = declaration.trim_start().split_once(char::is_whitespace) else { continue };
            let rest = rest.trim_start();
            let Some(mark) = rest.chars().next().filter(|mark| matches!(mark, '"' | '\'')) else { continue };
            let value = rest[1..].split(mark).next().unwrap_or_default();
            if value.len() <= MAX_ENTITY && !value.contains(['<', '&', '%']) {
                found.entry(name.to_owned()).or_insert_with(|| value.to_owned());
            }
        }
        Self(found)
    }

    /// What an entity stands for.
    pub(super) fn resolve(&self, name: &str) -> Option<&str> {
        resolve_predefined_entity(name).or_else(|| self.0.get(name).map(String::as_str))
    }

    /// The value of an attribute without entities and characters that no document may have.
    pub(super) fn value(&self, raw: &str) -> Result<String, RenderError> {
        if raw.bytes().filter(|byte| *byte == b'&').count() > MAX_REFERENCES {
            return Err(too_large("it has too many entities"));
        }
        let value = unescape_with(raw, |name| self.resolve(name));
        let value = value.map_err(|_| damaged("the SVG has unknown entities"))?;
        Ok(value.chars().filter(|c| is_xml(*c)).map(|c| if c.is_whitespace() { ' ' } else { c }).collect())
    }
}

/// Whether a document may have a character.
pub(super) fn is_xml(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}
