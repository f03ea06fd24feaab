//! Lists of files and groups.

use std::time::Duration;

use stowage_model::{File, FileId, GroupId, Ids, Member, NewFile, ProjectId, Timestamp};
use stowage_store::records::{Edge, FileFilter, FileOrder, FilePage, GroupEntry, GroupPage, Listed, Records};

use crate::{Case, T0, cause, new_file, project};

const FILTERS: [FileFilter; 4] = [FileFilter::Present, FileFilter::Stored, FileFilter::Temporary, FileFilter::Removed];
const ORDERS: [FileOrder; 4] =
    [FileOrder::Uploaded, FileOrder::UploadedDescending, FileOrder::Size, FileOrder::SizeDescending];

fn by_size(order: FileOrder) -> bool {
    matches!(order, FileOrder::Size | FileOrder::SizeDescending)
}

fn micros(time: Timestamp) -> i64 {
    time.micros()
}

/// Files of every state and of few sizes, so that many share one, and another project's in between.
async fn seeded(records: &Records, mine: ProjectId, theirs: ProjectId) -> Vec<File> {
    let mut ids = Vec::new();
    for n in 0..70_u32 {
        let file = NewFile {
            size: [7, 7, 1, 7, 30, 2, 7][n as usize % 7] + u64::from(n / 60),
            stored: n % 3 == 0,
            ..new_file("x")
        };
        ids.push(file.id);
        records.add_files(mine, vec![file], cause()).await.unwrap();
        if n % 5 == 0 {
            records.add_files(theirs, vec![NewFile { size: 7, ..new_file("theirs") }], cause()).await.unwrap();
        }
    }
    let removed: Vec<FileId> = ids.iter().copied().skip(2).step_by(4).collect();
    records.remove_files(mine, &removed, &cause(), T0).await.unwrap();
    records.files(&ids).await.unwrap()
}

fn expected(files: &[File], filter: FileFilter, order: FileOrder) -> Vec<File> {
    let mut files: Vec<File> = files
        .iter()
        .filter(|file| match filter {
            FileFilter::Present => file.removed_at.is_none(),
            FileFilter::Stored => file.stored_at.is_some(),
            FileFilter::Temporary => file.removed_at.is_none() && file.stored_at.is_none(),
            FileFilter::Removed => file.removed_at.is_some(),
        })
        .cloned()
        .collect();
    match order {
        FileOrder::Uploaded | FileOrder::UploadedDescending => files.sort_by_key(|file| file.uploaded_at),
        FileOrder::Size | FileOrder::SizeDescending => files.sort_by_key(|file| (file.size, file.id)),
    }
    if matches!(order, FileOrder::UploadedDescending | FileOrder::SizeDescending) {
        files.reverse();
    }
    files
}

/// The value and the offset that name the place of a file in a list.
async fn place(records: &Records, filter: FileFilter, order: FileOrder, file: &File) -> (i64, u32) {
    if by_size(order) {
        let ties = records.ties_before(filter, order, file).await.unwrap();
        return (i64::try_from(file.size).unwrap(), ties);
    }
    (micros(file.uploaded_at), 0)
}

