//! `/_dev/sessions`: which there are; ending one.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::session::SessionName;
use crate::{Dev, DevError};

/// The sessions there are.
#[derive(Serialize, ToSchema)]
pub(crate) struct Sessions {
    /// Their names, in order.
    sessions: Vec<String>,
    /// How many there may be at once (`dev.sessions`).
    limit: usize,
}

pub(crate) async fn list(State(dev): State<Dev>) -> Json<Sessions> {
    let sessions = dev.sessions().iter().map(|(name, _)| name.to_string()).collect();
    Json(Sessions { sessions, limit: dev.options().sessions })
}

pub(crate) async fn remove(State(dev): State<Dev>, Path(name): Path<String>) -> Result<StatusCode, DevError> {
    let name: SessionName =
        name.parse().map_err(|fault: crate::session::NotASession| DevError::bad(fault.to_string()))?;
    if dev.remove(&name).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(DevError::missing(format!("there is no session `{name}`")))
    }
}
