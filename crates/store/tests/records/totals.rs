//! The counts, against counting: after changes of every kind, one by one and several nodes at once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use stowage_model::{FileId, GroupId, Ids, Member, NewFile, ProjectId};
use stowage_store::records::{Edge, FileFilter, FileOrder, FilePage, GroupPage, Records, RecordsError, Totals, Usage};
use tokio::task::JoinSet;

use crate::{Case, DAY, T0, cause, new_file, project, sqlite_url, testing};

/// What there is in a project, counted.
async fn counted(case: &Case, project: ProjectId) -> Totals {
    const FILES: &str = "SELECT CASE WHEN removed_at IS NOT NULL THEN 2 WHEN stored_at IS NOT NULL THEN 1 ELSE 0 END, \
        count(*), CAST(sum(size) AS BIGINT) FROM files WHERE project = $1 GROUP BY 1 \
        UNION ALL SELECT 3, count(*), 0 FROM groups WHERE project = $1";
    let rows: Vec<(i32, i64, i64)> = if case.options.url.is_empty() {
        let pool = sqlx::SqlitePool::connect(&sqlite_url(case.folder.path())).await.unwrap();
        sqlx::query_as(FILES).bind(project.0).fetch_all(&pool).await.unwrap()
    } else {
        let pool = sqlx::PgPool::connect(&case.options.url).await.unwrap();
        sqlx::query_as(FILES).bind(project.0).fetch_all(&pool).await.unwrap()
    };
    let mut totals = Totals::default();
    for (state, files, bytes) in rows {
        let usage = Usage { files: u64::try_from(files).unwrap(), bytes: u64::try_from(bytes).unwrap() };
        match state {
            0 => totals.temporary = usage,
            1 => totals.stored = usage,
            2 => totals.removed = usage,
            _ => totals.groups = usage.files,
        }
    }
    totals
}

/// Numbers that are the same in every run.
struct Dice(Vec<u8>);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(testing::bytes(seed, 1 << 16))
    }

    fn below(&mut self, end: usize) -> usize {
        let byte = self.0.pop().unwrap();
        usize::from(byte) % end
    }

    /// Some of these, some of them twice, in any order.
    fn some<T: Copy>(&mut self, of: &[T]) -> Vec<T> {
        let count = self.below(6);
        if of.is_empty() { Vec::new() } else { (0..count).map(|_| of[self.below(of.len())]).collect() }
    }
}

#[derive(Default)]
struct Known {
    files: Vec<FileId>,
    groups: Vec<GroupId>,
}

/// Does something at random.
async fn step(
    case: &Case,
    node: &Records,
    project: ProjectId,
    known: &Mutex<Known>,
    dice: &mut Dice,
) -> Result<(), RecordsError> {
    case.clock.advance(Duration::from_secs(1));
    let now = case.clock.now();
    let ago = now.minus(Duration::from_secs(dice.below(20) as u64));
    let files = dice.some(&known.lock().unwrap().files);
    match dice.below(12) {
        0..=2 => {
            let new: Vec<NewFile> = (0..=dice.below(4))
                .map(|_| NewFile { stored: dice.below(2) == 0, size: dice.below(100) as u64, ..new_file("x") })
                .collect();
            known.lock().unwrap().files.extend(new.iter().map(|file| file.id));
            node.add_files(project, new, cause()).await.unwrap();
        }
        3 | 4 => drop(node.store_files(project, &files, &cause(), now).await?),
        5 | 6 => drop(node.remove_files(project, &files, &cause(), now).await?),
        7 => drop(node.expire_files(ago, ago, now, 3, &cause()).await?),
        8 => drop(node.let_go(ago, now, 3).await?),
        9 => drop(node.purge_removed(ago, 3).await?),
        10 => {
            let members: Vec<Member> =
                files.iter().map(|file| Member { file: *file, effects: String::new() }).collect();
            if let Ok(count @ 1..) = u32::try_from(members.len()) {
                let id = GroupId { uuid: Ids::random().uuid(), count };
                node.create_group(id.uuid, project, &members, now).await?;
                known.lock().unwrap().groups.push(id);
            }
        }
        _ => {
            let groups = dice.some(&known.lock().unwrap().groups);
            for group in groups {
                node.delete_group(project, group).await?;
            }
        }
    }
    Ok(())
}

/// Lists have as many items as are counted.
async fn lists_agree(node: &Records, project: ProjectId, totals: Totals) {
    let filters = [
        (FileFilter::Present, (totals.temporary + totals.stored).files),
        (FileFilter::Stored, totals.stored.files),
        (FileFilter::Temporary, totals.temporary.files),
        (FileFilter::Removed, totals.removed.files),
    ];
    for (filter, files) in filters {
        let page = FilePage { filter, order: FileOrder::Size, edge: None, offset: 0, limit: 100_000 };
        assert_eq!(node.list_files(project, &page).await.unwrap().items.len() as u64, files);
    }
    let page = GroupPage { descending: true, edge: Some(Edge::Before(T0)), offset: 0, limit: 100_000 };
    assert_eq!(node.list_groups(project, &page).await.unwrap().items.len() as u64, totals.groups);
}

