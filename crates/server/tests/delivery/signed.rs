//! Signed delivery: nothing goes out without a token.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::paint::png;
use crate::support::{START, Server};

const OLD: &str = "00112233445566778899aabbccddeeff";
const NEW: &str = "ffeeddccbbaa99887766554433221100ff";

fn config() -> String {
    format!(
        "[[projects]]\npublic_key = \"demopublickey\"\nsecret_keys = [\"demosecretkey\"]\nsigned_delivery = true\n\
         delivery_secrets = [\"{OLD}\", \"{NEW}\"]\n"
    )
}

fn token(secret: &str, fields: &str, signed: &str) -> String {
    let digits = secret.as_bytes().chunks_exact(2);
    let key: Vec<u8> = digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect();
    let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(signed);
    let bytes = mac.finalize().into_bytes();
    let hmac = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    format!("{fields}~hmac={hmac}")
}

/// A token for these paths, good for five minutes from the start.
fn acl(secret: &str, acl: &str) -> String {
    let fields = format!("exp={}~acl={acl}", START.seconds() + 300);
    token(secret, &fields, &fields)
}

#[tokio::test]
async fn addresses_need_a_token() {
    let server = Server::with(&config(), &[]).await;
    let id = server.file("a.png", &png(20, 20, [1; 3], [2; 3]), "image/png").await;
    let group = server.group(&[&id]).await;
    let ask = async |path: &str, token: &str| {
        let query = if token.is_empty() { String::new() } else { format!("?token={token}") };
        server.get(&format!("{path}{query}")).send().await.unwrap()
    };
    let status = async |path: &str, token: &str| ask(path, token).await.status().as_u16();
    for path in [
        format!("/{id}/"),
        format!("/{id}/-/preview/"),
        format!("/{id}/-/nope/"),
        format!("/{id}/-/json/"),
        format!("/{id}/detect_faces/"),
        format!("/{group}/"),
        format!("/{group}/nth/0/"),
        format!("/{group}/archive/zip/"),
        "/11111111-2222-4333-8444-555555555555/".to_owned(),
        "/11111111-2222-4333-8444-555555555555~1/".to_owned(),
    ] {
        let closed = ask(&path, "").await;
        assert_eq!((closed.status().as_u16(), &closed.headers()["cache-control"]), (403, &"no-store".parse().unwrap()));
        assert!(closed.text().await.unwrap().contains("403: Forbidden"), "{path}");
        assert_eq!(status(&path, &acl("00", "/*")).await, 403, "{path}");
    }
    for secret in [OLD, NEW] {
        let all = acl(secret, &format!("/{id}/*"));
        for rest in ["", "a.png", "-/preview/10x10/", "-/preview/10x10/a.png", "-/json/", "detect_faces/"] {
            let opened = ask(&format!("/{id}/{rest}"), &all).await;
            assert_eq!(opened.status(), 200, "{rest}");
            assert!(opened.headers()["cache-control"].to_str().unwrap().starts_with("private, max-age="), "{rest}");
        }
        assert_eq!(status(&format!("/{group}/nth/0/"), &all).await, 403, "of another path");
    }
    let one = acl(OLD, &format!("/{id}/"));
    assert_eq!((status(&format!("/{id}/"), &one).await, status(&format!("/{id}/a.png"), &one).await), (200, 403));
    let exact = acl(OLD, &format!("/{id}/-/preview/10x10/"));
    assert_eq!(status(&format!("/{id}/-/preview/10x10/"), &exact).await, 200);
    assert_eq!(status(&format!("/{id}/-/preview/20x20/"), &exact).await, 403, "operations are not anybody's to change");
    let escaped = group.replace('~', "%7e");
    assert_eq!(status(&format!("/{group}/nth/0/"), &acl(OLD, &format!("/{escaped}/*"))).await, 200);
    let by_url = token(OLD, "exp=2000000000", &format!("exp=2000000000~url=%2f{id}%2f"));
    assert_eq!((status(&format!("/{id}/"), &by_url).await, status(&format!("/{id}/x"), &by_url).await), (200, 403));
    let missing = "/11111111-2222-4333-8444-555555555555/";
    assert_eq!(status(missing, &acl(OLD, "/*")).await, 404, "whoever has a token may know");
    let page = ask(&format!("/{group}/"), &acl(OLD, &format!("/{escaped}/*"))).await;
    let page = page.text().await.unwrap();
    assert!(page.contains("nth/0/?token=exp=") && page.contains("-/preview/200x200/?token=exp="), "{page}");

    server.clock.advance(std::time::Duration::from_secs(299));
    assert_eq!(status(&format!("/{id}/"), &one).await, 200);
    server.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(status(&format!("/{id}/"), &one).await, 403);
}

#[tokio::test]
async fn other_projects_stay_open() {
    let open = "[[projects]]\npublic_key = \"other\"\nsecret_keys = []\n";
    let server = Server::with(&format!("{}{open}", config()), &[]).await;
    let form = reqwest::multipart::Form::new()
        .text("UPLOADCARE_PUB_KEY", "other")
        .part("file", crate::support::part("a.txt", b"hello", "text/plain"));
    let answer = server.http.post(server.url("/base/")).multipart(form).send().await.unwrap();
    let id = crate::support::json(answer).await["file"].as_str().unwrap().to_owned();
    let opened = server.get(&format!("/{id}/")).send().await.unwrap();
    assert_eq!(
        (opened.status().as_u16(), &opened.headers()["cache-control"]),
        (200, &"public, max-age=31536000".parse().unwrap())
    );
    let missing = "/11111111-2222-4333-8444-555555555555/";
    assert_eq!(server.get(missing).send().await.unwrap().status(), 404);
}
