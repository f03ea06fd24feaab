//! Pictures for the tests, made without a codec.

/// A PNG of this size with one colour in its left half and another one in its right half.
pub(crate) fn png(width: u32, height: u32, left: [u8; 3], right: [u8; 3]) -> Vec<u8> {
    let pixels = (0..width).flat_map(|x| if x < width / 2 { left } else { right });
    let row: Vec<u8> = std::iter::once(0).chain(pixels).collect();
    let rows = row.repeat(height as usize);
    let mut zlib = vec![0x78, 0x01];
    let mut pieces = rows.chunks(0xffff).peekable();
    while let Some(piece) = pieces.next() {
        let len = u16::try_from(piece.len()).unwrap();
        zlib.push(u8::from(pieces.peek().is_none()));
        zlib.extend(len.to_le_bytes());
        zlib.extend((!len).to_le_bytes());
        zlib.extend(piece);
    }
    zlib.extend(adler(&rows).to_be_bytes());
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    for (kind, data) in [(b"IHDR", header.as_slice()), (b"IDAT", &zlib), (b"IEND", &[])] {
        png.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        let chunk = [&kind[..], data].concat();
        png.extend(&chunk);
        png.extend(crc(&chunk).to_be_bytes());
    }
    png
}

fn adler(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1)))
    })
}

/// Width and height of a PNG.
pub(crate) fn size(png: &[u8]) -> (u32, u32) {
    assert!(png.starts_with(b"\x89PNG"), "no PNG");
    let side = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (side(16), side(20))
}
