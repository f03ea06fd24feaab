//! A document written anew with nothing but shapes, texts and what paints them: no scripts, no links to the outside, no
//! pictures, no entities, no name spaces but one. What is written is all that the renderer's parsers get to see, so what is
//! counted here is what they meet.

use super::entities::{Entities, is_xml};
use super::references::{self, Element, Link};
use super::root::Root;
use super::style::{self, Rule};
use crate::{Limits, RenderError};
use quick_xml::Reader;
use quick_xml::escape::escape;
use quick_xml::events::{BytesStart, Event};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

const NAMESPACE: &str = "http://www.w3.org/2000/svg";
/// The elements that are painted, or that say how.
pub(super) const TAGS: [&str; 50] = [
    "a",
    "circle",
    "clipPath",
    "defs",
    "ellipse",
    "feBlend",
    "feColorMatrix",
    "feComponentTransfer",
    "feComposite",
    "feConvolveMatrix",
    "feDiffuseLighting",
    "feDisplacementMap",
    "feDistantLight",
    "feDropShadow",
    "feFlood",
    "feFuncA",
    "feFuncB",
    "feFuncG",
    "feFuncR",
    "feGaussianBlur",
    "feMerge",
    "feMergeNode",
    "feMorphology",
    "feOffset",
    "fePointLight",
    "feSpecularLighting",
    "feSpotLight",
    "feTile",
    "feTurbulence",
    "filter",
    "g",
    "line",
    "linearGradient",
    "marker",
    "mask",
    "path",
    "pattern",
    "polygon",
    "polyline",
    "radialGradient",
    "rect",
    "stop",
    "style",
    "svg",
    "switch",
    "symbol",
    "text",
    "textPath",
    "tspan",
    "use",
];
/// Elements, before references are followed.
const MAX_ELEMENTS: usize = 100_000;
/// Attributes of an element.
const MAX_ATTRIBUTES: usize = 256;
/// Characters of one text, and of all texts: laying them out costs the square of the former.
const MAX_TEXT: usize = 10_000;
const MAX_TEXTS: usize = 50_000;
/// How many times a character and a part of a text can be brought together for what an element costs.
const TEXT_STEPS: usize = 24;
/// Colours of a gradient; sorting them costs the square.
const MAX_STOPS: usize = 2000;
/// Layers of noise in a pattern of noise.
const MAX_OCTAVES: f64 = 9.0;
/// Bytes of all style sheets, and declarations and references that they add to elements.
const MAX_CSS: usize = 500_000;
const MAX_STYLED: usize = 2_000_000;
/// Selectors that are matched against the elements here, and steps in the renderer, where every reference is followed.
const MAX_MATCHES: usize = 10_000_000;
const MAX_STEPS: u64 = 50_000_000;
/// Bytes of attributes that weigh as much as an element, because they are copied with it; those of arcs, which become several
/// curves each, weigh more.
const ELEMENT_BYTES: usize = 128;
const ARC_WEIGHT: usize = 8;

