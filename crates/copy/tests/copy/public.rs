//! Public copies.

use stowage_copy::{Order, Outcome, Source};
use stowage_model::AclMode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::proxy::{Deed, Proxy, refusal};
use crate::support::{MIB, Notes, Stand, code, order, target};

fn public(key: &str, len: usize) -> Order<'_> {
    Order { make_public: true, ..order(Source::Bytes(vec![7; len].into()), key) }
}

/// Whether somebody without keys gets an object.
async fn everybody_reads(stand: &Stand, key: &str) -> bool {
    let address = stand.endpoint.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let get = format!("GET /{}/{key} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n", stand.bucket);
    stream.write_all(get.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    match &status[9..] {
        b"200" => true,
        b"403" => false,
        _ => panic!("{}", String::from_utf8_lossy(&status)),
    }
}

#[tokio::test]
async fn acls_make_copies_public() {
    let Some(stand) = Stand::with_acls().await else { return };
    let target_of = |acl| {
        let mut settings = stand.settings();
        settings.acl = acl;
        target(settings)
    };
    for (mode, expected) in [(AclMode::Auto, true), (AclMode::Acl, true), (AclMode::None, false)] {
        let target = target_of(mode);
        for len in [10, 65 * MIB] {
            let name = format!("{mode:?}-{len}");
            assert_eq!(stand.order(&target, public(&name, len), &Notes::default()).await, Ok(Outcome::Copied));
            // The server of the tests makes everything public that comes in parts, unless an ACL says something else.
            if expected || len == 10 {
                assert_eq!(everybody_reads(&stand, &name).await, expected, "{name}");
            }
        }
        let private = format!("{mode:?}-private");
        stand.copy(&target, Source::Bytes("private".into()), &private).await.unwrap();
        assert!(!everybody_reads(&stand, &private).await);
    }
}

#[tokio::test]
async fn without_acls_copies_are_made_all_the_same_and_that_is_remembered() {
    for refused in [("AccessControlListNotSupported", 400), ("AccessDenied", 403), ("NotImplemented", 501)] {
        let Some(mut stand) = Stand::new().await else { return };
        let proxy = Proxy::start(&stand.endpoint, move |request| match request.header("x-amz-acl") {
            Some(_) => refusal(refused.1, refused.0),
            None => Deed::Pass,
        });
        let proxy = proxy.await;
        stand.endpoint.clone_from(&proxy.endpoint);
        let lenient = target(stand.settings());
        let asked = || proxy.count(|request| request.header("x-amz-acl").is_some());
        for (name, len) in [("small", 10), ("large", 65 * MIB), ("again", 10)] {
            let made = stand.order(&lenient, public(name, len), &Notes::default()).await;
            assert_eq!(made, Ok(Outcome::Copied), "{refused:?} {name}");
            assert_eq!(stand.get(name).await.unwrap().1.len(), len);
        }
        assert!(asked() <= 2, "asked for once, or twice where it might have been the condition");
        let mut settings = stand.settings();
        settings.acl = AclMode::Acl;
        let strict = target(settings);
        assert_eq!(code(stand.order(&strict, public("strict", 10), &Notes::default()).await), refused.0);
        assert!(stand.get("strict").await.is_none());
    }
}

/// Somebody who may not write at all is not taken for a bucket without ACLs.
#[tokio::test]
async fn what_is_denied_without_an_acl_as_well_stays_denied() {
    let Some(mut stand) = Stand::new().await else { return };
    let proxy = Proxy::start(&stand.endpoint, |r| if r.is_put() { refusal(403, "AccessDenied") } else { Deed::Pass });
    let proxy = proxy.await;
    stand.endpoint.clone_from(&proxy.endpoint);
    let target = target(stand.settings());
    for _ in 0..2 {
        assert_eq!(code(stand.order(&target, public("key", 10), &Notes::default()).await), "AccessDenied");
    }
    assert_eq!(proxy.count(|request| request.header("x-amz-acl").is_some()), 2, "nothing was learned");
}
