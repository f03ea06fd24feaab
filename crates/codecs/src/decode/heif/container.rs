//! What a HEIF file says about its pictures: which is the one to be shown, where its coded bytes stand, what belongs to it.

use super::boxes::{Cursor, Part, Parts, find};
use std::borrow::Cow;

/// Pieces of one item, and items that one item points at.
const MAX_EXTENTS: u64 = 4096;
const MAX_REFERENCES: usize = 1024;
/// The most tiles of a picture; phones use some dozens.
const MAX_TILES: usize = 256;
/// Where pieces are counted from.
const IN_FILE: u64 = 0;
const IN_META: u64 = 1;
/// What pictures of opacity are called.
const ALPHA: [&[u8]; 2] = [b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0", b"urn:mpeg:hevc:2015:auxid:1\0"];

/// The box `meta` and the file around it.
#[derive(Clone, Copy)]
pub(in super::super) struct Container<'a> {
    file: &'a [u8],
    meta: &'a [u8],
}

/// One thing in a file: a coded picture, a grid of pictures, EXIF data.
pub(in super::super) type Item = u32;

impl<'a> Container<'a> {
    /// Finds the box `meta`; nothing if there are several, or if items share their bytes so that a small file would become a
    /// large one.
    pub(in super::super) fn open(file: &'a [u8]) -> Option<Self> {
        let mut metas = Parts(file).filter(|part| part.kind == *b"meta");
        let (meta, None) = (metas.next()?, metas.next()) else { return None };
        let container = Self { file, meta: meta.body.get(4..)? };
        (container.total()? <= file.len() as u64 * 2).then_some(container)
    }

    /// How many bytes all items take together.
    fn total(&self) -> Option<u64> {
        let mut total = 0_u64;
        for places in Places::open(self.meta)? {
            let places = places?;
            for (from, len) in places.extents {
                let whole = (self.file.len() as u64).saturating_sub(places.base.saturating_add(from));
                total = total.saturating_add(if len == 0 { whole } else { len });
            }
        }
        Some(total)
    }

    /// The picture that is shown.
    pub(in super::super) fn primary(&self) -> Option<Item> {
        let mut cursor = Cursor(find(self.meta, *b"pitm")?);
        let (version, _) = cursor.version()?;
        item(&mut cursor, version == 0)
    }

    /// What an item is.
    pub(in super::super) fn kind(&self, wanted: Item) -> Option<[u8; 4]> {
        self.items().find(|(item, _)| *item == wanted).map(|(_, kind)| kind)
    }

