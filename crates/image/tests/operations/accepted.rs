//! What is read, and as what.

use stowage_image::operations::{
    Adjustment, Align, Color, Crop, CropObject, Detector, Facts, Family, FontChange, Format, Horizontal, Length,
    Offset, OverlaySource, Percent, Quality, Region, Sides, Size, Smart, Step, Stretch, StripMeta, TextBox, Vertical,
};

use super::read;

const ID: &str = "b18b5179-b9f6-4fdc-9920-5539f938fc44";

fn step(path: &str) -> Step {
    let mut steps = read(path).steps;
    assert_eq!(steps.len(), 1, "{path}");
    steps.remove(0)
}

fn share(percent: f64) -> Length {
    Length::Percent(Percent(percent))
}

fn at(x: f64, y: f64) -> Align {
    Align { x: Offset::Percent(Percent(x)), y: Offset::Percent(Percent(y)) }
}

#[test]
fn sizes() {
    assert_eq!(step("-/preview/"), Step::Preview { width: 2048, height: 2048 });
    assert_eq!(step("-/preview/300x500/"), Step::Preview { width: 300, height: 500 });
    assert_eq!(step("-/resize/400x/"), Step::Resize(Sides::Width(400)));
    assert_eq!(step("-/resize/x450/"), Step::Resize(Sides::Height(450)));
    assert_eq!(step("-/resize/400x300/"), Step::Resize(Sides::Both(400, 300)));
    assert_eq!(step("-/smart_resize/440x600/"), Step::SmartResize { width: 440, height: 600 });
    assert_eq!(step("-/stretch/fill/"), Step::Stretch(Stretch::Fill));
    assert_eq!(step("-/zoom_objects/0/"), Step::ZoomObjects(0));
}

#[test]
fn crops() {
    let crop = |path| match step(path) {
        Step::Crop(crop) => crop,
        other => panic!("{path}: {other:?}"),
    };
    let none = Crop { object: None, ratio: None, size: None, align: None };
    let size = |width, height| Some(Size { width, height });
    let pixels = Length::Pixels;
    assert_eq!(crop("-/crop/50x60"), Crop { size: size(pixels(50), pixels(60)), ..none });
    assert_eq!(crop("-/crop/50px30p"), Crop { size: size(share(50.0), share(30.0)), ..none });
    assert_eq!(crop("-/crop/50%x320"), Crop { size: size(share(50.0), pixels(320)), ..none });
    assert_eq!(
        crop("-/crop/60x60/-20,100p"),
        Crop {
            size: size(pixels(60), pixels(60)),
            align: Some(Align { x: Offset::Pixels(-20), y: Offset::Percent(Percent(100.0)) }),
            ..none
        }
    );
    assert_eq!(crop("-/crop/3:2"), Crop { ratio: Some((3, 2)), ..none });
    assert_eq!(crop("-/crop/16:9/right"), Crop { ratio: Some((16, 9)), align: Some(at(100.0, 50.0)), ..none });
    let face = Crop { object: Some(CropObject::Face), ..none };
    assert_eq!(crop("-/crop/face"), face);
    assert_eq!(crop("-/crop/face/1:1"), Crop { ratio: Some((1, 1)), ..face });
    assert_eq!(crop("-/crop/face/1:1/top"), Crop { ratio: Some((1, 1)), align: Some(at(50.0, 0.0)), ..face });
    assert_eq!(
        crop("-/crop/face/4:3/150px150p/center"),
        Crop { ratio: Some((4, 3)), size: size(share(150.0), share(150.0)), align: Some(Align::CENTER), ..face }
    );
    assert_eq!(
        crop("-/crop/image/10x10"),
        Crop { object: Some(CropObject::Image), size: size(pixels(10), pixels(10)), ..none }
    );
}

#[test]
fn scale_crops() {
    let bare = |smart, align| Step::ScaleCrop { width: 30, height: 40, smart, align };
    assert_eq!(step("-/scale_crop/30x40/"), bare(None, None));
    assert_eq!(step("-/scale_crop/30x40/center/"), bare(None, Some(Align::CENTER)));
    assert_eq!(step("-/scale_crop/30x40/bottom/"), bare(None, Some(at(50.0, 100.0))));
    let smart = Smart(&[Detector::Faces, Detector::Objects, Detector::Points]);
    assert_eq!(step("-/scale_crop/30x40/smart/"), bare(Some(smart), None));
    assert_eq!(step("-/scale_crop/30x40/smart_faces_objects_points/left/"), bare(Some(smart), Some(at(0.0, 50.0))));
    let smart = Smart(&[Detector::Objects, Detector::Faces]);
    assert_eq!(step("-/scale_crop/30x40/smart_objects_faces/0p,10p/"), bare(Some(smart), Some(at(0.0, 10.0))));
}

