//! The records on both engines: every method runs on each, and both must answer alike.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

macro_rules! on_both_engines {
    ($($case:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(crate::Case::new(String::new())).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                if let Some(url) = crate::testing::postgres_url().await {
                    super::$case(crate::Case::new(url)).await;
                }
            })*
        }
    };
}

#[path = "records/auto_copies.rs"]
mod auto_copies;
#[path = "records/backfill.rs"]
mod backfill;
#[path = "records/copies.rs"]
mod copies;
#[path = "records/deliveries.rs"]
mod deliveries;
#[path = "records/groups.rs"]
mod groups;
#[path = "records/jobs.rs"]
mod jobs;
#[path = "records/list.rs"]
mod list;
#[path = "records/metadata.rs"]
mod metadata;
#[path = "records/plant.rs"]
mod plant;
#[path = "records/search.rs"]
mod search;
#[path = "records/snapshots.rs"]
mod snapshots;
#[path = "records/storage.rs"]
mod storage;
#[path = "records/storages.rs"]
mod storages;
#[path = "records/tokens.rs"]
mod tokens;
#[path = "records/totals.rs"]
mod totals;
#[path = "records/uploads.rs"]
mod uploads;
#[path = "records/url_tasks.rs"]
mod url_tasks;
#[path = "records/webhooks.rs"]
mod webhooks;
#[path = "records/wipe.rs"]
mod wipe;

use std::future::poll_fn;
use std::path::Path;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use stowage_model::{
    BlobKey, Cause, Clock, ContentInfo, FileId, FileName, Ids, Initiator, Metadata, NewFile, ProjectId, PublicKey,
    PublicUrls, Settings, Tags, Timestamp,
};
use stowage_store::Durability;
use stowage_store::records::{AddError, CreateError, Declared, Options, Records};
use stowage_store::testing;

const T0: Timestamp = Timestamp(1_700_000_000_000_000);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Nobody in particular.
fn cause() -> Cause {
    let url = || "http://localhost".to_owned();
    Cause { initiator: Initiator::System, urls: PublicUrls { upload: url(), rest: url(), cdn: url() } }
}

struct Case {
    options: Options,
    folder: tempfile::TempDir,
    clock: Clock,
}

impl Case {
    fn new(url: String) -> Self {
        let options = Options { url, ..Options::default() };
        Self { options, folder: tempfile::tempdir().unwrap(), clock: Clock::manual(T0) }
    }

    /// Opens the records as one more node.
    async fn open(&self) -> Records {
        Records::open(&self.options, self.folder.path(), Durability::Relaxed, self.clock.clone()).await.unwrap()
    }

    /// Several nodes.
    async fn nodes(&self, count: usize) -> Vec<Records> {
        let mut nodes = Vec::new();
        for _ in 0..count {
            nodes.push(self.open().await);
        }
        nodes
    }

    /// Changes the records past the room, by the text for the engine at hand.
    async fn change(&self, sqlite: &'static str, postgres: &'static str) {
        if self.options.url.is_empty() {
            let pool = sqlx::SqlitePool::connect(&sqlite_url(self.folder.path())).await.unwrap();
            sqlx::query(sqlite).execute(&pool).await.unwrap();
        } else {
            let pool = sqlx::PgPool::connect(&self.options.url).await.unwrap();
            sqlx::query(postgres).execute(&pool).await.unwrap();
        }
    }

    /// How many rows a table has.
    async fn count(&self, table: &str) -> i64 {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        if self.options.url.is_empty() {
            let pool = sqlx::SqlitePool::connect(&sqlite_url(self.folder.path())).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap()
        } else {
            let pool = sqlx::PgPool::connect(&self.options.url).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap()
        }
    }
}

/// Settles who is told of what has happened so far.
async fn spread(records: &Records) {
    let mut after = ProjectId(0);
    while let Some(spread) = records.spread_events(after, 7).await.unwrap() {
        after = spread.project;
    }
}

