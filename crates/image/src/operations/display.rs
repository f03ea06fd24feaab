//! The canonical form: the steps in their order, then the settings in one order, then the facts. `inline` is left out, because it makes
//! no other bytes. What is written here is read by the parser as the same value.

use std::fmt::{self, Write};

use super::words::{self, word};
use super::{
    Crop, CropObject, FILTERS, Facts, FontChange, Format, Length, Operations, OverlaySource, Region, Settings, Sides,
    Srgb, Step, StripMeta, values,
};

impl Operations {
    /// The same without what counts anyway: settings with their default values, and `inline`. What makes the same bytes is then
    /// written the same way, which is what keys are made of.
    #[must_use]
    pub fn without_defaults(&self) -> Self {
        let Settings { format, quality, progressive, strip_meta, autorotate, srgb, max_icc_size } = self.settings;
        let settings = Settings {
            format: format.filter(|it| *it != Format::Auto),
            // Projects have their own default.
            quality,
            progressive: progressive.filter(|it| *it),
            strip_meta: strip_meta.filter(|it| *it != StripMeta::default()),
            autorotate: autorotate.filter(|it| !*it),
            srgb: srgb.filter(|it| *it != Srgb::default()),
            max_icc_size,
        };
        Self { steps: self.steps.clone(), settings, facts: self.facts, inline: None }
    }
}

impl fmt::Display for Operations {
    /// Pieces joined by slashes, without percent escapes: `-/resize/400x/-/format/png/`; empty for nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            write!(f, "-/{step}/")?;
        }
        self.settings.fmt(f)?;
        match self.facts {
            Some(Facts::Json) => f.write_str("-/json/"),
            Some(Facts::Jsonp) => f.write_str("-/jsonp/"),
            Some(Facts::MainColors(count)) => write!(f, "-/main_colors/{count}/"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { format, quality, progressive, strip_meta, autorotate, srgb, max_icc_size } = self;
        let mut setting = |name: &str, value: Option<&str>| match value {
            Some(value) => write!(f, "-/{name}/{value}/"),
            None => Ok(()),
        };
        setting("format", format.map(|it| word(words::FORMAT, &it)))?;
        setting("quality", quality.map(|it| word(words::QUALITY, &it)))?;
        setting("progressive", progressive.map(|it| word(words::YES_NO, &it)))?;
        setting("strip_meta", strip_meta.map(|it| word(words::STRIP_META, &it)))?;
        setting("autorotate", autorotate.map(|it| word(words::YES_NO, &it)))?;
        setting("srgb", srgb.map(|it| word(words::SRGB, &it)))?;
        setting("max_icc_size", max_icc_size.map(|it| it.to_string()).as_deref())
    }
}