#[test]
fn frames() {
    assert_eq!(step("-/trim/"), Step::Trim { tolerance: 10, padding: Length::Pixels(0) });
    assert_eq!(step("-/trim/auto/"), Step::Trim { tolerance: 10, padding: Length::Pixels(0) });
    assert_eq!(step("-/trim/5/2.5p/"), Step::Trim { tolerance: 5, padding: share(2.5) });
    let [one, two, three, four] = [Length::Pixels(1), share(2.0), Length::Pixels(3), share(4.5)];
    let radius = |horizontal, vertical| Step::BorderRadius { horizontal, vertical };
    assert_eq!(step("-/border_radius/1/"), radius([one; 4], None));
    assert_eq!(step("-/border_radius/1,2p/"), radius([one, two, one, two], None));
    assert_eq!(step("-/border_radius/1,2p,3/"), radius([one, two, three, two], None));
    assert_eq!(step("-/border_radius/1,2%,3,4.5p/1/"), radius([one, two, three, four], Some([one; 4])));
    let color = |red, green, blue, alpha| Step::SetFill(Color { red, green, blue, alpha });
    assert_eq!(step("-/setfill/ECE3d2/"), color(0xec, 0xe3, 0xd2, 255));
    assert_eq!(step("-/setfill/1af/"), color(0x11, 0xaa, 0xff, 255));
    assert_eq!(step("-/setfill/1af8/"), color(0x11, 0xaa, 0xff, 0x88));
    assert_eq!(step("-/setfill/0102037f/"), color(1, 2, 3, 0x7f));
}

#[test]
fn turns() {
    for (angle, turns) in [("0", 0), ("90", 1), ("270", 3), ("360", 0), ("-90", 3), ("-360", 0), ("450", 1)] {
        assert_eq!(step(&format!("-/rotate/{angle}/")), Step::Rotate(turns), "{angle}");
    }
    assert_eq!(read("-/flip/-/mirror/").steps, [Step::Flip, Step::Mirror]);
}

#[test]
fn colours_and_detail() {
    assert_eq!(step("-/brightness/-100/"), Step::Adjust(Adjustment::Brightness, -100));
    assert_eq!(step("-/gamma/1000/"), Step::Adjust(Adjustment::Gamma, 1000));
    assert_eq!(step("-/vibrance/500/"), Step::Adjust(Adjustment::Vibrance, 500));
    assert_eq!([step("-/enhance/"), step("-/enhance/7/")], [Step::Enhance(50), Step::Enhance(7)]);
    assert_eq!(step("-/filter/adaris/"), Step::Filter { name: 0, amount: 100 });
    assert_eq!(step("-/filter/zevcen/-100/"), Step::Filter { name: 39, amount: -100 });
    assert_eq!(step("-/blur/"), Step::Blur { strength: 10, amount: 100 });
    assert_eq!(step("-/blur/200/-120/"), Step::Blur { strength: 200, amount: -120 });
    assert_eq!([step("-/sharp/"), step("-/sharp/20/")], [Step::Sharp(5), Step::Sharp(20)]);
    let faces = |strength| Step::BlurRegion { region: Region::Faces, strength };
    assert_eq!([step("-/blur_region/faces/"), step("-/blur_region/faces/250/")], [faces(None), faces(Some(250))]);
    let region = Region::Box(Size { width: share(30.0), height: Length::Pixels(80) }, at(50.0, 10.0));
    assert_eq!(step("-/blur_region/30px80/50p,10p/20/"), Step::BlurRegion { region, strength: Some(20) });
    assert_eq!(step("-/blur_region/30px80/50p,10p/"), Step::BlurRegion { region, strength: None });
}

#[test]
fn overlays_by_the_form_of_their_parameters() {
    let all = Size { width: share(100.0), height: share(100.0) };
    let half = Size { width: share(50.0), height: share(50.0) };
    let full = Percent(100.0);
    let source = OverlaySource::File(ID.parse().unwrap());
    let over = |size, align, opacity| Step::Overlay { source, size, align, opacity };
    for (rest, expected) in [
        ("", over(all, Align::TOP_LEFT, full)),
        ("/50px50p", over(half, Align::TOP_LEFT, full)),
        ("/50px50p/20p", over(half, Align::TOP_LEFT, Percent(20.0))),
        ("/center", over(all, Align::CENTER, full)),
        ("/40p", over(all, Align::TOP_LEFT, Percent(40.0))),
        ("/50px50p/center/40p", over(half, Align::CENTER, Percent(40.0))),
        ("/center/50px50p/40p", over(half, Align::CENTER, Percent(40.0))),
    ] {
        assert_eq!(step(&format!("-/overlay/{ID}{rest}/")), expected, "{rest}");
        assert_eq!(step(&format!("-/overlay/{}{rest}/", ID.to_uppercase())), expected, "{rest}");
    }
    let own = Step::Overlay { source: OverlaySource::Own, size: all, align: Align::CENTER, opacity: full };
    assert_eq!(step("-/overlay/self/100px100p/center/"), own);
    let twice = read(&format!("-/overlay/{ID}/-/overlay/self/-/overlay/{ID}/center/"));
    assert_eq!(twice.overlays(), [ID.parse().unwrap()]);
}

