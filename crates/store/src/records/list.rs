//! Listing the files of a project, page by page. A page is found by where it begins or ends, through an index that has its
//! order, so that it costs the same wherever in the list it is.

use std::sync::OnceLock;

use stowage_model::{File, ProjectId};

use super::engine::{Engine, read};
use super::files::{FileRow, columns, files_of_json, json_columns};
use super::{Records, RecordsError};

/// With how many files to skip it pays to find them in the index first.
const DEEP: i64 = 1000;

/// Which files are listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileFilter {
    /// Those that are not removed.
    Present,
    /// Those that are stored.
    Stored,
    /// Those that are neither stored nor removed.
    Temporary,
    /// Those that are removed.
    Removed,
}

impl FileFilter {
    /// The values of the column `state`.
    fn states(self) -> &'static [u8] {
        match self {
            Self::Present => &[0, 1],
            Self::Stored => &[1],
            Self::Temporary => &[0],
            Self::Removed => &[2],
        }
    }
}

/// In which order files are listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileOrder {
    /// The first upload first.
    Uploaded,
    /// The last upload first.
    UploadedDescending,
    /// The smallest first, files of one size by their ids.
    Size,
    /// The largest first, files of one size by their ids backwards.
    SizeDescending,
}

impl FileOrder {
    fn is_descending(self) -> bool {
        matches!(self, Self::UploadedDescending | Self::SizeDescending)
    }

    fn by_size(self) -> bool {
        matches!(self, Self::Size | Self::SizeDescending)
    }
}

/// Where a page is, in the direction of its order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edge<T> {
    /// It begins behind this.
    After(T),
    /// It ends in front of this.
    Before(T),
}

/// A page of the list of a project's files.
///
/// By time, [`Edge::After`] and [`Edge::Before`] do not have the file itself that was uploaded at that moment (microseconds
/// since 1970), and `offset` skips that many files next to the edge, or at the beginning where there is none.
///
/// By size, many files may share a place, so `offset` belongs to the edge: both kinds name the place of the file that has
/// `offset` files of its size (in bytes) in front of it, [`Records::ties_before`]. `After` begins with that file, `Before`
/// ends in front of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FilePage {
    /// Which files are listed.
    pub filter: FileFilter,
    /// In which order.
    pub order: FileOrder,
    /// Where the page begins or ends; at the beginning of the list where there is nothing.
    pub edge: Option<Edge<i64>>,
    /// How many files are skipped.
    pub offset: u32,
    /// The most files of the page.
    pub limit: u32,
}

/// A page of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed<T> {
    /// What is on it, in the order asked for.
    pub items: Vec<T>,
    /// Whether there is something behind it.
    pub follows: bool,
    /// Whether there is something in front of it.
    pub precedes: bool,
}

impl<T> Listed<T> {
    /// A page from what a walk away from its edge found: up to `limit` items and, if there is one, the next. `backwards`: the
    /// walk went against the order. `behind`: whether there is something on the other side of where the walk began.
    pub(super) fn of_walk(mut found: Vec<T>, limit: u32, backwards: bool, behind: bool) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let ahead = found.len() > limit;
        found.truncate(limit);
        if backwards {
            found.reverse();
            return Self { items: found, follows: behind, precedes: ahead };
        }
        Self { items: found, follows: ahead, precedes: behind }
    }
}

/// A way through an index, from a value on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Walk {
    pub(super) filter: FileFilter,
    pub(super) by: By,
    /// Towards smaller values.
    pub(super) down: bool,
}

/// By what a walk goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum By {
    /// Upload times, without the one where it begins.
    Time,
    /// Sizes and ids, with the size where it begins.
    SizeFrom,
    /// Sizes and ids, without the size where it begins.
    SizeBeyond,
}

/// The texts of a statement for every way, each written once: the engines know prepared statements by their text.
type Texts = [OnceLock<String>; Walk::ALL];

const fn texts() -> Texts {
    [const { OnceLock::new() }; Walk::ALL]
}

impl Walk {
    const ALL: usize = 24;

    fn number(self) -> usize {
        6 * self.filter as usize + 2 * self.by as usize + usize::from(self.down)
    }

    /// Where a walk over everything begins.
    fn start(self) -> i64 {
        if self.down { i64::MAX } else { i64::MIN }
    }

