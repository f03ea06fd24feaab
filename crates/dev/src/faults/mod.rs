//! Faults that tests ask for: rules by which requests, webhooks and copies fail, come late or break off. Of the rules of a world the newest
//! that acts is the only one that does; those behind it are not asked and do not count. Without rules a request pays for one look at a number.

mod act;
mod body;
mod check;
mod draw;
mod form;
mod meddle;
mod meet;
mod rule;

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use http::HeaderName;
use serde::{Deserialize, Serialize};
use stowage_model::{Ids, PublicKey};
use utoipa::ToSchema;

use crate::DevError;
use check::Checked;
use draw::Counts;
use rule::On;
pub(crate) use rule::RuleInput;

/// The header of answers that says which rule has acted.
pub(crate) const MARK: HeaderName = HeaderName::from_static("x-stowage-fault");

/// The most rules of a world.
const MOST_RULES: usize = 1_000;

/// The rules of a world.
#[derive(Default)]
pub(crate) struct Faults {
    /// How many rules are for requests.
    of_requests: AtomicUsize,
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    last: u64,
    /// The newest first.
    rules: Vec<Arc<Rule>>,
}

/// A rule with what it has counted.
struct Rule {
    id: u64,
    input: RuleInput,
    checked: Checked,
    counts: Mutex<Counts>,
}

impl Rule {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it is called in answers: its name, else its number.
    fn mark(&self) -> String {
        self.input.name.clone().unwrap_or_else(|| self.id.to_string())
    }

    fn is_of_requests(&self) -> bool {
        !self.checked.on.iter().any(|on| matches!(on, On::Webhook | On::Copy))
    }

    fn shown(&self) -> Shown {
        let counts = self.counts();
        Shown { id: self.id, matched: counts.matched, acted: counts.acted, rule: self.input.clone() }
    }
}

/// A rule as it is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Fault)]
pub(crate) struct Shown {
    /// Its number.
    id: u64,
    /// How often everything that it is for has fitted.
    matched: u64,
    /// How often it has acted.
    acted: u64,
    #[serde(flatten)]
    rule: RuleInput,
}

/// A rule as a snapshot keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    id: u64,
    matched: u64,
    acted: u64,
    /// The values of its parameter that have come, the newest set first.
    values: [HashSet<String>; 2],
    rule: RuleInput,
}

impl Faults {
    fn inner(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, how: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner: RwLockWriteGuard<'_, Inner> = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let done = how(&mut inner);
        let of_requests = inner.rules.iter().filter(|rule| rule.is_of_requests()).count();
        self.of_requests.store(of_requests, Ordering::Release);
        done
    }

    /// Whether a request may meet one.
    pub(crate) fn may_meet(&self) -> bool {
        self.of_requests.load(Ordering::Acquire) > 0
    }

    /// The rules, the newest first.
    fn rules(&self) -> Vec<Arc<Rule>> {
        self.inner().rules.clone()
    }

    /// Whether a rule makes sense; a sentence where not.
    pub(crate) fn check(input: &RuleInput) -> Result<(), String> {
        input.checked().map(drop)
    }

    /// Adds rules, or none of them where one makes no sense; the last is the newest.
    pub(crate) fn add(&self, inputs: Vec<RuleInput>) -> Result<Vec<Shown>, DevError> {
        let several = inputs.len() > 1;
        let mut made = Vec::with_capacity(inputs.len());
        for (at, mut input) in inputs.into_iter().enumerate() {
            let checked = input
                .checked()
                .map_err(|fault| DevError::bad(if several { format!("rule {at}: {fault}") } else { fault }))?;
            if input.probability.is_some() && input.seed.is_none() {
                // Short enough to be a number in every language.
                input.seed = u64::from_str_radix(&Ids::random().hex(8), 16).ok();
            }
            made.push((input, checked));
        }
        self.change(|inner| {
            if inner.rules.len() + made.len() > MOST_RULES {
                return Err(DevError::clash(format!(
                    "there are {} rules; at most {MOST_RULES} fit in",
                    inner.rules.len()
                )));
            }
            let mut added = Vec::with_capacity(made.len());
            for (input, checked) in made {
                inner.last = inner.last.saturating_add(1);
                let rule = Rule { id: inner.last, input, checked, counts: Mutex::default() };
                added.push(rule.shown());
                inner.rules.insert(0, Arc::new(rule));
            }
            Ok(added)
        })
    }

    /// Whether there is this rule already.
    pub(crate) fn has(&self, input: &RuleInput) -> bool {
        let is_it = |known: &RuleInput| {
            // A seed that was drawn was not asked for.
            *known == *input || (input.seed.is_none() && RuleInput { seed: None, ..known.clone() } == *input)
        };
        self.inner().rules.iter().any(|rule| is_it(&rule.input))
    }

    /// All rules, in the order in which they are tried.
    pub(crate) fn list(&self) -> Vec<Shown> {
        self.inner().rules.iter().map(|rule| rule.shown()).collect()
    }

