//! Content made to hurt the check itself, and scripts hidden anywhere.

use std::io::{self, Read};

use crate::{Good, Invalid, Malicious, svg, verdict};
use proptest::prelude::*;
use stowage_image::{SvgFault, SvgLimits, check_svg, check_svg_within};

const TOO_LARGE: &str = "The document is too large";

fn within(document: impl AsRef<[u8]>, limits: SvgLimits) -> Option<String> {
    match check_svg_within(document.as_ref(), &limits) {
        Ok(()) => None,
        Err(SvgFault::Invalid(text) | SvgFault::Malicious(text)) => Some(text),
        Err(SvgFault::Io(error)) => panic!("{error}"),
    }
}

#[test]
fn limits_hold() {
    let limits = SvgLimits { bytes: 1000, piece_bytes: 100, depth: 4 };
    let limit = |document: String| within(document, limits);
    assert_eq!(limit("<svg/>".into()), None);
    assert_eq!(limit(format!("<svg>{}</svg>", "<g/>".repeat(240))), None);
    assert_eq!(limit(format!("<svg>{}</svg>", "<g/>".repeat(250))).as_deref(), Some(TOO_LARGE));
    let exact = format!("<svg>{}</svg>{}", "<g/>".repeat(245), "\n".repeat(9));
    assert_eq!((exact.len(), limit(exact.clone())), (1000, None));
    assert_eq!(limit(exact + "\n").as_deref(), Some(TOO_LARGE));
    let x = "x".repeat(150);
    for piece in [
        format!("<svg id=\"{x}\"/>"),
        format!("<svg>{x}</svg>"),
        format!("<svg><!--{x}--></svg>"),
        format!("<svg><![CDATA[{x}]]></svg>"),
        format!("<svg><?x {x}?></svg>"),
        format!("<svg><{x}/></svg>"),
        format!("<!DOCTYPE svg SYSTEM '{x}'><svg/>"),
        format!("<svg>&{x};</svg>"),
        format!("<svg><style>{}</style></svg>", "a{}<g/>".repeat(40)),
        format!("<svg><style>{0}<style>{0}</style></style></svg>", "a{}<g/>".repeat(20)),
    ] {
        assert_eq!(limit(piece.clone()).as_deref(), Some(TOO_LARGE), "{piece}");
    }
    let nested = |depth: usize| format!("<svg>{}{}</svg>", "<g>".repeat(depth), "</g>".repeat(depth));
    assert_eq!(limit(nested(3)), None);
    assert_eq!(limit(nested(4)).as_deref(), Some("The document is nested too deeply"));
    // What is dangerous is told although the document is too large behind it.
    assert_eq!(limit(svg(&format!("<script/>{x}"))).as_deref(), Some(TOO_LARGE), "the root alone is");
    assert_eq!(limit(format!("<svg><script/>{x}</svg>")).as_deref(), Some("<script> tags are not allowed"));
}

/// A beginning, and then a pattern for ever.
struct Endless {
    start: &'static [u8],
    pattern: &'static [u8],
    at: usize,
    read: u64,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        for byte in &mut *into {
            let pattern = self.at.checked_sub(self.start.len());
            *byte = pattern.map_or_else(|| self.start[self.at], |at| self.pattern[at % self.pattern.len()]);
            self.at += 1;
        }
        self.read += into.len() as u64;
        Ok(into.len())
    }
}

#[test]
fn documents_without_end_are_left_at_the_limits() {
    let limits = SvgLimits { bytes: 600_000, piece_bytes: 200_000, depth: 100 };
    for (start, pattern, fault) in [
        (&b"<svg>"[..], &b"<g>"[..], "The document is nested too deeply"),
        (b"<svg>", b"<g/>", TOO_LARGE),
        (b"<svg>", b"x", TOO_LARGE),
        (b"<svg>", b"&amp;", TOO_LARGE),
        (b"<svg ", b"a='' ", TOO_LARGE),
        (b"<svg a='", b"x", TOO_LARGE),
        (b"<svg><!--", b"->", TOO_LARGE),
        (b"<svg><![CDATA[", b"]>", TOO_LARGE),
        (b"<svg><?x ", b">", TOO_LARGE),
        (b"<!DOCTYPE svg [", b"<!ENTITY a 'a'>", TOO_LARGE),
        (b"<!DOCTYPE svg [", b"<", TOO_LARGE),
        (b"<svg><style>", b"a{}<g/>", TOO_LARGE),
        (b"<svg/>", b"\n", TOO_LARGE),
        (b"<?xml version='1.0' encoding='iso-8859-1'?><svg>", b"\xE9<g/>", TOO_LARGE),
        (b"<?xml version='1.0' encoding='iso-8859-1'?><svg>", b"\xE9", TOO_LARGE),
    ] {
        let mut endless = Endless { start, pattern, at: 0, read: 0 };
        let Err(SvgFault::Invalid(text)) = check_svg_within(&mut endless, &limits) else { panic!("{start:?}") };
        assert_eq!(text, fault, "{}{}", start.escape_ascii(), pattern.escape_ascii());
        assert!(endless.read <= limits.bytes + 200_000);
    }
}

