//! The bytes of synthetic files: pictures and papers as people upload them, all of one length where they can be.

use std::fmt::Write;

use anyhow::bail;
use stowage_codecs::{Bitmap, Extras, Layout};
use stowage_model::Ids;

/// The longest file, in bytes.
const MAX: u64 = 1 << 30;
/// The longest comment of a JPEG, in bytes.
const MAX_COMMENT: usize = 65_533;

/// Files, each a name and bytes of which no two are equal. They have about `size` bytes, or as few as their kind can have.
pub(super) fn samples(size: u64, ids: &Ids) -> anyhow::Result<Vec<(&'static str, Vec<u8>)>> {
    if size > MAX {
        bail!("--size: a file may have at most {MAX} bytes");
    }
    let size = usize::try_from(size)?;
    let mut samples = Vec::new();
    for (name, width, height) in [("landscape.jpg", 320, 213), ("portrait.jpg", 213, 320), ("square.jpg", 256, 256)] {
        samples.push((name, photo(width, height, size, ids)?));
    }
    samples.push(("logo.png", stowage_codecs::png(&picture(128, 128, ids), Extras::default())?));
    samples.push(("notes.txt", text(size, ids, |line, words| _ = writeln!(line, "{}.", words.join(" ")))));
    samples.push(("figures.csv", text(size, ids, |line, words| _ = writeln!(line, "{}", words.join(",")))));
    let mut paper = b"%PDF-1.7\n".to_vec();
    paper.extend(text(size.saturating_sub(paper.len() + 6), ids, |line, words| {
        _ = writeln!(line, "% {}", words.join(" "));
    }));
    paper.extend(b"%%EOF\n");
    samples.push(("paper.pdf", paper));
    Ok(samples)
}

/// A picture of slopes of colour.
fn picture(width: u32, height: u32, ids: &Ids) -> Bitmap {
    let [from, to, ..] = *ids.uuid().as_bytes();
    let shade = |at: u32, of: u32| u8::try_from(at * 255 / of).unwrap_or(u8::MAX);
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let data = pixels
        .flat_map(|(x, y)| [shade(x, width) ^ from, shade(y, height) ^ to, shade(x + y, width + height)])
        .collect();
    Bitmap { width, height, layout: Layout::Rgb, data }
}

/// A JPEG that comments make as long as is wanted.
fn photo(width: u32, height: u32, size: usize, ids: &Ids) -> anyhow::Result<Vec<u8>> {
    const QUALITY: u8 = 80;
    let encoded = stowage_codecs::jpeg(&picture(width, height, ids), QUALITY, false, Extras::default())?;
    let (start, rest) = encoded.split_at(2);
    let mut bytes = start.to_vec();
    let mut missing = size.saturating_sub(encoded.len());
    // A comment has four bytes besides its text.
    while missing > 4 {
        let comment = (missing - 4).min(MAX_COMMENT);
        bytes.extend([0xff, 0xfe]);
        bytes.extend(u16::try_from(comment + 2)?.to_be_bytes());
        bytes.resize(bytes.len() + comment, b' ');
        missing -= comment + 4;
    }
    bytes.extend_from_slice(rest);
    Ok(bytes)
}

/// Lines out of words, of which the first are new each time.
fn text(size: usize, ids: &Ids, line: impl Fn(&mut String, &[&str])) -> Vec<u8> {
    let mut lines = ids.hex(16) + "\n";
    while lines.len() < size {
        line(&mut lines, &WORDS);
    }
    lines.truncate(size.max(17));
    lines.into_bytes()
}

/// Words of names, texts and tags.
pub(super) const WORDS: [&str; 16] = [
    "harbour", "summer", "invoice", "portrait", "garden", "report", "winter", "team", "market", "draft", "river",
    "street", "cover", "product", "travel", "kitchen",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_of_a_length_and_differ() {
        for size in [0, 100, 10 << 10, 200_000] {
            let samples = samples(size, &Ids::seeded(1)).unwrap();
            for (index, (name, bytes)) in samples.iter().enumerate() {
                assert!(samples[..index].iter().all(|(_, other)| other != bytes), "{name}");
                let len = bytes.len() as u64;
                assert!(*name == "logo.png" || len <= size.max(20_000), "{name}: {len}");
                let fits = len.abs_diff(size) <= 4;
                assert!(fits || *name == "logo.png" || size < 20_000, "{name}: {len} instead of {size}");
            }
        }
        assert_eq!(samples(5000, &Ids::seeded(1)).unwrap(), samples(5000, &Ids::seeded(1)).unwrap());
        assert!(samples(MAX + 1, &Ids::seeded(1)).is_err());
    }
}