    fn items(&self) -> impl Iterator<Item = (Item, [u8; 4])> + 'a {
        let mut cursor = Cursor(find(self.meta, *b"iinf").unwrap_or_default());
        let short = cursor.version().is_some_and(|(version, _)| version == 0);
        let _ = cursor.number(if short { 2 } else { 4 });
        Parts(cursor.0).filter(|part| part.kind == *b"infe").filter_map(|part| {
            let mut cursor = Cursor(part.body);
            let (version, _) = cursor.version()?;
            let item = item(&mut cursor, version == 2)?;
            cursor.number(2)?;
            Some((item, *cursor.0.first_chunk()?)).filter(|_| version >= 2)
        })
    }

    /// The bytes of an item.
    pub(in super::super) fn data(&self, wanted: Item) -> Option<Cow<'a, [u8]>> {
        let places = Places::open(self.meta)?.map_while(|places| places).find(|places| places.item == wanted)?;
        let place = match places.start {
            IN_FILE => self.file,
            IN_META => find(self.meta, *b"idat")?,
            _ => return None,
        };
        let mut pieces = Vec::with_capacity(places.extents.len());
        for (from, len) in places.extents {
            let rest = place.get(usize::try_from(places.base.checked_add(from)?).ok()?..)?;
            let len = usize::try_from(len).ok()?;
            // No length means the rest. A file that ends early may still show something.
            pieces.push(if len == 0 { rest } else { &rest[..len.min(rest.len())] });
        }
        Some(match pieces.as_slice() {
            [piece] => Cow::Borrowed(piece),
            pieces => Cow::Owned(pieces.concat()),
        })
    }

    /// The properties of an item, in the order in which they apply.
    pub(in super::super) fn properties(&self, wanted: Item) -> Vec<Part<'a>> {
        self.find_properties(wanted).unwrap_or_default()
    }

    fn find_properties(&self, wanted: Item) -> Option<Vec<Part<'a>>> {
        let all = find(self.meta, *b"iprp")?;
        let properties = find(all, *b"ipco")?;
        let lists = Parts(all).filter(|part| part.kind == *b"ipma");
        for list in lists {
            let mut cursor = Cursor(list.body);
            let (version, flags) = cursor.version()?;
            let index_len = if flags & 1 == 1 { 2 } else { 1 };
            for _ in 0..cursor.number(4)? {
                let item = item(&mut cursor, version == 0)?;
                let count = cursor.count(1)?;
                if item != wanted {
                    cursor.0 = cursor.0.get(count * index_len..)?;
                    continue;
                }
                let mut found = Vec::with_capacity(count);
                for _ in 0..count {
                    // The highest bit says whether the property may be ignored. They are counted from 1.
                    let index = cursor.count(index_len)? & ((1 << (index_len * 8 - 1)) - 1);
                    found.extend(index.checked_sub(1).and_then(|index| Parts(properties).nth(index)));
                }
                return Some(found);
            }
        }
        None
    }

    /// The items that an item points at, in order.
    pub(in super::super) fn points_at(&self, from: Item, kind: [u8; 4]) -> Vec<Item> {
        self.references(kind).into_iter().find(|(item, _)| *item == from).map(|(_, to)| to).unwrap_or_default()
    }

    /// The tiles of a grid; nothing if one of them stands in several places, or there are more than any camera makes.
    pub(in super::super) fn tiles(&self, grid: Item) -> Option<Vec<Item>> {
        let tiles = self.points_at(grid, *b"dimg");
        let mut sorted = tiles.clone();
        sorted.sort_unstable();
        sorted.dedup();
        (sorted.len() == tiles.len() && tiles.len() <= MAX_TILES).then_some(tiles)
    }

    /// The items that point at an item.
    fn point_at(&self, to: Item, kind: [u8; 4]) -> Vec<Item> {
        self.references(kind).into_iter().filter(|(_, items)| items.contains(&to)).map(|(from, _)| from).collect()
    }

    fn references(&self, kind: [u8; 4]) -> Vec<(Item, Vec<Item>)> {
        let mut cursor = Cursor(find(self.meta, *b"iref").unwrap_or_default());
        let Some((version, _)) = cursor.version() else { return Vec::new() };
        let lists = Parts(cursor.0).filter(|part| part.kind == kind).filter_map(|part| {
            let mut cursor = Cursor(part.body);
            let from = item(&mut cursor, version == 0)?;
            let count = cursor.count(2)?.min(MAX_REFERENCES);
            Some((from, (0..count).map_while(|_| item(&mut cursor, version == 0)).collect()))
        });
        lists.take(MAX_REFERENCES).collect()
    }

    /// The picture of a picture's opacity, and whether its colours are multiplied by it.
    pub(in super::super) fn alpha(&self, picture: Item) -> Option<(Item, bool)> {
        let is_alpha = |item: &Item| {
            let kind = self.properties(*item).into_iter().find(|part| part.kind == *b"auxC");
            kind.is_some_and(|kind| {
                ALPHA.iter().any(|name| kind.body.get(4..).is_some_and(|body| body.starts_with(name)))
            })
        };
        let alpha = self.point_at(picture, *b"auxl").into_iter().find(is_alpha)?;
        Some((alpha, self.points_at(picture, *b"prem").contains(&alpha)))
    }

    /// The EXIF data of a picture.
    pub(in super::super) fn exif(&self, picture: Item) -> Option<Vec<u8>> {
        let exif = self.point_at(picture, *b"cdsc").into_iter().find(|item| self.kind(*item) == Some(*b"Exif"))?;
        let data = self.data(exif)?;
        let mut cursor = Cursor(&data);
        // How far the data stands behind this number.
        let skipped = usize::try_from(cursor.number(4)?).ok()?;
        cursor.0.get(skipped..).map(<[u8]>::to_vec)
    }
}

/// Where the bytes of items stand, item by item; nothing, and then no more, where the list does not hold together.
struct Places<'a> {
    rest: Cursor<'a>,
    version: u64,
    offset_len: usize,
    length_len: usize,
    base_len: usize,
    index_len: usize,
    left: u64,
}

/// Where the bytes of one item stand.
struct Place {
    item: Item,
    /// What the offsets count from.
    start: u64,
    base: u64,
    /// Where each piece begins and how long it is.
    extents: Vec<(u64, u64)>,
}

impl<'a> Places<'a> {
    fn open(meta: &'a [u8]) -> Option<Self> {
        let mut rest = Cursor(find(meta, *b"iloc")?);
        let (version, _) = rest.version()?;
        let widths = rest.number(2)?;
        let [offset_len, length_len, base_len, index_len] = [12, 8, 4, 0].map(|shift| (widths >> shift & 15) as usize);
        if version > 2 || [offset_len, length_len, base_len, index_len].iter().any(|len| *len > 8) {
            return None;
        }
        let index_len = if version == 0 { 0 } else { index_len };
        let left = rest.number(if version < 2 { 2 } else { 4 })?;
        Some(Self { rest, version, offset_len, length_len, base_len, index_len, left })
    }

    fn read(&mut self) -> Option<Place> {
        let item = item(&mut self.rest, self.version < 2)?;
        let start = if self.version == 0 { IN_FILE } else { self.rest.number(2)? & 15 };
        // Which file it is in; only this one is looked at.
        self.rest.number(2)?;
        let base = self.rest.number(self.base_len)?;
        let count = self.rest.number(2)?;
        if count > MAX_EXTENTS {
            return None;
        }
        let mut extents = Vec::new();
        for _ in 0..count {
            self.rest.number(self.index_len)?;
            extents.push((self.rest.number(self.offset_len)?, self.rest.number(self.length_len)?));
        }
        Some(Place { item, start, base, extents })
    }
}

impl Iterator for Places<'_> {
    type Item = Option<Place>;

    fn next(&mut self) -> Option<Option<Place>> {
        self.left = self.left.checked_sub(1)?;
        let place = self.read();
        if place.is_none() {
            self.left = 0;
        }
        Some(place)
    }
}

fn item(cursor: &mut Cursor<'_>, short: bool) -> Option<Item> {
    Item::try_from(cursor.number(if short { 2 } else { 4 })?).ok()
}
