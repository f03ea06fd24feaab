//! Who asks, of which project, and on which terms files of this project go out.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::request::Parts;
use http::{Response, Uri, header};
use stowage_model::{DeliveryRefusal, DeliverySecrets, File, FileId, Project, ProjectId, PublicKey};
use tracing::error;

use super::path::Address;
use super::{headers, signed};
use crate::access::{self, as_sent, request_id};
use crate::{State, errors};

/// A request to this door.
#[derive(Clone, Copy)]
pub(super) struct Visit<'r> {
    pub(super) state: &'r State,
    pub(super) request: &'r Parts,
}

/// A project whose files may go out to the sender.
pub(super) struct Host {
    pub(super) project: Arc<Project>,
    /// For how long answers may be kept elsewhere.
    max_age: Duration,
}

impl<'r> Visit<'r> {
    /// The address as the client wrote it.
    pub(super) fn address(self) -> &'r Uri {
        as_sent(self.request)
    }

    /// The raw token of the address.
    pub(super) fn token(self) -> Option<&'r str> {
        self.address().query().and_then(signed::token_of)
    }

    fn opens(self, secrets: &DeliverySecrets) -> bool {
        let now = self.state.clock.now();
        self.token().is_some_and(|token| signed::is_good(token, self.address(), secrets, now))
    }

    /// Lets the sender in, with a good token where the project wants one.
    pub(super) fn enter(self, project: Arc<Project>) -> Result<Host, DeliveryRefusal> {
        access::about(&project.public_key);
        let settings = &project.settings;
        if settings.signed_delivery && !self.opens(&settings.delivery_secrets) {
            return Err(DeliveryRefusal::TokenInvalid);
        }
        let max_age = settings.delivery_max_age.unwrap_or(self.state.max_age);
        Ok(Host { project, max_age })
    }

    /// The same, for a project that something belongs to.
    pub(super) async fn enter_by_id(self, project: ProjectId) -> Result<Host, DeliveryRefusal> {
        let project = self.state.records.project(project).await.map_err(|failure| failed(&failure))?;
        self.enter(project.ok_or(DeliveryRefusal::NotFound)?)
    }

    /// A file that is there, and its project. A removed file and one that never was look the same, also to those who
    /// have no token.
    pub(super) async fn file(self, id: FileId) -> Result<(Arc<File>, Host), DeliveryRefusal> {
        let Some(file) = self.state.records.hot_file(id).await.map_err(|failure| failed(&failure))? else {
            return Err(Box::pin(self.missing()).await);
        };
        let host = self.enter_by_id(file.project).await?;
        if file.removed_at.is_some() || file.blob.is_none() {
            return Err(DeliveryRefusal::NotFound);
        }
        Ok((file, host))
    }

    /// What to tell of something that no project has: that a token is wanted, where every project wants one.
    pub(super) async fn missing(self) -> DeliveryRefusal {
        let projects = match self.state.records.all_projects().await {
            Ok(projects) => projects,
            Err(failure) => return failed(&failure),
        };
        let mut closed =
            projects.iter().map(|project| &project.settings).filter(|settings| !settings.removed).peekable();
        let is_closed = closed.peek().is_some()
            && closed.all(|settings| settings.signed_delivery && !self.opens(&settings.delivery_secrets));
        if is_closed { DeliveryRefusal::TokenInvalid } else { DeliveryRefusal::NotFound }
    }
}

/// The project that an address leads to, whoever may see what is there.
pub(crate) async fn project_of(state: &State, address: &Uri) -> Option<PublicKey> {
    let project = match Address::parse(address).ok()? {
        Address::File(id, _) => state.records.hot_file(id).await.ok()??.project,
        Address::Group(id) | Address::Member(id, ..) | Address::Archive { group: id, .. } => {
            state.records.group(id).await.ok()??.project
        }
        Address::Remote { .. } => return None,
    };
    Some(state.records.project(project).await.ok()??.public_key.clone())
}

impl Host {
    /// How long an answer may be kept, which is never longer than `most`, and whether machines may index it.
    pub(super) fn set_terms(&self, response: &mut Response<Body>, most: Duration) {
        let settings = &self.project.settings;
        let seconds = self.max_age.min(most).as_secs();
        // Whoever keeps an answer for others does not look at tokens.
        let whose = if settings.signed_delivery { "private" } else { "public" };
        headers::set_text(response, header::CACHE_CONTROL, format!("{whose}, max-age={seconds}"));
        if !settings.allow_indexing {
            errors::set(response, headers::ROBOTS, "noindex, nofollow, nosnippet, noarchive");
        }
    }
}

/// A failure of ours: the log says what happened.
pub(super) fn failed(failure: &dyn std::error::Error) -> DeliveryRefusal {
    error!(request = request_id(), error = %failure, "a file could not be delivered");
    DeliveryRefusal::Failed
}
