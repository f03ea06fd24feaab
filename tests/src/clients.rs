//! Official clients against the executable.

use serde_json::Value;
use tokio::process::Command;

use crate::stowage::Place;

#[tokio::test]
async fn the_official_javascript_client_uploads_and_reads() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");
    if !std::path::Path::new(folder).join("node_modules").exists() {
        let required = std::env::var("STOWAGE_TEST_REQUIRE").is_ok_and(|list| list.contains("postgres"));
        assert!(!required, "tests/clients/node_modules is missing: tests/run installs it");
        eprintln!("skipped: tests/clients/node_modules is missing (tests/run installs it)");
        return;
    }
    let place = Place::new().await;
    let server = place.serve(&[]).await;
    let output = Command::new("node").arg("upload.mjs").arg(&server.base).current_dir(folder).output().await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let uploaded = &seen["uploaded"];
    assert_eq!(uploaded["name"], "Gre1.txt");
    assert_eq!(uploaded["originalFilename"], "Grüße (1).txt");
    assert_eq!((&uploaded["size"], &uploaded["isStored"]), (&30.into(), &true.into()));
    assert_eq!((&uploaded["mimeType"], &uploaded["metadata"]["subsystem"]), (&"text/plain".into(), &"tests".into()));
    let id = uploaded["uuid"].as_str().unwrap();
    assert_eq!(uploaded["cdnUrl"], format!("{}/{id}/", server.base));
    assert_eq!((&seen["known"]["uuid"], &seen["known"]["isReady"]), (&seen["second"], &true.into()));
    assert_eq!((&seen["delivered"]["status"], &seen["delivered"]["type"]), (&200.into(), &"text/plain".into()));
    assert_eq!(seen["delivered"]["text"], "hello from the official client");
    assert_eq!(seen["refused"]["code"], "ProjectPublicKeyInvalidError");
    assert_eq!(seen["refused"]["message"], "UPLOADCARE_PUB_KEY is invalid.");
    assert!(seen["progressed"].as_u64().unwrap() > 0);
}
