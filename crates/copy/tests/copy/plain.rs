//! Copies to a server that does what it is asked for.

use std::sync::Arc;

use stowage_copy::{CopyError, Outcome, Source, Targets};
use stowage_model::{BlobKey, Checksums};

use crate::proxy::{Deed, Proxy};
use crate::support::{MIB, Stand, blob, code, options, storage, target};

#[tokio::test]
async fn everything_arrives_as_it_is_and_nothing_is_overwritten() {
    let Some(stand) = Stand::new().await else { return };
    for checksums in [Checksums::Auto, Checksums::Always, Checksums::WhenRequired] {
        let mut settings = stand.settings();
        settings.checksums = checksums;
        let target = target(settings);
        // In a pack, in a file, more than is kept in memory, more than goes into one request.
        for len in [0, 1, 5000, 65_537, MIB + 1, 65 * MIB + 3] {
            let (key, content) = stand.blob(len as u64, len).await;
            let name = format!("{checksums:?}/{len}/a'(b)!*+c,@&:;=.txt");
            let made = stand.copy(&target, blob(&key, &content), &name).await;
            assert_eq!(made, Ok(Outcome::Copied), "{checksums:?} {len}");
            let (object, body) = stand.get(&name).await.unwrap();
            assert!(body == content, "{checksums:?} {len}");
            assert_eq!((object.content_type(), object.content_encoding()), (Some("text/x-test"), None));
            let other = Source::Bytes(vec![1; len + 1].into());
            assert_eq!(stand.copy(&target, other, &name).await, Ok(Outcome::Existed), "{checksums:?} {len}");
            assert!(stand.get(&name).await.unwrap().1 == content);
        }
        assert_eq!(stand.unfinished().await, 0);
    }
}

#[tokio::test]
async fn of_many_copies_to_one_key_one_is_made() {
    let Some(stand) = Stand::new().await else { return };
    let stand = Arc::new(stand);
    // Two that know nothing of each other, as in two processes: there the server alone decides.
    let targets = [target(stand.settings()), target(stand.settings())];
    let copies = (0..16_u8).map(|n| {
        let (stand, target) = (Arc::clone(&stand), Arc::clone(&targets[usize::from(n % 2)]));
        tokio::spawn(async move { stand.copy(&target, Source::Bytes(vec![n; 1000].into()), "key").await.unwrap() })
    });
    let mut made = Vec::new();
    for copy in copies {
        made.push(copy.await.unwrap());
    }
    let winners: Vec<u8> =
        (0..16).zip(&made).filter_map(|(n, outcome)| (*outcome == Outcome::Copied).then_some(n)).collect();
    assert!(!winners.is_empty() && winners.len() <= 2, "{winners:?}");
    let (_, body) = stand.get("key").await.unwrap();
    assert!(body.len() == 1000 && winners.contains(&body[0]));
    // In one process it is never more than one.
    let outcomes = futures_util::future::join_all(
        (0..8_u8).map(|n| stand.copy(&targets[0], Source::Bytes(vec![n; 1000].into()), "another")),
    );
    let copied = outcomes.await.into_iter().filter(|outcome| *outcome == Ok(Outcome::Copied)).count();
    assert_eq!(copied, 1);
}

#[tokio::test]
async fn small_copies_are_one_request_each() {
    let Some(mut stand) = Stand::new().await else { return };
    let proxy = Proxy::start(&stand.endpoint, |_| Deed::Pass).await;
    stand.endpoint.clone_from(&proxy.endpoint);
    let target = target(stand.settings());
    stand.copy(&target, Source::Bytes("first".into()), "first").await.unwrap();
    let before = proxy.seen().len();
    for n in 0..5 {
        let (key, content) = stand.blob(n, 3000).await;
        assert_eq!(stand.copy(&target, blob(&key, &content), &format!("k{n}")).await, Ok(Outcome::Copied));
        assert_eq!(stand.copy(&target, blob(&key, &content), &format!("k{n}")).await, Ok(Outcome::Existed));
    }
    let seen = proxy.seen().split_off(before);
    assert_eq!(seen.len(), 10, "{seen:?}");
    assert!(seen.iter().all(|r| r.is_put() && r.header("if-none-match") == Some("*")));
    assert!(seen.iter().all(|r| r.header("x-amz-checksum-crc32").is_some() && r.header("content-encoding").is_none()));
}

#[tokio::test]
async fn lasting_refusals_have_their_codes() {
    let Some(stand) = Stand::new().await else { return };
    let content = Source::Bytes("content".into());
    let mut settings = stand.settings();
    settings.bucket = "no-such-bucket-here".to_owned().try_into().unwrap();
    assert_eq!(code(stand.copy(&target(settings), content.clone(), "key").await), "NoSuchBucket");
    let mut settings = stand.settings();
    settings.secret_access_key = stowage_model::storage::Secret::new("hunter2");
    let refused = stand.copy(&target(settings), content.clone(), "key").await;
    assert!(!format!("{refused:?}").contains("hunter2"));
    assert_eq!(code(refused), "SignatureDoesNotMatch");
    let nobody = Proxy::start("http://127.0.0.1:9", |_| Deed::Reset).await;
    let mut settings = stand.settings();
    settings.endpoint_url.clone_from(&nobody.endpoint);
    let unreachable = stand.copy(&target(settings), content, "key").await;
    assert!(matches!(unreachable, Err(CopyError::Passing { .. })), "{unreachable:?}");
    // Blobs that are gone, small and large.
    let missing = BlobKey("0b7c0b9e25b84c4d9e557d8c6f6c4b61".to_owned());
    for size in [5, 2 << 20, 80 << 20] {
        let source = Source::Blob { key: missing.clone(), size };
        assert_eq!(stand.copy(&target(stand.settings()), source, "key").await, Err(CopyError::Gone));
    }
    assert!(stand.get("key").await.is_none());
}

#[tokio::test]
async fn storages_are_remembered_until_their_settings_change() {
    let targets = Targets::new(options());
    let mut one = storage(stowage_model::StorageSettings::new("bucket".to_owned().try_into().unwrap()));
    let first = targets.get(&one);
    assert!(Arc::ptr_eq(&first, &targets.get(&one)));
    one.settings.region = "eu-west-1".to_owned();
    let second = targets.get(&one);
    assert!(!Arc::ptr_eq(&first, &second));
    targets.forget(one.id);
    assert!(!Arc::ptr_eq(&second, &targets.get(&one)));
}
