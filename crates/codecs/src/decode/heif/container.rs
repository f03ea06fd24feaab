//! What a HEIF file says about its pictures: which is the one to be shown, where its coded bytes stand, what belongs to it.

use super::boxes::{Cursor, Part, Parts, only};
use super::lists::{self, MAX_LISTS, Place, Reference};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Where pieces are counted from.
const IN_FILE: u64 = 0;
const IN_META: u64 = 1;
/// What pictures of opacity are called.
const ALPHA: [&[u8]; 2] = [b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0", b"urn:mpeg:hevc:2015:auxid:1\0"];

/// The lists of the box `meta`, and the file around it.
pub(in super::super) struct Container<'a> {
    file: &'a [u8],
    /// Bytes of items that stand in the box itself.
    data: &'a [u8],
    primary: Option<Item>,
    kinds: BTreeMap<Item, [u8; 4]>,
    places: BTreeMap<Item, Place>,
    properties: BTreeMap<Item, Vec<Part<'a>>>,
    references: Vec<Reference>,
}

/// One thing in a file: a coded picture, a grid of pictures, EXIF data.
pub(in super::super) type Item = u32;

impl<'a> Container<'a> {
    /// Reads the box `meta`. Nothing if a list does not hold together, is longer than any camera's, or can be read in two ways, so that
    /// another reader would see other pictures in it; nothing either if items share their bytes so that a small file would become a large one.
    pub(in super::super) fn open(file: &'a [u8]) -> Option<Self> {
        let mut metas = Parts(file).filter(|part| part.kind == *b"meta");
        let (meta, None) = (metas.next()?, metas.next()) else { return None };
        let meta = meta.body.get(4..)?;
        let data = only(meta, *b"idat")?;
        if meta.len() - data.len() > MAX_LISTS {
            return None;
        }
        let container = Self {
            file,
            data,
            primary: primary(only(meta, *b"pitm")?),
            kinds: lists::kinds(only(meta, *b"iinf")?)?,
            places: lists::places(only(meta, *b"iloc")?)?,
            properties: lists::properties(only(meta, *b"iprp")?)?,
            references: lists::references(only(meta, *b"iref")?)?,
        };
        (container.total() <= file.len() as u64 * 2).then_some(container)
    }

    /// How many bytes all items take together.
    fn total(&self) -> u64 {
        let pieces = self.places.values().flat_map(|place| place.pieces.iter().map(|piece| (place.base, piece)));
        pieces.fold(0, |total, (base, &(from, len))| {
            let whole = (self.file.len() as u64).saturating_sub(base.saturating_add(from));
            total.saturating_add(if len == 0 { whole } else { len })
        })
    }

    /// The picture that is shown.
    pub(in super::super) fn primary(&self) -> Option<Item> {
        self.primary
    }

    /// What an item is.
    pub(in super::super) fn kind(&self, item: Item) -> Option<[u8; 4]> {
        self.kinds.get(&item).copied()
    }

    /// The bytes of an item.
    pub(in super::super) fn data(&self, item: Item) -> Option<Cow<'a, [u8]>> {
        let Place { start, base, pieces } = self.places.get(&item)?;
        let place = match *start {
            IN_FILE => self.file,
            IN_META => self.data,
            _ => return None,
        };
        let mut found = Vec::with_capacity(pieces.len());
        for (from, len) in pieces {
            let rest = place.get(usize::try_from(base.checked_add(*from)?).ok()?..)?;
            let len = usize::try_from(*len).ok()?;
            // No length means the rest. A file that ends early may still show something.
            found.push(if len == 0 { rest } else { &rest[..len.min(rest.len())] });
        }
        Some(match found.as_slice() {
            [piece] => Cow::Borrowed(piece),
            pieces => Cow::Owned(pieces.concat()),
        })
    }

    /// The properties of an item, in the order in which they apply.
    pub(in super::super) fn properties(&self, item: Item) -> &[Part<'a>] {
        self.properties.get(&item).map(Vec::as_slice).unwrap_or_default()
    }

    /// The items that an item points at, in order; in a list of tiles none stands twice.
    pub(in super::super) fn points_at(&self, from: Item, kind: [u8; 4]) -> &[Item] {
        let reference = self.references.iter().find(|reference| (reference.kind, reference.from) == (kind, from));
        reference.map(|reference| reference.to.as_slice()).unwrap_or_default()
    }

    /// The items that point at an item.
    fn point_at(&self, to: Item, kind: [u8; 4]) -> impl Iterator<Item = Item> {
        let found =
            self.references.iter().filter(move |reference| reference.kind == kind && reference.to.contains(&to));
        found.map(|reference| reference.from)
    }

    /// The picture of a picture's opacity, and whether its colours are multiplied by it.
    pub(in super::super) fn alpha(&self, picture: Item) -> Option<(Item, bool)> {
        let is_alpha = |item: &Item| {
            let kind = self.properties(*item).iter().find(|part| part.kind == *b"auxC");
            kind.is_some_and(|kind| {
                ALPHA.iter().any(|name| kind.body.get(4..).is_some_and(|body| body.starts_with(name)))
            })
        };
        let alpha = self.point_at(picture, *b"auxl").find(is_alpha)?;
        Some((alpha, self.points_at(picture, *b"prem").contains(&alpha)))
    }

    /// The EXIF data of a picture.
    pub(in super::super) fn exif(&self, picture: Item) -> Option<Vec<u8>> {
        let exif = self.point_at(picture, *b"cdsc").find(|item| self.kind(*item) == Some(*b"Exif"))?;
        let data = self.data(exif)?;
        let mut cursor = Cursor(&data);
        // How far the data stands behind this number.
        let skipped = usize::try_from(cursor.number(4)?).ok()?;
        cursor.0.get(skipped..).map(<[u8]>::to_vec)
    }
}

fn primary(body: &[u8]) -> Option<Item> {
    let mut cursor = Cursor(body);
    let (version, _) = cursor.version()?;
    lists::item(&mut cursor, version == 0)
}
