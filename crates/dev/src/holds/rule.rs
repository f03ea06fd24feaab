//! What a hold says: which jobs it takes, and where it stops them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::DevError;

/// The most steps in which a file is shown.
const MOST_STEPS: u32 = 10_000;

/// A rule that holds jobs. What it does not name matches everything.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Hold)]
pub(crate) struct Rule {
    /// Which kind of job.
    #[serde(default)]
    pub(super) kind: Kind,
    /// The public key of the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) project: Option<String>,
    /// A text that the URL contains: the source of an upload, the target of a webhook, the `s3://bucket/` of a copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<String>,
    /// Where it stops: before it begins, or while bytes arrive, which only uploads from URLs do; other jobs are held before they begin.
    /// `progress` where anything is said that goes with it, nowhere where `then` stands alone, else `waiting`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<At>,
    /// After how many bytes it stops first. Without it: half, or the part of one step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<u64>,
    /// `unknown`: clients are not told how many bytes will come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) total: Option<Total>,
    /// In how many steps the file arrives; it stops before each but the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) steps: Option<u32>,
    /// `poll`: each `GET /from_url/status/` of it takes one step after it was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) step_on: Option<StepOn>,
    /// `succeed`: an upload from a URL is not fetched, but becomes a small picture, at once where it is held nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) then: Option<Then>,
    /// How many jobs it takes at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) times: Option<u64>,
}

/// A kind of job.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobKind)]
pub(crate) enum Kind {
    /// An upload from a URL.
    FromUrl,
    /// A delivery to a webhook.
    Webhook,
    /// A copy to a custom storage.
    Copy,
    /// All of them.
    #[default]
    Any,
}

/// Where a job stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = HoldAt)]
pub(crate) enum At {
    /// Before it begins.
    Waiting,
    /// While bytes arrive.
    Progress,
}

/// What clients are told of how many bytes will come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = HoldTotal)]
pub(crate) enum Total {
    /// Nothing.
    Unknown,
}

/// How an upload ends that is not fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = HoldThen)]
pub(crate) enum Then {
    /// With a small picture.
    Succeed,
}

/// What takes a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = HoldStepOn)]
pub(crate) enum StepOn {
    /// A client that asks how far it is.
    Poll,
}

impl Rule {
    /// Refuses what makes no sense.
    pub(crate) fn check(&self) -> Result<(), DevError> {
        let of_progress = self.is_of_progress();
        if self.at == Some(At::Waiting) && of_progress {
            return Err(DevError::bad("after, total, steps and step_on go with \"at\": \"progress\""));
        }
        if (self.at() == Some(At::Progress) || self.then.is_some()) && matches!(self.kind, Kind::Webhook | Kind::Copy) {
            return Err(DevError::bad(
                "only uploads from URLs are held in progress or know `then`; hold others with \"at\": \"waiting\"",
            ));
        }
        if self.steps.is_some_and(|steps| !(1..=MOST_STEPS).contains(&steps)) {
            return Err(DevError::bad(format!("steps is a number from 1 to {MOST_STEPS}")));
        }
        if self.times == Some(0) {
            return Err(DevError::bad("a hold with \"times\": 0 takes nothing"));
        }
        Ok(())
    }

    fn is_of_progress(&self) -> bool {
        self.after.is_some() || self.total.is_some() || self.steps.is_some() || self.step_on.is_some()
    }

    /// Where it stops uploads from URLs, if it does.
    pub(super) fn at(&self) -> Option<At> {
        match self.at {
            None if self.is_of_progress() => Some(At::Progress),
            None if self.then.is_some() => None,
            at => Some(at.unwrap_or(At::Waiting)),
        }
    }

    pub(super) fn takes(&self, kind: Kind, project: &str, url: &str) -> bool {
        (self.kind == Kind::Any || self.kind == kind)
            && self.project.as_deref().is_none_or(|wanted| wanted == project)
            && self.url.as_deref().is_none_or(|wanted| url.contains(wanted))
    }

    /// In how many steps a file arrives.
    fn steps(&self) -> u32 {
        self.steps.unwrap_or(2)
    }

    /// After how many of `total` bytes a file stops for the time `place`, counted from 0; none where it stops no more.
    pub(super) fn stop(&self, place: u32, total: u64) -> Option<u64> {
        let steps = u64::from(self.steps());
        let place = u64::from(place);
        if place + 1 >= steps {
            return None;
        }
        let first = self.after.unwrap_or(total / steps).min(total);
        let rest = u128::from(total - first) * u128::from(place) / u128::from(steps - 1);
        Some(first.saturating_add(u64::try_from(rest).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: serde_json::Value) -> Result<Rule, String> {
        let rule: Rule = serde_json::from_value(text).map_err(|fault| fault.to_string())?;
        rule.check().map_err(|fault| fault.text)?;
        Ok(rule)
    }

    #[test]
    fn rules_are_read_and_checked() {
        use serde_json::json;
        let all = rule(json!({})).unwrap();
        assert!(all.takes(Kind::Copy, "a", "s3://b/") && all.at() == Some(At::Waiting));
        let some = rule(json!({ "kind": "from_url", "project": "demo", "url": ".png", "steps": 3, "step_on": "poll" }));
        let some = some.unwrap();
        assert!(some.takes(Kind::FromUrl, "demo", "http://a/b.png?x") && some.at() == Some(At::Progress));
        assert!(!some.takes(Kind::FromUrl, "demo2", "b.png") && !some.takes(Kind::FromUrl, "demo", "b.jpg"));
        assert!(!some.takes(Kind::Webhook, "demo", "b.png"));
        assert_eq!(rule(json!({ "then": "succeed" })).unwrap().at(), None);
        assert_eq!(rule(json!({ "then": "succeed", "steps": 2 })).unwrap().at(), Some(At::Progress));
        assert_eq!(rule(json!({ "then": "succeed", "at": "waiting" })).unwrap().at(), Some(At::Waiting));
        for wrong in [
            json!({ "kind": "copy", "then": "succeed" }),
            json!({ "kind": "upload" }),
            json!({ "when": 1 }),
            json!({ "at": "waiting", "after": 1 }),
            json!({ "kind": "webhook", "at": "progress" }),
            json!({ "kind": "copy", "total": "unknown" }),
            json!({ "steps": 0 }),
            json!({ "times": 0 }),
            json!({ "total": 5 }),
        ] {
            assert!(rule(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_stops_between_its_steps() {
        let stops =
            |rule: &Rule, total: u64| -> Vec<u64> { (0..).map_while(|place| rule.stop(place, total)).collect() };
        let plain = Rule::default();
        assert_eq!((stops(&plain, 300), stops(&plain, 1), stops(&plain, 0)), (vec![150], vec![0], vec![0]));
        let three = Rule { steps: Some(3), ..Rule::default() };
        assert_eq!(stops(&three, 300), [100, 200]);
        let after = Rule { steps: Some(3), after: Some(200), ..Rule::default() };
        assert_eq!(stops(&after, 300), [200, 250]);
        assert_eq!(stops(&after, 100), [100, 100], "it stops at its end then");
        assert!(stops(&Rule { steps: Some(1), ..Rule::default() }, 300).is_empty());
        assert_eq!(stops(&three, u64::MAX), [u64::MAX / 3, u64::MAX / 3 * 2]);
    }
}
