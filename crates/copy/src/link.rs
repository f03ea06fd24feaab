//! The way to a bucket: a client that speaks to the right region.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Builder, Config, SharedHttpClient};
use stowage_model::storage::Secret;
use stowage_model::{Checksums, StorageSettings};
use stowage_store::blobs::s3::{self, Reach};
use tracing::info;

use crate::error::{Refused, is_region};

/// The region in which questions about buckets of unknown regions are answered.
const ANY_REGION: &str = "us-east-1";

/// The name that old buckets in Ireland give their region.
const OLD_IRELAND: (&str, &str) = ("EU", "eu-west-1");

/// A client that reaches a bucket, and the region in which it was found.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) region: Option<String>,
}

/// What asking for a bucket said about it.
pub(crate) enum Found {
    /// It is there and may be asked for.
    Yes,
    /// It is there, but may not be asked for: that alone forbids no copies.
    Hidden(Refused),
}

impl Link {
    /// Finds the bucket and its region.
    pub(crate) async fn open(settings: &StorageSettings, http: &SharedHttpClient) -> Result<(Self, Found), Refused> {
        let named = text(&settings.region);
        let link =
            Self::to(settings, http, named.or_else(|| settings.endpoint_url.is_empty().then_some(ANY_REGION))).await;
        let (found, region) = link.ask(settings.bucket.as_str()).await;
        let elsewhere =
            region.filter(|region| !matches!(found, Ok(Found::Yes)) && Some(region) != link.region.as_ref());
        let Some(region) = elsewhere else { return found.map(|found| (link, found)) };
        if !settings.region.is_empty() {
            info!(bucket = settings.bucket.as_str(), region, "the bucket is in another region than its storage says");
        }
        let link = Self::to(settings, http, Some(&region)).await;
        let found = link.ask(settings.bucket.as_str()).await.0?;
        Ok((link, found))
    }

    async fn to(settings: &StorageSettings, http: &SharedHttpClient, region: Option<&str>) -> Self {
        let keys = text(&settings.access_key_id).map(|id| (id, settings.secret_access_key.expose()));
        let external_id = Some(&settings.external_id).filter(|id| !id.is_empty()).map(Secret::expose);
        let reach = Reach {
            http: http.clone(),
            endpoint: text(&settings.endpoint_url),
            region,
            path_style: settings.force_path_style,
            keys,
            role: text(&settings.role_arn).map(|arn| (arn, external_id)),
            // The client's own would be sent in frames that not every server understands; ours go in a header.
            checksums: Checksums::WhenRequired,
        };
        Self { client: s3::client(&reach).await, region: region.map(str::to_owned) }
    }

    /// Asks for the bucket; answers its region as well, where that is told or can be found out.
    async fn ask(&self, bucket: &str) -> (Result<Found, Refused>, Option<String>) {
        let asked = self.client.head_bucket().bucket(bucket).send().await;
        let refused = match asked {
            Ok(_) => return (Ok(Found::Yes), None),
            Err(error) => Refused::of("asking for the bucket", &error),
        };
        let mut region = refused.region.clone();
        // Nothing but the address was wrong, perhaps. Answers to HEAD have no body that could tell more.
        if region.is_none() && matches!(refused.status, Some(301 | 307 | 400)) {
            region = match self.client.get_bucket_location().bucket(bucket).send().await {
                Ok(place) => {
                    let name = place.location_constraint.map(|name| name.as_str().to_owned());
                    let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| ANY_REGION.to_owned());
                    Some(if name == OLD_IRELAND.0 { OLD_IRELAND.1.to_owned() } else { name }).filter(|n| is_region(n))
                }
                Err(error) => Refused::of("asking for the bucket's region", &error).region,
            };
        }
        let found = match refused.status {
            Some(403) => Ok(Found::Hidden(refused)),
            Some(404) => Err(refused.named("NoSuchBucket")),
            _ => Err(refused),
        };
        (found, region)
    }
}

/// For requests that carry so many bytes that a minute may not be enough.
pub(crate) fn unhurried(timeout: std::time::Duration) -> Builder {
    Config::builder().timeout_config(TimeoutConfig::builder().read_timeout(timeout).build())
}

/// A text that is set.
pub(crate) fn text(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
