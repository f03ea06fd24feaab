mod hostile;
mod properties;

use super::*;
use stowage_codecs::Bitmap;
use stowage_image::operations::{Crop, CropObject, Length, Offset, Percent, Sides, Size};

fn svg(root: &str, inside: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" {root}>{inside}</svg>"
    )
}

fn edited(document: &str, steps: &[Step]) -> (String, u32, u32) {
    let (bytes, width, height) = edit(document.as_bytes(), steps, &Limits::default()).unwrap();
    assert_eq!(size(&bytes).unwrap(), (width, height));
    (String::from_utf8(bytes).unwrap(), width, height)
}

/// The colour and opacity of a pixel.
fn pixel(bitmap: &Bitmap, x: u32, y: u32) -> [u8; 4] {
    let at = (y * bitmap.width + x) as usize * 4;
    bitmap.data[at..at + 4].try_into().unwrap()
}

fn painted(document: &str) -> Bitmap {
    rasterize(document.as_bytes(), None, &Limits::default()).unwrap()
}

fn refused(document: &str) -> String {
    rasterize(document.as_bytes(), None, &Limits::default()).unwrap_err().to_string()
}

const RED: [u8; 4] = [255, 0, 0, 255];
const BLUE: [u8; 4] = [0, 0, 255, 255];
const NOTHING: [u8; 4] = [0; 4];

#[test]
fn sizes_are_those_of_the_root() {
    for (root, expected) in [
        ("width='80' height='40px'", (80, 40)),
        ("width='1in' height='72pt'", (96, 96)),
        ("viewBox='0 0 30 60'", (30, 60)),
        ("width='100%' height='100%' viewBox='0,0,30,60'", (30, 60)),
        ("width='60' viewBox='0 0 30 20'", (60, 40)),
        ("", (300, 150)),
    ] {
        assert_eq!(size(svg(root, "").as_bytes()).unwrap(), expected, "{root}");
    }
    for document in ["<svg width='0' height='1'/>", "<g/>", "<svg", "", "<svg width=5/>"] {
        assert!(matches!(size(document.as_bytes()), Err(RenderError::Damaged(_))), "{document}");
    }
}

#[test]
fn everything_but_the_root_stays_as_it_was() {
    let document = "\u{feff}<?xml version=\"1.0\"?>\n<!-- <svg> -->\n<svg id='a'\n  width = '80' style=\"color:red; WIDTH:9px;fill:blue\"\n\
                    height=\"40\" xmlns=\"http://www.w3.org/2000/svg\" data-x=\"&lt;>\" >\n <script>x</script> </svg>\n<!-- end -->";
    let (text, width, height) = edited(document, &[Step::Resize(Sides::Width(160))]);
    assert_eq!((width, height), (160, 80));
    let expected = "\u{feff}<?xml version=\"1.0\"?>\n<!-- <svg> -->\n<svg id='a' style=\"color:red;fill:blue\" \
                    xmlns=\"http://www.w3.org/2000/svg\" data-x=\"&lt;>\" width=\"160\" height=\"80\" viewBox=\"0 0 80 40\">\n \
                    <script>x</script> </svg>\n<!-- end -->";
    assert_eq!(text, expected);
}

#[test]
fn other_steps_leave_the_document_alone() {
    let document = svg("width='80' height='40'", "<g/>");
    let steps = [Step::Rotate(1), Step::Flip, Step::Invert, Step::Preview { width: 100, height: 100 }];
    assert_eq!(edited(&document, &steps), (document.clone(), 80, 40));
}

#[test]
fn one_byte_encodings_are_kept() {
    let document =
        b"<?xml version='1.0' encoding='iso-8859-1'?><svg width='8' height='4' id='\xe4'><text>\xfc</text></svg>";
    let (bytes, ..) = edit(document, &[Step::Resize(Sides::Both(4, 2))], &Limits::default()).unwrap();
    let expected: &[u8] = b"<?xml version='1.0' encoding='iso-8859-1'?><svg id='\xe4' width=\"4\" height=\"2\" \
                            viewBox=\"0 0 8 4\"><text>\xfc</text></svg>";
    assert_eq!(bytes, expected);
}