/// A document that is fit for the renderer, of the size that the root says. Errors: [`RenderError::Damaged`] and
/// [`RenderError::TooLarge`].
pub(super) fn clean(text: &str, root: &Root, limits: &Limits) -> Result<String, RenderError> {
    let max_len = usize::try_from(limits.max_svg_bytes).unwrap_or(usize::MAX).saturating_mul(2);
    let mut document = Document::new(root, max_len);
    let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    loop {
        match reader.read_event().map_err(|_| damaged("the SVG is not well formed"))? {
            Event::Start(element) => document.open(&element, false)?,
            Event::Empty(element) => document.open(&element, true)?,
            Event::End(_) => document.close()?,
            Event::Text(text) => document.text(&text)?,
            Event::CData(text) => document.text(&text)?,
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().map_err(|_| damaged("the SVG is not well formed"))?;
                if let Some(character) = character {
                    document.text(character.encode_utf8(&mut [0; 4]))?;
                } else {
                    let text = document.entities.resolve(&reference).map(str::to_owned);
                    document.text(&text.ok_or_else(|| damaged("the SVG has unknown entities"))?)?;
                }
            }
            Event::DocType(doctype) => document.entities = Entities::declared(&doctype),
            Event::Eof => return document.end(),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
}

pub(super) fn damaged(why: &str) -> RenderError {
    RenderError::Damaged(why.to_owned())
}

pub(super) fn too_large(why: &str) -> RenderError {
    RenderError::TooLarge(format!("The SVG cannot be made into pixels: {why}."))
}

/// A document on its way.
struct Document<'a> {
    root: &'a Root,
    /// Bytes that may be written.
    max_len: usize,
    written: String,
    elements: Vec<Element>,
    /// The elements that are open.
    open: Vec<usize>,
    /// How many elements are open that are left out.
    left_out: usize,
    /// The prefix of the root, which is that of everything that belongs to it.
    prefix: String,
    entities: Entities,
    ids: HashSet<String>,
    css: String,
    /// Characters and parts of the open text, and characters of all.
    text: usize,
    parts: usize,
    texts: usize,
    /// Colours of the open gradient.
    stops: usize,
    /// The most elements inside each other.
    depth: usize,
    rules: Vec<Rule>,
    has_ended: bool,
}

impl<'a> Document<'a> {
    fn new(root: &'a Root, max_len: usize) -> Self {
        Self {
            root,
            max_len,
            written: String::new(),
            elements: Vec::new(),
            open: Vec::new(),
            left_out: 0,
            prefix: String::new(),
            entities: Entities::default(),
            ids: HashSet::new(),
            css: String::new(),
            text: 0,
            parts: 0,
            texts: 0,
            stops: 0,
            depth: 0,
            rules: Vec::new(),
            has_ended: false,
        }
    }

    fn open(&mut self, element: &BytesStart, is_empty: bool) -> Result<(), RenderError> {
        if self.has_ended {
            return Err(damaged("the SVG has more than one root element"));
        }
        let name = element.name();
        let (prefix, local) = name.0.split_once(':').unwrap_or(("", name.0));
        if self.elements.is_empty() {
            prefix.clone_into(&mut self.prefix);
        }
        let tag = TAGS.iter().find(|tag| **tag == local).filter(|_| prefix == self.prefix);
        let Some(tag) = tag.filter(|_| self.left_out == 0 && !self.is_foreign(element, local)) else {
            self.left_out += usize::from(!is_empty);
            if self.open.len() + self.left_out > references::MAX_DEPTH as usize {
                return Err(too_large("it is nested too deeply"));
            }
            return Ok(());
        };
        let at = self.elements.len();
        if at >= MAX_ELEMENTS {
            return Err(too_large("it has too many elements"));
        }
        if self.open.len() >= references::MAX_DEPTH as usize {
            return Err(too_large("it is nested too deeply"));
        }
        let parent = self.open.last().copied().unwrap_or(at);
        self.elements.push(Element {
            tag,
            parent,
            end: at + 1,
            id: None,
            class: None,
            links: Vec::new(),
            corners: 8,
            weight: 1,
        });
        self.attributes(element, at)?;
        match *tag {
            "text" => (self.text, self.parts) = (0, 1),
            "tspan" | "textPath" | "a" => self.parts += 1,
            "linearGradient" | "radialGradient" => self.stops = 0,
            "stop" => self.stops += 1,
            _ => {}
        }
        if self.stops > MAX_STOPS {
            return Err(too_large("a gradient has too many colours"));
        }
        self.open.push(at);
        self.depth = self.depth.max(self.open.len());
        if is_empty {
            return self.close();
        }
        Ok(())
    }

