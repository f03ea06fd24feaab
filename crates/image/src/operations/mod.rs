//! The grammar of the URL API's operations: what stands behind `/-/` in a delivery URL, as the vendor's URL API reference
//! writes it. Parsing knows nothing of files and pictures: it says what is asked, in order, or why that is nonsense.
//! `Display` writes the canonical form; that of `without_defaults` is what caches are keyed by.

mod display;
mod parameters;
mod parse;
mod values;
mod video;
mod words;

use stowage_model::FileId;

pub use parse::OperationError;
pub use video::{VideoFormat, VideoOperations};

/// Everything that a URL asks for: the steps in their order, and the settings of the whole answer.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Operations {
    /// What changes pixels, and the state for the steps behind it, in the order of the URL.
    pub steps: Vec<Step>,
    /// What counts for the whole answer, wherever it stood; the last one of a kind counts.
    pub settings: Settings,
    /// Facts instead of a picture.
    pub facts: Option<Facts>,
    /// What `inline/…` asks for; it makes nothing be processed.
    pub inline: Option<bool>,
}

/// A pixel step, or a state that the steps behind it use.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "the fields are named for the parameters")]
pub enum Step {
    /// Scale down to fit into a box; `preview` alone means 2048x2048.
    Preview { width: u32, height: u32 },
    /// Scale to the given sides.
    Resize(Sides),
    /// State: what the following `resize` and `scale_crop` do where the picture is smaller.
    Stretch(Stretch),
    /// Scale to exactly this size, keeping what matters in its proportions.
    SmartResize { width: u32, height: u32 },
    /// Cut.
    Crop(Crop),
    /// Scale until the picture covers the box, then cut to the box.
    ScaleCrop { width: u32, height: u32, smart: Option<Smart>, align: Option<Align> },
    /// Remove edges of one colour; tolerance in percent of the range of a channel.
    Trim { tolerance: u8, padding: Length },
    /// State: the colour outside of the picture and behind transparency.
    SetFill(Color),
    /// Round the corners: top left, top right, bottom right, bottom left; horizontal radii, then vertical ones where they differ.
    BorderRadius { horizontal: [Length; 4], vertical: Option<[Length; 4]> },
    /// Let the main object grow, 0 to 100.
    ZoomObjects(u8),
    /// Quarter turns counterclockwise, 0 to 3.
    Rotate(u8),
    /// Top to bottom.
    Flip,
    /// Left to right.
    Mirror,
    /// A colour adjustment with its value, within [`Adjustment::range`].
    Adjust(Adjustment, i16),
    /// Automatic levels and contrast, 0 to 100.
    Enhance(u8),
    /// Take the colour out.
    Grayscale,
    /// The negative.
    Invert,
    /// A named look at -100 to 200 percent; the index counts in [`FILTERS`].
    Filter { name: u8, amount: i16 },
    /// Gaussian blur of a standard deviation of `strength / 10` pixels, mixed at -200 to 100 percent.
    Blur { strength: u16, amount: i16 },
    /// Blur a part.
    BlurRegion { region: Region, strength: Option<u16> },
    /// Sharpen, 0 to 20.
    Sharp(u8),
    /// Put a picture over this one.
    Overlay { source: OverlaySource, size: Size, align: Align, opacity: Percent },
    /// Paint a rectangle.
    Rect { color: Color, size: Size, align: Align },
    /// State: the font of the texts behind it.
    Font(FontChange),
    /// State: where in its box a text stands.
    TextAlign { horizontal: Horizontal, vertical: Vertical },
    /// State: what is painted behind a text.
    TextBox { mode: TextBox, color: Option<Color>, padding: Option<u32> },
    /// Write a text into a box.
    Text { size: Size, align: Align, text: String },
    /// Make pixels of an SVG first.
    Rasterize,
}