/// A reader that fails behind its bytes.
struct Broken<'a>(&'a [u8]);

impl Read for Broken<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() { Err(io::ErrorKind::ConnectionReset.into()) } else { self.0.read(into) }
    }
}

#[test]
fn a_reader_that_fails_is_no_fault_of_the_document() {
    for document in ["", "<svg", "<svg>", "<svg><!-- ", "<svg/>"] {
        let outcome = check_svg(Broken(document.as_bytes()));
        let Err(SvgFault::Io(error)) = outcome else { panic!("{document}: {outcome:?}") };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
    assert!(matches!(check_svg(Broken(b"<svg><script/>")), Err(SvgFault::Malicious(_))));
}

/// Well-formed content without anything dangerous, as a list of pieces between which elements may stand.
fn content() -> impl Strategy<Value = Vec<String>> {
    let text = "[a-z .;:(){}#é]{0,12}";
    let leaf = prop_oneof![
        text.prop_map(|text| vec![text]),
        text.prop_map(|text| vec![format!("<!--{text}-->")]),
        text.prop_map(|text| vec![format!("<![CDATA[<{text}>]]>")]),
        text.prop_map(|text| vec![format!("<rect id=\"{text}\" d='{text}' />")]),
        text.prop_map(|text| vec![format!("<?x {text}?>")]),
        Just(vec!["&amp;".to_owned()]),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let name = prop::sample::select(vec!["g", "style", "title", "foreignObject", "x:defs", "text"]);
        (name, prop::collection::vec(inner, 0..5)).prop_map(|(name, inner)| {
            let mut pieces = vec![format!("<{name}>")];
            pieces.extend(inner.into_iter().flatten());
            pieces.push(format!("</{name}>"));
            pieces
        })
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        verdict(&bytes);
        verdict([b"<svg>".as_slice(), &bytes].concat());
        verdict([b"<!DOCTYPE svg [".as_slice(), &bytes].concat());
        verdict([b"<?xml version='1.0' encoding='iso-8859-1'?><svg a='".as_slice(), &bytes].concat());
    }

    #[test]
    fn no_markup_makes_it_panic(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "<svg", "<svg>", "</svg>", "<g", "/>", ">", "<", "</", "<!", "<!--", "-->", "--", "<![CDATA[", "]]>", "<!DOCTYPE",
                "<!ENTITY", "<!NOTATIO", "[", "]", "<?xml", "?>", " version='1.0'", " encoding='iso-8859-1'", "<?", "&", ";", "&#x",
                "'", "\"", "=", " ", "\n", "href", "style", "<style>", "</style>", "javascript:", "url(", "\\", "/*", "*/", "é", "\0",
            ]),
            0..40,
        )
    ) {
        verdict(parts.concat());
    }

    #[test]
    fn a_script_between_any_two_pieces_is_found(
        pieces in content(),
        at in any::<prop::sample::Index>(),
        script in prop::sample::select(vec![
            "<script/>", "<script>x</script>", "<Script href='x'/>", "<x:script xmlns:x='y'/>", "<g onload='x'/>",
        ]),
    ) {
        prop_assert_eq!(verdict(svg(&pieces.concat())), Good);
        let mut changed = pieces.clone();
        changed.insert(at.index(pieces.len() + 1), script.to_owned());
        prop_assert!(matches!(verdict(svg(&changed.concat())), Malicious(_)), "{}", changed.concat());
    }

    #[test]
    fn a_script_inserted_anywhere_is_refused(pieces in content(), at in any::<prop::sample::Index>()) {
        // Comments, CDATA and instructions are the places where a tag is only text.
        let inert = |piece: &String| piece.starts_with("<!") || piece.starts_with("<?");
        let document = svg(&pieces.into_iter().filter(|piece| !inert(piece)).collect::<String>());
        let places: Vec<usize> = document.char_indices().map(|(at, _)| at).collect();
        let mut changed = document.clone();
        changed.insert_str(places[at.index(places.len())], "<script/>");
        let verdict = verdict(&changed);
        prop_assert!(matches!(verdict, Malicious(_) | Invalid(_)), "{changed}");
    }
}