async fn every_page_of_every_list_is_found_forwards_and_backwards(case: Case) {
    let records = case.open().await;
    let (mine, theirs) = (project(&records, "mine").await, project(&records, "theirs").await);
    let files = seeded(&records, mine, theirs).await;
    for filter in FILTERS {
        for order in ORDERS {
            let expected = expected(&files, filter, order);
            assert!(expected.len() > 10);
            for limit in [1, 2, 5, 11, 69, 70, 71] {
                let mut page = FilePage { filter, order, edge: None, offset: 0, limit };
                let (mut seen, mut last) = (Vec::new(), Vec::new());
                loop {
                    let listed = records.list_files(mine, &page).await.unwrap();
                    assert_eq!(listed.precedes, !seen.is_empty(), "{page:?}");
                    seen.extend(listed.items.iter().cloned());
                    assert_eq!(listed.follows, seen.len() < expected.len(), "{page:?}");
                    last.clone_from(&listed.items);
                    if !listed.follows {
                        break;
                    }
                    let (value, ties) = place(&records, filter, order, last.last().unwrap()).await;
                    page.edge = Some(Edge::After(value));
                    page.offset = if by_size(order) { ties + 1 } else { 0 };
                }
                assert_eq!(seen, expected, "{page:?}");
                let mut back: Vec<File> = last.clone();
                while back.len() < expected.len() {
                    let (value, offset) = place(&records, filter, order, &back[0]).await;
                    let page = FilePage { filter, order, edge: Some(Edge::Before(value)), offset, limit };
                    let listed = records.list_files(mine, &page).await.unwrap();
                    assert!(listed.follows && !listed.items.is_empty(), "{page:?}");
                    back.splice(0..0, listed.items);
                    assert_eq!(listed.precedes, back.len() < expected.len(), "{page:?}");
                }
                assert_eq!(back, expected, "backwards by {limit}, {filter:?}, {order:?}");
            }
        }
    }
}

async fn places_that_no_file_has_are_good_edges(case: Case) {
    use Edge::{After, Before};
    use FileOrder::{Size, SizeDescending, Uploaded, UploadedDescending};
    let records = case.open().await;
    let (mine, theirs) = (project(&records, "mine").await, project(&records, "theirs").await);
    let page = |order, edge, offset, limit| FilePage { filter: FileFilter::Present, order, edge, offset, limit };
    let empty = records.list_files(mine, &page(FileOrder::Size, None, 0, 10)).await.unwrap();
    assert_eq!(empty, Listed { items: Vec::new(), follows: false, precedes: false });

    let mut ids = Vec::new();
    for (n, size) in [20, 10, 20, 30, 20].into_iter().enumerate() {
        let file = NewFile { size, stored: n % 2 == 0, ..new_file("x") };
        ids.push(file.id);
        records.add_files(mine, vec![file], cause()).await.unwrap();
        case.clock.advance(Duration::from_micros(10));
    }
    let at = |n: i64| micros(T0) + n;
    let list = async |order, edge, offset, limit| {
        let listed = records.list_files(mine, &page(order, edge, offset, limit)).await.unwrap();
        let numbers: Vec<usize> =
            listed.items.iter().map(|file| ids.iter().position(|id| *id == file.id).unwrap()).collect();
        (numbers, listed.precedes, listed.follows)
    };
    assert_eq!(list(Uploaded, Some(After(at(5))), 0, 2).await, (vec![1, 2], true, true));
    assert_eq!(list(Uploaded, Some(After(at(-1))), 0, 9).await, (vec![0, 1, 2, 3, 4], false, false));
    assert_eq!(list(Uploaded, Some(After(at(40))), 0, 9).await, (vec![], true, false));
    assert_eq!(list(Uploaded, Some(Before(at(25))), 0, 2).await, (vec![1, 2], true, true));
    assert_eq!(list(Uploaded, Some(Before(at(99))), 0, 9).await, (vec![0, 1, 2, 3, 4], false, false));
    assert_eq!(list(Uploaded, Some(Before(at(0))), 0, 9).await, (vec![], false, true));
    assert_eq!(list(UploadedDescending, Some(After(at(25))), 0, 2).await, (vec![2, 1], true, true));
    assert_eq!(list(UploadedDescending, Some(Before(at(25))), 0, 9).await, (vec![4, 3], false, true));
    // Offsets skip what is next to the edge.
    assert_eq!(list(Uploaded, None, 2, 2).await, (vec![2, 3], true, true));
    assert_eq!(list(Uploaded, None, 9, 2).await, (vec![], true, false));
    assert_eq!(list(Uploaded, Some(After(at(-1))), 1, 9).await, (vec![1, 2, 3, 4], true, false));
    assert_eq!(list(Uploaded, Some(Before(at(99))), 1, 2).await, (vec![2, 3], true, true));
    assert_eq!(list(Uploaded, Some(Before(at(99))), 9, 2).await, (vec![], false, true));
    assert_eq!(list(Uploaded, None, 0, 0).await, (vec![], false, true));
    for edge in [i64::MIN, i64::MAX, 0, -1] {
        for offset in [0, 1, u32::MAX] {
            for order in ORDERS {
                for edge in [After(edge), Before(edge)] {
                    assert!(list(order, Some(edge), offset, u32::MAX).await.0.len() <= 5);
                }
            }
        }
    }
    // Sizes: from 15 on, up to 15, and places between files of one size.
    let mut ties = [0, 2, 4];
    ties.sort_by_key(|n| ids[*n]);
    let [a, b, c] = ties;
    assert_eq!(list(Size, Some(After(15)), 0, 9).await, (vec![a, b, c, 3], true, false));
    assert_eq!(list(Size, Some(After(20)), 1, 2).await, (vec![b, c], true, true));
    assert_eq!(list(Size, Some(After(10)), 0, 1).await, (vec![1], false, true));
    assert_eq!(list(Size, Some(Before(15)), 0, 9).await, (vec![1], false, true));
    assert_eq!(list(Size, Some(Before(20)), 0, 9).await, (vec![1], false, true));
    assert_eq!(list(Size, Some(Before(20)), 2, 2).await, (vec![a, b], true, true));
    assert_eq!(list(Size, Some(Before(20)), 3, 9).await, (vec![1, a, b, c], false, true));
    assert_eq!(list(Size, Some(Before(99)), 0, 2).await, (vec![c, 3], true, false));
    assert_eq!(list(Size, Some(Before(20)), 4, 2).await, (vec![c, 3], true, false), "in front of the end");
    for offset in [5, 1000, u32::MAX] {
        assert_eq!(list(Size, Some(Before(20)), offset, 2).await, (vec![c, 3], true, false), "behind the end");
        assert_eq!(list(SizeDescending, Some(Before(20)), offset, 9).await, (vec![3, c, b, a, 1], false, false));
        assert_eq!(list(Size, Some(After(20)), offset, 2).await, (vec![], true, false));
    }
    assert_eq!(list(Size, Some(Before(20)), 3, 0).await, (vec![], true, true));
    assert_eq!(list(SizeDescending, None, 0, 3).await, (vec![3, c, b], false, true));
    assert_eq!(list(SizeDescending, Some(After(20)), 2, 9).await, (vec![a, 1], true, false));
    assert_eq!(list(SizeDescending, Some(Before(20)), 2, 9).await, (vec![3, c, b], false, true));
    assert_eq!(list(SizeDescending, Some(Before(20)), 0, 9).await, (vec![3], false, true));
    assert_eq!(records.list_files(theirs, &page(Uploaded, None, 0, 9)).await.unwrap().items, []);
}

