//! Containers of HEIC and AVIF put together by hand: what they may say, and what would let a small file become much work.

use crate::common::{fixture, limits_of};
use stowage_codecs::{Ask, DecodeError, Decoded, decode};

fn part(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len() + 8).unwrap();
    [&len.to_be_bytes()[..], &kind, body].concat()
}

fn short(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap().to_be_bytes()
}

fn long(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap().to_be_bytes()
}

/// A list of references: what, from where, to where.
fn reference(kind: [u8; 4], from: usize, to: &[usize]) -> Vec<u8> {
    let to: Vec<u8> = to.iter().flat_map(|item| short(*item)).collect();
    part(kind, &[&short(from)[..], &short(to.len() / 2), &to].concat())
}

fn size(width: usize, height: usize) -> Vec<u8> {
    part(*b"ispe", &[[0; 4], long(width), long(height)].concat())
}

fn grid(rows: u8, columns: u8, width: usize, height: usize) -> Vec<u8> {
    [&[0, 1, rows - 1, columns - 1][..], &long(width), &long(height)].concat()
}

/// A file with the first item as its picture.
#[derive(Clone, Default)]
struct File {
    brand: [u8; 4],
    /// What they are, and their bytes.
    items: Vec<([u8; 4], Vec<u8>)>,
    properties: Vec<Vec<u8>>,
    /// The properties of each item.
    links: Vec<Vec<usize>>,
    references: Vec<Vec<u8>>,
    /// Where items stand, if it is not where they do.
    places: Option<Vec<u8>>,
    /// Boxes behind the usual ones.
    more: Vec<u8>,
}

impl File {
    fn properties(&self) -> Vec<u8> {
        let link = |(index, links): (usize, &Vec<usize>)| {
            let links: Vec<u8> = links.iter().flat_map(|link| short(*link)).collect();
            [&short(index + 1)[..], &[u8::try_from(links.len() / 2).unwrap()], &links].concat()
        };
        let links: Vec<u8> = self.links.iter().enumerate().flat_map(link).collect();
        let links = part(*b"ipma", &[&[0, 0, 0, 1][..], &long(self.links.len()), &links].concat());
        [part(*b"ipco", &self.properties.concat()), links].concat()
    }

    /// The box `meta`, where the items stand one after the other from `start`.
    fn meta(&self, start: usize) -> Vec<u8> {
        let count = short(self.items.len());
        let (mut at, mut places, mut kinds) = (start, Vec::new(), Vec::new());
        for (index, (kind, data)) in self.items.iter().enumerate() {
            places.extend([&short(index + 1)[..], &[0, 0], &short(1), &long(at), &long(data.len())].concat());
            kinds.extend(part(*b"infe", &[&[2, 0, 0, 0][..], &short(index + 1), &[0, 0], kind, &[0]].concat()));
            at += data.len();
        }
        let places = [&[0, 0, 0, 0, 0x44, 0][..], &count, &places].concat();
        let body = [
            vec![0; 4],
            part(*b"pitm", &[0, 0, 0, 0, 0, 1]),
            part(*b"iloc", self.places.as_ref().unwrap_or(&places)),
            part(*b"iinf", &[&[0; 4][..], &count, &kinds].concat()),
            part(*b"iprp", &self.properties()),
            part(*b"iref", &[vec![0; 4], self.references.concat()].concat()),
            self.more.clone(),
        ];
        part(*b"meta", &body.concat())
    }

    fn bytes(&self) -> Vec<u8> {
        let head = part(*b"ftyp", &[&self.brand[..], &[0; 4], b"mif1"].concat());
        let start = head.len() + self.meta(0).len() + 8;
        let data: Vec<u8> = self.items.iter().flat_map(|(_, data)| data.clone()).collect();
        [head, self.meta(start), part(*b"mdat", &data)].concat()
    }

    fn decode(&self, ask: &Ask) -> Result<Decoded, DecodeError> {
        decode(&self.bytes(), ask)
    }

    fn size(&self, ask: &Ask) -> (u32, u32) {
        self.decode(ask).unwrap().full
    }

    /// Changed in some way, and then refused for its lists.
    fn damaged_by(&self, what: &str, change: impl FnOnce(&mut Self)) {
        let mut file = self.clone();
        change(&mut file);
        let refused = file.decode(&Ask::default()).map(|decoded| decoded.full);
        let is_refused = matches!(&refused, Err(DecodeError::Damaged(why)) if why.contains("container"));
        assert!(is_refused, "{what}: {refused:?}");
    }

    fn too_large(&self, ask: &Ask) {
        let refused = self.decode(ask).map(|decoded| decoded.full);
        assert!(matches!(refused, Err(DecodeError::TooLarge(_))), "{refused:?}");
    }
}

