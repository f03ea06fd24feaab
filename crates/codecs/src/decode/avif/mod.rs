//! AVIF: the primary picture, put together from its tiles, turned and cut as the container orders.

mod coded;
mod color;
mod transform;

use super::heif::{Container, Cursor, Item, Part, find};
use super::{Ask, DecodeError, Decoded, Limits, pixels};
use crate::{Bitmap, Layout};
pub(super) use coded::COST as CODED_COST;
use coded::Coded;
use color::Signal;

/// Bytes for each pixel besides those of the coded pictures: colours, and the same once more with opacity or turned.
const COST: u64 = 11;

pub(super) fn decode(bytes: &[u8], ask: &Ask) -> Result<Decoded, DecodeError> {
    let damaged = || DecodeError::Damaged("its container does not hold together".to_owned());
    let container = Container::open(bytes).ok_or_else(damaged)?;
    let primary = container.primary().ok_or_else(damaged)?;
    let properties = container.properties(primary);
    let picture = Picture::read(&container, primary, &ask.limits, 0)?;
    let alpha = container.alpha(primary);
    let opacity = match alpha {
        Some((alpha, _)) => Some(Picture::read(&container, alpha, &ask.limits, picture.rgb.len() as u64)?),
        None => None,
    };
    let mut bitmap = picture.into_bitmap(opacity, alpha.is_some_and(|(_, premultiplied)| premultiplied))?;
    for property in properties {
        bitmap = transform::apply(bitmap, property);
    }
    let full = (bitmap.width, bitmap.height);
    let decoded = Decoded::plain(bitmap).with_icc(profile(properties)).with_exif(container.exif(primary));
    // The container has turned it; EXIF only repeats that.
    Ok(Decoded { full, orientation: 1, is_sequence: find(bytes, *b"moov").is_some(), ..decoded })
}

/// A picture of red, green and blue.
struct Picture {
    size: (u32, u32),
    rgb: Vec<u8>,
    is_grey: bool,
}

impl Picture {
    /// Decodes an item, be it coded or a grid of coded ones, while other pictures hold so many bytes.
    fn read(container: &Container<'_>, item: Item, limits: &Limits, held: u64) -> Result<Self, DecodeError> {
        let damaged = |what: &str| DecodeError::Damaged(what.to_owned());
        let properties = container.properties(item);
        let announced = size(properties).ok_or_else(|| damaged("it says no size"))?;
        limits.admit(announced, COST)?;
        let signal = Signal::announced(properties);
        let data = container.data(item).ok_or_else(|| damaged("its picture is not in it"))?;
        match container.kind(item).as_ref() {
            Some(b"av01") => {
                let coded = coded::decode(&data, area(announced), limits.max_memory.saturating_sub(held))?;
                Self::of(&coded, signal)
            }
            Some(b"grid") => {
                let grid = Grid::read(&data).ok_or_else(|| damaged("its grid does not hold together"))?;
                limits.admit(grid.size, COST)?;
                grid.compose(container, item, signal, limits, held)
            }
            _ => Err(DecodeError::Unsupported("a picture of another kind in an AVIF".to_owned())),
        }
    }

    fn of(coded: &Coded, signal: Option<Signal>) -> Result<Self, DecodeError> {
        let size = (coded.width, coded.height);
        let mut picture = Self::empty(size)?;
        color::draw(coded, signal, &mut picture.rgb, size, (0, 0));
        picture.is_grey = coded.planes.len() == 1;
        Ok(picture)
    }

    fn empty(size: (u32, u32)) -> Result<Self, DecodeError> {
        Ok(Self { size, rgb: pixels::zeroed(size.0 as usize * size.1 as usize * 3)?, is_grey: false })
    }

