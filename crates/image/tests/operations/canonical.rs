//! The canonical form: what it looks like, and that it is read as what it was made of.

use proptest::prelude::*;
use proptest::sample::select;
use stowage_image::operations::FILTERS;

use super::{parse, read};

#[test]
fn the_form() {
    for (path, canonical) in [
        ("", ""),
        ("-/inline/no/-/@clib/a/b", ""),
        ("-/quality/best/-/preview/-/format/jpg/", "-/preview/2048x2048/-/format/jpeg/-/quality/best/"),
        ("-/crop/50%x30.50p/50p,50p", "-/crop/50px30.5p/center/"),
        ("-/crop/face/4:3/0020x20", "-/crop/face/4:3/20x20/"),
        ("-/scale_crop/9x9/smart_faces_objects_points", "-/scale_crop/9x9/smart/"),
        ("-/border_radius/1,2,1", "-/border_radius/1,2,1,2/"),
        ("-/border_radius/1,1/2", "-/border_radius/1/2/"),
        ("-/rotate/-90/-/trim/-/blur/-/sharp", "-/rotate/270/-/trim/10/0/-/blur/10/100/-/sharp/5/"),
        ("-/setfill/FFF/-/setfill/ffff/-/setfill/12345678", "-/setfill/ffffff/-/setfill/ffffff/-/setfill/12345678/"),
        ("-/overlay/self", "-/overlay/self/100px100p/0,0/100p/"),
        ("-/text/9x9/top/a~sb~~c~nd", "-/text/9x9/top/a~sb~~c~nd/"),
        ("-/text_box/fit/7", "-/text_box/fit/00007/"),
        ("-/strip_meta/all/-/format/png/-/json", "-/format/png/-/strip_meta/all/-/json/"),
        ("-/main_colors", "-/main_colors/4/"),
    ] {
        assert_eq!(read(path).to_string(), canonical, "{path}");
    }
}

#[test]
fn what_counts_anyway_can_be_left_out() {
    for (path, left) in [
        ("-/preview/-/format/auto/-/quality/normal/", "-/preview/2048x2048/-/quality/normal/"),
        ("-/progressive/no/-/strip_meta/all/-/autorotate/yes/-/srgb/fast/-/inline/yes/", ""),
        ("-/format/png/-/progressive/yes/-/json/", "-/format/png/-/progressive/yes/-/json/"),
        ("-/strip_meta/none/-/autorotate/no/-/srgb/icc/", "-/strip_meta/none/-/autorotate/no/-/srgb/icc/"),
        (
            "-/strip_meta/sensitive/-/srgb/keep_profile/-/max_icc_size/10/",
            "-/strip_meta/sensitive/-/srgb/keep_profile/-/max_icc_size/10/",
        ),
    ] {
        assert_eq!(read(path).without_defaults().to_string(), left, "{path}");
    }
    assert_eq!(read("-/flip/-/format/auto/-/inline/yes/").without_defaults(), read("-/flip/"));
}

fn length() -> impl Strategy<Value = String> {
    prop_oneof![
        (1_u32..5000).prop_map(|pixels| pixels.to_string()),
        (1_u32..5000).prop_map(|percent| format!("{percent}p")),
        (0_u32..500, 0_u32..100_000).prop_map(|(whole, part)| format!("{whole}.{part:05}1%")),
    ]
}

fn size() -> impl Strategy<Value = String> {
    (length(), length()).prop_map(|(width, height)| format!("{width}x{height}"))
}

fn align() -> impl Strategy<Value = String> {
    let offset = || prop_oneof![length(), (-5000_i32..0).prop_map(|offset| offset.to_string())];
    prop_oneof![
        select(vec!["center", "top", "bottom", "left", "right", "0,0", "0p,100p"]).prop_map(str::to_owned),
        (offset(), offset()).prop_map(|(x, y)| format!("{x},{y}")),
    ]
}