#[test]
fn scaling_keeps_the_view_and_cutting_changes_it() {
    let document = svg("width='200' height='100' viewBox='0 0 20 10' preserveAspectRatio='xMinYMin'", "");
    let (text, width, height) = edited(&document, &[Step::Preview { width: 100, height: 100 }]);
    assert_eq!((width, height), (100, 50));
    assert!(text.contains("viewBox='0 0 20 10' preserveAspectRatio='xMinYMin' width=\"100\" height=\"50\">"), "{text}");
    let size = Size { width: Length::Pixels(50), height: Length::Percent(Percent(50.0)) };
    let align = Align { x: Offset::Pixels(100), y: Offset::Percent(Percent(100.0)) };
    let crop = Step::Crop(Crop { object: None, ratio: None, size: Some(size), align: Some(align) });
    let (text, width, height) = edited(&document, &[crop]);
    assert_eq!((width, height), (50, 50));
    assert!(text.contains("width=\"50\" height=\"50\" viewBox=\"10 5 5 5\">"), "{text}");
    let steps = [Step::ScaleCrop { width: 50, height: 50, smart: None, align: Some(Align::CENTER) }];
    let (text, ..) = edited(&document, &steps);
    assert!(text.contains("width=\"50\" height=\"50\" viewBox=\"5 0 10 10\">"), "{text}");
}

#[test]
fn distortion_is_said() {
    let document = svg("width='200' height='100'", "");
    let (text, ..) = edited(&document, &[Step::Resize(Sides::Both(100, 100))]);
    assert!(
        text.contains("width=\"100\" height=\"100\" viewBox=\"0 0 200 100\" preserveAspectRatio=\"none\">"),
        "{text}"
    );
    // A third of a pixel is none.
    let (text, ..) = edited(&document, &[Step::Resize(Sides::Width(33))]);
    assert!(text.contains("width=\"33\" height=\"17\" viewBox=\"0 0 200 100\">"), "{text}");
}

#[test]
fn canvases_grow_around_the_middle() {
    let document = svg("width='20' height='10'", "");
    let steps = [Step::Stretch(Stretch::Fill), Step::Resize(Sides::Both(40, 10))];
    let (text, width, height) = edited(&document, &steps);
    assert_eq!((width, height), (40, 10));
    assert!(text.contains("viewBox=\"-10 0 40 10\">"), "{text}");
    let steps = [Step::Stretch(Stretch::Off), Step::Resize(Sides::Width(40))];
    assert_eq!(edited(&document, &steps).0, document);
}

#[test]
fn a_view_that_does_not_fit_is_cut_as_it_is_shown() {
    // Ten units are shown on each side of the view.
    let document = svg("width='40' height='20' viewBox='0 0 10 10'", "");
    let half = Size { width: Length::Percent(Percent(50.0)), height: Length::Percent(Percent(50.0)) };
    let crop = Crop { object: Some(CropObject::Face), ratio: None, size: Some(half), align: Some(Align::TOP_LEFT) };
    let (text, ..) = edited(&document, &[Step::Crop(crop)]);
    assert!(text.contains("viewBox=\"-5 0 10 5\">"), "{text}");
}

#[test]
fn a_cut_shows_what_was_there() {
    let inside = "<path fill='red' d='M0 0h10v10H0z'/><path fill='blue' d='M10 0h10v10H10z'/>";
    for root in ["width='80' height='40' viewBox='0 0 20 10'", "viewBox='0 0 20 10'"] {
        let crop = Crop { object: None, ratio: Some((1, 1)), size: None, align: None };
        let (text, width, height) = edited(&svg(root, inside), &[Step::Crop(crop)]);
        let picture = painted(&text);
        assert_eq!((picture.width, picture.height), (width, height));
        assert_eq!(pixel(&picture, 1, 1), RED);
        assert_eq!(pixel(&picture, width - 2, 1), BLUE);
    }
}