    /// Whether an element says that it, or what is in it, belongs to another language.
    fn is_foreign(&self, element: &BytesStart, local: &str) -> bool {
        let own = if self.prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{}", self.prefix) };
        // Illustrator writes the name space as an entity.
        let is_other = |value: &str| value.trim() != NAMESPACE && !value.contains('&');
        let mut attributes = element.attributes();
        attributes.with_checks(false).filter_map(Result::ok).any(|attribute| match attribute.key.0 {
            "type" => local == "style" && attribute.value.trim() != "text/css",
            key => key == own && is_other(&attribute.value),
        })
    }

    /// Writes the tag with the attributes that mean something.
    fn attributes(&mut self, element: &BytesStart, at: usize) -> Result<(), RenderError> {
        let tag = self.elements[at].tag;
        let is_style = tag == "style";
        let mut written = HashMap::new();
        let mut len = self.written.len();
        for attribute in element.attributes().with_checks(false) {
            let attribute = attribute.map_err(|_| damaged("the SVG is not well formed"))?;
            let key = attribute.key.0;
            let name = match key {
                _ if key.starts_with("xml:") => "xml:space",
                _ if key.ends_with(":href") => "href",
                _ => key,
            };
            let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
            let is_known = key == "xml:space" || name == "href" || is_plain && name != "xmlns";
            let is_side = at == 0 && matches!(name, "width" | "height");
            // What stands without a prefix counts, wherever it stands.
            if !is_known || is_side || is_style || written.contains_key(name) && key != "href" {
                continue;
            }
            if written.len() >= MAX_ATTRIBUTES {
                return Err(too_large("an element has too many attributes"));
            }
            let value = self.entities.value(&attribute.value)?;
            // Entities make them longer than the document is.
            len += value.len();
            if len > self.max_len {
                return Err(too_large("it is too long"));
            }
            written.insert(name.to_owned(), value);
        }
        let is_gradient = matches!(tag, "linearGradient" | "radialGradient");
        let mut text = String::new();
        let mut names: Vec<&String> = written.keys().collect();
        names.sort_unstable();
        let mut element = self.elements[at].clone();
        for name in names {
            let mut value = written[name].trim().to_owned();
            match name.as_str() {
                "id" if value.is_empty() || !self.ids.insert(value.clone()) => continue,
                "id" => element.id = Some(value.clone()),
                "class" => element.class = Some(value.clone()),
                "href" => {
                    let Some(id) = value.strip_prefix('#').filter(|id| !id.is_empty()) else { continue };
                    element.links.push(Link { id: id.to_owned(), is_inherited: false });
                }
                "style" => {
                    let declarations = style::declarations(&value);
                    for declaration in declarations.iter().filter(|_| !is_gradient) {
                        element.links.extend(links(&declaration.name, &declaration.value));
                        element.weight += style::functions(&declaration.name, &declaration.value);
                    }
                    value = style::write_declarations(&declarations);
                }
                _ if !style::is_harmless(name, &value) => continue,
                // Nobody sees more of them, and the renderer's numbers run over.
                "numOctaves" if value.parse::<f64>().is_ok_and(|octaves| octaves > MAX_OCTAVES) => {
                    value = MAX_OCTAVES.to_string();
                }
                "d" | "points" => {
                    element.corners = value.len() as u64 / 2 + 2;
                    if value.contains(['a', 'A']) {
                        element.weight += (value.len() * ARC_WEIGHT / ELEMENT_BYTES) as u64;
                    }
                }
                _ if !is_gradient => {
                    element.links.extend(links(name, &value));
                    element.weight += style::functions(name, &value);
                }
                _ => {}
            }
            let _ = write!(text, " {name}=\"{}\"", escape(&value));
            if text.len() > self.max_len {
                return Err(too_large("it is too long"));
            }
        }
        element.weight += (text.len() / ELEMENT_BYTES) as u64;
        self.elements[at] = element;
        if is_style {
            return Ok(());
        }
        let name_space = if at == 0 { format!(" xmlns=\"{NAMESPACE}\"") } else { String::new() };
        let size = if at == 0 { self.root.size } else { (0.0, 0.0) };
        let sides = if at == 0 { format!(" width=\"{}\" height=\"{}\"", size.0, size.1) } else { String::new() };
        self.write(&format!("<{tag}{name_space}{sides}{text}>"))
    }

