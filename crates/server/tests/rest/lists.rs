//! The list of files: filters, orders, limits, and links that lead through all of it in both directions.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Server;
use crate::{Api, column, upload};

/// Seven files, a second after each other, of sizes 3, 1, 2, 3, 1, 2, 3; the odd ones are stored.
async fn seven(server: &Server) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..7_usize {
        let name = ["aaa", "b", "cc"][n % 3];
        ids.push(upload(server, name, if n % 2 == 1 { "1" } else { "0" }).await);
        server.clock.advance(Duration::from_secs(1));
    }
    ids
}

/// The path and query of a link.
fn target<'l>(server: &Server, link: &'l Value) -> Option<&'l str> {
    Some(link.as_str()?.strip_prefix(&server.base).unwrap())
}

/// Follows links forwards from a page, then backwards from the last, and checks that both show the same.
async fn walk(api: &Api<'_>, path: &str) -> Vec<String> {
    let mut pages = vec![api.get(path).await];
    assert_eq!(pages[0]["previous"], Value::Null, "{path}");
    while let Some(next) = target(api.server, &pages.last().unwrap()["next"]) {
        let page = api.get(next).await;
        pages.push(page);
        assert!(pages.len() < 20, "{path} goes round in circles");
    }
    let mut backwards = vec![pages.last().unwrap().clone()];
    while let Some(previous) = target(api.server, &backwards.last().unwrap()["previous"]) {
        let page = api.get(previous).await;
        backwards.push(page);
        assert!(backwards.len() < 20, "{path} goes round in circles");
    }
    backwards.reverse();
    let ids = |pages: &[Value]| -> Vec<String> {
        pages.iter().flat_map(|page| column(&page["results"], "uuid")).map(str::to_owned).collect()
    };
    assert_eq!(ids(&pages), ids(&backwards), "{path}");
    ids(&pages)
}

#[tokio::test]
async fn links_lead_through_the_whole_list_and_back() {
    let server = Server::start().await;
    let ids = seven(&server).await;
    let api = Api::new(&server);
    let reversed: Vec<String> = ids.iter().rev().cloned().collect();
    for limit in [1, 2, 3, 6, 7, 8] {
        for version in ["0.5", "0.6", "0.7"] {
            let api = api.version(version);
            assert_eq!(walk(&api, &format!("/files/?limit={limit}")).await, ids);
            assert_eq!(walk(&api, &format!("/files/?ordering=-datetime_uploaded&limit={limit}")).await, reversed);
        }
        let odd: Vec<String> = ids.iter().skip(1).step_by(2).cloned().collect();
        assert_eq!(walk(&api, &format!("/files/?limit={limit}&stored=true")).await, odd);
        let even: Vec<String> = ids.iter().step_by(2).cloned().collect();
        assert_eq!(walk(&api, &format!("/files/?stored=False&limit={limit}")).await, even);
    }
}

#[tokio::test]
async fn links_lead_through_files_of_the_same_size() {
    let server = Server::start().await;
    let ids = seven(&server).await;
    let by_size = |file: usize| ["aaa", "b", "cc"][file % 3].len();
    let mut expected: Vec<(usize, &String)> = ids.iter().enumerate().map(|(n, id)| (by_size(n), id)).collect();
    expected.sort();
    let expected: Vec<String> = expected.into_iter().map(|(_, id)| id.clone()).collect();
    let reversed: Vec<String> = expected.iter().rev().cloned().collect();
    for version in ["0.5", "0.6"] {
        let api = Api::new(&server).version(version);
        for limit in [1, 2, 3, 4, 7] {
            assert_eq!(walk(&api, &format!("/files/?ordering=size&limit={limit}")).await, expected, "{limit}");
            assert_eq!(walk(&api, &format!("/files/?ordering=-size&limit={limit}")).await, reversed, "{limit}");
        }
        let from = api.get("/files/?ordering=size&from=2").await;
        assert_eq!(from["results"].as_array().unwrap().len(), 5, "from that size on");
        api.refuses(
            "GET",
            "/files/?ordering=size&from=x",
            &json!({}),
            400,
            "`from` parameter should be a number of bytes.",
        )
        .await;
    }
}

#[tokio::test]
async fn links_are_those_of_the_real_service() {
    let server = Server::start().await;
    let ids = seven(&server).await;
    let api = Api::new(&server);
    let page = api.get("/files/?limit=3&from=2024-01-02T03%3A04%3A05Z&stored=&x=a%20b").await;
    assert_eq!(column(&page["results"], "uuid"), ids[1..4], "the edge itself is not repeated");
    let link = |query: &str| Value::String(format!("{}/files/?{query}", server.base));
    let next = "limit=3&from=2024-01-02T03%3A04%3A08.000000%2B00%3A00&stored=&x=a%20b&offset=0";
    assert_eq!(page["next"], link(next));
    let previous = "limit=3&stored=&x=a%20b&to=2024-01-02T03%3A04%3A06.000000%2B00%3A00&offset=0";
    assert_eq!(page["previous"], link(previous));
    let page = api.get(&format!("/files/?{previous}")).await;
    assert_eq!(column(&page["results"], "uuid"), ids[..1]);
    assert_eq!(page["previous"], Value::Null);
    let next = "limit=3&stored=&x=a%20b&offset=0&from=2024-01-02T03%3A04%3A05.000000%2B00%3A00";
    assert_eq!(page["next"], link(next));
    let all = api.get("/files/").await;
    assert_eq!((&all["next"], &all["previous"], &all["per_page"]), (&Value::Null, &Value::Null, &json!(100)));
}