impl fmt::Display for Step {
    /// The name and its parameters without slashes around them: `resize/400x`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preview { width, height } => write!(f, "preview/{width}x{height}"),
            Self::Resize(sides) => write!(f, "resize/{sides}"),
            Self::Stretch(stretch) => write!(f, "stretch/{}", word(words::STRETCH, stretch)),
            Self::SmartResize { width, height } => write!(f, "smart_resize/{width}x{height}"),
            Self::Crop(crop) => crop.fmt(f),
            Self::ScaleCrop { width, height, smart, align } => {
                write!(f, "scale_crop/{width}x{height}")?;
                smart.iter().try_for_each(|smart| write!(f, "/{}", word(words::SMART, smart)))?;
                align.iter().try_for_each(|align| write!(f, "/{align}"))
            }
            Self::Trim { tolerance, padding } => write!(f, "trim/{tolerance}/{padding}"),
            Self::SetFill(color) => write!(f, "setfill/{color}"),
            Self::BorderRadius { horizontal, vertical } => {
                write!(f, "border_radius/{}", Radii(horizontal))?;
                vertical.iter().try_for_each(|vertical| write!(f, "/{}", Radii(vertical)))
            }
            Self::ZoomObjects(zoom) => write!(f, "zoom_objects/{zoom}"),
            Self::Rotate(turns) => write!(f, "rotate/{}", u16::from(*turns % 4) * 90),
            Self::Flip => f.write_str("flip"),
            Self::Mirror => f.write_str("mirror"),
            Self::Adjust(adjustment, value) => write!(f, "{}/{value}", word(words::ADJUSTMENTS, adjustment)),
            Self::Enhance(strength) => write!(f, "enhance/{strength}"),
            Self::Grayscale => f.write_str("grayscale"),
            Self::Invert => f.write_str("invert"),
            Self::Filter { name, amount } => {
                write!(f, "filter/{}/{amount}", FILTERS.get(usize::from(*name)).unwrap_or(&""))
            }
            Self::Blur { strength, amount } => write!(f, "blur/{strength}/{amount}"),
            Self::BlurRegion { region, strength } => {
                match region {
                    Region::Box(size, align) => write!(f, "blur_region/{size}/{align}")?,
                    Region::Faces => f.write_str("blur_region/faces")?,
                }
                strength.iter().try_for_each(|strength| write!(f, "/{strength}"))
            }
            Self::Sharp(strength) => write!(f, "sharp/{strength}"),
            Self::Overlay { source, size, align, opacity } => {
                match source {
                    OverlaySource::Own => f.write_str("overlay/self")?,
                    OverlaySource::File(id) => write!(f, "overlay/{id}")?,
                }
                write!(f, "/{size}/{align}/{opacity}")
            }
            Self::Rect { color, size, align } => write!(f, "rect/{color}/{size}/{align}"),
            Self::Font(font) => font.fmt(f),
            Self::TextAlign { horizontal, vertical } => {
                let horizontal = word(words::HORIZONTAL, horizontal);
                write!(f, "text_align/{horizontal}/{}", word(words::VERTICAL, vertical))
            }
            Self::TextBox { mode, color, padding } => {
                write!(f, "text_box/{}", word(words::TEXT_BOX, mode))?;
                match (color, padding) {
                    (None, None) => Ok(()),
                    (Some(color), None) => write!(f, "/{color}"),
                    (Some(color), Some(padding)) => write!(f, "/{color}/{padding}"),
                    // No colour has five digits.
                    (None, Some(padding)) => write!(f, "/{padding:05}"),
                }
            }
            Self::Text { size, align, text } => write!(f, "text/{size}/{align}/{}", values::escaped(text)),
            Self::Rasterize => f.write_str("rasterize"),
        }
    }
}

impl fmt::Display for Sides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Width(width) => write!(f, "{width}x"),
            Self::Height(height) => write!(f, "x{height}"),
            Self::Both(width, height) => write!(f, "{width}x{height}"),
        }
    }
}

impl fmt::Display for Crop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("crop")?;
        match self.object {
            Some(CropObject::Face) => f.write_str("/face")?,
            Some(CropObject::Image) => f.write_str("/image")?,
            None => {}
        }
        if let Some((width, height)) = self.ratio {
            write!(f, "/{width}:{height}")?;
        }
        self.size.iter().try_for_each(|size| write!(f, "/{size}"))?;
        self.align.iter().try_for_each(|align| write!(f, "/{align}"))
    }
}

impl fmt::Display for FontChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reset, bold, italic, size, color, family } = self;
        f.write_str("font")?;
        if *reset {
            f.write_str("/reset")?;
        }
        bold.iter().try_for_each(|bold| write!(f, "/{}", word(words::BOLD, bold)))?;
        italic.iter().try_for_each(|italic| write!(f, "/{}", word(words::ITALIC, italic)))?;
        size.iter().try_for_each(|size| write!(f, "/{size}"))?;
        color.iter().try_for_each(|color| write!(f, "/{color}"))?;
        family.iter().try_for_each(|family| write!(f, "/{}", word(words::FAMILIES, family)))
    }
}

/// Four lengths with commas between them; fewer where all are the same.
struct Radii<'a>(&'a [Length; 4]);

impl fmt::Display for Radii<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0;
        first.fmt(f)?;
        if rest.iter().any(|other| other != first) {
            for other in rest {
                f.write_char(',')?;
                other.fmt(f)?;
            }
        }
        Ok(())
    }
}