/// The coded picture in a fixture that has nothing else.
fn coded(name: &str) -> Vec<u8> {
    let bytes = fixture(name);
    let at = bytes.windows(4).position(|window| window == b"mdat").unwrap();
    bytes[at + 4..].to_vec()
}

/// An AVIF of so many coded pictures of 72x48 behind the first item.
fn avif(first: ([u8; 4], Vec<u8>), count: usize, name: &str) -> File {
    let tiles = std::iter::repeat_n((*b"av01", coded(name)), count);
    let items: Vec<_> = std::iter::once(first).chain(tiles).collect();
    let links = vec![vec![1]; items.len()];
    File { brand: *b"avif", items, properties: vec![size(72, 48)], links, ..File::default() }
}

fn still(data: Vec<u8>) -> File {
    avif((*b"av01", data), 0, "full.avif")
}

/// Enough memory for so many bytes a pixel of 72x48.
fn memory(bytes: u64) -> Ask {
    let mut ask = Ask::default();
    ask.limits.max_memory = 72 * 48 * bytes;
    ask
}

#[test]
fn lists_that_can_be_read_in_two_ways_are_refused() {
    let mut good = avif((*b"grid", grid(1, 2, 144, 48)), 2, "full.avif");
    good.links[0] = vec![2, 3, 4];
    good.properties.extend([size(144, 48), part(*b"irot", &[1]), part(*b"imir", &[0])]);
    good.references.push(reference(*b"dimg", 1, &[2, 3]));
    assert_eq!(good.size(&Ask::default()), (48, 144));
    let whole = good.clone();
    good.damaged_by("the same tile twice", |file| file.references = vec![reference(*b"dimg", 1, &[2, 2])]);
    good.damaged_by("two lists of tiles", |file| file.references.push(reference(*b"dimg", 1, &[3, 2])));
    good.damaged_by("a list behind a list", |file| {
        let list = &reference(*b"dimg", 1, &[2, 3])[8..];
        file.references = vec![part(*b"dimg", &[list, list].concat())];
    });
    good.damaged_by("other references", |file| file.more = part(*b"iref", &[0; 4]));
    good.damaged_by("other properties", |file| file.more = part(*b"iprp", &whole.properties()));
    good.damaged_by("other places", |file| file.more = part(*b"iloc", &[0; 8]));
    good.damaged_by("other items", |file| file.more = part(*b"iinf", &[0; 6]));
    good.damaged_by("another picture", |file| file.more = part(*b"pitm", &[0, 0, 0, 0, 0, 2]));
    good.damaged_by("another list to its end", |file| {
        file.more = [&b"\0\0\0\x01iref"[..], &[0xFF; 8], &[0; 4], &reference(*b"dimg", 1, &[3, 2])].concat();
    });
    good.damaged_by("many items", |file| file.items.extend(vec![(*b"free", vec![0]); 3000]));
}

#[test]
fn properties_are_few_and_apply_once() {
    let mut good = still(coded("full.avif"));
    good.properties.extend([part(*b"irot", &[1]), part(*b"irot", &[2])]);
    good.links[0] = vec![1, 2];
    assert_eq!(good.size(&Ask::default()), (48, 72));
    good.damaged_by("two turns", |file| file.links[0] = vec![1, 2, 3]);
    good.damaged_by("the same turn again", |file| file.links[0] = vec![1, 2, 2]);
    good.damaged_by("many of one item", |file| {
        file.properties.extend(vec![part(*b"free", &[]); 40]);
        file.links[0] = (1..40).filter(|index| *index != 3).collect();
    });
    good.damaged_by("many in all", |file| file.properties.extend(vec![part(*b"free", &[]); 1100]));
    // Pieces without an offset and a length take no bytes in their list.
    good.damaged_by("many pieces", |file| {
        let place = |item: usize| [&short(item)[..], &[0, 0], &[0xFF; 8], &short(4000)].concat();
        let places: Vec<u8> = (1..300).flat_map(place).collect();
        file.places = Some([&[0, 0, 0, 0, 0, 0x80][..], &short(299), &places].concat());
    });
}

#[test]
fn memory_is_that_of_all_frames_and_of_what_is_held() {
    let still = still(coded("full.avif"));
    assert_eq!(still.size(&memory(24)), (72, 48));
    still.too_large(&memory(23));
    // The same picture once more, as layers are.
    let mut layers = still.clone();
    layers.items[0].1.extend(coded("full.avif"));
    assert_eq!(layers.size(&memory(48)), (72, 48));
    layers.too_large(&memory(47));
    // Three bytes of colour are there while opacity is decoded.
    let mut clear = avif((*b"av01", coded("full.avif")), 1, "full.avif");
    clear.properties.push(part(*b"auxC", b"\0\0\0\0urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"));
    clear.links[1].push(2);
    clear.references.push(reference(*b"auxl", 2, &[1]));
    assert_eq!(clear.size(&memory(27)), (72, 48));
    clear.too_large(&memory(26));
    let mut two = still.clone();
    two.items[0].1.extend(coded("half.avif"));
    let refused = two.decode(&Ask::default()).map(|decoded| decoded.full);
    assert!(matches!(&refused, Err(DecodeError::Damaged(why)) if why.contains("sequence")), "{refused:?}");
}

