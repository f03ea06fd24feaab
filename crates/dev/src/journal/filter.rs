//! Which requests of the journal are asked for.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Entry;
use crate::route::{self, Api};

/// How far a request is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JournalState)]
pub(crate) enum State {
    /// Its answer has not been sent as a whole yet.
    UnderWay,
    /// Its answer has been sent.
    Answered,
    /// The connection was closed before that.
    Broken,
}

/// A status, or all of a hundred.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    One(u16),
    /// `4xx`: all with this first digit.
    Class(u16),
}

/// The text is no status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NotAStatus;

impl fmt::Display for NotAStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status is a number like 404, or 4xx for all that begin with 4")
    }
}

impl FromStr for Status {
    type Err = NotAStatus;

    fn from_str(text: &str) -> Result<Self, NotAStatus> {
        if let Some(class) = text.to_ascii_lowercase().strip_suffix("xx") {
            return class.parse().ok().filter(|class| (1..=5).contains(class)).map(Self::Class).ok_or(NotAStatus);
        }
        text.parse().ok().filter(|status| (100..=999).contains(status)).map(Self::One).ok_or(NotAStatus)
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Status {
    fn takes(self, status: StatusCode) -> bool {
        match self {
            Self::One(wanted) => status == wanted,
            Self::Class(class) => status.as_u16() / 100 == class,
        }
    }
}

/// Which requests are asked for; what is not given does not matter.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// An API.
    pub(crate) api: Option<Api>,
    /// An endpoint, like `/files/:uuid/storage/`, or the beginning of its path, like `/files/*`.
    pub(crate) route: Option<String>,
    /// A method.
    pub(crate) method: Option<String>,
    /// A status like 404, or `4xx`.
    #[param(value_type = Option<String>)]
    pub(crate) status: Option<Status>,
    /// The public key of a project.
    pub(crate) project: Option<String>,
    /// The name, else the id, of a fault.
    pub(crate) fault: Option<String>,
    /// A text in the path or the query.
    pub(crate) path: Option<String>,
    /// A text in what is kept of either body.
    pub(crate) body: Option<String>,
    /// How far they are.
    pub(crate) state: Option<State>,
    /// Those with larger numbers.
    pub(crate) since: Option<u64>,
    /// The most that are listed, the newest; 100 where nobody says.
    pub(crate) limit: Option<usize>,
    /// How many have to be there before the answer, if they come in time.
    pub(crate) at_least: Option<usize>,
    /// For how long they are waited for, like `5s`; 60s at most.
    #[serde(default, deserialize_with = "crate::doors::query::wait")]
    #[param(value_type = Option<String>)]
    pub(crate) wait: Duration,
}

impl Filter {
    pub(super) fn takes(&self, entry: &Entry) -> bool {
        // Whoever adds a filter decides here what it lets through.
        let Self {
            api,
            route,
            method,
            status,
            project,
            fault,
            path,
            body,
            state,
            since,
            limit: _,
            at_least: _,
            wait: _,
        } = self;
        if since.is_some_and(|since| entry.number <= since)
            || method.as_ref().is_some_and(|method| !entry.method.as_str().eq_ignore_ascii_case(method))
            || path.as_ref().is_some_and(|text| {
                !entry.path.contains(text) && !entry.query.as_ref().is_some_and(|query| query.contains(text))
            })
        {
            return false;
        }
        if api.is_some() || route.is_some() {
            let own = route::of(&entry.path);
            if api.is_some_and(|api| own.api != api)
                || route.as_ref().is_some_and(|text| !own.is_meant(text, &entry.path))
            {
                return false;
            }
        }
        let later = entry.later();
        let answer = later.answer.as_ref();
        let has = |bytes: &[u8], text: &str| String::from_utf8_lossy(bytes).contains(text);
        let in_bodies = |text: &String| {
            has(&later.request.head, text)
                || has(later.request.tail(), text)
                || answer.is_some_and(|answer| has(&answer.body.head, text))
        };
        status.is_none_or(|status| answer.is_some_and(|answer| status.takes(answer.status)))
            && project.as_ref().is_none_or(|key| later.project.as_ref().is_some_and(|known| known.as_str() == key))
            && fault.as_ref().is_none_or(|name| later.fault.as_ref() == Some(name))
            && state.is_none_or(|state| later.state() == state)
            && body.as_ref().is_none_or(in_bodies)
    }
}

impl super::Later {
    pub(super) fn state(&self) -> State {
        match self.end {
            None => State::UnderWay,
            Some(end) if end.whole => State::Answered,
            Some(_) => State::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_one_or_a_hundred() {
        assert_eq!("404".parse(), Ok(Status::One(404)));
        assert_eq!("4XX".parse(), Ok(Status::Class(4)));
        for text in ["", "4x", "xx", "6xx", "99", "1000", "40 4"] {
            assert_eq!(text.parse::<Status>(), Err(NotAStatus), "{text}");
        }
        assert!(Status::Class(4).takes(StatusCode::NOT_FOUND) && !Status::Class(4).takes(StatusCode::OK));
        assert!(Status::One(200).takes(StatusCode::OK) && !Status::One(200).takes(StatusCode::CREATED));
    }
}
