//! Puts a colour profile into an AVIF that was just written: the encoder knows none. The file's layout is that of
//! `avif-serialize`: boxes with lengths of four bytes, offsets of four bytes from the beginning of the file, one property list
//! whose first entry is that of the coloured picture.

/// Version and flags of a box.
const FULL: usize = 4;
const HEAD: usize = 8;

/// Where a box begins and where it ends.
#[derive(Clone, Copy)]
struct Place {
    from: usize,
    to: usize,
}

/// The file with a profile; nothing if its layout is another.
pub(super) fn insert(mut bytes: Vec<u8>, icc: &[u8]) -> Option<Vec<u8>> {
    let meta = find(&bytes, Place { from: 0, to: bytes.len() }, *b"meta")?;
    let inside = Place { from: meta.from + HEAD + FULL, to: meta.to };
    let places = find(&bytes, inside, *b"iloc")?;
    let properties = find(&bytes, inside, *b"iprp")?;
    let inside = Place { from: properties.from + HEAD, to: properties.to };
    let (list, links) = (find(&bytes, inside, *b"ipco")?, find(&bytes, inside, *b"ipma")?);

    let mut property = Vec::with_capacity(icc.len() + HEAD + 4);
    property.extend_from_slice(&u32::try_from(icc.len() + HEAD + 4).ok()?.to_be_bytes());
    property.extend_from_slice(b"colrprof");
    property.extend_from_slice(icc);
    let index = u8::try_from(count(&bytes, list) + 1).ok().filter(|index| *index < 0x80)?;
    // Behind the number of entries and the first item's id stands how many properties it has, then which.
    let linked = links.from + HEAD + FULL + 4 + 2;
    let last = linked + 1 + usize::from(*bytes.get(linked)?);

    // Everything behind the properties moves, the coded pictures among it.
    let grown = u32::try_from(property.len() + 1).ok()?;
    move_places(&mut bytes, places, grown)?;
    for (place, by) in [(meta, grown), (properties, grown), (list, grown - 1), (links, 1)] {
        add(&mut bytes, place.from, by)?;
    }
    *bytes.get_mut(linked)? += 1;
    // From the back to the front, so that the other place stays where it is.
    if last < list.to || last > links.to {
        return None;
    }
    bytes.insert(last, index);
    bytes.splice(list.to..list.to, property);
    Some(bytes)
}

/// Boxes one after the other, with their types.
fn parts(bytes: &[u8], inside: Place) -> impl Iterator<Item = ([u8; 4], Place)> {
    let mut at = inside.from;
    std::iter::from_fn(move || {
        let len = number(bytes, at)? as usize;
        let kind = *bytes.get(at + 4..)?.first_chunk()?;
        let place = Place { from: at, to: at.checked_add(len)? };
        at = place.to;
        (len >= HEAD && place.to <= inside.to).then_some((kind, place))
    })
}

fn find(bytes: &[u8], inside: Place, wanted: [u8; 4]) -> Option<Place> {
    parts(bytes, inside).find(|(kind, _)| *kind == wanted).map(|(_, place)| place)
}

fn count(bytes: &[u8], list: Place) -> usize {
    parts(bytes, Place { from: list.from + HEAD, to: list.to }).count()
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn add(bytes: &mut [u8], at: usize, by: u32) -> Option<()> {
    let sum = number(bytes, at)?.checked_add(by)?;
    bytes.get_mut(at..at + 4)?.copy_from_slice(&sum.to_be_bytes());
    Some(())
}

/// Moves the offset of every piece of every item.
fn move_places(bytes: &mut [u8], places: Place, by: u32) -> Option<()> {
    let short = |bytes: &[u8], at: usize| Some(usize::from(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?)));
    let mut at = places.from + HEAD + FULL;
    // Offsets and lengths of four bytes, no base.
    if short(bytes, at)? != 0x4400 {
        return None;
    }
    let items = short(bytes, at + 2)?;
    at += 4;
    for _ in 0..items {
        let pieces = short(bytes, at + 4)?;
        at += 6;
        for _ in 0..pieces {
            add(bytes, at, by)?;
            at += 8;
        }
    }
    (at <= places.to).then_some(())
}