/// What counts for the whole answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// The format of the answer; absent means automatic.
    pub format: Option<Format>,
    /// How well it is encoded; absent means what the project prefers.
    pub quality: Option<Quality>,
    /// Whether a JPEG comes in several scans.
    pub progressive: Option<bool>,
    /// What is left out of the EXIF data.
    pub strip_meta: Option<StripMeta>,
    /// Whether the picture is turned upright as its EXIF data says.
    pub autorotate: Option<bool>,
    /// What becomes of colour profiles.
    pub srgb: Option<Srgb>,
    /// Up to which size in kilobytes (1024 bytes) an RGB profile is kept.
    pub max_icc_size: Option<u32>,
}

/// Facts instead of a picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Facts {
    /// `json`.
    Json,
    /// `jsonp`: the same as a script.
    Jsonp,
    /// `main_colors` with the number of colours, 1 to 256.
    MainColors(u16),
}

/// The sides that `resize` gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sides {
    /// `400x`
    Width(u32),
    /// `x400`
    Height(u32),
    /// `400x300`
    Both(u32, u32),
}

/// What happens where a picture is smaller than what is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Stretch {
    /// It is enlarged.
    #[default]
    On,
    /// It stays as it is.
    Off,
    /// It stays as it is, on a canvas of the size that was asked for.
    Fill,
}

/// A percentage, not negative.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Percent(pub f64);

/// A length in pixels or relative to what it is measured against.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Length {
    /// Pixels.
    Pixels(u32),
    /// A share.
    Percent(Percent),
}

/// Width and height, each in its own unit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Size {
    /// Width.
    pub width: Length,
    /// Height.
    pub height: Length,
}

/// One coordinate of a place: pixels from the left or the top, or a share of the space that is left over.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Offset {
    /// Pixels, possibly outside.
    Pixels(i32),
    /// A share of what is left over.
    Percent(Percent),
}

/// Where something stands inside of something else. Keywords are percentages: `center` is `50p,50p`, `right` is `100p,50p`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Align {
    /// From the left.
    pub x: Offset,
    /// From the top.
    pub y: Offset,
}

/// What `crop` cuts.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Crop {
    /// What it is about, where that is not the picture as such.
    pub object: Option<CropObject>,
    /// The ratio of the sides, `16:9`.
    pub ratio: Option<(u32, u32)>,
    /// The size of the box. Beside an object, a share is one of the object's size. At least one of the three is given.
    pub size: Option<Size>,
    /// Where the box stands; absent means top left for a bare size, else the middle.
    pub align: Option<Align>,
}

/// What a crop is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CropObject {
    /// The largest face.
    Face,
    /// The whole picture.
    Image,
}

/// The detectors of a smart crop, in their order; the first that finds something decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Smart(pub &'static [Detector]);

/// What a smart crop can look for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detector {
    /// Faces.
    Faces,
    /// Objects that stand out.
    Objects,
    /// Points of interest: corners.
    Points,
}

/// A colour with its opacity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Color {
    /// Red.
    pub red: u8,
    /// Green.
    pub green: u8,
    /// Blue.
    pub blue: u8,
    /// 255 is opaque.
    pub alpha: u8,
}

/// The adjustments of colour and light, each with one number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are those of the operations")]
pub enum Adjustment {
    Brightness,
    Exposure,
    Gamma,
    Contrast,
    Saturation,
    Vibrance,
    Warmth,
}

/// The part that `blur_region` blurs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Region {
    /// A rectangle.
    Box(Size, Align),
    /// Every face.
    Faces,
}

/// Whose picture an overlay is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OverlaySource {
    /// This picture, as it was before any step.
    Own,
    /// Another file of the project.
    File(FileId),
}

/// What `font` changes; what is absent stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FontChange {
    /// Whether everything goes back to its default first.
    pub reset: bool,
    /// `bold` or `regular`.
    pub bold: Option<bool>,
    /// `italic` or `normal`.
    pub italic: Option<bool>,
    /// Pixels.
    pub size: Option<u32>,
    /// Colour.
    pub color: Option<Color>,
    /// Family.
    pub family: Option<Family>,
}

