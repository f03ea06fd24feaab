//! Which decoder the first bytes ask for. The probe (`stowage-image`) recognises the same signatures when a file is
//! uploaded; this room knows no other and looks for itself, so that nobody can hand the wrong bytes to a decoder.

/// The formats that are decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    Jpeg,
    Png,
    Gif,
    Webp,
    Tiff,
    Bmp,
    Tga,
    Pcx,
    Avif,
    Heic,
}

/// Compatible brands that are looked at.
const MAX_BRANDS: usize = 64;

/// The format that the bytes announce. TGA has no signature and PCX one byte of it, so for them whole headers have to make sense.
pub(super) fn recognise(bytes: &[u8]) -> Option<Format> {
    let at = |from: usize, what: &[u8]| bytes.get(from..from + what.len()) == Some(what);
    if at(0, b"\xFF\xD8\xFF") {
        Some(Format::Jpeg)
    } else if at(0, b"\x89PNG\r\n\x1A\n") {
        Some(Format::Png)
    } else if at(0, b"GIF87a") || at(0, b"GIF89a") {
        Some(Format::Gif)
    } else if at(0, b"RIFF") && at(8, b"WEBP") {
        Some(Format::Webp)
    } else if at(0, b"II*\0") || at(0, b"MM\0*") || at(0, b"II+\0") || at(0, b"MM\0+") {
        Some(Format::Tiff)
    } else if at(4, b"ftyp") {
        heif(bytes)
    } else if at(0, b"BM") && super::bmp::plausible(bytes) {
        Some(Format::Bmp)
    } else if super::pcx::plausible(bytes) {
        Some(Format::Pcx)
    } else {
        super::tga::plausible(bytes).then_some(Format::Tga)
    }
}

/// AVIF or HEIC, by the brands in the first box.
fn heif(bytes: &[u8]) -> Option<Format> {
    let len = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
    let major: &[u8] = bytes.get(8..12)?;
    // Behind the major brand stands a version, then the compatible brands.
    let others = bytes.get(16..len.min(bytes.len())).unwrap_or_default();
    let has = |brand: &[u8]| others.chunks_exact(4).take(MAX_BRANDS).any(|other| other == brand);
    match major {
        b"avif" | b"avis" => Some(Format::Avif),
        b"mif1" | b"mif2" | b"msf1" | b"heim" | b"heis" if has(b"avif") || has(b"avis") => Some(Format::Avif),
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"hevm" | b"hevs" | b"mif1" | b"mif2" | b"msf1" => {
            Some(Format::Heic)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Format, recognise};

    #[test]
    fn brands_tell_avif_from_heic() {
        let file = |brands: &[&[u8; 4]]| {
            let len = u32::try_from(12 + brands.len() * 4).unwrap();
            let mut bytes = [&len.to_be_bytes()[..], b"ftyp", brands[0], &[0; 4]].concat();
            brands[1..].iter().for_each(|brand| bytes.extend_from_slice(*brand));
            bytes.extend_from_slice(b"avif");
            bytes
        };
        assert_eq!(recognise(&file(&[b"avif", b"mif1"])), Some(Format::Avif));
        assert_eq!(recognise(&file(&[b"mif1", b"avif"])), Some(Format::Avif));
        // What stands behind the first box is no brand.
        assert_eq!(recognise(&file(&[b"mif1", b"heic"])), Some(Format::Heic));
        assert_eq!(recognise(&file(&[b"isom", b"mp42"])), None);
    }

    #[test]
    fn neither_nothing_nor_text_is_a_picture() {
        assert_eq!(recognise(b""), None);
        assert_eq!(recognise(b"GIF88a, said the text, and went on for a while to be longer than a header."), None);
        assert_eq!(recognise(&[0; 64]), None);
    }
}
