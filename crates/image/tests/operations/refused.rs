//! What is refused, and with which words.

use stowage_image::operations::Operations;

use super::parse;

#[test]
fn nonsense_is_refused_by_name() {
    for path in [
        "preview/100x",
        "preview/0x10",
        "preview/10x10/10x10",
        "resize",
        "resize/400",
        "resize/x",
        "resize/0x",
        "resize/400x300x200",
        "resize/+4x",
        "resize/50px",
        "resize/1000001x",
        "resize/99999999999999999999x",
        "smart_resize/400x",
        "stretch",
        "stretch/maybe",
        "crop",
        "crop/0x50",
        "crop/0px50p",
        "crop/100",
        "crop/50x50/50x50",
        "crop/50x50/middle",
        "crop/50x50/1.5,2",
        "crop/50x50/10",
        "crop/0:1",
        "crop/1:0",
        "crop/1:1/10x10",
        "crop/1.5:1",
        "crop/-1:1",
        "crop/cat",
        "crop/face/face",
        "scale_crop/100x",
        "scale_crop/100x100/clever",
        "scale_crop/100x100/center/smart",
        "trim/101",
        "trim/-1",
        "trim/1/2/3",
        "trim/auto/5",
        "setfill",
        "setfill/#fff",
        "setfill/ff",
        "setfill/fffff",
        "setfill/ggg",
        "setfill/éé",
        "border_radius",
        "border_radius/1,2,3,4,5",
        "border_radius/1,,2",
        "border_radius/-1",
        "border_radius/1/2/3",
        "zoom_objects",
        "zoom_objects/101",
        "rotate",
        "rotate/45",
        "rotate/90.0",
        "flip/yes",
        "brightness",
        "brightness/101",
        "brightness/-101",
        "brightness/1.5",
        "brightness/--1",
        "gamma/-1",
        "gamma/1001",
        "exposure/501",
        "contrast/-101",
        "enhance/101",
        "filter",
        "filter/unknown",
        "filter/adaris/201",
        "blur/5001",
        "blur/10/101",
        "blur/10/-201",
        "blur_region",
        "blur_region/10x10",
        "blur_region/faces/5001",
        "blur_region/faces/faces",
        "sharp/21",
        "overlay",
        "overlay/others",
        "overlay/self/101p",
        "overlay/self/10x10/20x20",
        "overlay/b18b5179-b9f6-4fdc-9920-5539f938fc4",
        "rect/fff/10x10",
        "rect/10x10/center",
        "font",
        "font/bold/regular",
        "font/bold/Arial",
        "font/0",
        "font/bold/reset",
        "text_align/left",
        "text_align/top/left",
        "text_box/some",
        "text_box/fit/fff/-1",
        "text/10x10/center",
        "text/10x10/center/a/b",
        "text/10x10/center/a\u{7}b",
        "rasterize/yes",
        "format/gif",
        "format",
        "quality/80",
        "progressive/maybe",
        "strip_meta/true",
        "autorotate/1",
        "srgb/slow",
        "max_icc_size/-1",
        "max_icc_size/a",
        "inline/maybe",
        "json/yes",
        "main_colors/0",
        "main_colors/257",
        "main_colors/5/5",
        "blur-region/faces",
        "Preview",
        "detect_faces",
        "nope",
        "effect",
    ] {
        let error = parse(&format!("-/{path}/")).expect_err(path);
        assert_eq!(error.operation, path.split('/').next().unwrap(), "{path}");
        assert!(error.to_string().starts_with(&format!("`{}` ", error.operation)), "{error}");
        assert!(error.to_string().ends_with('.'), "{error}");
    }
}

#[test]
fn facts_come_last() {
    for (path, operation) in [
        ("-/json/-/preview/", "json"),
        ("-/jsonp/-/json/", "jsonp"),
        ("-/main_colors/-/inline/no/", "main_colors"),
        ("-/main_colors/3/-/format/png/", "main_colors"),
    ] {
        let error = parse(path).expect_err(path);
        assert_eq!((error.operation.as_str(), error.reason.as_str()), (operation, "has to be the last operation"));
    }
}

#[test]
fn paths_that_are_none() {
    for path in ["preview", "x/-/preview", "-", "-/-/preview", "-/preview/-"] {
        assert_eq!(parse(path).expect_err(path).operation, "", "{path}");
    }
}

#[test]
fn there_is_a_most_of_everything() {
    assert_eq!(parse(&"-/flip/".repeat(100)).unwrap().steps.len(), 100);
    assert!(parse(&"-/flip/".repeat(101)).is_err());
    assert_eq!(parse(&format!("{}-/@clib/x/", "-/flip/".repeat(100))).unwrap().steps.len(), 100);
    let text = |len| format!("-/text/10x10/center/{}/", "a".repeat(len));
    assert!(parse(&text(4000)).is_ok());
    assert!(parse(&text(5000)).is_err());
    let long = "9".repeat(3000);
    for path in [format!("-/resize/{long}x"), format!("-/crop/{long}px10p"), format!("-/{long}/")] {
        let error = parse(&path).unwrap_err();
        assert!(error.to_string().len() < 300, "{error}");
    }
}

#[test]
fn the_words_of_a_refusal() {
    for (path, words) in [
        ("-/nope/", "`nope` is not an operation."),
        ("-/sharp/21/", "`sharp` takes an integer from 0 to 20: `21`."),
        ("-/zoom_objects/", "`zoom_objects` takes an integer from 0 to 100."),
        ("-/flip/1/", "`flip` does not take this parameter: `1`."),
        ("-/stretch/x/", "`stretch` takes one of `on`, `off`, `fill`: `x`."),
        ("preview/", "An operation begins with `-`, not with `preview`."),
    ] {
        assert_eq!(parse(path).unwrap_err().to_string(), words);
    }
    assert_eq!(Operations::parse::<&str>(&[]).unwrap(), Operations::default());
}
