//! Names of types, each as libmagic 5.44 has it but where a comment says so.

use crate::look;

fn mime(bytes: &[u8]) -> String {
    look(bytes).content.mime.mime
}

fn padded(start: &[u8]) -> Vec<u8> {
    let mut bytes = start.to_vec();
    bytes.resize(512, 0);
    bytes
}

#[test]
fn texts() {
    #[rustfmt::skip]
    let rows: &[(&str, &str)] = &[
        ("hello\n", "text/plain"),
        ("Grüße aus Köln\n", "text/plain"),
        ("\u{feff}hello", "text/plain"),
        ("\x1B[31mred\x1B[0m\n", "text/plain"),
        ("BMW is a car maker.\n", "text/plain"),
        ("GIF is a format\n", "text/plain"),
        ("true\n", "text/plain"),
        ("P1 is important\n", "text/plain"),
        ("MZ is a country code, and text that is longer than sixty-four bytes follows it.", "text/plain"),
        ("P3\n1 1\n255\n0 0 0\n", "image/x-portable-pixmap"),
        ("{\"a\":[1,2]}", "application/json"),
        ("[1,2,3]\n", "application/json"),
        ("{\"a\":1}\n{\"a\":2}\n", "application/x-ndjson"),
        ("{\"a\":1} x", "text/plain"),
        ("123", "text/plain"),
        ("a,b\n1,2\n3,4\n", "text/csv"),
        ("\"a,x\",b\n1,2\n3,4\n", "text/csv"),
        ("a,b\n1,2\n", "text/plain"),
        ("a,b\n1\n3,4\n", "text/plain"),
        ("<!DOCTYPE html><html></html>", "text/html"),
        ("  \n<HTML><BODY>hi</BODY></HTML>", "text/html"),
        ("<!-- c --><html></html>", "text/html"),
        ("<!doctype html><svg></svg>", "text/html"),
        ("<html><body><svg xmlns=\"http://www.w3.org/2000/svg\"/></body></html>", "text/html"),
        ("<div><svg xmlns=\"http://www.w3.org/2000/svg\"/></div>", "text/plain"),
        ("<?xml version=\"1.0\"?><root/>", "text/xml"),
        ("<?xml version=\"1.0\"?><html xmlns=\"http://www.w3.org/1999/xhtml\"/>", "text/xml"),
        ("<root><a/></root>", "text/plain"),
        ("text <b>bold</b>", "text/plain"),
        ("#!/bin/sh\necho\n", "text/x-shellscript"),
        ("#!/usr/bin/env python3\n", "text/x-script.python"),
        ("#!/usr/bin/env node\n", "application/javascript"),
        ("#!/opt/unknown\n", "text/plain"),
        ("<?php echo 1;", "text/x-php"),
        ("{\\rtf1\\ansi hello}", "text/rtf"),
        ("%!PS-Adobe-3.0\n", "application/postscript"),
        ("%!PS-Adobe-3.0 EPSF-3.0\n", "application/postscript"),
        ("%PDF-1.4\n1 0 obj\n", "application/pdf"),
        ("\r\n%PDF-1.4\n", "application/pdf"),
        ("BEGIN:VCARD\nVERSION:3.0\nEND:VCARD\n", "text/vcard"),
        ("BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n", "text/calendar"),
        ("WEBVTT\n\n00:00.000 --> 00:01.000\nhi\n", "text/vtt"),
        ("1\n00:00:01,000 --> 00:00:02,000\nHi\n", "application/x-subrip"),
    ];
    for (text, expected) in rows {
        assert_eq!(mime(text.as_bytes()), *expected, "{text}");
    }
    assert_eq!(mime(&[b'0'; 1000]), "text/plain", "the recorded _mem.exe");
    assert_eq!(mime(b"Gr\xFC\xDFe aus K\xF6ln\n"), "text/plain", "Latin-1");
    assert_eq!(mime(b"\xFF\xFEh\0i\0\n\0"), "text/plain");
    assert_eq!(mime(b"\xFE\xFF\0h\0i"), "text/plain");
    assert_eq!(mime(b"hello\n\0\0\0"), "text/plain", "filled up with zeros");
    assert_eq!(mime(b"a"), "application/octet-stream", "too short to tell");
}