/// Font families.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "the names are those of the fonts")]
pub enum Family {
    #[default]
    DejaVu,
    DejaVuMono,
    DejaVuSerif,
    Noto,
    NotoMono,
    NotoSerif,
}

/// Where the lines of a text stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Horizontal {
    Left,
    #[default]
    Center,
    Right,
}

/// Where the block of a text stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Vertical {
    Top,
    #[default]
    Center,
    Bottom,
}

/// What is painted behind a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TextBox {
    /// Nothing.
    #[default]
    None,
    /// One rectangle behind the whole text.
    Fit,
    /// One rectangle behind each line.
    Line,
    /// The whole box.
    Fill,
}

/// Formats that can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are those of the formats")]
pub enum Format {
    Jpeg,
    Png,
    Webp,
    Avif,
    Auto,
    Preserve,
}

/// Names of qualities.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are the vendor's")]
pub enum Quality {
    Lightest,
    Lighter,
    Normal,
    Better,
    Best,
    Smart,
    SmartRetina,
}

/// What is left out of the EXIF data of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StripMeta {
    /// Everything.
    #[default]
    All,
    /// Nothing; the orientation becomes 1.
    None,
    /// Where the picture was taken; the orientation becomes 1.
    Sensitive,
}

/// What becomes of colour profiles.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Srgb {
    /// Converted without the profile.
    #[default]
    Fast,
    /// Converted through the profile.
    Icc,
    /// Pixels and profile stay.
    KeepProfile,
}

/// The names of the looks of `filter`.
pub const FILTERS: [&str; 40] = [
    "adaris",
    "briaril",
    "calarel",
    "carris",
    "cynarel",
    "cyren",
    "elmet",
    "elonni",
    "enzana",
    "erydark",
    "fenralan",
    "ferand",
    "galen",
    "gavin",
    "gethriel",
    "iorill",
    "iothari",
    "iselva",
    "jadis",
    "lavra",
    "misiara",
    "namala",
    "nerion",
    "nethari",
    "pamaya",
    "sarnar",
    "sedis",
    "sewen",
    "sorahel",
    "sorlen",
    "tarian",
    "thellassan",
    "varriel",
    "varven",
    "vevera",
    "virkas",
    "yedis",
    "yllara",
    "zatvel",
    "zevcen",
];

impl Operations {
    /// The files whose pictures are put over this one, each once, in the order of the URL.
    pub fn overlays(&self) -> Vec<FileId> {
        let mut files = Vec::new();
        for step in &self.steps {
            if let Step::Overlay { source: OverlaySource::File(id), .. } = step
                && !files.contains(id)
            {
                files.push(*id);
            }
        }
        files
    }

    /// Whether the picture is made anew: by any step, or by a setting other than `autorotate`, which counts only beside others.
    pub fn processes(&self) -> bool {
        let settings = Settings { autorotate: None, ..self.settings };
        !self.steps.is_empty() || settings != Settings::default()
    }

    /// Whether a text is written on the picture, for which there is a switch.
    pub fn has_text(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Text { .. }))
    }
}

impl Align {
    /// Top left: what counts where nothing is said.
    pub const TOP_LEFT: Self = Self { x: Offset::Pixels(0), y: Offset::Pixels(0) };
    /// The middle.
    pub const CENTER: Self = Self { x: Offset::Percent(Percent(50.0)), y: Offset::Percent(Percent(50.0)) };
}

impl Adjustment {
    /// The smallest and the largest value, and the one that changes nothing.
    pub fn range(self) -> (i16, i16, i16) {
        match self {
            Self::Brightness | Self::Warmth => (-100, 100, 0),
            Self::Exposure => (-500, 500, 0),
            Self::Gamma => (0, 1000, 100),
            Self::Contrast | Self::Saturation | Self::Vibrance => (-100, 500, 0),
        }
    }
}