#[test]
fn a_coded_picture_is_as_large_as_it_says() {
    let mut still = still(coded("full.avif"));
    still.properties[0] = size(1, 1);
    still.too_large(&Ask::default());
    // Tiles of which one row is shown.
    let row = |columns: u8| {
        let count = usize::from(columns);
        let mut file = avif((*b"grid", grid(1, columns, 72 * count, 1)), count, "full.avif");
        file.properties.push(size(72 * count, 1));
        file.links[0] = vec![2];
        file.references.push(reference(*b"dimg", 1, &(2..count + 2).collect::<Vec<_>>()));
        file
    };
    let ask = limits_of(72 * 48, 1000);
    assert_eq!(row(2).size(&ask), (144, 1));
    row(3).too_large(&ask);
}

#[cfg(feature = "heic")]
mod heic {
    use super::*;

    /// A property of a fixture, with its head.
    fn property(name: &str, kind: [u8; 4]) -> Vec<u8> {
        let bytes = fixture(name);
        let at = bytes.windows(4).position(|window| *window == kind).unwrap() - 4;
        let len = u32::from_be_bytes(*bytes[at..].first_chunk().unwrap()) as usize;
        bytes[at..at + len].to_vec()
    }

    /// A picture that is another one, which consists of two tiles.
    fn tiled() -> File {
        let tile = (*b"hvc1", coded("gray.heic"));
        let items = vec![(*b"iden", Vec::new()), (*b"grid", grid(1, 2, 100, 60)), tile.clone(), tile];
        File {
            brand: *b"heic",
            items,
            properties: vec![property("gray.heic", *b"hvcC"), part(*b"irot", &[1])],
            links: vec![vec![2], Vec::new(), vec![1], vec![1]],
            references: vec![reference(*b"dimg", 1, &[2]), reference(*b"dimg", 2, &[3, 4])],
            ..File::default()
        }
    }

    #[test]
    fn tiles_stand_once_wherever_the_grid_is() {
        let good = tiled();
        assert_eq!(good.size(&Ask::default()), (60, 100));
        let tiles = |to: &[usize]| vec![reference(*b"dimg", 1, &[2]), reference(*b"dimg", 2, to)];
        good.damaged_by("the same tile twice", |file| file.references = tiles(&[3, 3]));
        good.damaged_by("a tile that often", |file| {
            file.items[1].1 = grid(255, 255, 100, 60);
            file.references = tiles(&vec![3; 255 * 255 / 2]);
        });
        good.damaged_by("other references", |file| {
            file.more = part(*b"iref", &[vec![0; 4], tiles(&[3, 3]).concat()].concat());
        });
        good.damaged_by("other references to the end", |file| {
            file.more = [&b"\0\0\0\x01iref"[..], &[0xFF; 8], &[0; 4], &tiles(&[3, 3]).concat()].concat();
        });
    }

    #[test]
    fn a_grid_that_is_too_large_is_refused() {
        for side in [29_000, 16_000] {
            let mut file = tiled();
            file.items[1].1 = grid(1, 2, side, side);
            file.too_large(&Ask::default());
        }
        let mut ask = Ask::default();
        ask.limits.max_pixels = 5999;
        tiled().too_large(&ask);
    }

    #[test]
    fn configurations_and_units_are_few() {
        let good = tiled();
        good.damaged_by("a configuration for every tile", |file| {
            let body = [&file.properties[0][8..], &vec![0; 600_000]].concat();
            file.properties[0] = part(*b"hvcC", &body);
        });
        // A unit of two bytes, which says where a picture begins.
        let unit = [0, 0, 0, 2, 0x46, 1];
        let mut some = good.clone();
        some.items[2].1.splice(0..0, unit.repeat(40));
        assert_eq!(some.size(&Ask::default()), (60, 100));
        for unit in [&unit[..], &[0; 4]] {
            let mut many = good.clone();
            many.items[2].1.splice(0..0, unit.repeat(5000));
            let refused = many.decode(&Ask::default()).map(|decoded| decoded.full);
            assert!(matches!(refused, Err(DecodeError::Damaged(_))), "{refused:?}");
        }
    }
}
