//! The content check of SVG: what must be found, what must pass, and that nothing hurts it.

mod hostile;
mod ordinary;

use std::io::Read;
use stowage_image::{SvgFault, check_svg};

/// A verdict that can be compared.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Verdict {
    Good,
    Invalid(String),
    Malicious(String),
}

use Verdict::{Good, Invalid, Malicious};

/// Checks bytes that arrive at once and piece by piece; both have to be judged alike.
fn verdict(document: impl AsRef<[u8]>) -> Verdict {
    let document = document.as_ref();
    let of = |outcome| match outcome {
        Ok(()) => Good,
        Err(SvgFault::Invalid(text)) => Invalid(text),
        Err(SvgFault::Malicious(text)) => Malicious(text),
        Err(SvgFault::Io(error)) => panic!("no reader failed: {error}"),
    };
    let whole = of(check_svg(document));
    for size in [1, 3] {
        assert_eq!(of(check_svg(Trickle { rest: document, size })), whole);
    }
    whole
}

/// A reader that never has more than a few bytes.
struct Trickle<'a> {
    rest: &'a [u8],
    size: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.size.min(into.len());
        self.rest.read(&mut into[..count])
    }
}

/// A document with this inside its root, where the usual prefixes are declared.
fn svg(content: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" \
         xmlns:h=\"http://www.w3.org/1999/xhtml\">{content}</svg>"
    )
}

const UNPARSABLE: &str = "Failed to parse the document";
const EVENTS: &str = "event handlers are not allowed";
const SCRIPT_URL: &str = "javascript: URLs are not allowed";
const DATA_URL: &str = "data: URLs of documents are not allowed";
const DATA_USE: &str = "data: URLs are not allowed in <use>";
const ANIMATED: &str = "animated links and event handlers are not allowed";
const IMPORT: &str = "@import is not allowed";
const STYLE: &str = "scripts in styles are not allowed";

#[test]
fn elements_that_run_something() {
    for (content, name) in [
        ("<script>alert(1)</script>", "script"),
        ("<script/>", "script"),
        ("<script\n\t/>", "script"),
        ("<SCRIPT></SCRIPT>", "script"),
        ("<ScRiPt href=\"x.js\"/>", "script"),
        ("<h:script src=\"x.js\"></h:script>", "script"),
        ("<x:script xmlns:x=\"http://www.w3.org/2000/svg\"/>", "script"),
        ("<script xmlns=\"http://example.com/harmless\"/>", "script"),
        ("<a:b:script/>", "script"),
        ("<g><defs><g><script type=\"text/plain\"/></g></defs></g>", "script"),
        ("<style>a{}<script/></style>", "script"),
        ("<title><script/></title>", "script"),
        ("<metadata><x:Script xmlns:x=\"x\"/></metadata>", "script"),
        ("<foreignObject><h:iframe src=\"https://example.com\"/></foreignObject>", "iframe"),
        (
            "<foreignObject><body xmlns=\"http://www.w3.org/1999/xhtml\"><object data=\"x\"/></body></foreignObject>",
            "object",
        ),
        ("<foreignObject><h:embed src=\"x.swf\"/></foreignObject>", "embed"),
        ("<h:meta http-equiv=\"refresh\" content=\"0\"/>", "meta"),
        ("<h:base href=\"https://example.com/\"/>", "base"),
        ("<h:link rel=\"stylesheet\" href=\"x.css\"/>", "link"),
        ("<handler type=\"text/ecmascript\">x</handler>", "handler"),
    ] {
        assert_eq!(verdict(svg(content)), Malicious(format!("<{name}> tags are not allowed")), "{content}");
    }
    assert_eq!(verdict("<script/>"), Malicious("<script> tags are not allowed".into()), "as the root");
    let behind_a_mark = format!("\u{FEFF}{}", svg("<script/>"));
    assert_eq!(verdict(behind_a_mark), Malicious("<script> tags are not allowed".into()));
}

