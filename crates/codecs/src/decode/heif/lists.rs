//! The lists of which the box `meta` consists. Every one has bounds that no camera comes near, and says each thing once: a list that can be
//! read in two ways would let the HEIC decoder, which reads the file for itself, see what nobody checked. Nothing where one is broken.

use super::boxes::{Cursor, Part, Parts, only};
use super::container::Item;
use std::collections::{BTreeMap, BTreeSet};

/// The most bytes of all lists together, colour profiles included.
pub(in super::super) const MAX_LISTS: usize = 16 * 1024 * 1024;
/// Things in a file, and pieces of which they all consist.
const MAX_ITEMS: usize = 2048;
const MAX_PIECES: usize = 16_384;
/// Lists of references, and the bytes of all.
const MAX_REFERENCES: usize = 1024;
const MAX_REFERENCES_LEN: usize = 64 * 1024;
/// The most tiles of a picture; phones use some dozens.
const MAX_TILES: usize = 256;
/// Properties in a file, and of one item.
const MAX_PROPERTIES: usize = 1024;
const MAX_OF_ONE: usize = 32;
/// The most bytes of configurations, counted for every item that has one: the HEIC decoder copies them for each tile.
const MAX_CONFIGURATIONS: usize = 1024 * 1024;
/// Properties that change the whole picture.
const TRANSFORMS: [[u8; 4]; 3] = [*b"irot", *b"imir", *b"clap"];

/// Where the bytes of an item stand.
pub(super) struct Place {
    /// What the offsets count from.
    pub(super) start: u64,
    pub(super) base: u64,
    /// Where each piece begins and how long it is.
    pub(super) pieces: Vec<(u64, u64)>,
}

/// What an item has to do with others.
pub(super) struct Reference {
    pub(super) kind: [u8; 4],
    pub(super) from: Item,
    pub(super) to: Vec<Item>,
}

/// The number of an item.
pub(super) fn item(cursor: &mut Cursor<'_>, short: bool) -> Option<Item> {
    Item::try_from(cursor.number(if short { 2 } else { 4 })?).ok()
}

/// What each item is, from `iinf`.
pub(super) fn kinds(body: &[u8]) -> Option<BTreeMap<Item, [u8; 4]>> {
    let mut cursor = Cursor(body);
    let short = cursor.version().is_some_and(|(version, _)| version == 0);
    let _ = cursor.number(if short { 2 } else { 4 });
    let mut kinds = BTreeMap::new();
    for part in Parts(cursor.0).filter(|part| part.kind == *b"infe") {
        let mut cursor = Cursor(part.body);
        let (version, _) = cursor.version()?;
        // Older versions know no pictures.
        if version < 2 {
            continue;
        }
        let item = item(&mut cursor, version == 2)?;
        cursor.number(2)?;
        if kinds.len() == MAX_ITEMS || kinds.insert(item, *cursor.0.first_chunk()?).is_some() {
            return None;
        }
    }
    Some(kinds)
}

/// Where the bytes of items stand, from `iloc`.
pub(super) fn places(body: &[u8]) -> Option<BTreeMap<Item, Place>> {
    let mut cursor = Cursor(body);
    let (version, _) = cursor.version()?;
    let widths = cursor.number(2)?;
    let [offset_len, length_len, base_len, index_len] = [12, 8, 4, 0].map(|shift| (widths >> shift & 15) as usize);
    if version > 2 || [offset_len, length_len, base_len, index_len].iter().any(|len| *len > 8) {
        return None;
    }
    let index_len = if version == 0 { 0 } else { index_len };
    let count = cursor.count(if version < 2 { 2 } else { 4 })?;
    if count > MAX_ITEMS {
        return None;
    }
    let (mut places, mut total) = (BTreeMap::new(), 0);
    for _ in 0..count {
        let item = item(&mut cursor, version < 2)?;
        let start = if version == 0 { 0 } else { cursor.number(2)? & 15 };
        // Which file it is in; only this one is looked at.
        cursor.number(2)?;
        let base = cursor.number(base_len)?;
        let count = cursor.count(2)?;
        // Pieces may take no bytes in the list, so nothing else ends them.
        total += count;
        if total > MAX_PIECES {
            return None;
        }
        let mut pieces = Vec::with_capacity(count);
        for _ in 0..count {
            cursor.number(index_len)?;
            pieces.push((cursor.number(offset_len)?, cursor.number(length_len)?));
        }
        if places.insert(item, Place { start, base, pieces }).is_some() {
            return None;
        }
    }
    Some(places)
}

