//! What synthetic files are: names, dates over a year of which most are of late, some not stored, some removed, metadata and tags, and
//! groups. Times rise from file to file, so that no two of them are equal.

use std::time::Duration;

use stowage_janitor::Options;
use stowage_model::{File, FileId, FileName, Group, GroupId, Ids, Member, Metadata, ProjectId, Tags, Timestamp};

use super::content::WORDS;

/// Over how much time the files are spread.
pub(super) const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
/// One file in so many is removed, and of those that may be, one in so many is not stored.
const REMOVED: u64 = 20;
const TEMPORARY: u64 = 3;
/// One stored file in so many is the first of a group.
const GROUPED: u64 = 100;
/// The most files of a group.
const MOST: u64 = 9;

/// A piece of the plan.
pub(super) struct Laid {
    pub(super) files: Vec<File>,
    pub(super) groups: Vec<Group>,
}

/// Files to come.
pub(super) struct Plan {
    project: ProjectId,
    samples: Vec<File>,
    /// How many there are, and how many have come.
    count: u64,
    done: u64,
    now: Timestamp,
    /// From when on files may be temporary, and from when on they can be brought back.
    temporary: Timestamp,
    recoverable: Timestamp,
    removed_ttl: u64,
    ids: Ids,
    last: Timestamp,
    groups: u64,
}

/// Numbers out of ids.
struct Dice(u64);

impl Dice {
    fn thrown(ids: &Ids) -> Self {
        // The first two bits of this half are always the same.
        Self(ids.uuid().as_u64_pair().1 << 2)
    }

