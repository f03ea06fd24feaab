//! The forms of a delivery address, taken apart (URL API reference, section 1). What the operations in it mean is read later, once it
//! is clear that the sender may ask at all.

use http::Uri;
use stowage_delivery::ArchiveKind;
use stowage_delivery::bake::pieces_of;
use stowage_model::{DeliveryRefusal, FileId, GroupId};

/// What an address leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// A file.
    File(FileId, Wish),
    /// The page of a group.
    Group(GroupId),
    /// A file of a group by its place, counted from 0.
    Member(GroupId, usize, Wish),
    /// All files of a group.
    Archive { group: GroupId, kind: ArchiveKind, name: Option<String> },
    /// A file of another server.
    Remote { url: String, pieces: Vec<String> },
}

/// What is wanted of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) form: Form,
    /// The operations, from their first `-` on, decoded.
    pub(super) pieces: Vec<String>,
    /// The name that the path ends with.
    pub(super) name: Option<String>,
}

/// In which form a file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is, or as a picture that the operations make of it.
    Plain,
    /// The places of faces.
    Faces,
    /// As a video.
    Video,
}

impl Address {
    /// Reads the path of `sent`, the address as the client wrote it. It is split on `/` first and decoded afterwards, so that an
    /// escaped slash is none; empty pieces are dropped. What stands behind the last slash is a name.
    pub(super) fn parse(sent: &Uri) -> Result<Self, DeliveryRefusal> {
        let path = sent.path();
        if let Some((operations, mut url)) = remote(path) {
            if let Some(query) = sent.query() {
                url.push('?');
                url.push_str(query);
            }
            return Ok(Self::Remote { url, pieces: pieces_of(operations) });
        }
        let mut pieces = pieces_of(path);
        let mut name = if path.ends_with('/') || pieces.len() < 2 { None } else { pieces.pop() };
        let mut pieces = pieces.into_iter();
        let first = pieces.next().ok_or(DeliveryRefusal::NotFound)?;
        if let Ok(id) = first.parse() {
            return Ok(Self::File(id, wish(pieces.collect(), name)?));
        }
        let group: GroupId = first.parse().map_err(|_| DeliveryRefusal::NotFound)?;
        match (pieces.next().as_deref(), pieces.as_slice(), name.as_deref()) {
            (None, [], None) => Ok(Self::Group(group)),
            (Some("-"), _, _) => {
                let text = "A group is no picture: operations belong behind `nth/` and the place of a file";
                Err(DeliveryRefusal::OperationInvalid(format!("{text}.")))
            }
            (Some(word @ ("nth" | "archive")), [], Some(_)) => {
                // The slash at the end is missing.
                let last = name.take().unwrap_or_default();
                if word == "nth" {
                    Ok(Self::Member(group, place(&last)?, wish(Vec::new(), None)?))
                } else {
                    Ok(Self::Archive { group, kind: kind(&last)?, name: None })
                }
            }
            (Some("nth"), [place_text, rest @ ..], _) => {
                Ok(Self::Member(group, place(place_text)?, wish(rest.to_vec(), name)?))
            }
            (Some("archive"), [word], _) => Ok(Self::Archive { group, kind: kind(word)?, name }),
            _ => Err(DeliveryRefusal::NotFound),
        }
    }
}

fn wish(mut pieces: Vec<String>, name: Option<String>) -> Result<Wish, DeliveryRefusal> {
    let form = match pieces.first().map(String::as_str) {
        None | Some("-") => Form::Plain,
        Some("detect_faces") => Form::Faces,
        Some("gif2video") => Form::Video,
        Some(_) => return Err(DeliveryRefusal::NotFound),
    };
    if form != Form::Plain {
        pieces.remove(0);
    }
    match pieces.first() {
        Some(_) if form == Form::Faces => {
            let text = "`detect_faces` can not be combined with operations.".to_owned();
            Err(DeliveryRefusal::OperationInvalid(text))
        }
        Some(piece) if piece != "-" => Err(DeliveryRefusal::NotFound),
        _ => Ok(Wish { form, pieces, name }),
    }
}

/// The place of a file in a group.
fn place(text: &str) -> Result<usize, DeliveryRefusal> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(DeliveryRefusal::NotFound)
}

fn kind(text: &str) -> Result<ArchiveKind, DeliveryRefusal> {
    match text {
        "zip" => Ok(ArchiveKind::Zip),
        "tar" => Ok(ArchiveKind::Tar),
        _ => Err(DeliveryRefusal::NotFound),
    }
}

/// A text without its percent escapes.
pub(super) fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Cuts an address of another server off a path: everything from the first piece `http:` or `https:` on, as it stands. Of its two
/// slashes one may have been lost on the way.
fn remote(path: &str) -> Option<(&str, String)> {
    let mut start = 0;
    for piece in path.split('/') {
        let scheme = ["http:", "https:"].into_iter().find(|scheme| piece.eq_ignore_ascii_case(scheme));
        if let Some(scheme) = scheme {
            let (operations, url) = path.split_at_checked(start)?;
            let rest = url.get(scheme.len()..)?.trim_start_matches('/');
            return Some((operations, format!("{scheme}//{rest}")));
        }
        start += piece.len() + 1;
    }
    None
}

