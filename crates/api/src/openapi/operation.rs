//! What the document says of an operation besides its path, its method and what it answers: the same for all doors.

use utoipa::openapi::encoding::EncodingBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, ParameterStyle,
};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{Content, ContentBuilder, RefOr, Required, Responses, SecurityRequirement};

use super::schemas::Schemas;

/// What a parameter, a field of a form or a member of a JSON object is.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    /// A text of at most so many characters.
    Short(usize),
    Uuid,
    Uri,
    Boolean,
    Integer,
    /// A number between two others, and what counts without it.
    Number {
        least: u32,
        most: u32,
        usual: u32,
    },
    OneOf(&'static [&'static str]),
    Texts,
    /// An object of texts; in queries and forms `name[key]=value`.
    TextsByKey,
    File,
    Other(fn() -> Schema),
}

/// A parameter, a field of a form or a member of a JSON object.
#[derive(Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    kind: Kind,
    about: &'static str,
    required: bool,
}

pub(super) const fn required(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, about, required: true }
}

pub(super) const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, about, required: false }
}

/// The body of a request.
#[derive(Clone, Copy)]
pub(super) enum Body {
    None,
    /// A JSON object, or an urlencoded form.
    Object(&'static [Field]),
    /// JSON that is no object.
    Json(fn() -> Schema),
    /// A form, multipart or urlencoded; on `GET` the parameters of the query.
    Form(&'static [Field]),
    /// A form with files.
    Files(&'static [Field]),
    Bytes,
}

/// What the document says of a path besides what the table of its door says.
pub(super) struct Said<A: 'static> {
    pub(super) path: &'static str,
    /// The methods, each with the name of the operation.
    pub(super) on: &'static [(&'static str, &'static str)],
    pub(super) summary: &'static str,
    /// More than the summary says; may be empty.
    pub(super) about: &'static str,
    /// What stands in the path.
    pub(super) at: &'static [Field],
    pub(super) query: &'static [Field],
    pub(super) body: Body,
    /// What is answered, as its door tells it.
    pub(super) answers: A,
}

/// What is said of a path and a method, and the name of the operation.
pub(super) fn find<A>(all: &'static [Said<A>], path: &str, method: &str) -> Option<(&'static Said<A>, &'static str)> {
    all.iter().filter(|said| said.path == path).find_map(|said| {
        let (_, name) = said.on.iter().find(|(on, _)| *on == method)?;
        Some((said, *name))
    })
}

impl<A> Said<A> {
    /// The operation that this says of a method.
    pub(super) fn operation(
        &self,
        name: &str,
        tag: &str,
        method: &HttpMethod,
        responses: Responses,
        security: Vec<SecurityRequirement>,
    ) -> Operation {
        let asked = *method == HttpMethod::Get;
        let in_query = match self.body {
            Body::Form(fields) if asked => fields,
            _ => &[],
        };
        let at = self.at.iter().map(|field| field.parameter(ParameterIn::Path));
        let query = self.query.iter().chain(in_query).map(|field| field.parameter(ParameterIn::Query));
        let parameters: Vec<Parameter> = at.chain(query).collect();
        let body = if asked { None } else { request_body(self.body) };
        OperationBuilder::new()
            .tag(tag)
            .operation_id(Some(name))
            .summary(Some(self.summary))
            .description(some_text(self.about))
            .parameters(Some(parameters).filter(|parameters| !parameters.is_empty()))
            .request_body(body)
            .responses(responses)
            .securities(Some(security))
            .build()
    }
}

fn some_text(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

impl Field {
    fn schema(&self) -> Schema {
        let of = |kind: Type| ObjectBuilder::new().schema_type(kind).description(some_text(self.about));
        let other = |name: &str| Some(SchemaFormat::Custom(name.to_owned()));
        match self.kind {
            Kind::Text => of(Type::String).into(),
            Kind::Short(most) => of(Type::String).max_length(Some(most)).into(),
            Kind::Uuid => of(Type::String).format(other("uuid")).into(),
            Kind::Uri => of(Type::String).format(other("uri")).into(),
            Kind::Boolean => of(Type::Boolean).into(),
            Kind::Integer => of(Type::Integer).into(),
            Kind::Number { least, most, usual } => of(Type::Integer)
                .minimum(Some(f64::from(least)))
                .maximum(Some(f64::from(most)))
                .default(Some(usual.into()))
                .into(),
            Kind::OneOf(words) => of(Type::String).enum_values(Some(words.iter().copied())).into(),
            Kind::Texts => ArrayBuilder::new().items(text()).description(some_text(self.about)).into(),
            Kind::TextsByKey => of(Type::Object).additional_properties(Some(text())).into(),
            // Bytes as they are have no type in this version of the specification.
            Kind::File => {
                ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(some_text(self.about)).into()
            }
            Kind::Other(schema) => described(schema(), self.about),
        }
    }

    fn parameter(&self, place: ParameterIn) -> Parameter {
        let by_key = matches!(self.kind, Kind::TextsByKey);
        ParameterBuilder::new()
            .name(self.name)
            .parameter_in(place)
            .required(if self.required { Required::True } else { Required::False })
            .schema(Some(self.schema()))
            .style(by_key.then_some(ParameterStyle::DeepObject))
            .explode(by_key.then_some(true))
            .build()
    }
}

fn described(schema: Schema, about: &str) -> Schema {
    let about = some_text(about).map(str::to_owned);
    match schema {
        Schema::Object(mut object) => {
            object.description = about;
            Schema::Object(object)
        }
        Schema::Array(mut array) => {
            array.description = about;
            Schema::Array(array)
        }
        Schema::OneOf(mut one_of) => {
            one_of.description = about;
            Schema::OneOf(one_of)
        }
        other => other,
    }
}

/// A text.
pub(super) fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// An object with these members.
pub(super) fn object(fields: &[Field]) -> ObjectBuilder {
    fields.iter().fold(ObjectBuilder::new().schema_type(Type::Object), |object, field| {
        let object = object.property(field.name, field.schema());
        if field.required { object.required(field.name) } else { object }
    })
}

fn request_body(body: Body) -> Option<RequestBody> {
    let required = |fields: &[Field]| fields.iter().any(|field| field.required);
    let json = |schema: Schema| RequestBodyBuilder::new().content("application/json", Content::new(Some(schema)));
    let (body, required) = match body {
        Body::None => return None,
        Body::Object(fields) => {
            let body = json(object(fields).into());
            (body.content("application/x-www-form-urlencoded", form(fields)), required(fields))
        }
        Body::Json(schema) => (json(schema()), true),
        Body::Form(fields) => {
            let body = RequestBodyBuilder::new().content("multipart/form-data", form(fields));
            (body.content("application/x-www-form-urlencoded", form(fields)), required(fields))
        }
        Body::Files(fields) => (RequestBodyBuilder::new().content("multipart/form-data", form(fields)), true),
        Body::Bytes => {
            let bytes = Content::new(None::<RefOr<Schema>>);
            (RequestBodyBuilder::new().content("application/octet-stream", bytes), true)
        }
    };
    Some(body.required(Some(if required { Required::True } else { Required::False })).build())
}

/// A form. Fields of it that hold texts by key are written `name[key]`.
fn form(fields: &[Field]) -> Content {
    let content = ContentBuilder::new().schema(Some(object(fields)));
    let by_key = fields.iter().filter(|field| matches!(field.kind, Kind::TextsByKey));
    let style = || EncodingBuilder::new().style(Some(ParameterStyle::DeepObject)).explode(Some(true));
    by_key.fold(content, |content, field| content.encoding(field.name, style())).build()
}

/// An answer of a door whose answers do not depend on a version.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) about: &'static str,
    /// The media type, and the schema of what is of this type; empty for no body.
    pub(super) media_type: &'static str,
    pub(super) view: Option<fn(&mut Schemas) -> RefOr<Schema>>,
    /// The headers that it always has, with what they say.
    pub(super) headers: &'static [(&'static str, &'static str)],
}

/// An answer in JSON.
pub(super) const fn json(status: u16, about: &'static str, view: fn(&mut Schemas) -> RefOr<Schema>) -> Answer {
    Answer { status, about, media_type: "application/json", view: Some(view), headers: &[] }
}

/// An answer without a schema: a text, a page, bytes, or nothing.
pub(super) const fn plain(status: u16, about: &'static str, media_type: &'static str) -> Answer {
    Answer { status, about, media_type, view: None, headers: &[] }
}

impl Answer {
    pub(super) fn response(&self, schemas: &mut Schemas) -> Response {
        let mut response = ResponseBuilder::new().description(self.about);
        if !self.media_type.is_empty() {
            let schema = self.view.map(|view| view(schemas));
            let schema = schema.or_else(|| self.media_type.starts_with("text/").then(|| text().into()));
            response = response.content(self.media_type, Content::new(schema));
        }
        self.headers.iter().fold(response, |response, (name, about)| response.header(*name, header(about))).build()
    }
}

/// A header of answers.
pub(super) fn header(about: &str) -> utoipa::openapi::Header {
    HeaderBuilder::new().schema(Some(text())).description(Some(about)).build()
}

/// The operations of the specification by the methods of our tables; `HEAD` and `OPTIONS` are told once for all.
pub(super) fn operation_on(method: &str) -> Option<HttpMethod> {
    match method {
        "GET" => Some(HttpMethod::Get),
        "POST" => Some(HttpMethod::Post),
        "PUT" => Some(HttpMethod::Put),
        "PATCH" => Some(HttpMethod::Patch),
        "DELETE" => Some(HttpMethod::Delete),
        _ => None,
    }
}

/// Texts of refusals as the items of a list, each once.
pub(super) fn listed(texts: impl IntoIterator<Item = String>) -> String {
    let mut list: Vec<String> = Vec::new();
    for text in texts {
        let item = format!("- {text}");
        if !list.contains(&item) {
            list.push(item);
        }
    }
    list.join("\n")
}