#[test]
fn a_step_over_the_limits_is_refused() {
    let document = svg("width='200' height='100'", "");
    let error = edit(document.as_bytes(), &[Step::Resize(Sides::Both(40_000, 1))], &Limits::default()).unwrap_err();
    assert!(matches!(error, RenderError::TooLarge(_)), "{error}");
}

#[test]
fn shapes_become_pixels() {
    let inside = "<rect width='10' height='10' fill='#f00'/><circle cx='30' cy='10' r='8' fill='blue' opacity='.5'/>";
    let picture = painted(&svg("width='40' height='20'", inside));
    assert_eq!((picture.width, picture.height), (40, 20));
    assert_eq!(pixel(&picture, 5, 5), RED);
    assert_eq!(pixel(&picture, 15, 15), NOTHING);
    let [red, green, blue, alpha] = pixel(&picture, 30, 10);
    assert!((red, green) == (0, 0) && blue == 255 && alpha.abs_diff(128) <= 1, "{:?}", pixel(&picture, 30, 10));
}

#[test]
fn pictures_are_painted_as_large_as_they_are_needed() {
    let document = svg("width='40' height='20'", "<rect width='20' height='20' fill='red'/>");
    for (asked, expected) in [((10, 10), (20, 10)), ((400, 100), (400, 200)), ((1, 1), (2, 1))] {
        let picture = rasterize(document.as_bytes(), Some(asked), &Limits::default()).unwrap();
        assert_eq!((picture.width, picture.height), expected);
        assert_eq!(pixel(&picture, 0, 0), RED);
        assert_eq!(pixel(&picture, expected.0 - 1, 0), NOTHING);
    }
}

#[test]
fn style_sheets_and_references_work() {
    let inside = "<style type='text/x'>rect { fill: none }</style><style>/* c */ .a, g > .b { fill: url(#g) } @media print { .a { fill: none } } #c{fill:blue}</style>\
        <linearGradient id='g'><stop stop-color='red'/></linearGradient>\
        <defs><rect id='r' width='10' height='10'/><clipPath id='k'><rect width='5' height='40'/></clipPath></defs>\
        <rect class='a' width='10' height='10'/><use xlink:href='#r' x='10' class='a'/>\
        <rect id='c' x='20' width='10' height='10' clip-path='url(#k)'/>\
        <rect x='30' width='10' height='10' style='fill:blue;clip-path:url(#none)'/>\
        <g clip-path='url(#k)'><rect y='10' width='40' height='10' fill='red'/></g>";
    let picture = painted(&svg("width='40' height='20'", inside));
    assert_eq!(pixel(&picture, 5, 5), RED);
    assert_eq!(pixel(&picture, 15, 5), RED);
    assert_eq!(pixel(&picture, 25, 5), NOTHING);
    assert_eq!(pixel(&picture, 2, 15), RED);
    assert_eq!(pixel(&picture, 8, 15), NOTHING);
}

#[test]
fn prefixes_entities_and_encodings_are_read() {
    let document = "<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY ns 'http://www.w3.org/2000/svg'><!ENTITY color \"red\">]>\
                    <s:svg xmlns:s='&ns;' width='4' height='4'><s:rect width='4' height='4' fill='&color;'/></s:svg>";
    assert_eq!(pixel(&painted(document), 1, 1), RED);
    let document = b"<svg width='4' height='4'><!-- \xfc --><rect id='\xe4' width='4' height='4' fill='red'/></svg>";
    assert_eq!(pixel(&rasterize(document, None, &Limits::default()).unwrap(), 1, 1), RED);
}

#[test]
fn texts_are_written_in_our_fonts() {
    let text = "<text x='5' y='30' font-size='30' font-family='Arial'>M<tspan fill='red'>M</tspan></text>";
    let picture = painted(&svg("width='80' height='40'", text));
    let black = picture.data.chunks_exact(4).filter(|pixel| *pixel == [0, 0, 0, 255]).count();
    let red = picture.data.chunks_exact(4).filter(|pixel| *pixel == RED).count();
    assert!(black > 100 && red > 100, "{black} {red}");
}
