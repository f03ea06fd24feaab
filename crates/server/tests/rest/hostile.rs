//! Whatever is sent, nothing breaks: every endpoint with pieces that are no ids, no numbers and no JSON.

use serde_json::Value;

use crate::Api;
use crate::support::Server;

const PATHS: [&str; 25] = [
    "/files/",
    "/files/{}/",
    "/files/{}/storage/",
    "/files/storage/",
    "/files/local_copy/",
    "/files/remote_copy/",
    "/files/search/",
    "/files/{}/metadata/",
    "/files/{}/metadata/{}/",
    "/files/{}/tags/",
    "/groups/",
    "/groups/{}/",
    "/groups/{}/storage/",
    "/project/",
    "/webhooks/",
    "/webhooks/create/",
    "/webhooks/unsubscribe/",
    "/webhooks/{}/",
    "/convert/document/",
    "/convert/document/{}/",
    "/convert/document/status/{}/",
    "/convert/video/",
    "/convert/video/status/{}/",
    "/addons/{}/execute/",
    "/addons/{}/execute/status/",
];

const PIECES: [&str; 10] = [
    "%00",
    "%ff%fe",
    "..%2f..",
    "00000000-0000-4000-8000-000000000000",
    "00000000-0000-4000-8000-000000000000~1",
    "00000000-0000-4000-8000-000000000000~4294967296",
    "-9223372036854775808",
    "99999999999999999999999",
    "%F0%9F%90%88",
    "x'--",
];

const BODIES: [&str; 14] = [
    "",
    "null",
    "[]",
    "[[[[[",
    "{\"source\":{},\"target_url\":[],\"event\":{},\"tags\":5,\"paths\":{},\"target\":[]}",
    "{\"source\":\"\\u0000\",\"target_url\":\"\\u0000\",\"query\":\"\\u0000\\u0000\\u0000\\u0000\"}",
    "{\"source\":\"http://[\",\"target_url\":\"http://[\",\"event\":\"file.uploaded\",\"query\":\"%_\\\\'\\\"\"}",
    "{\"size\":{\"gt\":9223372036854775807,\"lt\":-9223372036854775808},\"datetime_uploaded\":{\"gt\":\"9999-12-31T23:59:59.999999+23:59\"}}",
    "{\"size\":{\"gt\":1e400}}",
    "{\"exact\":{\"metadata[a]\":[\"'\",\"\\ud83d\\udc08\"],\"uuid\":[\"x\"]},\"tags\":{\"any\":[\"'\"],\"all\":[\"]\"],\"none\":[\"}\"]}}",
    "\"\\ud800\"",
    "[\"\u{200b}\", \"00000000-0000-4000-8000-000000000000\"]",
    "a=%&b=%zz&=&&%00=%00",
    "\u{feff}{}",
];

const QUERIES: [&str; 8] = [
    "",
    "limit=18446744073709551616&offset=4294967295&from=0001-01-01",
    "from=9999-12-31T23:59:59.999999-23:59&to=0000-00-00&ordering=-datetime_uploaded&ordering=",
    "to=9999-12-31&offset=4294967295&removed=true&limit=1",
    "from=-9223372036854775808&ordering=size&offset=7",
    "to=9223372036854775807&ordering=-size&offset=4294967295&limit=2",
    "%00=%00&stored=%ff&include=%F0%9F%90%88,appdata&request_id=%00",
    "&&&===&?&#",
];

#[tokio::test]
async fn nothing_that_is_sent_breaks_anything() {
    let server = Server::start().await;
    for n in 0..3 {
        crate::upload(&server, &format!("{n}"), "1").await;
    }
    let api = Api::new(&server);
    // The same choices each time, in no order.
    let mut dice = stowage_store::testing::bytes(1, 1 << 16).into_iter();
    let mut any = |choices: &[&'static str]| choices[usize::from(dice.next().unwrap()) % choices.len()];
    for version in ["0.5", "0.6", "0.7"] {
        let api = api.version(version);
        for path in PATHS {
            for method in ["GET", "PUT", "POST", "PATCH", "DELETE"] {
                for _ in 0..4 {
                    let (piece, other, query) = (any(&PIECES), any(&PIECES), any(&QUERIES));
                    let path = path.replacen("{}", piece, 1).replacen("{}", other, 1);
                    let body = any(&BODIES);
                    let kind = any(&["application/json", "application/x-www-form-urlencoded", "", "x"]);
                    let request =
                        api.request(method, &format!("{path}?{query}")).header("content-type", kind).body(body);
                    let answer = request.send().await.unwrap();
                    let status = answer.status().as_u16();
                    let shown = format!("{version} {method} {path}?{query} {kind} {body}");
                    assert!(status < 500, "{status} {shown}");
                    let text = answer.text().await.unwrap();
                    assert!(status == 204 || serde_json::from_str::<Value>(&text).is_ok(), "{text} {shown}");
                }
            }
        }
    }
    for query in QUERIES {
        for version in ["0.6", "0.7"] {
            for path in ["/files/", "/groups/"] {
                let status = api.version(version).send("GET", &format!("{path}?{query}")).await.status().as_u16();
                assert!(status == 200 || status == 400, "{status} {path}?{query}");
            }
        }
    }
}
