//! `stowage storage test`: whether a storage works, and the policy of its bucket that lets it.

use anyhow::bail;
use stowage_copy::{Policy, Step, StepOutcome};
use stowage_model::{Ids, StorageSettings};
use stowage_store::records::Records;

use super::{Named, find};
use crate::commands::say;
use crate::config::Config;

/// Stands before a policy.
const HEAD: &str = "A policy for the bucket; PRINCIPAL is the ARN of the user or role whose keys the storage has:";

/// Tests the connection, or prints the policies.
pub(super) async fn test(config: &Config, records: &Records, named: &Named, policy: bool) -> anyhow::Result<()> {
    // What the configuration says can be tested before a server is started with it.
    let settings = match config.declared_storage(&named.project, &named.name)? {
        Some(settings) => settings,
        None => find(records, named).await?.settings,
    };
    let Policy { full, shorter } = Policy::of(&settings);
    if policy {
        say(&format!("{HEAD}\n\n{full}\n\nOnce `stowage storage test` has succeeded, this suffices:\n\n{shorter}"));
        return Ok(());
    }
    say(&place(&settings));
    let steps = Box::pin(stowage_copy::test(&settings, &Ids::random())).await;
    for step in &steps {
        say(&as_text(step));
    }
    if steps.iter().any(|step| step.code == Some("access_denied")) {
        say(&format!(
            "\nA policy of the bucket; PRINCIPAL is the ARN of the user or role whose keys the storage has:\n\n{full}"
        ));
    }
    if steps.iter().any(|step| step.outcome == StepOutcome::Failed) {
        bail!("{} does not work", place(&settings));
    }
    Ok(())
}

/// Refuses to go on with a storage that does not work.
pub(super) async fn must_work(settings: &StorageSettings) -> anyhow::Result<()> {
    let steps = Box::pin(stowage_copy::test(settings, &Ids::random())).await;
    match steps.iter().find(|step| step.outcome == StepOutcome::Failed) {
        Some(Step { code, sentence, .. }) => {
            bail!("the storage does not work: {}: {sentence}", code.unwrap_or_default())
        }
        None => Ok(()),
    }
}

/// `s3://bucket/prefix`, with the address of a service other than AWS.
pub(super) fn place(settings: &StorageSettings) -> String {
    let StorageSettings { bucket, prefix, endpoint_url, .. } = settings;
    let service = if endpoint_url.is_empty() { String::new() } else { format!(" at {endpoint_url}") };
    format!("s3://{}/{}{service}", bucket.as_str(), prefix.as_str())
}

fn as_text(step: &Step) -> String {
    let Step { name, outcome, code, sentence } = step;
    let outcome = match outcome {
        StepOutcome::Ok => "ok",
        StepOutcome::Warning => "warning",
        StepOutcome::Failed => "failed",
    };
    let code = code.map(|code| format!("{code}: ")).unwrap_or_default();
    format!("{name:<9}  {outcome:<7}  {code}{sentence}")
}
