//! What holds for every text that comes from outside: nothing panics, and what was read is safe to use.

use proptest::prelude::*;
use stowage_model::{Disposition, FileName, FileRef, GroupId};

proptest! {
    #[test]
    fn file_names_are_safe(sent in any::<String>()) {
        let name = FileName::new(&sent);
        prop_assert!(!name.original().is_empty() && name.original().chars().count() <= 255);
        prop_assert!(!name.original().contains(['/', '\\']));
        let sanitised = name.sanitised();
        prop_assert!(sanitised.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.'), "{sanitised}");
        prop_assert!(sanitised.matches('.').count() <= 1 && !sanitised.starts_with('.') && !sanitised.ends_with('.'));
        // What was kept once is kept as it is.
        prop_assert_eq!(FileName::new(name.original()), name);
    }

    #[test]
    fn long_names_keep_short_extensions(root in "[a-zé]{250,400}", extension in "[a-z]{1,5}") {
        let name = FileName::new(&format!("{root}.{extension}"));
        let end = format!(".{extension}");
        prop_assert!(name.original().ends_with(&end));
        prop_assert!(name.original().chars().count() <= 255);
    }

    #[test]
    fn dispositions_of_any_bytes_are_read(value in proptest::collection::vec(any::<u8>(), 0..300)) {
        Disposition::parse(&value);
    }

    #[test]
    fn dispositions_give_back_what_was_quoted(name in "[^\"\\\\\r\n\u{0}]{0,40}", file in "[^\"\\\\\r\n\u{0}]{0,40}") {
        let read = Disposition::parse(format!("form-data; name=\"{name}\"; filename=\"{file}\"").as_bytes());
        prop_assert_eq!((read.name, read.filename), (Some(name), Some(file)));
    }

    #[test]
    fn references_are_read_or_refused(text in "(https?://|//)?[a-z0-9.:/%?#~-]{0,80}(0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61)?[a-z0-9./%?#~-]{0,40}") {
        if let Ok(reference) = text.parse::<FileRef>() {
            let operations = &reference.operations;
            prop_assert!(operations.is_empty() || (operations.ends_with('/') && !operations.starts_with("-/-/")));
            // Written again it names the same.
            let again = format!("{}/-/{operations}", reference.id);
            prop_assert_eq!(again.parse::<FileRef>(), Ok(reference));
        }
    }

    #[test]
    fn group_ids_come_back(text in "[0-9a-f-]{30,40}~?[0-9]{0,12}") {
        if let Ok(id) = text.parse::<GroupId>() {
            prop_assert_eq!(id.to_string(), text);
        }
    }
}
