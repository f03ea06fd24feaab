//! Where blobs are kept, as the configuration says it.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
pub use stowage_model::Checksums;

/// `[blobs]` of the configuration.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// `file://PATH`, `s3://BUCKET/PREFIX?endpoint=…&region=…&path_style=…`, or empty for `blobs` in the data folder.
    pub url: String,
    /// Keys for S3; empty takes those of the AWS environment.
    pub access_key_id: String,
    /// The secret that belongs to them.
    pub secret_access_key: String,
    /// Checksums that the S3 client adds to what it sends.
    pub checksums: Checksums,
    /// Where clients PUT the parts of multipart uploads while blobs are in S3.
    pub part_urls: PartUrls,
    /// The endpoint in presigned URLs, where clients reach S3 under another address; empty for the one in `url`.
    pub public_endpoint: String,
    /// Whether presigned URLs go through S3 Transfer Acceleration, which only AWS has.
    pub accelerate: bool,
    /// Bytes of the disk that blobs and drafts leave free.
    #[serde(deserialize_with = "stowage_model::units::bytes")]
    pub reserve: u64,
    /// A folder below the one that `url` names, or a component after its prefix, where all of this store is; empty for none.
    #[serde(skip)]
    pub branch: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            url: String::new(),
            access_key_id: String::new(),
            secret_access_key: String::new(),
            checksums: Checksums::default(),
            part_urls: PartUrls::default(),
            public_endpoint: String::new(),
            accelerate: false,
            reserve: 64 << 20,
            branch: String::new(),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the secret; and not the URL whole, since people put secrets there, too.
        f.debug_struct("Options")
            .field("url", &self.url.split(['?', '@']).next())
            .field("access_key_id", &self.access_key_id)
            .field("checksums", &self.checksums)
            .field("part_urls", &self.part_urls)
            .field("accelerate", &self.accelerate)
            .field("reserve", &self.reserve)
            .field("branch", &self.branch)
            .finish_non_exhaustive()
    }
}

/// Where clients PUT the parts of multipart uploads while blobs are in S3.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartUrls {
    /// To S3 itself, with presigned URLs: clients must be able to reach it, and browsers need CORS rules on the bucket.
    #[default]
    Presigned,
    /// To our own door, from where they are passed on.
    Own,
}

/// Why a store cannot be opened; the text is for the person who configures it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OpenError(String);

impl OpenError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// What a URL names.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// A folder.
    Disk(PathBuf),
    /// A bucket.
    S3(Bucket),
}

/// A part of a bucket.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Bucket {
    pub(super) name: String,
    /// Empty, or with a slash at its end.
    pub(super) prefix: String,
    pub(super) endpoint: Option<String>,
    pub(super) region: Option<String>,
    pub(super) path_style: Option<bool>,
}

impl Options {
    /// Whether the URL names a store, which may or may not be there.
    pub fn check(&self, data_dir: &Path) -> Result<(), OpenError> {
        self.place(data_dir).map(drop)
    }

    pub(super) fn place(&self, data_dir: &Path) -> Result<Place, OpenError> {
        let branch = self.branch.trim_matches('/');
        if !branch.is_empty() && !branch.split('/').all(is_plain) {
            return Err(OpenError::new(
                "a branch of blobs.url has letters, digits, `-`, `_` and `.`, and begins with none of the last",
            ));
        }
        let mut place = self.trunk(data_dir)?;
        match &mut place {
            _ if branch.is_empty() => {}
            Place::Disk(folder) => folder.push(branch),
            Place::S3(bucket) => bucket.prefix.extend([branch, "/"]),
        }
        Ok(place)
    }

    fn trunk(&self, data_dir: &Path) -> Result<Place, OpenError> {
        if self.url.is_empty() {
            return Ok(Place::Disk(data_dir.join("blobs")));
        }
        if let Some(path) = self.url.strip_prefix("file://") {
            if path.is_empty() {
                return Err(wrong("a path is missing after file://"));
            }
            return Ok(Place::Disk(PathBuf::from(path)));
        }
        let Some(rest) = self.url.strip_prefix("s3://") else {
            return Err(wrong("it begins neither with file:// nor with s3://"));
        };
        let bucket = bucket(rest)?;
        let public = self.public_endpoint.as_str();
        if !public.is_empty() && !is_http(public) {
            return Err(OpenError::new("blobs.public_endpoint: it is no http:// or https:// URL"));
        }
        if self.accelerate && (bucket.endpoint.is_some() || !public.is_empty() || bucket.path_style == Some(true)) {
            return Err(OpenError::new(
                "blobs.accelerate: only AWS itself has it; leave out blobs.public_endpoint, and endpoint and path_style \
                 in blobs.url, or set it to false",
            ));
        }
        Ok(Place::S3(bucket))
    }
}

/// Whether a component of a branch means the same everywhere, and nothing else.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn is_http(url: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
}

fn wrong(what: &str) -> OpenError {
    OpenError::new(format!("blobs.url: {what}; write file:///PATH or s3://BUCKET/PREFIX?endpoint=URL&region=NAME"))
}