/// One operation that is good, with all that can be written in it.
fn operation() -> impl Strategy<Value = String> {
    let color = || "[0-9a-fA-F]{3}([0-9a-fA-F]|[0-9a-fA-F]{3}|[0-9a-fA-F]{5})?";
    let dims = || (1_u32..4000, 1_u32..4000).prop_map(|(width, height)| format!("{width}x{height}"));
    let words = select(vec![
        "preview",
        "flip",
        "mirror",
        "grayscale",
        "invert",
        "rasterize",
        "trim",
        "enhance",
        "blur",
        "sharp/20",
        "crop/face",
        "rotate/-90",
        "stretch/fill",
        "format/auto",
        "format/avif",
        "quality/smart",
        "progressive/no",
        "strip_meta/none",
        "autorotate/yes",
        "srgb/icc",
        "max_icc_size/20",
        "inline/yes",
        "text_align/left/top",
        "text_box/line",
        "@x/y",
        "blur_region/faces",
        "overlay/self",
        "font/reset/bold",
        "zoom_objects/7",
        "gamma/70",
        "vibrance/-4",
        "resize/7x",
    ]);
    prop_oneof![
        words.prop_map(str::to_owned),
        (select(vec!["preview", "resize", "smart_resize", "scale_crop"]), dims()).prop_map(|(n, d)| format!("{n}/{d}")),
        (dims(), select(vec!["smart", "smart_faces_objects_points", "smart_points"]), align())
            .prop_map(|(dims, smart, align)| format!("scale_crop/{dims}/{smart}/{align}")),
        (size(), align()).prop_map(|(size, align)| format!("crop/{size}/{align}")),
        (1_u32..99, 1_u32..99, size(), align()).prop_map(|(a, b, s, at)| format!("crop/image/{a}:{b}/{s}/{at}")),
        (1_u32..99, 1_u32..99, align()).prop_map(|(a, b, align)| format!("crop/{a}:{b}/{align}")),
        (0_u32..=100, length()).prop_map(|(tolerance, padding)| format!("trim/{tolerance}/{padding}")),
        (prop::collection::vec(length(), 1..=4), prop::collection::vec(length(), 1..=4))
            .prop_map(|(one, two)| format!("border_radius/{}/{}", one.join(","), two.join(","))),
        color().prop_map(|color| format!("setfill/{color}")),
        (select(FILTERS.to_vec()), -100_i32..=200).prop_map(|(name, amount)| format!("filter/{name}/{amount}")),
        (0_u32..=5000, -200_i32..=100).prop_map(|(strength, amount)| format!("blur/{strength}/{amount}")),
        (size(), align(), 0_u32..=5000).prop_map(|(size, at, strength)| format!("blur_region/{size}/{at}/{strength}")),
        (align(), size(), 0_u32..=100).prop_map(|(at, size, opacity)| {
            format!("overlay/b18b5179-b9f6-4fdc-9920-5539f938fc44/{at}/{size}/{opacity}p")
        }),
        (color(), size(), align()).prop_map(|(color, size, align)| format!("rect/{color}/{size}/{align}")),
        (1_u32..3000, color()).prop_map(|(size, color)| format!("font/italic/{size}/{color}/NotoMono")),
        color().prop_map(|color| format!("font/{color}")),
        (color(), 0_u32..10_000).prop_map(|(color, padding)| format!("text_box/fill/{color}/{padding}")),
        (0_u32..10_000).prop_map(|padding| format!("text_box/fit/{padding}")),
        (size(), align(), "[^/\\p{Cc}]{1,20}").prop_filter_map("a dash begins an operation", |(size, at, text)| {
            (text != "-").then(|| format!("text/{size}/{at}/{text}"))
        }),
    ]
}

proptest! {
    #[test]
    fn what_was_written_is_read_as_the_same(
        operations in prop::collection::vec(operation(), 0..12),
        facts in select(vec!["", "-/json", "-/jsonp", "-/main_colors/9"]),
    ) {
        let path: String = operations.iter().flat_map(|operation| ["-/", operation.as_str(), "/"]).collect::<String>() + facts;
        let mut read = read(&path);
        let canonical = read.to_string();
        read.inline = None;
        let again = parse(&canonical).unwrap();
        prop_assert_eq!(&again, &read, "{} as {}", path, canonical);
        prop_assert_eq!(again.to_string(), canonical);
    }

    #[test]
    fn no_text_is_too_strange(pieces in prop::collection::vec(".{0,12}", 0..12)) {
        let _ = stowage_image::operations::Operations::parse(&pieces);
        let _ = stowage_image::operations::VideoOperations::parse(&pieces);
    }

    #[test]
    fn no_parameter_is_too_strange(
        names in prop::collection::vec(
            select(vec![
                "preview", "resize", "crop", "scale_crop", "trim", "border_radius", "rotate", "blur", "blur_region", "overlay",
                "rect", "font", "text_box", "text", "filter", "setfill", "main_colors", "contrast", "max_icc_size", "format",
            ]),
            1..4,
        ),
        parameters in prop::collection::vec("[-0-9a-fp%x:,.~é]{0,14}|center|face|self|smart|bold|[0-9]{20,40}p?", 0..4),
    ) {
        let pieces: Vec<&str> = names
            .iter()
            .flat_map(|name| ["-", name].into_iter().chain(parameters.iter().map(String::as_str)))
            .collect();
        if let Ok(read) = stowage_image::operations::Operations::parse(&pieces) {
            let canonical = read.to_string();
            prop_assert_eq!(parse(&canonical).map_err(|error| error.to_string()), Ok(read), "{}", canonical);
        }
    }
}
