//! Content codings: undone whatever the pieces they come in, and bounded whatever comes out.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use stowage_fetch::{FetchError, Options};

use crate::origin::{Origin, endless, failure, failure_with, fetch, fetch_with, options, outbound};

const TEXT: &[u8] = b"What goes in comes out again. What goes in comes out again. What goes in comes out again.";
/// [`TEXT`] by brotli.
const TEXT_BR: &[u8] = b"\x1b\x58\x00\x00\x04\x9a\x71\xa4\x0f\x94\x69\x9c\x4d\x76\x93\x06\x13\x39\x70\x8e\x34\xc2\x40\
    \xbe\xc3\x06\x1c\x48\x1c\x05\xf2\x7a\x52\x8a\x04\x8f\x02\x58\xfe\xbe\x43\x0c\x2b\x61\x00";
/// [`TEXT`] by brotli with a window of 256 MiB, an extension that HTTP does not know.
const TEXT_BR_LARGE: &[u8] = b"\x11\x5c\x60\x01\x00\x10\x68\xc6\x91\x3e\x50\xa6\x71\x36\xd9\x4d\x1a\x4c\xe4\xc0\x39\
    \xd2\x08\x03\xf9\x0e\x1b\x70\x20\x71\x14\xc8\xeb\x49\x29\x12\x3c\x0a\x60\xf9\xfb\x0e\x31\xac\x84\x01";
/// 64 MiB of zeros by brotli.
const ZEROS_BR: &[u8] = b"\xcf\xff\xff\x7f\x00\x24\x00\xe2\xb1\x40\x72\xef\xff\xf9\xff\xff\x0f\x80\x04\x40\x1c\x16\x80\
    \xee\xfd\x3f\xff\xff\xff\x01\x90\x00\x88\xc3\x02\xd0\xbd\xff\xe7\xff\xff\x3f\x00\x12\x00\x71\x58\x00\xba\xf7\xff\x03";

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn bare_deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zstd(data: &[u8]) -> Vec<u8> {
    let mut coded = Vec::with_capacity(zstd_safe::compress_bound(data.len()));
    zstd_safe::compress(&mut coded, data, 3).unwrap();
    coded
}

/// A frame of zstd that asks for a window of 16 MiB, and holds nothing.
fn zstd_with_large_window() -> Vec<u8> {
    let magic = [0x28, 0xb5, 0x2f, 0xfd];
    let (no_checksum, window_log_24, last_raw_empty_block) = ([0x00], [14 << 3], [0x01, 0x00, 0x00]);
    [&magic[..], &no_checksum, &window_log_24, &last_raw_empty_block].concat()
}

/// Every coding that is undone, by its name.
fn coded(data: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("gzip", gzip(data)),
        ("X-GZip", gzip(data)),
        ("deflate", zlib(data)),
        ("deflate", bare_deflate(data)),
        ("zstd", zstd(data)),
    ]
}