async fn pages_far_from_their_edge_are_found(case: Case) {
    let records = case.open().await;
    let mine = project(&records, "mine").await;
    let mut files: Vec<NewFile> = Vec::new();
    for n in 0..2300_u64 {
        files.push(NewFile { size: n / 2200, stored: n % 3 == 0, ..new_file("x") });
    }
    let times = records.add_files(mine, files.clone(), cause()).await.unwrap();
    let mut files: Vec<(FileId, u64, Timestamp)> =
        files.iter().zip(times).map(|(file, time)| (file.id, file.size, time)).collect();
    let page = |order, edge, offset| FilePage { filter: FileFilter::Present, order, edge, offset, limit: 9 };
    let listed = async |page: FilePage| {
        let listed = records.list_files(mine, &page).await.unwrap();
        assert!(listed.precedes && listed.follows, "{page:?}");
        listed.items.into_iter().map(|file| (file.id, file.size, file.uploaded_at)).collect::<Vec<_>>()
    };
    assert_eq!(listed(page(FileOrder::Uploaded, None, 1500)).await, files[1500..1509]);
    let edge = Some(Edge::Before(micros(files[2200].2)));
    assert_eq!(listed(page(FileOrder::Uploaded, edge, 1100)).await, files[1091..1100]);
    files.sort_by_key(|(id, size, _)| (*size, *id));
    assert_eq!(listed(page(FileOrder::Size, Some(Edge::After(0)), 1500)).await, files[1500..1509]);
    assert_eq!(listed(page(FileOrder::Size, Some(Edge::Before(0)), 1500)).await, files[1491..1500]);
    assert_eq!(listed(page(FileOrder::Size, Some(Edge::After(0)), 2196)).await, files[2196..2205]);
    files.reverse();
    assert_eq!(listed(page(FileOrder::SizeDescending, Some(Edge::After(0)), 1500)).await, files[1600..1609]);
    assert_eq!(listed(page(FileOrder::SizeDescending, Some(Edge::Before(0)), 1500)).await, files[1591..1600]);
    assert_eq!(listed(page(FileOrder::SizeDescending, Some(Edge::Before(0)), 3)).await, files[94..103]);
}

