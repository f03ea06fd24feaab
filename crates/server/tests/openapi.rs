//! The `OpenAPI` document against the server: its paths and methods, and every answer that it describes, with every member.
//! Whatever is answered must be documented, and whatever is documented must have been answered here.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/bucket.rs"]
mod bucket;
#[path = "openapi/delivery.rs"]
mod delivery;
#[path = "openapi/document.rs"]
mod document;
#[path = "openapi/files.rs"]
mod files;
#[path = "openapi/rest.rs"]
mod rest;
#[path = "openapi/routes.rs"]
mod routes;
mod support;
#[path = "openapi/upload.rs"]
mod upload;

use document::Document;
use serde_json::json;
use support::Server;

/// A server and what it says of itself.
struct Checked {
    server: Server,
    document: Document,
}

const CONFIG: &str = "\
[fetch]
allow = [\"127.0.0.0/8\"]
[blobs]
part_urls = \"own\"
[[projects]]
public_key = \"demopublickey\"
secret_keys = [\"demosecretkey\"]
collaborators = [{ name = \"Ada\", email = \"ada@example.com\" }]
";

impl Checked {
    async fn start() -> Self {
        let server = Server::with(CONFIG, &[]).await;
        let document = Document::of(&server).await;
        Self { server, document }
    }
}

/// What the document allows and no answer can have, yet or any more.
const NEVER: &[&str] = &[
    // They need a program that is not everywhere.
    "GET /{uuid}/gif2video/ 200 */*",
    "GET /{uuid}/gif2video/ 206 */*",
    // Nothing is converted or recognised, and there are no add-ons.
    "EventFileOld rekognition_info: Something",
    "EventFileOld variations: Something",
    "EventInitiatorDetail addon_name: Something",
    "FileV05 rekognition_info: Something",
    "FileV06 rekognition_info: Something",
    "FileV06 variations: Something",
    "FileV07 variations: Something",
    // Groups are not stored, their files are.
    "GroupListedV05 datetime_stored: Something",
    "GroupListedV06 datetime_stored: Something",
    "GroupV05 datetime_stored: Something",
    "GroupV06 datetime_stored: Something",
    "UploadGroup datetime_stored: Something",
    // Old webhooks are told of uploads alone.
    "EventFileOld datetime_removed: Something",
    "EventFileOld original_file_url: Null",
    "EventFileOld source: Something",
];

/// What nobody can see without an S3 server.
const IN_BUCKETS: &[&str] = &[
    "FileRemoteCopy result: Something",
    "FileRemoteCopy type: Something",
    "POST /files/ 200 application/vnd.uploadcare-v0.5+json",
    "POST /files/ 200 application/vnd.uploadcare-v0.6+json",
    "POST /files/remote_copy/ 200 application/vnd.uploadcare-v0.5+json",
    "POST /files/remote_copy/ 200 application/vnd.uploadcare-v0.6+json",
    "POST /files/remote_copy/ 200 application/vnd.uploadcare-v0.7+json",
    "POST /files/remote_copy/ 201 application/vnd.uploadcare-v0.5+json",
    "POST /files/remote_copy/ 201 application/vnd.uploadcare-v0.6+json",
    "POST /files/remote_copy/ 201 application/vnd.uploadcare-v0.7+json",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_as_documented() {
    let checked = Checked::start().await;
    Box::pin(rest::webhooks(&checked)).await;
    let files = files::add(&checked.server).await;
    Box::pin(upload::direct(&checked, &files)).await;
    Box::pin(upload::in_parts(&checked)).await;
    Box::pin(upload::from_urls(&checked)).await;
    Box::pin(upload::groups(&checked, &files)).await;
    Box::pin(rest::files(&checked, &files)).await;
    let bucket = bucket::Bucket::strict().await;
    Box::pin(rest::copies(&checked, bucket.as_ref())).await;
    Box::pin(rest::belongings(&checked)).await;
    Box::pin(rest::groups(&checked, &files)).await;
    Box::pin(rest::refusals(&checked)).await;
    Box::pin(delivery::originals(&checked)).await;
    Box::pin(delivery::pictures(&checked)).await;
    Box::pin(delivery::groups(&checked)).await;
    Box::pin(delivery::pages(&checked)).await;
    Box::pin(rest::events(&checked)).await;
    let mut unseen = checked.document.unseen();
    let missing = if bucket.is_some() { &[] } else { IN_BUCKETS };
    for never in NEVER.iter().chain(missing) {
        let at = unseen.iter().position(|told| told == never);
        unseen.remove(at.unwrap_or_else(|| panic!("{never} was seen, and may be taken off the list")));
    }
    assert_eq!(unseen, Vec::<String>::new());
}

#[tokio::test]
async fn servers_are_the_addresses_of_the_apis() {
    let checked = Checked::start().await;
    let servers = |document: &Document, path: &str| document.value["paths"][path]["servers"].clone();
    for path in ["/base/", "/files/", "/{uuid}/"] {
        assert_eq!(servers(&checked.document, path), json!([{ "url": checked.server.base }]));
    }
    assert_eq!(servers(&checked.document, "/health"), json!(null));
    let urls = "[urls]\ncdn = \"https://cdn.example.com/\"\nrest = \"https://api.example.com\"\n";
    let configured = Server::with(urls, &[]).await;
    let document = Document::of(&configured).await;
    assert_eq!(servers(&document, "/base/"), json!([{ "url": configured.base }]));
    assert_eq!(servers(&document, "/files/"), json!([{ "url": "https://api.example.com" }]));
    assert_eq!(servers(&document, "/{uuid}/"), json!([{ "url": "https://cdn.example.com" }]));
}

#[tokio::test]
async fn other_origins_may_read_the_document() {
    let server = Server::start().await;
    let answer = server.get("/openapi.json").send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    assert_eq!(
        (&answer.headers()["access-control-allow-origin"], &answer.headers()["vary"]),
        (&"*".parse().unwrap(), &"Host".parse().unwrap())
    );
    let head = server.http.head(server.url("/openapi.json")).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.text().await.unwrap()), (200, String::new()));
}
