//! Of what matches a rule, what it acts on: by number, by value, by chance.

use std::collections::HashSet;

use super::rule::RuleInput;

/// Of how many values of a parameter is remembered, twice over, that they have come.
const MOST_VALUES: usize = 5_000;
/// How much of a value is remembered, in characters.
const MOST_CHARS: usize = 256;

/// What a rule has counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    /// How much has matched.
    pub(super) matched: u64,
    /// How often it has acted.
    pub(super) acted: u64,
    /// The values of its parameter that have come: the newest, and those before them.
    pub(super) values: [HashSet<String>; 2],
}

impl Counts {
    /// Counts one more, and says whether the rule acts on it. `value` is that of the rule's parameter.
    pub(super) fn draw(&mut self, rule: &RuleInput, value: Option<&str>) -> bool {
        self.matched += 1;
        let number = self.matched;
        let is_due = match (rule.nth, rule.every) {
            (None, None) => true,
            (Some(nth), None) => number == nth,
            (nth, Some(every)) => {
                let first = nth.unwrap_or(every);
                number >= first && (number - first).is_multiple_of(every)
            }
        };
        let used_up = rule.times.is_some_and(|times| self.acted >= times);
        if !is_due || used_up || !value.is_none_or(|value| self.is_new(value)) {
            return false;
        }
        let hit = rule.probability.is_none_or(|likely| chance(rule.seed.unwrap_or_default(), number) < likely);
        self.acted += u64::from(hit);
        hit
    }

    fn is_new(&mut self, value: &str) -> bool {
        let value: String = value.chars().take(MOST_CHARS).collect();
        let [new, old] = &mut self.values;
        if new.contains(&value) || old.contains(&value) {
            return false;
        }
        if new.len() >= MOST_VALUES {
            *old = std::mem::take(new);
        }
        new.insert(value)
    }
}

/// A number from 0 up to 1 that looks as if it were drawn (`SplitMix64`).
fn chance(seed: u64, number: u64) -> f64 {
    let mut mixed = seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    f64::from(u32::try_from(mixed >> 32).unwrap_or(u32::MAX)) / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn drawn(rule: serde_json::Value, count: usize) -> Vec<usize> {
        let rule: RuleInput = serde_json::from_value(rule).unwrap();
        let mut counts = Counts::default();
        (1..=count).filter(|_| counts.draw(&rule, None)).collect()
    }

    #[test]
    fn rules_act_by_number() {
        assert_eq!(drawn(json!({}), 3), [1, 2, 3]);
        assert_eq!(drawn(json!({ "nth": 2 }), 5), [2]);
        assert_eq!(drawn(json!({ "every": 2 }), 5), [2, 4]);
        assert_eq!(drawn(json!({ "nth": 1, "every": 2 }), 5), [1, 3, 5]);
        assert_eq!(drawn(json!({ "times": 2 }), 5), [1, 2]);
        assert_eq!(drawn(json!({ "nth": 2, "every": 1, "times": 2 }), 5), [2, 3]);
    }

    #[test]
    fn chance_repeats_with_its_seed() {
        let one = drawn(json!({ "probability": 0.3, "seed": 1 }), 1000);
        assert_eq!(one, drawn(json!({ "probability": 0.3, "seed": 1 }), 1000));
        assert_ne!(one, drawn(json!({ "probability": 0.3, "seed": 2 }), 1000));
        assert!((240..360).contains(&one.len()), "{}", one.len());
        assert_eq!(drawn(json!({ "probability": 1.0, "seed": 1 }), 100).len(), 100);
    }

    #[test]
    fn each_value_is_hit_once() {
        let (rule, mut counts) = (RuleInput::default(), Counts::default());
        let values = ["a", "b", "a", "c", "b", "a"];
        let hit: Vec<&str> = values.into_iter().filter(|value| counts.draw(&rule, Some(value))).collect();
        assert_eq!(hit, ["a", "b", "c"]);
        for number in 0..3 * MOST_VALUES {
            assert!(counts.draw(&rule, Some(&number.to_string())));
        }
        assert!(counts.values.iter().all(|values| values.len() <= MOST_VALUES));
        assert!(
            !counts.draw(&rule, Some(&(2 * MOST_VALUES).to_string())) && counts.draw(&rule, Some("a")),
            "the oldest are forgotten"
        );
    }
}