async fn counts_are_right_after_every_kind_of_change(case: Case) {
    let records = case.open().await;
    let (mine, theirs) = (project(&records, "mine").await, project(&records, "theirs").await);
    assert_eq!(records.totals(mine).await.unwrap(), Totals::default());
    let known = [Mutex::new(Known::default()), Mutex::new(Known::default())];
    let mut dice = Dice::new(7);
    let mut seen = Totals::default();
    for n in 0..400 {
        let which = usize::from(n % 5 == 0);
        let project = [mine, theirs][which];
        step(&case, &records, project, &known[which], &mut dice).await.unwrap();
        for project in [mine, theirs] {
            let totals = records.totals(project).await.unwrap();
            assert_eq!(totals, counted(&case, project).await, "step {n}");
            seen.temporary.files = seen.temporary.files.max(totals.temporary.files);
            seen.stored.files = seen.stored.files.max(totals.stored.files);
            seen.removed.files = seen.removed.files.max(totals.removed.files);
            seen.groups = seen.groups.max(totals.groups);
        }
    }
    assert!(seen.temporary.files > 5 && seen.stored.files > 5 && seen.removed.files > 5 && seen.groups > 5, "{seen:?}");
    lists_agree(&records, mine, records.totals(mine).await.unwrap()).await;
    let totals = records.totals(mine).await.unwrap();
    assert_eq!(records.usage(mine).await.unwrap(), totals.temporary + totals.stored);
}

async fn nodes_that_change_everything_at_once_count_right(case: Case) {
    let nodes = case.nodes(2).await;
    let projects = [project(&nodes[0], "mine").await, project(&nodes[0], "theirs").await];
    let case = Arc::new(case);
    let known = Arc::new([Mutex::new(Known::default()), Mutex::new(Known::default())]);
    let mut work = JoinSet::new();
    for n in 0..6_usize {
        let (case, node, known) = (Arc::clone(&case), nodes[n % 2].clone(), Arc::clone(&known));
        work.spawn(async move {
            let mut dice = Dice::new(n as u64 + 1);
            for _ in 0..60 {
                let which = usize::from(dice.below(3) == 0);
                step(&case, &node, projects[which], &known[which], &mut dice).await.unwrap();
            }
        });
    }
    work.join_all().await;
    for project in projects {
        let totals = nodes[1].totals(project).await.unwrap();
        assert_eq!(totals, counted(&case, project).await);
        lists_agree(&nodes[0], project, totals).await;
    }
    // Everything goes in the end, and then there is nothing.
    let (node, later) = (&nodes[0], case.clock.now().plus(DAY));
    for (project, known) in projects.into_iter().zip(known.iter()) {
        let files = known.lock().unwrap().files.clone();
        node.remove_files(project, &files, &cause(), case.clock.now()).await.unwrap();
        let groups = known.lock().unwrap().groups.clone();
        for group in groups {
            node.delete_group(project, group).await.unwrap();
        }
    }
    node.let_go(later, later, 100_000).await.unwrap();
    node.purge_removed(later, 100_000).await.unwrap();
    for project in projects {
        assert_eq!(nodes[1].totals(project).await.unwrap(), Totals::default());
    }
    assert_eq!(case.count("files").await, 0);
}

async fn what_was_there_before_the_counts_is_counted(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let file = NewFile { stored: true, size: 9, ..new_file("x") };
    records.add_files(project, vec![file.clone(), new_file("y"), new_file("z")], cause()).await.unwrap();
    records.remove_files(project, &[file.id], &cause(), T0).await.unwrap();
    let member = Member { file: file.id, effects: String::new() };
    records.create_group(Ids::random().uuid(), project, &[member.clone(), member], T0).await.unwrap();
    let totals = records.totals(project).await.unwrap();
    assert_eq!(totals.removed, Usage { files: 1, bytes: 9 });
    assert_eq!((totals.temporary, totals.stored), (Usage { files: 2, bytes: 10 }, Usage::default()));
    // As the migration counts.
    for table in ["DELETE FROM counts", "UPDATE groups SET files = 0"] {
        case.change(table, table).await;
    }
    assert_eq!(records.totals(project).await.unwrap(), Totals::default());
    for statement in migrated() {
        case.change(statement, statement).await;
    }
    assert_eq!(records.totals(project).await.unwrap(), totals);
    let page = GroupPage { descending: false, edge: None, offset: 0, limit: 1 };
    assert_eq!(records.list_groups(project, &page).await.unwrap().items[0].id.count, 2);
}

/// The statements with which the migration, alike for both engines, counts what is there.
fn migrated() -> Vec<&'static str> {
    let [sqlite, postgres] = [
        include_str!("../../../../migrations/sqlite/0003_rest_api.sql"),
        include_str!("../../../../migrations/postgres/0003_rest_api.sql"),
    ]
    .map(|text| {
        let counts = |line: &&str| line.starts_with("INSERT INTO counts SELECT") || line.starts_with("UPDATE groups");
        text.lines().filter(counts).collect::<Vec<&'static str>>()
    });
    assert_eq!((sqlite.len(), &sqlite), (3, &postgres));
    sqlite
}

on_both_engines!(
    counts_are_right_after_every_kind_of_change,
    nodes_that_change_everything_at_once_count_right,
    what_was_there_before_the_counts_is_counted,
);
