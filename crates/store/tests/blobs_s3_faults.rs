//! Blobs in a bucket of a server that misbehaves.

#![expect(clippy::unwrap_used, reason = "a test that fails shall panic, in its helpers, too")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use stowage_store::Durability;
use stowage_store::blobs::conformance::{content, get, put};
use stowage_store::blobs::{BlobError, Blobs, Checksums, Options};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request as the server saw it.
#[derive(Clone, Debug)]
struct Request {
    method: String,
    target: String,
    headers: String,
    body: Bytes,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn range(&self) -> Option<(usize, usize)> {
        let (from, to) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some((from.parse().ok()?, to.parse().ok()?))
    }
}

/// What the server answers; a body that is shorter than its announced length ends in a broken connection.
struct Answer {
    status: u16,
    headers: String,
    length: usize,
    body: Bytes,
}

fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    let body = body.into();
    Answer { status, headers: String::new(), length: body.len(), body }
}

/// An S3 server that answers as a test wants it to.
struct Fake {
    endpoint: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Fake {
    async fn start(handle: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (handle, log) = (Arc::new(handle), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (handle, log) = (Arc::clone(&handle), Arc::clone(&log));
                tokio::spawn(async move {
                    // A client that hangs up in the middle is its own affair.
                    let _ = serve(stream, &*handle, &log).await;
                });
            }
        });
        Self { endpoint, seen }
    }

    async fn open(&self, folder: &tempfile::TempDir, checksums: Checksums) -> Result<Blobs, String> {
        let options = Options {
            url: format!("s3://bucket?endpoint={}", self.endpoint),
            access_key_id: "key".into(),
            secret_access_key: "hunter2".into(),
            checksums,
            ..Options::default()
        };
        Blobs::open(&options, folder.path(), Durability::Full).await.map_err(|error| error.to_string())
    }

    fn seen(&self, method: &str, part_of_target: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|r| r.method == method && r.target.contains(part_of_target)).count()
    }
}

async fn serve(
    stream: TcpStream,
    handle: &(dyn Fn(&Request) -> Answer + Send + Sync),
    log: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut first, mut headers) = (String::new(), String::new());
    stream.read_line(&mut first).await?;
    while stream.read_line(&mut headers).await? > 2 {}
    let mut words = first.split(' ').map(str::to_owned);
    let mut request = Request {
        method: words.next().unwrap_or_default(),
        target: words.next().unwrap_or_default(),
        headers,
        body: Bytes::new(),
    };
    if request.header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    request.body = body.into();
    let answer = handle(&request);
    log.lock().unwrap().push(request);
    let head = format!(
        "HTTP/1.1 {} X\r\ncontent-length: {}\r\nconnection: close\r\n{}\r\n",
        answer.status, answer.length, answer.headers
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&answer.body).await?;
    stream.flush().await
}

fn is_probe(request: &Request) -> bool {
    request.target.contains(".probe-")
}

/// What an honest server says to the probe at start, whose bytes `kept` remembers.
fn to_probe(request: &Request, kept: &Mutex<Bytes>) -> Answer {
    match request.method.as_str() {
        "PUT" => {
            *kept.lock().unwrap() = request.body.clone();
            answer(200, "")
        }
        "GET" => answer(200, kept.lock().unwrap().clone()),
        _ => answer(204, ""),
    }
}

#[tokio::test]
async fn a_server_that_keeps_the_frames_of_a_stream_is_found_out() {
    let kept = Mutex::new(Bytes::new());
    let fake =
        Fake::start(move |request| if is_probe(request) { to_probe(request, &kept) } else { answer(200, "") }).await;
    let folder = tempfile::tempdir().unwrap();
    let refused = fake.open(&folder, Checksums::Always).await.err().unwrap();
    assert!(refused.contains("blobs.checksums") && !refused.contains("hunter2"), "{refused}");
    // Without checksums there are no frames, and the server is good enough.
    fake.open(&folder, Checksums::Auto).await.unwrap();
    fake.open(&folder, Checksums::WhenRequired).await.unwrap();
    assert_eq!(fake.seen("DELETE", ".probe-"), 3, "no probe stays");
}