/// The properties of each item, from `iprp`.
pub(super) fn properties(body: &[u8]) -> Option<BTreeMap<Item, Vec<Part<'_>>>> {
    let all: Vec<Part<'_>> = Parts(only(body, *b"ipco")?).take(MAX_PROPERTIES + 1).collect();
    if all.len() > MAX_PROPERTIES {
        return None;
    }
    let (mut properties, mut configurations) = (BTreeMap::new(), 0);
    for list in Parts(body).filter(|part| part.kind == *b"ipma") {
        let mut cursor = Cursor(list.body);
        let (version, flags) = cursor.version()?;
        let index_len = if flags & 1 == 1 { 2 } else { 1 };
        for _ in 0..cursor.number(4)? {
            let item = item(&mut cursor, version == 0)?;
            let found = of_one(&mut cursor, index_len, &all)?;
            configurations +=
                found.iter().filter(|part| part.kind == *b"hvcC").map(|part| part.body.len()).sum::<usize>();
            if configurations > MAX_CONFIGURATIONS
                || properties.len() == MAX_ITEMS
                || properties.insert(item, found).is_some()
            {
                return None;
            }
        }
    }
    Some(properties)
}

/// The properties of one item: each once, and each kind of transform once.
fn of_one<'a>(cursor: &mut Cursor<'_>, index_len: usize, all: &[Part<'a>]) -> Option<Vec<Part<'a>>> {
    let count = cursor.count(1)?;
    if count > MAX_OF_ONE {
        return None;
    }
    let (mut indices, mut found) = (BTreeSet::new(), Vec::with_capacity(count));
    for _ in 0..count {
        // The highest bit says whether the property may be ignored. They are counted from 1.
        let index = cursor.count(index_len)? & ((1 << (index_len * 8 - 1)) - 1);
        let Some(&part) = index.checked_sub(1).and_then(|index| all.get(index)) else { continue };
        let again = found.iter().any(|other: &Part<'_>| other.kind == part.kind) && TRANSFORMS.contains(&part.kind);
        if again || !indices.insert(index) {
            return None;
        }
        found.push(part);
    }
    Some(found)
}

/// What points at what, from `iref`.
pub(super) fn references(body: &[u8]) -> Option<Vec<Reference>> {
    if body.len() > MAX_REFERENCES_LEN {
        return None;
    }
    let mut cursor = Cursor(body);
    let short = cursor.version().is_none_or(|(version, _)| version == 0);
    let (mut references, mut derived) = (Vec::new(), BTreeSet::new());
    for Part { kind, body } in Parts(cursor.0) {
        let mut cursor = Cursor(body);
        let from = item(&mut cursor, short)?;
        let count = cursor.count(2)?;
        let to = (0..count).map(|_| item(&mut cursor, short)).collect::<Option<Vec<Item>>>()?;
        // Others read on behind the first list of a box.
        if !cursor.0.is_empty() || references.len() == MAX_REFERENCES {
            return None;
        }
        // The decoders take a picture's sources one by one, with all their bytes.
        if kind == *b"dimg" {
            let distinct: BTreeSet<&Item> = to.iter().collect();
            if to.len() > MAX_TILES || distinct.len() < to.len() || !derived.insert(from) {
                return None;
            }
        }
        references.push(Reference { kind, from, to });
    }
    Some(references)
}