/// Whether a future that is polled once has no answer yet.
async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx).is_pending())).await
}

fn sqlite_url(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("stowage.sqlite").display())
}

async fn project(records: &Records, key: &str) -> ProjectId {
    records.create_project(&declared(key), T0).await.unwrap()
}

fn declared(key: &str) -> Declared {
    Declared { public_key: key.parse().unwrap(), secret_keys: vec!["s1".into()], settings: Settings::default() }
}

fn new_file(name: &str) -> NewFile {
    let id = Ids::random().file();
    NewFile {
        id,
        blob: BlobKey(format!("pack1/{}", id.0.simple())),
        size: 5,
        etag: "0".repeat(32),
        name: FileName::new(name),
        mime_type: "text/plain; charset=utf-8".into(),
        is_image: false,
        content: ContentInfo::default(),
        stored: false,
        metadata: Metadata::from_pairs([("key", "v \u{1F980} \"'".as_bytes())]).unwrap(),
        tags: Tags::from_list("b,a").unwrap(),
        source: Some("local".into()),
    }
}

async fn a_file_comes_back_as_it_was_recorded(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let new = NewFile { stored: true, ..new_file("Ünïcode \"quoted\" name.txt") };
    let times = records.add_files(project, vec![new.clone()], cause()).await.unwrap();
    let file = records.file(new.id).await.unwrap().unwrap();
    assert_eq!((file.uploaded_at, file.stored_at), (times[0], Some(times[0])));
    assert_eq!((file.removed_at, file.project, file.size), (None, project, new.size));
    assert_eq!((&file.blob, &file.etag, &file.name), (&Some(new.blob), &new.etag, &new.name));
    assert_eq!((&file.mime_type, file.is_image, &file.content), (&new.mime_type, false, &new.content));
    assert_eq!((&file.metadata, &file.tags), (&new.metadata, &new.tags));
    assert_eq!(*records.hot_file(new.id).await.unwrap().unwrap(), file);
    assert_eq!(records.file(Ids::random().file()).await.unwrap(), None);
    records.close().await;
    assert_eq!(case.open().await.file(new.id).await.unwrap(), Some(file), "records survive a restart");
}

async fn no_two_files_of_a_project_share_a_microsecond(case: Case) {
    let records = case.open().await;
    let (one, two) = (project(&records, "one").await, project(&records, "two").await);
    let mut uploads = tokio::task::JoinSet::new();
    for n in 0..300 {
        let records = records.clone();
        let project = if n % 3 == 0 { two } else { one };
        uploads.spawn(async move {
            (project, records.add_files(project, vec![new_file("a"), new_file("b")], cause()).await.unwrap())
        });
    }
    let mut seen = std::collections::HashSet::new();
    while let Some(done) = uploads.join_next().await {
        let (project, times) = done.unwrap();
        assert!(times[0] < times[1], "the order of a request is kept");
        assert!(times.into_iter().all(|time| seen.insert((project, time))));
    }
    assert_eq!(seen.len(), 600);
    // Another node, whose clock shows the same, has to step aside.
    let other = case.open().await;
    let times = other.add_files(one, vec![new_file("c"), new_file("d")], cause()).await.unwrap();
    assert!(times.iter().all(|time| seen.insert((one, *time))));
    // A clock that is set back is believed.
    let back = Records::open(&case.options, case.folder.path(), Durability::Relaxed, Clock::manual(Timestamp(5)))
        .await
        .unwrap();
    assert_eq!(back.add_files(one, vec![new_file("e")], cause()).await.unwrap(), [Timestamp(5)]);
}

async fn an_upload_of_very_many_files_is_recorded_whole(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let files: Vec<NewFile> = (0..101).map(|n| new_file(&n.to_string())).collect();
    let times = records.add_files(project, files.clone(), cause()).await.unwrap();
    assert!(times.is_sorted());
    for file in &files {
        assert!(records.file(file.id).await.unwrap().is_some());
    }
    let mut clash: Vec<NewFile> = (0..100).map(|_| new_file("x")).collect();
    clash.push(files[7].clone());
    assert!(matches!(records.add_files(project, clash.clone(), cause()).await, Err(AddError::IdTaken(_))));
    assert_eq!(records.file(clash[0].id).await.unwrap(), None, "all or none");
}