    fn close(&mut self) -> Result<(), RenderError> {
        if self.left_out > 0 {
            self.left_out -= 1;
            return Ok(());
        }
        let at = self.open.pop().ok_or_else(|| damaged("the SVG is not well formed"))?;
        self.elements[at].end = self.elements.len();
        if self.open.is_empty() {
            self.has_ended = true;
            return self.finish();
        }
        match self.elements[at].tag {
            "style" => return Ok(()),
            "text" => self.elements[at].weight += (self.text.saturating_mul(self.parts) / TEXT_STEPS) as u64,
            _ => {}
        }
        self.write(&format!("</{}>", self.elements[at].tag))
    }

    fn text(&mut self, text: &str) -> Result<(), RenderError> {
        let Some(at) = self.open.last().filter(|_| self.left_out == 0) else { return Ok(()) };
        match self.elements[*at].tag {
            "style" => {
                if self.css.len() + text.len() > MAX_CSS {
                    return Err(too_large("its style sheets are too large"));
                }
                self.css.push_str(text);
                Ok(())
            }
            "text" | "tspan" | "textPath" | "a" => {
                let chars = text.chars().count();
                self.text += chars;
                self.texts += chars;
                self.elements[*at].weight += chars as u64;
                if self.text > MAX_TEXT || self.texts > MAX_TEXTS {
                    return Err(too_large("it has too much text"));
                }
                let known: String = text.chars().filter(|c| is_xml(*c)).collect();
                self.write(&escape(&known))
            }
            _ => Ok(()),
        }
    }

    /// The style sheets, which count for the whole document, and the end of the root.
    fn finish(&mut self) -> Result<(), RenderError> {
        self.rules = style::rules(&self.css);
        let matches = self.rules.iter().map(Rule::selectors).sum::<usize>().saturating_mul(self.elements.len());
        if matches > MAX_MATCHES {
            return Err(too_large("its style sheets are too large"));
        }
        let mut added = 0;
        for rule in &self.rules {
            let links: Vec<Link> = rule.declarations.iter().flat_map(|one| links(&one.name, &one.value)).collect();
            let weight = rule.declarations.iter().map(|one| style::functions(&one.name, &one.value)).sum::<u64>();
            for element in &mut self.elements {
                let is_gradient = matches!(element.tag, "linearGradient" | "radialGradient");
                if is_gradient || !rule.may_match(element.tag, element.id.as_deref(), element.class.as_deref()) {
                    continue;
                }
                added += rule.declarations.len() + links.len();
                if added > MAX_STYLED {
                    return Err(too_large("its style sheets are too large"));
                }
                element.links.extend_from_slice(&links);
                element.weight += weight;
            }
        }
        self.write(&format!("<style>{}</style></svg>", escape(style::write_rules(&self.rules))))
    }

    fn end(self) -> Result<String, RenderError> {
        if !self.has_ended {
            return Err(damaged("the SVG is cut off"));
        }
        let count = references::check(&self.elements).map_err(too_large)?;
        let depth = self.depth as u64;
        let steps = self.rules.iter().map(|rule| rule.steps(depth)).fold(0, u64::saturating_add);
        if steps.saturating_mul(count) > MAX_STEPS {
            return Err(too_large("its style sheets are too large"));
        }
        Ok(self.written)
    }

    fn write(&mut self, text: &str) -> Result<(), RenderError> {
        self.written.push_str(text);
        if self.written.len() > self.max_len { Err(too_large("it is too long")) } else { Ok(()) }
    }
}

/// What a property refers to.
fn links(name: &str, value: &str) -> Vec<Link> {
    let is_inherited = !matches!(name, "clip-path" | "mask" | "filter");
    style::links(value).map(|id| Link { id: id.to_owned(), is_inherited }).collect()
}
