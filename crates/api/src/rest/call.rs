//! A request of somebody who has proved who they are: what endpoints read off it, and the forms of their answers.

use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::{Map, Value};
use stowage_model::{Cause, File, FileId, Project, PublicUrls, Refusal, RestRefusal, RestVersion, Timestamp};
use stowage_views::rest::FileInfo;

use super::content;
use super::version::media_type;
use crate::{State, access, errors, origin};

/// An answer, or why there is none.
pub(super) type Outcome = Result<Response<Body>, RestRefusal>;

/// An endpoint at work.
pub(super) type Answering<'c> = Pin<Box<dyn Future<Output = Outcome> + Send + 'c>>;

/// What a `Warning` tells beside an answer; put into its extensions.
#[derive(Clone, Copy)]
pub(super) struct Note(pub(super) &'static str);

/// A request whose sender is known. There is no other way to a project than through it.
pub(super) struct Call<'s> {
    pub(super) state: &'s State,
    pub(super) version: RestVersion,
    parts: &'s Parts,
    project: Arc<Project>,
    body: Bytes,
}

impl<'s> Call<'s> {
    /// A request with this body, from somebody who has proved to speak for this project.
    pub(super) fn new(
        state: &'s State,
        parts: &'s Parts,
        version: RestVersion,
        project: Arc<Project>,
        body: Bytes,
    ) -> Self {
        Self { state, version, parts, project, body }
    }

    /// The project, if it may be worked with. To be asked once the parameters are good, before anything is looked up.
    pub(super) fn project(&self) -> Result<&Arc<Project>, RestRefusal> {
        if self.project.settings.removed {
            return Err(Refusal::ProjectPublicKeyRemoved(self.project.public_key.to_string()).into());
        }
        Ok(&self.project)
    }

    /// The present moment.
    pub(super) fn now(&self) -> Timestamp {
        self.state.clock.now()
    }

    /// The public addresses as the sender knows them.
    pub(super) fn urls(&self) -> PublicUrls {
        origin::public_urls(self.state, self.parts)
    }

    /// Who makes happen what this request makes happen.
    pub(super) fn cause(&self) -> Cause {
        access::cause(self.state, self.parts)
    }

    /// A segment of the path, the first one being 0; empty where there is none.
    pub(super) fn segment(&self, at: usize) -> String {
        let segment = self.parts.uri.path().split('/').nth(at + 1).unwrap_or_default();
        percent_decode_str(segment).decode_utf8_lossy().into_owned()
    }

    /// The id of a file in the path.
    pub(super) fn file_id(&self) -> Result<FileId, RestRefusal> {
        self.segment(1).parse().map_err(|_| RestRefusal::NotFound)
    }

    /// The query, as it was sent.
    pub(super) fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }

    /// A parameter of the query; an empty one counts as missing.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.query().as_bytes());
        let value = pairs.find(|(other, value)| other == name && !value.is_empty());
        value.map(|(_, value)| value.into_owned())
    }

    /// A parameter of the query that is true or false.
    pub(super) fn flag(&self, name: &'static str) -> Result<Option<bool>, RestRefusal> {
        let read = |text: String| content::word(&text).ok_or(RestRefusal::BooleanExpected(name));
        self.parameter(name).map(read).transpose()
    }

    /// A parameter of the query that is a whole number; one that is too large is the largest.
    pub(super) fn number(&self, name: &str) -> Option<u32> {
        let number: u64 = self.parameter(name)?.parse().ok()?;
        Some(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// Whether a comma-separated parameter of the query has a word.
    fn lists(&self, name: &str, word: &str) -> bool {
        self.parameter(name).is_some_and(|list| list.split(',').any(|item| item.trim() == word))
    }

    /// The body as JSON.
    pub(super) fn content(&self) -> Result<Value, RestRefusal> {
        content::read(&self.parts.headers, &self.body)
    }

    /// The body as a JSON object.
    pub(super) fn object(&self) -> Result<Map<String, Value>, RestRefusal> {
        match self.content()? {
            Value::Object(object) => Ok(object),
            _ => Err(RestRefusal::ObjectExpected),
        }
    }

    /// The file in the path, removed or not, if the project has it.
    pub(super) async fn file(&self, id: FileId) -> Result<Arc<File>, RestRefusal> {
        let project = self.project()?.id;
        let file = self.state.records.hot_file(id).await.map_err(errors::rest_of_records)?;
        file.filter(|file| file.project == project).ok_or(RestRefusal::NotFound)
    }

    /// A file as the version shows it, with what the query asks for on top.
    pub(super) fn show<'a>(&self, file: &'a File, urls: &'a PublicUrls) -> FileInfo<'a> {
        let info = FileInfo::new(self.version, file, urls);
        if self.wants_extras() { info.with_extras() } else { info }
    }

    /// Several files as [`Call::show`] shows one.
    pub(super) fn show_all<'a>(&self, files: &'a [File], urls: &'a PublicUrls) -> Vec<FileInfo<'a>> {
        let extras = self.wants_extras();
        let show = |file| {
            let info = FileInfo::new(self.version, file, urls);
            if extras { info.with_extras() } else { info }
        };
        files.iter().map(show).collect()
    }

    /// Whether the query asks for what files show on demand only.
    pub(super) fn wants_extras(&self) -> bool {
        match self.version {
            RestVersion::V07 => self.lists("include", "appdata"),
            RestVersion::V05 | RestVersion::V06 => self.lists("add_fields", "rekognition_info"),
        }
    }

    /// An answer in the media type of the version.
    pub(super) fn json(&self, value: &impl Serialize) -> Outcome {
        self.answer(StatusCode::OK, value)
    }

    /// The answer to what made something.
    pub(super) fn created(&self, value: &impl Serialize) -> Outcome {
        self.answer(StatusCode::CREATED, value)
    }

    fn answer(&self, status: StatusCode, value: &impl Serialize) -> Outcome {
        let mut response = self.written(write(value)?);
        *response.status_mut() = status;
        Ok(response)
    }

    /// An answer that is written already, in the media type of the version.
    pub(super) fn written(&self, json: Bytes) -> Response<Body> {
        with_type(json, media_type(self.version))
    }
}

/// An answer as JSON text.
pub(super) fn write(value: &impl Serialize) -> Result<Bytes, RestRefusal> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| errors::rest_of_json(&error))
}

fn with_type(json: Bytes, media_type: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(json));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// An answer in the media type that some endpoints have in every version.
pub(super) fn plain(value: &impl Serialize) -> Outcome {
    Ok(with_type(write(value)?, "application/json"))
}

/// The answer to what needs none.
pub(super) fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
