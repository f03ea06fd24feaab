//! `stowage project …`: the projects in the records.

use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::Value;
use stowage_model::{Clock, Ids, Project, PublicKey, Settings};
use stowage_store::records::{CreateError, Declared, Records};

use super::{say, settings};
use crate::config::Config;
use crate::run;

#[derive(Subcommand)]
pub(super) enum Action {
    /// List projects with their settings, without secret keys
    List {
        /// As JSON, one project a line
        #[arg(long)]
        json: bool,
    },
    /// Create a project and print its keys
    Create {
        /// Public key; a new one is made where none is given
        #[arg(long)]
        public_key: Option<PublicKey>,
        /// Secret key; a new one is made where none is given
        #[arg(long)]
        secret_key: Option<String>,
        /// Settings as in [[projects]], like `autostore=false` or `max_file_size=10MiB`
        #[arg(long = "set", value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// Change settings of a project
    Update {
        /// Its public key
        public_key: PublicKey,
        /// Settings as in [[projects]], like `autostore=false` or `allowed_types=image/*,application/pdf`
        #[arg(long = "set", value_name = "KEY=VALUE", required = true)]
        settings: Vec<String>,
    },
    /// Show, add or remove secret keys of a project
    Keys {
        /// Its public key
        public_key: PublicKey,
        /// Make a new secret key and print it
        #[arg(long)]
        add: bool,
        /// Remove this secret key
        #[arg(long, value_name = "SECRET")]
        remove: Option<String>,
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
        Action::List { json } => {
            for project in records.projects().await? {
                say(&if json { as_json(&project)?.to_string() } else { as_text(&project)? });
            }
        }
        Action::Create { public_key, secret_key, settings } => {
            let public_key = match public_key {
                Some(key) => key,
                None => Ids::random().hex(20).parse().context("a new key")?,
            };
            let secret = secret_key.unwrap_or_else(|| Ids::random().hex(20));
            if secret.is_empty() {
                bail!("--secret-key is empty: anybody could sign with it");
            }
            let settings = change(&Settings::default(), &settings)?;
            let project = Declared { public_key: public_key.clone(), secret_keys: vec![secret.clone()], settings };
            match records.create_project(&project, clock.now()).await {
                Ok(_) => say(&format!("public key  {public_key}\nsecret key  {secret}")),
                Err(CreateError::KeyTaken) => bail!("there is a project with the public key `{public_key}` already"),
                Err(CreateError::Records(error)) => return Err(error.into()),
            }
        }
        Action::Update { public_key, settings } => {
            let project = changeable(records, &public_key).await?;
            let settings = change(&project.settings, &settings)?;
            records.update_project(project.id, &project.secret_keys, &settings).await?;
        }
        Action::Keys { public_key, add, remove } => {
            if !add && remove.is_none() {
                find(records, &public_key).await?.secret_keys.iter().for_each(|key| say(key));
                return Ok(());
            }
            let project = changeable(records, &public_key).await?;
            let mut keys = project.secret_keys.clone();
            if let Some(secret) = remove {
                let Some(at) = keys.iter().position(|key| *key == secret) else {
                    bail!("project `{public_key}` has no such secret key");
                };
                keys.remove(at);
            }
            if add {
                let secret = Ids::random().hex(20);
                say(&secret);
                keys.push(secret);
            }
            records.update_project(project.id, &keys, &project.settings).await?;
        }
    }
    Ok(())
}

pub(super) async fn find(records: &Records, key: &PublicKey) -> anyhow::Result<Project> {
    let project = records.projects().await?.into_iter().find(|project| project.public_key == *key);
    project
        .with_context(|| format!("there is no project with the public key `{key}`; `stowage project list` shows all"))
}

async fn changeable(records: &Records, key: &PublicKey) -> anyhow::Result<Project> {
    let project = find(records, key).await?;
    if project.from_config {
        bail!("project `{key}` is declared in the configuration, which wins at each start: change it there");
    }
    Ok(project)
}

fn change(settings: &Settings, pairs: &[String]) -> anyhow::Result<Settings> {
    let mut object = serde_json::to_value(settings)?;
    settings::lay(&mut object, pairs)?;
    serde_json::from_value(object).context("the settings do not fit")
}

fn as_json(project: &Project) -> anyhow::Result<Value> {
    Ok(serde_json::json!({
        "public_key": project.public_key,
        "created_at": project.created_at,
        "from_config": project.from_config,
        "secret_keys": project.secret_keys.len(),
        "settings": shown(&project.settings)?,
    }))
}

/// Settings as they are listed: of secrets only how many there are.
fn shown(settings: &Settings) -> anyhow::Result<Value> {
    let mut object = serde_json::to_value(settings)?;
    if let Some(secrets) = object.get_mut("delivery_secrets") {
        *secrets = settings.delivery_secrets.iter().count().into();
    }
    Ok(object)
}

fn as_text(project: &Project) -> anyhow::Result<String> {
    let origin = if project.from_config { "declared in the configuration" } else { "in the records" };
    let settings = settings::differing(&shown(&project.settings)?, &shown(&Settings::default())?);
    Ok(format!("{}  {origin}, {} secret key(s){settings}", project.public_key, project.secret_keys.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(pairs: &[&str]) -> Result<Settings, String> {
        let pairs: Vec<String> = pairs.iter().map(|pair| (*pair).to_owned()).collect();
        change(&Settings::default(), &pairs).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn settings_are_changed_by_their_type() {
        let settings =
            changed(&["autostore=false", "max_file_size=10MiB", "allowed_types=image/*, text/plain", "name=7"])
                .unwrap();
        assert!(!settings.autostore);
        assert_eq!((settings.max_file_size, settings.name.as_str()), (10 << 20, "7"));
        assert_eq!(settings.allowed_types, ["image/*", "text/plain"]);
        let delivery =
            ["signed_delivery=true", "delivery_secrets=00ff,AA", "delivery_max_age=1h", "proxy_hosts=a.example"];
        let settings = changed(&delivery).unwrap();
        assert_eq!(settings.delivery_max_age, Some(std::time::Duration::from_secs(3600)));
        assert!(settings.proxies("a.example"));
        let listed = shown(&settings).unwrap().to_string();
        assert!(listed.contains(r#""delivery_secrets":2"#) && !listed.contains("00ff"), "{listed}");
        assert!(changed(&["delivery_secrets=xy"]).unwrap_err().contains("hexadecimal"));
        assert!(changed(&["delivery_max_age=soon"]).unwrap_err().contains("such as `90s`"));
        assert!(changed(&["autostor=1"]).unwrap_err().contains("there are account_state, "));
        assert!(changed(&["autostore=maybe"]).unwrap_err().contains("true or false"));
        assert!(changed(&["account_state=sad"]).unwrap_err().contains("blocked"));
        assert!(changed(&["autostore"]).unwrap_err().contains("KEY=VALUE"));
    }
}
