//! `/_dev/openapi.json`: all doors as an `OpenAPI` document, its schemas from the types that the doors take and answer. What these do not
//! say stands here, one entry for each path and method; a test holds it against the table that routes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::response::IntoResponse;
use http::header;
use utoipa::openapi::path::HttpMethod::{self, Delete, Get, Post, Put};
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem, Paths};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{
    Components, Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, ResponsesBuilder,
    Server,
};
use utoipa::{IntoParams, ToSchema};

use super::{capture, clock, faults, ids, jobs, journal as doors_journal, reset, seed, sessions, webhooks};
use crate::DevError;
use crate::capture::Filter as Captured;
use crate::error::Refused;
use crate::seed::{Manifest, Sown};
use crate::snapshot::{Imported, MEDIA_TYPE};
use crate::{holds, journal};

const ABOUT: &str = "Doors for tests: they put a server into the state that a test needs, and show what has happened. They exist with \
    `dev.enabled` alone.\n\n\
    Each acts on the state of the session that a header names, which is made when it is named first, or else on that of the server; \
    `/_dev/sessions/NAME/…` is the same without a header. Pages of this machine and of `dev.origins` may use them. What is refused is \
    told in a sentence.";

/// The header that names a session.
const SESSION: &str = "X-Stowage-Session";

static DOCUMENT: LazyLock<Option<String>> = LazyLock::new(|| serde_json::to_string(&document()).ok());

pub(crate) async fn page() -> Result<impl IntoResponse, DevError> {
    let document = DOCUMENT.as_deref().ok_or_else(|| DevError::failed("the document could not be written"))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], document))
}

fn document() -> OpenApi {
    let mut draft = Draft::default();
    describe(&mut draft);
    let mut components = Components::new();
    components.schemas = draft.schemas;
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new().title("Stowage: doors for tests").version(env!("CARGO_PKG_VERSION"));
    OpenApiBuilder::new()
        .info(info.description(Some(ABOUT)).license(Some(license)))
        .servers(Some([Server::new("/")]))
        .paths(draft.paths)
        .components(Some(components))
        .build()
}

fn describe(draft: &mut Draft) {
    describe_state(draft);
    describe_time_and_ids(draft);
    describe_faults_and_jobs(draft);
    describe_what_happened(draft);
    draft
        .door(Get, "/_dev/openapi.json", "showDocument", "This document")
        .answers_bytes("application/json", "The document.")
        .done();
    draft
        .door(Get, "/_dev/sessions", "listSessions", "The sessions there are")
        .answers::<sessions::Sessions>(200)
        .done();
    draft.door(Delete, "/_dev/sessions/{name}", "removeSession", "End a session").nothing().done();
}

fn describe_state(draft: &mut Draft) {
    draft
        .door(Post, "/_dev/reset", "reset", "Everything, or a project's content, as it was after the start")
        .takes::<reset::Wanted>()
        .answers::<reset::Done>(200)
        .done();
    draft
        .door(
            Post,
            "/_dev/seed",
            "seed",
            "Make files, groups, webhooks and the like: a folder as a form, or a manifest alone",
        )
        .asks::<seed::How>()
        .takes_form::<seed::SeedForm>()
        .takes::<Manifest>()
        .answers::<Sown>(200)
        .done();
    draft
        .door(Get, "/_dev/snapshot", "exportSnapshot", "The whole state as one archive")
        .answers_bytes(MEDIA_TYPE, "The archive.")
        .done();
    draft
        .door(Put, "/_dev/snapshot", "importSnapshot", "Replace the whole state by that of an archive")
        .takes_bytes(MEDIA_TYPE)
        .answers::<Imported>(200)
        .done();
}

fn describe_time_and_ids(draft: &mut Draft) {
    draft.door(Get, "/_dev/clock", "showClock", "What time it is").answers::<clock::Shown>(200).done();
    draft
        .door(Put, "/_dev/clock", "setClock", "Set the clock, stop it or let it run")
        .takes::<clock::Change>()
        .answers::<clock::Shown>(200)
        .done();
    draft
        .door(Delete, "/_dev/clock", "releaseClock", "Let the clock go with the machine's again")
        .answers::<clock::Shown>(200)
        .done();
    draft
        .door(Post, "/_dev/clock/advance", "advanceClock", "Let time pass, with everything that is due meanwhile")
        .takes::<clock::Advance>()
        .answers::<clock::Advanced>(200)
        .done();
    draft.door(Get, "/_dev/ids", "showIds", "Where new ids come from").answers::<ids::Shown>(200).done();
    draft
        .door(Put, "/_dev/ids", "setIds", "Seed new ids, or settle that of the next upload")
        .takes::<ids::Change>()
        .answers::<ids::Shown>(200)
        .done();
    draft.door(Delete, "/_dev/ids", "releaseIds", "Draw random ids again").answers::<ids::Shown>(200).done();
}

