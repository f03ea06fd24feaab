//! `stowage seed`: many synthetic files, before and beside a server.

use reqwest::Client;
use serde_json::Value;

use crate::stowage::{Place, Server};

async fn page(server: &Server, path: &str) -> Value {
    let asked = Client::new()
        .get(server.url(path))
        .header("Accept", "application/vnd.uploadcare-v0.7+json")
        .header("Authorization", "Uploadcare.Simple demopublickey:demosecretkey");
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.unwrap()
}

#[tokio::test]
async fn synthetic_files_are_files() {
    let place = Place::new().await;
    let said = place.print(&["seed", "--count", "3000", "--size", "20KiB", "--seed", "7"]).await;
    assert!(said.contains("3000 file(s)") && said.contains("demopublickey") && said.contains("--seed 7"), "{said}");
    let server = place.serve(&[]).await;
    let count = async |path: &str| page(&server, path).await["total"].as_u64().unwrap();
    let (there, removed) = (count("/files/?limit=1").await, count("/files/?limit=1&removed=true").await);
    assert_eq!(there + removed, 3000);
    assert!(removed > 50 && count("/files/?limit=1&stored=false").await > 5);
    assert!(count("/groups/?limit=1").await > 5);
    let listed = page(&server, "/files/?limit=100&stored=true&ordering=-datetime_uploaded").await;
    let files = listed["results"].as_array().unwrap();
    let (mut types, mut times) = (Vec::new(), Vec::new());
    for file in files {
        let (status, bytes) = server.fetch(file["uuid"].as_str().unwrap()).await;
        assert_eq!((status, Some(bytes.len() as u64)), (200, file["size"].as_u64()));
        types.push(file["mime_type"].as_str().unwrap());
        times.push(file["datetime_uploaded"].as_str().unwrap());
        if file["mime_type"] == "image/jpeg" {
            assert_eq!(file["is_image"], true);
            let preview = format!("{}/-/preview/10x10", file["uuid"].as_str().unwrap());
            assert_eq!(server.fetch(&preview).await.0, 200);
        }
    }
    for kind in ["image/jpeg", "image/png", "text/plain", "text/csv", "application/pdf"] {
        assert!(types.contains(&kind), "{kind}: {types:?}");
    }
    times.dedup();
    assert_eq!(times.len(), files.len());
    // Beside the server, and never the same files again.
    let again = place.run(&["seed", "--count", "10", "--seed", "7"]).await;
    assert!(!again.status.success());
    let complaint = String::from_utf8(again.stderr).unwrap();
    assert!(complaint.contains("--seed"), "{complaint}");
    place.print(&["seed", "--count", "10"]).await;
    // Other pages than before: those are remembered for a moment, whatever other processes do.
    assert_eq!(count("/files/?limit=2").await + count("/files/?limit=2&removed=true").await, 3010);
    place.print(&["project", "create", "--public-key", "other"]).await;
    place.print(&["seed", "--count", "3", "--project", "other"]).await;
    assert!(!place.run(&["seed", "--count", "3", "--project", "nobody"]).await.status.success());
    assert!(!place.run(&["seed", "--count", "0"]).await.status.success());
    server.kill().await;
    // What is removed takes nothing from those that have the same bytes.
    place.execute("UPDATE files SET removed_at = uploaded_at, stored_at = NULL WHERE stored_at % 2 = 0").await;
    place.print(&["janitor"]).await;
    let server = place.serve(&[]).await;
    let left = page(&server, "/files/?limit=100").await;
    assert!(left["results"].as_array().unwrap().len() == 100);
    for file in left["results"].as_array().unwrap() {
        assert_eq!(server.fetch(file["uuid"].as_str().unwrap()).await.0, 200);
    }
    server.kill().await;
}
