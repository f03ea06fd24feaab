//! The requests and what each is refused with.

use reqwest::Method;
use serde_json::{Value, json};
use stowage_model::Clock;
use tokio::net::TcpListener;

use super::ask::{KEY, ask, base, from_url, get, post, start};
use super::book::Book;
use super::signed::{bearer, signature};
use crate::stowage::bytes;

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

pub async fn requests(book: &mut Book<'_>) {
    book.refuses("ProjectPublicKeyRequiredError", "UPLOADCARE_PUB_KEY is required.", base(&[])).await;
    book.refuses("ProjectPublicKeyRequiredError", "pub_key is required.", get("/info/")).await;
    book.refuses(
        "ProjectPublicKeyInvalidError",
        "UPLOADCARE_PUB_KEY is invalid.",
        base(&[("UPLOADCARE_PUB_KEY", "x")]),
    )
    .await;
    book.refuses("ProjectPublicKeyInvalidError", "pub_key is invalid.", get("/group/info/?pub_key=x")).await;
    for (key, code, text) in [
        ("blocked", "AccountBlockedError", "Account has been blocked."),
        ("unpaid", "AccountUnpaidError", "Account has been blocked for non payment."),
        ("removed", "ProjectPublicKeyRemovedError", "Project removed is marked as removed."),
        ("off", "UploadFailedError", "Upload failed."),
    ] {
        book.refuses(code, text, base(&[("UPLOADCARE_PUB_KEY", key)])).await;
        book.refuses(code, text, start(&[("UPLOADCARE_PUB_KEY", key)])).await;
        book.refuses(code, text, from_url(key, "http://example.com/")).await;
        book.refuses(code, text, post("/group/", &[("pub_key", key)])).await;
    }
    assert_eq!(base(&[("UPLOADCARE_PUB_KEY", "full")]).send(book.server, "", "*/*").await.0, 200);
    let full = base(&[("UPLOADCARE_PUB_KEY", "full")]);
    book.refuses("AccountLimitsExceededError", "Account has reached its limits.", full).await;
    let strict = base(&[("UPLOADCARE_PUB_KEY", "strict"), ("UPLOADCARE_STORE", "1")]);
    book.refuses("AutostoreDisabledError", "Autostore is disabled.", strict).await;
    book.refuses("MethodNotAllowedError", "HTTP method GET is not allowed for /base/", get("/base/")).await;
    let put = ask(Method::PUT, "/from_url/");
    book.refuses("MethodNotAllowedError", "HTTP method PUT is not allowed for /from_url/", put).await;
    let nul = "Null characters are not allowed.";
    book.refuses("NullCharactersForbiddenError", nul, get("/info/?pub_key=a%00")).await;
    book.refuses("NullCharactersForbiddenError", nul, get("/group/info/?pub_key=demopublickey&group_id=%00")).await;
    for path in ["/base/", "/multipart/start/", "/multipart/complete/", "/from_url/", "/group/"] {
        let form = "application/x-www-form-urlencoded";
        book.refuses("NullCharactersForbiddenError", nul, ask(Method::POST, path).raw(form, b"a=%00")).await;
        let failed = "HTTP POST request parsing failed.";
        for (kind, body) in [
            (form, &b"a=%zz"[..]),
            ("multipart/form-data", b"x"),
            ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nbroken off"),
            ("text/plain", b"a=b"),
            ("application/json", b"{}"),
        ] {
            book.refuses("PostRequestParserFailedError", failed, ask(Method::POST, path).raw(kind, body)).await;
        }
    }
    let many: Vec<(&str, &str)> = vec![("x", "y"); 1201];
    let text = "The request contains too many HTTP POST fields.";
    book.refuses("RequestFiledsNumberLimitExceededError", text, post("/base/", &many)).await;
    book.refuses("RequestFiledsNumberLimitExceededError", text, post("/group/", &many)).await;
    let files = base(&[KEY]).file("2", b"x").file("3", b"x").file("4", b"x");
    book.refuses("RequestFileNumberLimitExceededError", "The request contains too many files.", files).await;
    let large = post("/base/", &[KEY]).file("large", &vec![b'x'; 12_000_001]);
    book.refuses("RequestSizeLimitExceededError", "The size of the request is too large.", large).await;
    let large = post("/base/", &[("UPLOADCARE_PUB_KEY", "small")]).file("large", &vec![b'x'; 10_000_001]);
    book.refuses("FileSizeLimitExceededError", "File is too large.", large).await;
    book.refuses("FilesRequiredError", "Request does not contain files.", post("/base/", &[KEY])).await;
    let id = |id| base(&[("UPLOADCARE_PUB_KEY", "ids"), ("UPLOADCARE_FILE_ID", id)]);
    book.refuses("UploadcareFileIdInvalidError", "UPLOADCARE_FILE_ID should be a valid UUID.", id("x")).await;
    assert_eq!(id(NOBODY).send(book.server, "", "*/*").await.0, 200);
    let text = "UPLOADCARE_FILE_ID is duplicated. You are probably a lottery winner.";
    book.refuses("UploadcareFileIdDuplicatedError", text, id(NOBODY)).await;
    let info = |query: &str| get(format!("/info/?pub_key=demopublickey{query}"));
    book.refuses("FileIdRequiredError", "file_id is required.", info("")).await;
    book.refuses("FileIdInvalidError", "file_id is invalid.", info("&file_id=x")).await;
    book.refuses("FileNotFoundError", "File is not found.", info(&format!("&file_id={NOBODY}"))).await;
}

