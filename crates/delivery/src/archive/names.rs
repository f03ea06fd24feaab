//! Names in an archive: whoever unpacks it must not be led out of the folder, and no file may take the place of another.

use std::collections::{HashMap, HashSet};

/// What is shown of a name without anything in it.
const NAMELESS: &str = "original";

/// Harmless names, no two of which are the same for a file system that ignores case.
pub(super) fn unique<'a>(wanted: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut taken = HashSet::new();
    // How often each name was tried, so that a thousand of the same do not begin at the first one again and again.
    let mut tried: HashMap<String, u32> = HashMap::new();
    let mut names = Vec::new();
    for name in wanted {
        let name = harmless(name);
        let number = tried.entry(name.to_lowercase()).or_default();
        let unique = loop {
            *number += 1;
            let unique = if *number == 1 { name.clone() } else { numbered(&name, *number) };
            if taken.insert(unique.to_lowercase()) {
                break unique;
            }
        };
        names.push(unique);
    }
    names
}

fn harmless(name: &str) -> String {
    let kept = |c: char| if c.is_control() || matches!(c, '/' | '\\' | ':') { '_' } else { c };
    let name: String = name.chars().map(kept).take(stowage_model::name::MAX_CHARS).collect();
    // `.` and `..`, and what Windows takes for them.
    if name.trim_end_matches(['.', ' ']).is_empty() { NAMELESS.to_owned() } else { name }
}

/// `photo.jpg` becomes `photo_2.jpg`.
fn numbered(name: &str, number: u32) -> String {
    match name.rsplit_once('.') {
        Some((root, extension)) if !root.is_empty() => format!("{root}_{number}.{extension}"),
        _ => format!("{name}_{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_harmless_and_unique() {
        let wanted = [
            "a.jpg", "A.jpg", "a.jpg", "a_2.jpg", "..", "", "../x", "c:\\y", "noext", "noext", ".env", ".env", "\u{0}z",
        ];
        let names = unique(wanted.into_iter());
        assert_eq!(
            names,
            [
                "a.jpg",
                "A_2.jpg",
                "a_3.jpg",
                "a_2_2.jpg",
                "original",
                "original_2",
                ".._x",
                "c__y",
                "noext",
                "noext_2",
                ".env",
                ".env_2",
                "_z"
            ]
        );
        let wanted = ["a_3", "A", "a", "a_2", "a", "a_2", "a"];
        assert_eq!(unique(wanted.into_iter()), ["a_3", "A", "a_2", "a_2_2", "a_4", "a_2_3", "a_5"]);
        let many = unique(std::iter::repeat_n("a.b", 1000));
        assert_eq!((&*many[0], &*many[999]), ("a.b", "a_1000.b"));
        assert_eq!(unique([&*"ж".repeat(300)].into_iter())[0].chars().count(), 255);
    }
}
