//! Videos of animated pictures (`gif2video`). Frames are decoded here, in safe code; ffmpeg, a child process on a short leash, is
//! given pixels and nothing else, and only encodes.

mod encoder;
mod geometry;
mod timing;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stowage_codecs::{Bitmap, DecodeError, Layout, Limits};
use stowage_image::operations::{Quality, VideoFormat, VideoOperations};
use stowage_model::File;
use tokio::sync::Semaphore;
use tracing::error;

use crate::crew::Weight;
use crate::flights::Begun;
use crate::key::{Key, Making};
use crate::label::{Kind, Label};
use crate::variant::{Outcome, VariantError};
use crate::variants::{Line, Made};
use crate::{Delivery, Options, source};
use encoder::{EncodeError, Encoder, Order};
use timing::Timing;

/// The most frames of a picture that becomes a video.
const MAX_FRAMES: u64 = 300;
/// The most pixels of all its frames together: 50 million pixels a frame would be 300 times as many as a picture may have.
const MAX_PIXELS: u64 = 1_000_000_000;
/// The most pixels of all frames of the video together, of which a slow picture has many for each of its own: as many as
/// `MAX_FRAMES` of the largest size have. More would never be done in time.
const MAX_OUTPUT: u64 = MAX_FRAMES * (MAX_SIDE as u64) * (MAX_SIDE as u64);
/// The largest source in bytes.
const MAX_SOURCE: u64 = 100_000_000;
/// After how many seconds a video that took too long may be asked for again.
const RETRY_AFTER_LATE: u64 = 60;
/// The longest side of a video.
const MAX_SIDE: u32 = 3000;

/// What is asked of an animated picture.
#[derive(Clone, Copy, Debug)]
pub struct VideoRequest<'a> {
    /// The file, which is still there.
    pub file: &'a Arc<File>,
    /// What the URL asks for.
    pub operations: &'a VideoOperations,
}

/// The maker of videos.
pub(crate) struct Videos {
    program: Option<String>,
    /// Where encoders may have folders.
    folder: PathBuf,
    timeout: Duration,
    /// Encoders that may run at the same time.
    places: Arc<Semaphore>,
}

impl Videos {
    pub(crate) fn new(options: &Options, folder: PathBuf) -> Self {
        let program = Some(options.ffmpeg.clone()).filter(|program| !program.is_empty());
        if program.is_some() {
            encoder::clean(&folder);
        }
        // One at a time: each uses a processor of its own, beside the thread that decodes for it.
        Self { program, folder, timeout: options.video_timeout, places: Arc::new(Semaphore::new(1)) }
    }
}

impl Delivery {
    /// A video of an animated picture: made now, or long ago.
    pub async fn video(&self, request: VideoRequest<'_>) -> Outcome {
        let Some(program) = self.videos.program.clone() else {
            return Err(VariantError::Invalid("Videos of animated pictures are switched off.".to_owned()));
        };
        let still = || VariantError::Invalid("`gif2video` needs an animated picture.".to_owned());
        if !request.file.is_image {
            return Err(VariantError::NotAnImage);
        }
        let image = request.file.content.image.as_ref().filter(|image| image.sequence).ok_or_else(still)?;
        let canvas = u64::from(image.width) * u64::from(image.height) * 4;
        let key = Key::new(request.file.id, Making::Video, &request.operations.to_string(), &[]);
        let make = |begun: Begun| {
            let (variants, blobs, file) = (Arc::clone(&self.variants), self.blobs.clone(), Arc::clone(request.file));
            let (videos, operations) = (Arc::clone(&self.videos), request.operations.clone());
            async move {
                // A frame as it is shown, the one before, and a copy without transparency.
                let memory = file.size.saturating_add(canvas.saturating_mul(4));
                if memory > variants.admission.memory() {
                    let why = "The picture needs more memory than is allowed.";
                    return Err(VariantError::TooLarge(why.to_owned()));
                }
                // They are never closed.
                let place = Arc::clone(&videos.places).acquire_owned().await.ok();
                let admitted = variants.admission.enter(Weight::Large, memory).await;
                let bytes = Box::pin(source::read(&blobs, &file, MAX_SOURCE)).await?;
                begun.set();
                let work = tokio::task::spawn_blocking(move || {
                    let made = make(&videos, &program, &bytes, &operations);
                    drop((bytes, admitted, place));
                    made
                });
                work.await.unwrap_or(Err(VariantError::Failed))
            }
        };
        Box::pin(self.variants.get_or_make(key, Line::Videos, make)).await
    }
}

