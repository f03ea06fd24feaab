//! Groups.

use std::time::Duration;

use stowage_model::group::MAX_FILES;
use stowage_model::{FileId, Group, GroupId, Ids, Member, Timestamp};
use tokio::task::JoinSet;

use crate::{Case, T0, project};

fn member(file: FileId, effects: &str) -> Member {
    Member { file, effects: effects.to_owned() }
}

async fn a_group_comes_back_as_it_was_made(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let (one, two) = (Ids::random().file(), Ids::random().file());
    let members =
        vec![member(two, "resize/x800/-/grayscale/"), member(one, ""), member(two, ""), member(one, "x/ü \"q\" \\/")];
    let uuid = Ids::random().uuid();
    let created_at = records.create_group(uuid, project, &members, T0).await.unwrap();
    assert_eq!(created_at, T0);
    let id = GroupId { uuid, count: 4 };
    let expected = Group { id, project, created_at, members: members.clone() };
    assert_eq!(records.group(id).await.unwrap(), Some(expected));
    for (place, member) in (0..).zip(&members) {
        assert_eq!(records.group_member(id, place).await.unwrap(), Some((project, Some(member.clone()))));
    }
    for place in [4, u32::MAX] {
        assert_eq!(records.group_member(id, place).await.unwrap(), Some((project, None)));
    }
    for count in [1, 3, 5, u32::MAX] {
        assert_eq!(records.group(GroupId { uuid, count }).await.unwrap(), None);
        assert_eq!(records.group_member(GroupId { uuid, count }, 0).await.unwrap(), None);
    }
    assert_eq!(records.group(GroupId { uuid: Ids::random().uuid(), count: 4 }).await.unwrap(), None);
    assert!(records.create_group(uuid, project, &members[..1], T0).await.is_err(), "the id is taken");
    assert!(records.group(id).await.unwrap().is_some());
}

async fn a_group_may_be_large(case: Case) {
    let records = case.open().await;
    let project = project(&records, "p").await;
    let members: Vec<Member> = (0..MAX_FILES).map(|n| member(Ids::random().file(), &n.to_string())).collect();
    let uuid = Ids::random().uuid();
    records.create_group(uuid, project, &members, T0).await.unwrap();
    let id = GroupId { uuid, count: u32::try_from(MAX_FILES).unwrap() };
    assert_eq!(records.group(id).await.unwrap().unwrap().members, members);
}

async fn no_two_groups_of_a_project_share_a_microsecond(case: Case) {
    let nodes = case.nodes(4).await;
    let (one, two) = (project(&nodes[0], "one").await, project(&nodes[0], "two").await);
    let mut work = JoinSet::new();
    for n in 0..200_usize {
        let node = nodes[n % 4].clone();
        let project = if n % 5 == 0 { two } else { one };
        work.spawn(async move {
            let uuid = Ids::random().uuid();
            let time = node.create_group(uuid, project, &[member(FileId(uuid), "")], T0).await.unwrap();
            let group = node.group(GroupId { uuid, count: 1 }).await.unwrap().unwrap();
            assert_eq!((group.created_at, group.project), (time, project));
            (project, time)
        });
    }
    let mut times = work.join_all().await;
    times.sort();
    let after = |n: u64| T0.plus(Duration::from_micros(n));
    let expected: Vec<(_, Timestamp)> =
        (0..160).map(|n| (one, after(n))).chain((0..40).map(|n| (two, after(n)))).collect();
    assert_eq!(times, expected, "without gaps even");
    // A gap is filled from its beginning, and a free moment is taken as it is.
    for (now, expected) in [(after(500), after(500)), (after(499), after(499)), (after(100), after(160))] {
        let group = [member(Ids::random().file(), "")];
        let time = nodes[0].create_group(Ids::random().uuid(), one, &group, now).await.unwrap();
        assert_eq!(time, expected);
    }
}

on_both_engines!(
    a_group_comes_back_as_it_was_made,
    a_group_may_be_large,
    no_two_groups_of_a_project_share_a_microsecond,
);
