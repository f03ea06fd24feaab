//! What the tests of this room share.

use std::path::Path;
use stowage_codecs::{Ask, Bitmap, Layout, Limits};

/// A file of `fixtures`.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Four bytes a pixel whatever the layout; inks stay as they are.
pub(crate) fn rgba(bitmap: &Bitmap) -> Vec<u8> {
    match bitmap.layout {
        Layout::Gray => bitmap.data.iter().flat_map(|&gray| [gray, gray, gray, 255]).collect(),
        Layout::Rgb => bitmap.data.as_chunks::<3>().0.iter().flat_map(|&[r, g, b]| [r, g, b, 255]).collect(),
        Layout::Rgba | Layout::Cmyk => bitmap.data.clone(),
    }
}

/// Limits of size, and enough memory.
pub(crate) fn limits_of(max_pixels: u64, max_side: u32) -> Ask {
    Ask { limits: Limits { max_pixels, max_side, ..Limits::default() }, at_least: None }
}

/// The names of all pictures in `fixtures`.
pub(crate) fn fixtures() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_picture = |name: &String| !matches!(name.rsplit('.').next(), Some("rgba" | "py" | "md" | "heic"));
    let heic = ["rgb.heic", "alpha.heic", "gray.heic", "full.heic", "deep.heic"].map(str::to_owned);
    let mut names: Vec<String> =
        names.filter(is_picture).chain(heic.into_iter().filter(|_| cfg!(feature = "heic"))).collect();
    names.sort();
    assert!(names.len() > 70);
    names
}
