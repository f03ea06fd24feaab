//! Snapshots of the records: what goes into one engine comes out of another, whole.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use stowage_model::{BlobKey, EventKind, File, FileId, Group, GroupId, Ids, Member, NewFile, ProjectId, Timestamp};
use stowage_store::records::{Dumped, Numbers, Records, RestoreError, Rows, content_size};
use tokio::sync::mpsc;

use crate::jobs::{LEASE, claim, start};
use crate::storages::storage;
use crate::uploads::{arrived, completed};
use crate::url_tasks::fetched;
use crate::webhooks::{new_webhook, webhook};
use crate::{Case, DAY, T0, cause, new_file, project, spread};

/// A snapshot: lines by table, the names of bytes with a blob of each, and the end.
#[derive(Default)]
struct Snapshot {
    lines: Vec<(&'static str, String)>,
    contents: BTreeMap<String, BlobKey>,
    numbers: Numbers,
}

impl Snapshot {
    async fn of(records: &Records) -> Self {
        let (out, mut pieces) = mpsc::channel(1);
        let mut snapshot = Self::default();
        let take = async {
            while let Some(piece) = pieces.recv().await {
                match piece {
                    Dumped::Rows { table, lines, count } => {
                        assert_eq!(lines.lines().count() as u64, count);
                        snapshot.lines.push((table, lines));
                    }
                    Dumped::Content { name, size, blob } => {
                        assert_eq!(content_size(&name), Some(size));
                        assert_eq!(snapshot.contents.insert(name, blob), None);
                    }
                    Dumped::End(numbers) => snapshot.numbers = numbers,
                }
            }
        };
        let (dumped, ()) = tokio::join!(records.dump(out), take);
        dumped.unwrap();
        snapshot
    }

    async fn restore(&self, records: &Records, now: Timestamp) -> Result<(), RestoreError> {
        let mut restore = records.restore(now).await?;
        for (table, lines) in &self.lines {
            let mut rows = Rows::read(table, lines)?;
            assert!(rows.contents().all(|name| self.contents.contains_key(&name)));
            assert!(rows.place(|name| self.contents.get(name)));
            restore.insert(&rows).await?;
        }
        restore.commit(&self.numbers.last).await
    }