    fn column(self) -> &'static str {
        match self.by {
            By::Time => "uploaded_at",
            By::SizeFrom | By::SizeBeyond => "size",
        }
    }

    /// How values on the way compare with the one where it begins, and how those on the other side do.
    fn sides(self) -> (&'static str, &'static str) {
        match (self.by, self.down) {
            (By::Time | By::SizeBeyond, false) => (">", "<="),
            (By::Time | By::SizeBeyond, true) => ("<", ">="),
            (By::SizeFrom, false) => (">=", "<"),
            (By::SizeFrom, true) => ("<=", ">"),
        }
    }

    fn order(self) -> &'static str {
        match (self.by, self.down) {
            (By::Time, false) => "uploaded_at",
            (By::Time, true) => "uploaded_at DESC",
            (By::SizeFrom | By::SizeBeyond, false) => "size, id",
            (By::SizeFrom | By::SizeBeyond, true) => "size DESC, id DESC",
        }
    }

    /// A text for each state, joined.
    fn states(self, joint: &str, text: impl Fn(u8) -> String) -> String {
        self.filter.states().iter().map(|state| text(*state)).collect::<Vec<_>>().join(joint)
    }

    /// Files from `$2` on, `$3` of them behind the first `$4`. Each state has its part of the index in order, and the engines
    /// merge them; Postgres sorts everything unless each part has its own limit. `deep`: those that are skipped are many, so
    /// only the index is read at first.
    pub(super) fn page_sql(self, engine: &Engine, deep: bool) -> &'static str {
        static SHALLOW: [Texts; 2] = [texts(), texts()];
        static DEEP: [Texts; 2] = [texts(), texts()];
        let limited = matches!(engine, Engine::Postgres(_)) && self.filter.states().len() > 1;
        let texts = if deep { &DEEP } else { &SHALLOW };
        texts[usize::from(limited)][self.number()].get_or_init(|| {
            let (column, order, (on_the_way, _)) = (self.column(), self.order(), self.sides());
            let (find, keys) = match self.by {
                By::Time => ("project = $1 AND uploaded_at IN (SELECT uploaded_at", "uploaded_at"),
                By::SizeFrom | By::SizeBeyond => ("id IN (SELECT id", "size, id"),
            };
            let columns = if deep { keys } else { columns!() };
            let part = |state| {
                let condition = format!("project = $1 AND state = {state} AND {column} {on_the_way} $2");
                let files = format!("SELECT {columns} FROM files WHERE {condition}");
                if limited { format!("({files} ORDER BY {order} LIMIT $3 + $4)") } else { files }
            };
            let page = format!("{} ORDER BY {order} LIMIT $3 OFFSET $4", self.states(" UNION ALL ", part));
            if !deep {
                return page;
            }
            let columns = columns!();
            format!("SELECT {columns} FROM files WHERE {find} FROM ({page}) page) ORDER BY {order}")
        })
    }

    /// The page of SQLite as one JSON array, [`files_of_json`]: its readers hand over row by row from one thread to another, which
    /// takes longer than the reading.
    fn page_json_sql(self, engine: &Engine, deep: bool) -> &'static str {
        static TEXTS: [Texts; 2] = [texts(), texts()];
        TEXTS[usize::from(deep)][self.number()].get_or_init(|| {
            let (row, page) = (json_columns!(), self.page_sql(engine, deep));
            format!("SELECT json_group_array({row}) FROM ({page})")
        })
    }

    /// Whether there is a file on the other side of `$2`, and whether there is one on the way. The order makes Postgres look
    /// into the index: for any file at all it would read the table from the beginning and hope.
    pub(super) fn around_sql(self) -> &'static str {
        static TEXTS: Texts = texts();
        TEXTS[self.number()].get_or_init(|| {
            let column = self.column();
            let exists = |compares: &str| {
                self.states(" OR ", |state| {
                    let condition = format!("project = $1 AND state = {state} AND {column} {compares} $2");
                    format!("(SELECT 1 FROM files WHERE {condition} ORDER BY {column} LIMIT 1) IS NOT NULL")
                })
            };
            let (on_the_way, other_side) = self.sides();
            format!("SELECT {}, {}", exists(other_side), exists(on_the_way))
        })
    }

    /// How many files of the size `$2` a walk passes before it is at the id `$3`.
    pub(super) fn ties_sql(self) -> &'static str {
        static TEXTS: Texts = texts();
        TEXTS[self.number()].get_or_init(|| {
            let compares = if self.down { ">" } else { "<" };
            let ties = self.states(" + ", |state| {
                let condition = format!("project = $1 AND state = {state} AND size = $2 AND id {compares} $3");
                format!("(SELECT count(*) FROM files WHERE {condition})")
            });
            format!("SELECT {ties}")
        })
    }
}

