//! `--set KEY=VALUE`: settings that are laid over those there are.

use std::fmt::Write;

use anyhow::{Context, bail};
use serde_json::Value;

/// Lays `key=value` pairs over settings; values are read as the type that the setting has.
pub(super) fn lay(settings: &mut Value, pairs: &[String]) -> anyhow::Result<()> {
    for pair in pairs {
        let (key, text) = pair.split_once('=').with_context(|| format!("`{pair}` is not of the form KEY=VALUE"))?;
        let known = settings.as_object().map(|o| o.keys().cloned().collect::<Vec<_>>().join(", ")).unwrap_or_default();
        let Some(value) = settings.get_mut(key) else { bail!("there is no setting `{key}`; there are {known}") };
        *value = match value {
            Value::Bool(_) => Value::Bool(text.parse().with_context(|| format!("`{key}` takes true or false"))?),
            Value::Array(_) => text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect(),
            _ => Value::String(text.to_owned()),
        };
    }
    Ok(())
}

/// The settings that differ from these defaults, as lines under what they belong to.
pub(super) fn differing(settings: &Value, defaults: &Value) -> String {
    let mut text = String::new();
    for (key, value) in settings.as_object().into_iter().flatten() {
        if defaults.get(key) != Some(value) {
            let _ = write!(text, "\n    {key} = {value}");
        }
    }
    text
}
