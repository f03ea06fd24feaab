//! What may not be in an SVG. Names come in lower case and without their prefix.

use super::is_gap;

/// Elements that run scripts, or bring in documents and style sheets that may.
const ELEMENTS: [&str; 13] = [
    "script",
    "handler",
    "iframe",
    "object",
    "embed",
    "applet",
    "frame",
    "frameset",
    "portal",
    "fencedframe",
    "base",
    "link",
    "meta",
];

/// Attributes that hold a URL, of SVG, `MathML` and of HTML inside `foreignObject`.
const URLS: [&str; 15] = [
    "href",
    "src",
    "action",
    "formaction",
    "data",
    "poster",
    "background",
    "cite",
    "longdesc",
    "base",
    "codebase",
    "classid",
    "manifest",
    "ping",
    "dynsrc",
];

/// Attributes of animations that hold values for the attribute that is animated.
const VALUES: [&str; 4] = ["from", "to", "by", "values"];

const SCHEMES: [&str; 4] = ["javascript:", "vbscript:", "livescript:", "mocha:"];

const SCRIPT_URL: &str = "javascript: URLs are not allowed";
const DATA_URL: &str = "data: URLs of documents are not allowed";

/// A name without its prefix.
pub(super) fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// What is wrong with an element.
pub(super) fn element(name: &str) -> Option<String> {
    ELEMENTS.contains(&name).then(|| format!("<{name}> tags are not allowed"))
}

/// What is wrong with an attribute, given its element and its value without entities.
pub(super) fn attribute(element: &str, name: &str, value: &str) -> Option<&'static str> {
    if name.starts_with("on") {
        return Some("event handlers are not allowed");
    }
    if name == "srcdoc" {
        return Some("documents in attributes are not allowed");
    }
    if name == "style" {
        return css(value);
    }
    if name == "attributename" {
        let target = local(value).trim_matches(is_gap).to_ascii_lowercase();
        let dangerous = target.starts_with("on") || URLS.contains(&target.as_str());
        return dangerous.then_some("animated links and event handlers are not allowed");
    }
    if URLS.contains(&name) {
        return url(element, value);
    }
    if VALUES.contains(&name) {
        return value.split(';').find_map(|value| url(element, value));
    }
    // Presentation attributes such as `fill` are small pieces of CSS.
    if !value.contains(['(', '\\']) {
        return None;
    }
    let css = plain_css(value);
    if css.contains("url(") { css_urls(&css) } else { None }
}

/// What is wrong with a URL.
fn url(element: &str, value: &str) -> Option<&'static str> {
    // Browsers drop some blanks and controls from URLs. More are dropped here: no good URL begins with any of them.
    let start: String = value.chars().filter(|c| !is_gap(*c)).take(256).collect::<String>().to_ascii_lowercase();
    if SCHEMES.iter().any(|scheme| start.starts_with(scheme)) {
        return Some(SCRIPT_URL);
    }
    let data = start.strip_prefix("data:")?;
    if element == "use" {
        return Some("data: URLs are not allowed in <use>");
    }
    let kind = data.split([',', ';']).next().unwrap_or_default();
    // Pictures in pictures are shown without their scripts.
    if matches!(element, "image" | "feimage" | "img") && kind.starts_with("image/") {
        return None;
    }
    ["html", "xml", "svg", "xsl", "script"].iter().any(|part| kind.contains(part)).then_some(DATA_URL)
}

/// What is wrong with a style sheet or a style attribute.
pub(super) fn css(text: &str) -> Option<&'static str> {
    let plain = plain_css(text);
    // Comments part words in some browsers and are nothing in others; and in strings they are no comments.
    plain_css_fault(&plain).or_else(|| plain_css_fault(&without_comments(&plain)?))
}

fn plain_css_fault(css: &str) -> Option<&'static str> {
    if css.contains("@import") {
        return Some("@import is not allowed");
    }
    if css.contains("expression(") || css.contains("-moz-binding") {
        return Some("scripts in styles are not allowed");
    }
    css_urls(css)
}

fn css_urls(css: &str) -> Option<&'static str> {
    // Not behind a point: `.javascript:hover` is a selector.
    let begins_url = |at: usize| css[..at].ends_with(['(', '"', '\'']);
    if SCHEMES[..2].iter().any(|scheme| css.match_indices(scheme).any(|(at, _)| begins_url(at))) {
        return Some(SCRIPT_URL);
    }
    css.contains("data:text/html").then_some(DATA_URL)
}

/// CSS in lower case, with its escapes resolved and without blanks.
fn plain_css(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let mut c = c;
        if c == '\\' {
            let (mut code, mut digits) = (0, 0);
            while digits < 6
                && let Some(digit) = rest.peek().and_then(|c| c.to_digit(16))
            {
                code = code * 16 + digit;
                digits += 1;
                rest.next();
            }
            if digits > 0 {
                c = char::from_u32(code).unwrap_or('\u{FFFD}');
            } else {
                let Some(escaped) = rest.next() else { break };
                c = escaped;
            }
        }
        if !is_gap(c) {
            plain.push(c.to_ascii_lowercase());
        }
    }
    plain
}

/// The same without comments, where there are any.
fn without_comments(css: &str) -> Option<String> {
    let (before, mut rest) = css.split_once("/*")?;
    let mut kept = before.to_owned();
    while let Some((_, behind)) = rest.split_once("*/") {
        let (before, comment) = behind.split_once("/*").unwrap_or((behind, ""));
        kept.push_str(before);
        rest = comment;
    }
    Some(kept)
}
