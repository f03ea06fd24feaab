//! From a path to a file, its directives and its name.

use axum::body::Body;
use axum::extract::State as Shared;
use http::{Method, Request, Response, header};
use stowage_model::{FileId, Refusal};

use super::{headers, serve};
use crate::{State, errors};

/// A path of this door, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) file: FileId,
    /// The name that the path ends with.
    pub(super) filename: Option<String>,
    /// What `-/inline/…/` asks for; the last one counts.
    pub(super) inline: Option<bool>,
    /// The first operation that would change the picture.
    pub(super) operation: Option<String>,
}

impl Path {
    /// Splits on `/` first and decodes the pieces afterwards, so that an escaped slash is none. Empty pieces are dropped.
    pub(super) fn parse(path: &str) -> Result<Self, Refusal> {
        let mut pieces: Vec<String> = path
            .split('/')
            .filter(|piece| !piece.is_empty())
            .map(|piece| percent_encoding::percent_decode_str(piece).decode_utf8_lossy().into_owned())
            .collect();
        let ends_in_name = !path.ends_with('/') && pieces.len() > 1;
        let filename = if ends_in_name { pieces.pop() } else { None };
        let mut pieces = pieces.into_iter();
        let file = pieces.next().and_then(|piece| piece.parse().ok()).ok_or(Refusal::DeliveryFileNotFound)?;
        let mut parsed = Self { file, filename, inline: None, operation: None };
        let mut pieces = pieces.peekable();
        while let Some(dash) = pieces.next() {
            if dash != "-" {
                return Err(Refusal::DeliveryFileNotFound);
            }
            let Some(name) = pieces.next() else {
                return Err(Refusal::DeliveryOperationInvalid("an operation is missing after `-/`".to_owned()));
            };
            let mut parameters = Vec::new();
            while let Some(parameter) = pieces.next_if(|piece| piece != "-") {
                parameters.push(parameter);
            }
            match (name.as_str(), parameters.as_slice()) {
                ("inline", [word]) if word == "yes" => parsed.inline = Some(true),
                ("inline", [word]) if word == "no" => parsed.inline = Some(false),
                ("inline", _) => {
                    return Err(Refusal::DeliveryOperationInvalid("`inline` is followed by `yes` or `no`".to_owned()));
                }
                // Markers that official components append to their requests; not meant for us.
                (name, _) if name.starts_with('@') => {}
                (name, _) => parsed.operation = parsed.operation.or(Some(name.chars().take(64).collect())),
            }
        }
        Ok(parsed)
    }
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

/// Answers everything that no other door serves.
pub(crate) async fn route(Shared(state): Shared<State>, request: Request<Body>) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let mut response = match parts.method {
        Method::GET | Method::HEAD => match Path::parse(parts.uri.path()) {
            Ok(path) => serve::serve(&state, &parts, path).await,
            Err(refusal) => errors::delivery(&refusal),
        },
        Method::OPTIONS => Response::new(Body::empty()),
        _ => {
            let refusal = Refusal::MethodNotAllowed {
                method: parts.method.to_string(),
                path: parts.uri.path().chars().take(200).collect(),
            };
            let mut response = errors::delivery(&refusal);
            errors::set(&mut response, header::ALLOW, headers::METHODS);
            response
        }
    };
    headers::set_cors(&mut response);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61";

    fn parsed(rest: &str) -> Path {
        Path::parse(&format!("/{ID}{rest}")).unwrap()
    }

    #[test]
    fn a_file_with_and_without_a_name() {
        let plain = parsed("/");
        assert_eq!(plain.file.to_string(), ID);
        assert_eq!((&plain.filename, plain.inline, &plain.operation), (&None, None, &None));
        assert_eq!(parsed(""), plain, "the slash at the end may be missing");
        assert_eq!(parsed("/a%20b.txt").filename.as_deref(), Some("a b.txt"));
        assert_eq!(parsed("/a%2Fb.txt").filename.as_deref(), Some("a/b.txt"));
        assert_eq!(parsed("//x.txt").filename.as_deref(), Some("x.txt"));
        assert_eq!(Path::parse(&format!("/{}/", ID.to_uppercase())).unwrap(), plain);
    }

    #[test]
    fn paths_of_this_door_are_recognised() {
        assert!(is_delivery(&format!("/{ID}/")) && is_delivery(&format!("/{ID}")) && is_delivery(&format!("/{ID}~2/")));
        for path in ["/", "/base/", "/0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b6", "/0b7c0b9e+25b8-4c4d-9e55-7d8c6f6c4b61/"] {
            assert!(!is_delivery(path), "{path}");
        }
    }

    #[test]
    fn directives() {
        assert_eq!(parsed("/-/inline/no/").inline, Some(false));
        assert_eq!(parsed("/-/inline/no/-/inline/yes/x.html").inline, Some(true));
        let marked = parsed("/-/@clib/@uploadcare/file-uploader/1.25.0/uc-cloud-image-editor/");
        assert_eq!((marked.operation, marked.filename), (None, None));
        let processed = parsed("/-/preview/400x400/-/sharp/photo.jpeg");
        assert_eq!(
            (processed.operation.as_deref(), processed.filename.as_deref()),
            (Some("preview"), Some("photo.jpeg"))
        );
    }

    #[test]
    fn what_is_no_path_of_this_door() {
        for path in
            ["/", "/nope/", "/favicon.ico", &format!("/{ID}/a/b.txt"), &format!("/{ID}/a/"), &format!("/{ID}~1/")]
        {
            assert_eq!(Path::parse(path), Err(Refusal::DeliveryFileNotFound), "{path}");
        }
        for rest in ["/-/", "/-/inline/", "/-/inline/maybe/"] {
            let refusal = Path::parse(&format!("/{ID}{rest}")).unwrap_err();
            assert_eq!(refusal.status(), 400, "{rest}");
        }
    }
}
