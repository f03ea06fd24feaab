//! Multipart uploads: parts in any order, in parallel, repeated and cut off; completion; expiry; every rule.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use stowage_store::testing::bytes;
use support::{DAY, PNG, Server, json, on_s3, refusal};
use tokio::io::AsyncWriteExt;

const PART: usize = 5 << 20;

async fn put_all(server: &Server, urls: &[String], content: &[u8], part: usize) {
    for (url, piece) in urls.iter().zip(content.chunks(part)).rev() {
        let answer = server.put(url, piece).await;
        assert_eq!(answer.status(), 200);
        assert!(answer.headers()["etag"].to_str().unwrap().starts_with('"'));
        assert_eq!(answer.text().await.unwrap(), "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_in_any_order_become_a_file() {
    let server = Server::start().await;
    let content = bytes(1, 11_000_000);
    let fields = [("UPLOADCARE_STORE", "1"), ("metadata[k]", "v"), ("tags", "a,b"), ("source", "local")];
    let (id, urls) = server.start_multipart(content.len(), &fields).await;
    assert_eq!(urls.len(), 3);
    for (at, url) in urls.iter().enumerate() {
        assert!(url.contains(&format!("partNumber={}", at + 1)), "{url}");
    }
    let unknown = server.get(&format!("/info/?pub_key=demopublickey&file_id={id}")).send().await.unwrap();
    assert_eq!(unknown.status(), 404, "until it is complete nobody else knows the id");
    assert_eq!(refusal(server.complete(&id).await).await, (400, "File size mismatch. Not all parts uploaded?".into()));
    put_all(&server, &urls, &content, PART).await;
    let file = json(server.complete(&id).await).await;
    assert_eq!((&file["uuid"], &file["size"]), (&id.clone().into(), &11_000_000.into()));
    assert_eq!((&file["is_stored"], &file["is_ready"]), (&true.into(), &true.into()));
    assert_eq!((&file["mime_type"], &file["metadata"]["k"]), (&"application/x-thing".into(), &"v".into()));
    assert_eq!(server.info(&id).await, file);
    let back = server.get(&format!("/{id}/")).send().await.unwrap().bytes().await.unwrap();
    assert!(back == content, "the bytes are others");
    // A client whose answer got lost asks once more.
    assert_eq!(refusal(server.complete(&id).await).await, (400, "File is already uploaded.".into()));
    // Some S3 servers answer by closing the connection.
    let late = server.http.put(&urls[0]).body(content[..PART].to_vec()).send().await;
    assert!(!late.is_ok_and(|late| late.status().is_success()), "a completed file must not change");
    let back = server.get(&format!("/{id}/")).send().await.unwrap().bytes().await.unwrap();
    assert!(back == content, "a completed file was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_detected_however_it_is_declared() {
    let server = Server::start().await;
    let mut content = PNG.to_vec();
    content.resize(10_000_000, 0);
    let (id, urls) = server.start_multipart(content.len(), &[("part_size", "6000001")]).await;
    assert_eq!(urls.len(), 2);
    put_all(&server, &urls, &content, 6_000_001).await;
    let file = json(server.complete(&id).await).await;
    assert_eq!((&file["is_image"], &file["content_info"]["mime"]["mime"]), (&true.into(), &"image/png".into()));
    assert_eq!((&file["filename"], &file["is_stored"]), (&"big.bin".into(), &false.into()));
    let back = server.get(&format!("/{id}/")).send().await.unwrap().bytes().await.unwrap();
    assert!(back == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_whole_repetition_of_a_part_counts() {
    let server = Server::with("", &[("STOWAGE_BLOBS__PART_URLS", "own")]).await;
    let content = bytes(2, 12_000_000);
    let (id, urls) = server.start_multipart(content.len(), &[]).await;
    put_all(&server, &urls, &bytes(3, 12_000_000), PART).await;
    put_all(&server, &urls, &content, PART).await;
    // Cut off in the middle: on disk the part counts as missing, because its place has been written to; S3 keeps the old one.
    let url = reqwest::Url::parse(&urls[1]).unwrap();
    let mut wire = tokio::net::TcpStream::connect(url.socket_addrs(|| None).unwrap()[0]).await.unwrap();
    let head =
        format!("PUT {}?{} HTTP/1.1\r\nhost: x\r\ncontent-length: {PART}\r\n\r\n", url.path(), url.query().unwrap());
    wire.write_all(head.as_bytes()).await.unwrap();
    wire.write_all(&bytes(4, 3_000_000)).await.unwrap();
    wire.flush().await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    drop(wire);
    if on_s3() {
        assert_eq!(server.complete(&id).await.status(), 200);
    } else {
        let refused = refusal(server.complete(&id).await).await;
        assert_eq!(refused, (400, "File size mismatch. Not all parts uploaded?".into()));
        assert_eq!(server.put(&urls[1], &content[PART..2 * PART]).await.status(), 200);
        assert_eq!(server.complete(&id).await.status(), 200);
    }
    let back = server.get(&format!("/{id}/")).send().await.unwrap().bytes().await.unwrap();
    assert!(back == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_do_not_fit() {
    let server = Server::with("", &[("STOWAGE_BLOBS__PART_URLS", "own")]).await;
    let content = bytes(5, 10_485_760 + 1000);
    let (id, urls) = server.start_multipart(content.len(), &[]).await;
    let too_large = server.put(&urls[0], &content[..=PART]).await;
    assert_eq!(refusal(too_large).await, (413, "The size of the request is too large.".into()));
    put_all(&server, &urls, &content, PART).await;
    // A last part that is too long shows at the end, and can be sent again.
    assert_eq!(server.put(&urls[2], &content[..1001]).await.status(), 200);
    assert_eq!(refusal(server.complete(&id).await).await, (400, "Uploaded size is more than expected.".into()));
    assert_eq!(server.put(&urls[2], &content[..999]).await.status(), 200);
    let short = refusal(server.complete(&id).await).await;
    assert_eq!(short, (400, "File size mismatch. Not all parts uploaded?".into()));
    if !on_s3() {
        // The sum is right, the parts are not.
        assert_eq!(server.put(&urls[0], &content[..PART - 1]).await.status(), 200);
        assert_eq!(server.put(&urls[2], &content[..1001]).await.status(), 200);
        let wrong = refusal(server.complete(&id).await).await;
        assert_eq!(wrong, (400, "Can not complete upload. Wrong parts size?".into()));
    }
    put_all(&server, &urls, &content, PART).await;
    assert_eq!(server.complete(&id).await.status(), 200);
    let back = server.get(&format!("/{id}/")).send().await.unwrap().bytes().await.unwrap();
    assert!(back == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn part_urls_are_signed_and_end() {
    let server = Server::with("", &[("STOWAGE_BLOBS__PART_URLS", "own")]).await;
    let (_, urls) = server.start_multipart(10_000_000, &[]).await;
    let forged = urls[0].replace("partNumber=1", "partNumber=2");
    assert_eq!(refusal(server.put(&forged, b"x").await).await, (403, "Request has expired.".into()));
    let preflight = server.http.request(reqwest::Method::OPTIONS, &urls[0]).send().await.unwrap();
    assert_eq!(preflight.status(), 200);
    let header = |name: &str| preflight.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("access-control-allow-origin"), "*");
    assert_eq!(header("access-control-allow-methods"), "PUT, OPTIONS");
    assert!(header("access-control-allow-headers").contains("Content-Type"));
    assert_eq!(header("access-control-expose-headers"), "ETag");
    let read = server.http.get(&urls[0]).send().await.unwrap();
    assert_eq!((read.status().as_u16(), read.headers()["allow"].to_str().unwrap()), (405, "PUT, OPTIONS"));
    server.clock.advance(DAY);
    assert_eq!(refusal(server.put(&urls[0], b"x").await).await, (403, "Request has expired.".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_nobody_completes_expire() {
    let server = Server::start().await;
    let content = bytes(6, 10_000_000);
    let (id, urls) = server.start_multipart(content.len(), &[]).await;
    put_all(&server, &urls, &content, PART).await;
    server.clock.advance(DAY);
    assert_eq!(refusal(server.complete(&id).await).await, (404, "File is not found.".into()));
    let report = server.janitor().tidy().await.unwrap();
    assert_eq!(report.uploads, 1);
    assert_eq!(server.blob_bytes(), 0);
    assert_eq!(refusal(server.complete(&id).await).await, (404, "File is not found.".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_content_is_gone() {
    let project = "[[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = []\nallowed_types = [\"image/*\"]\n";
    let server = Server::with(project, &[]).await;
    let content = bytes(7, 10_000_000);
    let (id, urls) = server.start_multipart(content.len(), &[]).await;
    put_all(&server, &urls, &content, PART).await;
    let refused = refusal(server.complete(&id).await).await;
    assert_eq!(refused, (400, "Uploading of these file types is not allowed.".into()));
    assert_eq!(refusal(server.complete(&id).await).await, (404, "File is not found.".into()));
    server.janitor().tidy().await.unwrap();
    assert_eq!(server.blob_bytes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_survives_a_restart() {
    let server = Server::start().await;
    let content = bytes(8, 11_000_000);
    let (id, urls) = server.start_multipart(content.len(), &[]).await;
    put_all(&server, &urls[..2], &content[..2 * PART], PART).await;
    let old = server.base.clone();
    let server = server.restart().await;
    let last = urls[2].replace(&old, &server.base);
    assert_eq!(server.put(&last, &content[2 * PART..]).await.status(), 200);
    assert_eq!(server.complete(&id).await.status(), 200);
    let back = server.get(&format!("/{id}/")).send().await.unwrap().bytes().await.unwrap();
    assert!(back == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_completions_one_wins() {
    let server = Server::start().await;
    let content = bytes(9, 10_000_000);
    let (id, urls) = server.start_multipart(content.len(), &[]).await;
    put_all(&server, &urls, &content, PART).await;
    let (one, two, three) = tokio::join!(server.complete(&id), server.complete(&id), server.complete(&id));
    let mut statuses = [one.status().as_u16(), two.status().as_u16(), three.status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400, 400]);
    assert_eq!(server.info(&id).await["size"], 10_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_of_part_urls_follows_the_request() {
    let server = Server::with("", &[("STOWAGE_BLOBS__PART_URLS", "own")]).await;
    let body = "UPLOADCARE_PUB_KEY=demopublickey&filename=a&content_type=a%2Fb&size=10000000";
    let request = server.http.post(server.url("/multipart/start")).header("host", "files.example.com:81");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = json(request.body(body).send().await.unwrap()).await;
    let url = answer["parts"][0].as_str().unwrap();
    assert!(url.starts_with("http://files.example.com:81/multipart/upload/"), "{url}");
    let configured = Server::with(
        "",
        &[("STOWAGE_BLOBS__PART_URLS", "own"), ("STOWAGE_URLS__UPLOAD", "https://up.example.com/prefix/")],
    )
    .await;
    let (_, urls) = configured.start_multipart(10_000_000, &[]).await;
    assert!(urls[0].starts_with("https://up.example.com/prefix/multipart/upload/"), "{}", urls[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_looked_at_is_what_is_kept() {
    // A scan that takes a moment, in which a part is sent again.
    let script = "if grep -q EICAR; then echo 'stream: Test FOUND'; exit 1; fi; sleep 2";
    let config = format!("[scan]\ncommand = [\"sh\", \"-c\", \"{script}\"]\n");
    let server = Server::with(&config, &[("STOWAGE_BLOBS__PART_URLS", "own")]).await;
    let content = vec![b'a'; 10_000_000];
    let (id, urls) = server.start_multipart(content.len(), &[]).await;
    put_all(&server, &urls, &content, PART).await;
    let infected = [&b"EICAR"[..], &content[5..PART]].concat();
    let (completed, again) = tokio::join!(server.complete(&id), async {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        server.put(&urls[0], &infected).await.status()
    });
    if completed.status() == 200 {
        // S3 takes nothing for an upload that it has assembled.
        assert!(!again.is_success());
        let back = server.get(&format!("/{id}/")).send().await.unwrap().bytes().await.unwrap();
        assert!(back == content);
    } else {
        assert_eq!((completed.status().as_u16(), again.as_u16()), (400, 200));
        let refused = refusal(server.complete(&id).await).await;
        assert_eq!(refused, (400, "The file is infected by Test virus.".into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_not_much_longer_than_what_was_announced() {
    let server = Server::with("", &[("STOWAGE_BLOBS__PART_URLS", "own")]).await;
    let (_, urls) = server.start_multipart(10_000_000, &[("part_size", "5368709120")]).await;
    assert_eq!(urls.len(), 1);
    assert_eq!(server.put(&urls[0], &vec![b'x'; 15_000_000]).await.status(), 200);
    let far = server.put(&urls[0], &vec![b'x'; 16_000_000]).await;
    assert_eq!(refusal(far).await, (413, "The size of the request is too large.".into()));
    let odd = urls[0].replace("/multipart/upload/", "/multipart/upload/%ff");
    assert_eq!(refusal(server.put(&odd, b"x").await).await, (403, "Request has expired.".into()));
}
