//! What a variant is, apart from its bytes: small enough to stand in the name of its file.

/// What has to be told about a variant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Label {
    /// What it is.
    pub(crate) kind: Kind,
    /// Pixels; 0 where it is no picture.
    pub(crate) width: u32,
    /// Pixels; 0 where it is no picture.
    pub(crate) height: u32,
    /// Whether what the request accepts has decided about the format.
    pub(crate) negotiated: bool,
}

/// What a variant can be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Jpeg,
    Png,
    Webp,
    Avif,
    Svg,
    Json,
    Script,
    Mp4,
    Webm,
}

/// Extension and MIME type of each.
const KINDS: [(Kind, &str, &str); 9] = [
    (Kind::Jpeg, "jpg", "image/jpeg"),
    (Kind::Png, "png", "image/png"),
    (Kind::Webp, "webp", "image/webp"),
    (Kind::Avif, "avif", "image/avif"),
    (Kind::Svg, "svg", "image/svg+xml"),
    (Kind::Json, "json", "application/json"),
    (Kind::Script, "js", "application/javascript"),
    (Kind::Mp4, "mp4", "video/mp4"),
    (Kind::Webm, "webm", "video/webm"),
];

impl Kind {
    pub(crate) fn media_type(self) -> &'static str {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or("application/octet-stream", |(.., media_type)| media_type)
    }

    pub(crate) fn of_media_type(media_type: &str) -> Option<Self> {
        KINDS.iter().find(|(.., known)| *known == media_type).map(|(kind, ..)| *kind)
    }

    pub(crate) fn extension(self) -> &'static str {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or("bin", |(_, extension, _)| extension)
    }

    pub(crate) fn of_extension(extension: &str) -> Option<Self> {
        KINDS.iter().find(|(_, known, _)| *known == extension).map(|(kind, ..)| *kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_an_extension_and_a_type_of_its_own() {
        for (kind, extension, media_type) in KINDS {
            assert_eq!((kind.extension(), kind.media_type()), (extension, media_type));
            assert_eq!((Kind::of_extension(extension), Kind::of_media_type(media_type)), (Some(kind), Some(kind)));
        }
        assert_eq!((Kind::of_extension("part"), Kind::of_media_type("text/html")), (None, None));
    }
}