#[test]
fn rectangles_and_texts() {
    let size = Size { width: share(80.0), height: Length::Pixels(20) };
    let red = Color { red: 255, green: 0, blue: 0, alpha: 128 };
    assert_eq!(step("-/rect/ff000080/80px20/center/"), Step::Rect { color: red, size, align: Align::CENTER });
    let text = |text: &str| Step::Text { size, align: Align::CENTER, text: text.to_owned() };
    assert_eq!(step("-/text/80px20/center/Up~~load~nca~sre 👍/"), text("Up~load\nca/re 👍"));
    assert_eq!(step("-/text/80px20/center/~x~/"), text("~x~"));
    assert!(read("-/text/80px20/center/a/").has_text() && !read("-/font/bold/").has_text());
    assert_eq!(
        step("-/text_align/right/bottom/"),
        Step::TextAlign { horizontal: Horizontal::Right, vertical: Vertical::Bottom }
    );
    let text_box = |color, padding| Step::TextBox { mode: TextBox::Fit, color, padding };
    let grey = Some(Color { red: 0x11, green: 0, blue: 0, alpha: 255 });
    assert_eq!(step("-/text_box/fit/"), text_box(None, None));
    assert_eq!(step("-/text_box/fit/10/"), text_box(None, Some(10)));
    assert_eq!(step("-/text_box/fit/100/"), text_box(grey, None));
    assert_eq!(step("-/text_box/fit/110000/100/"), text_box(grey, Some(100)));
}

#[test]
fn fonts() {
    let none = FontChange::default();
    let font = |path| match step(path) {
        Step::Font(font) => font,
        other => panic!("{path}: {other:?}"),
    };
    let white = Some(Color { red: 255, green: 255, blue: 255, alpha: 255 });
    let digits = |red, green, blue| Some(Color { red, green, blue, alpha: 255 });
    assert_eq!(font("-/font/reset/"), FontChange { reset: true, ..none });
    assert_eq!(font("-/font/20/fff/"), FontChange { size: Some(20), color: white, ..none });
    assert_eq!(font("-/font/120/"), FontChange { size: Some(120), ..none });
    assert_eq!(font("-/font/120/340/"), FontChange { size: Some(120), color: digits(0x33, 0x44, 0), ..none });
    assert_eq!(font("-/font/000000/"), FontChange { color: digits(0, 0, 0), ..none });
    assert_eq!(
        font("-/font/reset/bold/italic/30/336699/NotoSerif/"),
        FontChange {
            reset: true,
            bold: Some(true),
            italic: Some(true),
            size: Some(30),
            color: digits(0x33, 0x66, 0x99),
            family: Some(Family::NotoSerif),
        }
    );
    assert_eq!(font("-/font/regular/normal/"), FontChange { bold: Some(false), italic: Some(false), ..none });
}

#[test]
fn the_last_setting_of_a_kind_counts() {
    let path = "-/quality/best/-/format/jpg/-/quality/smart_retina/-/strip_meta/sensitive/-/progressive/yes/";
    let settings = read(path).settings;
    assert_eq!(settings.format, Some(Format::Jpeg));
    assert_eq!(settings.quality, Some(Quality::SmartRetina));
    assert_eq!(settings.strip_meta, Some(StripMeta::Sensitive));
    assert_eq!(settings.progressive, Some(true));
    assert_eq!(read("-/max_icc_size/0/-/srgb/icc/").settings.max_icc_size, Some(0));
    assert_eq!(read("-/inline/yes/-/inline/no/").inline, Some(false));
}

#[test]
fn markers_of_official_components_mean_nothing() {
    let marked = "-/format/auto/-/stretch/off/-/resize/320x/-/@clib/@uploadcare/file-uploader/1.25.0/uc-editor/";
    assert_eq!(read(marked), read("-/format/auto/-/stretch/off/-/resize/320x/"));
    assert_eq!(read("-/json/-/@clib/x/").facts, Some(Facts::Json));
    assert_eq!(read("-/@a/-/@b/c/d/e/"), read(""));
}

#[test]
fn what_makes_the_picture_be_made_anew() {
    for processing in
        ["preview", "rasterize", "setfill/fff", "stretch/off", "format/auto", "strip_meta/all", "srgb/icc"]
    {
        assert!(read(&format!("-/{processing}/")).processes(), "{processing}");
    }
    for plain in ["", "-/inline/no/", "-/autorotate/no/", "-/json/", "-/main_colors/7/", "-/@clib/preview/"] {
        assert!(!read(plain).processes(), "{plain}");
    }
    assert!(read("-/autorotate/no/-/progressive/no/").processes());
    assert_eq!(read("-/main_colors/").facts, Some(Facts::MainColors(4)));
    assert_eq!(read("-/main_colors/256/").facts, Some(Facts::MainColors(256)));
    assert_eq!(read("-/jsonp/").facts, Some(Facts::Jsonp));
}

#[test]
fn the_spelling_of_the_first_years() {
    assert_eq!(read("-/effect/flip/-/effect/blur/20/"), read("-/flip/-/blur/20/"));
}

#[test]
fn empty_pieces_are_passed_over() {
    assert_eq!(read("/-//resize///400x//"), read("-/resize/400x"));
}
