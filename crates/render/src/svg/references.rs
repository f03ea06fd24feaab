//! What a document is when every reference is followed. The renderer copies what is referred to into its place, so that a
//! few elements can become millions, and it follows some circles until the stack ends. Both are reckoned here, from the
//! elements and what they refer to alone, and refused.

use std::collections::HashMap;

/// Elements after every reference was followed.
const MAX_ELEMENTS: u64 = 200_000;
/// Elements inside each other after every reference was followed.
pub(super) const MAX_DEPTH: u32 = 256;

/// A reference of one element to another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Link {
    /// The identifier of the other.
    pub(super) id: String,
    /// Whether the elements inside take it over.
    pub(super) is_inherited: bool,
}

/// An element, in the order of the document.
#[derive(Clone, Debug)]
pub(super) struct Element {
    pub(super) tag: &'static str,
    /// The element around it; the root is around itself.
    pub(super) parent: usize,
    /// The first element behind it that is not inside of it.
    pub(super) end: usize,
    /// No two elements have the same.
    pub(super) id: Option<String>,
    pub(super) class: Option<String>,
    pub(super) links: Vec<Link>,
    /// At most how many corners its outline has, at each of which a marker may stand.
    pub(super) corners: u64,
    /// As how many elements it counts.
    pub(super) weight: u64,
}

/// What an element is with all that it refers to.
#[derive(Clone, Copy, Default)]
struct Expanded {
    /// Elements.
    count: u64,
    /// Elements inside each other.
    depth: u32,
}

/// How far an element has been looked at.
#[derive(Clone, Copy)]
enum State {
    Open,
    Known(Expanded),
}

/// What the elements inside of an element take over from it.
#[derive(Clone, Copy, Default)]
struct Heritage {
    /// Elements that each of them gets.
    once: u64,
    /// Elements that each corner of them gets.
    per_corner: u64,
    depth: u32,
}

struct References<'a> {
    elements: &'a [Element],
    by_id: HashMap<&'a str, usize>,
    states: HashMap<usize, State>,
}

/// How many elements a document has once every reference is followed. The error is a clause: it is too large or too deep, or
/// refers to itself.
pub(super) fn check(elements: &[Element]) -> Result<u64, &'static str> {
    let with_id = elements.iter().enumerate().filter_map(|(at, element)| Some((element.id.as_deref()?, at)));
    let by_id = with_id.collect();
    References { elements, by_id, states: HashMap::new() }.expand(0, 0).map(|all| all.count)
}

impl References<'_> {
    /// The element at a place with what is inside and what all of that refers to; `level` counts references.
    fn expand(&mut self, at: usize, level: u32) -> Result<Expanded, &'static str> {
        match self.states.get(&at) {
            Some(State::Known(known)) => return Ok(*known),
            Some(State::Open) => return Err("it refers to itself"),
            None if level > MAX_DEPTH / 4 => return Err("its references go too deep"),
            None => {}
        }
        self.states.insert(at, State::Open);
        let top = &self.elements[at];
        let mut around = Heritage::default();
        let mut parent = at;
        while self.elements[parent].parent != parent {
            parent = self.elements[parent].parent;
            around = self.inherit(around, parent, level)?;
        }
        let mut all = Expanded::default();
        // Where each open element ends, and what it hands on.
        let mut open = vec![(top.end, around)];
        for inner in at..top.end {
            while open.len() > 1 && open.last().is_some_and(|(end, _)| *end <= inner) {
                open.pop();
            }
            let element = &self.elements[inner];
            let heritage = open.last().map_or(around, |(_, heritage)| *heritage);
            let heritage = self.inherit(heritage, inner, level)?;
            let own = self.own(inner, level)?;
            let corners = heritage.per_corner.saturating_mul(element.corners);
            let count = element.weight.saturating_add(heritage.once).saturating_add(own.count).saturating_add(corners);
            all.count = all.count.saturating_add(count);
            let depth = u32::try_from(open.len()).unwrap_or(u32::MAX);
            all.depth = all.depth.max(depth.saturating_add(heritage.depth.max(own.depth)));
            if all.count > MAX_ELEMENTS {
                return Err("it has too many elements");
            }
            if all.depth > MAX_DEPTH {
                return Err("it is nested too deeply");
            }
            open.push((element.end, heritage));
        }
        self.states.insert(at, State::Known(all));
        Ok(all)
    }

    /// What an element hands on: what it was handed, and what it refers to in ways that are inherited.
    fn inherit(&mut self, mut heritage: Heritage, at: usize, level: u32) -> Result<Heritage, &'static str> {
        let elements = self.elements;
        for link in elements[at].links.iter().filter(|link| link.is_inherited) {
            let Some((target, expanded)) = self.follow(&link.id, level)? else { continue };
            heritage.depth = heritage.depth.max(expanded.depth);
            if elements[target].tag == "marker" {
                heritage.per_corner = heritage.per_corner.saturating_add(expanded.count);
            } else {
                heritage.once = heritage.once.saturating_add(expanded.count);
            }
        }
        Ok(heritage)
    }

    /// What an element refers to for itself alone.
    fn own(&mut self, at: usize, level: u32) -> Result<Expanded, &'static str> {
        let elements = self.elements;
        let mut all = Expanded::default();
        for link in elements[at].links.iter().filter(|link| !link.is_inherited) {
            let Some((_, expanded)) = self.follow(&link.id, level)? else { continue };
            all.count = all.count.saturating_add(expanded.count);
            all.depth = all.depth.max(expanded.depth);
        }
        Ok(all)
    }

    fn follow(&mut self, id: &str, level: u32) -> Result<Option<(usize, Expanded)>, &'static str> {
        let Some(target) = self.by_id.get(id).copied() else { return Ok(None) };
        let element = &self.elements[target];
        if matches!(element.tag, "linearGradient" | "radialGradient") {
            return self.gradient(target).map(|expanded| Some((target, expanded)));
        }
        Ok(Some((target, self.expand(target, level + 1)?)))
    }

    /// Gradients hold no shapes and take only stops and numbers from each other, so what surrounds them does not matter.
    fn gradient(&self, from: usize) -> Result<Expanded, &'static str> {
        let mut at = from;
        // Stops are small, copies of them cheap.
        let mut count = 1;
        for _ in 0..MAX_DEPTH / 4 {
            count += (self.elements[at].end - at) as u64 / 16;
            let next = self.elements[at].links.iter().find(|link| !link.is_inherited).map(|link| link.id.as_str());
            match next.and_then(|id| self.by_id.get(id)) {
                Some(next) => at = *next,
                None => return Ok(Expanded { count, depth: 1 }),
            }
        }
        Err("its gradients refer to each other without end")
    }
}