fn bucket(rest: &str) -> Result<Bucket, OpenError> {
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (name, prefix) = place.split_once('/').unwrap_or((place, ""));
    if name.contains(['@', ':']) {
        return Err(wrong("keys do not belong there but in blobs.access_key_id and blobs.secret_access_key"));
    }
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) {
        return Err(wrong("the name of the bucket is missing or has characters that no bucket has"));
    }
    let prefix = prefix.trim_matches('/');
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    let mut bucket = Bucket { name: name.to_owned(), prefix, endpoint: None, region: None, path_style: None };
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match key.as_ref() {
            "endpoint" if is_http(&value) => bucket.endpoint = Some(value.into_owned()),
            "endpoint" => return Err(wrong("its endpoint is no http:// or https:// URL")),
            "region" if !value.is_empty() => bucket.region = Some(value.into_owned()),
            "path_style" => match value.as_ref() {
                "true" => bucket.path_style = Some(true),
                "false" => bucket.path_style = Some(false),
                _ => return Err(wrong("its path_style is neither true nor false")),
            },
            _ => return Err(wrong("it has a parameter other than endpoint, region and path_style")),
        }
    }
    Ok(bucket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Result<Place, String> {
        let options = Options { url: url.into(), ..Options::default() };
        options.place(Path::new("/data")).map_err(|error| error.to_string())
    }

    #[test]
    fn urls_name_places() {
        assert_eq!(place(""), Ok(Place::Disk("/data/blobs".into())));
        assert_eq!(place("file:///srv/blobs"), Ok(Place::Disk("/srv/blobs".into())));
        assert_eq!(place("file://blobs"), Ok(Place::Disk("blobs".into())));
        let plain = Bucket { name: "b".into(), prefix: String::new(), endpoint: None, region: None, path_style: None };
        assert_eq!(place("s3://b"), Ok(Place::S3(plain)));
        let full = Bucket {
            name: "my-bucket".into(),
            prefix: "a/b/".into(),
            endpoint: Some("http://127.0.0.1:9000".into()),
            region: Some("eu-west-1".into()),
            path_style: Some(false),
        };
        let url = "s3://my-bucket/a/b/?endpoint=http%3A%2F%2F127.0.0.1:9000&region=eu-west-1&path_style=false";
        assert_eq!(place(url), Ok(Place::S3(full)));
    }

    #[test]
    fn branches_lie_below() {
        let at = |url: &str, branch: &str| {
            let options = Options { url: url.into(), branch: branch.into(), ..Options::default() };
            options.place(Path::new("/data")).map_err(drop)
        };
        assert_eq!(at("", "sessions/A.b"), Ok(Place::Disk("/data/blobs/sessions/A.b".into())));
        let prefix = |url| match at(url, "sessions/x") {
            Ok(Place::S3(bucket)) => bucket.prefix,
            other => panic!("{other:?}"),
        };
        assert_eq!(prefix("s3://b"), "sessions/x/");
        assert_eq!(prefix("s3://b/p/"), "p/sessions/x/");
        for branch in ["..", "a/../b", "a//b", ".a", "a b", "ä", "a\\b"] {
            assert_eq!(at("", branch), Err(()), "{branch}");
        }
    }

    #[test]
    fn refusals_name_the_key_and_tell_no_secrets() {
        let wrong = [
            "data",
            "ftp://x",
            "file://",
            "s3://",
            "s3:///x",
            "s3://key:hunter2@bucket",
            "s3://b c",
            "s3://b?endpoint=hunter2",
            "s3://b?region=",
            "s3://b?path_style=hunter2",
            "s3://b?secret=hunter2",
        ];
        for url in wrong {
            let text = place(url).unwrap_err();
            assert!(text.starts_with("blobs.url: ") && !text.contains("hunter2"), "{url}: {text}");
        }
        let options = Options {
            url: "s3://k:hunter2@b?secret=hunter2".into(),
            secret_access_key: "hunter2".into(),
            ..Options::default()
        };
        assert!(!format!("{options:?}").contains('@') && !format!("{options:?}").contains("secret"));
    }

    #[test]
    fn part_urls_are_checked() {
        let place = |url: &str, public: &str, accelerate| {
            let options = Options { url: url.into(), public_endpoint: public.into(), accelerate, ..Options::default() };
            options.place(Path::new("/data")).map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(place("s3://b", "https://s3.example.com", false), Ok(()));
        assert_eq!(place("s3://b?region=eu-west-1", "", true), Ok(()));
        for public in ["s3.example.com", "https://", "ftp://x"] {
            assert!(place("s3://b", public, false).unwrap_err().starts_with("blobs.public_endpoint: "), "{public}");
        }
        for (url, public) in [("s3://b?endpoint=http://h", ""), ("s3://b?path_style=true", ""), ("s3://b", "https://h")]
        {
            assert!(place(url, public, true).unwrap_err().starts_with("blobs.accelerate: "), "{url}");
        }
        // They mean nothing on disk.
        assert_eq!(place("", "https://s3.example.com", true), Ok(()));
        let options: Options =
            serde_json::from_str(r#"{"part_urls": "own", "public_endpoint": "https://h", "accelerate": true}"#)
                .unwrap();
        assert_eq!((options.part_urls, options.public_endpoint.as_str()), (PartUrls::Own, "https://h"));
        assert_eq!(Options::default().part_urls, PartUrls::Presigned);
    }

    #[test]
    fn keys_are_read_and_unknown_ones_refused() {
        let options: Options = serde_json::from_str(r#"{"checksums": "when_required", "reserve": "1MiB"}"#).unwrap();
        assert_eq!(
            (options.checksums, options.reserve, options.url),
            (Checksums::WhenRequired, 1 << 20, String::new())
        );
        assert!(serde_json::from_str::<Options>(r#"{"uri": ""}"#).is_err());
    }
}
