//! What the steps come down to: functions of one channel, and three that look at all channels of a pixel. Values are 0 to 1 as they are
//! stored (sRGB), and every move ends inside of that range: where a step clips, the step behind it cannot bring details back.

/// Shares of red, green and blue in what counts as light and dark (Rec. 601).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// What is done to a pixel.
#[derive(Clone, Debug)]
pub(super) enum Move {
    /// Each channel on its own.
    Tones([Tone; 3]),
    /// Distances from the luma, multiplied: 0 is gray, 1 changes nothing.
    Saturation(f32),
    /// As saturation, but the more the less colour there is; 0 changes nothing, -1 leaves vivid colours only.
    Vibrance(f32),
    /// First saturation, then the tones, and of the difference to what there was this share.
    Look(f32, [Tone; 3], f32),
}

/// What is done to one channel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tone {
    /// Adds.
    Add(f32),
    /// Multiplies.
    Multiply(f32),
    /// Multiplies the distance from the middle.
    Spread(f32),
    /// Raises to a power.
    Power(f32),
    /// Multiplies linear light near black by this and bends towards white, which stays white.
    Light(f32),
    /// The negative.
    Negative,
    /// Levels: black and white point, then a power, then a gentle S of this strength; and of the difference to what there was this share.
    Levels { black: f32, white: f32, power: f32, bend: f32, share: f32 },
    /// A smooth line through five points, and of the difference to what there was this share.
    Line(Line, f32),
}

/// A line that rises nowhere it should not: a monotone cubic through five points at equal distances.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Line {
    points: [f32; 5],
    slopes: [f32; 5],
}

impl Move {
    /// Adds `share` of the range.
    pub(super) fn brightness(share: f32) -> Self {
        Self::Tones([Tone::Add(share); 3])
    }

    /// `share` stops more light; black and white stay where they are, so that no detail is lost.
    pub(super) fn exposure(share: f32) -> Self {
        Self::Tones([Tone::Light(share.exp2()); 3])
    }

    /// Raises to the power `share`.
    pub(super) fn gamma(share: f32) -> Self {
        Self::Tones([Tone::Power(share); 3])
    }

    /// Spreads around the middle; -1 is flat.
    pub(super) fn contrast(share: f32) -> Self {
        Self::Tones([Tone::Spread(1.0 + share); 3])
    }

    /// More red and less blue, or the other way round; the luma of gray stays.
    pub(super) fn warmth(share: f32) -> Self {
        let red = (0.22 * share).exp2();
        let blue = (-0.33 * share).exp2();
        let green = (1.0 - LUMA[0] * red - LUMA[2] * blue) / LUMA[1];
        Self::Tones([red, green, blue].map(Tone::Multiply))
    }

    /// The negative.
    pub(super) fn invert() -> Self {
        Self::Tones([Tone::Negative; 3])
    }

    /// What becomes of one pixel.
    pub(super) fn at(&self, pixel: [f32; 3]) -> [f32; 3] {
        match self {
            Self::Tones(tones) => at_tones(tones, pixel),
            Self::Saturation(factor) => saturate(pixel, *factor),
            Self::Vibrance(share) => saturate(pixel, vibrance(pixel, *share)),
            Self::Look(saturation, tones, share) => {
                let look = at_tones(tones, saturate(pixel, *saturation));
                [0, 1, 2].map(|channel| mix(pixel[channel], look[channel], *share))
            }
        }
    }
}

fn at_tones(tones: &[Tone; 3], pixel: [f32; 3]) -> [f32; 3] {
    [0, 1, 2].map(|channel| tones[channel].at(pixel[channel]))
}

/// How light a pixel looks.
pub(super) fn luma([red, green, blue]: [f32; 3]) -> f32 {
    LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
}

/// Multiplies the distances from the luma.
#[inline]
pub(super) fn saturate(pixel: [f32; 3], factor: f32) -> [f32; 3] {
    let luma = luma(pixel);
    pixel.map(|value| (luma + (value - luma) * factor).clamp(0.0, 1.0))
}

/// The factor by which vibrance multiplies the distances from the luma of this pixel: never so that a muted colour overtakes a vivid one.
#[inline]
pub(super) fn vibrance([red, green, blue]: [f32; 3], share: f32) -> f32 {
    let chroma = red.max(green).max(blue) - red.min(green).min(blue);
    if share > 0.0 { (1.0 + share) / (1.0 + share * chroma) } else { 1.0 + share * (1.0 - chroma) }
}

/// `share` of the way from `before` to `after`, or past either.
#[inline]
pub(super) fn mix(before: f32, after: f32, share: f32) -> f32 {
    (before + (after - before) * share).clamp(0.0, 1.0)
}

impl Tone {
    /// What becomes of one value.
    pub(super) fn at(self, value: f32) -> f32 {
        match self {
            Self::Add(sum) => value + sum,
            Self::Multiply(factor) => value * factor,
            Self::Spread(factor) => 0.5 + (value - 0.5) * factor,
            Self::Power(power) => value.powf(power),
            Self::Light(factor) => {
                let light = to_light(value);
                from_light(factor * light / (1.0 + (factor - 1.0) * light))
            }
            Self::Negative => 1.0 - value,
            Self::Levels { black, white, power, bend, share } => {
                let level = ((value - black) / (white - black)).clamp(0.0, 1.0).powf(power);
                return mix(value, level + bend * level * (1.0 - level) * (2.0 * level - 1.0), share);
            }
            Self::Line(line, share) => return mix(value, line.at(value), share),
        }
        .clamp(0.0, 1.0)
    }
}

impl Line {
    /// Through these points, in 255ths, at 0, 1/4, 1/2, 3/4 and 1. They must not fall.
    pub(super) const fn through(points: [u8; 5]) -> Self {
        let mut line = Self { points: [0.0; 5], slopes: [0.0; 5] };
        let mut at = 0;
        while at < 5 {
            line.points[at] = points[at] as f32 / 255.0;
            at += 1;
        }
        // Fritsch and Butland: the harmonic mean of both sides keeps a cubic from overshooting.
        line.slopes[0] = line.points[1] - line.points[0];
        line.slopes[4] = line.points[4] - line.points[3];
        let mut at = 1;
        while at < 4 {
            let before = line.points[at] - line.points[at - 1];
            let after = line.points[at + 1] - line.points[at];
            line.slopes[at] = if before * after > 0.0 { 2.0 * before * after / (before + after) } else { 0.0 };
            at += 1;
        }
        line
    }

    fn at(&self, value: f32) -> f32 {
        let place = value.clamp(0.0, 1.0) * 4.0;
        let (from, t) = if place < 1.0 {
            (0, place)
        } else if place < 2.0 {
            (1, place - 1.0)
        } else if place < 3.0 {
            (2, place - 2.0)
        } else {
            (3, place - 3.0)
        };
        let (low, high) = (self.points[from], self.points[from + 1]);
        let (rise, fall) = (self.slopes[from], self.slopes[from + 1]);
        let (t2, t3) = (t * t, t * t * t);
        low * (2.0 * t3 - 3.0 * t2 + 1.0) + rise * (t3 - 2.0 * t2 + t) + high * (3.0 * t2 - 2.0 * t3) + fall * (t3 - t2)
    }
}

/// From a stored value to linear light.
pub(crate) fn to_light(value: f32) -> f32 {
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// From linear light to what is stored.
pub(crate) fn from_light(light: f32) -> f32 {
    if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}