    /// Removes the rule with this number, or those with this name; false if there is none.
    pub(crate) fn remove(&self, which: &str) -> bool {
        self.change(|inner| {
            let before = inner.rules.len();
            inner.rules.retain(|rule| rule.id.to_string() != which && rule.input.name.as_deref() != Some(which));
            inner.rules.len() < before
        })
    }

    /// Removes all rules; numbers go on.
    pub(crate) fn clear(&self) -> usize {
        self.change(|inner| std::mem::take(&mut inner.rules).len())
    }

    /// Removes the rules that are for a project alone; numbers go on.
    pub(crate) fn forget_project(&self, key: &PublicKey) {
        self.change(|inner| inner.rules.retain(|rule| rule.checked.project.as_ref() != Some(key)));
    }

    /// Forgets everything: numbers begin anew.
    pub(crate) fn wipe(&self) {
        let Self { of_requests: _, inner: _ } = self;
        self.change(|inner| *inner = Inner::default());
    }

    /// All rules with what they have counted, the oldest first.
    pub(crate) fn dump(&self) -> Vec<Kept> {
        let kept = |rule: &Arc<Rule>| {
            let Counts { matched, acted, values } = rule.counts().clone();
            Kept { id: rule.id, matched, acted, values, rule: rule.input.clone() }
        };
        self.inner().rules.iter().rev().map(kept).collect()
    }

    /// Has these rules and no others; a sentence where they make no sense, and nothing changes.
    pub(crate) fn restore(&self, kept: Vec<Kept>) -> Result<(), String> {
        if kept.len() > MOST_RULES {
            return Err(format!("more than {MOST_RULES} rules"));
        }
        let mut inner = Inner::default();
        for Kept { id, matched, acted, values, rule: input } in kept {
            if id <= inner.last {
                return Err("the numbers of rules do not rise".to_owned());
            }
            if [id, matched, acted].iter().any(|number| i64::try_from(*number).is_err()) {
                return Err("a number of a rule is too large".to_owned());
            }
            let checked = input.checked()?;
            let counts = Mutex::new(Counts { matched, acted, values });
            inner.last = id;
            inner.rules.insert(0, Arc::new(Rule { id, input, checked, counts }));
        }
        self.change(|old| *old = inner);
        Ok(())
    }
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faults").field("rules", &self.inner().rules.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(rules: Value) -> Vec<RuleInput> {
        serde_json::from_value(rules).unwrap()
    }

    #[test]
    fn rules_come_and_go() {
        let faults = Faults::default();
        assert!(!faults.may_meet());
        let added = faults.add(read(json!([
            { "name": "one", "do": { "drop": true } },
            { "match": { "api": "webhook" }, "do": { "status": 500 } },
        ])));
        assert_eq!(added.unwrap().iter().map(|shown| shown.id).collect::<Vec<_>>(), [1, 2]);
        assert!(faults.may_meet());
        assert_eq!(faults.list().iter().map(|shown| shown.id).collect::<Vec<_>>(), [2, 1], "the newest first");
        assert!(faults.has(&read(json!([{ "name": "one", "do": { "drop": true } }]))[0]));
        assert!(!faults.has(&read(json!([{ "name": "two", "do": { "drop": true } }]))[0]));
        assert!(faults.remove("one") && !faults.remove("one"));
        assert!(!faults.may_meet(), "webhooks are no requests");
        assert!(faults.remove("2"));
        let wrong = faults.add(read(json!([{ "do": { "drop": true } }, { "do": {} }]))).unwrap_err();
        assert!(wrong.text.starts_with("rule 1:"), "{}", wrong.text);
        assert!(faults.list().is_empty(), "all or none");
        let many = vec![json!({ "do": { "drop": true } }); MOST_RULES];
        faults.add(read(Value::Array(many))).unwrap();
        assert!(faults.add(read(json!([{ "do": { "drop": true } }]))).is_err());
        assert_eq!(faults.clear(), MOST_RULES);
    }

    #[test]
    fn seeds_are_drawn_and_shown() {
        let faults = Faults::default();
        let rule = read(json!([{ "probability": 0.5, "do": { "drop": true } }]));
        faults.add(rule.clone()).unwrap();
        assert!(faults.list()[0].rule.seed.is_some() && faults.has(&rule[0]));
    }

    #[test]
    fn rules_survive_in_a_snapshot() {
        let faults = Faults::default();
        faults
            .add(read(json!([{ "name": "a", "times": 1, "do": { "drop": true } }, { "do": { "slow": "1KiB" } }])))
            .unwrap();
        faults.rules()[1].counts().draw(&faults.rules()[1].input, None);
        let text = serde_json::to_string(&faults.dump()).unwrap();
        let other = Faults::default();
        other.restore(serde_json::from_str(&text).unwrap()).unwrap();
        assert_eq!(serde_json::to_string(&other.list()).unwrap(), serde_json::to_string(&faults.list()).unwrap());
        assert_eq!(other.add(read(json!([{ "do": { "drop": true } }]))).unwrap()[0].id, 3);
        let twice = [faults.dump(), faults.dump()].concat();
        assert!(other.restore(twice).is_err());
        assert_eq!(other.list().len(), 3);
    }
}
