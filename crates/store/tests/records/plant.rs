//! Files with given times.

use std::time::Duration;

use stowage_model::{EventKind, File, HookVersion, Ids, NewFile, Timestamp};
use stowage_store::records::{AddError, DeliveryFilter, NewWebhook, Planted};

use crate::{Case, DAY, T0, cause, new_file, project, spread};

fn planted(name: &str, uploaded_at: Timestamp) -> Planted {
    Planted { file: NewFile { stored: true, ..new_file(name) }, uploaded_at, stored_at: None }
}

async fn files_get_the_times_that_they_want(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let old = T0.minus(DAY);
    let mut files: Vec<Planted> = (0..40).map(|_| planted("a", old)).collect();
    files[7].stored_at = Some(T0);
    files[8].file.stored = false;
    files[9].uploaded_at = old.plus(Duration::from_micros(2));
    let made = records.plant_files(project, &files, None, T0).await.unwrap();
    let micros: Vec<i64> = made.iter().map(|file| file.uploaded_at.0 - old.0).collect();
    assert_eq!((micros[0], micros[1], micros[9]), (0, 1, 9), "a time that is taken moves on");
    assert_eq!(micros.iter().collect::<std::collections::HashSet<_>>().len(), 40);
    assert_eq!((made[7].stored_at, made[8].stored_at, made[1].stored_at), (Some(T0), None, Some(made[1].uploaded_at)));
    for file in &made {
        assert_eq!(records.file(file.id).await.unwrap().as_ref(), Some(file), "they are recorded as is said");
    }
    let more = [planted("b", old), planted("c", T0)];
    let made = records.plant_files(project, &more, None, T0).await.unwrap();
    assert_eq!(made[0].uploaded_at.0 - old.0, 40, "times of others are taken too");
    assert_eq!(made[1].uploaded_at, T0);
    let times = records.add_files(project, vec![new_file("d")], cause()).await.unwrap();
    assert_eq!(times, [Timestamp(T0.0 + 1)], "uploads step aside");
    assert!(!records.has_group(Ids::random().uuid()).await.unwrap());
}

async fn a_taken_id_refuses_all_of_them(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let first = planted("a", T0);
    records.plant_files(project, std::slice::from_ref(&first), None, T0).await.unwrap();
    let companion = planted("b", T0);
    let refused = records.plant_files(project, &[companion.clone(), first.clone()], None, T0).await;
    assert!(matches!(refused, Err(AddError::IdTaken(id)) if id == first.file.id));
    assert_eq!(records.file(companion.file.id).await.unwrap(), None);
    let refused = records.plant_files(project, &[companion.clone(), companion], None, T0).await;
    assert!(matches!(refused, Err(AddError::IdTaken(_))));
}

async fn webhooks_are_told_only_where_that_is_asked(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    for event in [EventKind::Uploaded, EventKind::Stored] {
        let target_url = "https://example.com/".to_owned();
        let new = NewWebhook { event, target_url, is_active: true, version: HookVersion::V07, signing_secret: None };
        records.create_webhook(project, &new, T0).await.unwrap();
    }
    let told = async || {
        spread(&records).await;
        records.deliveries(&DeliveryFilter::default(), 100).await.unwrap().len()
    };
    records.plant_files(project, &[planted("a", T0)], None, T0).await.unwrap();
    assert_eq!(told().await, 0);
    let temporary = Planted { file: new_file("b"), uploaded_at: T0, stored_at: None };
    let made: Vec<File> =
        records.plant_files(project, &[planted("b", T0), temporary], Some(&cause()), T0).await.unwrap();
    assert_eq!((made.len(), told().await), (2, 3), "both were uploaded, and one was stored");
}

on_both_engines!(
    files_get_the_times_that_they_want,
    a_taken_id_refuses_all_of_them,
    webhooks_are_told_only_where_that_is_asked,
);
