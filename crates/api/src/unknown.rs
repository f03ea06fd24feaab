//! Public keys that no project has: refused, or made into projects for tests that want one each (`dev.create_projects`).

use std::sync::Arc;

use stowage_model::Project;
use stowage_store::records::{CreateError, Declared, RecordsError};

use crate::State;

/// What becomes of a public key that no project has.
#[derive(Clone, Debug, Default)]
pub enum UnknownKeys {
    /// It is refused.
    #[default]
    Refuse,
    /// It makes a project with the secret keys and the settings of this one.
    Create(Arc<Declared>),
}

/// The project with this public key.
pub(crate) async fn project_by_key(state: &State, key: &str) -> Result<Option<Arc<Project>>, RecordsError> {
    let found = state.records.project_by_key(key).await?;
    match &state.unknown_keys {
        UnknownKeys::Create(template) if found.is_none() => Box::pin(create(state, template, key)).await,
        _ => Ok(found),
    }
}

/// Makes the project; of several requests that come with a new key one makes it, and all find it.
async fn create(state: &State, template: &Declared, key: &str) -> Result<Option<Arc<Project>>, RecordsError> {
    let Ok(public_key) = key.parse() else { return Ok(None) };
    let project = Declared { public_key, ..template.clone() };
    match state.records.create_project(&project, state.clock.now()).await {
        Ok(_) | Err(CreateError::KeyTaken) => state.records.project_by_key(key).await,
        Err(CreateError::Records(failure)) => Err(failure),
    }
}
