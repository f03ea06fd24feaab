//! `stowage webhook …`: the log of what webhooks are told.

use std::collections::HashMap;
use std::fmt::Write;

use anyhow::{Context, bail};
use clap::Subcommand;
use stowage_model::{Clock, ProjectId, PublicKey, WebhookId};
use stowage_store::records::{Attempt, Delivery, DeliveryFilter, DeliveryId, DeliveryState, Records, Redelivery};

use super::say;
use crate::config::Config;
use crate::run;

#[derive(Subcommand)]
pub(super) enum Action {
    /// List deliveries with their attempts, newest first
    Deliveries {
        /// Of the project with this public key
        #[arg(long, value_name = "KEY")]
        project: Option<PublicKey>,
        /// Of the webhook with this number
        #[arg(long, value_name = "ID")]
        webhook: Option<i64>,
        /// Those that are `pending`, `delivered`, `failed` or `dropped`
        #[arg(long)]
        outcome: Option<DeliveryState>,
        /// How many at most
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u32,
        /// As JSON, one delivery a line, with what was sent
        #[arg(long)]
        json: bool,
    },
    /// Deliver something once more, however it ended
    Redeliver {
        /// The number of the delivery
        id: i64,
    },
}

pub(super) async fn run(config: &Config, action: Action) -> anyhow::Result<()> {
    let clock = Clock::machine();
    let records = run::open_records(config, &clock).await?;
    let done = act(&records, &clock, action).await;
    records.close().await;
    done
}

async fn act(records: &Records, clock: &Clock, action: Action) -> anyhow::Result<()> {
    match action {
        Action::Deliveries { project, webhook, outcome, limit, json } => {
            let projects = records.projects().await?;
            let project = match project {
                Some(key) => {
                    let project = projects.iter().find(|project| project.public_key == key);
                    Some(project.with_context(|| format!("there is no project with the public key `{key}`"))?.id)
                }
                None => None,
            };
            let filter = DeliveryFilter { project, webhook: webhook.map(WebhookId), state: outcome };
            let keys: HashMap<ProjectId, PublicKey> =
                projects.into_iter().map(|project| (project.id, project.public_key)).collect();
            for delivery in records.deliveries(&filter, limit).await? {
                if json {
                    say(&serde_json::to_string(&delivery)?);
                } else {
                    say(&as_text(&delivery, keys.get(&delivery.project)));
                }
            }
        }
        Action::Redeliver { id } => match records.redeliver(DeliveryId(id), clock.now()).await? {
            Redelivery::Due => say(&format!("delivery {id} is due")),
            Redelivery::UnderWay => bail!("delivery {id} is under way at this moment"),
            Redelivery::Inactive => {
                bail!("the webhook of delivery {id} is inactive, and inactive ones are told nothing")
            }
            Redelivery::Unknown => bail!("there is no delivery {id}; `stowage webhook deliveries` lists them"),
        },
    }
    Ok(())
}

fn as_text(delivery: &Delivery, key: Option<&PublicKey>) -> String {
    let Delivery { id, webhook, event, created_at, state, target_url, .. } = delivery;
    let mut text = format!("{id}  {}  {created_at}  {event}", state.as_str());
    if let Some(file) = delivery.file {
        let _ = write!(text, "  file {file}");
    }
    let _ = write!(text, "\n    webhook {}", webhook.0);
    if let Some(key) = key {
        let _ = write!(text, " of {key}");
    }
    let _ = write!(text, "  {target_url}");
    for Attempt { at, status, error, ms } in &delivery.attempts {
        let _ = write!(text, "\n    {at}  {ms} ms");
        if let Some(status) = status {
            let _ = write!(text, "  status {status}");
        }
        if let Some(error) = error {
            let _ = write!(text, "  {error}");
        }
    }
    if *state == DeliveryState::Pending {
        let _ = write!(text, "\n    due {}", delivery.due_at);
    }
    text
}

#[cfg(test)]
mod tests {
    use stowage_model::Timestamp;

    use super::*;

    #[test]
    fn a_delivery_is_shown_with_its_attempts() {
        let refused = Attempt { at: Timestamp(0), status: None, error: Some("connection refused".into()), ms: 3 };
        let failed = Attempt { at: Timestamp(1), status: Some(500), error: None, ms: 4 };
        let mut delivery = Delivery {
            id: DeliveryId(7),
            project: ProjectId(1),
            webhook: WebhookId(2),
            target_url: "https://example.com/".into(),
            event: "file.stored".into(),
            file: None,
            created_at: Timestamp(0),
            state: DeliveryState::Pending,
            due_at: Timestamp(2),
            ended_at: None,
            attempts: vec![refused, failed],
            body: None,
            signature: None,
        };
        let shown = as_text(&delivery, Some(&"demo".parse().unwrap()));
        let expected = "7  pending  1970-01-01T00:00:00.000000Z  file.stored\n    webhook 2 of demo  https://example.com/\n    \
                        1970-01-01T00:00:00.000000Z  3 ms  connection refused\n    1970-01-01T00:00:00.000001Z  4 ms  \
                        status 500\n    due 1970-01-01T00:00:00.000002Z";
        assert_eq!(shown, expected);
        delivery.state = DeliveryState::Failed;
        delivery.attempts.clear();
        assert_eq!(as_text(&delivery, None).lines().count(), 2);
    }
}
