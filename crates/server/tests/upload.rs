//! The upload door: `/base/` and `/info/`, successes and every refusal.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use reqwest::header;
use reqwest::multipart::Form;
use support::{PNG, Server, json, part, refusal, shown};

#[tokio::test]
async fn a_file_is_uploaded_and_known() {
    let server = Server::start().await;
    let fields = [
        ("UPLOADCARE_STORE", "auto"),
        ("metadata[subsystem]", "uploader"),
        ("metadata[n]", "56"),
        ("tags", "Cat, dog"),
        ("source", "local"),
    ];
    let answer = server.upload(&fields, &[("file", "photo (1).png", PNG, "image/png")]).await;
    insta::assert_snapshot!("base", shown(answer).await);
    let again = server.upload(&[], &[("file", "hello.txt", b"hello\n", "text/plain; charset=utf-8")]).await;
    let id = json(again).await["file"].as_str().unwrap().to_owned();
    let answer = server.get(&format!("/info/?pub_key=demopublickey&file_id={id}&jsonerrors=1")).send().await.unwrap();
    insta::assert_snapshot!("info", shown(answer).await);
}

#[tokio::test]
async fn a_picture_has_its_facts() {
    let server = Server::start().await;
    let id = server.file("renamed.txt", PNG, "text/plain").await;
    insta::assert_snapshot!("info_image", serde_json::to_string_pretty(&server.info(&id).await).unwrap());
}

#[tokio::test]
async fn several_files_share_a_request_and_fields_may_come_last() {
    let server = Server::start().await;
    let form = Form::new()
        .part("sample1.txt", part("one.txt", b"1", "text/plain"))
        .part("sample2.txt", part("two.txt", &vec![b'x'; 300_000], "text/plain"))
        .part("sample1.txt", part("three.txt", b"333", "text/plain"))
        .text("metadata[k]", "v")
        .text("UPLOADCARE_STORE", "1")
        .text("UPLOADCARE_PUB_KEY", "demopublickey");
    let answer =
        server.http.post(server.url("/base/?jsonerrors=1")).multipart(form.percent_encode_noop()).send().await.unwrap();
    let ids = json(answer).await;
    assert_eq!(ids.as_object().unwrap().len(), 2);
    let last = server.info(ids["sample1.txt"].as_str().unwrap()).await;
    let two = server.info(ids["sample2.txt"].as_str().unwrap()).await;
    assert_eq!((&last["original_filename"], &last["size"]), (&"three.txt".into(), &3.into()));
    assert_eq!((&two["original_filename"], &two["size"]), (&"two.txt".into(), &300_000.into()));
    for file in [&last, &two] {
        assert_eq!((&file["is_stored"], &file["metadata"]["k"]), (&true.into(), &"v".into()));
    }
}

#[tokio::test]
async fn the_store_flag() {
    let project = "[[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = []\n";
    let auto = Server::start().await;
    let off = Server::with(&format!("{project}autostore = false\n"), &[]).await;
    let default_auto = Server::with(&format!("{project}store_default = \"auto\"\n"), &[]).await;
    for (server, flag, stored) in [
        (&auto, Some("0"), false),
        (&auto, Some("1"), true),
        (&auto, Some("auto"), true),
        (&auto, Some("nonsense"), false),
        (&auto, None, false),
        (&off, Some("auto"), false),
        (&off, Some("1"), true),
        (&default_auto, None, true),
    ] {
        let fields: Vec<_> = flag.map(|flag| ("UPLOADCARE_STORE", flag)).into_iter().collect();
        let answer = json(server.upload(&fields, &[("file", "a", b"x", "text/plain")]).await).await;
        assert_eq!(server.info(answer["file"].as_str().unwrap()).await["is_stored"], stored, "{flag:?}");
    }
    let strict = Server::with(&format!("{project}autostore = false\nstrict_autostore = true\n"), &[]).await;
    let answer = strict.upload(&[("UPLOADCARE_STORE", "1")], &[("file", "a", b"x", "text/plain")]).await;
    assert_eq!(refusal(answer).await, (403, "Autostore is disabled.".into()));
}