pub async fn metadata(book: &mut Book<'_>) {
    let long_key = format!("metadata[{}]", "k".repeat(65));
    let long_value = "v".repeat(513);
    let keys: Vec<String> = (0..51).map(|n| format!("metadata[k{n}]")).collect();
    let many: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "v")).collect();
    let tags = vec!["t"; 51].iter().enumerate().map(|(n, t)| format!("{t}{n}")).collect::<Vec<_>>().join(",");
    let with = |fields: &[(&str, &str)]| {
        let url = ("source_url", "http://93.184.216.34/");
        [
            base(&[&[KEY][..], fields].concat()),
            start(&[&[KEY][..], fields].concat()),
            post("/from_url/", &[&[("pub_key", "demopublickey"), url][..], fields].concat()),
        ]
    };
    for (fields, code, text) in [
        (
            &[("metadata[a]", "1"), ("metadata[a]", "2")][..],
            "KeyDuplicated",
            "File's metadata key `a` has a duplicate.",
        ),
        (&[("metadata[]", "1")], "KeyEmpty", "File's metadata key can not be empty."),
        (
            &[("metadata[a b]", "1")],
            "KeyForbidden",
            "File's metadata key `a b` contains symbols not allowed by the metadata key format.",
        ),
        (&[(&long_key, "1")], "KeyLengthTooBig", "Length of file metadata key `%"),
        (&many[..], "KeysNumberTooBig", "A file can not have more than 50 metadata keys."),
        (&[("metadata[a]", "")], "ValueEmpty", "Value of the file metadata key `a` can not be empty."),
        (
            &[("metadata[a]", "\u{1}")],
            "ValueForbidden",
            "Value of file metadata key `a` contains symbols not allowed by the metadata value format.",
        ),
        (
            &[("metadata[a]", &long_value)],
            "ValueLengthTooBig",
            "Value of file metadata's key `a` can not be more than 512 symbols in length.",
        ),
    ] {
        for ask in with(fields) {
            book.refuses(&format!("FileMetadata{code}Error"), text, ask).await;
        }
    }
    for ask in with(&[("tags", tags.as_str())]) {
        book.refuses("UploadViewsError", "Too many tags: 51 (max 50).", ask).await;
    }
}

pub async fn signatures(book: &mut Book<'_>) {
    let expire = (Clock::machine().now().seconds() + 3600).to_string();
    let good = signature(&expire);
    let with = |fields: &[(&str, &str)]| {
        let file = ("source_url", "http://93.184.216.34/");
        let key = [("UPLOADCARE_PUB_KEY", "signed")];
        [
            base(&[&key[..], fields].concat()),
            start(&[&key[..], fields].concat()),
            post("/from_url/", &[&[("pub_key", "signed"), file][..], fields].concat()),
            post("/group/", &[&[("pub_key", "signed"), ("files[0]", NOBODY)][..], fields].concat()),
        ]
    };
    for (fields, code, text) in [
        (&[("expire", expire.as_str())][..], "SignatureRequiredError", "`signature` is required."),
        (&[("signature", &good)], "SignatureExpirationRequiredError", "`expire` is required."),
        (
            &[("signature", &good), ("expire", "1800000000000")],
            "SignatureExpirationInvalidError",
            "`expire` must be a UNIX timestamp.",
        ),
        (&[("signature", &good), ("expire", "60")], "SignatureExpirationError", "Expired signature."),
        (&[("signature", &signature("1")), ("expire", &expire)], "SignatureInvalidError", "Invalid signature."),
    ] {
        for ask in with(fields) {
            book.refuses(code, text, ask).await;
        }
    }
    let now = Clock::machine().now().seconds();
    let claims = |restrictions: Value| json!({"iat": now, "exp": now + 600, "uc": {"restrictions": restrictions}});
    let spent = bearer(&claims(json!({"limits": {"operations": 1}})));
    let first = base(&[("UPLOADCARE_PUB_KEY", "signed")]).header("authorization", spent.as_str());
    assert_eq!(first.send(book.server, "", "*/*").await.0, 200);
    let elsewhere = bearer(&claims(json!({"scope": ["/elsewhere/"]})));
    let expired = bearer(&json!({"iat": now - 1000, "exp": now - 100}));
    let reads = [
        post("/multipart/complete/", &[("UPLOADCARE_PUB_KEY", "signed")]),
        get("/info/?pub_key=signed"),
        get("/group/info/?pub_key=signed"),
    ];
    let all = with(&[]).into_iter().chain(reads);
    for ask in all.clone() {
        let with = |token: &str| ask.clone().header("authorization", token);
        book.refuses("AccessTokenExpiredError", "Expired token.", with(&expired)).await;
        let text = "Invalid token. Reason: unreadable or not a JWT";
        book.refuses("AccessTokenInvalidError", text, with("Bearer x")).await;
        book.refuses("AccessTokenInvalidError", "Invalid Authorization header format.", with("Basic x")).await;
        let text = "`uc.restrictions.scope` does not allow this endpoint.";
        book.refuses("ScopeForbiddenError", text, with(&elsewhere)).await;
    }
    for ask in with(&[]) {
        let ask = ask.header("authorization", spent.as_str());
        book.refuses("OperationsLimitExceededError", "The operation limit of the token is exhausted.", ask).await;
    }
    for ask in with(&[("expire", "1")]) {
        let text = "Do not use `signature` or `expire` together with a Bearer token.";
        book.refuses("AccessTokenInvalidError", text, ask.header("authorization", elsewhere.as_str())).await;
    }
}

