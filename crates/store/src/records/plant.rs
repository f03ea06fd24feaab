//! Files that are put into a project as if they had been uploaded at a time of somebody's choice: the seeds of tests.

use std::collections::{HashMap, HashSet};

use stowage_model::{Cause, Event, EventKind, File, NewFile, ProjectId, Timestamp};
use uuid::Uuid;

use super::engine::{read, transaction};
use super::events::{Wanted, tell, told};
use super::insert::{
    MAX_ROWS, Row, TRIES, free_time, id_is_taken, insert_files, is_taken, leap, lock_times, no_free_time,
};
use super::{AddError, Records, RecordsError};

/// A file that is put into a project.
#[derive(Clone, PartialEq, Debug)]
pub struct Planted {
    /// The file.
    pub file: NewFile,
    /// When it was uploaded; the first moment from then on that no other file of the project has.
    pub uploaded_at: Timestamp,
    /// When it became permanent, if it is; none means when it was uploaded.
    pub stored_at: Option<Timestamp>,
}

impl Planted {
    fn recorded(&self, project: ProjectId, at: Timestamp) -> File {
        let file = self.file.recorded(project, at);
        File { stored_at: file.stored_at.map(|at| self.stored_at.unwrap_or(at)), ..file }
    }
}

impl Records {
    /// Records files with given times, all or none, and answers them as they are recorded. `cause` is told to webhooks; without it nobody
    /// is told.
    pub async fn plant_files(
        &self,
        project: ProjectId,
        files: &[Planted],
        cause: Option<&Cause>,
        now: Timestamp,
    ) -> Result<Vec<File>, AddError> {
        let wanted = if cause.is_some() { self.wanted(project).await? } else { Wanted::default() };
        let times = distinct(files);
        match self.plant(project, files, &times, cause, wanted, now).await {
            Err(error) if is_taken(&error) => {}
            done => return self.planted(done),
        }
        // Something in it is taken: with care it is found out what, and free times are looked for.
        for snatched in 0..TRIES {
            let times: Vec<Timestamp> = times.iter().map(|time| leap(*time, snatched)).collect();
            match self.plant_where_free(project, files, times, cause, wanted, now).await {
                Ok(outcome) => return self.planted(Ok(outcome?)),
                Err(error) if is_taken(&error) => {}
                Err(error) => return Err(RecordsError::from(error).into()),
            }
        }
        Err(no_free_time().into())
    }

    /// Whether there is a group of this id, of however many files.
    pub async fn has_group(&self, id: Uuid) -> Result<bool, RecordsError> {
        const SQL: &str = "SELECT count(*) > 0 FROM groups WHERE id = $1";
        Ok(read!(self.engine(), pool => sqlx::query_scalar(SQL).bind(id).fetch_one(pool).await)?)
    }

    fn planted(&self, done: Result<Vec<File>, sqlx::Error>) -> Result<Vec<File>, AddError> {
        let files = done.map_err(RecordsError::from)?;
        self.inner.files.changed();
        self.inner.hooks.happened();
        Ok(files)
    }

    /// Inserts files at these times, which may be taken.
    async fn plant(
        &self,
        project: ProjectId,
        files: &[Planted],
        times: &[Timestamp],
        cause: Option<&Cause>,
        wanted: Wanted,
        now: Timestamp,
    ) -> Result<Vec<File>, sqlx::Error> {
        let rows: Vec<Row<'_>> =
            files.iter().zip(times).map(|(planted, time)| (project, &planted.file, *time)).collect();
        let recorded: Vec<File> =
            files.iter().zip(times).map(|(planted, time)| planted.recorded(project, *time)).collect();
        transaction!(self.engine(), tx => {
            lock_times!(self.engine(), tx, project)?;
            for rows in rows.chunks(MAX_ROWS) {
                insert_files!(rows).execute(&mut *tx).await?;
            }
            for file in moved(files, &recorded) {
                sqlx::query(STORED_AT).bind(file.id.0).bind(file.stored_at.map(|at| at.0)).execute(&mut *tx).await?;
            }
            tell!(tx, told(&events_of(&recorded, cause, wanted)), now)?;
            tx.commit().await?;
        });
        Ok(recorded)
    }

    /// Inserts files at the first free moments from these times on.
    async fn plant_where_free(
        &self,
        project: ProjectId,
        files: &[Planted],
        times: Vec<Timestamp>,
        cause: Option<&Cause>,
        wanted: Wanted,
        now: Timestamp,
    ) -> Result<Result<Vec<File>, AddError>, sqlx::Error> {
        let mut recorded = Vec::with_capacity(files.len());
        transaction!(self.engine(), tx => {
            lock_times!(self.engine(), tx, project)?;
            for (planted, time) in files.iter().zip(times) {
                if id_is_taken!(tx, planted.file.id)? {
                    return Ok(Err(AddError::IdTaken(planted.file.id)));
                }
                let time = free_time!(tx, project, time)?;
                let row: Row<'_> = (project, &planted.file, time);
                insert_files!(&[row]).execute(&mut *tx).await?;
                recorded.push(planted.recorded(project, time));
            }
            for file in moved(files, &recorded) {
                sqlx::query(STORED_AT).bind(file.id.0).bind(file.stored_at.map(|at| at.0)).execute(&mut *tx).await?;
            }
            tell!(tx, told(&events_of(&recorded, cause, wanted)), now)?;
            tx.commit().await?;
        });
        Ok(Ok(recorded))
    }
}

const STORED_AT: &str = "UPDATE files SET stored_at = $2 WHERE id = $1";

/// Those that became permanent at another moment than that of their upload.
fn moved<'a>(files: &'a [Planted], recorded: &'a [File]) -> impl Iterator<Item = &'a File> {
    let moved = |(planted, file): &(&Planted, &File)| planted.stored_at.is_some() && file.stored_at.is_some();
    files.iter().zip(recorded).filter(moved).map(|(_, file)| file)
}

/// Times for files of one project: as they want, but no two alike.
fn distinct(files: &[Planted]) -> Vec<Timestamp> {
    let (mut taken, mut next) = (HashSet::new(), HashMap::new());
    let time = |planted: &Planted| {
        let time = next.entry(planted.uploaded_at).or_insert(planted.uploaded_at.0);
        while !taken.insert(*time) {
            *time += 1;
        }
        Timestamp(*time)
    };
    files.iter().map(time).collect()
}

fn events_of(files: &[File], cause: Option<&Cause>, wanted: Wanted) -> Vec<Event> {
    let Some(cause) = cause else { return Vec::new() };
    let kinds = |file: &File| [(EventKind::Uploaded, true), (EventKind::Stored, file.stored_at.is_some())];
    let told = |file| {
        let kinds = kinds(file).into_iter().filter(|(kind, happened)| *happened && wanted.has(*kind));
        kinds.map(|(kind, _)| Event { kind, file: file.clone(), cause: cause.clone(), previous_metadata: None })
    };
    files.iter().flat_map(told).collect()
}