#[tokio::test]
async fn types_are_declared_and_detected() {
    let server = Server::start().await;
    let zeros = [b'0'; 1000];
    let exe = server.info(&server.file("_mem.exe", &zeros, "application/x-msdownload").await).await;
    assert_eq!((&exe["mime_type"], &exe["is_image"]), (&"application/x-msdownload".into(), &false.into()));
    assert_eq!(exe["content_info"]["mime"]["mime"], "text/plain");
    // Passed through unchanged, with parameters and in their case.
    let body = "--b\r\nContent-Disposition: form-data; name=\"UPLOADCARE_PUB_KEY\"\r\n\r\ndemopublickey\r\n\
                --b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\
                Content-Type: text/html; charset=UTF-8\r\n\r\nplain text\r\n--b--\r\n";
    let answer = json(raw(&server, "multipart/form-data; boundary=b", body.as_bytes()).await).await;
    assert_eq!(server.info(answer["f"].as_str().unwrap()).await["mime_type"], "text/html; charset=UTF-8");
    // No declared type at all: the detected one.
    let body = "--b\r\nContent-Disposition: form-data; name=\"UPLOADCARE_PUB_KEY\"\r\n\r\ndemopublickey\r\n\
                --b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\"\r\n\r\nplain text\r\n--b--\r\n";
    let answer = json(raw(&server, "multipart/form-data; boundary=b", body.as_bytes()).await).await;
    let none = server.info(answer["f"].as_str().unwrap()).await;
    assert_eq!((&none["mime_type"], &none["original_filename"]), (&"text/plain".into(), &"original".into()));
    let empty = server.info(&server.file("empty.bin", b"", "application/x-thing").await).await;
    assert_eq!(
        (&empty["size"], &empty["content_info"]["mime"]["mime"]),
        (&0.into(), &"application/octet-stream".into())
    );
}

async fn raw(server: &Server, content_type: &str, body: &[u8]) -> reqwest::Response {
    let request = server.http.post(server.url("/base/")).header(header::CONTENT_TYPE, content_type);
    request.body(body.to_vec()).send().await.unwrap()
}

#[tokio::test]
async fn refusals_have_two_forms_and_cors() {
    let server = Server::start().await;
    let refused = |query: &'static str, accept: &'static str| {
        let form = Form::new().part("file", part("a", b"x", "text/plain"));
        let request = server.http.post(server.url(&format!("/base/{query}"))).header(header::ACCEPT, accept);
        async move { request.multipart(form.percent_encode_noop()).send().await.unwrap() }
    };
    insta::assert_snapshot!("refusal_text", shown(refused("", "*/*").await).await);
    insta::assert_snapshot!("refusal_json", shown(refused("?jsonerrors=1", "*/*").await).await);
    let by_accept = refused("", "text/html;q=0.5, application/json").await;
    assert_eq!(by_accept.status(), 200);
    let form = Form::new().text("jsonerrors", "1");
    let by_field = server.http.post(server.url("/base/")).multipart(form.percent_encode_noop()).send().await.unwrap();
    assert_eq!(by_field.status(), 200);
    let preflight = server.http.request(reqwest::Method::OPTIONS, server.url("/base/")).send().await.unwrap();
    insta::assert_snapshot!("preflight", shown(preflight).await);
    let id = |answer: &reqwest::Response| answer.headers()["x-uploadcare-request-id"].clone();
    assert_ne!(id(&by_accept), id(&by_field));
}

