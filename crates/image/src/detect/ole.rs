//! What a compound file (OLE 2) is: the class of its root entry, else the names in its first directory sectors.

use crate::source::Source;

/// Directory sectors that are looked at.
const MAX_SECTORS: u32 = 8;
const ENTRY: u64 = 128;
const UNKNOWN: &str = "application/CDFV2";

/// The type of a compound file.
pub(super) fn detect(src: &mut Source) -> &'static str {
    search(src).unwrap_or(UNKNOWN)
}

fn search(src: &mut Source) -> Option<&'static str> {
    let shift = src.le16(30)?;
    if !matches!(shift, 9 | 12) {
        return None;
    }
    let place = |sector: u32| (u64::from(sector) + 1) << shift;
    let mut sector = src.le32(48)?;
    if let Some(mime) = by_class(src.array(place(sector) + 80)?) {
        return Some(mime);
    }
    for _ in 0..MAX_SECTORS {
        for index in 0..(1 << shift) / ENTRY {
            let at = place(sector) + index * ENTRY;
            let bytes = usize::from(src.le16(at + 64)?).min(64);
            let name: String = char::decode_utf16(
                src.bytes(at, bytes)?.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])),
            )
            .map_while(Result::ok)
            .take_while(|c| *c != '\0')
            .collect();
            if let Some(mime) = by_name(&name) {
                return Some(mime);
            }
        }
        sector = next_sector(src, sector, shift)?;
    }
    None
}

/// The sector behind `sector`, by the allocation table; only the table sectors that the header lists are followed.
fn next_sector(src: &mut Source, sector: u32, shift: u16) -> Option<u32> {
    let per_table = 1 << (shift - 2);
    let listed = sector / per_table;
    if listed >= 109 {
        return None;
    }
    let table = src.le32(76 + u64::from(listed) * 4)?;
    let next = src.le32(((u64::from(table) + 1) << shift) + u64::from(sector % per_table) * 4)?;
    // The highest numbers mark the end of a chain and free sectors.
    (next < 0xFFFF_FFFA).then_some(next)
}

fn by_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "WordDocument" => "application/msword",
        "Workbook" | "Book" => "application/vnd.ms-excel",
        "PowerPoint Document" => "application/vnd.ms-powerpoint",
        "VisioDocument" => "application/vnd.visio",
        "Quill" => "application/vnd.ms-publisher",
        "__properties_version1.0" | "__nameid_version1.0" => "application/vnd.ms-outlook",
        _ => return None,
    })
}

/// The type by the class of the root entry, of which the first four bytes tell enough.
fn by_class(class: [u8; 16]) -> Option<&'static str> {
    // All of Microsoft's end alike.
    if class[8..] != *b"\xC0\0\0\0\0\0\0\x46" {
        return None;
    }
    Some(match u32::from_le_bytes([class[0], class[1], class[2], class[3]]) {
        0x0002_0900 | 0x0002_0906 => "application/msword",
        0x0002_0810 | 0x0002_0820 => "application/vnd.ms-excel",
        0x0004_4851 => "application/vnd.ms-powerpoint",
        0x0002_0D0B => "application/vnd.ms-outlook",
        0x0002_1A13 | 0x0002_1A14 => "application/vnd.visio",
        0x0002_1201 => "application/vnd.ms-publisher",
        0x000C_1084 => "application/x-msi",
        _ => return None,
    })
}