fn describe_faults_and_jobs(draft: &mut Draft) {
    draft
        .door(Get, "/_dev/faults", "listFaults", "The rules, and how often each has acted")
        .answers::<faults::Listed>(200)
        .done();
    draft
        .door(
            Post,
            "/_dev/faults",
            "addFaults",
            "Add a rule or a list of them; the answer has the same form, with their numbers",
        )
        .takes::<faults::Rules>()
        .answers::<faults::Added>(200)
        .done();
    draft.door(Delete, "/_dev/faults", "removeFaults", "Remove all rules").answers::<faults::Removed>(200).done();
    draft
        .door(Delete, "/_dev/faults/{which}", "removeFault", "Remove the rule of this number or name")
        .nothing()
        .done();

    draft.door(Get, "/_dev/jobs", "listJobs", "Jobs that have not ended").answers::<jobs::Jobs>(200).done();
    draft.door(Get, "/_dev/jobs/holds", "listHolds", "Which jobs are held").answers::<jobs::Holds>(200).done();
    draft
        .door(Post, "/_dev/jobs/holds", "addHold", "Hold jobs from now on")
        .takes::<holds::Rule>()
        .answers::<jobs::Added>(201)
        .done();
    draft
        .door(Delete, "/_dev/jobs/holds", "removeHolds", "Hold nothing any more, and let go what is held")
        .nothing()
        .done();
    draft
        .door(Delete, "/_dev/jobs/holds/{id}", "removeHold", "Remove a hold, and let go what it holds")
        .nothing()
        .done();
    for (path, id, about) in [
        ("/_dev/jobs/{id}/step", "stepJob", "Let a held job go one step on"),
        ("/_dev/jobs/{id}/release", "releaseJob", "Let a held job go"),
    ] {
        draft.door(Post, path, id, about).answers::<jobs::Now>(200).done();
    }
    draft
        .door(Post, "/_dev/jobs/{id}/fail", "failJob", "Let a job fail")
        .takes::<jobs::Failure>()
        .answers::<jobs::Now>(200)
        .done();
    draft
        .door(
            Post,
            "/_dev/jobs/{id}/succeed",
            "succeedJob",
            "Let a job succeed, with these bytes or else a small picture of ours",
        )
        .asks::<jobs::Named>()
        .takes_bytes("*/*")
        .answers::<jobs::Now>(200)
        .done();
}

fn describe_what_happened(draft: &mut Draft) {
    draft
        .door(Get, "/_dev/journal", "listRequests", "The last requests, without their bodies")
        .asks::<journal::Filter>()
        .answers::<doors_journal::List>(200)
        .done();
    draft.door(Delete, "/_dev/journal", "forgetRequests", "Forget all requests").nothing().done();
    draft
        .door(Get, "/_dev/journal/count", "countRequests", "How many requests there were")
        .asks::<journal::Filter>()
        .answers::<doors_journal::Count>(200)
        .done();
    draft
        .door(Get, "/_dev/journal/{number}", "showRequest", "A request and its answer, with headers and bodies")
        .answers::<journal::ShownEntry>(200)
        .done();
    draft
        .door(Get, "/_dev/webhooks", "listDeliveries", "What webhooks were and will be told")
        .asks::<webhooks::Filter>()
        .answers::<webhooks::List>(200)
        .done();
    draft
        .door(Post, "/_dev/webhooks/{id}/redeliver", "redeliver", "Tell a webhook once more")
        .answers::<webhooks::Due>(200)
        .done();
    draft
        .door(
            Post,
            "/_dev/capture/{name}",
            "capture",
            "A target for webhooks, by any method; `?status=` says what it answers",
        )
        .takes_bytes("*/*")
        .answers::<capture::Kept>(200)
        .done();
    draft
        .door(Get, "/_dev/captured", "listCaptured", "What was sent to the built-in targets")
        .asks::<Captured>()
        .answers::<capture::List>(200)
        .done();
    draft
        .door(Delete, "/_dev/captured", "forgetCaptured", "Forget what was sent to them")
        .asks::<capture::Which>()
        .nothing()
        .done();
    draft
        .door(Get, "/_dev/captured/{name}", "listCapturedOf", "What was sent to one of them")
        .asks::<Captured>()
        .answers::<capture::List>(200)
        .done();
}

