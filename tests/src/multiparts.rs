//! Many multipart uploads at once, parts in random order, some given up, a crash in the middle: nothing is lost, nothing is
//! left.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;
use tokio::sync::watch;

use crate::stowage::{Place, bytes, other_pair};

/// How many uploads there are; `STOWAGE_TEST_MULTIPARTS` changes it.
const UPLOADS: u64 = 200;
const SIZE: usize = 12_000_000;
const PART: usize = 5 << 20;
/// How many uploads send something at the same moment: all are open at once, but the machine has two cores.
const AT_ONCE: usize = 32;

/// A client whose server may go away and come back at another address.
#[derive(Clone)]
struct Client {
    http: reqwest::Client,
    base: watch::Receiver<String>,
}

impl Client {
    /// Sends until there is an answer; every request here may be sent twice.
    async fn send(&self, request: impl Fn(&reqwest::Client, &str) -> reqwest::RequestBuilder) -> (u16, String) {
        for _ in 0..600 {
            let base = self.base.borrow().clone();
            if let Ok(answer) = request(&self.http, &base).send().await {
                let status = answer.status().as_u16();
                if let Ok(text) = answer.text().await {
                    return (status, text);
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the server did not come back");
    }

    async fn form(&self, path: &'static str, fields: &[(&str, &str)]) -> (u16, String) {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let body = fields.join("&");
        self.send(|http, base| {
            let request = http.post(format!("{base}{path}"));
            request.header("content-type", "application/x-www-form-urlencoded").body(body.clone())
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_uploads_survive_a_crash() {
    let uploads = std::env::var("STOWAGE_TEST_MULTIPARTS").map_or(UPLOADS, |text| text.parse().unwrap());
    let place = Place::with(&[("STOWAGE_JANITOR__GRACE", "0s"), ("STOWAGE_BLOBS__RESERVE", "0")]).await;
    let server = place.serve(&["--no-worker"]).await;
    let (address, base) = watch::channel(server.base.clone());
    let client = Client { http: reqwest::Client::new(), base };
    let size = SIZE.to_string();
    let mut started: Vec<(u64, String, Vec<String>)> = Vec::new();
    for seed in 0..uploads {
        let fields = [
            ("UPLOADCARE_PUB_KEY", "demopublickey"),
            ("filename", "big.bin"),
            ("content_type", "application/x-thing"),
            ("UPLOADCARE_STORE", "1"),
            ("size", &size),
        ];
        let (status, text) = client.form("/multipart/start/", &fields).await;
        assert_eq!(status, 200, "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        let urls = answer["parts"].as_array().unwrap().iter().map(|url| url.as_str().unwrap().to_owned()).collect();
        started.push((seed, answer["uuid"].as_str().unwrap().to_owned(), urls));
    }
    let old = server.base.clone();
    let sent = Arc::new(AtomicUsize::new(0));
    let uploading = tokio::spawn({
        let (client, sent) = (client.clone(), Arc::clone(&sent));
        futures_util::stream::iter(started.clone())
            .map(move |(seed, id, urls)| upload(client.clone(), old.clone(), seed, id, urls, Arc::clone(&sent)))
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<Option<(u64, String)>>>()
    });
    // Where nothing is completed before the crash, those that are under way can send no more than this.
    let half = if other_pair() { AT_ONCE * 2 } else { usize::try_from(uploads).unwrap() * 3 / 2 };
    while sent.load(Ordering::SeqCst) < half {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.kill().await;
    let server = place.serve(&["--no-worker"]).await;
    address.send(server.base.clone()).unwrap();
    let finished: Vec<(u64, String)> = uploading.await.unwrap().into_iter().flatten().collect();
    let aborted = uploads / 10;
    assert_eq!(finished.len() as u64, uploads - aborted);
    let whole = async |(seed, id): &(u64, String)| {
        let (status, content) = server.fetch(id).await;
        assert!(status == 200 && content == bytes(*seed + 1, SIZE), "{id} is damaged or gone: {status}");
    };
    futures_util::stream::iter(&finished).for_each_concurrent(4, whole).await;
    // A day passes.
    place.execute("UPDATE uploads SET expires_at = 0 WHERE completed_at IS NULL").await;
    let done = place.print(&["janitor"]).await;
    assert!(done.contains(&format!("{aborted} multipart upload(s) expired")), "{done}");
    let left = place.print(&["janitor", "--dry-run"]).await;
    assert_eq!(left, "0 deletion(s) due; nothing was deleted\n");
    assert_eq!(place.recorded_ids().await.len(), finished.len());
    futures_util::stream::iter(finished.iter().take(10)).for_each_concurrent(4, whole).await;
}

/// One upload; every tenth is given up on the way.
async fn upload(
    client: Client,
    old: String,
    seed: u64,
    id: String,
    urls: Vec<String>,
    sent: Arc<AtomicUsize>,
) -> Option<(u64, String)> {
    let content = bytes(seed + 1, SIZE);
    let pieces: Vec<&[u8]> = content.chunks(PART).collect();
    let count = pieces.len();
    // Another order for each upload.
    let order: Vec<usize> = (0..count).map(|at| (at * 2 + usize::try_from(seed).unwrap()) % count).collect();
    let gives_up = seed % 10 == 3;
    for (turn, at) in order.into_iter().enumerate() {
        if gives_up && turn == 1 {
            return None;
        }
        let piece = pieces[at].to_vec();
        let (status, text) = client.send(|http, base| http.put(urls[at].replace(&old, base)).body(piece.clone())).await;
        assert_eq!(status, 200, "part {at} of {id}: {text}");
        sent.fetch_add(1, Ordering::SeqCst);
    }
    if other_pair() {
        // The S3 server of the tests loses parts when whoever asks it to assemble them goes away; S3 itself does not. So
        // the crash comes before.
        let mut base = client.base.clone();
        base.wait_for(|base| *base != old).await.unwrap();
    }
    let fields = [("UPLOADCARE_PUB_KEY", "demopublickey"), ("uuid", id.as_str())];
    let (status, text) = client.form("/multipart/complete/", &fields).await;
    // The answer to an earlier attempt may have got lost in the crash.
    let lost = status == 400 && text == "File is already uploaded.";
    assert!(status == 200 || lost, "{id}: {status} {text}");
    Some((seed, id))
}
