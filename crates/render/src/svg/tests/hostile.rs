//! Documents that are made to do harm.

use super::*;

#[test]
fn nothing_from_outside_is_loaded() {
    let inside = "<image href='/etc/passwd' width='9' height='9'/><image href='data:image/svg+xml,&lt;svg/&gt;' width='9' height='9'/>\
        <use href='http://127.0.0.1:1/a.svg#b'/><style>@import url('http://127.0.0.1:1/a.css');</style>\
        <foreignObject width='9' height='9'><rect width='9' height='9'/></foreignObject><script>x()</script>\
        <filter id='f'><feImage href='#r'/></filter><rect id='r' filter='url(http://127.0.0.1:1/#f)' width='9' height='9' fill='red'/>";
    assert_eq!(pixel(&painted(&svg("width='40' height='20'", inside)), 5, 5), RED);
    let text = clean::clean(&svg("", inside), &Root::find(&svg("", inside)).unwrap(), &Limits::default()).unwrap();
    for word in ["127.0.0.1", "passwd", "data:", "script", "image", "foreign"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
}

#[test]
fn depth_is_bounded_and_what_is_let_through_is_painted() {
    let nested = |depth: usize, open: &str, inside: &str| {
        svg("width='8' height='8'", &format!("{}{inside}{}", open.repeat(depth), "</g>".repeat(depth)))
    };
    let rect = "<rect width='8' height='8' fill='red'/>";
    assert_eq!(pixel(&painted(&nested(254, "<g>", rect)), 4, 4), RED);
    assert_eq!(pixel(&painted(&nested(254, "<g opacity='.99999'>", rect)), 4, 4)[3], 255);
    for depth in [256, 4000, 200_000] {
        assert!(refused(&nested(depth, "<g>", "")).contains("too deeply"));
        assert!(refused(&nested(depth, "<g><unknown>", "")).contains("too deeply"));
    }
}

#[test]
fn deep_references_do_not_end_the_stack() {
    // Each mask holds groups and refers to the next mask from the innermost.
    let mask = |index: usize| {
        let (open, close) = ("<g>".repeat(25), "</g>".repeat(25));
        format!(
            "<mask id='m{index}'>{open}<rect mask='url(#m{})' width='8' height='8' fill='#fff'/>{close}</mask>",
            index + 1
        )
    };
    let masks = |count: usize| (0..count).map(mask).collect::<String>();
    let rect = "<rect width='8' height='8' fill='red' mask='url(#m0)'/>";
    let picture = painted(&svg("width='8' height='8'", &format!("{}{rect}", masks(8))));
    assert_eq!(pixel(&picture, 4, 4)[3], 255);
    assert!(refused(&svg("width='8' height='8'", &format!("{}{rect}", masks(12)))).contains("too deeply"));
    assert!(refused(&svg("width='8' height='8'", &format!("{}{rect}", masks(2000)))).contains("too deep"));
}

#[test]
fn circles_of_references_are_refused() {
    for inside in [
        "<g id='a'><use href='#a'/></g>",
        "<g id='a'><use href='#b'/></g><g id='b'><use href='#c'/></g><g id='c'><use href='#a'/></g>",
        "<pattern id='a' width='1' height='1'><rect fill='url(#b)'/></pattern><pattern id='b' width='1' height='1'>\
         <rect fill='url(#c)'/></pattern><pattern id='c' width='1' height='1'><rect style='fill : url( \"#a\" )'/></pattern>",
        "<g fill='url(#a)'><pattern id='a' width='1' height='1'><rect width='1' height='1'/></pattern></g>",
        "<mask id='a'><rect fill='url(#p)' width='9' height='9'/></mask><pattern id='p' width='1' height='1'>\
         <rect mask='url(#a)' width='9' height='9'/></pattern>",
        "<style>.x { marker-mid: url(#m) }</style><marker id='m'><path class='x' d='M0 0L1 1L2 2'/></marker>",
        "<style>mask *, rect { mask: url(#m) }</style><mask id='m'><rect width='9' height='9'/></mask>",
        "<linearGradient id='a' href='#b'/><linearGradient id='b' href='#c'/><linearGradient id='c' href='#b'/>\
         <rect width='9' height='9' fill='url(#a)'/>",
        "<clipPath id='a' clip-path='url(#b)'/><clipPath id='b' clip-path='url(#c)'/><clipPath id='c' clip-path='url(#a)'/>",
    ] {
        let why = refused(&svg("width='8' height='8'", inside));
        assert!(why.contains("itself") || why.contains("each other"), "{why}: {inside}");
    }
}

#[test]
fn copies_are_counted() {
    let doubled = |count: usize, first: &str| {
        let twice = |index: usize| format!("<g id='a{}'><use href='#a{index}'/><use href='#a{index}'/></g>", index + 1);
        format!("<g id='a0'>{first}</g>{}", (0..count).map(twice).collect::<String>())
    };
    assert!(refused(&svg("", &doubled(30, "<rect/>"))).contains("too many elements"));
    // Few elements, but long ones.
    let path = format!("<path d='M0 0{}'/>", "l1 1".repeat(200_000));
    assert!(refused(&svg("", &doubled(8, &path))).contains("too many elements"));
    let marked = format!(
        "<marker id='m'>{}</marker><polyline style='marker-mid:url(#m)' points='{}'/>",
        "<rect/>".repeat(50),
        "0 1 ".repeat(10_000)
    );
    assert!(refused(&svg("", &marked)).contains("too many elements"));
    let pattern = |index: usize| {
        let shapes = format!("<rect width='1' height='1' fill='url(#p{})'/>", index + 1).repeat(10);
        format!("<pattern id='p{index}' width='1' height='1'>{shapes}</pattern>")
    };
    let patterns = (0..10).map(pattern).collect::<String>();
    assert!(refused(&svg("", &format!("{patterns}<rect fill='url(#p0)'/>"))).contains("too many elements"));
    assert!(refused(&svg("", &"<g/>".repeat(100_001))).contains("too many elements"));
}

#[test]
fn work_and_memory_are_reckoned_before_painting() {
    let filter = |steps: &str| {
        let inside = format!(
            "<filter id='f' x='0' y='0' width='1' height='1'>{steps}</filter>\
                              <rect width='3000' height='3000' filter='url(#f)'/>"
        );
        svg("width='3000' height='3000'", &inside)
    };
    let matrix = format!("<feConvolveMatrix order='50' kernelMatrix='{}'/>", "1 ".repeat(2500));
    for document in [
        filter(&"<feTurbulence numOctaves='1000000000' baseFrequency='.1'/>".repeat(3)),
        filter("<feMorphology radius='2000'/>"),
        filter(&matrix),
        filter(&"<feFlood/>".repeat(1000)),
        svg("width='3000' height='3000'", &"<rect width='3000' height='3000'/>".repeat(1000)),
        svg("width='3000' height='3000'", &format!("<path d='M0 0{}'/>", "L1 3000L2 0".repeat(200_000))),
        svg(
            "width='3000' height='3000'",
            &format!("{}<rect width='9' height='9'/>{}", "<g opacity='.9'>".repeat(200), "</g>".repeat(200))
                .replace("'9'", "'9999'"),
        ),
        svg(
            "width='30' height='30'",
            "<pattern id='p' width='9e6' height='9e6' patternUnits='userSpaceOnUse'><rect width='1' height='1'/></pattern>\
             <rect width='9' height='9' fill='url(#p)'/>",
        ),
        svg("width='3000' height='3000'", &"<path stroke='red' stroke-dasharray='.001' d='M0 0h1000000'/>".repeat(100)),
    ] {
        let why = refused(&document);
        assert!(why.contains("painting it takes too"), "{why}: {}", &document[..document.len().min(300)]);
    }
    let scaled = |inside: &str| svg("width='9' height='9'", &format!("<g transform='scale(1e6)'>{inside}</g>"));
    assert!(refused(&scaled("<circle r='1e6'/>")).contains("shapes are too large"));
    assert!(refused(&scaled("<rect width='1' height='1' filter='blur(9px)'/>")).contains("blurred too far"));
    // An arc of so large a radius would be taken apart into parts without end.
    assert_eq!(pixel(&painted(&svg("width='9' height='9'", "<path d='M10 -20A5.1e95 .3 0 0 1 0 1'/>")), 4, 4), NOTHING);
    let huge = rasterize(svg("width='20000' height='20000'", "").as_bytes(), None, &Limits::default()).unwrap_err();
    assert!(matches!(huge, RenderError::TooLarge(_)));
}

#[test]
fn style_sheets_texts_and_gradients_are_bounded() {
    let styled = |css: &str, inside: &str| svg("width='8' height='8'", &format!("<style>{css}</style>{inside}"));
    let many = |count: usize| (0..count).fold(String::new(), |css, index| format!("{css}.a{index}{{fill:red}}"));
    assert!(refused(&styled(&many(2000), &"<g/>".repeat(6000))).contains("style sheets"));
    let wide = format!("g{{{}}}", "fill:red;".repeat(1000));
    assert!(refused(&styled(&wide, &"<g/>".repeat(3000))).contains("style sheets"));
    let deep = format!("{}{}", "<g>".repeat(200), "</g>".repeat(200));
    assert!(refused(&styled("g g g g { fill: red }", &deep)).contains("style sheets"));
    let filters = format!("g{{filter:{}}}", "blur(1) ".repeat(16));
    assert!(refused(&styled(&filters, &"<g/>".repeat(20_000))).contains("too many elements"));
    let parts = format!("<text>{}</text>", "<tspan>abcdefgh</tspan>".repeat(1200));
    assert!(refused(&styled("", &format!("{parts}{parts}"))).contains("too many elements"));
    assert!(refused(&styled("", &format!("<text>{}</text>", "a".repeat(10_001)))).contains("too much text"));
    let gradient = format!("<linearGradient>{}</linearGradient>", "<stop/>".repeat(2001));
    assert!(refused(&styled("", &gradient)).contains("too many colours"));
}

#[test]
fn entities_cannot_grow() {
    let bomb = "<!DOCTYPE svg [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'><!ENTITY c '<g><g>'>]>";
    for reference in ["&b;", "&c;", "&d;"] {
        let document = format!("{bomb}{}", svg("", &format!("<text>{reference}</text>")));
        assert!(refused(&document).contains("unknown entities"), "{reference}");
        let document = format!("{bomb}{}", svg("", &format!("<g id='{reference}'/>")));
        assert!(refused(&document).contains("unknown entities"), "{reference}");
    }
    let document = format!("{bomb}{}", svg("", &format!("<g id='{}'/>", "&a;".repeat(5000))));
    assert!(refused(&document).contains("too many entities"));
}

#[test]
fn broken_documents_are_damaged() {
    for document in [
        "<svg width='8' height='8'>",
        "<svg width='8' height='8'></g></svg>",
        "<svg width='8' height='8'/><svg/>",
        "",
        "GIF89a",
    ] {
        let error = rasterize(document.as_bytes(), None, &Limits::default()).unwrap_err();
        assert!(matches!(error, RenderError::Damaged(_)), "{document}: {error}");
    }
}

#[test]
fn entities_do_not_make_an_element_longer_than_a_document() {
    let many = "&e;".repeat(4000);
    let attribute = |number| format!(" a{number}='{many}'");
    let attributes: String = (0..60).map(attribute).collect();
    let entity = "x".repeat(128);
    let document = |attributes: &str| {
        format!("<!DOCTYPE svg [<!ENTITY e '{entity}'>]><svg width='8' height='8'><g{attributes}/></svg>")
    };
    assert!(refused(&document(&attributes)).contains("too long"));
    assert_eq!(painted(&document(&format!(" a='{many}'"))).width, 8);
    // What is written instead of a character is longer, too.
    let quotes = format!(" a='{}'", "\"".repeat(3_000_000));
    assert!(refused(&document(&quotes)).contains("too long"));
}
