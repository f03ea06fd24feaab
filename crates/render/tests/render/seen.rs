//! Answers, taken apart by other libraries than those of the engine, except AVIF, of which only the header is.

use std::io::Cursor;
use stowage_render::Rendered;

/// An answer and its pixels.
pub(crate) struct Seen {
    pub(crate) rendered: Rendered,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Red, green, blue, alpha.
    pub(crate) pixels: Vec<[u8; 4]>,
    /// Whether a JPEG has several scans.
    pub(crate) progressive: bool,
}

impl Seen {
    pub(crate) fn new(rendered: Rendered) -> Self {
        let bytes = &rendered.bytes;
        let (width, height, pixels, progressive) = match rendered.media_type {
            "image/jpeg" => jpeg(bytes),
            "image/png" => png(bytes),
            "image/webp" => webp(bytes),
            "image/avif" => avif(bytes),
            other => panic!("{other} is not looked at"),
        };
        assert_eq!((rendered.width, rendered.height), (width, height), "the answer says another size than it has");
        assert_eq!(pixels.len(), (width * height) as usize);
        Self { rendered, width, height, pixels, progressive }
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    pub(crate) fn kind(&self) -> &str {
        self.rendered.media_type
    }

    pub(crate) fn rgba(&self, x: u32, y: u32) -> [u8; 4] {
        self.pixels[(y * self.width + x) as usize]
    }

    /// A pixel has to have this colour, up to `off` in each channel, and be opaque.
    #[track_caller]
    pub(crate) fn probe(&self, x: u32, y: u32, color: u32, off: u8) {
        let [red, green, blue] = super::sources::rgb(color);
        let seen = self.rgba(x, y);
        let near = [red, green, blue, 255].iter().zip(seen).all(|(wanted, seen)| wanted.abs_diff(seen) <= off);
        assert!(near, "at {x},{y}: wanted {color:06x}, saw {seen:?}");
    }
}

fn opaque(pixels: impl Iterator<Item = [u8; 3]>) -> Vec<[u8; 4]> {
    pixels.map(|[red, green, blue]| [red, green, blue, 255]).collect()
}

type Parts = (u32, u32, Vec<[u8; 4]>, bool);

fn jpeg(bytes: &[u8]) -> Parts {
    let mut decoder = jpeg_decoder::Decoder::new(bytes);
    let data = decoder.decode().unwrap();
    let info = decoder.info().unwrap();
    let progressive = info.coding_process == jpeg_decoder::CodingProcess::DctProgressive;
    let pixels = match info.pixel_format {
        jpeg_decoder::PixelFormat::L8 => opaque(data.iter().map(|level| [*level; 3])),
        jpeg_decoder::PixelFormat::RGB24 => opaque(data.chunks_exact(3).map(|pixel| pixel.try_into().unwrap())),
        // Inks, as they are.
        jpeg_decoder::PixelFormat::CMYK32 => data.chunks_exact(4).map(|pixel| pixel.try_into().unwrap()).collect(),
        other @ jpeg_decoder::PixelFormat::L16 => panic!("{other:?}"),
    };
    (u32::from(info.width), u32::from(info.height), pixels, progressive)
}

fn png(bytes: &[u8]) -> Parts {
    let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info().unwrap();
    let mut data = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut data).unwrap();
    assert_eq!(info.bit_depth, png::BitDepth::Eight);
    let pixels = match info.color_type {
        png::ColorType::Grayscale => opaque(data.iter().map(|level| [*level; 3])),
        png::ColorType::Rgb => opaque(data.chunks_exact(3).map(|pixel| pixel.try_into().unwrap())),
        png::ColorType::Rgba => data.chunks_exact(4).map(|pixel| pixel.try_into().unwrap()).collect(),
        other => panic!("{other:?}"),
    };
    (info.width, info.height, pixels, false)
}

fn webp(bytes: &[u8]) -> Parts {
    let mut decoder = image_webp::WebPDecoder::new(Cursor::new(bytes)).unwrap();
    let (width, height) = decoder.dimensions();
    let mut data = vec![0; decoder.output_buffer_size().unwrap()];
    decoder.read_image(&mut data).unwrap();
    let pixels = if decoder.has_alpha() {
        data.chunks_exact(4).map(|pixel| pixel.try_into().unwrap()).collect()
    } else {
        opaque(data.chunks_exact(3).map(|pixel| pixel.try_into().unwrap()))
    };
    (width, height, pixels, false)
}

fn avif(bytes: &[u8]) -> Parts {
    let parsed = avif_parse::read_avif(&mut Cursor::new(bytes)).unwrap();
    let header = parsed.primary_item_metadata().unwrap();
    let (width, height) = (header.max_frame_width.get(), header.max_frame_height.get());
    let bitmap = stowage_codecs::decode(bytes, &stowage_codecs::Ask::default()).unwrap().bitmap;
    let pixels = match bitmap.layout.channels() {
        1 => opaque(bitmap.data.iter().map(|level| [*level; 3])),
        3 => opaque(bitmap.data.chunks_exact(3).map(|pixel| pixel.try_into().unwrap())),
        _ => bitmap.data.chunks_exact(4).map(|pixel| pixel.try_into().unwrap()).collect(),
    };
    (width, height, pixels, false)
}