#[tokio::test]
async fn every_refusal_of_base() {
    let server = Server::start().await;
    let text = |fields: &'static [(&'static str, &'static str)]| {
        let server = &server;
        async move { refusal(server.upload(fields, &[("file", "a.txt", b"x", "text/plain")]).await).await }
    };
    for (fields, status, message) in [
        (&[("metadata[]", "1")][..], 400, "File's metadata key can not be empty."),
        (
            &[("metadata[a b]", "1")],
            400,
            "File's metadata key `a b` contains symbols not allowed by the metadata key format.",
        ),
        (&[("metadata[a]", "1"), ("metadata[a]", "2")], 400, "File's metadata key `a` has a duplicate."),
        (&[("metadata[a]", "")], 400, "Value of the file metadata key `a` can not be empty."),
        (
            &[("metadata[a]", "\u{7}")],
            400,
            "Value of file metadata key `a` contains symbols not allowed by the metadata value format.",
        ),
        (&[("tags", "a b")], 400, "Tag `a b` contains forbidden characters."),
        (&[("x", "a\0b")], 400, "Null characters are not allowed."),
    ] {
        assert_eq!(text(fields).await, (status, message.to_owned()), "{fields:?}");
    }
    let empty = refusal(server.upload(&[], &[]).await).await;
    assert_eq!(empty, (400, "Request does not contain files.".into()));
    let no_key = Form::new().part("file", part("a", b"x", "text/plain"));
    let unknown_key = Form::new().text("UPLOADCARE_PUB_KEY", "nobody").part("file", part("a", b"x", "text/plain"));
    // A NUL that stands in the head of a part itself breaks the head.
    let nul_name =
        Form::new().text("UPLOADCARE_PUB_KEY", "demopublickey").part("file", part("a\0b", b"x", "text/plain"));
    for (form, message) in [
        (no_key, (403, "UPLOADCARE_PUB_KEY is required.")),
        (unknown_key, (403, "UPLOADCARE_PUB_KEY is invalid.")),
        (nul_name, (400, "HTTP POST request parsing failed.")),
    ] {
        let answer = server.http.post(server.url("/base/")).multipart(form.percent_encode_noop()).send().await.unwrap();
        assert_eq!(refusal(answer).await, (message.0, message.1.to_owned()));
    }
    let broken: [(&str, &[u8]); 7] = [
        ("multipart/form-data", b"--b\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\ncut o"),
        ("multipart/form-data; boundary=b", b"no boundary at all"),
        ("multipart/form-data; boundary=b", b""),
        ("application/json", b"{}"),
        ("application/x-www-form-urlencoded", b"a=%zz"),
        ("", b"x"),
    ];
    for (content_type, body) in broken {
        let answer = refusal(raw(&server, content_type, body).await).await;
        assert_eq!(answer, (400, "HTTP POST request parsing failed.".into()), "{content_type} {body:?}");
    }
    let nothing = server.http.post(server.url("/base/")).send().await.unwrap();
    assert_eq!(refusal(nothing).await, (403, "UPLOADCARE_PUB_KEY is required.".into()));
    let urlencoded = raw(&server, "application/x-www-form-urlencoded", b"UPLOADCARE_PUB_KEY=demopublickey").await;
    assert_eq!(refusal(urlencoded).await, (400, "Request does not contain files.".into()));
    let nul = raw(&server, "application/x-www-form-urlencoded", b"UPLOADCARE_PUB_KEY=demopublickey&x%00=a").await;
    assert_eq!(refusal(nul).await, (400, "Null characters are not allowed.".into()));
    let get = server.get("/base/").send().await.unwrap();
    assert_eq!(get.headers()["allow"], "POST, OPTIONS");
    assert_eq!(refusal(get).await, (405, "HTTP method GET is not allowed for /base/".into()));
}

#[tokio::test]
async fn limits_of_a_request() {
    let server = Server::with(
        "[uploads]\nrequest_size = \"1MiB\"\nfield_size = \"1KiB\"\nfields = 3\nfiles = 2\n\
         [[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = []\nmax_file_size = 1000\n",
        &[],
    )
    .await;
    let file = |size: usize| -> Vec<u8> { vec![b'x'; size] };
    let fits = server.upload(&[("a", "1"), ("b", "2")], &[("f", "a", &file(1000), "text/plain")]).await;
    assert_eq!(fits.status(), 200);
    let too_large = server.upload(&[], &[("f", "a", &file(1001), "text/plain")]).await;
    assert_eq!(refusal(too_large).await, (400, "File is too large.".into()));
    let fields = server.upload(&[("a", "1"), ("b", "2"), ("c", "3")], &[]).await;
    assert_eq!(refusal(fields).await, (400, "The request contains too many HTTP POST fields.".into()));
    let part = ("f", "a", &b"x"[..], "text/plain");
    let files = server.upload(&[], &[part, part, part]).await;
    assert_eq!(refusal(files).await, (400, "The request contains too many files.".into()));
    let too_much = (413, "The size of the request is too large.".to_owned());
    let announced = server.upload(&[], &[("f", "a", &file(20 << 20), "text/plain")]).await;
    assert_eq!(refusal(announced).await, too_much);
    let counted = server.upload(&[], &[("f", "a", &file(2 << 20), "text/plain")]).await;
    assert_eq!(refusal(counted).await, too_much);
    let field = "y".repeat(1025);
    let long_field = server.upload(&[("a", &field)], &[part]).await;
    assert_eq!(refusal(long_field).await, too_much);
    // A preamble that never ends must not be kept in memory.
    let preamble = raw(&server, "multipart/form-data; boundary=b", &file(3 << 20)).await;
    assert_eq!(refusal(preamble).await, (400, "HTTP POST request parsing failed.".into()));
}

