//! From a text to lines with their widths. The renderer of SVG is asked for every measure, so that what is measured is what
//! is painted later: ligatures, kerning, combining marks and fonts that stand in for others included.

use super::fonts;
use quick_xml::escape::escape;
use resvg::usvg::{Group, Node, Options, Tree};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::sync::Arc;
use stowage_image::operations::Family;

/// How letters look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Face {
    pub(super) family: Family,
    pub(super) bold: bool,
    pub(super) italic: bool,
    /// Pixels.
    pub(super) size: u32,
}

/// A line of a text.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Line {
    pub(super) text: String,
    /// Pixels.
    pub(super) width: f64,
}

/// The lines of a text.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Layout {
    pub(super) lines: Vec<Line>,
    /// From the top of a line to where its letters stand, in pixels.
    pub(super) ascent: f64,
    /// From the top of a line to the top of the next one, in pixels.
    pub(super) line_height: f64,
}

/// Breaks a text into lines that are not wider than `width` pixels: between words, and inside of words that are wider alone. Spaces
/// at a break vanish.
pub(super) fn lay_out(text: &str, face: Face, width: f64) -> Layout {
    let text: String = text.chars().filter_map(printable).collect();
    let words: HashSet<&str> = text.split(['\n', ' ']).filter(|word| !word.is_empty()).collect();
    let mut ruler = Ruler { face, widths: HashMap::new() };
    let extent = ruler.measure(words.into_iter().chain(["x x", "xx"]));
    let space = ruler.width("x x") - ruler.width("xx");
    let too_wide: Vec<&str> = text.split(['\n', ' ']).filter(|word| ruler.width(word) > width).collect();
    ruler.measure(too_wide.iter().flat_map(|word| clusters(word)));
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        // How wide the line is so far.
        let mut filled = 0.0;
        for (index, word) in paragraph.split(' ').enumerate() {
            let wide = ruler.width(word);
            let before = if index == 0 { 0.0 } else { space };
            if filled + before + wide <= width {
                line.push_str(if index == 0 { "" } else { " " });
                line.push_str(word);
                filled += before + wide;
                continue;
            }
            if !line.trim().is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line.clear();
            filled = 0.0;
            if wide <= width {
                line.push_str(word);
                filled = wide;
                continue;
            }
            for cluster in clusters(word) {
                let wide = ruler.width(cluster);
                if filled + wide > width && !line.is_empty() {
                    lines.push(std::mem::take(&mut line));
                    filled = 0.0;
                }
                line.push_str(cluster);
                filled += wide;
            }
        }
        lines.push(line);
    }
    for line in &mut lines {
        line.truncate(line.trim_end_matches(' ').len());
    }
    ruler.measure(lines.iter().map(String::as_str));
    let lines = lines.into_iter().map(|text| Line { width: ruler.width(&text), text }).collect();
    Layout { lines, ascent: extent.0, line_height: extent.1 }
}

/// The document in which these lines are painted at their places, `y` being where the letters stand. `fill` holds the attributes
/// that say in which colour.
pub(super) fn document<'a>(face: Face, fill: &str, lines: impl Iterator<Item = (f64, f64, &'a str)>) -> Option<Tree> {
    let slant = if face.italic && fonts::is_slanted(face.family) { " skewX(-12)" } else { "" };
    let mut svg = head(face, fill);
    for (x, y, text) in lines {
        let _ = write!(svg, "<text transform=\"translate({x} {y}){slant}\">{}</text>", escape(text));
    }
    svg.push_str("</svg>");
    parse(&svg, face)
}

struct Ruler {
    face: Face,
    widths: HashMap<String, f64>,
}

impl Ruler {
    fn width(&self, text: &str) -> f64 {
        self.widths.get(text).copied().unwrap_or_default()
    }

    /// Measures texts that have not been measured; the answer is the ascent and the height of a line.
    fn measure<'a>(&mut self, texts: impl Iterator<Item = &'a str>) -> (f64, f64) {
        let texts: Vec<&str> = texts.filter(|text| !self.widths.contains_key(*text)).collect();
        let mut svg = head(self.face, "");
        // Letters of the font itself come first: others may be higher.
        let _ = write!(svg, "<text id=\"x\">x</text>");
        for (index, text) in texts.iter().enumerate() {
            let _ = write!(svg, "<text id=\"{index}\">{}</text>", escape(*text));
        }
        svg.push_str("</svg>");
        let mut extent = (0.0, 0.0);
        let Some(tree) = parse(&svg, self.face) else { return extent };
        each_text(tree.root(), &mut |text| {
            let bounds = text.bounding_box();
            match text.id().parse::<usize>().ok().and_then(|index| texts.get(index)) {
                Some(text) => {
                    self.widths.insert((*text).to_owned(), f64::from(bounds.width()));
                }
                None => extent = (f64::from(-bounds.top()), f64::from(bounds.height())),
            }
        });
        extent
    }
}

fn each_text(group: &Group, found: &mut impl FnMut(&resvg::usvg::Text)) {
    for node in group.children() {
        match node {
            Node::Text(text) => found(text),
            Node::Group(group) => each_text(group, found),
            Node::Path(_) | Node::Image(_) => {}
        }
    }
}

fn head(face: Face, fill: &str) -> String {
    let family = fonts::name(face.family);
    let weight = if face.bold { "bold" } else { "normal" };
    let style = if face.italic { "italic" } else { "normal" };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1\" height=\"1\" xml:space=\"preserve\" \
         font-family=\"{family}\" font-size=\"{}\" font-weight=\"{weight}\" font-style=\"{style}\"{fill}>",
        face.size
    )
}

fn parse(svg: &str, face: Face) -> Option<Tree> {
    let options = Options { fontdb: Arc::clone(fonts::ordered(face.bold, face.italic)), ..Options::default() };
    Tree::from_str(svg, &options).ok()
}

/// A character as it can stand in a document: blanks become spaces, and what does not print is left out.
fn printable(c: char) -> Option<char> {
    match c {
        '\n' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
        '\t' => Some(' '),
        '\u{fffe}' | '\u{ffff}' => None,
        c => (!c.is_control()).then_some(c),
    }
}

/// The characters of a word with the marks that belong to them.
fn clusters(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let mut chars = rest.char_indices().skip(1).skip_while(|(_, c)| is_mark(*c));
        let end = chars.next().map_or(rest.len(), |(at, _)| at);
        let (cluster, behind) = rest.split_at(end);
        rest = behind;
        (!cluster.is_empty()).then_some(cluster)
    })
}

/// Whether a character belongs to the one before it.
fn is_mark(c: char) -> bool {
    matches!(
        c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}'
            | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{200c}' | '\u{200d}' | '\u{20d0}'..='\u{20ff}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}'
    )
}
