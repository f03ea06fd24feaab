//! Videos of animated pictures, made by the ffmpeg of this machine.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use stowage_delivery::{Options, VariantError, VideoRequest};
use stowage_image::operations::VideoOperations;
use stowage_model::{File, ImageInfo};

use crate::house::{House, bytes, facts, files_below, options};

/// Two colours, each frame a plain one: 16 by 10 pixels, 200 and 400 milliseconds.
fn gif() -> Vec<u8> {
    let mut gif = b"GIF89a".to_vec();
    gif.extend([16, 0, 10, 0, 0x80, 0, 0]);
    gif.extend([255, 0, 0, 0, 0, 255]);
    for (color, time) in [(0_u8, 20_u8), (1, 40)] {
        gif.extend([0x21, 0xf9, 4, 0, time, 0, 0, 0]);
        gif.extend([0x2c, 0, 0, 0, 0, 16, 0, 10, 0, 0]);
        gif.push(2);
        gif.extend(lzw(color, 160));
    }
    gif.push(0x3b);
    gif
}

/// Codes of three bits, with a clear code before each pair so that they never grow.
fn lzw(color: u8, pixels: usize) -> Vec<u8> {
    let mut codes = Vec::new();
    for at in 0..pixels {
        if at % 2 == 0 {
            codes.push(4);
        }
        codes.push(color);
    }
    codes.push(5);
    let (mut packed, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for code in codes {
        bits |= u32::from(code) << count;
        count += 3;
        while count >= 8 {
            packed.push(bits.to_le_bytes()[0]);
            bits >>= 8;
            count -= 8;
        }
    }
    packed.push(bits.to_le_bytes()[0]);
    let mut blocks = Vec::new();
    for block in packed.chunks(255) {
        blocks.push(block.len().to_le_bytes()[0]);
        blocks.extend(block);
    }
    blocks.push(0);
    blocks
}

#[expect(clippy::print_stderr, reason = "a skipped test must be seen in its output")]
fn ffmpeg() -> Option<String> {
    let found = ["/usr/bin/ffmpeg", "/usr/local/bin/ffmpeg"].into_iter().find(|path| Path::new(path).exists());
    if found.is_none() {
        eprintln!("skipped: there is no ffmpeg");
    }
    found.map(str::to_owned)
}

async fn animated(house: &House) -> Arc<File> {
    let info = ImageInfo { sequence: true, ..facts("GIF", 16, 10) };
    house.file("a.gif", &Bytes::from(gif()), Some(info)).await
}

async fn video(house: &House, file: &Arc<File>, path: &str) -> Result<stowage_delivery::Variant, VariantError> {
    let pieces: Vec<&str> = path.split('/').filter(|piece| !piece.is_empty()).collect();
    let operations = VideoOperations::parse(&pieces).unwrap();
    house.delivery.video(VideoRequest { file, operations: &operations }).await
}

/// What ffprobe says about the picture: codec, width, height, seconds.
fn probe(path: &Path) -> String {
    let asked = ["-v", "error", "-show_entries", "stream=codec_name,width,height:format=duration", "-of", "csv=p=0"];
    let output = Command::new("ffprobe").args(asked).arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn an_animated_picture_becomes_a_video() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), Options { ffmpeg, ..options() }).await;
    let file = animated(&house).await;
    for (path, media_type, size, probed) in [
        ("", "video/mp4", (16, 10), "h264,16,10 0.600000"),
        ("-/format/webm/-/quality/best/", "video/webm", (16, 10), "vp9,16,10 0.600000"),
        ("-/scale_crop/9x9/center/", "video/mp4", (8, 8), "h264,8,8 0.600000"),
        ("-/crop/20x20/-2,-2/", "video/mp4", (20, 20), "h264,20,20 0.600000"),
    ] {
        let made = video(&house, &file, path).await.unwrap();
        assert_eq!((made.media_type, (made.width, made.height)), (media_type, size), "{path}");
        let out = folder.path().join("out");
        fs::write(&out, bytes(&made).await).unwrap();
        assert_eq!(probe(&out), probed, "{path}");
    }
    // The first frame is red, the last one blue.
    let made = video(&house, &file, "").await.unwrap();
    let out = folder.path().join("out");
    fs::write(&out, bytes(&made).await).unwrap();
    let raw = ["-v", "error", "-i", out.to_str().unwrap(), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"];
    let raw = Command::new("ffmpeg").args(raw).output().unwrap().stdout;
    let (first, last) = (&raw[..3], &raw[raw.len() - 3..]);
    assert!(first[0] > 200 && first[2] < 60 && last[2] > 200 && last[0] < 60, "{first:?} {last:?}");
    let left: Vec<_> =
        files_below(&house.folder.join("variants")).into_iter().filter(|path| path.ends_with("video")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn what_cannot_become_a_video_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let off = House::open(folder.path(), options()).await;
    let file = animated(&off).await;
    assert!(matches!(video(&off, &file, "").await, Err(VariantError::Invalid(why)) if why.contains("switched off")));
    let house = House::open(folder.path(), Options { ffmpeg: "/nowhere/ffmpeg".to_owned(), ..options() }).await;
    let still = house.picture(1, 30, 20).await;
    assert!(matches!(video(&house, &still, "").await, Err(VariantError::Invalid(why)) if why.contains("animated")));
    let text = house.file("a.txt", &Bytes::from_static(b"x"), None).await;
    assert_eq!(video(&house, &text, "").await.unwrap_err(), VariantError::NotAnImage);
    assert_eq!(video(&house, &file, "").await.unwrap_err(), VariantError::Failed, "the program is not there");
    let large = video(&house, &file, "-/resize/4000x/").await.unwrap_err();
    assert!(matches!(large, VariantError::TooLarge(_)));
    let ffmpeg = "/nowhere/ffmpeg".to_owned();
    let poor = House::open(folder.path(), Options { ffmpeg, render_memory: 1000, ..options() }).await;
    let file = animated(&poor).await;
    assert!(matches!(video(&poor, &file, "").await, Err(VariantError::TooLarge(why)) if why.contains("memory")));
}

#[tokio::test]
async fn videos_wait_in_a_line_of_their_own() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (program, go) = (folder.path().join("program"), folder.path().join("go"));
    // The first one keeps all others waiting.
    fs::write(&program, format!("#!/bin/sh\nuntil [ -e {} ]; do sleep 0.01; done; exit 1\n", go.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let ffmpeg = program.to_str().unwrap().to_owned();
    let house = House::open(folder.path(), Options { ffmpeg, render_queue: 1, ..options() }).await;
    let mut files = Vec::new();
    for _ in 0..10 {
        files.push(animated(&house).await);
    }
    let picture = house.picture(1, 30, 20).await;
    let videos = join_all(files.iter().map(|file| video(&house, file, "")));
    let meanwhile = async {
        let made = house.variant(&picture, "-/resize/10x/").await;
        fs::write(&go, "").unwrap();
        made
    };
    let (videos, made) = tokio::join!(videos, meanwhile);
    assert_eq!(made.unwrap().width, 10, "pictures have their own");
    let busy = videos.iter().filter(|video| matches!(video, Err(VariantError::Busy { .. }))).count();
    let failed = videos.iter().filter(|video| matches!(video, Err(VariantError::Failed))).count();
    assert_eq!((failed, busy), (8, 2));
}

#[tokio::test]
async fn a_program_that_hangs_or_fails_is_ended_and_leaves_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    for (script, wanted) in [
        ("#!/bin/sh\nsleep 600 & sleep 600\n", "busy"),
        ("#!/bin/sh\necho no such codec >&2; exit 1\n", "Internal error"),
        ("#!/bin/sh\nexit 0\n", "Internal error"),
    ] {
        let program = folder.path().join("program");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let ffmpeg = program.to_str().unwrap().to_owned();
        let video_timeout = Duration::from_secs(if script.contains("sleep") { 1 } else { 100 });
        let house = House::open(folder.path(), Options { ffmpeg, video_timeout, ..options() }).await;
        let file = animated(&house).await;
        let error = video(&house, &file, "").await.unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
        let folders = fs::read_dir(house.folder.join("variants")).unwrap().count();
        assert_eq!(folders, 0, "nothing is left");
        fs::remove_file(&program).unwrap();
    }
}