#[tokio::test]
async fn a_refused_upload_leaves_nothing() {
    let server = Server::start().await;
    let large = vec![b'x'; 5 << 20];
    for _ in 0..3 {
        let answer =
            server.upload(&[("metadata[]", "1")], &[("a", "a", &large, "a/b"), ("b", "b", b"small", "a/b")]).await;
        assert_eq!(answer.status(), 400);
    }
    // A temporary file is removed beside the answer, not before it.
    for _ in 0..100 {
        if server.blob_bytes() == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(server.blob_bytes(), 0, "no blob and no temporary file is left");
    let id = server.file("a", &large, "a/b").await;
    assert_eq!(server.info(&id).await["size"], 5 << 20);
}

#[tokio::test]
async fn states_of_a_project() {
    for (setting, status, message) in [
        ("account_state = \"blocked\"", 403, "Account has been blocked."),
        ("account_state = \"unpaid\"", 403, "Account has been blocked for non payment."),
        ("removed = true", 403, "Project demopublickey is marked as removed."),
        ("uploads_enabled = false", 403, "Upload failed."),
        ("allowed_types = [\"image/*\"]", 400, "Uploading of these file types is not allowed."),
        ("blocked_types = [\"text/plain\"]", 400, "Uploading of these file types is not allowed."),
    ] {
        let file = format!("[[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = []\n{setting}\n");
        let server = Server::with(&file, &[]).await;
        let answer = server.upload(&[], &[("file", "fake.png", b"just text", "image/png")]).await;
        assert_eq!(refusal(answer).await, (status, message.to_owned()), "{setting}");
    }
}

#[tokio::test]
async fn signed_uploads() {
    let file = "[[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = [\"old\", \"demosecretkey\"]\nsigned_uploads = true\n";
    let server = Server::with(file, &[]).await;
    let part = ("file", "a", &b"x"[..], "text/plain");
    let good = hmac("demosecretkey", "1704164700");
    let fields = [("signature", good.as_str()), ("expire", "1704164700")];
    assert_eq!(server.upload(&fields, &[part]).await.status(), 200);
    server.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(refusal(server.upload(&fields, &[part]).await).await, (403, "Expired signature.".into()));
    assert_eq!(refusal(server.upload(&[], &[part]).await).await, (400, "`signature` is required.".into()));
    // While the project does not ask for them, both are ignored.
    let open = Server::start().await;
    let fields = [("signature", "nonsense"), ("expire", "60")];
    assert_eq!(open.upload(&fields, &[part]).await.status(), 200);
}

fn hmac(secret: &str, message: &str) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(message);
    mac.finalize().into_bytes().iter().fold(String::new(), |text, b| text + &format!("{b:02x}"))
}

