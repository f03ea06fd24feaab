//! What becomes of jobs of which somebody else decides, on real records and blobs.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::VecDeque;
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use stowage_fetch::Outbound;
use stowage_intake::{Intake, ScanOptions};
use stowage_jobs::{
    CopyAsked, CopyOrder, FetchAsked, FetchOrder, Fetched, Given, Later, Meddle, Options, Outcome, Piece, PostAsked,
    PostOrder, Postman, Runner, Stop, Tools, WebhookOptions,
};
use stowage_model::{
    Cause, Clock, EventKind, FileId, FromUrl, HookVersion, Ids, Initiator, Job, Metadata, Project, PublicUrls,
    Settings, Tags, Timestamp, UrlTask,
};
use stowage_store::Durability;
use stowage_store::blobs::{self, Blobs};
use stowage_store::records::{self, Declared, DeliveryFilter, DeliveryState, NEVER, NewWebhook, Records, SetDue};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const START: Timestamp = Timestamp(1_704_164_645_000_000);
const MINUTE: Duration = Duration::from_secs(60);

/// Says what it was told to say, in order.
#[derive(Debug, Default)]
struct Script {
    fetches: Mutex<VecDeque<FetchOrder>>,
    /// Places to stop, and what comes there.
    stops: Mutex<VecDeque<(u64, FetchOrder)>>,
    posts: Mutex<VecDeque<PostOrder>>,
    /// Told to stop when a webhook is about to be told.
    stop: Mutex<Option<CancellationToken>>,
    hides: bool,
    ended: Mutex<Vec<Outcome>>,
}

impl Meddle for Script {
    fn fetch(&self, _: &FetchAsked<'_>) -> FetchOrder {
        self.fetches.lock().unwrap().pop_front().unwrap_or(FetchOrder::Go)
    }

    fn hides_total(&self, _: Uuid) -> bool {
        self.hides
    }

    fn shows_later(&self, _: Uuid) -> bool {
        true
    }

    fn piece(&self, piece: Piece) -> Option<Stop> {
        let (done, order) = self.stops.lock().unwrap().pop_front().filter(|_| piece.last)?;
        Some(Stop { done, order: Box::pin(ready(order)) })
    }

    fn fetched(&self, _: Uuid, outcome: &Outcome) {
        self.ended.lock().unwrap().push(outcome.clone());
    }

    fn post(&self, _: &PostAsked<'_>) -> Later<PostOrder> {
        if let Some(stop) = self.stop.lock().unwrap().take() {
            stop.cancel();
        }
        Box::pin(ready(self.posts.lock().unwrap().pop_front().unwrap_or(PostOrder::Post)))
    }

    fn copy(&self, _: &CopyAsked<'_>) -> CopyOrder {
        CopyOrder::Go
    }
}

struct House {
    _folder: tempfile::TempDir,
    tools: Tools,
    project: Arc<Project>,
}

