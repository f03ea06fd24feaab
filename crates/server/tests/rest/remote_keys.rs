//! `docs/s3.md` is read here: what its tables say of keys, patterns and addresses is done in real S3 servers.

use serde_json::json;

use crate::bucket::Bucket;
use crate::remote_copy::{COPY, picture};
use crate::support::{PNG, Server};
use crate::{Api, upload};

const PAGE: &str = include_str!("../../../../docs/s3.md");

/// The rows of the table with this head, as cells without their back quotes.
fn rows(head: &str) -> Vec<Vec<String>> {
    let (_, table) = PAGE.split_once(head).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let text = |cell: &str| {
        let cell = cell.trim();
        let inner = cell.strip_prefix("``").and_then(|cell| cell.strip_suffix("``"));
        inner.map_or(cell.trim_matches('`'), str::trim).to_owned()
    };
    let cells = |line: &str| line.trim_matches('|').split('|').map(text).collect();
    let rows: Vec<Vec<String>> = rows.map(cells).collect();
    assert!(rows.len() > 5, "{head}");
    rows
}

#[tokio::test]
async fn keys_are_as_the_page_says() {
    let Some(bucket) = Bucket::strict().await else { return };
    let server = Server::start().await;
    bucket.serves(&server, "demopublickey", "mine", json!({})).await;
    let api = Api::new(&server);
    for row in rows("| Name of the file | Operations | Pattern | Result |") {
        let [name, operations, pattern, result] = &row[..] else { panic!("{row:?}") };
        let id = picture(&server, name).await;
        let body = json!({ "source": format!("{id}/{operations}"), "target": "mine", "pattern": pattern });
        let key = result.strip_prefix("s3://my-bucket/").unwrap().replace("UUID", &id);
        assert_eq!(api.ask("POST", COPY, &body).await, (201, bucket.result(&key)), "{row:?}");
        let copy = bucket.object(&key).await.unwrap_or_else(|| panic!("{row:?}"));
        let media_type = if operations.contains("webp") { "image/webp" } else { "image/png" };
        assert_eq!(copy.media_type, media_type, "{row:?}");
        let processed = operations.contains("-/") && !operations.contains("inline");
        assert_eq!(copy.bytes == PNG, !processed, "{row:?}");
    }
    let id = picture(&server, "x.png").await;
    for row in rows("| Pattern | Refusal |") {
        let body = json!({ "source": id, "target": "mine", "pattern": row[0] });
        api.refuses("POST", COPY, &body, 400, &row[1]).await;
    }
}

#[tokio::test]
async fn the_pattern_and_the_prefix_of_a_storage() {
    let Some(bucket) = Bucket::strict().await else { return };
    let server = Server::start().await;
    let settings = json!({ "prefix": "/backup/", "pattern": "${filename}-${uuid}${ext}" });
    bucket.serves(&server, "demopublickey", "mine", settings).await;
    bucket.serves(&server, "demopublickey", "other", json!({ "prefix": "x-" })).await;
    bucket.serves(&server, "demopublickey", "bad", json!({ "pattern": "${effects}" })).await;
    let api = Api::new(&server);
    let id = upload(&server, "a.txt", "1").await;
    for pattern in [json!({}), json!({ "pattern": null }), json!({ "pattern": "" })] {
        let mut body = json!({ "source": id, "target": "mine" });
        body.as_object_mut().unwrap().extend(pattern.as_object().unwrap().clone());
        let (_, answer) = api.ask("POST", COPY, &body).await;
        assert_eq!(answer, bucket.result(&format!("backup/a-{id}.txt")), "{body}");
    }
    let body = json!({ "source": id, "target": "mine", "pattern": "/${filename}" });
    assert_eq!(api.ask("POST", COPY, &body).await, (201, bucket.result("backup/a")));
    let body = json!({ "source": id, "target": "other" });
    assert_eq!(api.ask("POST", COPY, &body).await, (201, bucket.result(&format!("x-{id}/a.txt"))));
    let text = "Invalid pattern provided: `${effects}`";
    api.refuses("POST", COPY, &json!({ "source": id, "target": "bad" }), 400, text).await;
    for (pattern, text) in [
        (json!(5), "Invalid pattern provided: `5`".to_owned()),
        (json!(["${uuid}"]), "Invalid pattern provided: `[\"${uuid}\"]`".to_owned()),
        (json!("x".repeat(1025)), format!("Invalid pattern provided: `{}...`", "x".repeat(64))),
    ] {
        let body = json!({ "source": id, "target": "mine", "pattern": pattern });
        api.refuses("POST", COPY, &body, 400, &text).await;
    }
}

#[tokio::test]
async fn a_result_becomes_an_address_as_the_page_says() {
    let Some(bucket) = Bucket::with_acls().await else { return };
    let server = Server::start().await;
    bucket.serves(&server, "demopublickey", "mine", json!({})).await;
    let api = Api::new(&server);
    let id = upload(&server, "a.txt", "1").await;
    let pattern = "a+b=c,@&:;!*'()-_./${uuid}";
    let (_, answer) = api.ask("POST", COPY, &json!({ "source": id, "target": "mine", "pattern": pattern })).await;
    let key = answer["result"].as_str().unwrap().strip_prefix(&format!("s3://{}/", bucket.name)).unwrap().to_owned();
    assert_eq!(key, pattern.replace("${uuid}", &id));
    let line = PAGE.lines().find(|line| line.contains("must be percent-encoded")).unwrap();
    let (_, listed) = line.split_once("must be percent-encoded: ").unwrap();
    let must: String = listed.split_once(". `!`").unwrap().0.chars().filter(|c| !"` ".contains(*c)).collect();
    assert_eq!(must, "=+,@&:;");
    for encoded in [must.clone(), format!("{must}!*'()")] {
        let escape = |c: char| if encoded.contains(c) { format!("%{:02X}", c as u32) } else { c.to_string() };
        let url = format!("{}/{}/{}", bucket.endpoint, bucket.name, key.chars().map(escape).collect::<String>());
        let answer = server.http.get(&url).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, "a.txt".to_owned()), "{url}");
    }
}