#[tokio::test]
async fn a_broken_read_is_taken_up_where_it_broke() {
    let kept = Mutex::new(Bytes::new());
    let bytes = content(5, 300_000);
    let object = bytes.clone();
    let fake = Fake::start(move |request| {
        if is_probe(request) {
            return to_probe(request, &kept);
        }
        let Some((from, to)) = request.range() else { return answer(200, "") };
        let part = object.slice(from..=to);
        // At most 100,000 bytes come through.
        let body = part.slice(..part.len().min(100_000));
        Answer { status: 206, headers: "etag: \"e\"\r\n".into(), length: part.len(), body }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let blobs = fake.open(&folder, Checksums::Auto).await.unwrap();
    let key = put(&blobs, &content(1, 10), 10).await;
    assert_eq!(get(&blobs, &key, 10, 300_000).await.unwrap(), bytes[10..]);
    let seen = fake.seen.lock().unwrap();
    let gets: Vec<_> = seen.iter().filter(|r| r.range().is_some()).collect();
    let ranges: Vec<_> = gets.iter().filter_map(|r| r.range()).collect();
    assert_eq!(ranges, [(10, 299_999), (100_010, 299_999), (200_010, 299_999)]);
    assert_eq!(gets[1].header("if-match"), Some("\"e\""), "never a piece of another object");
}

#[tokio::test]
async fn a_read_that_never_comes_is_given_up() {
    let kept = Mutex::new(Bytes::new());
    let fake = Fake::start(move |request| match request.range() {
        _ if is_probe(request) => to_probe(request, &kept),
        Some((from, to)) => Answer { status: 206, headers: String::new(), length: to - from + 1, body: Bytes::new() },
        None => answer(200, ""),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let blobs = fake.open(&folder, Checksums::Auto).await.unwrap();
    let key = put(&blobs, &content(1, 10), 10).await;
    assert!(get(&blobs, &key, 0, 10).await.is_err());
    assert!(blobs.read_small(&key, 10).await.is_err());
}

#[tokio::test]
async fn an_upload_in_parts_that_fails_is_aborted() {
    let kept = Mutex::new(Bytes::new());
    let fake = Fake::start(move |request| {
        let begin = "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>";
        match request.method.as_str() {
            _ if is_probe(request) => to_probe(request, &kept),
            "POST" if request.target.contains("uploads") => answer(200, begin),
            "PUT" if request.target.contains("partNumber=2&") => {
                answer(400, "<Error><Code>Odd</Code><Message>no</Message></Error>")
            }
            "PUT" => Answer { headers: "etag: \"e\"\r\n".into(), ..answer(200, "") },
            _ => answer(200, ""),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let blobs = fake.open(&folder, Checksums::Auto).await.unwrap();
    let mut draft = blobs.draft();
    let piece = content(1, 1 << 20);
    for _ in 0..65 {
        draft.write(piece.clone()).await.unwrap();
    }
    let kept = draft.finish().await.unwrap().keep().await;
    let Err(BlobError::S3(text)) = kept else { panic!("{kept:?}") };
    assert!(text.contains("status 400, Odd, no"), "{text}");
    assert_eq!(fake.seen("DELETE", "uploadId=u1"), 1);
    assert_eq!(fake.seen("POST", "uploadId=u1"), 0, "it is not completed");
}

#[tokio::test]
async fn left_over_uploads_are_aborted() {
    let kept = Mutex::new(Bytes::new());
    let id = "0b7c0b9e25b84c4d9e557d8c6f6c4b61";
    let fake = Fake::start(move |request| {
        let upload = |key: &str, id: &str, when: &str| {
            format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{when}</Initiated></Upload>")
        };
        let page = |more: &str, uploads: [String; 2]| {
            format!("<ListMultipartUploadsResult>{more}{}</ListMultipartUploadsResult>", uploads.concat())
        };
        let (old, young) = ("2020-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z");
        let more = "<IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>";
        match (request.method.as_str(), request.target.contains("uploads")) {
            _ if is_probe(request) => to_probe(request, &kept),
            ("GET", true) if request.target.contains("key-marker=k") => {
                answer(200, page("", [upload(id, "u3", old), upload(id, "young", young)]))
            }
            ("GET", true) => answer(200, page(more, [upload("foreign", "u1", old), upload(id, "u2", old)])),
            _ => answer(204, ""),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let blobs = fake.open(&folder, Checksums::Auto).await.unwrap();
    let grace = Duration::from_hours(1);
    assert_eq!(blobs.sweep_drafts(grace, true).await.unwrap().items, 2);
    assert_eq!(fake.seen("DELETE", "uploadId"), 0);
    assert_eq!(blobs.sweep_drafts(grace, false).await.unwrap().items, 2);
    assert_eq!((fake.seen("DELETE", "uploadId=u2"), fake.seen("DELETE", "uploadId=u3")), (1, 1));
    assert_eq!(fake.seen("DELETE", "uploadId"), 2);
}