impl House {
    async fn open(script: &Arc<Script>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, ids) = (Clock::manual(START), Ids::random());
        let database = records::Options::default();
        let records = Records::open(&database, folder.path(), Durability::Relaxed, clock.clone()).await.unwrap();
        let store = blobs::Options { reserve: 0, ..blobs::Options::default() };
        let blobs = Blobs::open(&store, folder.path(), Durability::Relaxed).await.unwrap();
        let scan = ScanOptions { concurrency: 1, timeout: MINUTE, ..ScanOptions::default() };
        let intake = Intake::new(records.clone(), blobs, clock.clone(), ids.clone(), scan);
        let outbound = Outbound::new(&stowage_fetch::Options {
            allow: Vec::new(),
            deny_hosts: Vec::new(),
            redirects: 0,
            connect_timeout: MINUTE,
            idle_timeout: MINUTE,
            total_timeout: MINUTE,
            decoded_size: 1 << 20,
        });
        let declared =
            Declared { public_key: "p".parse().unwrap(), secret_keys: vec!["s".into()], settings: Settings::default() };
        let id = records.create_project(&declared, START).await.unwrap();
        let project = records.project(id).await.unwrap().unwrap();
        let meddler: Arc<dyn Meddle> = Arc::<Script>::clone(script);
        let tools = Tools { records, intake, outbound: outbound.unwrap(), clock, ids, meddler: Some(meddler) };
        Self { _folder: folder, tools, project }
    }

    fn runner(&self) -> Runner {
        let options = Options { concurrency: 2, poll: MINUTE, lease: MINUTE, attempts: 2 };
        Runner::new(self.tools.clone(), options)
    }

    /// Enqueues an upload from a URL that nobody may reach, and answers the id of its job.
    async fn enqueue(&self) -> (Uuid, FromUrl) {
        let urls = PublicUrls { upload: String::new(), rest: String::new(), cdn: String::new() };
        let task = FromUrl {
            token: self.tools.ids.uuid(),
            project: self.project.id,
            url: "http://127.0.0.1:1/picture.bin".to_owned(),
            name: None,
            stored: true,
            metadata: Metadata::default(),
            tags: Tags::default(),
            remember: false,
            source: None,
            cause: Cause { initiator: Initiator::System, urls },
        };
        let id = self.tools.ids.uuid();
        self.tools.records.start_url_task(&Job::FromUrl(task.clone()), id, START).await.unwrap();
        (id, task)
    }

    async fn drain(&self) -> Vec<Fetched> {
        let mut done = Vec::new();
        self.runner().drain_with(&mut |fetched| done.push(fetched)).await.unwrap();
        done
    }

    /// A postman, with one delivery to make.
    async fn postman(&self, script: &Script) -> Postman {
        let new = NewWebhook {
            event: EventKind::Uploaded,
            target_url: "http://127.0.0.1:1/".to_owned(),
            is_active: true,
            version: HookVersion::V07,
            signing_secret: None,
        };
        self.tools.records.create_webhook(self.project.id, &new, START).await.unwrap();
        self.enqueue().await;
        script.fetches.lock().unwrap().push_back(FetchOrder::Succeed(given()));
        self.drain().await;
        let options = WebhookOptions {
            schedule: vec![MINUTE],
            give_up_after: 60 * MINUTE,
            timeout: MINUTE,
            concurrency: 1,
            per_second: 0,
        };
        Postman::new(self.tools.clone(), options, MINUTE)
    }

    async fn task(&self, task: &FromUrl) -> UrlTask {
        self.tools.records.url_task(task.token).await.unwrap().unwrap()
    }
}

fn given() -> Given {
    Given { bytes: Bytes::from_static(&[b'x'; 100]), name: None, content_type: Some("text/plain".to_owned()) }
}

