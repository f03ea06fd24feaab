//! What clients are told of an upload from a URL whose length a hold keeps to itself: `"total": "unknown"`, as the vendor's emulator says it,
//! where the API says `null`.

use axum::body::{Body, to_bytes};
use http::{Response, header};
use serde_json::Value;

/// The longest answer that is looked at, in bytes; what tells of progress is much shorter.
const MAX_BYTES: usize = 64 << 10;

/// The same answer; if it tells of progress, with a total that is unknown.
pub(crate) async fn unknown(answer: Response<Body>) -> Response<Body> {
    let (mut head, body) = answer.into_parts();
    if http_body::Body::size_hint(&body).exact().is_none_or(|bytes| bytes > MAX_BYTES as u64) {
        return Response::from_parts(head, body);
    }
    let Ok(bytes) = to_bytes(body, MAX_BYTES).await else { return Response::from_parts(head, Body::empty()) };
    let mut told: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    if told["status"] != "progress" || told.get("total") != Some(&Value::Null) {
        return Response::from_parts(head, bytes.into());
    }
    told["total"] = "unknown".into();
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, told.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn told(body: &'static str) -> String {
        let answer = unknown(Response::new(Body::from(body))).await;
        String::from_utf8(to_bytes(answer.into_body(), MAX_BYTES).await.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn only_progress_without_a_total_is_told_otherwise() {
        let progress = r#"{"status":"progress","done":3,"total":null}"#;
        assert_eq!(serde_json::from_str::<Value>(&told(progress).await).unwrap()["total"], "unknown");
        for same in
            [r#"{"status":"progress","done":3,"total":9}"#, r#"{"status":"success","total":null}"#, "no JSON", ""]
        {
            assert_eq!(told(same).await, same);
        }
    }
}