#[test]
fn attributes_that_run_something() {
    for (content, fault) in [
        ("<g onload=\"x()\"/>", EVENTS),
        ("<g onload='x()'></g>", EVENTS),
        ("<g\nonclick\n=\n\"x()\"/>", EVENTS),
        ("<g ONMOUSEOVER=\"x()\"/>", EVENTS),
        ("<g on=\"\"/>", EVENTS),
        ("<g xlink:onload=\"x()\"/>", EVENTS),
        ("<animate onbegin=\"x()\"/>", EVENTS),
        ("<foreignObject><h:div onfocus=\"x()\"/></foreignObject>", EVENTS),
        ("<g id=\"a\" id=\"b\" onload=\"x()\"/>", EVENTS),
        ("<foreignObject><h:div srcdoc=\"x\"/></foreignObject>", "documents in attributes are not allowed"),
        ("<a href=\"javascript:x()\"/>", SCRIPT_URL),
        ("<a xlink:href=\"JavaScript:x()\"/>", SCRIPT_URL),
        ("<a anything:href=\"javascript:x()\"/>", SCRIPT_URL),
        ("<a href=\" \t\n javascript:x()\"/>", SCRIPT_URL),
        ("<a href=\"java\tscript:x()\"/>", SCRIPT_URL),
        ("<a href=\"java&#10;script:x()\"/>", SCRIPT_URL),
        ("<a href=\"&#x6A;avascript:x()\"/>", SCRIPT_URL),
        ("<a href=\"&#0000106;avascript&#58;x()\"/>", SCRIPT_URL),
        ("<a href=\"&#x1;javascript:x()\"/>", SCRIPT_URL),
        ("<a href=\"\u{200B}java\u{AD}script:x()\"/>", SCRIPT_URL),
        ("<a href=\"vbscript:x\"/>", SCRIPT_URL),
        ("<foreignObject><h:form action=\"javascript:x()\"/></foreignObject>", SCRIPT_URL),
        ("<foreignObject><h:button formaction=\"javascript:x()\"/></foreignObject>", SCRIPT_URL),
        ("<foreignObject><h:img src=\"javascript:x()\"/></foreignObject>", SCRIPT_URL),
        ("<g xml:base=\"javascript:x()\"/>", SCRIPT_URL),
        ("<set attributeName=\"x\" to=\"javascript:x()\"/>", SCRIPT_URL),
        ("<animate attributeName=\"x\" from=\"javascript:x()\"/>", SCRIPT_URL),
        ("<animate values=\"#a; javascript:x() ;#b\"/>", SCRIPT_URL),
        ("<animate values=\"#a;data:text/html;base64,AAAA\"/>", DATA_URL),
        ("<set attributeName=\"href\" to=\"#x\"/>", ANIMATED),
        ("<animate attributeName=\"xlink:href\"/>", ANIMATED),
        ("<animate attributeName=\" HREF \"/>", ANIMATED),
        ("<set attributeName=\"onclick\" to=\"x()\"/>", ANIMATED),
        ("<set attributeName=\"o&#x6e;load\" to=\"x()\"/>", ANIMATED),
        ("<a href=\"data:text/html,x\"/>", DATA_URL),
        ("<a href=\"data:text/html;base64,AAAA\"/>", DATA_URL),
        ("<a href=\" d&#97;ta: TEXT / html ,x\"/>", DATA_URL),
        ("<a href=\"data:application/xhtml+xml,x\"/>", DATA_URL),
        ("<a href=\"data:image/svg+xml;base64,AAAA\"/>", DATA_URL),
        ("<a href=\"data:text/javascript,x\"/>", DATA_URL),
        ("<image href=\"data:text/html,x\"/>", DATA_URL),
        ("<use href=\"data:image/svg+xml;base64,AAAA#x\"/>", DATA_USE),
        ("<use xlink:href=\"DATA:image/png;base64,AAAA\"/>", DATA_USE),
        ("<g fill=\"url(javascript:x())\"/>", SCRIPT_URL),
        ("<g filter=\"u\\72l( 'java&#10;script:x()')\"/>", SCRIPT_URL),
        ("<g style=\"background: url(javascript:x())\"/>", SCRIPT_URL),
        ("<g style=\"background: url( &quot;java\\73 cript:x()&quot;)\"/>", SCRIPT_URL),
        ("<g style=\"background: url(data:text/html,x)\"/>", DATA_URL),
        ("<g style=\"width: expression(x())\"/>", STYLE),
        ("<g style=\"width: exp/**/ression (x())\"/>", STYLE),
        ("<g style=\"w: \\65 xpression(x())\"/>", STYLE),
        ("<g style=\"-moz-binding: url(x)\"/>", STYLE),
        ("<g STYLE=\"@import 'x.css'\"/>", IMPORT),
    ] {
        assert_eq!(verdict(svg(content)), Malicious(fault.into()), "{content}");
    }
}