async fn a_taken_id_refuses_the_whole_upload_and_nobody_elses(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let first = new_file("first");
    records.add_files(project, vec![first.clone()], cause()).await.unwrap();
    let companion = new_file("companion");
    let clash = NewFile { id: first.id, ..new_file("clash") };
    let bystander = new_file("bystander");
    let (refused, accepted) = tokio::join!(
        records.add_files(project, vec![companion.clone(), clash], cause()),
        records.add_files(project, vec![bystander.clone()], cause()),
    );
    assert!(matches!(refused, Err(AddError::IdTaken(id)) if id == first.id));
    accepted.unwrap();
    assert_eq!(records.file(companion.id).await.unwrap(), None);
    assert!(records.file(bystander.id).await.unwrap().is_some());
    let twice = new_file("twice");
    let refused = records.add_files(project, vec![twice.clone(), twice], cause()).await;
    assert!(matches!(refused, Err(AddError::IdTaken(_))));
}

async fn temporary_files_expire_and_leave_their_blobs_as_garbage(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let old = new_file("old");
    let stored = NewFile { stored: true, ..new_file("stored") };
    records.add_files(project, vec![old.clone(), stored.clone()], cause()).await.unwrap();
    case.clock.advance(DAY);
    let young = new_file("young");
    records.add_files(project, vec![young.clone()], cause()).await.unwrap();
    let now = case.clock.now();
    let cutoff = now.minus(Duration::from_secs(3600));
    assert!(records.hot_file(old.id).await.unwrap().unwrap().removed_at.is_none());

    let due: Vec<FileId> = records.expired_files(cutoff, cutoff, 10).await.unwrap().into_iter().map(|e| e.id).collect();
    assert_eq!(due, [old.id]);
    assert_eq!(records.expire_files(cutoff, cutoff, now, 10, &cause()).await.unwrap(), [old.id]);
    assert_eq!(records.expire_files(cutoff, cutoff, now, 10, &cause()).await.unwrap(), []);
    let gone = records.hot_file(old.id).await.unwrap().unwrap();
    assert_eq!((gone.removed_at, &gone.blob, gone.size), (Some(now), &None, old.size), "seen at once in this process");
    assert!(records.file(stored.id).await.unwrap().unwrap().removed_at.is_none());
    assert!(records.file(young.id).await.unwrap().unwrap().removed_at.is_none());

    assert_eq!(records.garbage(10).await.unwrap(), std::slice::from_ref(&old.blob));
    records.forget_garbage(std::slice::from_ref(&old.blob)).await.unwrap();
    assert_eq!(records.garbage(10).await.unwrap(), []);

    assert_eq!(records.purgeable(now).await.unwrap(), 0);
    let later = now.plus(DAY);
    assert_eq!(records.purgeable(later).await.unwrap(), 1);
    assert_eq!(records.purge_removed(later, 10).await.unwrap(), 1);
    assert_eq!(records.file(old.id).await.unwrap(), None);
}

async fn many_nodes_expire_each_file_once(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    for _ in 0..20 {
        records.add_files(project, (0..10).map(|_| new_file("x")).collect(), cause()).await.unwrap();
    }
    case.clock.advance(DAY);
    let now = case.clock.now();
    let mut nodes = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let node = case.open().await;
        nodes.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let ids = node.expire_files(now, now, now, 7, &cause()).await.unwrap();
                if ids.is_empty() {
                    return mine;
                }
                mine.extend(ids);
            }
        });
    }
    let mut all: Vec<FileId> = nodes.join_all().await.into_iter().flatten().collect();
    all.sort();
    all.dedup();
    // A node may find nothing while others hold the last rows; nothing is ever handed out twice, and nothing is left.
    assert_eq!(all.len(), 200);
    assert_eq!(records.garbage(1000).await.unwrap().len(), 200);
}