fn make(videos: &Videos, program: &str, bytes: &[u8], operations: &VideoOperations) -> Result<Made, VariantError> {
    let (size, timing) = look_through(bytes)?;
    let plan = geometry::plan(size, &operations.steps)?;
    check_work(size, (plan.width, plan.height), &timing)?;
    let (kind, output) = output(operations);
    let order = Order {
        program,
        beside: &videos.folder,
        timeout: videos.timeout,
        size,
        tick: timing.tick,
        filters: &plan.filters,
        output: &output,
    };
    let video = encode(&order, bytes, &timing).map_err(|failure| match failure {
        Stopped::Refused(error) => error,
        // The machine may have less to do another time.
        Stopped::Failed(EncodeError::Late) => VariantError::Busy { retry_after: RETRY_AFTER_LATE },
        Stopped::Failed(failure) => {
            error!(error = %failure, "a video could not be made");
            VariantError::Failed
        }
    })?;
    let label = Label { kind, width: plan.width, height: plan.height, negotiated: false };
    Ok(Made { label, bytes: Bytes::from(video) })
}

/// Decodes everything once, to see how large the frames are and how long they are shown.
fn look_through(bytes: &[u8]) -> Result<((u32, u32), Timing), VariantError> {
    let (mut size, mut times, mut pixels) = ((0, 0), Vec::new(), 0);
    for frame in frames(bytes)? {
        let (bitmap, time) = frame.map_err(refused)?;
        size = (bitmap.width, bitmap.height);
        pixels += u64::from(bitmap.width) * u64::from(bitmap.height);
        times.push(time);
        let total: u128 = times.iter().map(Duration::as_millis).sum();
        if times.len() as u64 > MAX_FRAMES || pixels > MAX_PIXELS || total > u128::from(timing::LONGEST) {
            return Err(VariantError::TooLarge("The picture has too many frames to become a video.".to_owned()));
        }
    }
    if times.is_empty() {
        return Err(VariantError::Damaged("The picture is damaged: it has no frames".to_owned()));
    }
    Ok((size, Timing::new(&times)))
}

/// Refuses what would never be done in time: each frame of the video is read in one size and written in the other.
fn check_work(size: (u32, u32), output: (u32, u32), timing: &Timing) -> Result<(), VariantError> {
    let area = |(width, height)| u64::from(width) * u64::from(height);
    let frames: u64 = timing.repeats.iter().sum();
    if frames.saturating_mul(area(size).max(area(output))) > MAX_OUTPUT {
        return Err(VariantError::TooLarge("The video would have too many frames of this size.".to_owned()));
    }
    Ok(())
}

enum Stopped {
    Refused(VariantError),
    Failed(EncodeError),
}

fn encode(order: &Order<'_>, bytes: &[u8], timing: &Timing) -> Result<Vec<u8>, Stopped> {
    let failed = |failure: std::io::Error| Stopped::Failed(failure.into());
    let mut encoder = Encoder::start(order).map_err(failed)?;
    let frames = frames(bytes).map_err(Stopped::Refused)?;
    for (frame, repeats) in frames.zip(&timing.repeats) {
        let (bitmap, _) = frame.map_err(|error| Stopped::Refused(refused(error)))?;
        let pixels = opaque(bitmap);
        for _ in 0..*repeats {
            if encoder.frame(&pixels).is_err() {
                // It has ended, and says why.
                return encoder.finish().map_err(Stopped::Failed);
            }
        }
    }
    encoder.finish().map_err(Stopped::Failed)
}

