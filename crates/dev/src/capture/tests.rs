use super::*;

#[test]
fn addresses_that_capture_are_recognised() {
    let target = |url: &str| Target::of_url(url).map(|target| (target.name.to_string(), target.status.as_u16()));
    let found = |name: &str, status| Some((name.to_owned(), status));
    assert_eq!(target("http://localhost:8080/_dev/capture/hook"), found("hook", 200));
    assert_eq!(target("https://stowage/_dev/capture/a.b-c_1/?x=1&status=500"), found("a.b-c_1", 500));
    assert_eq!(target("http://h/_dev/sessions/one/capture/hook?status=99"), found("hook", 200));
    for url in [
        "http://h/_dev/capture/",
        "http://h/_dev/capture/a/b",
        "http://h/_dev/capture/a%20b",
        "http://h/x/_dev/capture/a",
        "http://h/_dev/sessions/one/two/capture/a",
        "http://h/_dev/sessions//capture/a",
        "http://h/_dev/sessions/a%20b/capture/a",
        "http://h/?/_dev/capture/a",
        "ftp://h/_dev/capture/a",
        "/_dev/capture/a",
    ] {
        assert!(!is_capture(url), "{url}");
    }
}

fn add(captured: &Captured, path: &str, body: &[u8]) -> u64 {
    let (target, headers) = (Target::new(path, None).unwrap(), HeaderMap::new());
    let arrived = Arrived {
        target,
        method: "POST",
        headers: &headers,
        body,
        verdict: Verdict::None,
        project: None,
        delivery: None,
    };
    captured.add(&arrived)
}

#[test]
fn the_newest_are_kept_and_found() {
    let captured = Captured::new(Clock::manual(Timestamp(0)));
    for number in 0..ENTRIES + 5 {
        add(&captured, if number % 2 == 0 { "/_dev/capture/even" } else { "/_dev/capture/odd" }, b"{}");
    }
    let all = Filter::default();
    assert_eq!(captured.count(&all), ENTRIES);
    let numbers = |filter: &Filter| captured.find(filter).iter().map(|caught| caught.number).collect::<Vec<_>>();
    assert_eq!(numbers(&Filter { limit: Some(2), ..Filter::default() }), [1004, 1005]);
    assert_eq!(numbers(&Filter { since: Some(1003), ..Filter::default() }), [1004, 1005]);
    let odd = Filter { name: Some("odd".into()), limit: Some(1), ..Filter::default() };
    assert_eq!(numbers(&odd), [1004]);
    captured.clear(Some("odd"));
    assert_eq!((captured.count(&odd), captured.count(&all)), (0, ENTRIES / 2));
    captured.clear(None);
    assert_eq!((captured.count(&all), add(&captured, "/_dev/capture/odd", b"")), (0, 1006));
    captured.wipe();
    assert_eq!((captured.count(&all), add(&captured, "/_dev/capture/odd", b"")), (0, 1));
}

#[test]
fn large_bodies_are_cut() {
    let captured = Captured::new(Clock::manual(Timestamp(0)));
    let body = format!(r#"{{"hook":{{"event":"file.uploaded","project_pub_key":"key"}},"x":"{}"}}"#, "x".repeat(BODY));
    add(&captured, "/_dev/capture/a", body.as_bytes());
    let filter = Filter { event: Some("file.uploaded".into()), project: Some("key".into()), ..Filter::default() };
    let found = captured.find(&filter);
    assert_eq!((found.len(), found[0].size, &found[0].body), (1, body.len() as u64, &Value::Null));
}

#[test]
fn signatures_are_judged() {
    let signature = events::signature("secret", "{}");
    let judged = |signature, secrets: &[&'static str]| Verdict::new(signature, "{}", secrets.iter().copied());
    assert_eq!(judged(Some(&signature), &["other", "secret"]), Verdict::Good);
    assert_eq!(judged(Some(&signature), &[]), Verdict::Bad);
    assert_eq!(judged(Some("v1="), &["secret"]), Verdict::Bad);
    assert_eq!(judged(None, &["secret"]), Verdict::None);
}