async fn groups_are_listed_and_deleted(case: Case) {
    let nodes = case.nodes(2).await;
    let records = &nodes[0];
    let (mine, theirs) = (project(records, "mine").await, project(records, "theirs").await);
    let mut expected: Vec<GroupEntry> = Vec::new();
    for n in 0..23_u32 {
        let uuid = Ids::random().uuid();
        let member = Member { file: FileId(uuid), effects: String::new() };
        let members = vec![member; 1 + n as usize % 3];
        let owner = if n % 4 == 3 { theirs } else { mine };
        let created_at = records.create_group(uuid, owner, &members, T0).await.unwrap();
        if owner == mine {
            expected.push(GroupEntry { id: GroupId { uuid, count: 1 + n % 3 }, created_at });
        }
    }
    for descending in [false, true] {
        for limit in [1, 4, 17, 18, 19] {
            let mut page = GroupPage { descending, edge: None, offset: 0, limit };
            let mut seen: Vec<GroupEntry> = Vec::new();
            let first = loop {
                let listed = nodes[1].list_groups(mine, &page).await.unwrap();
                assert_eq!(listed.precedes, !seen.is_empty(), "{page:?}");
                seen.extend(&listed.items);
                assert_eq!(listed.follows, seen.len() < expected.len(), "{page:?}");
                if !listed.follows {
                    break seen.len() - listed.items.len();
                }
                page.edge = Some(Edge::After(seen[seen.len() - 1].created_at));
            };
            assert_eq!(seen, expected);
            let mut at = first;
            while at > 0 {
                page.edge = Some(Edge::Before(expected[at].created_at));
                let listed = records.list_groups(mine, &page).await.unwrap();
                assert!(listed.follows);
                let begin = at - listed.items.len();
                assert_eq!(listed.items, expected[begin..at], "{page:?}");
                assert_eq!(listed.precedes, begin > 0, "{page:?}");
                at = begin;
            }
        }
        expected.reverse();
    }
    let page = GroupPage { descending: false, edge: Some(Edge::After(T0)), offset: 2, limit: 1 };
    let listed = records.list_groups(mine, &page).await.unwrap();
    assert_eq!((&listed.items[..], listed.precedes, listed.follows), (&expected[3..4], true, true));

    let id = expected[5].id;
    assert!(!records.delete_group(theirs, id).await.unwrap(), "another project's");
    let other_count = GroupId { count: id.count + 1, ..id };
    assert!(!records.delete_group(mine, other_count).await.unwrap());
    assert!(records.group(id).await.unwrap().is_some());
    assert!(records.delete_group(mine, id).await.unwrap());
    assert!(!nodes[1].delete_group(mine, id).await.unwrap(), "it is gone");
    assert_eq!(records.group(id).await.unwrap(), None);
    let page = GroupPage { edge: None, offset: 0, limit: 100, ..page };
    assert_eq!(records.list_groups(mine, &page).await.unwrap().items.len(), expected.len() - 1);
    assert_eq!(case.count("group_files").await, (0..23).map(|n| 1 + n % 3).sum::<i64>() - i64::from(id.count));
}

on_both_engines!(
    every_page_of_every_list_is_found_forwards_and_backwards,
    places_that_no_file_has_are_good_edges,
    pages_far_from_their_edge_are_found,
    groups_are_listed_and_deleted,
);
