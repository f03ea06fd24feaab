//! The colours that a picture consists of.

use std::collections::BTreeMap;

use stowage_codecs::Bitmap;

use super::reduced::{byte, distance2, oklab, pixel_rgba};

/// Pixels that are looked at.
const SAMPLES: u64 = 8192;
/// How often groups are formed anew at most, and how many comparisons that may take.
const ROUNDS: usize = 12;
const COMPARISONS: usize = 8_000_000;
/// Colours nearer than this, squared, are not told apart while groups are begun: about half of what an eye can tell.
const SAME: f32 = 0.0001;

/// At most `n` colours of a picture, those with the largest share first. Fewer where it has fewer. What is more than half
/// transparent does not count, unless there is nothing else.
pub(crate) fn main_colors(bitmap: &Bitmap, n: usize) -> Vec<[u8; 3]> {
    let samples = samples(bitmap);
    let visible: Vec<[u8; 4]> = samples.iter().copied().filter(|pixel| pixel[3] >= 128).collect();
    let shades = Shade::all(if visible.is_empty() { &samples } else { &visible });
    let mut centers = first_centers(&shades, n.max(1));
    let mut groups = grouped(&shades, &centers);
    let rounds = COMPARISONS / (shades.len() * centers.len()).max(1);
    for _ in 0..rounds.clamp(1, ROUNDS) {
        let moved: Vec<[f32; 3]> = groups.iter().map(Group::place).collect();
        if moved == centers {
            break;
        }
        centers = moved;
        groups = grouped(&shades, &centers);
    }
    // Equal shares are in the order of their colours, so that there is only one answer.
    let mut colors: Vec<(u32, [u8; 3])> = groups.iter().map(|group| (group.count, group.color())).collect();
    colors.sort_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(&right.1)));
    let mut unique = Vec::with_capacity(colors.len());
    for (_, color) in colors {
        if !unique.contains(&color) {
            unique.push(color);
        }
    }
    unique
}

/// All pixels of a small picture; of a larger one, pixels at places that are spread evenly without being a grid, which would
/// see only some of the colours of a pattern.
fn samples(bitmap: &Bitmap) -> Vec<[u8; 4]> {
    let channels = bitmap.layout.channels();
    let pixels = u64::from(bitmap.width) * u64::from(bitmap.height);
    if pixels <= SAMPLES {
        return bitmap.data.chunks_exact(channels).map(|pixel| pixel_rgba(bitmap.layout, pixel)).collect();
    }
    (1..=SAMPLES)
        .filter_map(|sample| {
            // The sequence R2: multiples of the powers of 1/1.3247…, without what stands before the point, as 32-bit fractions.
            let place = |step: u64, side: u32| (((sample * step) & 0xffff_ffff) * u64::from(side)) >> 32;
            let (x, y) = (place(3_242_174_889, bitmap.width), place(2_447_445_414, bitmap.height));
            let from = usize::try_from(y * u64::from(bitmap.width) + x).ok()? * channels;
            Some(pixel_rgba(bitmap.layout, bitmap.data.get(from..from + channels)?))
        })
        .collect()
}

/// Pixels of nearly one colour.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
struct Shade {
    count: u32,
    /// Sums over the pixels.
    sums: [u32; 3],
    /// Where the mean lies among the colours.
    place: [f32; 3],
}

impl Shade {
    /// The pixels by their colour at five bits a channel.
    fn all(samples: &[[u8; 4]]) -> Vec<Self> {
        let mut shades: BTreeMap<[u8; 3], Self> = BTreeMap::new();
        for &[red, green, blue, _] in samples {
            let shade = shades.entry([red >> 3, green >> 3, blue >> 3]).or_default();
            shade.count += 1;
            for (sum, value) in shade.sums.iter_mut().zip([red, green, blue]) {
                *sum += u32::from(value);
            }
        }
        shades.into_values().map(|shade| Self { place: oklab(shade.color()), ..shade }).collect()
    }

    /// The mean colour.
    fn color(&self) -> [u8; 3] {
        self.sums.map(|sum| byte(sum as f32 / self.count.max(1) as f32))
    }
}

/// Shades around a centre.
#[derive(Clone, Copy, Default)]
struct Group {
    count: u32,
    sums: [u32; 3],
    places: [f32; 3],
}

impl Group {
    fn add(&mut self, shade: &Shade) {
        self.count += shade.count;
        for (sum, value) in self.sums.iter_mut().zip(shade.sums) {
            *sum += value;
        }
        for (sum, value) in self.places.iter_mut().zip(shade.place) {
            *sum += value * shade.count as f32;
        }
    }

    fn place(&self) -> [f32; 3] {
        self.places.map(|sum| sum / self.count.max(1) as f32)
    }

    fn color(&self) -> [u8; 3] {
        self.sums.map(|sum| byte(sum as f32 / self.count.max(1) as f32))
    }
}

