use serde_json::{Value, json};

use super::*;

fn checked(rule: Value) -> Result<Checked, String> {
    serde_json::from_value::<RuleInput>(rule).map_err(|fault| fault.to_string())?.checked()
}

#[test]
fn what_a_rule_is_for_follows_from_what_it_says() {
    for (rule, on) in [
        (json!({ "do": { "drop": true } }), &REQUESTED[..]),
        (json!({ "match": { "api": "rest" }, "do": { "drop": true } }), &[On::Rest]),
        (json!({ "match": { "route": "/base/" }, "do": { "drop": true } }), &[On::Upload]),
        (json!({ "match": { "route": "/files/:uuid/storage" }, "do": { "drop": true } }), &[On::Rest]),
        (json!({ "match": { "route": "/files/{uuid}/" }, "do": { "drop": true } }), &[On::Rest]),
        (json!({ "match": { "route": "/:uuid/-/preview/*" }, "do": { "drop": true } }), &[On::Cdn]),
        (json!({ "match": { "route": "/throttle/" }, "do": { "status": 429 } }), &[On::Cdn]),
        (json!({ "match": { "event": "file.stored" }, "do": { "status": 500 } }), &[On::Webhook]),
        (json!({ "match": { "api": "copy" }, "do": { "refuse": "AccessDenied" } }), &[On::Copy]),
        (json!({ "do": { "refuse": "RequestThrottledError" } }), &[On::Upload, On::Part]),
        (json!({ "do": { "refuse": "NotFound" } }), &[On::Rest, On::Cdn]),
        (json!({ "once_per": "form metadata[x]", "do": { "delay": "1s" } }), &[On::Upload]),
    ] {
        assert_eq!(checked(rule.clone()).map(|checked| checked.on).unwrap(), on, "{rule}");
    }
    let open = checked(json!({ "match": { "route": "/multipart/*" }, "do": { "drop": true } })).unwrap();
    assert!(open.on.contains(&On::Upload) && open.on.contains(&On::Part) && !open.on.contains(&On::Rest));
    let open = checked(json!({ "match": { "route": "/files/*" }, "do": { "drop": true } })).unwrap();
    assert_eq!(open.on, [On::Rest]);
}

#[test]
fn rules_that_can_never_match_or_do_nothing_are_refused() {
    for (rule, word) in [
        (json!({}), "does nothing"),
        (json!({ "do": {} }), "does nothing"),
        (json!({ "name": "7", "do": { "drop": true } }), "`name`"),
        (json!({ "name": "a b", "do": { "drop": true } }), "`name`"),
        (json!({ "nth": 0, "do": { "drop": true } }), "`nth`"),
        (json!({ "times": 0, "do": { "drop": true } }), "`times`"),
        (json!({ "probability": 0, "do": { "drop": true } }), "`probability`"),
        (json!({ "probability": 1.1, "do": { "drop": true } }), "`probability`"),
        (json!({ "seed": 1, "do": { "drop": true } }), "`seed`"),
        (json!({ "once_per": "metadata", "do": { "drop": true } }), "`once_per`"),
        (json!({ "match": { "api": "rest" }, "once_per": "form x", "do": { "drop": true } }), "Upload API"),
        (json!({ "match": { "api": "cdn", "form": { "a": "b" } }, "do": { "drop": true } }), "Upload API"),
        (json!({ "match": { "api": "rest", "route": "/base/" }, "do": { "drop": true } }), "`match.route`"),
        (json!({ "match": { "route": "base" }, "do": { "drop": true } }), "slash"),
        (json!({ "match": { "route": "/files/*/storage/" }, "do": { "drop": true } }), "`*`"),
        (json!({ "match": { "route": "/files/:id/" }, "do": { "drop": true } }), "no endpoint"),
        (json!({ "match": { "route": "/health" }, "do": { "drop": true } }), "pages around"),
        (
            json!({ "match": { "route": "/from_url/status/", "project": "a" }, "do": { "drop": true } }),
            "names no project",
        ),
        (json!({ "match": { "method": "post" }, "do": { "drop": true } }), "capitals"),
        (json!({ "match": { "project": "" }, "do": { "drop": true } }), "`match.project`"),
        (json!({ "match": { "api": "rest", "event": "file.stored" }, "do": { "drop": true } }), "webhooks"),
        (json!({ "match": { "api": "webhook", "method": "POST" }, "do": { "drop": true } }), "of requests"),
        (json!({ "match": { "api": "webhook" }, "do": { "refuse": "NotFound" } }), "webhooks know"),
        (json!({ "match": { "api": "webhook" }, "do": { "truncate": 1 } }), "webhooks know"),
        (json!({ "match": { "api": "copy" }, "do": { "status": 500 } }), "copies know"),
        (json!({ "match": { "api": "copy", "event": "file.stored" }, "do": { "refuse": "A" } }), "copies have none"),
        (json!({ "do": { "refuse": "Nonsense" } }), "no code"),
        (json!({ "match": { "api": "rest" }, "do": { "refuse": "FileNotFoundError" } }), "no code of this API"),
        (json!({ "do": { "refuse": "NotFound", "drop": true } }), "only one"),
        (json!({ "do": { "delay": "2h" } }), "hour"),
        (json!({ "do": { "drop": true, "slow": 1 } }), "no answer"),
        (json!({ "do": { "slow": 0 } }), "slow"),
        (json!({ "do": { "delay": "1s", "text": "x" } }), "refuse"),
        (json!({ "do": { "delay": "1s", "body": "x" } }), "status"),
        (json!({ "do": { "delay": "1s", "retry_after": 1 } }), "retry_after"),
        (json!({ "do": { "slow": 1, "after": true } }), "after"),
        (json!({ "do": { "status": 199 } }), "`do.status`"),
        (json!({ "do": { "status": 600 } }), "`do.status`"),
        (json!({ "do": { "status": 200, "headers": { "Content-Length": "7" } } }), "set by the server"),
        (json!({ "do": { "status": 200, "headers": { "a": "b\nc" } } }), "cannot be sent"),
    ] {
        let fault = checked(rule.clone()).err().unwrap_or_else(|| panic!("{rule}"));
        assert!(fault.contains(word), "{rule}: {fault}");
    }
}

#[test]
fn bodies_are_texts_or_json() {
    let made = |action: Value| match checked(json!({ "do": action })).unwrap().act.what {
        What::Answer { status, body, headers } => (status.as_u16(), body, headers),
        _ => panic!("no answer"),
    };
    let (status, body, headers) = made(json!({ "status": 503, "body": "away", "retry_after": 7 }));
    assert_eq!((status, &body[..]), (503, &b"away"[..]));
    assert_eq!(
        (&headers["content-type"], &headers["retry-after"]),
        (&HeaderValue::from_static("text/plain; charset=utf-8"), &HeaderValue::from_static("7"))
    );
    let (_, body, headers) = made(json!({ "status": 200, "body": { "a": 1 }, "headers": { "Content-Type": "a/b" } }));
    assert_eq!((&body[..], &headers["content-type"]), (&br#"{"a":1}"#[..], &HeaderValue::from_static("a/b")));
}