/// Whether a path begins with something of the form of a file id, and so can be nobody else's.
pub(crate) fn is_delivery(path: &str) -> bool {
    path.as_bytes().get(1..37).is_some_and(|id| {
        id.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61";

    fn parse(path: &str) -> Result<Address, DeliveryRefusal> {
        Address::parse(&path.parse().unwrap())
    }

    fn file(rest: &str) -> Wish {
        match parse(&format!("/{ID}{rest}")) {
            Ok(Address::File(id, wish)) if id.to_string() == ID => wish,
            other => panic!("{rest}: {other:?}"),
        }
    }

    #[test]
    fn a_file_with_and_without_a_name() {
        let plain = file("/");
        assert_eq!(plain, Wish { form: Form::Plain, pieces: Vec::new(), name: None });
        assert_eq!(file(""), plain, "the slash at the end may be missing");
        assert_eq!(file("/a%20b.txt").name.as_deref(), Some("a b.txt"));
        assert_eq!(file("/a%2Fb.txt").name.as_deref(), Some("a/b.txt"));
        assert_eq!(file("//x.txt").name.as_deref(), Some("x.txt"));
        assert!(matches!(parse(&format!("/{}/", ID.to_uppercase())), Ok(Address::File(..))));
    }

    #[test]
    fn operations_and_a_name() {
        let wish = file("/-/preview/400x400/-/sharp/photo.jpeg");
        assert_eq!(wish.pieces, ["-", "preview", "400x400", "-", "sharp"]);
        assert_eq!(wish.name.as_deref(), Some("photo.jpeg"));
        assert_eq!(file("/-/text/9x9/top/a%2Fb%20c/").pieces.last().unwrap(), "a/b c");
        assert_eq!(file("/detect_faces//").form, Form::Faces);
        let video = file("/gif2video/-/format/webm/x.webm");
        assert_eq!((video.form, video.pieces.len(), video.name.as_deref()), (Form::Video, 3, Some("x.webm")));
    }

    #[test]
    fn groups() {
        let id = format!("{ID}~2");
        let group = id.parse().unwrap();
        assert_eq!(parse(&format!("/{id}/")), Ok(Address::Group(group)));
        assert_eq!(parse(&format!("/{id}")), Ok(Address::Group(group)));
        let plain = || Wish { form: Form::Plain, pieces: Vec::new(), name: None };
        for path in ["nth/1/", "nth/1", "/nth//1//"] {
            assert_eq!(parse(&format!("/{id}/{path}")), Ok(Address::Member(group, 1, plain())), "{path}");
        }
        let named = Wish { name: Some("a.jpg".into()), ..plain() };
        assert_eq!(parse(&format!("/{id}/nth/1/a.jpg")), Ok(Address::Member(group, 1, named)));
        let faces = Wish { form: Form::Faces, ..plain() };
        assert_eq!(parse(&format!("/{id}/nth/0/detect_faces/")), Ok(Address::Member(group, 0, faces)));
        let archive = |kind, name: Option<&str>| Ok(Address::Archive { group, kind, name: name.map(str::to_owned) });
        assert_eq!(parse(&format!("/{id}/archive/zip/")), archive(ArchiveKind::Zip, None));
        assert_eq!(parse(&format!("/{id}/archive/tar")), archive(ArchiveKind::Tar, None));
        assert_eq!(parse(&format!("/{id}/archive/zip/all.zip")), archive(ArchiveKind::Zip, Some("all.zip")));
        assert_eq!(parse(&format!("/{id}/-/preview/")).unwrap_err().status(), 400);
        for rest in ["x/", "nth/", "nth/x/", "nth/-1/", "nth/+1/", "nth/1/x/y", "archive/rar/", "archive/", "a.txt"] {
            assert_eq!(parse(&format!("/{id}/{rest}")), Err(DeliveryRefusal::NotFound), "{rest}");
        }
    }

    #[test]
    fn files_of_other_servers() {
        let remote = |path: &str| match parse(path) {
            Ok(Address::Remote { url, pieces }) => (url, pieces.join("/")),
            other => panic!("{path}: {other:?}"),
        };
        let url = |path| remote(path).0;
        assert_eq!(url("/https://a.example/b.jpg"), "https://a.example/b.jpg");
        assert_eq!(url("/HTTP:/a.example//b%20c.jpg?x=/y"), "http://a.example//b%20c.jpg?x=/y");
        let (url, operations) = remote("/-/resize/10x//-/sharp/https://a.example:81/http://b/");
        assert_eq!((url.as_str(), operations.as_str()), ("https://a.example:81/http://b/", "-/resize/10x/-/sharp"));
    }

    #[test]
    fn what_is_no_address_of_this_door() {
        for path in ["/", "/nope/", "/favicon.ico", &format!("/{ID}/a/b.txt"), &format!("/{ID}/a/"), "/httpx://a/"] {
            assert_eq!(parse(path), Err(DeliveryRefusal::NotFound), "{path}");
        }
        assert_eq!(parse(&format!("/{ID}/detect_faces/-/preview/")).unwrap_err().status(), 400);
        assert_eq!(parse(&format!("/{ID}~0/")), Err(DeliveryRefusal::NotFound));
        assert_eq!(parse(&format!("/{ID}/gif2video/x/y/")), Err(DeliveryRefusal::NotFound));
    }

    #[test]
    fn paths_of_this_door_are_recognised() {
        assert!(is_delivery(&format!("/{ID}/")) && is_delivery(&format!("/{ID}")) && is_delivery(&format!("/{ID}~2/")));
        for path in ["/", "/base/", "/0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b6", "/0b7c0b9e+25b8-4c4d-9e55-7d8c6f6c4b61/"] {
            assert!(!is_delivery(path), "{path}");
        }
    }
}
