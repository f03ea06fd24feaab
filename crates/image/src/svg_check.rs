//! The content check of uploaded SVG: is it well formed, and is there anything in it that can run in a browser. The whole
//! document is walked as a stream, in memory that is bounded by [`SvgLimits`]; nothing is expanded, loaded or followed.
//!
//! A browser runs what it understands before it meets an error, and tolerates what a parser here may not. So doubt is a
//! fault: whatever is not plain XML of one root element is refused, and dangerous names are refused in every namespace, with
//! every prefix and in either case. Declarations inside the DOCTYPE are refused as a whole, because entities and default
//! attributes can make anything out of a harmless text; a DOCTYPE that only names a DTD is fine, since browsers load none.
//!
//! What counts is the document by itself, opened, framed or used as a picture. Pasted into an HTML page it is read by other
//! rules, under which even a comment may hide a tag; whoever pastes has to clean it first.
//!
//! Read are UTF-8 and the one-byte encodings that contain ASCII, which all markup is made of. UTF-16 and everything else is
//! refused as invalid, and so are compressed documents (`.svgz`), which are not detected as SVG anyway.

mod pieces;
mod rules;

use std::borrow::Cow;
use std::io::{self, BufReader, Read};

use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesDecl, BytesStart, BytesText, Event};
use quick_xml::{Error, Reader, XmlVersion};

use pieces::Pieces;

/// How large an SVG may be for [`check_svg_within`]; beyond, it is refused, because nobody knows what is in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SvgLimits {
    /// The whole document in bytes.
    pub bytes: u64,
    /// One tag with its attributes, one text, one comment, or all text of one style sheet, in bytes. The memory that a check
    /// takes is a small multiple of this.
    pub piece_bytes: usize,
    /// Elements inside each other, the root included.
    pub depth: usize,
}

impl Default for SvgLimits {
    fn default() -> Self {
        Self { bytes: 100_000_000, piece_bytes: 16 * 1024 * 1024, depth: 1024 }
    }
}

/// What is wrong with an SVG. The texts are clauses without a full stop.
#[derive(Debug)]
pub enum SvgFault {
    /// It is not a well-formed SVG document that can be read.
    Invalid(String),
    /// It holds something that can run, or hide what can.
    Malicious(String),
    /// The reader failed; nothing is known of the document.
    Io(io::Error),
}

const UNPARSABLE: &str = "Failed to parse the document";
const TOO_LARGE: &str = "The document is too large";
/// The longest name of an element in bytes: the names of all open elements are remembered.
const MAX_NAME: usize = 1024;

fn invalid(text: &str) -> SvgFault {
    SvgFault::Invalid(text.to_owned())
}

fn malicious(text: &str) -> SvgFault {
    SvgFault::Malicious(text.to_owned())
}

/// Checks an SVG within the default limits. Errors: [`SvgFault`], the first in the order of the document.
pub fn check_svg(reader: impl Read) -> Result<(), SvgFault> {
    check_svg_within(reader, &SvgLimits::default())
}

/// Checks an SVG. Errors: [`SvgFault`], the first in the order of the document; what is larger than the limits is invalid.
pub fn check_svg_within(mut reader: impl Read, limits: &SvgLimits) -> Result<(), SvgFault> {
    // The parser knows a byte order mark only where it comes as a whole.
    let mut start = Vec::new();
    reader.by_ref().take(3).read_to_end(&mut start).map_err(SvgFault::Io)?;
    let reader = start.as_slice().chain(BufReader::with_capacity(64 * 1024, reader));
    let pieces = Pieces::new(reader, limits.bytes, limits.piece_bytes);
    let mut reader = Reader::from_reader(pieces);
    reader.config_mut().enable_all_checks(true);
    let mut document = Document::new(limits);
    let mut piece = Vec::new();
    loop {
        let event = match reader.read_event_into(&mut piece) {
            Ok(event) => event,
            Err(_) if reader.get_ref().exceeded() => return Err(invalid(TOO_LARGE)),
            Err(Error::Io(error)) => return Err(SvgFault::Io(io::Error::new(error.kind(), error))),
            Err(Error::Encoding(_)) => return Err(invalid("The document is not in UTF-8")),
            Err(_) => return Err(invalid(UNPARSABLE)),
        };
        if matches!(event, Event::Eof) {
            return document.end();
        }
        document.take(&event)?;
        if let Event::Decl(declaration) = &event
            && is_one_byte_encoding(declaration)?
        {
            reader.get_mut().mask_non_ascii();
        }
        piece.clear();
        reader.get_mut().next_piece();
    }
}

