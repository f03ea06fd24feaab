//! Blobs in a bucket of a server that misbehaves.

#![expect(clippy::unwrap_used, reason = "a test that fails shall panic, in its helpers, too")]

#[path = "blobs_s3_faults/copies.rs"]
mod copies;
#[path = "blobs_s3_faults/wipe.rs"]
mod wipe;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use stowage_model::BlobKey;
use stowage_store::Durability;
use stowage_store::blobs::conformance::{content, get, put};
use stowage_store::blobs::{AssembleError, BlobError, Blobs, Checksums, Freed, Options, Part, Parts};
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
        self.open_at("bucket", folder, checksums).await
    }

    /// Opens `BUCKET` or `BUCKET/PREFIX`.
    async fn open_at(&self, place: &str, folder: &tempfile::TempDir, checksums: Checksums) -> Result<Blobs, String> {
        let options = Options {
            url: format!("s3://{place}?endpoint={}", self.endpoint),
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

/// What a server says to the probe that understands signed streams: the bytes of the object's id, over and over.
fn to_probe_in_frames(request: &Request) -> Answer {
    if request.method != "GET" {
        return answer(200, "");
    }
    let id = request.target.split_once(".probe-").unwrap().1;
    let id: Vec<u8> = (0..16).map(|n| u8::from_str_radix(&id[2 * n..2 * n + 2], 16).unwrap()).collect();
    answer(200, id.into_iter().cycle().take(60_000).collect::<Vec<u8>>())
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
async fn left_over_uploads_are_listed() {
    let kept = Mutex::new(Bytes::new());
    let id = ID;
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
    let unfinished = blobs.unfinished_parts(grace).await.unwrap();
    assert_eq!(unfinished, [parts_of(id, "u2"), parts_of(id, "u3")]);
    // That no record knows them is not for the store to say.
    assert_eq!(blobs.sweep_drafts(Duration::ZERO, false).await.unwrap(), Freed::default());
    assert_eq!(fake.seen("DELETE", "uploadId"), 0);
    for parts in &unfinished {
        blobs.abort_parts(parts).await.unwrap();
    }
    assert_eq!((fake.seen("DELETE", "uploadId=u2"), fake.seen("DELETE", "uploadId=u3")), (1, 1));
    assert_eq!(fake.seen("DELETE", "uploadId"), 2);
}

fn parts_of(id: &str, upload: &str) -> Parts {
    Parts { key: BlobKey(id.to_owned()), upload: Some(upload.to_owned()) }
}

const ID: &str = "0b7c0b9e25b84c4d9e557d8c6f6c4b61";

fn refusal(status: u16, code: &str) -> Answer {
    answer(status, format!("<Error><Code>{code}</Code><Message>no</Message></Error>"))
}

/// What is said of an object of this size.
fn head(size: usize) -> Answer {
    Answer { status: 200, headers: "etag: \"e\"\r\n".into(), length: size, body: Bytes::new() }
}

#[tokio::test]
async fn parts_are_listed_page_by_page() {
    let kept = Mutex::new(Bytes::new());
    let fake = Fake::start(move |request| {
        let part = |n: u32| {
            format!("<Part><PartNumber>{n}</PartNumber><Size>{n}00</Size><ETag>&quot;e{n}&quot;</ETag></Part>")
        };
        let page = |more: &str, parts: [String; 2]| {
            answer(200, format!("<ListPartsResult>{more}{}</ListPartsResult>", parts.concat()))
        };
        let more = "<IsTruncated>true</IsTruncated><NextPartNumberMarker>3</NextPartNumberMarker>";
        match request.target.as_str() {
            _ if is_probe(request) => to_probe(request, &kept),
            target if target.contains("uploadId=gone") => refusal(404, "NoSuchUpload"),
            target if target.contains("part-number-marker=3") => page("", [part(7), part(10)]),
            target if target.contains("uploadId") => page(more, [part(1), part(3)]),
            _ => answer(200, ""),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let blobs = fake.open(&folder, Checksums::Auto).await.unwrap();
    let listed = blobs.list_parts(&parts_of(ID, "u")).await.unwrap().unwrap();
    let part = |number: u32| Part { number, size: u64::from(number) * 100, etag: format!("e{number}") };
    assert_eq!(listed, [1, 3, 7, 10].map(part));
    assert!(matches!(blobs.list_parts(&parts_of(ID, "gone")).await, Err(BlobError::NotFound)));
    assert!(matches!(blobs.list_parts(&Parts { upload: None, ..parts_of(ID, "u") }).await, Err(BlobError::NotFound)));
}

#[tokio::test]
async fn a_blob_may_have_been_assembled_before() {
    let kept = Mutex::new(Bytes::new());
    let fake = Fake::start(move |request| match (request.method.as_str(), request.target.as_str()) {
        _ if is_probe(request) => to_probe(request, &kept),
        ("POST", target) if target.contains("uploadId=gone") => refusal(404, "NoSuchUpload"),
        ("POST", target) if target.contains("uploadId=odd") => refusal(400, "InvalidPart"),
        ("POST", target) if target.contains("uploadId=small") => refusal(400, "EntityTooSmall"),
        ("POST", target) if target.contains("uploadId=late") => refusal(200, "InternalError"),
        // The connection breaks before the answer has come.
        ("POST", target) if target.contains("uploadId=lost") => Answer { length: 100, ..answer(200, "") },
        ("HEAD", target) if target.contains(ID) => head(300),
        ("HEAD", target) if target.contains("/ffff") => Answer { length: 0, ..answer(404, "") },
        _ => answer(200, "<CompleteMultipartUploadResult/>"),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let blobs = fake.open(&folder, Checksums::Auto).await.unwrap();
    let part = |number: u32| Part { number, size: 100, etag: format!("e{number}") };
    let list = [1, 2, 3].map(part);
    let assemble = async |id: &str, upload: &str, size| blobs.assemble(&parts_of(id, upload), size, &list).await;
    assemble(ID, "good", 300).await.unwrap();
    let sent = fake.seen.lock().unwrap().iter().rfind(|request| request.method == "POST").unwrap().body.clone();
    let sent = String::from_utf8(sent.into()).unwrap();
    let order = |number: u32| sent.find(&format!("<PartNumber>{number}</PartNumber>")).unwrap();
    assert!(order(1) < order(2) && order(2) < order(3), "{sent}");
    assert!(sent.contains("e1") && sent.contains("e3"), "{sent}");

    for upload in ["gone", "lost", "late"] {
        assemble(ID, upload, 300).await.unwrap();
    }
    let unknown = "ffffffffffffffffffffffffffffffff";
    for (id, upload, size) in [(ID, "gone", 301), (unknown, "gone", 300), (ID, "odd", 300), (ID, "small", 300)] {
        let refused = assemble(id, upload, size).await;
        assert!(matches!(refused, Err(AssembleError::Refused)), "{id} {upload}: {refused:?}");
    }
    for upload in ["lost", "late"] {
        let failed = assemble(unknown, upload, 300).await;
        assert!(matches!(failed, Err(AssembleError::Blobs(BlobError::S3(_)))), "{upload}: {failed:?}");
    }
    blobs.assemble(&parts_of(ID, "good"), 300, &[]).await.unwrap();
    let refused = blobs.assemble(&parts_of(unknown, "good"), 300, &[]).await;
    assert!(matches!(refused, Err(AssembleError::Refused)), "{refused:?}");
}

#[tokio::test]
async fn what_is_gone_is_forgotten() {
    let kept = Mutex::new(Bytes::new());
    let fake = Fake::start(move |request| match (request.method.as_str(), request.target.as_str()) {
        _ if is_probe(request) => to_probe(request, &kept),
        ("DELETE", target) if target.contains("uploadId=gone") => refusal(404, "NoSuchUpload"),
        ("DELETE", target) if target.contains("uploadId") => refusal(403, "AccessDenied"),
        ("GET", target) if target.contains("uploadId=full") => {
            answer(200, "<ListPartsResult><Part><PartNumber>1</PartNumber></Part></ListPartsResult>")
        }
        ("GET", target) if target.contains("uploadId=empty") => answer(200, "<ListPartsResult/>"),
        _ => answer(204, ""),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let blobs = fake.open(&folder, Checksums::Auto).await.unwrap();
    let deleted = || fake.seen("DELETE", ID) - fake.seen("DELETE", "uploadId");
    blobs.abort_parts(&parts_of(ID, "gone")).await.unwrap();
    blobs.abort_parts(&parts_of(ID, "empty")).await.unwrap();
    assert_eq!(deleted(), 2, "an assembled blob goes, too");
    let refused = blobs.abort_parts(&parts_of(ID, "full")).await;
    assert!(matches!(refused, Err(BlobError::S3(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gives_up_keeps_the_turn_until_s3_has_the_part() {
    let kept = Mutex::new(Bytes::new());
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (arrived, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    let released = Mutex::new(released);
    let fake = Fake::start(move |request| match request.method.as_str() {
        _ if is_probe(request) => to_probe(request, &kept),
        "PUT" if request.target.contains("partNumber=1&") => {
            arrived.send(request.body.clone()).unwrap();
            let _ = tokio::task::block_in_place(|| released.lock().unwrap().recv());
            Answer { headers: "etag: \"e\"\r\n".into(), ..answer(200, "") }
        }
        _ => answer(200, ""),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let blobs = fake.open(&folder, Checksums::Auto).await.unwrap();
    let parts = parts_of(ID, "u");
    let send = |bytes: Bytes| {
        let (blobs, parts) = (blobs.clone(), parts.clone());
        tokio::spawn(async move {
            let mut draft = blobs.part(&parts, 1, 300_000).await.unwrap();
            draft.write(bytes).await.unwrap();
            draft.finish().await.unwrap().part().clone()
        })
    };
    let first = send(content(1, 300_000));
    assert!(arrivals.recv().await.unwrap() == content(1, 300_000));
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let second = send(content(2, 300_000));
    // Time enough to overtake, were that possible.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(arrivals.try_recv().is_err(), "the first is still on its way to S3");
    release.send(()).unwrap();
    assert!(arrivals.recv().await.unwrap() == content(2, 300_000));
    release.send(()).unwrap();
    assert_eq!(second.await.unwrap(), Part { number: 1, size: 300_000, etag: "e".into() });
}

#[tokio::test]
async fn a_part_is_sent_again_where_s3_stumbles() {
    let stumbles = Mutex::new(2);
    let fake = Fake::start(move |request| match request.method.as_str() {
        _ if is_probe(request) => to_probe_in_frames(request),
        "PUT" if request.target.contains("uploadId=gone") => refusal(404, "NoSuchUpload"),
        "PUT" if request.target.contains("partNumber=7&") => {
            let mut left = stumbles.lock().unwrap();
            *left -= 1;
            if *left > 0 {
                return refusal(503, "SlowDown");
            }
            Answer { headers: "etag: \"abc\"\r\n".into(), ..answer(200, "") }
        }
        _ => answer(200, ""),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    // Checksums were not announced for the upload, so that none may be sent, whatever the options say of others.
    let blobs = fake.open(&folder, Checksums::Always).await.unwrap();
    let send = async |upload: &str| {
        let mut draft = blobs.part(&parts_of(ID, upload), 7, 200_000).await.unwrap();
        draft.write(content(3, 200_000)).await.unwrap();
        draft.finish().await.map(|turn| turn.part().clone())
    };
    assert_eq!(send("u").await.unwrap(), Part { number: 7, size: 200_000, etag: "abc".into() });
    let seen = fake.seen.lock().unwrap().clone();
    let sent: Vec<_> = seen.iter().filter(|request| request.target.contains("partNumber=7")).collect();
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|request| request.body == content(3, 200_000)));
    for request in &sent {
        assert!(!request.headers.to_lowercase().contains("checksum"), "{}", request.headers);
    }
    assert!(matches!(send("gone").await, Err(BlobError::NotFound)));
}
