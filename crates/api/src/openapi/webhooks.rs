//! What the document says of webhooks: not what we answer, but what we ask of others.

use stowage_model::EventKind;
use stowage_views::events::{OldPayload, Payload};
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem, Paths};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::OneOfBuilder;
use utoipa::openapi::{Content, RefOr, Required, ResponseBuilder, Schema};

use super::operation::text;
use super::schemas::Schemas;

pub(super) const TAG: &str = "Webhooks";

/// What is asked of the target of a webhook, by kind of event.
pub(super) fn describe(schemas: &mut Schemas) -> Paths {
    let mut paths = Paths::new();
    for kind in EventKind::ALL {
        let operation = OperationBuilder::new()
            .tag(TAG)
            .operation_id(Some(format!("on {kind}").replace(['.', ' ', '_'], "-")))
            .summary(Some(summary(kind)))
            .parameter(
                ParameterBuilder::new()
                    .name("X-Uc-Signature")
                    .parameter_in(ParameterIn::Header)
                    .required(Required::False)
                    .description(Some(
                        "`v1=` and the HMAC-SHA256 of the body in hexadecimal digits, where the webhook has a signing secret.",
                    ))
                    .schema(Some(text())),
            )
            .request_body(Some(
                RequestBodyBuilder::new()
                    .content("application/json", Content::new(Some(payload(kind, schemas))))
                    .required(Some(Required::True))
                    .build(),
            ))
            .response("2XX", ResponseBuilder::new().description("Heard."))
            .securities(Some([]))
            .response("default", ResponseBuilder::new().description("Anything else is asked again later, for 72 hours."))
            .build();
        paths.paths.insert(kind.to_string(), PathItem::new(HttpMethod::Post, operation));
    }
    paths
}

/// Webhooks of 0.6 and 0.5 are told of uploads alone.
fn payload(kind: EventKind, schemas: &mut Schemas) -> RefOr<Schema> {
    let payload = schemas.of::<Payload<'_>>();
    if kind != EventKind::Uploaded {
        return payload;
    }
    OneOfBuilder::new().item(payload).item(schemas.of::<OldPayload<'_>>()).into()
}

fn summary(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Uploaded => "A file was uploaded, fetched or copied",
        EventKind::Infected => "A file was found to have a virus",
        EventKind::Stored => "A file became permanent",
        EventKind::Deleted => "A file was removed",
        EventKind::InfoUpdated => "The metadata of a file changed",
    }
}