async fn known_blobs_are_told_from_orphans(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let file = new_file("x");
    let other = NewFile { blob: BlobKey("pack10/1".into()), ..new_file("y") };
    records.add_files(project, vec![file.clone(), other.clone()], cause()).await.unwrap();
    let orphan = BlobKey("pack1/orphan".into());
    let known = records.known_blobs(&[file.blob.clone(), orphan]).await.unwrap();
    assert_eq!(known.into_iter().collect::<Vec<_>>(), std::slice::from_ref(&file.blob));
    assert_eq!(records.blobs_with_prefix("pack1/").await.unwrap(), [file.blob]);
    assert_eq!(records.blobs_with_prefix("pack10/").await.unwrap(), [other.blob]);
}

async fn many_files_come_at_once(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let files: Vec<NewFile> = (0..1000).map(|n| new_file(&n.to_string())).collect();
    records.add_files(project, files.clone(), cause()).await.unwrap();
    let mut ids: Vec<FileId> = files.iter().map(|file| file.id).collect();
    ids.push(Ids::random().file());
    ids.push(ids[0]);
    let found = records.files(&ids).await.unwrap();
    assert_eq!(found.len(), 1000, "each once, and none that is not there");
    assert_eq!(records.file(found[7].id).await.unwrap().as_ref(), Some(&found[7]));
    assert_eq!(records.files(&[]).await.unwrap(), []);
}

async fn projects_are_created_changed_and_declared(case: Case) {
    let records = case.open().await;
    let id = project(&records, "made").await;
    assert!(matches!(records.create_project(&declared("made"), T0).await, Err(CreateError::KeyTaken)));
    assert_eq!(records.project_by_key("nobody").await.unwrap(), None);

    let settings = Settings { autostore: false, name: "Renamed".into(), ..Settings::default() };
    records.update_project(id, &["s1".into(), "s2".into()], &settings).await.unwrap();
    let made = records.project_by_key("made").await.unwrap().unwrap();
    assert_eq!((&made.settings, made.secret_keys.len(), made.from_config), (&settings, 2, false));
    assert_eq!(records.project(id).await.unwrap(), Some(made));

    records.declare_projects(&[declared("made"), declared("file")], T0).await.unwrap();
    let made = records.project_by_key("made").await.unwrap().unwrap();
    assert_eq!(
        (made.id, made.from_config, &made.settings),
        (id, true, &Settings::default()),
        "what the file says wins"
    );
    records.declare_projects(&[declared("file")], T0).await.unwrap();
    let keys: Vec<(PublicKey, bool)> =
        records.projects().await.unwrap().into_iter().map(|p| (p.public_key, p.from_config)).collect();
    assert_eq!(keys, [("made".parse().unwrap(), false), ("file".parse().unwrap(), true)]);
    let hot: Vec<PublicKey> =
        records.all_projects().await.unwrap().iter().map(|project| project.public_key.clone()).collect();
    assert_eq!(hot, ["made".parse().unwrap(), "file".parse().unwrap()]);
}

async fn migrations_are_applied_once_and_missed_when_absent(case: Case) {
    let unmigrated = Options { migrate: false, ..case.options.clone() };
    let open = |options: Options| {
        let (folder, clock) = (case.folder.path().to_owned(), case.clock.clone());
        async move { Records::open(&options, &folder, Durability::Relaxed, clock).await }
    };
    let refused = open(unmigrated.clone()).await.err().unwrap().to_string();
    assert!(refused.contains("stowage migrate"), "{refused}");
    assert!(Records::migrate(&case.options, case.folder.path()).await.unwrap() > 0);
    assert_eq!(Records::migrate(&case.options, case.folder.path()).await.unwrap(), 0);
    assert!(open(unmigrated).await.unwrap().ready().await.unwrap());
}

