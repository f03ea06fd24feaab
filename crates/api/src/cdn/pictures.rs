//! Serving what was made of a file: pictures, facts, faces, videos. The file as it is where nothing is to be made.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{HeaderValue, Response, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use stowage_delivery::{Body as Bytes, Look, Variant, VariantRequest, VideoRequest, bake};
use stowage_image::operations::{Operations, VideoOperations};
use stowage_model::{DeliveryRefusal, File};

use super::accept;
use super::headers::{HARMLESS, Treatment, disposition, set_text};
use super::path::Wish;
use super::route::Outcome;
use super::serve::{self, Begun, Version};
use super::visit::{Host, Visit, failed};
use crate::errors;

/// How long facts may be kept: they change with the program that finds them.
const FACTS: Duration = Duration::from_secs(24 * 3600);

/// What is escaped in a piece of a path.
const PIECE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// Shows a file, or what the operations make of it.
pub(super) async fn show(visit: Visit<'_>, host: &Host, file: &Arc<File>, stored: &str, wish: &Wish) -> Outcome {
    let name = wish.name.as_deref();
    if stored.is_empty() && wish.pieces.is_empty() {
        return serve::original(visit, host, file, None, name).await;
    }
    let mut pieces = bake::stored_pieces(stored);
    pieces.extend_from_slice(&wish.pieces);
    let operations = bake::read(&pieces, &host.project.settings)?;
    if operations.processes() || operations.facts.is_some() {
        return Box::pin(variant(visit, host, file, &operations, &pieces, name)).await;
    }
    // It does nothing to a picture by itself, and needs one.
    if operations.settings.autorotate.is_some() && !file.is_image {
        return Err(DeliveryRefusal::NotAnImage);
    }
    serve::original(visit, host, file, operations.inline, name).await
}

async fn variant(
    visit: Visit<'_>,
    host: &Host,
    file: &Arc<File>,
    operations: &Operations,
    pieces: &[String],
    name: Option<&str>,
) -> Outcome {
    let overlays = bake::overlays(&visit.state.records, file, operations).await.map_err(|failure| failed(&failure))?;
    let written = if operations.facts.is_some() { written(pieces) } else { String::new() };
    let request = VariantRequest {
        file,
        operations,
        written: &written,
        overlays,
        accept: accept::formats(&visit.request.headers),
        look: Look::of(&host.project.settings),
    };
    let variant = visit.state.delivery.variant(request).await?;
    if operations.facts.is_some() {
        return Ok(facts(visit, host, &variant));
    }
    let inline = operations.inline.unwrap_or(true);
    let value = match name {
        Some(name) => disposition(inline, name),
        None if inline => HeaderValue::from_static("inline"),
        None => disposition(false, &saved_as(file, variant.media_type)),
    };
    Ok(send(visit, host, &variant, Duration::MAX, Some(value)))
}

/// The faces of a picture.
pub(super) async fn faces(visit: Visit<'_>, host: &Host, file: &Arc<File>) -> Outcome {
    let variant = visit.state.delivery.faces(file).await?;
    Ok(facts(visit, host, &variant))
}

/// A video of an animated picture.
pub(super) async fn video(visit: Visit<'_>, host: &Host, file: &Arc<File>, wish: &Wish) -> Outcome {
    let operations = VideoOperations::parse(&wish.pieces).map_err(bake::invalid)?;
    let request = VideoRequest { file, operations: &operations };
    let variant = visit.state.delivery.video(request).await?;
    let inline = operations.inline.unwrap_or(true);
    let value = match &wish.name {
        Some(name) => disposition(inline, name),
        None => disposition(inline, &saved_as(file, variant.media_type)),
    };
    Ok(send(visit, host, &variant, Duration::MAX, Some(value)))
}

fn facts(visit: Visit<'_>, host: &Host, variant: &Variant) -> Response<Body> {
    send(visit, host, variant, FACTS, None)
}

fn send(
    visit: Visit<'_>,
    host: &Host,
    variant: &Variant,
    most: Duration,
    disposition: Option<HeaderValue>,
) -> Response<Body> {
    let version = Version { etag: &variant.etag, modified: None, len: variant.len };
    let is_picture = variant.media_type.starts_with("image/");
    let describe = |response: &mut Response<Body>| {
        errors::set(response, header::CONTENT_TYPE, variant.media_type);
        if is_picture && Treatment::of(variant.media_type).active {
            errors::set(response, header::CONTENT_SECURITY_POLICY, HARMLESS);
        }
        if let Some(value) = disposition {
            response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
        }
        if is_picture {
            let headers = response.headers_mut();
            headers.insert("x-image-width", variant.width.into());
            headers.insert("x-image-height", variant.height.into());
        }
    };
    let mut response = match serve::begin(visit.request, host, most, &version, describe) {
        Begun::Response(mut response, range) => {
            *response.body_mut() = match variant.body(range) {
                Bytes::Memory(bytes) => Body::from(bytes),
                Bytes::Stream(stream) => Body::from_stream(stream),
            };
            response
        }
        Begun::Over(response) => response,
    };
    if variant.negotiated {
        // Also where the client has it already.
        set_text(&mut response, header::VARY, "Accept".to_owned());
    }
    response
}

/// The name of a file with the extension of what was made of it.
fn saved_as(file: &File, media_type: &str) -> String {
    let name = file.name.sanitised();
    let stem = name.rsplit_once('.').map_or(&*name, |(stem, _)| stem);
    let extension = match media_type {
        "image/jpeg" => "jpg",
        "image/svg+xml" => "svg",
        other => other.rsplit('/').next().unwrap_or_default(),
    };
    format!("{stem}.{extension}")
}

/// The operations that make the picture, as a path: without those that only say how to tell of it, and without markers.
fn written(pieces: &[String]) -> String {
    let mut path = String::new();
    let mut calls = pieces.split(|piece| piece == "-");
    // Before the first one there is nothing.
    calls.next();
    for call in calls {
        let Some(name) = call.first() else { continue };
        if name.starts_with('@') || ["json", "jsonp", "main_colors", "inline"].contains(&name.as_str()) {
            continue;
        }
        path.push_str("-/");
        for piece in call {
            path.extend(utf8_percent_encode(piece, PIECE));
            path.push('/');
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_processed_picture() {
        let of = |path: &str| written(&bake::pieces_of(path));
        assert_eq!(of("-/preview/-/json/"), "-/preview/");
        assert_eq!(of("-/@clib/a/-/text/9x9/top/a%2Fb%20c/-/inline/no/-/main_colors/3"), "-/text/9x9/top/a%2Fb%20c/");
        assert_eq!(of("-/json/"), "");
    }
}
