//! Webhooks under bad weather: a receiver that often fails or says nothing, and crashes of the server. Everything that was
//! uploaded is told, signed, to everyone who asked for it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::stowage::{Place, Server, bytes};

/// Uploads, and webhooks that are told of each.
const UPLOADS: u64 = 2_000;
const HOOKS: usize = 5;
const SECRET: &str = "a secret for signing";
/// How much more memory than before a server may need for its backlog, in KiB.
const MORE: u64 = 64 << 10;

/// Takes what webhooks are told: of ten attempts three are answered with 500 and one with nothing.
#[derive(Default)]
struct Receiver {
    attempts: AtomicU64,
    /// Webhook and file of everything that was taken.
    told: Mutex<HashSet<(String, String)>>,
}

impl Receiver {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let receiver = Arc::clone(&self);
            // Whoever tells may be killed meanwhile.
            tokio::spawn(async move { drop(receiver.answer(stream).await) });
        }
    }

    async fn answer(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let (mut line, mut length, mut signature) = (String::new(), 0, String::new());
        stream.read_line(&mut line).await?;
        let hook = line.split(' ').nth(1).unwrap_or_default().to_owned();
        loop {
            line.clear();
            stream.read_line(&mut line).await?;
            let Some((name, value)) = line.split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap(),
                "x-uc-signature" => value.trim().clone_into(&mut signature),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let status = match self.attempts.fetch_add(1, Ordering::SeqCst) % 10 {
            1 | 4 | 8 => "500 Internal Server Error",
            6 => {
                // Says nothing until the other side has had enough.
                stream.read_u8().await?;
                return Ok(());
            }
            _ => {
                let hex = signature.strip_prefix("v1=").expect("a signature");
                let given: Vec<u8> =
                    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
                let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(&body);
                mac.verify_slice(&given).expect("the signature of the body");
                let payload: Value = serde_json::from_slice(&body).unwrap();
                let file = payload["data"]["uuid"].as_str().unwrap().to_owned();
                self.told.lock().unwrap().insert((hook, file));
                "200 OK"
            }
        };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await
    }

    fn told(&self) -> usize {
        self.told.lock().unwrap().len()
    }
}

async fn subscribe(server: &Server, target: &str) {
    let webhook = json!({ "target_url": target, "event": "file.uploaded", "signing_secret": SECRET });
    let answer = server
        .http
        .post(server.url("/webhooks/"))
        .header("Authorization", "Uploadcare.Simple demopublickey:demosecretkey")
        .header("Accept", "application/vnd.uploadcare-v0.7+json")
        .json(&webhook)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
}

/// Waits until so much has been told; fails when nothing has come for a while.
async fn wait_for(receiver: &Receiver, wanted: usize) {
    let (mut before, mut quiet) = (0, 0);
    while receiver.told() < wanted {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = receiver.told();
        quiet = if now == before { quiet + 1 } else { 0 };
        before = now;
        assert!(quiet < 600, "{now} of {wanted} deliveries have come, and no more for a minute");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_deliveries_survive_bad_targets_and_crashes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}", listener.local_addr().unwrap());
    let receiver = Arc::new(Receiver::default());
    let receiving = tokio::spawn(Arc::clone(&receiver).serve(listener));
    let place = Place::with(&[
        ("STOWAGE_FETCH__ALLOW", "127.0.0.0/8"),
        ("STOWAGE_DURABILITY", "relaxed"),
        ("STOWAGE_WEBHOOKS__SCHEDULE", "100ms,200ms"),
        ("STOWAGE_WEBHOOKS__TIMEOUT", "300ms"),
        ("STOWAGE_WEBHOOKS__PER_SECOND", "0"),
    ])
    .await;
    let server = Arc::new(place.serve(&[]).await);
    for hook in 0..HOOKS {
        subscribe(&server, &format!("{target}/{hook}")).await;
    }
    let memory = server.memory("VmRSS");
    let counter = Arc::new(AtomicU64::new(0));
    let mut uploaders = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (server, counter) = (Arc::clone(&server), Arc::clone(&counter));
        uploaders.spawn(async move {
            let mut ids = Vec::new();
            loop {
                let number = counter.fetch_add(1, Ordering::SeqCst);
                if number >= UPLOADS {
                    return ids;
                }
                ids.push(server.upload("x", bytes(number, 100), "0").await.unwrap());
            }
        });
    }
    let ids: Vec<String> = uploaders.join_all().await.into_iter().flatten().collect();
    let all: HashSet<(String, String)> =
        (0..HOOKS).flat_map(|hook| ids.iter().map(move |id| (format!("/{hook}"), id.clone()))).collect();
    let mut server = Arc::into_inner(server).unwrap();
    for crash in 1..=2 {
        wait_for(&receiver, crash * all.len() / 4).await;
        let peak = server.memory("VmHWM");
        assert!(peak < memory + MORE, "{peak} KiB at the peak, {memory} KiB before");
        server.kill().await;
        server = place.serve(&[]).await;
    }
    wait_for(&receiver, all.len()).await;
    let peak = server.memory("VmHWM");
    assert!(peak < memory + MORE, "{peak} KiB at the peak, {memory} KiB before");
    assert!(*receiver.told.lock().unwrap() == all, "something was told of files that nobody uploaded");
    receiving.abort();
}