    /// The same as a bitmap, with another picture's brightness for opacity.
    fn into_bitmap(self, opacity: Option<Self>, premultiplied: bool) -> Result<Bitmap, DecodeError> {
        let colors = self.rgb.as_chunks::<3>().0;
        let Some(opacity) = opacity else {
            if self.is_grey {
                return pixels::bitmap(self.size, Layout::Gray, colors.iter().map(|color| color[0]).collect());
            }
            return pixels::bitmap(self.size, Layout::Rgb, self.rgb);
        };
        let (width, height) = (self.size.0 as usize, self.size.1 as usize);
        let (across, down) = (opacity.size.0 as usize, opacity.size.1 as usize);
        let mut data = Vec::with_capacity(colors.len() * 4);
        for (y, row) in colors.chunks_exact(width).enumerate() {
            // Both have the same size, or the nearest pixel has to do.
            let alpha = &opacity.rgb[(y * down / height) * across * 3..];
            data.extend(row.iter().enumerate().flat_map(|(x, &[r, g, b])| [r, g, b, alpha[x * across / width * 3]]));
        }
        if premultiplied {
            pixels::unmultiply(&mut data);
        }
        pixels::bitmap(self.size, Layout::Rgba, data)
    }
}

/// A picture that consists of tiles of one size.
struct Grid {
    rows: usize,
    columns: usize,
    size: (u32, u32),
}

impl Grid {
    fn read(data: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(data);
        cursor.number(1)?;
        let side = if cursor.number(1)? & 1 == 1 { 4 } else { 2 };
        let (rows, columns) = (cursor.count(1)? + 1, cursor.count(1)? + 1);
        let mut size = || u32::try_from(cursor.number(side)?).ok();
        Some(Self { rows, columns, size: (size()?, size()?) })
    }

    fn compose(
        &self,
        container: &Container<'_>,
        grid: Item,
        signal: Option<Signal>,
        limits: &Limits,
        held: u64,
    ) -> Result<Picture, DecodeError> {
        let damaged = |what: &str| DecodeError::Damaged(what.to_owned());
        let tiles = container.points_at(grid, *b"dimg");
        if tiles.len() != self.rows * self.columns {
            return Err(damaged("it lacks tiles"));
        }
        let mut picture = Picture::empty(self.size)?;
        let memory = limits.max_memory.saturating_sub(held + picture.rgb.len() as u64);
        let mut first = None;
        for (index, &item) in tiles.iter().enumerate() {
            let data = container.data(item).ok_or_else(|| damaged("a tile is not in it"))?;
            let properties = container.properties(item);
            let most = size(properties).map_or(limits.max_pixels, area).min(limits.max_pixels);
            let coded = coded::decode(&data, most, memory)?;
            let tile = *first.get_or_insert((coded.width, coded.height));
            if (coded.width, coded.height) != tile || !self.is_covered_by(tile) {
                return Err(damaged("its tiles do not cover it"));
            }
            limits.admit_pieces(tile, (self.columns as u64, self.rows as u64), COST)?;
            let at = (tile.0 as usize * (index % self.columns), tile.1 as usize * (index / self.columns));
            let signal = signal.or_else(|| Signal::announced(properties));
            color::draw(&coded, signal, &mut picture.rgb, self.size, at);
            picture.is_grey = coded.planes.len() == 1;
        }
        Ok(picture)
    }

    /// Whether tiles of this size reach to the edges, and none lies wholly outside.
    fn is_covered_by(&self, (width, height): (u32, u32)) -> bool {
        let reach = |tile: u32, count: usize, whole: u32| {
            let (tile, count, whole) = (u64::from(tile), count as u64, u64::from(whole));
            tile * count >= whole && tile * (count - 1) < whole
        };
        reach(width, self.columns, self.size.0) && reach(height, self.rows, self.size.1)
    }
}

/// The size that an item announces.
fn size(properties: &[Part<'_>]) -> Option<(u32, u32)> {
    let mut cursor = Cursor(properties.iter().find(|part| part.kind == *b"ispe")?.body);
    cursor.version()?;
    Some((cursor.u32()?, cursor.u32()?))
}

fn area((width, height): (u32, u32)) -> u64 {
    u64::from(width) * u64::from(height)
}

fn profile(properties: &[Part<'_>]) -> Option<Vec<u8>> {
    let colors = properties.iter().filter(|part| part.kind == *b"colr").map(|part| part.body);
    colors
        .into_iter()
        .find(|body| body.starts_with(b"prof") || body.starts_with(b"rICC"))
        .map(|body| body[4..].to_vec())
}