#[test]
fn style_sheets_that_load_or_run_something() {
    for (content, fault) in [
        ("<style>@import 'x.css';</style>", IMPORT),
        ("<style>a{} @IMPORT url(x.css);</style>", IMPORT),
        ("<style>@\\69 mport 'x.css';</style>", IMPORT),
        ("<style>@\\000069mp\\ort 'x.css';</style>", IMPORT),
        ("<style><![CDATA[@import 'x.css';]]></style>", IMPORT),
        ("<style>@im<![CDATA[po]]>rt 'x.css';</style>", IMPORT),
        ("<style>@im<!-- -->port 'x.css';</style>", IMPORT),
        ("<style>@im<?x ?>port 'x.css';</style>", IMPORT),
        ("<style>@im<g>nothing</g>port 'x.css';</style>", IMPORT),
        ("<style>@im<style>a{}</style>port 'x.css';</style>", IMPORT),
        ("<style><style>@import 'x.css';</style></style>", IMPORT),
        ("<style>&#64;import 'x.css';</style>", IMPORT),
        ("<style>a{content:\"/*\"} @import 'x.css'; a{content:\"*/\"}</style>", IMPORT),
        ("<h:style>@import 'x.css';</h:style>", IMPORT),
        ("<style>g{background:url(\"javascript:x()\")}</style>", SCRIPT_URL),
        ("<style>g{background:url(&quot;javascript:x()&quot;)}</style>", SCRIPT_URL),
        ("<style>g{width:expression(x())}</style>", STYLE),
        ("<style>g{width:expre/* */ssion(x())}</style>", STYLE),
        ("<style>g{-MOZ-binding:url(x)}</style>", STYLE),
    ] {
        assert_eq!(verdict(svg(content)), Malicious(fault.into()), "{content}");
    }
    for sheet in ["<?xml-stylesheet href='x.css'?>", "<?XML-Stylesheet href='x'?>", "<?xml-stylesheet?>"] {
        let fault = Malicious("style sheet instructions are not allowed".into());
        assert_eq!(verdict(format!("{sheet}{}", svg(""))), fault);
        assert_eq!(verdict(format!("<?xml version='1.0'?>\n{sheet}{}", svg(""))), fault);
        assert_eq!(verdict(svg(sheet)), fault);
    }
}

#[test]
fn declarations_can_make_anything() {
    for subset in [
        "<!ENTITY x \"<script/>\">",
        "<!ENTITY % x SYSTEM \"x\"> %x;",
        "<!ENTITY ns_svg \"http://www.w3.org/2000/svg\">",
        "<!ATTLIST g onload CDATA \"x()\">",
        "<!-- ]> -->",
        "",
    ] {
        let document = format!("<!DOCTYPE svg [{subset}]>{}", svg("<g/>"));
        let fault = Malicious("declarations in the DOCTYPE are not allowed".into());
        assert_eq!(verdict(document), fault, "{subset}");
    }
    // A bomb is not even looked into.
    let bomb = "<!DOCTYPE svg [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]>";
    assert!(matches!(verdict(format!("{bomb}{}", svg("&b;"))), Malicious(_)));
    assert_eq!(verdict(svg("&b;")), Invalid("The document has undeclared entities".into()));
    assert_eq!(verdict(svg("<g id=\"&b;\"/>")), Invalid(UNPARSABLE.into()));
    assert_eq!(verdict(svg("<a href=\"javascript&colon;x()\"/>")), Invalid(UNPARSABLE.into()));
}