#[tokio::test]
async fn an_id_may_be_chosen_where_allowed() {
    let chosen = "11111111-2222-4333-8444-555555555555";
    let file = "[[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = []\nallow_client_file_id = true\n";
    let server = Server::with(file, &[]).await;
    let part = ("file", "a", &b"x"[..], "text/plain");
    let answer = server.upload(&[("UPLOADCARE_FILE_ID", chosen)], &[part]).await;
    assert_eq!(json(answer).await["file"], chosen);
    let taken = server.upload(&[("UPLOADCARE_FILE_ID", chosen)], &[part]).await;
    assert_eq!(
        refusal(taken).await,
        (400, "UPLOADCARE_FILE_ID is duplicated. You are probably a lottery winner.".into())
    );
    // What was kept before the clash was seen is given back.
    let before = server.blob_bytes();
    let large = vec![b'x'; 3 << 20];
    let clash = server.upload(&[("UPLOADCARE_FILE_ID", chosen)], &[("file", "a", &large, "text/plain")]).await;
    assert_eq!(clash.status(), 400);
    for _ in 0..100 {
        if server.blob_bytes() == before {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(server.blob_bytes(), before);
    let invalid = server.upload(&[("UPLOADCARE_FILE_ID", "x")], &[part]).await;
    assert_eq!(refusal(invalid).await, (400, "UPLOADCARE_FILE_ID should be a valid UUID.".into()));
    let ignoring = Server::start().await;
    let answer = ignoring.upload(&[("UPLOADCARE_FILE_ID", chosen)], &[part]).await;
    assert_ne!(json(answer).await["file"], chosen);
}

#[tokio::test]
async fn info_and_its_refusals() {
    let server = Server::start().await;
    let id = server.file("a", b"x", "a/b").await;
    let ask = |query: String| {
        let request = server.get(&format!("/info/?{query}"));
        async move { refusal(request.send().await.unwrap()).await }
    };
    for (query, status, message) in [
        (String::new(), 403, "pub_key is required."),
        ("pub_key=".into(), 403, "pub_key is required."),
        (format!("pub_key=nobody&file_id={id}"), 403, "pub_key is invalid."),
        ("pub_key=demopublickey".into(), 400, "file_id is required."),
        ("pub_key=demopublickey&file_id=nope".into(), 400, "file_id is invalid."),
        ("pub_key=demopublickey&file_id=%00".into(), 400, "Null characters are not allowed."),
        (format!("pub_key=demopublickey&file_id={}", "0".repeat(8) + &id[8..]), 404, "File is not found."),
    ] {
        assert_eq!(ask(query.clone()).await, (status, message.to_owned()), "{query}");
    }
    for path in ["/info", "//info//"] {
        let answer = server.get(&format!("{path}?UPLOADCARE_PUB_KEY=demopublickey&file_id={id}")).send().await.unwrap();
        assert_eq!(json(answer).await["uuid"], id.as_str(), "{path}");
    }
    let head =
        server.http.head(server.url(&format!("/info/?pub_key=demopublickey&file_id={id}"))).send().await.unwrap();
    assert_eq!((head.status().as_u16(), &head.headers()["content-type"]), (200, &"application/json".parse().unwrap()));
}

#[tokio::test]
async fn a_file_belongs_to_its_project() {
    let two = "[[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = []\n[[projects]]\npublic_key = \"other\"\nsecret_keys = []\n";
    let server = Server::with(two, &[]).await;
    let id = server.file("a", b"x", "a/b").await;
    let answer = server.get(&format!("/info/?pub_key=other&file_id={id}")).send().await.unwrap();
    assert_eq!(refusal(answer).await, (404, "File is not found.".into()));
}

#[tokio::test]
async fn parameters_are_found_wherever_they_are_given() {
    let server = Server::start().await;
    let form = "application/x-www-form-urlencoded";
    let post = |path: &'static str, kind: &'static str, body: &'static str| {
        let request = server.http.post(server.url(path)).header(header::CONTENT_TYPE, kind);
        async move { refusal(request.body(body).send().await.unwrap()).await }
    };
    // An empty value in the body is none.
    let nothing = (400, "Request does not contain files.".to_owned());
    assert_eq!(post("/base/?UPLOADCARE_PUB_KEY=demopublickey", form, "UPLOADCARE_PUB_KEY=").await, nothing);
    // A request without a body may say of it what it likes.
    for kind in ["multipart/form-data", "text/html", "application/json"] {
        assert_eq!(post("/base/?UPLOADCARE_PUB_KEY=demopublickey", kind, "").await, nothing, "{kind}");
    }
    let status = server.get("/from_url/status/?token=x").header(header::CONTENT_TYPE, "text/html").send().await;
    assert_eq!(status.unwrap().text().await.unwrap(), "{\"status\":\"unknown\"}");
    // What is no text was given all the same.
    let invalid = server.get("/info/?pub_key=demopublickey&file_id=%ff").send().await.unwrap();
    assert_eq!(refusal(invalid).await, (400, "file_id is invalid.".into()));
    let plain = server.get("/info/").header(header::ACCEPT, "text/plain, application/json;q=0").send().await.unwrap();
    assert_eq!(refusal(plain).await, (403, "pub_key is required.".into()));
}

#[tokio::test]
async fn text_fields_are_small_all_together() {
    let server = Server::start().await;
    for path in ["/base/", "/group/"] {
        let mut form = Form::new();
        for at in 0..100 {
            form = form.text(format!("field{at}"), "x".repeat(60_000));
        }
        let answer = server.http.post(server.url(path)).multipart(form).send().await.unwrap();
        assert_eq!(refusal(answer).await, (413, "The size of the request is too large.".into()));
    }
}