    /// Rows by table; engines write members in different orders.
    fn rows(&self) -> BTreeMap<&str, Vec<Value>> {
        let mut rows: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for (table, lines) in &self.lines {
            rows.entry(table)
                .or_default()
                .extend(lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        }
        rows
    }

    fn change(&mut self, table: &str, from: &str, to: &str) {
        let (_, lines) = self.lines.iter_mut().find(|(name, _)| *name == table).unwrap();
        let changed = lines.replace(from, to);
        assert_ne!(*lines, changed, "{table}: {from}");
        *lines = changed;
    }
}

/// Something in every table, by the way that production takes.
async fn fill(records: &Records) -> (ProjectId, NewFile) {
    let one = project(records, "one").await;
    project(records, "two").await;
    let hook = webhook(records, one, "http://a/?q=ü\"").await;
    let gone = records.create_webhook(one, &new_webhook(EventKind::Stored, "http://gone/"), T0).await.unwrap();
    records.delete_webhook(one, gone.id).await.unwrap();
    storage(records, one, "s").await;
    let known = NewFile { stored: true, ..new_file("Ünïcode \"q\"\n\t.txt") };
    records.add_files(one, vec![known.clone(), new_file("b")], cause()).await.unwrap();
    let removed = new_file("removed");
    records.add_files(one, vec![removed.clone()], cause()).await.unwrap();
    records.remove_files(one, &[removed.id], &cause(), T0).await.unwrap();
    spread(records).await;
    // A delivery that somebody is making.
    let held = records.claim_deliveries(&[(hook.id, 1)], T0, LEASE, Ids::random().uuid()).await.unwrap();
    assert_eq!(held.len(), 1);
    records.add_files(one, vec![new_file("not spread")], cause()).await.unwrap();
    let begun = start(records, one).await;
    let claimed = claim(records).await;
    let progress = [(begun.token, 3, Some(1 << 40))];
    records.renew_jobs(&[(claimed.id, claimed.lease)], T0.plus(LEASE), &progress).await.unwrap();
    fetched(records, one, "https://example.com/a?b=ü", true).await;
    start(records, one).await;
    completed(records, one).await;
    arrived(records, one).await;
    let members = [(known.id, "/-/preview/"), (known.id, "")];
    let members = members.map(|(file, effects)| Member { file, effects: effects.into() });
    records.create_group(Ids::random().uuid(), one, &members, T0).await.unwrap();
    assert!(records.spend_token("key", 5, T0.plus(DAY)).await.unwrap());
    (one, known)
}

async fn everything_comes_back(from: Case, to: Case) {
    let (records, other) = (from.open().await, to.open().await);
    let (one, known) = fill(&records).await;
    // Whatever is there goes.
    let before = project(&other, "before").await;
    let squatter = NewFile { id: known.id, ..new_file("squatter") };
    other.add_files(before, vec![squatter.clone(), new_file("x")], cause()).await.unwrap();
    for n in 0..9 {
        webhook(&other, before, &format!("http://{n}/")).await;
    }
    let secret = other.secret("s", "candidate").await.unwrap();
    assert!(other.hot_file(known.id).await.unwrap().is_some());

    let snapshot = Snapshot::of(&records).await;
    assert_eq!((snapshot.numbers.open_uploads, snapshot.contents.is_empty()), (1, false));
    for (table, rows) in snapshot.rows() {
        assert!(!rows.is_empty(), "{table}");
    }
    assert_eq!(snapshot.rows().len(), 14, "a table is not filled here");
    snapshot.restore(&other, T0).await.unwrap();
    let again = Snapshot::of(&other).await;
    assert_eq!(again.rows(), snapshot.rows());
    assert_eq!(again.contents, snapshot.contents);
    assert_eq!(again.numbers.last, snapshot.numbers.last);
    assert_eq!(other.totals(one).await.unwrap(), records.totals(one).await.unwrap());
    let file = other.hot_file(known.id).await.unwrap().unwrap();
    // Equal bytes have one blob now.
    let expected = File { blob: file.blob.clone(), ..records.file(known.id).await.unwrap().unwrap() };
    assert_eq!(*file, expected, "what was remembered is forgotten");
    assert_eq!(other.secret("s", "another").await.unwrap(), secret);
    assert!(other.garbage(100).await.unwrap().contains(&squatter.blob));
    // Numbers go on behind the last one that was given, also where its row is gone.
    let [next, there] = [&other, &records].map(async |records| webhook(records, one, "http://next/").await.id);
    assert_eq!(next.await, there.await);
    // What somebody had claimed is due again.
    assert_eq!(other.claim_jobs(T0, LEASE, Ids::random().uuid(), 9).await.unwrap().len(), 2);
    let hooks = other.due_webhooks(T0, stowage_model::WebhookId(0), 9).await.unwrap();
    let held = other.claim_deliveries(&[(hooks[0].id, 99)], T0, LEASE, Ids::random().uuid()).await.unwrap();
    assert!(held.len() > 1);
    other.add_files(one, vec![new_file("new")], cause()).await.unwrap();
    snapshot.restore(&records, T0).await.unwrap();
    assert_eq!(Snapshot::of(&records).await.rows(), snapshot.rows(), "also over itself");
}

async fn what_does_not_fit_together_changes_nothing(case: Case) {
    let records = case.open().await;
    fill(&records).await;
    let before = Snapshot::of(&records).await;
    let changed = async |table: &str, from: &str, to: &str| {
        let mut snapshot = Snapshot::of(&records).await;
        snapshot.change(table, from, to);
        snapshot.restore(&records, T0).await
    };
    let spaced = if case.options.url.is_empty() { "" } else { " " };
    let member = |name: &str, value: &str| format!("\"{name}\"{spaced}:{spaced}{value}");
    for (table, name, from, to) in [
        // A project that is not there, a key that is there twice, a file that is.
        ("webhooks", "project", "1", "77"),
        ("projects", "public_key", "\"two\"", "\"one\""),
        ("group_files", "position", "1", "0"),
    ] {
        let refused = changed(table, &member(name, from), &member(name, to)).await;
        assert!(matches!(refused, Err(RestoreError::Refused(_))), "{table}.{name}: {refused:?}");
        assert_eq!(Snapshot::of(&records).await.rows(), before.rows());
    }
    let refused = changed("token_uses", "\"key\"", "\"kez\"").await;
    assert!(matches!(refused, Err(RestoreError::Row(_))), "{refused:?}");
    // Half of it and no end.
    let mut restore = records.restore(T0).await.unwrap();
    restore.insert(&Rows::read("projects", &before.lines[0].1).unwrap()).await.unwrap();
    drop(restore);
    assert_eq!(Snapshot::of(&records).await.rows(), before.rows());
    records.add_files(ProjectId(1), vec![new_file("goes on")], cause()).await.unwrap();
}

async fn files_are_laid_down_as_they_are(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let ids = Ids::random();
    let file = |n: i64| File {
        id: ids.file(),
        stored_at: (n % 2 == 0).then_some(Timestamp(n + 1)),
        removed_at: (n % 3 == 0).then_some(Timestamp(n + 2)),
        ..new_file("Ünïcode \"q\"").recorded(project, Timestamp(n))
    };
    let files: Vec<File> = (0..2500).map(file).collect();
    let members = files[..2].iter().map(|file| Member { file: file.id, effects: String::new() }).collect();
    let id = GroupId { uuid: ids.uuid(), count: 2 };
    let group = Group { id, project, created_at: Timestamp(7), members };
    assert!(records.lay(&files, std::slice::from_ref(&group)).await.unwrap());
    let laid: HashMap<FileId, File> = records
        .files(&files.iter().map(|file| file.id).collect::<Vec<_>>())
        .await
        .unwrap()
        .into_iter()
        .map(|f| (f.id, f))
        .collect();
    assert!(files.iter().all(|file| laid.get(&file.id) == Some(file)));
    assert_eq!(records.group(id).await.unwrap(), Some(group));
    assert_eq!(records.totals(project).await.unwrap().groups, 1);
    // All or none.
    let (new, taken) = (file(9999), File { id: ids.file(), ..file(0) });
    assert!(!records.lay(&[new.clone(), taken], &[]).await.unwrap());
    assert!(!records.lay(&[new.clone(), files[0].clone()], &[]).await.unwrap());
    assert_eq!(records.file(new.id).await.unwrap(), None);
    assert!(records.lay(&[new], &[]).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn from_sqlite_to_sqlite() {
    everything_comes_back(Case::new(String::new()), Case::new(String::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_sqlite_to_postgres_and_from_postgres_to_sqlite() {
    for back in [false, true] {
        let Some(url) = crate::testing::postgres_url().await else { return };
        let (one, two) = (Case::new(String::new()), Case::new(url));
        let (from, to) = if back { (two, one) } else { (one, two) };
        everything_comes_back(from, to).await;
    }
}

on_both_engines!(what_does_not_fit_together_changes_nothing, files_are_laid_down_as_they_are);
