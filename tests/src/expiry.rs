//! A temporary file vanishes by itself, and `stowage janitor` explains and does the same by hand.

use crate::stowage::{Place, until};

#[tokio::test]
async fn an_unstored_file_vanishes_after_its_time() {
    let place = Place::with(&[("STOWAGE_JANITOR__TEMPORARY_TTL", "1s"), ("STOWAGE_JANITOR__INTERVAL", "100ms")]).await;
    let server = place.serve(&[]).await;
    let temporary = server.upload("a.txt", b"short".to_vec(), "0").await.unwrap();
    let stored = server.upload("b.txt", b"long".to_vec(), "1").await.unwrap();
    assert_eq!(server.fetch(&temporary).await, (200, b"short".to_vec()));
    until("the file has expired", || async { server.fetch(&temporary).await.0 == 404 }).await;
    assert_eq!(server.fetch(&stored).await, (200, b"long".to_vec()));
}

#[tokio::test]
async fn the_janitor_explains_and_acts_by_hand() {
    let place = Place::with(&[
        ("STOWAGE_JANITOR__TEMPORARY_TTL", "0s"),
        ("STOWAGE_JANITOR__INTERVAL", "1h"),
        ("STOWAGE_JANITOR__GRACE", "0s"),
    ])
    .await;
    let server = place.serve(&["--no-worker"]).await;
    let small = server.upload("a", b"x".to_vec(), "0").await.unwrap();
    let large = server.upload("b", vec![b'x'; 300_000], "0").await.unwrap();
    let said = place.print(&["janitor", "--dry-run"]).await;
    assert!(
        said.contains(&small) && said.contains(&large) && said.ends_with("\n2 deletion(s) due; nothing was deleted\n"),
        "{said}"
    );
    assert_eq!(server.fetch(&small).await.0, 200);
    let done = place.print(&["janitor"]).await;
    assert!(done.starts_with("2 file(s) expired,") && done.contains(" 2 blob(s) of removed files"), "{done}");
    until("the server has noticed", || async {
        server.fetch(&small).await.0 == 404 && server.fetch(&large).await.0 == 404
    })
    .await;
    let said = place.print(&["janitor", "--dry-run"]).await;
    assert_eq!(said, "0 deletion(s) due; nothing was deleted\n");
}
