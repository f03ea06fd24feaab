//! What webhooks and copies meet.

use std::sync::Arc;

use stowage_jobs::{CopyAsked, CopyOrder, Later, PostAsked, PostOrder};

use super::Faults;
use super::check::What;
use super::rule::On;

impl Faults {
    /// What an attempt to tell a webhook meets: begins when it is awaited.
    pub(crate) fn post(self: &Arc<Self>, asked: &PostAsked<'_>) -> Later<PostOrder> {
        let (faults, key) = (Arc::clone(self), asked.key.clone());
        let (event, target) = (asked.webhook.event, asked.webhook.target_url.clone());
        Box::pin(async move {
            let met = faults.meet_aside(|rule| {
                let wanted = &rule.checked;
                wanted.on == [On::Webhook]
                    && wanted.project.as_ref().is_none_or(|project| *project == key)
                    && wanted.event.is_none_or(|wanted| wanted == event)
                    && wanted.target.as_deref().is_none_or(|text| target.contains(text))
            });
            let Some(rule) = met else { return PostOrder::Post };
            let act = &rule.checked.act;
            if let Some(delay) = act.delay {
                tokio::time::sleep(delay).await;
            }
            match &act.what {
                What::Answer { status, .. } => PostOrder::Answer(status.as_u16()),
                What::Drop => PostOrder::Fail(format!("dropped by the fault {}", rule.mark())),
                What::Pass | What::Refuse { .. } => PostOrder::Post,
            }
        })
    }

    /// What an attempt to copy meets.
    pub(crate) fn copy(&self, asked: &CopyAsked<'_>) -> CopyOrder {
        let met = self.meet_aside(|rule| {
            let wanted = &rule.checked;
            wanted.on == [On::Copy]
                && wanted.project.as_ref().is_none_or(|project| project == asked.key)
                && wanted.target.as_deref().is_none_or(|text| asked.storage.name.as_str().contains(text))
        });
        match met.as_deref().map(|rule| (&rule.checked.act.what, rule)) {
            Some((What::Refuse { code, text, .. }, rule)) => {
                let text = text.clone().unwrap_or_else(|| format!("{code}: refused by the fault {}", rule.mark()));
                CopyOrder::Fail { code: code.clone(), text }
            }
            _ => CopyOrder::Go,
        }
    }
}
