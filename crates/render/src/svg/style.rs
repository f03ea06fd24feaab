//! Style sheets and `style` attributes, taken apart and written anew, so that the renderer's own parser meets nothing but
//! plain rules: what is not understood here is left out there.

use std::fmt::Write;

/// Simple selectors behind each other, as in `g .a rect`.
const MAX_COMPOUNDS: usize = 4;
/// Bytes of a list of fonts, which is walked for every text.
const MAX_FONTS: usize = 1000;
/// The largest number.
const MAX_NUMBER: f64 = 1.0e7;
/// Functions of a `filter`, each of which is a filter of its own.
const MAX_FUNCTIONS: usize = 16;

/// A property with its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Declaration {
    pub(super) name: String,
    pub(super) value: String,
}

/// Declarations for the elements that one of the selectors matches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Rule {
    selectors: Vec<String>,
    pub(super) declarations: Vec<Declaration>,
}

impl Rule {
    /// Whether a selector can match an element: what stands last in it names all that the element has.
    pub(super) fn may_match(&self, tag: &str, id: Option<&str>, class: Option<&str>) -> bool {
        self.selectors.iter().any(|selector| {
            let subject = selector.rsplit([' ', '>', '+']).next().unwrap_or_default();
            // States and attributes only narrow it down.
            let subject = subject.split([':', '[']).next().unwrap_or_default();
            let mut rest = subject;
            loop {
                let end = rest[1.min(rest.len())..].find(['.', '#']).map_or(rest.len(), |at| at + 1);
                let (name, behind) = rest.split_at(end);
                let fits = match name.split_at_checked(1) {
                    Some((".", name)) => class.is_some_and(|class| class.split_whitespace().any(|one| one == name)),
                    Some(("#", name)) => id == Some(name),
                    _ => name.is_empty() || name == "*" || name == tag,
                };
                if !fits || behind.is_empty() {
                    return fits;
                }
                rest = behind;
            }
        })
    }

    /// How many selectors it has.
    pub(super) fn selectors(&self) -> usize {
        self.selectors.len()
    }

    /// How many steps it takes at most to match it against an element at this depth: every element around is tried for every
    /// part of a selector.
    pub(super) fn steps(&self, depth: u64) -> u64 {
        let steps = |selector: &String| {
            let parts = selector.split(' ').filter(|word| !matches!(*word, ">" | "+")).count();
            depth.saturating_pow(u32::try_from(parts.saturating_sub(1)).unwrap_or(u32::MAX))
        };
        self.selectors.iter().map(steps).fold(0, u64::saturating_add)
    }
}

/// The rules of a style sheet that are understood; at-rules are not.
pub(super) fn rules(css: &str) -> Vec<Rule> {
    let css = without_comments(css);
    let mut rules = Vec::new();
    let mut rest = css.as_str();
    loop {
        rest = rest.trim_start();
        if rest.starts_with('@') {
            let Some(end) = find(rest, &[';', '{']) else { return rules };
            rest = if rest[end..].starts_with('{') { behind_block(&rest[end..]) } else { &rest[end + 1..] };
            continue;
        }
        let Some(open) = find(rest, &['{']) else { return rules };
        let body = &rest[open + 1..];
        let close = find(body, &['}']).unwrap_or(body.len());
        let selectors: Vec<String> = rest[..open].split(',').filter_map(selector).collect();
        let declarations = declarations(&body[..close]);
        if !selectors.is_empty() && !declarations.is_empty() {
            rules.push(Rule { selectors, declarations });
        }
        rest = body.get(close + 1..).unwrap_or_default();
    }
}