pub async fn multiparts(book: &mut Book<'_>) {
    for (fields, code, text) in [
        (&[("filename", "")][..], "RequestParamRequired", "filename is required."),
        (&[("size", "")], "RequestParamRequired", "size is required."),
        (&[("content_type", "")], "RequestParamRequired", "content_type is required."),
        (&[("size", "abc")], "MultipartSizeInvalid", "size should be integer."),
        (&[("size", "15000000.5")], "MultipartSizeInvalid", "size should be integer."),
        (&[("size", "1000000000000000")], "MultipartFileSizeLimitExceeded", "File size exceeds project limit."),
        (
            &[("size", "9999999")],
            "MultipartFileSizeTooSmall",
            "File size can not be less than 10000000 bytes. Please use direct upload instead of multipart.",
        ),
        (&[("part_size", "x")], "MultipartPartSizeInvalid", "Multipart Upload Part Size should be an integer."),
        (
            &[("part_size", "5368709121")],
            "MultipartPartSizeTooBig",
            "Multipart Upload Part Size can not be more than 5368709120 bytes.",
        ),
        (
            &[("part_size", "5242879")],
            "MultipartPartSizeTooSmall",
            "Multipart Upload Part Size can not be less than 5242880 bytes.",
        ),
    ] {
        book.refuses(&format!("{code}Error"), text, start(fields)).await;
    }
    let complete = |id: &str| post("/multipart/complete/", &[KEY, ("uuid", id)]);
    book.refuses("MultipartFileIdRequiredError", "uuid is required.", complete("")).await;
    book.refuses("UUIDInvalidError", "uuid is invalid.", complete("x")).await;
    book.refuses("MultipartFileNotFoundError", "File is not found.", complete(NOBODY)).await;
    let begin = async |size: usize| {
        let (_, text, _) = start(&[("size", &size.to_string())]).send(book.server, "", "*/*").await;
        let begun: Value = serde_json::from_str(&text).unwrap();
        let urls: Vec<String> =
            begun["parts"].as_array().unwrap().iter().map(|url| url.as_str().unwrap().to_owned()).collect();
        (begun["uuid"].as_str().unwrap().to_owned(), urls)
    };
    let put = async |url: &str, len: usize| {
        let sent = book.server.http.put(url).body(bytes(1, len)).send().await.unwrap();
        assert_eq!(sent.status(), 200);
    };
    let (part, size) = (5 << 20, 11_000_000);
    let (id, urls) = begin(size).await;
    put(&urls[0], part).await;
    let (whole, whole_urls) = begin(size).await;
    for (url, len) in whole_urls.iter().zip([part, part, size - 2 * part]) {
        put(url, len).await;
    }
    let (long, long_urls) = begin(size).await;
    let (wrong, wrong_urls) = begin(size).await;
    for (url, len) in long_urls.iter().zip([part, part, part]) {
        put(url, len).await;
    }
    // The middle is missing, the sum is right: a last part may be longer than it should.
    for (url, len) in wrong_urls.iter().zip([part, size - 2 * part, part]) {
        put(url, len).await;
    }
    let text = "File size mismatch. Not all parts uploaded?";
    book.refuses("MultipartUploadSizeTooSmallError", text, complete(&id)).await;
    book.refuses("MultipartUploadSizeTooLargeError", "Uploaded size is more than expected.", complete(&long)).await;
    let text = "Can not complete upload. Wrong parts size?";
    book.refuses("MultipartFileCompletionFailedError", text, complete(&wrong)).await;
    assert_eq!(complete(&whole).send(book.server, "", "*/*").await.0, 200);
    book.refuses("MultipartFileAlreadyUploadedError", "File is already uploaded.", complete(&whole)).await;
}

