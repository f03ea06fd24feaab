//! Whatever a document says: an answer, and no panic.

use super::*;
use proptest::prelude::*;

fn any_attribute() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "width",
        "height",
        "viewBox",
        "preserveAspectRatio",
        "d",
        "points",
        "fill",
        "stroke",
        "stroke-width",
        "stroke-dasharray",
        "transform",
        "opacity",
        "filter",
        "mask",
        "clip-path",
        "marker-mid",
        "href",
        "xlink:href",
        "id",
        "class",
        "style",
        "x",
        "y",
        "r",
        "font-size",
        "in",
        "result",
        "stdDeviation",
        "order",
        "kernelMatrix",
        "radius",
        "scale",
        "offset",
        "patternUnits",
        "gradientTransform",
        "textLength",
        "letter-spacing",
        "rotate",
        "dx",
        "writing-mode",
    ]);
    let number = prop_oneof![
        Just("0"),
        Just("-1"),
        Just("1e30"),
        Just("1e-30"),
        Just("1e9"),
        Just("1e7"),
        Just("123456.7"),
        Just("NaN"),
        Just("50%"),
        Just("7"),
        Just("3.5")
    ];
    let value = prop_oneof![
        prop::collection::vec(number, 1..6).prop_map(|numbers| numbers.join(" ")),
        prop::sample::select(vec![
            "url(#a)",
            "url(#b)",
            "#a",
            "#b",
            "a",
            "b",
            "none",
            "inherit",
            "red",
            "M0 0L9 9C1 1 1e9 2 3 3Z",
            "rotate(45)",
            "scale(0)",
            "matrix(1e9 0 0 1e9 0 0)",
            "blur(1e9px)",
            "SourceAlpha",
            "objectBoundingBox",
            "tb",
            "fill:url(#a);mask:url(#b)",
            "M0 0A1 1e9 9 0 1 5 5",
            "xMidYMid slice",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,12}".prop_map(|text| text.replace(['<', '&', '\''], "")),
    ];
    (name, value).prop_map(|(name, value)| format!(" {name}='{value}'"))
}

fn any_element() -> impl Strategy<Value = String> {
    let tag = prop::sample::select(clean::TAGS.to_vec());
    let attributes = prop::collection::vec(any_attribute(), 0..6).prop_map(|all| all.concat()).boxed();
    let leaf = (tag.clone(), attributes.clone()).prop_map(|(tag, attributes)| format!("<{tag}{attributes}>x</{tag}>"));
    leaf.prop_recursive(4, 24, 4, move |inner| {
        (tag.clone(), attributes.clone(), prop::collection::vec(inner, 0..4))
            .prop_map(|(tag, attributes, inner)| format!("<{tag}{attributes}>{}</{tag}>", inner.concat()))
    })
}

/// That the thread has painted it or given a reason; a panic in the renderer would be answered as damage that says so.
fn check(document: &[u8]) -> Result<(), TestCaseError> {
    let limits = Limits { max_pixels: 250_000, ..Limits::default() };
    match rasterize(document, Some((20, 20)), &limits) {
        Ok(bitmap) => prop_assert_eq!(bitmap.data.len(), bitmap.width as usize * bitmap.height as usize * 4),
        Err(error) => prop_assert!(!error.to_string().contains("cannot be painted"), "{}", error),
    }
    Ok(())
}

proptest! {
    #[test]
    fn nothing_panics(elements in prop::collection::vec(any_element(), 1..5), root in prop::collection::vec(any_attribute(), 0..3)) {
        check(svg(&root.concat(), &elements.concat()).as_bytes())?;
    }

    #[test]
    fn broken_documents_do_no_harm(element in any_element(), at: prop::sample::Index, byte: u8) {
        let mut document = svg("width='9' height='9'", &element).into_bytes();
        let at = at.index(document.len());
        document[at] = byte;
        check(&document)?;
        check(&document[..at])?;
        let _ = edit(&document, &[Step::Resize(Sides::Width(7))], &Limits::default());
    }

    #[test]
    fn edited_documents_have_the_size_that_is_said(
        root in prop::collection::vec(any_attribute(), 0..5), width in 1..4000_u32, height in 1..4000_u32,
    ) {
        let steps = [
            Step::ScaleCrop { width, height, smart: None, align: None }, Step::Preview { width: height, height: width },
        ];
        if let Ok((bytes, width, height)) = edit(svg(&root.concat(), "<g/>").as_bytes(), &steps, &Limits::default()) {
            prop_assert_eq!(size(&bytes), Ok((width, height)));
        }
    }
}
