//! The words that stand for values, each table read in both directions: by the parser and by the canonical form.

use super::{
    Adjustment, Detector, Family, Format, Horizontal, Quality, Smart, Srgb, Stretch, StripMeta, TextBox, Vertical,
};

/// A table of words with what they stand for. The first word of a meaning is the canonical one.
pub(super) type Words<T> = [(&'static str, T)];

/// What a word stands for.
pub(super) fn meaning<T: Copy>(words: &Words<T>, text: &str) -> Option<T> {
    words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning)
}

/// The word for a meaning.
pub(super) fn word<T: PartialEq>(words: &Words<T>, meaning: &T) -> &'static str {
    words.iter().find(|(_, of)| of == meaning).map_or("", |(word, _)| word)
}

/// All words, for a message.
pub(super) fn listed<T>(words: &Words<T>) -> String {
    words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

pub(super) const YES_NO: &Words<bool> = &[("yes", true), ("no", false)];

pub(super) const STRETCH: &Words<Stretch> = &[("on", Stretch::On), ("off", Stretch::Off), ("fill", Stretch::Fill)];

pub(super) const FORMAT: &Words<Format> = &[
    ("jpeg", Format::Jpeg),
    // No source has it, but people and one client write it.
    ("jpg", Format::Jpeg),
    ("png", Format::Png),
    ("webp", Format::Webp),
    ("avif", Format::Avif),
    ("auto", Format::Auto),
    ("preserve", Format::Preserve),
];

pub(super) const QUALITY: &Words<Quality> = &[
    ("lightest", Quality::Lightest),
    ("lighter", Quality::Lighter),
    ("normal", Quality::Normal),
    ("better", Quality::Better),
    ("best", Quality::Best),
    ("smart", Quality::Smart),
    ("smart_retina", Quality::SmartRetina),
];

pub(super) const STRIP_META: &Words<StripMeta> =
    &[("all", StripMeta::All), ("none", StripMeta::None), ("sensitive", StripMeta::Sensitive)];

pub(super) const SRGB: &Words<Srgb> = &[("fast", Srgb::Fast), ("icc", Srgb::Icc), ("keep_profile", Srgb::KeepProfile)];

pub(super) const ADJUSTMENTS: &Words<Adjustment> = &[
    ("brightness", Adjustment::Brightness),
    ("exposure", Adjustment::Exposure),
    ("gamma", Adjustment::Gamma),
    ("contrast", Adjustment::Contrast),
    ("saturation", Adjustment::Saturation),
    ("vibrance", Adjustment::Vibrance),
    ("warmth", Adjustment::Warmth),
];

pub(super) const FAMILIES: &Words<Family> = &[
    ("DejaVu", Family::DejaVu),
    ("DejaVuMono", Family::DejaVuMono),
    ("DejaVuSerif", Family::DejaVuSerif),
    ("Noto", Family::Noto),
    ("NotoMono", Family::NotoMono),
    ("NotoSerif", Family::NotoSerif),
];

pub(super) const BOLD: &Words<bool> = &[("bold", true), ("regular", false)];

pub(super) const ITALIC: &Words<bool> = &[("italic", true), ("normal", false)];

pub(super) const HORIZONTAL: &Words<Horizontal> =
    &[("left", Horizontal::Left), ("center", Horizontal::Center), ("right", Horizontal::Right)];

pub(super) const VERTICAL: &Words<Vertical> =
    &[("top", Vertical::Top), ("center", Vertical::Center), ("bottom", Vertical::Bottom)];

pub(super) const TEXT_BOX: &Words<TextBox> =
    &[("none", TextBox::None), ("fit", TextBox::Fit), ("line", TextBox::Line), ("fill", TextBox::Fill)];

pub(super) const SMART: &Words<Smart> = {
    use Detector::{Faces, Objects, Points};
    &[
        ("smart", Smart(&[Faces, Objects, Points])),
        ("smart_faces_objects_points", Smart(&[Faces, Objects, Points])),
        ("smart_faces_objects", Smart(&[Faces, Objects])),
        ("smart_faces_points", Smart(&[Faces, Points])),
        ("smart_faces", Smart(&[Faces])),
        ("smart_objects_faces_points", Smart(&[Objects, Faces, Points])),
        ("smart_objects_faces", Smart(&[Objects, Faces])),
        ("smart_objects_points", Smart(&[Objects, Points])),
        ("smart_objects", Smart(&[Objects])),
        ("smart_points", Smart(&[Points])),
    ]
};
