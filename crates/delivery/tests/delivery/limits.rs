//! What has a limit: the disk, the queue.

use std::path::Path;

use futures_util::future::join_all;
use stowage_delivery::{Delivery, Options, VariantError};
use stowage_store::blobs::conformance::eventually;

use crate::house::{House, files_below, operations, options, request};

/// The bytes of disk that a folder occupies.
fn occupied(folder: &Path) -> u64 {
    files_below(folder).iter().map(|file| file.metadata().map_or(0, |stat| stat.len().next_multiple_of(4096))).sum()
}

#[tokio::test]
async fn the_disk_is_never_fuller_than_allowed_and_what_is_used_stays() {
    let folder = tempfile::tempdir().unwrap();
    let capacity = 40 << 10;
    // No memory: every use is one of the disk.
    let house = House::open(folder.path(), Options { variant_cache: capacity, variant_memory: 0, ..options() }).await;
    let file = house.picture(1, 300, 200).await;
    let variants = house.folder.join("variants");
    let favourite = house.variant(&file, "-/resize/20x/-/format/png/").await.unwrap();
    eventually("it is on disk", async || files_below(&variants).len() == 1).await;
    for width in 21..60 {
        house.variant(&file, &format!("-/resize/{width}x/-/format/png/")).await.unwrap();
        house.variant(&file, "-/resize/20x/-/format/png/").await.unwrap();
        let used = occupied(&variants);
        assert!(used <= capacity, "{used} bytes after {width}");
    }
    let name = |etag: &str| files_below(&variants).iter().any(|file| file.to_string_lossy().contains(etag));
    assert!(name(&favourite.etag), "what is used all the time stays");
    let first = house.variant(&file, "-/resize/59x/-/format/png/").await.unwrap();
    eventually("the last one is there", async || name(&first.etag)).await;

    // Ten of 4 KiB do not fit any more.
    let house = House::open(folder.path(), Options { variant_cache: 8 << 10, variant_memory: 0, ..options() }).await;
    assert!(occupied(&variants) <= 8 << 10, "a smaller limit counts from the start");
    drop(house);
}

#[tokio::test]
async fn what_was_used_last_is_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), options()).await;
    let file = house.picture(2, 300, 200).await;
    let variants = house.folder.join("variants");
    let mut etags = Vec::new();
    for (made, width) in (20..24).enumerate() {
        etags.push(house.variant(&file, &format!("-/resize/{width}x/-/format/png/")).await.unwrap().etag);
        eventually("it is on disk", async || files_below(&variants).len() == made + 1).await;
    }
    // All of them, out of memory, in another order.
    let uses = [2, 3, 1, 0];
    for used in uses {
        house.variant(&file, &format!("-/resize/{}x/-/format/png/", 20 + used)).await.unwrap();
    }
    house.delivery.note_uses().await;
    drop(house);
    for room in (1..uses.len()).rev() {
        let house = House::open(folder.path(), Options { variant_cache: (room as u64) << 12, ..options() }).await;
        let left = files_below(&variants);
        assert_eq!(left.len(), room);
        for used in &uses[uses.len() - room..] {
            assert!(left.iter().any(|path| path.to_string_lossy().contains(&etags[*used])), "{used} of {left:?}");
        }
        drop(house);
    }
}

#[tokio::test]
async fn where_the_disk_is_full_variants_give_way() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), options()).await;
    let file = house.picture(5, 300, 200).await;
    let variants = house.folder.join("variants");
    for width in 20..23 {
        house.variant(&file, &format!("-/resize/{width}x/-/format/png/")).await.unwrap();
    }
    eventually("they are on disk", async || files_below(&variants).len() == 3).await;
    // No disk has as much free as is to be left.
    let delivery = Delivery::open(&house.options, house.blobs.clone(), folder.path(), u64::MAX).await.unwrap();
    let asked = operations("-/resize/23x/-/format/png/");
    assert_eq!(delivery.variant(request(&file, &asked)).await.unwrap().width, 23);
    eventually("nothing is on disk", async || files_below(&variants).is_empty()).await;
}

#[tokio::test]
async fn a_variant_that_is_larger_than_the_disk_may_be_is_served_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), Options { variant_cache: 100, ..options() }).await;
    let file = house.picture(3, 300, 200).await;
    assert_eq!(house.variant(&file, "-/resize/200x/").await.unwrap().width, 200);
    assert_eq!(files_below(&house.folder.join("variants")).len(), 0);
}

#[tokio::test]
async fn a_picture_has_to_do_with_the_memory_that_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), Options { render_memory: 2 << 20, ..options() }).await;
    let fits = house.picture(6, 500, 400).await;
    assert_eq!(house.variant(&fits, "-/resize/50x/").await.unwrap().width, 50);
    let large = house.picture(7, 900, 700).await;
    let refused = house.variant(&large, "-/resize/50x/").await.unwrap_err();
    assert!(matches!(refused, VariantError::TooLarge(_)), "{refused:?}");
    let refused = house.variant(&large, "-/json/").await.unwrap_err();
    assert!(matches!(refused, VariantError::TooLarge(_)), "{refused:?}");
}

#[tokio::test]
async fn a_full_queue_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path(), Options { render_queue: 2, ..options() }).await;
    let file = house.picture(4, 900, 700).await;
    let paths: Vec<String> = (100..105).map(|width| format!("-/resize/{width}x/-/format/png/")).collect();
    let all = join_all(paths.iter().map(|path| house.variant(&file, path))).await;
    let busy = all.iter().filter(|one| matches!(one, Err(VariantError::Busy { .. }))).count();
    let made = all.iter().filter(|one| one.is_ok()).count();
    assert_eq!((made, busy), (2, 3), "{all:?}");
    eventually("there is room again", async || house.variant(&file, &paths[4]).await.is_ok()).await;
}
