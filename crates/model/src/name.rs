//! The two names of a file: as sent, and sanitised for URLs and keys (upload-api reference, file names).

use serde::{Deserialize, Serialize};

/// The longest name that is kept, in characters.
pub const MAX_CHARS: usize = 255;

/// The name of a file as its uploader sent it, without folders; never empty, at most [`MAX_CHARS`] characters.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileName(String);

impl FileName {
    /// Cuts folders off at the last `/` or `\`, names the nameless `original`, and shortens what is too long in
    /// front of its extension.
    pub fn new(sent: &str) -> Self {
        let base = sent.rsplit(['/', '\\']).next().unwrap_or_default();
        if base.is_empty() {
            return Self("original".to_owned());
        }
        let surplus = base.chars().count().saturating_sub(MAX_CHARS);
        if surplus == 0 {
            return Self(base.to_owned());
        }
        let (root, extension) = base.rsplit_once('.').unwrap_or((base, ""));
        let root_chars = root.chars().count();
        if extension.is_empty() || surplus >= root_chars {
            return Self(base.chars().take(MAX_CHARS).collect());
        }
        let root: String = root.chars().take(root_chars - surplus).collect();
        Self(format!("{root}.{extension}"))
    }

    /// The name as sent: `original_filename` of the APIs.
    pub fn original(&self) -> &str {
        &self.0
    }

    /// The name in URLs and keys: `filename` of the Upload API. An empty extension takes its dot with it.
    pub fn sanitised(&self) -> String {
        let (mut name, extension) = self.sanitised_parts();
        if !extension.is_empty() {
            name.push('.');
            name.push_str(&extension);
        }
        name
    }

    /// The same in two parts, which part at the last dot: both keep `A-Z a-z 0-9 _` only, an empty root becomes `noroot`.
    pub fn sanitised_parts(&self) -> (String, String) {
        let (root, extension) = self.0.rsplit_once('.').unwrap_or((&self.0, ""));
        let kept = |text: &str| -> String { text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect() };
        let root = kept(root);
        (if root.is_empty() { "noroot".to_owned() } else { root }, kept(extension))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs of original and sanitised name as the real service answered them.
    const RECORDED: &[(&str, &str)] = &[
        ("IMG-0412_123.JPG", "IMG0412_123.JPG"),
        ("WhatsApp Image 2023-06-26 at 8.56.32 AM.jpeg", "WhatsAppImage20230626at85632AM.jpeg"),
        ("1631871920988..jpg", "1631871920988.jpg"),
        ("Москалев Данила.pdf", "noroot.pdf"),
        ("Северина_паспорт.pdf", "_.pdf"),
        ("CV EN - Weslley Alcoba\u{e7}a.pdf", "CVENWeslleyAlcobaa.pdf"),
        ("Capture d\u{2019}e\u{301}cran \u{2026}a\u{300}.png", "Capturedecrana.png"),
        ("2250", "2250"),
        ("().png", "noroot.png"),
        ("photo (1).png", "photo1.png"),
        ("a.b-c~2.jpg", "abc2.jpg"),
        ("123..jpg", "123.jpg"),
        ("Резюме (2).docx", "2.docx"),
        ("archive.tar.gz", "archivetar.gz"),
        (".env", "noroot.env"),
        ("a.b.", "ab"),
        ("image-sample.jpeg", "imagesample.jpeg"),
        ("x.JPG", "x.JPG"),
    ];

    #[test]
    fn names_are_sanitised_as_recorded() {
        for (original, sanitised) in RECORDED {
            assert_eq!(&FileName::new(original).sanitised(), sanitised, "{original}");
        }
    }

    #[test]
    fn folders_are_dropped() {
        assert_eq!(FileName::new("/var/folders/x/big_file.txt").original(), "big_file.txt");
        assert_eq!(FileName::new(r"C:\fakepath\me.png").original(), "me.png");
        assert_eq!(FileName::new("folder/").original(), "original");
        assert_eq!(FileName::new("").original(), "original");
    }

    #[test]
    fn long_names_keep_their_extension() {
        let name = FileName::new(&format!("{}.jpeg", "ж".repeat(400)));
        assert_eq!(name.original().chars().count(), MAX_CHARS);
        assert!(name.original().ends_with("ж.jpeg"));
        assert_eq!(FileName::new(&"x".repeat(300)).original().len(), MAX_CHARS);
        assert_eq!(FileName::new(&format!("a.{}", "y".repeat(300))).original().len(), MAX_CHARS);
    }
}