#[tokio::test]
async fn a_job_is_held_and_ends_as_somebody_says() {
    let script = Arc::new(Script::default());
    let house = House::open(&script).await;
    let ((id, held), (_, failed)) = (house.enqueue().await, house.enqueue().await);
    let fail = FetchOrder::Fail { code: "DownloadFileError".to_owned(), text: "Failed.".to_owned() };
    script.fetches.lock().unwrap().extend([FetchOrder::Hold, FetchOrder::Hold]);
    let outcomes: Vec<Outcome> = house.drain().await.into_iter().map(|fetched| fetched.outcome).collect();
    assert_eq!(outcomes, [Outcome::Held, Outcome::Held]);
    assert!(house.drain().await.is_empty(), "what is held is not due");
    let open = house.tools.records.open_jobs(10).await.unwrap();
    assert!(open.iter().all(|job| job.due_at == NEVER && job.attempts == 0 && !job.is_leased), "{open:?}");
    assert_eq!(house.task(&held).await, UrlTask::Waiting);
    assert_eq!(house.tools.records.set_job_due(id, START).await.unwrap(), SetDue::Set);
    script.fetches.lock().unwrap().push_back(FetchOrder::Succeed(given()));
    let done = house.drain().await;
    assert_eq!((done.len(), &done[0].outcome), (1, &Outcome::Done(FileId(id))), "the file is called like its job");
    assert_eq!(house.task(&held).await, UrlTask::Success(FileId(id)));
    let file = house.tools.records.file(FileId(id)).await.unwrap().unwrap();
    assert_eq!((file.size, file.mime_type.as_str(), file.name.original()), (100, "text/plain", "picture.bin"));
    assert_eq!(house.tools.records.set_job_due(id, START).await.unwrap(), SetDue::Unknown);
    // Whoever starts anew lets go of everything.
    house.tools.records.release_held(START).await.unwrap();
    script.fetches.lock().unwrap().push_back(fail);
    assert_eq!(house.drain().await[0].outcome, Outcome::Failed("DownloadFileError".to_owned()));
    let told = UrlTask::Failed { text: "Failed.".to_owned(), code: "DownloadFileError".to_owned() };
    assert_eq!(house.task(&failed).await, told);
    assert_eq!(script.ended.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn a_job_stops_where_somebody_wants_it() {
    for hides in [false, true] {
        let script = Arc::new(Script { hides, ..Script::default() });
        let house = House::open(&script).await;
        let (id, task) = house.enqueue().await;
        script.fetches.lock().unwrap().push_back(FetchOrder::Take(given()));
        script.stops.lock().unwrap().extend([(10, FetchOrder::Go), (60, FetchOrder::Hold)]);
        assert_eq!(house.drain().await[0].outcome, Outcome::Held);
        let total = (!hides).then_some(100);
        assert_eq!(house.task(&task).await, UrlTask::Progress { done: 60, total });
        house.tools.records.set_job_due(id, START).await.unwrap();
        script.fetches.lock().unwrap().push_back(FetchOrder::Take(given()));
        assert_eq!(house.drain().await[0].outcome, Outcome::Done(FileId(id)));
    }
}

#[tokio::test]
async fn an_id_that_is_taken_is_a_refusal() {
    let script = Arc::new(Script::default());
    let house = House::open(&script).await;
    let (id, _) = house.enqueue().await;
    script.fetches.lock().unwrap().extend([FetchOrder::Succeed(given()), FetchOrder::Succeed(given())]);
    house.drain().await;
    let token = house.tools.ids.uuid();
    let (other, task) = house.enqueue().await;
    assert_eq!(house.tools.records.set_job_due(other, NEVER).await.unwrap(), SetDue::Set);
    let again = FromUrl { token, ..task };
    house.tools.records.start_url_task(&Job::FromUrl(again.clone()), id, START).await.unwrap();
    assert_eq!(house.drain().await[0].outcome, Outcome::Failed("DownloadFileValidationFailedError".to_owned()));
    let UrlTask::Failed { text, .. } = house.task(&again).await else { panic!("it has failed") };
    assert!(text.contains("is duplicated"), "{text}");
}

#[tokio::test]
async fn webhooks_are_not_told_where_somebody_wants_it() {
    let script = Arc::new(Script::default());
    let house = House::open(&script).await;
    let records = &house.tools.records;
    let postman = house.postman(&script).await;
    let log = async || records.deliveries(&DeliveryFilter::default(), 10).await.unwrap().remove(0);
    script.posts.lock().unwrap().push_back(PostOrder::Hold);
    assert_eq!(postman.drain().await.unwrap(), 0);
    let held = log().await;
    assert_eq!((held.due_at, held.attempts.len(), held.state), (NEVER, 0, DeliveryState::Pending));
    assert_eq!(postman.drain().await.unwrap(), 0, "what is held is not due");
    assert_eq!(records.set_delivery_due(held.id, START).await.unwrap(), SetDue::Set);
    script.posts.lock().unwrap().push_back(PostOrder::Answer(503));
    assert_eq!(postman.drain().await.unwrap(), 1);
    house.tools.clock.advance(MINUTE);
    script.posts.lock().unwrap().push_back(PostOrder::Fail("the line is dead".to_owned()));
    postman.drain().await.unwrap();
    house.tools.clock.advance(MINUTE);
    script.posts.lock().unwrap().push_back(PostOrder::Answer(204));
    let mut tried = Vec::new();
    postman.drain_with(&mut |one| tried.push(one.attempted.attempt.status)).await.unwrap();
    assert_eq!(tried, [Some(204)]);
    let told = log().await;
    let attempts: Vec<_> = told.attempts.iter().map(|one| (one.status, one.error.as_deref())).collect();
    assert_eq!(attempts, [(Some(503), None), (None, Some("the line is dead")), (Some(204), None)]);
    assert_eq!(told.state, DeliveryState::Delivered);
}

#[tokio::test]
async fn an_attempt_that_ends_as_the_postman_stops_is_recorded() {
    let script = Arc::new(Script::default());
    let house = House::open(&script).await;
    let postman = house.postman(&script).await;
    let mut wanted = Vec::new();
    // Several times: which of two events is seen first is a matter of chance.
    for status in 500..516 {
        let stop = CancellationToken::new();
        *script.stop.lock().unwrap() = Some(stop.clone());
        script.posts.lock().unwrap().push_back(PostOrder::Answer(status));
        postman.clone().work(stop, Duration::ZERO).await;
        wanted.push(Some(status));
        house.tools.clock.advance(MINUTE);
    }
    let told = house.tools.records.deliveries(&DeliveryFilter::default(), 10).await.unwrap().remove(0);
    let attempts: Vec<_> = told.attempts.iter().map(|one| one.status).collect();
    assert_eq!(attempts, wanted, "none was lost, and none was made twice");
}
