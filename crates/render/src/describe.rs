//! Facts instead of a picture: what `json`, `main_colors` and `detect_faces` show (url-api reference, section 7). Facts of an original
//! are those that uploads show; those of a processed picture are of the picture that would have been sent.

use crate::picture::{ColorPolicy, Picture};
use crate::pipeline::{self, guarded};
use crate::plan::{SKETCH_SIDE, with_margin};
use crate::source::{self, Wish};
use crate::{Job, Rect, RenderError, analyse, geometry, output, steps};
use stowage_codecs::{Bitmap, Layout};
use stowage_image::operations::{Srgb, StripMeta};
use stowage_model::ImageInfo;

/// The longest side of the copy that hashes and colours are taken from.
const SMALL_SIDE: u32 = 256;

/// What there is to say about a picture.
#[derive(Clone, PartialEq, Debug)]
pub struct Description {
    /// The facts of the picture, in its final size and format.
    pub info: ImageInfo,
    /// The facts of the file, where the picture is not the file itself.
    pub original: Option<ImageInfo>,
    /// What the picture looks like.
    pub look: Look,
}

/// What a picture looks like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Look {
    /// A perceptual hash, whose bits differ little between pictures that look alike, and a blurhash of 6 by 4 components.
    Hashes {
        /// 64 bits.
        hash: u64,
        /// Text.
        blurhash: String,
    },
    /// The main colours as red, green and blue, the most important first.
    Colors(Vec<[u8; 3]>),
}

/// Describes a picture: with its hashes, or with its `main_colors`, that many at most.
pub fn describe(job: &Job<'_>, main_colors: Option<u16>) -> Result<Description, RenderError> {
    guarded(job, || {
        let facts = source::facts(job.source, &job.options.limits)?;
        if !job.operations.processes() {
            let look = look(&sketch(job, &facts, SMALL_SIDE)?.sketch(SMALL_SIDE).0, main_colors);
            return Ok(Description { info: facts, original: None, look });
        }
        if pipeline::stays_svg(&facts, job.operations) {
            let edited = pipeline::edit_svg(job)?;
            let look = look(&sketch(job, &facts, SMALL_SIDE)?.sketch(SMALL_SIDE).0, main_colors);
            let info = ImageInfo { width: edited.width, height: edited.height, ..facts.clone() };
            return Ok(Description { info, original: Some(facts), look });
        }
        let made = pipeline::make(job, &facts)?;
        let target = output::choose(job, &facts, &made.bitmap);
        let bitmap = output::flatten_for(target, made.bitmap, made.fill);
        let stripped = job.operations.settings.strip_meta.unwrap_or_default();
        let kept = made.exif.is_some();
        let info = ImageInfo {
            color_mode: Some(mode(&bitmap).to_owned()),
            orientation: facts.orientation.filter(|_| kept).map(|_| 1),
            format: target.name().to_owned(),
            width: bitmap.width,
            height: bitmap.height,
            sequence: false,
            geo_location: facts.geo_location.filter(|_| kept && stripped == StripMeta::None),
            datetime_original: facts.datetime_original.clone().filter(|_| kept),
            dpi: facts.dpi.filter(|_| kept),
        };
        Ok(Description { info, look: look(&bitmap, main_colors), original: Some(facts) })
    })
}

/// The facts of a file and the faces in it, upright, the largest first. The operations of the job do not count.
pub fn find_faces(job: &Job<'_>) -> Result<(ImageInfo, Vec<Rect>), RenderError> {
    guarded(job, || {
        let facts = source::facts(job.source, &job.options.limits)?;
        let faces = steps::find_faces(&sketch(job, &facts, SKETCH_SIDE)?);
        Ok((facts, faces))
    })
}

/// The file as a picture of which a copy with sides of `side` pixels is needed, upright.
fn sketch(job: &Job<'_>, facts: &ImageInfo, side: u32) -> Result<Picture, RenderError> {
    let limits = &job.options.limits;
    let full = source::size(facts, true);
    limits.check_step(full)?;
    let target = geometry::preview(full, (side, side));
    let wish = Wish { target: Some(target), at_least: Some(with_margin(target)) };
    let policy = ColorPolicy { srgb: Srgb::Fast, max_icc_size: pipeline::MAX_ICC_SIZE };
    Ok(source::open(job.source, facts, wish, true, policy, limits)?.picture)
}

fn look(bitmap: &Bitmap, main_colors: Option<u16>) -> Look {
    match main_colors {
        Some(count) => Look::Colors(analyse::main_colors(bitmap, usize::from(count))),
        None => Look::Hashes { hash: analyse::phash(bitmap), blurhash: analyse::blurhash(bitmap) },
    }
}

/// Pillow's name of the layout.
fn mode(bitmap: &Bitmap) -> &'static str {
    match bitmap.layout {
        Layout::Gray => "L",
        Layout::Rgb => "RGB",
        Layout::Rgba => "RGBA",
        Layout::Cmyk => "CMYK",
    }
}
