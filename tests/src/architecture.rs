//! The plan of the house, as far as a machine can hold it: a room imports only rooms on lower floors.

use std::collections::HashMap;

const FLOORS: &[(&str, u32)] = &[
    ("stowage-model", 0),
    ("stowage-store", 1),
    ("stowage-image", 1),
    ("stowage-codecs", 1),
    ("stowage-views", 1),
    ("stowage-fetch", 1),
    ("stowage-intake", 2),
    ("stowage-render", 2),
    ("stowage-delivery", 3),
    ("stowage-copy", 4),
    ("stowage-jobs", 5),
    ("stowage-janitor", 5),
    ("stowage-api", 6),
    ("stowage-dev", 7),
    ("stowage", 8),
    ("stowage-tests", 9),
];

#[test]
fn arrows_point_downwards() {
    let metadata = cargo_metadata::MetadataCommand::new().no_deps().exec().unwrap();
    let floors: HashMap<&str, u32> = FLOORS.iter().copied().collect();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let floor = floors.get(name).unwrap_or_else(|| panic!("{name} has no floor in this test"));
        for dependency in &package.dependencies {
            let Some(below) = floors.get(dependency.name.as_str()) else { continue };
            let own_tests = dependency.name == name;
            assert!(below < floor || own_tests, "{name} (floor {floor}) imports {} (floor {below})", dependency.name);
        }
    }
    assert_eq!(metadata.packages.len(), FLOORS.len(), "a room is missing or gone");
}
