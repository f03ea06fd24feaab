//! Buckets of real S3 servers, as storages of a project.
#![allow(clippy::allow_attributes, reason = "an expectation would fail where a test binary uses all of it")]
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of this module")]

use aws_sdk_s3::Client;
use serde_json::{Value, json};
use stowage_model::{Checksums, Ids};
use stowage_store::blobs::s3::{self, Reach};
use stowage_store::testing::named;
use stowage_store::testing::services::S3Server;

use crate::support::Server;

/// A bucket of a test server.
pub struct Bucket {
    pub name: String,
    pub endpoint: String,
    keys: (String, String),
    client: Client,
    _server: Option<S3Server>,
}

/// What is in an object.
pub struct Object {
    pub media_type: String,
    pub bytes: Vec<u8>,
}

impl Bucket {
    /// A bucket that believes only those with the right secret; none where there is no such server.
    pub async fn strict() -> Option<Self> {
        let server = S3Server::find()?;
        let (endpoint, keys) = (server.endpoint.clone(), (server.key.clone(), server.secret.clone()));
        Some(Self { _server: Some(server), ..Self::at(endpoint, keys).await })
    }

    /// A bucket of a server that knows who may read what; none where there is no such server.
    pub async fn with_acls() -> Option<Self> {
        let endpoint = named("STOWAGE_TEST_S3_ACL_ENDPOINT", "s3")?;
        Some(Self::at(endpoint, ("test".to_owned(), "test".to_owned())).await)
    }

    async fn at(endpoint: String, keys: (String, String)) -> Self {
        let reach = Reach {
            http: s3::http(),
            endpoint: Some(&endpoint),
            region: None,
            path_style: None,
            keys: Some((&keys.0, &keys.1)),
            role: None,
            checksums: Checksums::WhenRequired,
        };
        let client = s3::client(&reach).await;
        let name = format!("copies-{}", Ids::random().uuid().simple());
        client.create_bucket().bucket(&name).send().await.unwrap();
        Self { name, endpoint, keys, client, _server: None }
    }

    /// Makes this the storage `name` of a project, with more settings.
    pub async fn serves(&self, server: &Server, project: &str, name: &str, more: Value) {
        let mut settings = json!({
            "bucket": self.name,
            "endpoint_url": self.endpoint,
            "access_key_id": self.keys.0,
            "secret_access_key": self.keys.1,
            "auto_copy": false,
        });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let settings = serde_json::from_value(settings).unwrap();
        let records = server.records();
        let project = records.project_by_key(project).await.unwrap().unwrap();
        let (name, now) = (name.parse().unwrap(), server.clock.now());
        records.create_storage(project.id, &name, &settings, now).await.unwrap();
    }

    pub async fn object(&self, key: &str) -> Option<Object> {
        let got = self.client.get_object().bucket(&self.name).key(key).send().await.ok()?;
        let media_type = got.content_type().unwrap_or_default().to_owned();
        Some(Object { media_type, bytes: got.body.collect().await.unwrap().to_vec() })
    }

    /// Waits for an object.
    pub async fn appears(&self, key: &str) -> Object {
        loop {
            if let Some(object) = self.object(key).await {
                return object;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    pub async fn keys(&self) -> Vec<String> {
        let listed = self.client.list_objects_v2().bucket(&self.name).send().await.unwrap();
        listed.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
    }

    pub fn result(&self, key: &str) -> Value {
        json!({ "type": "url", "result": format!("s3://{}/{key}", self.name) })
    }
}
