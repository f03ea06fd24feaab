//! Animated pictures, frame by frame: only one frame is in memory at a time.

use super::format::{Format, recognise};
use super::gif::Canvas;
use super::guard::guarded;
use super::{DecodeError, Limits, pixels, webp};
use crate::{Bitmap, Layout};
use image_webp::{DecodingError, WebPDecoder};
use std::io::Cursor;
use std::time::Duration;

/// The frames of an animated picture as they are shown, each with the time for which it stays. The first error is the last item.
pub struct Frames<'a> {
    source: Option<Source<'a>>,
}

enum Source<'a> {
    Gif(Box<Canvas<'a>>),
    Webp(Box<WebPDecoder<Cursor<&'a [u8]>>>),
}

/// The frames of a GIF or an animated WebP; other formats are `Unsupported`.
pub fn frames<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Frames<'a>, DecodeError> {
    let source = match recognise(bytes) {
        Some(Format::Gif) => Source::Gif(Box::new(guarded(|| Canvas::open(bytes, limits))??)),
        Some(Format::Webp) => {
            let decoder = guarded(|| webp::open(bytes, limits))??;
            if !decoder.is_animated() {
                return Err(DecodeError::Unsupported("it is not animated".to_owned()));
            }
            Source::Webp(Box::new(decoder))
        }
        _ => return Err(DecodeError::Unsupported("it is not animated".to_owned())),
    };
    Ok(Frames { source: Some(source) })
}

impl Iterator for Frames<'_> {
    type Item = Result<(Bitmap, Duration), DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let source = self.source.as_mut()?;
        let frame = guarded(|| match source {
            Source::Gif(canvas) => Ok(if canvas.draw()? { Some(canvas.shown()) } else { None }),
            Source::Webp(decoder) => next_webp(decoder),
        });
        let frame = frame.and_then(|frame| frame).transpose();
        if !matches!(frame, Some(Ok(_))) {
            self.source = None;
        }
        frame
    }
}

fn next_webp(decoder: &mut WebPDecoder<Cursor<&[u8]>>) -> Result<Option<(Bitmap, Duration)>, DecodeError> {
    let mut data = pixels::zeroed(decoder.output_buffer_size().unwrap_or(usize::MAX))?;
    let time = match decoder.read_frame(&mut data) {
        Ok(time) => time,
        Err(DecodingError::NoMoreFrames) => return Ok(None),
        Err(error) => return Err(webp::refuse(&error)),
    };
    let layout = if decoder.has_alpha() { Layout::Rgba } else { Layout::Rgb };
    Ok(Some((pixels::bitmap(decoder.dimensions(), layout, data)?, Duration::from_millis(time.into()))))
}