#[tokio::test]
async fn clients_that_forget_the_offset_still_get_on() {
    let server = Server::start().await;
    let ids = seven(&server).await;
    let api = Api::new(&server);
    // The JavaScript client passes on these parameters of a link alone.
    let mut seen: Vec<String> = Vec::new();
    let mut path = "/files/?limit=2".to_owned();
    loop {
        let page = api.get(&path).await;
        seen.extend(column(&page["results"], "uuid").into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        let query = next.split_once('?').unwrap().1;
        let kept: Vec<&str> =
            query.split('&').filter(|pair| !pair.starts_with("offset") && !pair.starts_with("to=")).collect();
        path = format!("/files/?{}", kept.join("&"));
    }
    assert_eq!(seen, ids);
}

#[tokio::test]
async fn a_page_behind_the_last_file_knows_what_stands_in_front() {
    let server = Server::start().await;
    let ids = seven(&server).await;
    for version in ["0.6", "0.7"] {
        let api = Api::new(&server).version(version);
        for (ordering, edge, last) in [
            ("datetime_uploaded", "2024-01-02T03%3A04%3A11", &ids[5..]),
            ("-datetime_uploaded", "2024-01-02T03%3A04%3A05", &ids[..2]),
        ] {
            let empty = api.get(&format!("/files/?ordering={ordering}&limit=2&from={edge}")).await;
            assert_eq!((&empty["results"], &empty["next"]), (&json!([]), &Value::Null), "{ordering}");
            let page = api.get(target(&server, &empty["previous"]).unwrap()).await;
            let mut shown = column(&page["results"], "uuid");
            shown.sort_by_key(|id| ids.iter().position(|other| other == id));
            assert_eq!(shown, last, "{ordering}");
        }
    }
    let sizes = Api::new(&server).version("0.6");
    let empty = sizes.get("/files/?ordering=size&limit=2&from=100").await;
    let page = sizes.get(target(&server, &empty["previous"]).unwrap()).await;
    assert_eq!(page["results"][1]["size"], 3);
    assert_eq!(page["results"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn totals_are_of_the_kind_and_of_the_project() {
    let server = Server::start().await;
    let ids = seven(&server).await;
    let api = Api::new(&server);
    api.send("DELETE", &format!("/files/{}/storage/", ids[0])).await;
    let totals = json!({ "removed": 1, "stored": 3, "unstored": 3 });
    for (query, total, shown) in [
        ("", 6, 6),
        ("?stored=true", 3, 3),
        ("?stored=0", 3, 3),
        ("?removed=true", 1, 1),
        ("?removed=1&stored=false", 1, 1),
        ("?removed=True&stored=true", 0, 0),
        ("?removed=false&limit=2", 6, 2),
        ("?from=2024-01-02T03:04:08%2B00:00", 6, 3),
        ("?from=2024-01-02T03:04:08+00:00", 6, 3),
        ("?offset=4", 6, 2),
        ("?offset=x&limit=x&from=&to=", 6, 6),
    ] {
        let page = api.get(&format!("/files/{query}")).await;
        assert_eq!((&page["total"], page["results"].as_array().unwrap().len()), (&json!(total), shown), "{query}");
        assert_eq!(page["totals"], totals, "{query}");
        let old = api.version("0.6").get(&format!("/files/{query}")).await;
        assert_eq!((&old["total"], old.get("totals")), (&json!(total), None), "{query}");
    }
}

#[tokio::test]
async fn limits_are_kept_within_reason() {
    let server = Server::start().await;
    let api = Api::new(&server);
    for (query, per_page) in [
        ("", 100),
        ("?limit=1000", 1000),
        ("?limit=1001", 1000),
        ("?limit=99999999999", 1000),
        ("?limit=0", 100),
        ("?limit=-1", 100),
        ("?limit=many", 100),
    ] {
        assert_eq!(api.get(&format!("/files/{query}")).await["per_page"], per_page, "{query}");
        assert_eq!(api.get(&format!("/groups/{query}")).await["per_page"], per_page, "{query}");
    }
}

#[tokio::test]
async fn parameters_that_make_no_sense() {
    let server = Server::start().await;
    let api = Api::new(&server);
    for (query, text) in [
        ("stored=yes", "`stored` parameter should be `true` or `false`."),
        ("removed=2", "`removed` parameter should be `true` or `false`."),
        ("from=yesterday", "`from` parameter should be a valid ISO 8601 date and time."),
        ("to=2024-13-01", "`to` parameter should be a valid ISO 8601 date and time."),
        ("ordering=size", "`ordering` parameter should be one of `datetime_uploaded`, `-datetime_uploaded`."),
    ] {
        api.refuses("GET", &format!("/files/?{query}"), &json!({}), 400, text).await;
    }
    let text = "`ordering` parameter should be one of `datetime_uploaded`, `-datetime_uploaded`, `size`, `-size`.";
    api.version("0.6").refuses("GET", "/files/?ordering=name", &json!({}), 400, text).await;
}