impl Records {
    /// A page of the files of a project.
    pub async fn list_files(&self, project: ProjectId, page: &FilePage) -> Result<Listed<File>, RecordsError> {
        let FilePage { filter, order, edge, offset, limit } = *page;
        if let (Some(Edge::Before(size)), true) = (edge, order.by_size()) {
            return self.list_before_size(project, page, size).await;
        }
        let backwards = matches!(edge, Some(Edge::Before(_)));
        let by = if order.by_size() { By::SizeFrom } else { By::Time };
        let walk = Walk { filter, by, down: order.is_descending() != backwards };
        let begin = match edge {
            Some(Edge::After(value) | Edge::Before(value)) => value,
            None => walk.start(),
        };
        let files = self.walk(project, walk, begin, i64::from(limit) + 1, offset.into()).await?;
        let behind = if edge.is_none() && offset == 0 {
            false
        } else {
            let (other_side, on_the_way): (bool, bool) = read!(self.engine(), pool => {
                sqlx::query_as(walk.around_sql()).bind(project.0).bind(begin).fetch_one(pool).await
            })?;
            other_side || (offset > 0 && on_the_way)
        };
        Ok(Listed::of_walk(files, limit, backwards, behind))
    }

    /// A page that ends in front of the file that has `offset` files of its size in front of it: these, and before them as
    /// many smaller ones (or larger ones, where they come first) as there is room for.
    async fn list_before_size(
        &self,
        project: ProjectId,
        page: &FilePage,
        size: i64,
    ) -> Result<Listed<File>, RecordsError> {
        let FilePage { filter, order, edge: _, offset, limit } = *page;
        let down = order.is_descending();
        // One more than is shown tells whether there is more, on either side.
        let room = i64::from(limit) + 1;
        let take = room.min(offset.into());
        let walk = Walk { filter, by: By::SizeFrom, down };
        let mut files = self.walk(project, walk, size, take + 1, i64::from(offset) - take).await?;
        let (take, found) = (usize::try_from(take).unwrap_or(usize::MAX), files.len());
        files.truncate(take);
        let mut before = if found < take {
            // There are not as many, so this is the end of the list.
            files.clear();
            let walk = Walk { down: !down, ..walk };
            self.walk(project, walk, walk.start(), room, 0).await?
        } else {
            let walk = Walk { filter, by: By::SizeBeyond, down: !down };
            let room = room - i64::try_from(take).unwrap_or(i64::MAX);
            if room > 0 { self.walk(project, walk, size, room, 0).await? } else { Vec::new() }
        };
        files.reverse();
        files.append(&mut before);
        Ok(Listed::of_walk(files, limit, true, found > take))
    }

    /// How many files of the same size the list by size, in this order, has in front of this one.
    pub async fn ties_before(&self, filter: FileFilter, order: FileOrder, file: &File) -> Result<u32, RecordsError> {
        let walk = Walk { filter, by: By::SizeFrom, down: order.is_descending() };
        let size = i64::try_from(file.size).unwrap_or(i64::MAX);
        let ties: i64 = read!(self.engine(), pool => {
            sqlx::query_scalar(walk.ties_sql()).bind(file.project.0).bind(size).bind(file.id.0).fetch_one(pool).await
        })?;
        Ok(u32::try_from(ties).unwrap_or(u32::MAX))
    }

    /// `take` files on a walk from `begin` on, behind the first `skip`.
    async fn walk(
        &self,
        project: ProjectId,
        walk: Walk,
        begin: i64,
        take: i64,
        skip: i64,
    ) -> Result<Vec<File>, RecordsError> {
        let deep = skip > DEEP;
        match self.engine() {
            Engine::Sqlite { read, .. } => {
                let sql = walk.page_json_sql(self.engine(), deep);
                let page = sqlx::query_scalar(sql).bind(project.0).bind(begin).bind(take).bind(skip);
                let page: String = page.fetch_one(read).await?;
                files_of_json(&page)
            }
            Engine::Postgres(pool) => {
                let sql = walk.page_sql(self.engine(), deep);
                let rows = sqlx::query_as(sql).bind(project.0).bind(begin).bind(take).bind(skip);
                let rows: Vec<FileRow> = rows.fetch_all(pool).await?;
                Ok(rows.into_iter().map(File::from).collect())
            }
        }
    }
}