/// The declarations of a `style` attribute or a rule.
pub(super) fn declarations(css: &str) -> Vec<Declaration> {
    let css = without_comments(css);
    let mut rest = css.as_str();
    let mut declarations = Vec::new();
    while !rest.is_empty() {
        let end = find(rest, &[';']).unwrap_or(rest.len());
        declarations.extend(declaration(&rest[..end]));
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    declarations
}

/// Writes rules as they were understood.
pub(super) fn write_rules(rules: &[Rule]) -> String {
    let mut css = String::new();
    for rule in rules {
        let _ = writeln!(css, "{}{{{}}}", rule.selectors.join(","), write_declarations(&rule.declarations));
    }
    css
}

/// Writes declarations as they were understood.
pub(super) fn write_declarations(declarations: &[Declaration]) -> String {
    declarations.iter().fold(String::new(), |mut css, Declaration { name, value }| {
        let _ = write!(css, "{name}:{value};");
        css
    })
}

/// The elements of the document that a value names, as in `url(#id)`.
pub(super) fn links(value: &str) -> impl Iterator<Item = &str> {
    value.match_indices("url(").filter_map(|(at, mark)| {
        let rest = value[at + mark.len()..].trim_start();
        let rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest).trim_start().strip_prefix('#')?;
        let end = rest.find(['"', '\'', ')']).unwrap_or(rest.len());
        let id = rest[..end].trim_end();
        (!id.is_empty()).then_some(id)
    })
}

/// Whether a property can be let through: it names nothing outside of the document, and costs no more than it looks.
pub(super) fn is_harmless(name: &str, value: &str) -> bool {
    let is_local = value.matches("url(").count() == links(value).count();
    is_local
        && (name == "font-family" || numbers_are_small(value))
        && match name {
            // What is painted around an element is that of the element itself, never an heirloom.
            "clip-path" | "mask" => !value.starts_with("inherit"),
            "filter" => !value.starts_with("inherit") && functions(name, value) <= MAX_FUNCTIONS as u64,
            "font" | "font-family" => value.len() <= MAX_FONTS,
            _ => true,
        }
}

/// Whether no number is so large that the renderer's arithmetic runs over: a part of an outline can become the more parts the
/// larger it is. Colours and what is behind `#` in general are no numbers.
fn numbers_are_small(value: &str) -> bool {
    let bytes = value.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'#' {
            at += bytes[at..]
                .iter()
                .skip(1)
                .take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
                .count()
                + 1;
            continue;
        }
        if !bytes[at].is_ascii_digit() && bytes[at] != b'.' {
            at += 1;
            continue;
        }
        let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let start = at;
        at += digits(at);
        if bytes.get(at) == Some(&b'.') {
            at += 1 + digits(at + 1);
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            let exponent = digits((at + 1 + sign).min(bytes.len()));
            at += if exponent > 0 { 1 + sign + exponent } else { 0 };
        }
        if value[start..at].parse().is_ok_and(|number: f64| number > MAX_NUMBER) {
            return false;
        }
    }
    true
}

/// As how many elements a property counts.
pub(super) fn functions(name: &str, value: &str) -> u64 {
    if name == "filter" { value.matches('(').count() as u64 } else { 0 }
}

fn declaration(css: &str) -> Option<Declaration> {
    let (name, value) = css.split_once(':')?;
    let (name, value) = (name.trim(), value.trim());
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_plain = |c: char| !c.is_control() && !matches!(c, '{' | '}' | '\\' | '<' | '@');
    let known = !name.is_empty() && name.chars().all(is_name) && !value.is_empty() && value.chars().all(is_plain);
    let quotes_match =
        find(value, &[]).is_none() && ['"', '\''].iter().all(|mark| value.matches(*mark).count() % 2 == 0);
    (known && quotes_match && is_harmless(name, value))
        .then(|| Declaration { name: name.to_owned(), value: value.to_owned() })
}

/// A selector in one writing; nothing when it is not understood.
fn selector(text: &str) -> Option<String> {
    let is_known = |c: char| c.is_ascii_alphanumeric() || !c.is_ascii() || "-_.#*>+ :[]=\"'".contains(c);
    let spaced: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    if !spaced.chars().all(is_known) {
        return None;
    }
    let spaced = spaced.replace('>', " > ").replace('+', " + ");
    let words: Vec<&str> = spaced.split(' ').filter(|word| !word.is_empty()).collect();
    let is_combinator = |word: &&str| matches!(*word, ">" | "+");
    let well_formed = words.first().is_some_and(|word| !is_combinator(word))
        && words.last().is_some_and(|word| !is_combinator(word))
        && !words.windows(2).any(|pair| is_combinator(&pair[0]) && is_combinator(&pair[1]));
    let compounds = words.iter().filter(|word| !is_combinator(word)).count();
    (well_formed && compounds <= MAX_COMPOUNDS).then(|| words.join(" "))
}

