//! The connection test.

use stowage_copy::{Step, StepOutcome, test};
use stowage_model::{AclMode, Ids, StorageSettings};

use crate::proxy::{Deed, Proxy, Request, refusal};
use crate::support::Stand;

/// Picks requests.
type Which = fn(&Request) -> bool;

async fn steps(settings: &StorageSettings) -> Vec<Step> {
    Box::pin(test(settings, &Ids::random())).await
}

/// Names of the steps, with `!` before what has failed and `?` before what is a warning, and codes.
fn told(steps: &[Step]) -> String {
    let tell = |step: &Step| {
        let mark = match step.outcome {
            StepOutcome::Ok => "",
            StepOutcome::Warning => "?",
            StepOutcome::Failed => "!",
        };
        assert_eq!(step.code.is_none(), step.outcome == StepOutcome::Ok);
        assert!(!step.sentence.is_empty());
        format!("{mark}{}{}", step.name, step.code.map(|code| format!(":{code}")).unwrap_or_default())
    };
    steps.iter().map(tell).collect::<Vec<_>>().join(" ")
}

async fn left_over(stand: &Stand) -> usize {
    stand.owner.list_objects_v2().bucket(&stand.bucket).send().await.unwrap().contents().len()
}

#[tokio::test]
async fn all_is_well_at_real_servers() {
    for stand in [Stand::new().await, Stand::with_acls().await].into_iter().flatten() {
        let mut settings = stand.settings();
        settings.prefix = "some/where/".to_owned().try_into().unwrap();
        assert_eq!(told(&steps(&settings).await), "bucket write read public multipart delete");
        settings.acl = AclMode::None;
        assert_eq!(told(&steps(&settings).await), "bucket write read multipart delete");
        assert_eq!((left_over(&stand).await, stand.unfinished().await), (0, 0));
    }
}

#[tokio::test]
async fn it_stops_where_nothing_works() {
    let Some(stand) = Stand::new().await else { return };
    let mut settings = stand.settings();
    settings.bucket = "no-such-bucket-here".to_owned().try_into().unwrap();
    assert_eq!(told(&steps(&settings).await), "!bucket:bucket_not_found");
    let mut settings = stand.settings();
    settings.secret_access_key = stowage_model::storage::Secret::new("hunter2");
    let refused = steps(&settings).await;
    assert_eq!(told(&refused), "!bucket:bad_credentials");
    assert!(!format!("{refused:?}").contains("hunter2"));
    let nobody = Proxy::start("http://127.0.0.1:9", |_| Deed::Reset).await;
    let mut settings = stand.settings();
    settings.endpoint_url.clone_from(&nobody.endpoint);
    assert_eq!(told(&steps(&settings).await), "!bucket:unreachable");
}

#[tokio::test]
async fn every_step_says_what_it_lacks() {
    let deny = |which: fn(&Request) -> bool| {
        move |r: &Request| if which(r) { refusal(403, "AccessDenied") } else { Deed::Pass }
    };
    let cases: [(Which, &str); 6] = [
        (|r| r.is_put() && r.header("x-amz-acl").is_none(), "bucket !write:access_denied"),
        (|r| r.is("GET", ".connection-test"), "bucket write !read:access_denied"),
        (|r| r.header("x-amz-acl").is_some(), "bucket write read ?public:acl_not_supported multipart delete"),
        (|r| r.is("POST", "uploads"), "bucket write read public !multipart:access_denied"),
        (|r| r.is("DELETE", "uploadId"), "bucket write read public !multipart:access_denied"),
        (|r| r.is("DELETE", "x-id=DeleteObject"), "bucket write read public multipart ?delete:delete_not_allowed"),
    ];
    for (which, expected) in cases {
        let Some(mut stand) = Stand::new().await else { return };
        stand.endpoint = Proxy::start(&stand.endpoint, deny(which)).await.endpoint;
        let settings = stand.settings();
        assert_eq!(told(&steps(&settings).await), expected);
        assert_eq!(left_over(&stand).await, usize::from(expected.contains("delete_not")), "{expected}");
    }
}

#[tokio::test]
async fn warnings_are_failures_where_that_was_asked_for() {
    let Some(mut stand) = Stand::new().await else { return };
    let deny = |r: &Request| match r.header("x-amz-acl") {
        Some(_) => refusal(400, "AccessControlListNotSupported"),
        None => Deed::Pass,
    };
    stand.endpoint = Proxy::start(&stand.endpoint, deny).await.endpoint;
    let mut settings = stand.settings();
    settings.acl = AclMode::Acl;
    assert_eq!(told(&steps(&settings).await), "bucket write read !public:acl_not_supported");
}

/// Keys that may not list the bucket can copy all the same.
#[tokio::test]
async fn a_bucket_that_may_not_be_listed_is_a_warning() {
    let Some(mut stand) = Stand::new().await else { return };
    let deny = |r: &Request| match r.method.as_str() {
        "HEAD" => Deed::Answer(403, "", ""),
        "GET" if r.target.contains("list-type=2") => refusal(403, "AccessDenied"),
        _ => Deed::Pass,
    };
    stand.endpoint = Proxy::start(&stand.endpoint, deny).await.endpoint;
    assert_eq!(told(&steps(&stand.settings()).await), "?bucket:access_denied write read public multipart delete");
}

#[tokio::test]
async fn other_bytes_are_found_out() {
    let Some(mut stand) = Stand::new().await else { return };
    let spoil = |r: &Request| if r.method == "GET" { Deed::SpoilAnswer } else { Deed::Pass };
    stand.endpoint = Proxy::start(&stand.endpoint, spoil).await.endpoint;
    assert_eq!(told(&steps(&stand.settings()).await), "bucket write !read:content_differs");
}

#[tokio::test]
async fn a_wrong_region_is_told() {
    let Some(mut stand) = Stand::with_acls().await else { return };
    let abroad = |request: &Request| !request.headers.contains("/eu-west-3/s3/aws4_request");
    let tell = move |request: &Request| {
        if abroad(request) { Deed::Answer(301, "x-amz-bucket-region: eu-west-3\r\n", "") } else { Deed::Pass }
    };
    stand.endpoint = Proxy::start(&stand.endpoint, tell).await.endpoint;
    let mut settings = stand.settings();
    settings.region = "us-west-2".to_owned();
    let steps = steps(&settings).await;
    assert_eq!(told(&steps), "?bucket:wrong_region write read public multipart delete");
    assert!(steps[0].sentence.contains("eu-west-3"));
}