/// Whether the XML declaration names a one-byte encoding. Errors: declarations that are not of the one form there is, and
/// encodings in which markup could look different.
fn is_one_byte_encoding(declaration: &BytesDecl) -> Result<bool, SvgFault> {
    let content = BytesStart::from_content(&**declaration, "xml".len());
    let mut expected = ["version", "encoding", "standalone"].into_iter();
    let (mut version, mut encoding) = (String::new(), None);
    for attribute in content.attributes().with_checks(false) {
        let attribute = attribute.map_err(|_| invalid(UNPARSABLE))?;
        let key = attribute.key.0;
        if !expected.any(|name| name == key) {
            return Err(invalid(UNPARSABLE));
        }
        match key {
            "version" => version = attribute.value.into_owned(),
            "encoding" => encoding = Some(attribute.value.to_ascii_lowercase()),
            _ => {}
        }
    }
    if !version.starts_with("1.") {
        return Err(invalid(UNPARSABLE));
    }
    let Some(encoding) = encoding else { return Ok(false) };
    let numbered = |name: &str| encoding.strip_prefix(name).is_some_and(|number| number.parse::<u16>().is_ok());
    match encoding.as_str() {
        "utf-8" | "us-ascii" | "ascii" => Ok(false),
        _ if numbered("iso-8859-") || numbered("windows-125") => Ok(true),
        _ => Err(invalid("The encoding of the document is not supported")),
    }
}

/// What has been seen of a document.
struct Document<'a> {
    limits: &'a SvgLimits,
    /// Open elements.
    depth: usize,
    /// Whether anything at all, a DOCTYPE, a root has been there.
    begun: bool,
    doctype: bool,
    root: bool,
    /// The open `style` elements: how deep their text stands, and the text so far.
    styles: Vec<(usize, String)>,
    /// The length of these texts together.
    style_bytes: usize,
}

impl<'a> Document<'a> {
    fn new(limits: &'a SvgLimits) -> Self {
        Self { limits, depth: 0, begun: false, doctype: false, root: false, styles: Vec::new(), style_bytes: 0 }
    }

    fn take(&mut self, event: &Event) -> Result<(), SvgFault> {
        if event.bytes().any(|byte| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) {
            return Err(invalid("The document has control characters"));
        }
        match event {
            Event::Decl(_) if self.begun => return Err(invalid(UNPARSABLE)),
            Event::DocType(doctype) => self.doctype(doctype)?,
            Event::Start(element) => {
                self.element(element)?;
                self.depth += 1;
                if self.depth > self.limits.depth {
                    return Err(invalid("The document is nested too deeply"));
                }
                if rules::local(element.name().0).eq_ignore_ascii_case("style") {
                    self.styles.push((self.depth, String::new()));
                }
            }
            Event::Empty(element) => self.element(element)?,
            Event::End(_) => self.leave()?,
            Event::Text(text) if self.depth == 0 && !text.trim_ascii().is_empty() => return Err(invalid(UNPARSABLE)),
            Event::CData(_) | Event::GeneralRef(_) if self.depth == 0 => return Err(invalid(UNPARSABLE)),
            Event::Text(text) => self.style(text)?,
            Event::CData(text) => self.style(text)?,
            Event::GeneralRef(reference) => {
                let text = quick_xml::escape::resolve_predefined_entity(reference).map(Cow::Borrowed);
                let character = reference.resolve_char_ref().map_err(|_| invalid(UNPARSABLE))?;
                let text = text.or_else(|| character.map(|character| character.to_string().into()));
                self.style(&text.ok_or_else(|| invalid("The document has undeclared entities"))?)?;
            }
            Event::PI(instruction) => {
                let target = instruction.target();
                if target.eq_ignore_ascii_case("xml-stylesheet") {
                    return Err(malicious("style sheet instructions are not allowed"));
                }
                if !is_name(target) || target.eq_ignore_ascii_case("xml") {
                    return Err(invalid(UNPARSABLE));
                }
            }
            Event::Decl(_) | Event::Comment(_) | Event::Eof => {}
        }
        self.begun = true;
        Ok(())
    }