/// The document as far as it is made.
#[derive(Default)]
struct Draft {
    paths: Paths,
    schemas: BTreeMap<String, RefOr<Schema>>,
}

impl Draft {
    fn door<'d>(&'d mut self, method: HttpMethod, path: &'static str, id: &str, summary: &str) -> Door<'d> {
        let refused = Content::new(Some(self.of::<Refused>()));
        let refused =
            ResponseBuilder::new().description("What is wrong, in a sentence.").content("application/json", refused);
        let mut operation = OperationBuilder::new().operation_id(Some(id)).summary(Some(summary));
        let named = path.split('/').filter_map(|piece| piece.strip_prefix('{')?.strip_suffix('}'));
        for name in named {
            operation = operation.parameter(text_parameter(name, ParameterIn::Path));
        }
        if !path.starts_with(super::SESSIONS) && path != "/_dev/sessions" && path != "/_dev/openapi.json" {
            operation = operation.parameter(text_parameter(SESSION, ParameterIn::Header));
        }
        let responses = ResponsesBuilder::new().response("default", refused);
        Door { draft: self, method, path, operation, body: Vec::new(), responses }
    }

    /// Refers to the schema of a type, which comes into the document with all that it refers to.
    fn of<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let mut inner = Vec::new();
        T::schemas(&mut inner);
        self.schemas.extend(inner);
        let name = T::name();
        let reference = Ref::from_schema_name(&*name);
        self.schemas.insert(name.into_owned(), T::schema());
        reference.into()
    }
}

fn text_parameter(name: &str, place: ParameterIn) -> Parameter {
    let required = if matches!(place, ParameterIn::Path) { Required::True } else { Required::False };
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    ParameterBuilder::new().name(name).parameter_in(place).required(required).schema(Some(text)).build()
}

/// A path and a method, as far as they are described.
struct Door<'d> {
    draft: &'d mut Draft,
    method: HttpMethod,
    path: &'static str,
    operation: OperationBuilder,
    /// The forms that its body may have.
    body: Vec<(&'static str, Content)>,
    responses: ResponsesBuilder,
}

impl Door<'_> {
    /// Its query.
    fn asks<T: IntoParams>(mut self) -> Self {
        for parameter in T::into_params(|| Some(ParameterIn::Query)) {
            self.operation = self.operation.parameter(parameter);
        }
        self
    }

    /// Its body, in JSON.
    fn takes<T: ToSchema>(mut self) -> Self {
        self.body.push(("application/json", Content::new(Some(self.draft.of::<T>()))));
        self
    }

    /// Its body, as a form.
    fn takes_form<T: ToSchema>(mut self) -> Self {
        self.body.push(("multipart/form-data", Content::new(Some(self.draft.of::<T>()))));
        self
    }

    /// Its body, where that may be anything.
    fn takes_bytes(mut self, media_type: &'static str) -> Self {
        self.body.push((media_type, Content::new(None::<RefOr<Schema>>)));
        self
    }

    /// What it answers, in JSON.
    fn answers<T: ToSchema>(mut self, status: u16) -> Self {
        let content = Content::new(Some(self.draft.of::<T>()));
        let response = ResponseBuilder::new().description("Done.").content("application/json", content);
        self.responses = self.responses.response(status.to_string(), response);
        self
    }

    /// What it answers, where that has no schema.
    fn answers_bytes(mut self, media_type: &str, about: &str) -> Self {
        let content = Content::new(None::<RefOr<Schema>>);
        let response = ResponseBuilder::new().description(about).content(media_type, content);
        self.responses = self.responses.response("200", response);
        self
    }

    /// It answers nothing.
    fn nothing(mut self) -> Self {
        self.responses = self.responses.response("204", ResponseBuilder::new().description("Done."));
        self
    }

    fn done(self) {
        let body = RequestBodyBuilder::new();
        let has_body = !self.body.is_empty();
        let body = self.body.into_iter().fold(body, |body, (media_type, content)| body.content(media_type, content));
        let operation = self.operation.request_body(has_body.then(|| body.build()));
        let operation = operation.responses(self.responses.build()).build();
        let item = self.draft.paths.paths.entry(self.path.to_owned()).or_default();
        item.merge_operations(PathItem::new(self.method, operation));
    }
}
