//! The doors themselves, one file each. A door finds the world that it acts on in the extensions of the request: that of the session that a
//! header or the path (`/_dev/sessions/NAME/…`) names, else the configured one.

mod capture;
pub(crate) mod clock;
mod faults;
mod ids;
mod input;
mod jobs;
mod journal;
mod openapi;
pub(crate) mod query;
mod reset;
mod seed;
mod sessions;
mod snapshot;
mod webhooks;

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, delete, get, post};
use axum::{Json, Router};
use http::{HeaderValue, StatusCode, Uri, header};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

use crate::session::SessionName;
use crate::{Dev, DevError};

/// The path of all doors.
pub(crate) const ROOT: &str = "/_dev";
/// The beginning of the paths below it.
pub(crate) const BELOW: &str = "/_dev/";
/// The beginning of the paths that name a session.
pub(crate) const SESSIONS: &str = "/_dev/sessions/";

/// The beginning of the paths that capture.
pub(crate) const CAPTURE: &str = "/_dev/capture/";

/// Every path with what answers there.
pub fn routes() -> Vec<(&'static str, MethodRouter<Dev>)> {
    vec![
        ("/_dev/capture/{name}", any(capture::keep)),
        ("/_dev/capture/{name}/", any(capture::keep)),
        ("/_dev/captured", get(capture::list).delete(capture::clear)),
        ("/_dev/captured/{name}", get(capture::list_of)),
        ("/_dev/clock", get(clock::read).put(clock::change).delete(clock::release)),
        ("/_dev/clock/advance", post(clock::advance)),
        ("/_dev/faults", get(faults::list).post(faults::add).delete(faults::clear)),
        ("/_dev/faults/{which}", delete(faults::remove)),
        ("/_dev/ids", get(ids::read).put(ids::change).delete(ids::release)),
        ("/_dev/jobs", get(jobs::list)),
        ("/_dev/jobs/holds", get(jobs::list_holds).post(jobs::add_hold).delete(jobs::remove_holds)),
        ("/_dev/jobs/holds/{id}", delete(jobs::remove_hold)),
        ("/_dev/jobs/{id}/fail", post(jobs::fail)),
        ("/_dev/jobs/{id}/release", post(jobs::release)),
        ("/_dev/jobs/{id}/step", post(jobs::step)),
        ("/_dev/jobs/{id}/succeed", post(jobs::succeed)),
        ("/_dev/journal", get(journal::list).delete(journal::clear)),
        ("/_dev/journal/count", get(journal::count)),
        ("/_dev/journal/{number}", get(journal::show)),
        ("/_dev/openapi.json", get(openapi::page)),
        ("/_dev/reset", post(reset::reset)),
        ("/_dev/seed", post(seed::sow)),
        ("/_dev/sessions", get(sessions::list)),
        ("/_dev/sessions/{name}", delete(sessions::remove)),
        ("/_dev/snapshot", get(snapshot::export).put(snapshot::import)),
        ("/_dev/webhooks", get(webhooks::list)),
        ("/_dev/webhooks/{id}/redeliver", post(webhooks::redeliver)),
    ]
}

/// The doors as a service.
pub(crate) fn router(dev: Dev) -> Router {
    let origins = dev.options().origins.clone();
    let allowed = move |origin: &HeaderValue, _: &http::request::Parts| may_use(origin, &origins);
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request());
    let router = routes().into_iter().fold(Router::new(), |router, (path, door)| router.route(path, door));
    let router = router
        .fallback(async || DevError::missing("there is no such door; GET /_dev/openapi.json lists them"))
        .method_not_allowed_fallback(async || DevError {
            status: StatusCode::METHOD_NOT_ALLOWED,
            text: "this door does not take this method; GET /_dev/openapi.json lists them".to_owned(),
        })
        .layer(middleware::from_fn_with_state(dev.clone(), enter))
        .layer(cors)
        .with_state(dev);
    // Outside of the routing: the path may change.
    Router::new().fallback_service(tower::util::MapRequest::new(router, name_session))
}