on_both_engines!(
    a_file_comes_back_as_it_was_recorded,
    no_two_files_of_a_project_share_a_microsecond,
    an_upload_of_very_many_files_is_recorded_whole,
    a_taken_id_refuses_the_whole_upload_and_nobody_elses,
    temporary_files_expire_and_leave_their_blobs_as_garbage,
    many_nodes_expire_each_file_once,
    known_blobs_are_told_from_orphans,
    many_files_come_at_once,
    projects_are_created_changed_and_declared,
    migrations_are_applied_once_and_missed_when_absent,
);

#[tokio::test]
async fn both_engines_have_the_same_tables_and_columns() {
    let Some(url) = testing::postgres_url().await else { return };
    let case = Case::new(url.clone());
    case.open().await;
    let sqlite = Case::new(String::new());
    sqlite.open().await;
    let postgres = columns_of_postgres(&url).await;
    assert!(postgres.len() > 10);
    assert_eq!(columns_of_sqlite(sqlite.folder.path()).await, postgres);
}

async fn columns_of_sqlite(folder: &Path) -> Vec<(String, String)> {
    let pool = sqlx::SqlitePool::connect(&sqlite_url(folder)).await.unwrap();
    let sql = "SELECT t.name, c.name FROM sqlite_master t JOIN pragma_table_xinfo(t.name) c \
        WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> '_sqlx_migrations' ORDER BY 1, 2";
    sqlx::query_as(sql).fetch_all(&pool).await.unwrap()
}

async fn columns_of_postgres(url: &str) -> Vec<(String, String)> {
    let pool = sqlx::PgPool::connect(url).await.unwrap();
    let sql = "SELECT table_name::text AS t, column_name::text AS c FROM information_schema.columns \
        WHERE table_schema = current_schema() AND table_name <> '_sqlx_migrations' \
        ORDER BY table_name::text COLLATE \"C\", column_name::text COLLATE \"C\"";
    sqlx::query_as(sql).fetch_all(&pool).await.unwrap()
}

/// A way to Postgres that breaks off when the answer to a message with `marker` in it comes back: the server has done what it
/// was told, and the client cannot know.
async fn cut_at(target: String, marker: &'static [u8]) -> std::net::SocketAddr {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = tokio::net::TcpStream::connect(&target).await.unwrap();
            tokio::spawn(async move {
                let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                    (client.into_split(), server.into_split());
                let (mut question, mut answer) = (vec![0; 65536], vec![0; 65536]);
                let mut doomed = false;
                loop {
                    tokio::select! {
                        read = from_client.read(&mut question) => match read {
                            Ok(1..) if doomed => {}
                            Ok(len @ 1..) => {
                                doomed = question[..len].windows(marker.len()).any(|window| window == marker);
                                to_server.write_all(&question[..len]).await.unwrap();
                            }
                            _ => return,
                        },
                        read = from_server.read(&mut answer) => match read {
                            Ok(len @ 1..) if !doomed => to_client.write_all(&answer[..len]).await.unwrap(),
                            _ => return,
                        },
                    }
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_not_taken_for_a_taken_id() {
    let Some(url) = testing::postgres_url().await else { return };
    let direct = Case::new(url.clone());
    let records = direct.open().await;
    let project = project(&records, "p").await;
    let place = url.split('@').nth(1).unwrap().split('/').next().unwrap().to_owned();
    let proxy = cut_at(place.clone(), b"cut-here.txt").await;
    let through = Case::new(url.replace(&place, &proxy.to_string()));
    let node = through.open().await;
    node.add_files(project, vec![new_file("before.txt")], cause()).await.unwrap();
    let lost = new_file("cut-here.txt");
    let outcome = node.add_files(project, vec![lost.clone()], cause()).await;
    assert!(matches!(outcome, Err(AddError::Records(_))), "{outcome:?}");
    assert!(records.file(lost.id).await.unwrap().is_some(), "it was recorded all the same");
    node.add_files(project, vec![new_file("after.txt")], cause()).await.unwrap();
}
