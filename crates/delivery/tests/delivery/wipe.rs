//! Nothing of what was kept is found after a wipe.

use std::fs;

use stowage_delivery::VariantError;
use stowage_store::blobs::BlobError;
use stowage_store::blobs::conformance::eventually;

use crate::house::{House, files_below, options};

#[tokio::test]
async fn a_wipe_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), options()).await;
    let variants = folder.path().join("variants");
    // Of other people, who have their reasons.
    fs::create_dir_all(variants.join("theirs")).unwrap();
    fs::write(variants.join("theirs/file"), "x").unwrap();
    for _ in 0..2 {
        let (kept, new) = (house.picture(1, 300, 200).await, house.picture(2, 30, 20).await);
        house.variant(&kept, "-/resize/30x/").await.unwrap();
        house.delivery.original(&kept, 0..kept.size).await.unwrap();
        eventually("it is on disk", async || !house.delivery.kept().is_empty()).await;

        house.blobs.wipe().await.unwrap();
        house.delivery.wipe().await;
        assert_eq!(house.delivery.kept(), []);
        // Neither from memory nor off the disk.
        assert_eq!(house.variant(&kept, "-/resize/30x/").await.unwrap_err(), VariantError::Gone);
        assert!(matches!(house.delivery.original(&kept, 0..kept.size).await, Err(BlobError::NotFound)));
        assert!(matches!(house.delivery.original(&new, 0..new.size).await, Err(BlobError::NotFound)));
        eventually("the space is free", async || files_below(&variants) == [variants.join("theirs/file")]).await;
    }
    // Of a process that died meanwhile.
    fs::create_dir_all(variants.join("wiped-1-0/ab")).unwrap();
    fs::write(variants.join("wiped-1-0/ab/file"), "x").unwrap();
    let house = house.again().await;
    assert_eq!(files_below(&variants), [variants.join("theirs/file")]);
    let picture = house.picture(3, 300, 200).await;
    house.variant(&picture, "-/resize/30x/").await.unwrap();
}
