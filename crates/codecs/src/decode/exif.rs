//! The one thing that decoding wants from EXIF data: how the picture is turned.

const ORIENTATION: u16 = 0x0112;
const SHORT: u16 = 3;
/// Entries of the first directory that are looked at; they are sorted by tag and ours has a small one.
const MAX_ENTRIES: usize = 512;

/// What has to be done to turn a picture upright, 1 to 8, by EXIF data beginning with `II` or `MM`; 1 where it does not say.
pub(crate) fn orientation(exif: &[u8]) -> u8 {
    find(exif).filter(|turn| (1..=8).contains(turn)).and_then(|turn| u8::try_from(turn).ok()).unwrap_or(1)
}

fn find(exif: &[u8]) -> Option<u16> {
    let big_endian = match exif.get(..4)? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let short = |at: usize| {
        let pair = exif.get(at..)?.first_chunk()?;
        Some(if big_endian { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) })
    };
    let first = exif.get(4..)?.first_chunk()?;
    let first = if big_endian { u32::from_be_bytes(*first) } else { u32::from_le_bytes(*first) };
    let entries = usize::try_from(first).ok()?;
    let count = usize::from(short(entries)?).min(MAX_ENTRIES);
    let entry = (0..count).map(|n| entries + 2 + 12 * n).find(|&at| short(at) == Some(ORIENTATION))?;
    if short(entry + 2)? == SHORT { short(entry + 8) } else { None }
}

#[cfg(test)]
mod tests {
    use super::orientation;

    #[test]
    fn reads_both_byte_orders() {
        let little = b"II*\0\x08\0\0\0\x02\0\x0f\x01\x02\0\x01\0\0\0aaaa\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0\0\0\0\0";
        assert_eq!((orientation(little), orientation(big)), (6, 8));
    }

    #[test]
    fn what_is_odd_means_upright() {
        let nine = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x09\0\0\0\0\0\0";
        let cut = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0";
        let far = b"MM\0*\xff\xff\xff\xff\0\x01\x01\x12\0\x03\0\0";
        for exif in [&b""[..], b"II", nine, cut, far, b"Exif\0\0II*\0"] {
            assert_eq!(orientation(exif), 1);
        }
    }
}
