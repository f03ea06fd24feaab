//! Webhooks from end to end: made by the official client, told by the worker, received and verified here.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::Runtime::Node;
use super::origin::Origin;
use super::{LOCAL, PICTURE, picture};
use crate::stowage::{Place, until};

const EVENTS: [&str; 4] = ["file.uploaded", "file.stored", "file.info_updated", "file.deleted"];

#[tokio::test]
async fn whoever_subscribes_is_told_what_happens_to_files() {
    if !Node.is_here() {
        return;
    }
    let place = Place::with(&[LOCAL]).await;
    let server = place.serve(&[]).await;
    let told: &[_] = &["/file.uploaded", "/file.stored", "/file.info_updated", "/file.deleted"]
        .map(|path| (path, "text/plain", &b""[..]));
    let origin = Origin::serve(told).await;
    let input = json!({ "base": server.base, "origin": origin.base, "picture": picture() });
    let seen = Node.run("rest_deliveries.mjs", input).await;
    until("everything is told", || async { told.iter().all(|(path, ..)| origin.times(path) > 0) }).await;

    let id = seen["uuid"].as_str().unwrap();
    let url = format!("{}/{id}/pixel.png", server.base);
    let now = server.rest(&format!("/files/{id}/?include=appdata")).await;
    assert!(now["datetime_removed"].is_string() && now["original_file_url"].is_null(), "{now}");
    for event in EVENTS {
        let hook = &seen["hooks"][event];
        let delivery = origin.asked(&format!("/{event}")).remove(0);
        assert_eq!(delivery.headers["content-type"], "application/json");
        assert_eq!(delivery.headers["x-uc-signature"], signature(&format!("secret of {event}"), &delivery.body));
        let payload: Value = serde_json::from_slice(&delivery.body).unwrap();
        let request = &payload["initiator"]["detail"]["request_id"];
        assert_eq!(request.as_str().unwrap().len(), id.len(), "{payload}");
        assert!(event == "file.uploaded" || *request == seen["requests"][event], "{event} has another cause");
        let mut file = now.clone();
        let mut expected = json!({
            "initiator": { "type": "api", "detail": { "request_id": request, "addon_name": null } },
            "hook": {
                "id": hook["id"], "project_id": hook["project"], "project_pub_key": "demopublickey",
                "target": format!("{}/{event}", origin.base), "event": event, "is_active": true, "version": "0.7",
                "created_at": hook["created"], "updated_at": hook["updated"],
            },
            "file": url,
        });
        if event != "file.deleted" {
            (file["datetime_removed"], file["original_file_url"]) = (Value::Null, url.as_str().into());
        }
        match event {
            "file.uploaded" => file["metadata"] = json!({ "color": "red" }),
            "file.stored" | "file.info_updated" => {
                assert!(payload["data"]["datetime_stored"].is_string(), "{payload}");
                file["datetime_stored"] = payload["data"]["datetime_stored"].clone();
                let color = if event == "file.stored" { "red" } else { "blue" };
                file["metadata"] = json!({ "color": color });
            }
            _ => {}
        }
        if event == "file.info_updated" {
            expected["previous_values"] = json!({ "metadata": { "color": "red" } });
        }
        expected["data"] = file;
        assert_eq!(payload, expected, "{event}");
        // Compact, as the signature of other servers covers it.
        assert!(!delivery.body.contains(&b'\n') && !delivery.body.windows(2).any(|pair| pair == b"\": "), "{payload}");
    }
    assert_eq!(server.fetch(id).await.0, 404);
    assert!(PICTURE.len() as u64 == now["size"], "what was told is what was uploaded");
}

fn signature(secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body);
    mac.finalize().into_bytes().iter().fold("v1=".to_owned(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
