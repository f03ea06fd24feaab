//! `/_dev/clock`: what time it is, and what time it shall be.

use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use stowage_model::{Clock, Timestamp, clock::machine_now, units::maybe_duration};
use utoipa::ToSchema;

use super::Outcome;
use super::input::Input;
use crate::clock::{self, Done};
use crate::{DevError, World};

/// The first and the last moment that a clock may be set to: years 1970 to 9000.
pub(crate) const LIMITS: (Timestamp, Timestamp) = (Timestamp(0), Timestamp(221_845_392_000_000_000));

/// What the clock of a world shows.
#[derive(Serialize, ToSchema)]
#[schema(as = ClockShown)]
pub(crate) struct Shown {
    /// What time it is there.
    now: Timestamp,
    /// Whether it stands still.
    frozen: bool,
    /// What time it is on the machine.
    machine: Timestamp,
    /// How many milliseconds the one is ahead of the other.
    ahead_ms: i64,
}

impl Shown {
    fn of(clock: &Clock) -> Self {
        let ahead_ms = clock.offset() / 1000;
        Self { now: clock.now(), frozen: clock.is_frozen(), machine: machine_now(), ahead_ms }
    }
}

/// What is to be changed; what is not named stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClockChange)]
pub(crate) struct Change {
    /// What time it shall be (RFC 3339). Nothing that would have been due until then is done: `advance` does that.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    now: Option<String>,
    /// Whether it stands still.
    #[serde(default)]
    frozen: Option<bool>,
}

/// How far to travel: one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClockAdvance)]
pub(crate) struct Advance {
    /// For how long: a text such as `24h`, `90s` or `1h 30m`.
    #[serde(default, deserialize_with = "maybe_duration::deserialize")]
    #[schema(value_type = Option<String>)]
    by: Option<Duration>,
    /// To which moment (RFC 3339), not before now.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    to: Option<String>,
}

/// Where a journey has led, and what was done on the way.
#[derive(Serialize, ToSchema)]
#[schema(as = ClockAdvanced)]
pub(crate) struct Advanced {
    #[serde(flatten)]
    clock: Shown,
    #[serde(flatten)]
    done: Done,
}

pub(crate) async fn read(Extension(world): Extension<Arc<World>>) -> Json<Shown> {
    Json(Shown::of(&world.parts.clock))
}

pub(crate) async fn change(Extension(world): Extension<Arc<World>>, Input(change): Input<Change>) -> Outcome<Shown> {
    let now = change.now.as_deref().map(moment).transpose()?;
    if now.is_none() && change.frozen.is_none() {
        return Err(DevError::bad("say `now`, `frozen` or both"));
    }
    let clock = &world.parts.clock;
    // Nothing may be under way while the time jumps: leases would seem to be over.
    Box::pin(world.paused(async || {
        // Frozen first: it stands still at the very moment.
        match change.frozen {
            Some(true) => clock.freeze(),
            Some(false) if clock.is_frozen() => clock.run(),
            _ => {}
        }
        if let Some(now) = now {
            clock.set(now);
        }
    }))
    .await;
    Ok(Json(Shown::of(clock)))
}

pub(crate) async fn release(Extension(world): Extension<Arc<World>>) -> Json<Shown> {
    Box::pin(world.paused(async || world.parts.clock.release())).await;
    Json(Shown::of(&world.parts.clock))
}

pub(crate) async fn advance(
    Extension(world): Extension<Arc<World>>,
    Input(advance): Input<Advance>,
) -> Outcome<Advanced> {
    let to = match (advance.by, advance.to.as_deref()) {
        (Some(by), None) => Target::By(by),
        (None, Some(to)) => Target::To(moment(to)?),
        _ => return Err(DevError::bad("say either `by` or `to`")),
    };
    let (parts, holds) = (&world.parts, &world.holds);
    let done = Box::pin(world.paused_inside(async || {
        let now = parts.clock.now();
        let target = match to {
            Target::By(by) => now.plus(by),
            Target::To(to) => to,
        };
        if target < now {
            return Err(DevError::bad(format!("it is {now} already; PUT /_dev/clock sets the clock back")));
        }
        if target > LIMITS.1 {
            return Err(DevError::bad("the last year is 9000"));
        }
        clock::travel(parts, holds, target).await
    }))
    .await;
    let done = done.unwrap_or_else(|| Err(DevError::clash("cut off on the way by a reset or the like")))?;
    Ok(Json(Advanced { clock: Shown::of(&parts.clock), done }))
}

#[derive(Clone, Copy)]
enum Target {
    By(Duration),
    To(Timestamp),
}

fn moment(text: &str) -> Result<Timestamp, DevError> {
    let moment: Timestamp = text.parse().map_err(|fault| DevError::bad(format!("`{text}`: {fault}")))?;
    let (first, last) = LIMITS;
    if (first..=last).contains(&moment) { Ok(moment) } else { Err(DevError::bad("a time from 1970 to 9000")) }
}
