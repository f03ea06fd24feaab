//! The project, and what is not set up here: conversions and add-ons.

use serde_json::json;

use crate::support::Server;
use crate::{Api, UNKNOWN, told};

#[tokio::test]
async fn a_project_tells_who_works_on_it() {
    let projects = "[[projects]]\npublic_key = \"mine\"\nsecret_keys = [\"s\"]\nname = \"Mine\"\nautostore = false\n\
                    collaborators = [{ name = \"Ada\", email = \"ada@example.com\" }]\n";
    let server = Server::with(projects, &[]).await;
    let expected = r#"{"collaborators":[{"name":"Ada","email":"ada@example.com"}],"name":"Mine","pub_key":"mine","autostore_enabled":false}"#;
    for version in ["0.5", "0.6", "0.7"] {
        let api = Api { key: "mine", secret: "s", ..Api::new(&server).version(version) };
        assert_eq!(api.send("GET", "/project/").await.text().await.unwrap(), expected);
    }
    let demo = Server::start().await;
    let expected =
        json!({ "collaborators": [], "name": "Demo", "pub_key": "demopublickey", "autostore_enabled": true });
    assert_eq!(Api::new(&demo).get("/project/").await, expected);
}

#[tokio::test]
async fn nothing_is_converted() {
    let server = Server::start().await;
    let path = format!("{UNKNOWN}/document/-/format/pdf/");
    for version in ["0.5", "0.6", "0.7"] {
        let api = Api::new(&server).version(version);
        for (endpoint, unavailable) in [
            ("/convert/document/", "Document conversion feature is not available for this project."),
            ("/convert/video/", "Video conversion feature is not available for this project."),
        ] {
            for (body, text) in [
                (json!([]), "Expected JSON object."),
                (json!({}), "“paths” parameter is required."),
                (json!({ "paths": [] }), "“paths” parameter is required."),
                (json!({ "paths": [1] }), "“paths” parameter is required."),
                (json!({ "paths": [path], "store": "maybe" }), "`store` parameter should be `true` or `false`."),
                (json!({ "paths": [path] }), unavailable),
                (json!({ "paths": [path], "store": "1", "save_in_group": "true" }), unavailable),
            ] {
                api.refuses("POST", endpoint, &body, 400, text).await;
            }
        }
        let form = api.request("POST", "/convert/video/").header("content-type", "application/x-www-form-urlencoded");
        let form = form.body("paths=a&paths=b").send().await.unwrap();
        assert_eq!(told(form).await.1["detail"], "Video conversion feature is not available for this project.");
        let text = "Document conversion feature is not available for this project.";
        api.refuses("GET", &format!("/convert/document/{UNKNOWN}/"), &json!({}), 400, text).await;
        for missing in ["/convert/document/x/", "/convert/document/status/5/", "/convert/video/status/x/"] {
            api.refuses("GET", missing, &json!({}), 404, "Not found.").await;
        }
    }
}

#[tokio::test]
async fn no_add_on_is_set_up() {
    let server = Server::start().await;
    let api = Api::new(&server);
    for name in [
        "uc_clamav_virus_scan",
        "aws_rekognition_detect_labels",
        "aws_rekognition_detect_moderation_labels",
        "remove_bg",
    ] {
        let path = format!("/addons/{name}/execute/");
        let text = "This Add-On is not available for this project.";
        api.refuses("POST", &path, &json!({ "target": UNKNOWN, "params": { "crop": true } }), 403, text).await;
        api.refuses("POST", &path, &json!("x"), 400, "Expected JSON object.").await;
        api.refuses("POST", &path, &json!({ "target": UNKNOWN, "params": 5 }), 400, "Expected JSON object.").await;
        for (body, text) in [
            (json!({}), "This field is required."),
            (json!({ "target": "nope" }), "Must be a valid UUID."),
            (json!({ "target": 5 }), "Must be a valid UUID."),
        ] {
            assert_eq!(api.ask("POST", &path, &body).await, (400, json!({ "target": [text] })));
        }
        let status = format!("{path}status/?request_id=");
        let answer = api.send("GET", &format!("{status}{UNKNOWN}")).await;
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_eq!(told(answer).await, (200, json!({ "status": "unknown" })));
        for (id, text) in [("", "This field is required."), ("nope", "Must be a valid UUID.")] {
            let refusal = json!({ "request_id": [text] });
            assert_eq!(told(api.send("GET", &format!("{status}{id}")).await).await, (400, refusal));
        }
    }
    api.refuses("POST", "/addons/make_coffee/execute/", &json!({ "target": UNKNOWN }), 404, "Not found.").await;
    api.refuses("GET", "/addons/make_coffee/execute/status/", &json!({}), 404, "Not found.").await;
}