#[test]
fn binaries() {
    #[rustfmt::skip]
    let rows: &[(&[u8], &str)] = &[
        (b"", "application/octet-stream"),
        (b"he\0llo\n", "application/octet-stream"),
        (b"abc\x01def\n", "application/octet-stream"),
        (b"\x78\x01\x02\x03", "application/octet-stream"),
        (b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n\0", "application/pdf"),
        (b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2", "video/mp4"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "video/mp4"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "video/quicktime"),
        (b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42", "audio/x-m4a"),
        (b"\0\0\0\x18ftypM4V \0\0\0\0M4V mp42", "video/x-m4v"),
        (b"\0\0\0\x14ftyp3gp4\0\0\0\x003gp4", "video/3gpp"),
        (b"\x1A\x45\xDF\xA3\x9F\x42\x86\x81\x01\x42\x82\x84webm\0", "video/webm"),
        (b"\x1A\x45\xDF\xA3\x9F\x42\x86\x81\x01\x42\x82\x88matroska\0", "video/x-matroska"),
        (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0", "audio/x-wav"),
        (b"RIFF\x24\0\0\0AVI LIST\x10\0\0\0", "video/x-msvideo"),
        (b"ID3\x04\0\0\0\0\0\x23TSSE\0", "audio/mpeg"),
        (b"\xFF\xFB\x90\x64\0\0\0", "audio/mpeg"),
        (b"\xFF\xFB\xFF\x64\0\0\0", "application/octet-stream"),
        (b"OggS\0\x02\0\0\0\0\0\0\0\0\x01\x02\x03\x04\0\0\0\0\0\0\0\0\x01\x1E\x01vorbis\0", "audio/ogg"),
        (b"fLaC\0\0\0\x22", "audio/flac"),
        (b"MThd\0\0\0\x06\0\0\0\x01\0\x60MTrk", "audio/midi"),
        (b"FLV\x01\x05\0\0\0\x09", "video/x-flv"),
        (b"\x1F\x8B\x08\0\0\0\0\0\0\x03", "application/gzip"),
        (b"BZh91AY&SY\0", "application/x-bzip2"),
        (b"\xFD7zXZ\0\0\x04", "application/x-xz"),
        (b"7z\xBC\xAF\x27\x1C\0\x04", "application/x-7z-compressed"),
        (b"Rar!\x1A\x07\x01\0", "application/x-rar"),
        (b"\x28\xB5\x2F\xFD\x04\0", "application/zstd"),
        (b"SQLite format 3\0\x10\0", "application/vnd.sqlite3"),
        (b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0", "image/vnd.microsoft.icon"),
        (b"8BPS\0\x01\0\0\0\0\0\0\0\x03", "image/vnd.adobe.photoshop"),
        (b"\xFF\x0A\xFA\x7F\x01\x90\0", "image/jxl"),
        (b"\0asm\x01\0\0\0", "application/wasm"),
        (b"\x7FELF\x02\x01\x01\0", "application/x-executable"),
        (b"wOF2\0\x01\0\0", "font/woff2"),
    ];
    for (bytes, expected) in rows {
        let answer = look(bytes);
        assert_eq!(answer.content.mime.mime, *expected, "{:?}", String::from_utf8_lossy(bytes));
        assert!(!answer.is_image);
    }
    // Raw pictures of a camera begin like TIFF.
    assert_eq!(mime(&padded(b"II*\0\x10\0\0\0CR\x02\0")), "image/x-canon-cr2");
    assert_eq!(mime(&padded(b"MZ\x90\0\x03\0\0\0")), "application/vnd.microsoft.portable-executable");
    assert_eq!(mime(&vec![0; 4096]), "application/octet-stream");
    // A picture by its signature alone keeps its type.
    for (bytes, expected) in [
        (&b"\xFF\xD8\xFF\xE0\0\x10JFIF\0"[..], "image/jpeg"),
        (b"\x89PNG\r\n\x1A\n", "image/png"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
        (b"II*\0\x08\0\0\0\0\0", "image/tiff"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image/heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "image/heif"),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", "image/avif"),
    ] {
        let answer = look(bytes);
        assert_eq!((answer.content.mime.mime.as_str(), answer.is_image), (expected, false));
    }
}

/// One member of a ZIP archive, stored.
fn member(name: &str, content: &[u8], streamed: bool) -> Vec<u8> {
    let len = u32::try_from(if streamed { 0 } else { content.len() }).unwrap().to_le_bytes();
    let mut bytes = b"PK\x03\x04\x14\0".to_vec();
    bytes.extend([if streamed { 8 } else { 0 }, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([len, len].concat());
    bytes.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend(name.as_bytes());
    bytes.extend(content);
    if streamed {
        bytes.extend(b"PK\x07\x08\0\0\0\0\0\0\0\0\0\0\0\0");
    }
    bytes
}

#[test]
fn archives_by_their_members() {
    const OFFICE: &str = "application/vnd.openxmlformats-officedocument.";
    for streamed in [false, true] {
        let archive = |names: &[&str]| {
            let members: Vec<_> = names.iter().map(|name| member(name, b"content", streamed)).collect();
            mime(&[members.concat(), b"PK\x01\x02".to_vec()].concat())
        };
        let start = "[Content_Types].xml";
        assert_eq!(archive(&["a.txt", "b/word.txt"]), "application/zip");
        assert_eq!(archive(&[start, "_rels/.rels", "word/document.xml"]), format!("{OFFICE}wordprocessingml.document"));
        assert_eq!(archive(&[start, "docProps/app.xml", "xl/workbook.xml"]), format!("{OFFICE}spreadsheetml.sheet"));
        assert_eq!(archive(&[start, "ppt/presentation.xml"]), format!("{OFFICE}presentationml.presentation"));
        // libmagic 5.44 says application/zip; its later versions say what we say.
        assert_eq!(archive(&["META-INF/MANIFEST.MF", "A.class"]), "application/java-archive");
        assert_eq!(
            archive(&["META-INF/MANIFEST.MF", "AndroidManifest.xml", "classes.dex"]),
            "application/vnd.android.package-archive"
        );
        for declared in ["application/vnd.oasis.opendocument.text", "application/epub+zip", "image/openraster"] {
            let bytes = [member("mimetype", declared.as_bytes(), streamed), member("a", b"b", streamed)].concat();
            assert_eq!(mime(&bytes), declared);
        }
        let hostile = [member("mimetype", b"text/<script>", streamed), member("a", b"b", streamed)].concat();
        assert_eq!(mime(&hostile), "application/zip");
    }
    assert_eq!(mime(b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "application/zip", "an empty archive");
}

/// A compound file with one directory sector, of the given class and names.
fn compound(class: [u8; 16], names: &[&str]) -> Vec<u8> {
    let mut bytes = vec![0; 1024];
    bytes[..8].copy_from_slice(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1");
    bytes[30] = 9;
    for (index, name) in names.iter().enumerate() {
        let at = 512 + index * 128;
        for (place, unit) in name.encode_utf16().enumerate() {
            bytes[at + place * 2..at + place * 2 + 2].copy_from_slice(&unit.to_le_bytes());
        }
        bytes[at + 64] = u8::try_from(name.len() * 2 + 2).unwrap();
    }
    bytes[512 + 80..512 + 96].copy_from_slice(&class);
    bytes
}

#[test]
fn compound_files_by_class_or_names() {
    let of_names = |names: &[&str]| mime(&compound([0; 16], names));
    assert_eq!(of_names(&["Root Entry", "1Table", "WordDocument"]), "application/msword");
    assert_eq!(of_names(&["Root Entry", "Workbook"]), "application/vnd.ms-excel");
    assert_eq!(of_names(&["Root Entry", "x", "y", "PowerPoint Document"]), "application/vnd.ms-powerpoint");
    assert_eq!(of_names(&["Root Entry", "__properties_version1.0"]), "application/vnd.ms-outlook");
    assert_eq!(of_names(&["Root Entry", "other"]), "application/CDFV2");
    let installer = *b"\x84\x10\x0C\0\0\0\0\0\xC0\0\0\0\0\0\0\x46";
    assert_eq!(mime(&compound(installer, &["Root Entry"])), "application/x-msi");
}