/// Whether a page of this origin may use the doors: those of this machine and those that are configured.
fn may_use(origin: &HeaderValue, configured: &[String]) -> bool {
    let Ok(text) = origin.to_str() else { return false };
    if configured.iter().any(|known| known.trim_end_matches('/') == text) {
        return true;
    }
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.ends_with(".localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Takes the session out of the path `/_dev/sessions/NAME/DOOR` and puts it into the header.
fn name_session(mut request: Request) -> Request {
    let Some((name, door)) = request.uri().path().strip_prefix(SESSIONS).and_then(|rest| rest.split_once('/')) else {
        return request;
    };
    if door.is_empty() {
        return request;
    }
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    if let (Ok(name), Ok(uri)) = (HeaderValue::from_str(name), format!("{BELOW}{door}{query}").parse::<Uri>()) {
        *request.uri_mut() = uri;
        for header in crate::session::HEADERS {
            request.headers_mut().remove(header);
        }
        let [header, _] = crate::session::HEADERS;
        request.headers_mut().insert(header, name);
    }
    request
}

/// Refuses pages of strangers, and finds the world.
async fn enter(State(dev): State<Dev>, mut request: Request, next: Next) -> Response {
    if let Some(origin) = request.headers().get(header::ORIGIN)
        && !may_use(origin, &dev.options().origins)
    {
        let text = "pages of this origin may not use the doors for tests; dev.origins can allow it";
        return DevError { status: StatusCode::FORBIDDEN, text: text.to_owned() }.into_response();
    }
    // What lists and ends sessions makes none.
    let path = request.uri().path();
    if path != "/_dev/sessions" && !path.starts_with(SESSIONS) {
        let world = match SessionName::read(request.headers()) {
            Ok(name) => dev.world(name.as_ref()).await,
            Err(fault) => Err(DevError::bad(fault.to_string())),
        };
        match world {
            Ok(world) => drop(request.extensions_mut().insert(world)),
            Err(refused) => return refused.into_response(),
        }
    }
    // What was begun is ended, also when the client goes away: half a reset would be none.
    match tokio::spawn(next.run(request)).await {
        Ok(answer) => answer,
        Err(crash) => DevError::failed(format!("the door crashed: {crash}")).into_response(),
    }
}

/// What a door answers that did what it was asked.
pub(crate) type Outcome<T> = Result<Json<T>, DevError>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_this_machine_and_configured_ones_may_use_the_doors() {
        let configured = ["https://tests.example.com".to_owned()];
        let may = |origin: &str| may_use(&HeaderValue::from_str(origin).unwrap(), &configured);
        for origin in [
            "http://localhost:3000",
            "https://127.0.0.1",
            "http://127.8.9.1:1",
            "http://[::1]:5173",
            "http://a.localhost",
        ] {
            assert!(may(origin), "{origin}");
        }
        assert!(may("https://tests.example.com"));
        for origin in [
            "null",
            "https://example.com",
            "http://localhost.example.com",
            "http://10.0.0.1",
            "https://tests.example.com.evil",
        ] {
            assert!(!may(origin), "{origin}");
        }
    }

    #[test]
    fn a_session_may_stand_in_the_path() {
        let named = |path: &str| {
            let request = name_session(Request::builder().uri(path).body(axum::body::Body::empty()).unwrap());
            let session = SessionName::read(request.headers()).unwrap().map(|name| name.to_string());
            (request.uri().to_string(), session)
        };
        assert_eq!(named("/_dev/sessions/a/clock?x=1"), ("/_dev/clock?x=1".to_owned(), Some("a".to_owned())));
        assert_eq!(named("/_dev/sessions/a"), ("/_dev/sessions/a".to_owned(), None));
        assert_eq!(named("/_dev/clock"), ("/_dev/clock".to_owned(), None));
    }
}