fn frames(bytes: &[u8]) -> Result<stowage_codecs::Frames<'_>, VariantError> {
    stowage_codecs::frames(bytes, &Limits::default()).map_err(refused)
}

fn refused(error: DecodeError) -> VariantError {
    match error {
        DecodeError::TooLarge(why) => VariantError::TooLarge(format!("The picture is too large: {why}")),
        DecodeError::Damaged(why) => VariantError::Damaged(format!("The picture is damaged: {why}")),
        DecodeError::Unsupported(_) => {
            VariantError::Invalid("A video cannot be made of a picture of this format.".to_owned())
        }
    }
}

/// Three bytes a pixel, on white.
fn opaque(bitmap: Bitmap) -> Vec<u8> {
    let Bitmap { layout, data, .. } = bitmap;
    match layout {
        Layout::Rgb => data,
        Layout::Gray => data.into_iter().flat_map(|gray| [gray; 3]).collect(),
        Layout::Rgba => {
            let (pixels, _) = data.as_chunks::<4>();
            let on_white = |channel: u8, alpha: u8| {
                let (channel, alpha) = (u32::from(channel), u32::from(alpha));
                u8::try_from((channel * alpha + 255 * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
            };
            pixels.iter().flat_map(|[r, g, b, a]| [on_white(*r, *a), on_white(*g, *a), on_white(*b, *a)]).collect()
        }
        Layout::Cmyk => {
            let (pixels, _) = data.as_chunks::<4>();
            let ink = |ink: u8, black: u8| {
                u8::try_from(u32::from(255 - ink) * u32::from(255 - black) / 255).unwrap_or(u8::MAX)
            };
            pixels.iter().flat_map(|[c, m, y, k]| [ink(*c, *k), ink(*m, *k), ink(*y, *k)]).collect()
        }
    }
}

/// What is written, and how ffmpeg is told so.
fn output(operations: &VideoOperations) -> (Kind, Vec<&'static str>) {
    let (h264, vp9) = match operations.quality {
        Some(Quality::Lightest) => ("34", "45"),
        Some(Quality::Lighter) => ("28", "38"),
        Some(Quality::Better) => ("20", "27"),
        Some(Quality::Best) => ("17", "22"),
        _ => ("24", "33"),
    };
    match operations.format {
        VideoFormat::Mp4 => {
            let output = ["-c:v", "libx264", "-preset", "medium", "-crf", h264, "-movflags", "+faststart", "-f", "mp4"];
            (Kind::Mp4, output.to_vec())
        }
        VideoFormat::Webm => {
            let mut output = vec!["-c:v", "libvpx-vp9", "-crf", vp9, "-b:v", "0"];
            output.extend(["-deadline", "good", "-cpu-used", "4", "-f", "webm"]);
            (Kind::Webm, output)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_video_must_be_small() {
        // Ten minutes of 30 frames, whose times have nothing coarser in common than the finest tick.
        let timing = Timing::new(&[[Duration::from_millis(19_990), Duration::from_millis(19_980)]; 15].concat());
        let frames: u64 = timing.repeats.iter().sum();
        assert!(frames > 29_900, "{frames}");
        for (size, output, fits) in [
            ((300, 200), (300, 200), true),
            ((400, 300), (400, 300), false),
            ((400, 300), (200, 150), false),
            ((200, 150), (3000, 3000), false),
        ] {
            assert_eq!(check_work(size, output, &timing).is_ok(), fits, "{size:?} {output:?}");
        }
        let brief = Timing::new(&[Duration::from_millis(20); 300]);
        assert_eq!(check_work((3000, 3000), (3000, 3000), &brief), Ok(()));
    }
}
