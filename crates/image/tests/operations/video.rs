//! The grammar behind `gif2video/`.

use stowage_image::operations::{OperationError, Quality, Sides, Step, VideoFormat, VideoOperations};

fn parse(path: &str) -> Result<VideoOperations, OperationError> {
    VideoOperations::parse(&path.split('/').collect::<Vec<_>>())
}

#[test]
fn what_is_read() {
    let bare = parse("").unwrap();
    assert_eq!((bare.format, bare.quality, bare.steps.len()), (VideoFormat::Mp4, None, 0));
    let all = parse("-/quality/lighter/-/format/webm/-/resize/100x/-/crop/10x10/center/-/inline/no/-/@x/y/").unwrap();
    assert_eq!((all.format, all.quality, all.inline), (VideoFormat::Webm, Some(Quality::Lighter), Some(false)));
    assert_eq!(all.steps[0], Step::Resize(Sides::Width(100)));
    let canonical = "-/resize/100x/-/crop/10x10/center/-/format/webm/-/quality/lighter/";
    assert_eq!(all.to_string(), canonical);
    assert_eq!(parse(canonical).unwrap(), VideoOperations { inline: None, ..all });
}

#[test]
fn what_is_refused() {
    for path in [
        "format/png",
        "quality/smart",
        "scale_crop/10x10/smart",
        "preview/10x",
        "resize/10x/10x",
        "blur/10",
        "json",
        "overlay/self",
        "text/10x10/center/a",
    ] {
        let error = parse(&format!("-/{path}/")).expect_err(path);
        assert_eq!(error.operation, path.split('/').next().unwrap(), "{path}");
    }
}