#[test]
fn what_is_not_well_formed() {
    for document in [
        "",
        " ",
        "text",
        "<svg",
        "<svg>",
        "<svg></svg",
        "<svg></g>",
        "<svg><g></svg>",
        "<svg/><svg/>",
        "<svg/><g/>",
        "<svg/>text",
        "text<svg/>",
        "<svg/>&amp;",
        "<![CDATA[x]]><svg/>",
        "<svg/><!DOCTYPE svg>",
        "<!DOCTYPE svg><!DOCTYPE svg><svg/>",
        "<svg><!DOCTYPE svg></svg>",
        "<svg a></svg>",
        "<svg a=b></svg>",
        "<svg a=\"1></svg>",
        "<svg a=\"<script>\"/>",
        "<svg <script/>></svg>",
        "<svg><g / ></svg>",
        "<svg><g/onload=\"x\"/></svg>",
        "<svg><1/></svg>",
        "<svg><g \u{85}onload=\"x\"/></svg>",
        "<svg><g\u{A0}onload=\"x\"/></svg>",
        "<svg>&</svg>",
        "<svg>&#0;</svg>",
        "<svg>&#xD800;</svg>",
        "<svg><!-- -- --></svg>",
        "<svg><!-- --",
        "<svg><!x></svg>",
        "<svg><![cdata[x]]></svg>",
        "<svg><?xml version='1.0'?></svg>",
        "<svg><?XML version='1.0'?></svg>",
        "<svg><??></svg>",
        " <?xml version='1.0'?><svg/>",
        "<?xml version='1.0'?><?xml version='1.0'?><svg/>",
        "<?xml?><svg/>",
        "<?xml version='2.0'?><svg/>",
        "<?xml encoding='utf-8'?><svg/>",
        "<?xml encoding='utf-8' version='1.0'?><svg/>",
        "<?xml version='1.0' encoding='utf-8' encoding='utf-7'?><svg/>",
        "<?xml version='1.0' encoding?><svg/>",
        "{}",
        "\u{FEFF}\u{FEFF}<svg/>",
    ] {
        assert_eq!(verdict(document), Invalid(UNPARSABLE.into()), "{document}");
    }
    for (document, fault) in [
        ("<html/>", "The root element is not <svg>"),
        ("<g><svg/></g>", "The root element is not <svg>"),
        ("<svg>\0</svg>", "The document has control characters"),
        ("<svg a=\"\x1B(J\"/>", "The document has control characters"),
        ("<svg><scr\x01ipt/></svg>", "The document has control characters"),
    ] {
        assert_eq!(verdict(document), Invalid(fault.into()), "{document}");
    }
    // Refused, so that nobody has to know what a browser does up to the fault.
    assert_ne!(verdict(svg("<script>")), Good);
}

#[test]
fn encodings() {
    let declared = |encoding: &str, content: &[u8]| {
        [format!("<?xml version=\"1.0\" encoding=\"{encoding}\"?><svg>").as_bytes(), content, b"</svg>"].concat()
    };
    for encoding in ["utf-8", "UTF-8", "us-ascii", "iso-8859-1", "ISO-8859-15", "windows-1252", "Windows-1251"] {
        assert_eq!(verdict(declared(encoding, b"<title>plain</title>")), Good, "{encoding}");
        assert!(matches!(verdict(declared(encoding, b"<script/>")), Malicious(_)), "{encoding}");
    }
    let not_supported = Invalid("The encoding of the document is not supported".into());
    for encoding in ["utf-16", "utf-7", "utf-32", "ISO-2022-JP", "gb18030", "shift_jis", "ebcdic", "", "x", "iso-8859-"]
    {
        assert_eq!(verdict(declared(encoding, b"")), not_supported, "{encoding}");
    }
    // One-byte encodings: anything that is not ASCII is a letter or a sign.
    let latin = b"<g id=\"\xE9t\xE9\"><\xE9l\xE9ment \xE0=\"\xFF\"/><!-- \xA9 --><text>na\xEFve</text></g>";
    assert_eq!(verdict(declared("iso-8859-1", latin)), Good);
    assert_eq!(verdict(declared("iso-8859-1", b"\xE9<script\xE9/>")), Good, "that is no script");
    assert!(matches!(verdict(declared("iso-8859-1", b"\xE9<script/>\xE9")), Malicious(_)));
    let not_utf8 = Invalid("The document is not in UTF-8".into());
    assert_eq!(verdict(declared("utf-8", latin)), not_utf8);
    assert_eq!(verdict(b"<svg>\xE9</svg>"), not_utf8);
    assert_eq!(verdict(b"<svg a=\"\xC0\xBCscript>\"/>"), not_utf8, "overlong");
    let utf16 = |unit: fn(u16) -> [u8; 2], mark: &str| -> Vec<u8> {
        format!("{mark}{}", svg("<script/>")).encode_utf16().flat_map(unit).collect()
    };
    for unit in [u16::to_le_bytes, u16::to_be_bytes] {
        assert!(matches!(verdict(utf16(unit, "")), Invalid(_)));
        assert!(matches!(verdict(utf16(unit, "\u{FEFF}")), Invalid(_)));
    }
    // The head of a compressed document.
    assert!(matches!(verdict(b"\x1F\x8B\x08\0\0\0\0\0\0\x03\xB3\x29\x2E\x4B\xD7\xB7\x03\0"), Invalid(_)));
}