    fn doctype(&mut self, doctype: &BytesText) -> Result<(), SvgFault> {
        if self.doctype || self.root {
            return Err(invalid(UNPARSABLE));
        }
        if doctype.contains('[') {
            return Err(malicious("declarations in the DOCTYPE are not allowed"));
        }
        self.doctype = true;
        Ok(())
    }

    fn element(&mut self, element: &BytesStart) -> Result<(), SvgFault> {
        let name = element.name().0;
        if !is_name(name) {
            return Err(invalid(UNPARSABLE));
        }
        let local = rules::local(name).to_ascii_lowercase();
        if let Some(fault) = rules::element(&local) {
            return Err(SvgFault::Malicious(fault));
        }
        if self.depth == 0 {
            if self.root {
                return Err(invalid(UNPARSABLE));
            }
            if local != "svg" {
                return Err(invalid("The root element is not <svg>"));
            }
            self.root = true;
        }
        // Looking for duplicates would cost the square of their number; each of them is checked instead.
        for attribute in element.attributes().with_checks(false) {
            self::attribute(&local, &attribute.map_err(|_| invalid(UNPARSABLE))?)?;
        }
        Ok(())
    }

    fn leave(&mut self) -> Result<(), SvgFault> {
        if let Some((_, css)) = self.styles.pop_if(|(depth, _)| *depth == self.depth) {
            self.style_bytes -= css.len();
            if let Some(fault) = rules::css(&css) {
                return Err(malicious(fault));
            }
        }
        self.depth = self.depth.checked_sub(1).ok_or_else(|| invalid(UNPARSABLE))?;
        Ok(())
    }

    /// Collects the text of a style sheet: all that stands in its element, whatever comes between, but not deeper.
    fn style(&mut self, text: &str) -> Result<(), SvgFault> {
        if let Some((depth, css)) = self.styles.last_mut()
            && *depth == self.depth
        {
            self.style_bytes += text.len();
            if self.style_bytes > self.limits.piece_bytes {
                return Err(invalid(TOO_LARGE));
            }
            css.push_str(text);
        }
        Ok(())
    }

    fn end(self) -> Result<(), SvgFault> {
        if self.root && self.depth == 0 { Ok(()) } else { Err(invalid(UNPARSABLE)) }
    }
}

/// Checks an attribute of an element whose local name in lower case is at hand.
fn attribute(element: &str, attribute: &Attribute) -> Result<(), SvgFault> {
    if !is_name(attribute.key.0) || attribute.value.contains('<') {
        return Err(invalid(UNPARSABLE));
    }
    let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| invalid(UNPARSABLE))?;
    if attribute.key.as_namespace_binding().is_some() {
        return Ok(());
    }
    let name = rules::local(attribute.key.0).to_ascii_lowercase();
    rules::attribute(element, &name, &value).map_or(Ok(()), |fault| Err(malicious(fault)))
}

/// Whether a text can be a name; not as strict as XML, but nothing that separates names anywhere is in it.
fn is_name(text: &str) -> bool {
    let first = text.chars().next().is_some_and(|c| !c.is_ascii() || c.is_ascii_alphabetic() || "_:".contains(c));
    let inner = |c: char| if c.is_ascii() { c.is_ascii_alphanumeric() || "_-.:".contains(c) } else { !is_gap(c) };
    first && text.len() <= MAX_NAME && text.chars().all(inner)
}

/// Characters that are not seen or part words, some of which are dropped from URLs.
fn is_gap(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}