/// Where the first of these marks stands outside of quotation marks.
fn find(css: &str, marks: &[char]) -> Option<usize> {
    let mut quote = None;
    for (at, c) in css.char_indices() {
        match quote {
            Some(mark) if c == mark => quote = None,
            None if marks.contains(&c) => return Some(at),
            None if matches!(c, '"' | '\'') => quote = Some(c),
            _ => {}
        }
    }
    None
}

/// What follows a block that begins here; blocks may stand in each other.
fn behind_block(css: &str) -> &str {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(mark) = find(&css[at..], &['{', '}']) {
        at += mark + 1;
        if css[..at].ends_with('{') {
            depth += 1;
        } else {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return &css[at..];
            }
        }
    }
    ""
}

/// The text without its comments; quotation marks protect nothing, so that no comment can be hidden.
fn without_comments(css: &str) -> String {
    let mut kept = String::with_capacity(css.len());
    let mut rest = css;
    while let Some((before, comment)) = rest.split_once("/*") {
        kept.push_str(before);
        kept.push(' ');
        rest = comment.split_once("*/").map_or("", |(_, behind)| behind);
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_rules_are_understood() {
        let css = "/* x */ @import 'a.css'; @media print { .a { fill: red } } .a, #b > rect { fill : url( '#p' ); stroke:blue }";
        let rules = rules(css);
        assert_eq!(write_rules(&rules), ".a,#b > rect{fill:url( '#p' );stroke:blue;}\n");
        assert!(rules[0].may_match("path", None, Some("x a")));
        assert!(rules[0].may_match("rect", None, None));
        assert!(!rules[0].may_match("path", Some("b"), Some("b")));
        assert_eq!(links(&rules[0].declarations[0].value).collect::<Vec<_>>(), ["p"]);
    }

    #[test]
    fn what_is_not_understood_is_left_out() {
        for css in [
            "a b c d e { fill: red }",
            "a { fill: \\75rl(#a) }",
            "> a { fill: red }",
            "a > > b { fill: red }",
            "a { filter: inherit }",
            "a { fill }",
            "a { fill: \"red }",
            "a \\{ b { fill: red }",
            "@media { a { fill: red }",
        ] {
            assert_eq!(rules(css), [], "{css}");
        }
    }

    #[test]
    fn selectors_name_what_they_match() {
        let subject = |selector: &str| Rule { selectors: vec![selector.to_owned()], declarations: Vec::new() };
        assert!(subject("rect.a.b#c").may_match("rect", Some("c"), Some("b a")));
        assert!(!subject("rect.a.b#c").may_match("rect", Some("c"), Some("a")));
        assert!(subject("*").may_match("rect", None, None));
        assert!(subject(":hover").may_match("rect", None, None));
        assert!(subject("rect[x='1']").may_match("rect", None, None));
        assert!(!subject("rect[x='1']").may_match("g", None, None));
    }

    #[test]
    fn large_numbers_are_left_out() {
        for value in
            ["M0 0L-9999999 1e7", "1e-99", "#123456789012", "rgb(1,2,3)", "1.99999999999999999", ".5.5", "1em", "3e"]
        {
            assert!(numbers_are_small(value), "{value}");
        }
        for value in
            ["1e8", "a25 25 0 11251e30 25", "99999999", "-1E+30", "#a 1e30", "matrix(1 0 0 123456789.5 0 0)", ".1e9"]
        {
            assert!(!numbers_are_small(value), "{value}");
        }
    }

    #[test]
    fn links_are_found_in_any_writing() {
        let ids = |value: &'static str| links(value).collect::<Vec<_>>();
        assert_eq!(ids("url(#a) url( \"#b\" ) url('#c d ')"), ["a", "b", "c d"]);
        assert_eq!(ids("url(http://x/#a) none url(#)"), [""; 0]);
        assert_eq!(ids("url(#a"), ["a"]);
    }
}
