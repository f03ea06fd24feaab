//! Searching.

use std::time::Duration;

use stowage_model::search::{ExactField, Range, Side, Sort, TagsFilter, TextField};
use stowage_model::{ContentInfo, FileName, Metadata, MimeInfo, NewFile, ProjectId, Search, Tags};
use stowage_store::records::Records;

use crate::{Case, T0, cause, new_file, project};

/// Name, detected type, length, metadata and tags.
type Row = (&'static str, &'static str, u64, &'static [(&'static str, &'static str)], &'static str);

const FILES: [Row; 6] = [
    ("Holiday-Photo.JPG", "image/jpeg", 300, &[("camera", "Canon EOS"), ("place", "Île")], "trip,sea"),
    ("photographer.png", "image/png", 200, &[], "people"),
    ("notes.txt", "text/plain", 10, &[("about", "the photo of 100%_done\\")], "trip,work"),
    ("ÄRGER.txt", "text/plain", 10, &[("camera", "canon eos")], ""),
    ("archive.zip", "application/zip", 4000, &[("k.k", "a\"b'c")], "work"),
    ("removed photo.png", "image/png", 7, &[("camera", "Canon EOS")], "trip"),
];

async fn seeded(case: &Case, records: &Records, mine: ProjectId, theirs: ProjectId) -> Vec<NewFile> {
    let mut files = Vec::new();
    for (name, detected, size, pairs, tags) in FILES {
        let file = NewFile {
            name: FileName::new(name),
            size,
            is_image: detected.starts_with("image/"),
            content: ContentInfo { mime: MimeInfo::new(detected), ..ContentInfo::default() },
            metadata: Metadata::from_pairs(pairs.iter().map(|(key, value)| (*key, value.as_bytes()))).unwrap(),
            tags: Tags::from_list(tags).unwrap(),
            ..new_file("")
        };
        records.add_files(mine, vec![file.clone()], cause()).await.unwrap();
        let foreign = NewFile { id: new_file("").id, ..file.clone() };
        records.add_files(theirs, vec![foreign], cause()).await.unwrap();
        case.clock.advance(Duration::from_micros(10));
        files.push(file);
    }
    records.remove_files(mine, &[files[5].id], &cause(), T0).await.unwrap();
    files
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

async fn files_are_found_by_what_they_are(case: Case) {
    let records = case.open().await;
    let (mine, theirs) = (project(&records, "mine").await, project(&records, "theirs").await);
    let files = seeded(&case, &records, mine, theirs).await;
    // Which of the files, in the order of the result.
    let found = async |search: Search| {
        let found = records.search_files(mine, &search, 0, 100).await.unwrap();
        assert_eq!(found.total, found.files.len() as u64);
        let number = |id| files.iter().position(|file| file.id == id).unwrap();
        found.files.iter().map(|file| number(file.id)).collect::<Vec<usize>>()
    };
    let query = |text: &str| Search { query: Some(text.to_owned()), ..Search::default() };
    assert_eq!(found(Search::default()).await, [4, 3, 2, 1, 0], "newest first, without what is removed");
    assert_eq!(found(query("PHOTO")).await, [2, 1, 0], "names and metadata, in either case");
    assert_eq!(found(query("text/pl")).await, [3, 2], "detected types");
    assert_eq!(found(query("100%_done\\")).await, [2], "letter for letter");
    assert_eq!(found(query("1000")).await, [0_usize; 0]);
    assert_eq!(found(query("a\"b'c")).await, [4]);
    assert_eq!(found(query("%")).await, [2]);
    assert_eq!(found(query("ärger")).await, [0_usize; 0], "only ASCII letters have two cases");
    assert_eq!(found(query("ÄRGER")).await, [3]);
    assert_eq!(found(query("camera")).await, [0_usize; 0], "keys of metadata are not searched");
    assert_eq!(found(query(&format!(" {} ", files[1].id.to_string().to_uppercase()))).await, [1], "ids are known");
    assert_eq!(found(query("a\0b")).await, [0_usize; 0]);

    let phrase = |field, text: &str| Search { phrases: vec![(field, text.to_owned())], ..Search::default() };
    assert_eq!(found(phrase(TextField::Name, "photo")).await, [1, 0]);
    assert_eq!(found(phrase(TextField::Metadata, "photo")).await, [2]);
    assert_eq!(found(phrase(TextField::DetectedType, "IMAGE/")).await, [1, 0]);

    let exact = |field: &str, values: &[&str]| Search {
        exact: vec![(field.parse().unwrap(), texts(values))],
        ..Search::default()
    };
    assert_eq!(found(exact("metadata[camera]", &["Canon EOS"])).await, [0]);
    assert_eq!(found(exact("metadata[camera]", &["canon eos", "Canon EOS", "x\0"])).await, [3, 0]);
    assert_eq!(found(exact("metadata[k.k]", &["a\"b'c"])).await, [4]);
    assert_eq!(found(exact("metadata[K.k]", &["a\"b'c"])).await, [0_usize; 0]);
    assert_eq!(found(exact("original_filename", &["notes.txt", "photographer.png", "NOTES"])).await, [2, 1]);
    assert_eq!(found(exact("detected_mime_type", &["application/zip"])).await, [4]);
    assert_eq!(found(exact("original_filename", &[])).await, [0_usize; 0]);
    let keys = |count: u32| Search {
        exact: (0..count).map(|n| (format!("metadata[k{n}]").parse().unwrap(), texts(&["v"]))).collect(),
        ..Search::default()
    };
    assert_eq!((found(keys(50)).await, found(keys(5000)).await), (vec![], vec![]), "more keys than a file can have");
    let id = files[2].id.to_string();
    assert_eq!(found(exact("uuid", &[&id, "nonsense"])).await, [2]);
    assert_eq!(found(exact("uuid", &[])).await, [0_usize; 0]);

    let size = |side, value| Search { size: Range::default().and(side, value), ..Search::default() };
    assert_eq!(found(size(Side::Above, 200)).await, [4, 0]);
    assert_eq!(found(size(Side::From, 200)).await, [4, 1, 0]);
    assert_eq!(found(size(Side::Below, 10)).await, [0_usize; 0]);
    assert_eq!(found(size(Side::To, 10)).await, [3, 2]);
    let between = Range::default().and(Side::Above, T0.0).and(Side::Below, T0.0 + 30);
    assert_eq!(found(Search { uploaded_at: between, ..Search::default() }).await, [2, 1]);
    assert_eq!(found(Search { is_image: Some(true), ..Search::default() }).await, [1, 0]);
    assert_eq!(found(Search { is_image: Some(false), ..Search::default() }).await, [4, 3, 2]);

    let tags = |any: &[&str], all: &[&str], none: &[&str]| Search {
        tags: TagsFilter { any: texts(any), all: texts(all), none: texts(none) },
        ..Search::default()
    };
    assert_eq!(found(tags(&["sea", "people", "x"], &[], &[])).await, [1, 0]);
    assert_eq!(found(tags(&[], &["work", "trip"], &[])).await, [2]);
    assert_eq!(found(tags(&[], &[], &["work", "people"])).await, [3, 0]);
    assert_eq!(found(tags(&["trip"], &["trip"], &["sea"])).await, [2]);
    assert_eq!(found(tags(&["x\0"], &[], &[])).await, [0_usize; 0]);

    // All conditions must hold.
    let all = Search {
        phrases: vec![(TextField::DetectedType, "text".into()), (TextField::Metadata, "canon".into())],
        exact: vec![(ExactField::Name, texts(&["ÄRGER.txt", "notes.txt"]))],
        ..query("eos")
    };
    assert_eq!(found(all.clone()).await, [3]);
    assert_eq!(found(Search { is_image: Some(true), ..all }).await, [0_usize; 0]);
}

async fn what_is_found_is_sorted_and_paged(case: Case) {
    let records = case.open().await;
    let (mine, theirs) = (project(&records, "mine").await, project(&records, "theirs").await);
    let files = seeded(&case, &records, mine, theirs).await;
    let sorted = async |keys: &[&str], offset, limit| {
        let sort: Vec<Sort> = keys.iter().map(|key| key.parse().unwrap()).collect();
        let found = records.search_files(mine, &Search { sort, ..Search::default() }, offset, limit).await.unwrap();
        assert_eq!(found.total, 5, "all of them, whatever is on the page");
        let number = |id| files.iter().position(|file| file.id == id).unwrap();
        found.files.iter().map(|file| number(file.id)).collect::<Vec<usize>>()
    };
    assert_eq!(sorted(&["size"], 0, 9).await, [3, 2, 1, 0, 4], "of one size the newest first");
    assert_eq!(sorted(&["-size", "datetime_uploaded"], 0, 9).await, [4, 0, 1, 2, 3]);
    assert_eq!(sorted(&["original_filename"], 0, 9).await, [0, 4, 2, 1, 3]);
    assert_eq!(sorted(&["-detected_mime_type", "size", "-original_filename"], 0, 9).await, [3, 2, 1, 0, 4]);
    assert_eq!(sorted(&["datetime_uploaded"], 1, 2).await, [1, 2]);
    assert_eq!(sorted(&["datetime_uploaded"], 9, 2).await, [0_usize; 0]);
    assert_eq!(sorted(&[], 0, 0).await, [0_usize; 0]);

    // The file whose id was asked for comes first, before newer ones that have it in their metadata.
    let id = files[0].id;
    records.set_metadata(mine, files[4].id, "copy", &id.to_string(), &cause(), T0).await.unwrap();
    let search = Search { query: Some(id.to_string()), ..Search::default() };
    let found = records.search_files(mine, &search, 0, 9).await.unwrap();
    assert_eq!(found.files.iter().map(|file| file.id).collect::<Vec<_>>(), [id, files[4].id]);
    let search = Search { sort: vec!["-size".parse().unwrap()], ..search };
    let found = records.search_files(mine, &search, 0, 1).await.unwrap();
    assert_eq!((found.files[0].id, found.total), (files[4].id, 2));
}

on_both_engines!(files_are_found_by_what_they_are, what_is_found_is_sorted_and_paged);