pub async fn contents(book: &mut Book<'_>) {
    let images = |content: &[u8]| post("/base/", &[("UPLOADCARE_PUB_KEY", "images")]).file("a.svg", content);
    let text = "Uploading of these file types is not allowed.";
    book.refuses("FileTypeForbiddenError", text, images(b"plain text")).await;
    let evil = images(b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>x</script></svg>");
    book.refuses("SVGMaliciousContentError", "SVG contains malicious content: %", evil).await;
    let broken = images(b"<svg xmlns=\"http://www.w3.org/2000/svg\"><g></svg>");
    book.refuses("SVGValidationFailedError", "SVG validation failed: %", broken).await;
    let infected = post("/base/", &[KEY]).file("a", b"EICAR");
    book.refuses("FileInfectedError", "The file is infected by Win.Test.EICAR_HDB-1 virus.", infected).await;
}

pub async fn groups_and_urls(book: &mut Book<'_>) {
    let group = |fields: &[(&str, &str)]| post("/group/", &[&[("pub_key", "demopublickey")], fields].concat());
    book.refuses("GroupFilesInvalidError", "No files[N] parameters found.", group(&[])).await;
    let text = "This is not valid file url: nope.";
    book.refuses("GroupFileURLParsingFailedError", text, group(&[("files[0]", "nope")])).await;
    book.refuses("GroupFilesNotFoundError", "Some files not found.", group(&[("files[0]", NOBODY)])).await;
    let many = vec![("files[]", NOBODY); 1001];
    book.refuses("FilesNumberLimitExceededError", "There are too many files.", group(&many)).await;
    let info = |query: &str| get(format!("/group/info/?pub_key=demopublickey{query}"));
    book.refuses("GroupIdRequiredError", "group_id is required.", info("")).await;
    book.refuses("GroupNotFoundError", "group_id is invalid.", info("&group_id=x")).await;
    book.refuses("GroupNotFoundError", "group_id is invalid.", info(&format!("&group_id={NOBODY}~1"))).await;
    for (url, code, text) in [
        ("", "SourceURLRequired", "source_url is required."),
        ("nope", "URLSchemeRequired", "No URL scheme supplied."),
        ("http://", "URLHostRequired", "No URL host supplied."),
        ("ftp://example.com/a.jpg", "URLSchemeInvalid", "Invalid URL scheme."),
        ("http://[::1", "URLParsingFailed", "Failed to parse URL."),
        ("http://192.168.1.10/1.jpg", "URLHostPrivateIPForbidden", "Only public IPs are allowed."),
        ("http://-bad-.example.com/", "URLHostMalformed", "URL host is malformed."),
        ("http://user@example.com/", "URLValidation", "Failed to validate URL."),
        ("http://blocked.example.com/", "URLBlacklisted", "Source is blacklisted."),
        ("http://does-not-exist.invalid/", "HostnameNotFound", "Host does not exist."),
    ] {
        book.refuses(&format!("{code}Error"), text, from_url("demopublickey", url)).await;
    }
    book.refuses("TokenRequiredError", "token is required.", get("/from_url/status/")).await;
}

pub async fn downloads(book: &mut Book<'_>, origin: &str) {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (path, key, code, text) in [
        ("/404", "demopublickey", "HTTPClient", "HTTP client error: 404."),
        ("/500", "demopublickey", "HTTPServer", "HTTP server error: 500."),
        ("/204", "demopublickey", "", "Failed to download the file."),
        ("/short", "demopublickey", "HTTPNetwork", "HTTP network error: %"),
        ("/loop", "demopublickey", "HTTPURLValidation", "HTTP URL validation error: Too many redirects."),
        ("/large", "tiny", "SizeLimitExceeded", "Downloaded file is too big: 2000 > 1000."),
        ("/x", "images", "ValidationFailed", "File validation error: Uploading of these file types is not allowed."),
        (
            "/slow",
            "demopublickey",
            "TimeLimitExceeded",
            "Failed to download the file within the allotted time limit of 2 seconds.",
        ),
    ] {
        book.fails(&format!("DownloadFile{code}Error"), text, key, &format!("{origin}{path}")).await;
    }
    let gone = format!("http://{closed}/");
    book.fails("DownloadFileHTTPNetworkError", "HTTP network error: %", "demopublickey", &gone).await;
}
