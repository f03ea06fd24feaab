//! The pictures that tests begin with. They are the ones of the URL API's cases, made from the same recipes.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// A colour as `rrggbb`.
pub(crate) fn rgb(hex: u32) -> [u8; 3] {
    let [_, red, green, blue] = hex.to_be_bytes();
    [red, green, blue]
}

/// Pixels of three or four channels.
#[derive(Clone)]
pub(crate) struct Pixels {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) alpha: bool,
    pub(crate) data: Vec<u8>,
}

impl Pixels {
    /// One colour.
    pub(crate) fn filled(width: u32, height: u32, color: &[u8]) -> Self {
        Self { width, height, alpha: color.len() == 4, data: color.repeat((width * height) as usize) }
    }

    /// Red grows to the right, green downwards.
    pub(crate) fn gradient(width: u32, height: u32) -> Self {
        let level = |at: u32, of: u32| u8::try_from(255 * at / (of - 1)).unwrap();
        let pixel = |at: u32| [level(at % width, width), level(at / width, height), 128];
        Self { width, height, alpha: false, data: (0..width * height).flat_map(pixel).collect() }
    }

    /// With a box `[left, top, right, bottom)` of another colour.
    pub(crate) fn with(mut self, [left, top, right, bottom]: [u32; 4], color: &[u8]) -> Self {
        let channels = color.len();
        for y in top..bottom {
            for x in left..right {
                let at = (y * self.width + x) as usize * channels;
                self.data[at..at + channels].copy_from_slice(color);
            }
        }
        self
    }

    pub(crate) fn png(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(if self.alpha { png::ColorType::Rgba } else { png::ColorType::Rgb });
        encoder.write_header().unwrap().write_image_data(&self.data).unwrap();
        bytes
    }

    pub(crate) fn jpeg(&self, quality: u8) -> Vec<u8> {
        encode_jpeg(&self.data, self.width, self.height, quality, ColorType::Rgb)
    }
}

/// A JPEG of 4:4:4 of any layout.
pub(crate) fn encode_jpeg(data: &[u8], width: u32, height: u32, quality: u8, kind: ColorType) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(SamplingFactor::F_1_1);
    let (width, height) = (u16::try_from(width).unwrap(), u16::try_from(height).unwrap());
    encoder.encode(data, width, height, kind).unwrap();
    bytes
}

/// Puts a segment behind the beginning of a JPEG.
pub(crate) fn with_segment(jpeg: &[u8], marker: u8, content: &[u8]) -> Vec<u8> {
    let len = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xFF, marker], &len, content, &jpeg[2..]].concat()
}

pub(crate) fn photo() -> Vec<u8> {
    Pixels::gradient(1600, 900).jpeg(92)
}

pub(crate) fn wide() -> Vec<u8> {
    Pixels::gradient(4000, 2000).jpeg(85)
}

pub(crate) fn small() -> Vec<u8> {
    Pixels::gradient(160, 120).jpeg(92)
}

pub(crate) fn tall() -> Vec<u8> {
    Pixels::gradient(600, 1200).png()
}

/// Red, green over blue, yellow.
pub(crate) fn quarters(width: u32, height: u32) -> Pixels {
    let (middle, center) = (width / 2, height / 2);
    Pixels::filled(width, height, &rgb(0x00_0000))
        .with([0, 0, middle, center], &rgb(0xFF_0000))
        .with([middle, 0, width, center], &rgb(0x00_FF00))
        .with([0, center, middle, height], &rgb(0x00_00FF))
        .with([middle, center, width, height], &rgb(0xFF_FF00))
}

pub(crate) fn quad() -> Vec<u8> {
    quarters(200, 100).png()
}

pub(crate) fn alpha() -> Vec<u8> {
    Pixels::filled(400, 300, &[0; 4]).with([100, 75, 300, 225], &[0, 0, 255, 255]).png()
}

/// A picture that lies on its side, with a maker, a date and a place.
pub(crate) fn exif6() -> Vec<u8> {
    oriented(6)
}

/// Quarters that are to be turned.
pub(crate) fn oriented(orientation: u16) -> Vec<u8> {
    with_exif(&quarters(400, 300).jpeg(95), orientation)
}

/// A JPEG with EXIF data.
pub(crate) fn with_exif(jpeg: &[u8], orientation: u16) -> Vec<u8> {
    with_segment(jpeg, 0xE1, &[b"Exif\0\0", &exif(orientation)[..]].concat())
}

/// EXIF data: orientation, maker, date, place, as cameras write it.
pub(crate) fn exif(orientation: u16) -> Vec<u8> {
    let entry = |tag: u16, kind: u16, count: u32, value: u32| {
        [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    let directory = |entries: &[Vec<u8>]| {
        let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
        [&count[..], &entries.concat(), &[0; 4]].concat()
    };
    let mut data = [&b"II*\0"[..], &8_u32.to_le_bytes()].concat();
    let put = |data: &mut Vec<u8>, at: usize, bytes: &[u8]| {
        assert!(data.len() <= at);
        data.resize(at, 0);
        data.extend(bytes);
    };
    let first = [
        entry(0x010F, 2, 8, 80),
        entry(0x0112, 3, 1, u32::from(orientation)),
        entry(0x8769, 4, 1, 100),
        entry(0x8825, 4, 1, 150),
    ];
    put(&mut data, 8, &directory(&first));
    put(&mut data, 80, b"TestCam\0");
    put(&mut data, 100, &directory(&[entry(0x9003, 2, 20, 120)]));
    put(&mut data, 120, b"2020:06:07 10:38:16\0");
    let north = u32::from(b'N');
    let east = u32::from(b'E');
    put(
        &mut data,
        150,
        &directory(&[entry(1, 2, 2, north), entry(2, 5, 3, 220), entry(3, 2, 2, east), entry(4, 5, 3, 250)]),
    );
    let place =
        |parts: [u32; 3]| parts.iter().flat_map(|part| [*part, 1]).flat_map(u32::to_le_bytes).collect::<Vec<_>>();
    put(&mut data, 220, &place([43, 36, 12]));
    put(&mut data, 250, &place([3, 52, 40]));
    data
}

pub(crate) fn flat() -> Vec<u8> {
    Pixels::filled(100, 100, &rgb(0x40_4040)).png()
}

pub(crate) fn color() -> Vec<u8> {
    Pixels::filled(100, 100, &rgb(0xC8_6432)).png()
}

pub(crate) fn logo() -> Vec<u8> {
    Pixels::filled(100, 50, &rgb(0x00_FF00)).png()
}

pub(crate) fn bordered() -> Vec<u8> {
    Pixels::filled(300, 200, &rgb(0xFF_FFFF)).with([80, 60, 180, 110], &rgb(0xFF_0000)).png()
}

pub(crate) fn svg() -> Vec<u8> {
    concat!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100" viewBox="0 0 200 100">"#,
        r##"<rect width="100" height="100" fill="#ff0000"/><rect x="100" width="100" height="100" fill="#0000ff"/></svg>"##,
    )
    .as_bytes()
    .to_vec()
}

/// Noise that no codec can make small, the same each time.
pub(crate) fn noise(width: u32, height: u32) -> Pixels {
    let mut state = 1_u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    Pixels { width, height, alpha: false, data: (0..width * height * 3).map(|_| byte()).collect() }
}