    /// A number below `sides`, of which all of a throw together must not be more than fit into 60 bits.
    fn below(&mut self, sides: u64) -> u64 {
        let wide = u128::from(self.0) * u128::from(sides);
        self.0 = u64::try_from(wide & u128::from(u64::MAX)).unwrap_or(0);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        let place = usize::try_from(self.below(words.len() as u64)).unwrap_or(0);
        words.get(place).copied().unwrap_or_default()
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Plan {
    /// `count` files that have the bytes of the samples.
    pub(super) fn new(
        project: ProjectId,
        samples: Vec<File>,
        count: u64,
        now: Timestamp,
        janitor: &Options,
        ids: Ids,
    ) -> Self {
        Self {
            project,
            samples,
            count,
            done: 0,
            now,
            // A minute more, so that they are still there when somebody looks.
            temporary: now.minus(janitor.temporary_ttl.saturating_sub(Duration::from_secs(60))),
            recoverable: now.minus(janitor.recovery_ttl),
            removed_ttl: micros(janitor.removed_ttl),
            ids,
            last: Timestamp(i64::MIN),
            groups: 0,
        }
    }

    /// How many groups there were so far.
    pub(super) fn groups(&self) -> u64 {
        self.groups
    }

    /// The next `count` files, and groups of them; none at the end.
    pub(super) fn next(&mut self, count: usize) -> anyhow::Result<Laid> {
        let mut laid = Laid { files: Vec::with_capacity(count), groups: Vec::new() };
        while laid.files.len() < count && self.done < self.count {
            self.done += 1;
            let file = self.file()?;
            laid.files.push(file);
        }
        self.group(&mut laid);
        Ok(laid)
    }

    /// When the next file was uploaded: the fewer, the longer ago.
    fn time(&mut self) -> Timestamp {
        let (left, all) = (u128::from(self.count - self.done), u128::from(self.count));
        let ago = YEAR.as_micros() * left * left / (all * all);
        let at = self.now.minus(Duration::from_micros(u64::try_from(ago).unwrap_or(u64::MAX)));
        self.last = at.max(Timestamp(self.last.0.saturating_add(1)));
        self.last
    }

    fn file(&mut self) -> anyhow::Result<File> {
        let at = self.time();
        let mut dice = Dice::thrown(&self.ids);
        let sample = usize::try_from(dice.below(self.samples.len() as u64)).unwrap_or(0);
        let sample = &self.samples[sample];
        let extension = sample.name.original().rsplit('.').next().unwrap_or_default();
        let name = format!("{}-{}-{}.{extension}", dice.pick(&WORDS), dice.pick(&WORDS), self.done);
        let mut file = File {
            id: FileId(self.ids.uuid()),
            project: self.project,
            uploaded_at: at,
            stored_at: Some(at),
            name: FileName::new(&name),
            ..sample.clone()
        };
        if dice.below(2) == 0 {
            let (album, number) = (dice.pick(&WORDS), dice.below(1000).to_string());
            let pairs = [("album", album.as_bytes()), ("number", number.as_bytes())];
            file.metadata = Metadata::from_pairs(pairs).map_err(|refusal| anyhow::anyhow!("metadata: {refusal}"))?;
        }
        if dice.below(4) == 0 {
            let tags = [dice.pick(&WORDS), dice.pick(&WORDS)];
            file.tags = Tags::from_texts(tags).map_err(|refusal| anyhow::anyhow!("tags: {refusal}"))?;
        }
        if dice.below(REMOVED) == 0 {
            let ago = Dice::thrown(&self.ids).below(self.removed_ttl);
            let removed = self.now.minus(Duration::from_micros(ago)).max(at);
            (file.stored_at, file.removed_at) = (None, Some(removed));
            if removed < self.recoverable {
                file.blob = None;
            }
        } else if at > self.temporary && dice.below(TEMPORARY) == 0 {
            file.stored_at = None;
        }
        Ok(file)
    }

    /// Groups files that follow each other.
    fn group(&mut self, laid: &mut Laid) {
        let stored: Vec<&File> = laid.files.iter().filter(|file| file.stored_at.is_some()).collect();
        let mut place = 0;
        while place < stored.len() {
            let mut dice = Dice::thrown(&self.ids);
            if dice.below(GROUPED) > 0 {
                place += 1;
                continue;
            }
            let most = usize::try_from(2 + dice.below(MOST - 1)).unwrap_or(2);
            let members: Vec<&File> = stored.iter().skip(place).take(most).copied().collect();
            place += members.len();
            let (Some(last), Ok(count)) = (members.last(), u32::try_from(members.len())) else { continue };
            laid.groups.push(Group {
                id: GroupId { uuid: self.ids.uuid(), count },
                project: self.project,
                created_at: last.uploaded_at,
                members: members.iter().map(|file| Member { file: file.id, effects: String::new() }).collect(),
            });
        }
        self.groups += laid.groups.len() as u64;
    }

    /// Moves a piece that has just come by a microsecond.
    pub(super) fn later(&mut self, files: &mut [File], groups: &mut [Group]) {
        let later = |time: &mut Timestamp| time.0 = time.0.saturating_add(1);
        for file in files {
            later(&mut file.uploaded_at);
            file.stored_at.as_mut().into_iter().chain(&mut file.removed_at).for_each(later);
        }
        for group in groups {
            later(&mut group.created_at);
        }
        later(&mut self.last);
    }
}

#[cfg(test)]
mod tests {
    use stowage_model::{BlobKey, ContentInfo};

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

    fn janitor() -> Options {
        let hour = Duration::from_secs(3600);
        Options {
            interval: hour,
            temporary_ttl: 24 * hour,
            recovery_ttl: hour,
            removed_ttl: 30 * 24 * hour,
            delivery_log_ttl: hour,
            sweep_interval: hour,
            grace: hour,
        }
    }

    fn plan(count: u64) -> Plan {
        let sample = |name: &str| File {
            id: Ids::random().file(),
            project: ProjectId(1),
            uploaded_at: NOW,
            stored_at: Some(NOW),
            removed_at: None,
            blob: Some(BlobKey(name.to_owned())),
            size: 5,
            etag: "0".repeat(32),
            name: FileName::new(name),
            mime_type: "text/plain".to_owned(),
            is_image: false,
            content: ContentInfo::default(),
            metadata: Metadata::default(),
            tags: Tags::default(),
        };
        Plan::new(ProjectId(1), vec![sample("a.txt"), sample("b.jpg")], count, NOW, &janitor(), Ids::seeded(3))
    }

    fn all(mut plan: Plan) -> (Vec<File>, Vec<Group>) {
        let (mut files, mut groups) = (Vec::new(), Vec::new());
        loop {
            let laid = plan.next(700).unwrap();
            if laid.files.is_empty() {
                assert_eq!(plan.groups(), groups.len() as u64);
                return (files, groups);
            }
            files.extend(laid.files);
            groups.extend(laid.groups);
        }
    }

    #[test]
    fn files_are_of_every_kind() {
        let (files, groups) = all(plan(20_000));
        assert_eq!(files.len(), 20_000);
        assert!(files.is_sorted_by(|one, next| one.uploaded_at < next.uploaded_at), "no two times are equal");
        assert!(files[0].uploaded_at < NOW.minus(YEAR / 2) && files[19_999].uploaded_at <= NOW);
        let share = |what: &dyn Fn(&File) -> bool| files.iter().filter(|file| what(file)).count();
        let temporary = |file: &File| file.stored_at.is_none() && file.removed_at.is_none();
        assert!(
            files
                .iter()
                .filter(|file| temporary(file))
                .all(|file| file.uploaded_at > NOW.minus(janitor().temporary_ttl))
        );
        for (what, least, most) in [
            (share(&temporary), 100, 1000),
            (share(&|file| file.removed_at.is_some()), 700, 1300),
            (share(&|file| file.removed_at.is_some() && file.blob.is_some()), 1, 300),
            (share(&|file| file.blob == Some(BlobKey("b.jpg".into()))), 8000, 11_000),
            (share(&|file| file.metadata != Metadata::default()), 9000, 11_000),
            (share(&|file| file.tags != Tags::default()), 4000, 6000),
            (groups.len(), 100, 300),
        ] {
            assert!((least..=most).contains(&what), "{least} to {most}: {what}");
        }
        for file in &files {
            assert!(
                file.removed_at
                    .is_none_or(|at| at >= file.uploaded_at && at <= NOW && at > NOW.minus(janitor().removed_ttl))
            );
        }
        for group in groups {
            assert!(group.id.count as usize == group.members.len() && group.members.len() <= 10);
        }
    }

    #[test]
    fn a_seed_repeats() {
        assert_eq!(all(plan(3000)), all(plan(3000)));
    }

    #[test]
    fn many_files_share_no_microsecond() {
        // The last ones come several to a microsecond of the curve.
        let mut plan = plan(50_000_000);
        plan.done = plan.count - 3000;
        let (files, _) = all(plan);
        assert!(files.is_sorted_by(|one, next| one.uploaded_at < next.uploaded_at));
    }
}
