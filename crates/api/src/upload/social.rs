//! `/window3/…` and `/window4/…`: where web components look for social sources (Dropbox, Google Drive, …) when this server is
//! named as their social base. Those need applications registered with each network, which the vendor's own cloud has.

use axum::body::Body;
use http::{Response, StatusCode, header};

use crate::errors;

const PAGE: &str = "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>Not available</title></head><body>\
<h1>Not available</h1><p>Social and cloud sources (Facebook, Dropbox, Google Drive and the like) are services of \
Uploadcare's own cloud and are not part of this server. Limit <code>source-list</code> to <code>local, url, camera</code>.</p>\
</body></html>\n";

pub(super) async fn handle() -> Response<Body> {
    let mut response = Response::new(Body::from(PAGE));
    *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
    errors::set(&mut response, header::CONTENT_TYPE, "text/html; charset=UTF-8");
    errors::set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}