/// The commonest shade, and then again and again the one that is common and unlike those before.
fn first_centers(shades: &[Shade], n: usize) -> Vec<[f32; 3]> {
    let Some(first) = best(shades, |shade| shade.count as f32) else { return Vec::new() };
    let mut centers = vec![first.place];
    let mut apart: Vec<f32> = shades.iter().map(|shade| distance2(shade.place, first.place)).collect();
    while centers.len() < n {
        let next = shades
            .iter()
            .zip(&apart)
            .filter(|(_, apart)| **apart > SAME)
            .reduce(|best, next| {
                let worth = |(shade, apart): (&Shade, &f32)| shade.count as f32 * apart;
                if worth(next) > worth(best) { next } else { best }
            })
            .map(|(shade, _)| shade.place);
        let Some(next) = next else { break };
        for (apart, shade) in apart.iter_mut().zip(shades) {
            *apart = apart.min(distance2(shade.place, next));
        }
        centers.push(next);
    }
    centers
}

/// The first of the shades for which a number is largest.
fn best(shades: &[Shade], worth: impl Fn(&Shade) -> f32) -> Option<&Shade> {
    shades.iter().reduce(|best, next| if worth(next) > worth(best) { next } else { best })
}

/// The shades by the centre that is nearest; groups without any are left out.
fn grouped(shades: &[Shade], centers: &[[f32; 3]]) -> Vec<Group> {
    let mut groups = vec![Group::default(); centers.len()];
    for shade in shades {
        let mut nearest = (f32::INFINITY, 0);
        for (index, center) in centers.iter().enumerate() {
            let distance = distance2(shade.place, *center);
            if distance < nearest.0 {
                nearest = (distance, index);
            }
        }
        if let Some(group) = groups.get_mut(nearest.1) {
            group.add(shade);
        }
    }
    groups.retain(|group| group.count > 0);
    groups
}

#[cfg(test)]
mod tests {
    use stowage_codecs::Layout;

    use super::*;

    fn picture(width: u32, height: u32, layout: Layout, color: impl Fn(u32, u32) -> Vec<u8>) -> Bitmap {
        let data = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| color(x, y)).collect();
        Bitmap { width, height, layout, data }
    }

    #[test]
    fn a_flat_picture_has_one_color() {
        let flat = picture(100, 100, Layout::Rgb, |_, _| vec![200, 100, 50]);
        assert_eq!(main_colors(&flat, 4), [[200, 100, 50]]);
        assert_eq!(main_colors(&flat, 256), [[200, 100, 50]]);
        let grey = picture(1, 1, Layout::Gray, |_, _| vec![64]);
        assert_eq!(main_colors(&grey, 1), [[64, 64, 64]]);
    }

    #[test]
    fn the_largest_share_comes_first() {
        let flag = picture(1000, 700, Layout::Rgb, |x, _| match x {
            0..100 => vec![0, 0, 255],
            100..400 => vec![255, 255, 255],
            _ => vec![255, 0, 0],
        });
        assert_eq!(main_colors(&flag, 4), [[255, 0, 0], [255, 255, 255], [0, 0, 255]]);
        assert_eq!(main_colors(&flag, 2).len(), 2);
    }

    #[test]
    fn small_patterns_are_seen_in_large_pictures() {
        let checks =
            picture(2048, 1024, Layout::Rgb, |x, y| if (x + y) % 2 == 0 { vec![0; 3] } else { vec![0, 128, 0] });
        let colors = main_colors(&checks, 4);
        assert_eq!(colors.len(), 2);
        assert!(colors.contains(&[0, 0, 0]) && colors.contains(&[0, 128, 0]));
    }

    #[test]
    fn transparent_pixels_do_not_count() {
        let spot =
            picture(40, 40, Layout::Rgba, |x, _| if x < 5 { vec![10, 200, 30, 255] } else { vec![255, 0, 0, 0] });
        assert_eq!(main_colors(&spot, 4), [[10, 200, 30]]);
        let ghost = picture(4, 4, Layout::Rgba, |_, _| vec![1, 2, 3, 0]);
        assert_eq!(main_colors(&ghost, 4), [[1, 2, 3]]);
    }

    #[test]
    fn a_gradient_has_as_many_as_are_asked_for() {
        let gradient = picture(1600, 900, Layout::Rgb, |x, y| {
            vec![u8::try_from(x * 255 / 1599).unwrap(), u8::try_from(y * 255 / 899).unwrap(), 128]
        });
        for n in [1, 4, 16, 256] {
            let colors = main_colors(&gradient, n);
            assert!(colors.len() <= n && colors.len() * 10 >= n * 9, "{} of {n}", colors.len());
            assert_eq!(colors, main_colors(&gradient, n));
        }
    }
}