fn answer(coding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// The body in chunks of so many bytes.
fn chunked(coding: &str, body: &[u8], size: usize) -> Vec<u8> {
    let mut answer =
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
    for piece in body.chunks(size) {
        answer.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        answer.extend_from_slice(piece);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}

#[tokio::test]
async fn what_went_in_comes_out() {
    let noise: Vec<u8> = (0..300_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
    let zeros = vec![0; 1 << 20];
    let mut cases: Vec<_> = vec![("br", TEXT_BR.to_vec(), TEXT)];
    for data in [&b""[..], b"a", TEXT, &noise, &zeros] {
        cases.extend(coded(data).into_iter().map(|(coding, body)| (coding, body, data)));
    }
    for (coding, body, data) in cases {
        // The tiniest pieces only where they are not too many.
        let piece = if body.len() < 5000 { 1 } else { 1000 };
        for bytes in [answer(coding, &body), chunked(coding, &body, piece)] {
            let origin = Origin::sends(bytes).await;
            let (answer, read) = fetch(&origin.url("/")).await.unwrap();
            assert_eq!(answer.len, None, "{coding}");
            assert!(read == data, "{coding}: {} bytes of {}", read.len(), data.len());
        }
    }
}

#[tokio::test]
async fn what_is_no_coding_is_left_alone() {
    for coding in ["identity", "utf-8", "none", "", "aws-chunked", "compress"] {
        let origin = Origin::sends(answer(coding, TEXT)).await;
        let (answer, body) = fetch(&origin.url("/")).await.unwrap();
        assert_eq!((answer.len, body.as_slice()), (Some(TEXT.len() as u64), TEXT), "{coding}");
    }
    for coding in ["gzip, gzip", "gzip,br", "gzip\r\nContent-Encoding: gzip"] {
        let origin = Origin::sends(answer(coding, &gzip(TEXT))).await;
        let expected = FetchError::Network("more than one content coding");
        assert_eq!(failure(&origin.url("/")).await, expected, "{coding}");
    }
    let origin = Origin::sends(answer("identity, gzip", &gzip(TEXT))).await;
    assert_eq!(fetch(&origin.url("/")).await.unwrap().1, TEXT);
}

#[tokio::test]
async fn members_follow_each_other_and_padding_is_ignored() {
    for (coding, one) in [("gzip", gzip(TEXT)), ("zstd", zstd(TEXT))] {
        let two = [one.as_slice(), &one].concat();
        for bytes in [answer(coding, &two), chunked(coding, &two, 1), chunked(coding, &two, one.len())] {
            let origin = Origin::sends(bytes).await;
            assert_eq!(fetch(&origin.url("/")).await.unwrap().1, TEXT.repeat(2), "{coding}");
        }
    }
    let mut all = coded(TEXT);
    all.push(("br", TEXT_BR.to_vec()));
    for (coding, one) in all {
        for padding in [&b"\n"[..], b"\0\0\0\0", b"   more"] {
            let padded = [&one, padding].concat();
            for bytes in [answer(coding, &padded), chunked(coding, &padded, 1), chunked(coding, &padded, one.len())] {
                let origin = Origin::sends(bytes).await;
                assert_eq!(fetch(&origin.url("/")).await.unwrap().1, TEXT, "{coding}");
            }
        }
    }
    let skippable = [&zstd(TEXT)[..], b"\x50\x2a\x4d\x18\x03\0\0\0abc", &zstd(b" And again.")].concat();
    let origin = Origin::sends(answer("zstd", &skippable)).await;
    assert_eq!(fetch(&origin.url("/")).await.unwrap().1, [TEXT, b" And again."].concat());
}

#[tokio::test]
async fn half_a_coding_is_no_file() {
    let mut all = coded(TEXT);
    all.push(("br", TEXT_BR.to_vec()));
    for (coding, body) in all {
        for half in [&body[..body.len() / 2], &body[..body.len() - 1], &body[..1]] {
            let origin = Origin::sends(answer(coding, half)).await;
            let expected = FetchError::Network("content coding ends early");
            assert_eq!(failure(&origin.url("/")).await, expected, "{coding} {}", half.len());
        }
    }
}

#[tokio::test]
async fn what_is_not_coded_as_it_says_is_no_file() {
    let mut wrong_sum = gzip(TEXT);
    let sum = wrong_sum.len() - 8;
    wrong_sum[sum] ^= 1;
    for (coding, body) in [
        ("gzip", TEXT.to_vec()),
        ("gzip", wrong_sum),
        ("gzip", [&gzip(TEXT)[..], b"\x1fnonsense"].concat()),
        ("deflate", b"\xff\xff\xff\xff\xff\xff".to_vec()),
        ("br", b"\xff\xff\xff\xff\xff\xff".to_vec()),
        ("br", TEXT_BR_LARGE.to_vec()),
        ("zstd", TEXT.to_vec()),
        ("zstd", zstd_with_large_window()),
    ] {
        let origin = Origin::sends(answer(coding, &body)).await;
        let expected = FetchError::Network("content coding is broken");
        assert_eq!(failure(&origin.url("/")).await, expected, "{coding} {}", body.escape_ascii());
    }
}

#[tokio::test]
async fn a_bomb_goes_off_up_to_the_limit() {
    let zeros = vec![0; 16 << 20];
    let mut bombs = coded(&zeros);
    bombs.push(("br", ZEROS_BR.to_vec()));
    let small = Options { decoded_size: 1 << 20, ..options() };
    for (coding, body) in bombs {
        assert!(body.len() < 100_000, "{coding}");
        let origin = Origin::sends(answer(coding, &body)).await;
        let mut bomb = outbound(&small).get(&origin.url("/")).await.unwrap();
        let mut read = 0;
        let error = loop {
            match bomb.chunk().await {
                Ok(piece) => {
                    let len = piece.unwrap().len();
                    assert!(len <= 64 << 10, "a piece of {len} bytes");
                    read += len as u64;
                }
                Err(error) => break error,
            }
        };
        assert_eq!(error, FetchError::DecodedTooLarge(1 << 20), "{coding}");
        assert!(read <= 1 << 20, "{coding}: {read}");
    }
}

#[tokio::test]
async fn as_much_as_the_limit_allows_is_not_too_much() {
    for (coding, body) in coded(&[b'a'; 16_000]) {
        let origin = Origin::sends(answer(coding, &body)).await;
        let with = |decoded_size| Options { decoded_size, ..options() };
        assert_eq!(fetch_with(&with(16_000), &origin.url("/")).await.unwrap().1.len(), 16_000, "{coding}");
        let error = failure_with(&with(15_999), &origin.url("/")).await;
        assert_eq!(error, FetchError::DecodedTooLarge(15_999), "{coding}");
    }
}

#[tokio::test]
async fn data_that_unpack_to_nothing_come_to_an_end() {
    let empty_member = gzip(b"").repeat(1000);
    let long_name = b"\x1f\x8b\x08\x08\0\0\0\0\0\x03";
    for (coding, begin, piece) in [
        ("gzip", &b""[..], empty_member),
        ("gzip", long_name, vec![b'a'; 10_000]),
        ("deflate", b"\x78\x01", b"\0\0\0\xff\xff".repeat(1000)),
        ("zstd", b"", b"\x50\x2a\x4d\x18\0\0\0\0".repeat(1000)),
    ] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n\r\n");
        let head: &'static [u8] = [head.as_bytes(), begin].concat().leak();
        let piece: &'static [u8] = piece.leak();
        let origin = Origin::serve(move |_, stream| endless(stream, head, piece, std::time::Duration::ZERO)).await;
        let small = Options { decoded_size: 1 << 20, ..options() };
        assert_eq!(failure_with(&small, &origin.url("/")).await, FetchError::DecodedTooLarge(1 << 20), "{coding}");
    }
}
