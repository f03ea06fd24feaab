//! Reaching a bucket: the client, the bucket itself, and whether the server gives back what it took.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::meta::region::RegionProviderChain;
use aws_config::sts::AssumeRoleProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::SharedCredentialsProvider;
use aws_sdk_s3::config::SharedHttpClient;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::AggregatedBytes;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use aws_smithy_http_client::tls;
use bytes::Bytes;

use super::super::BlobStream;
use super::super::options::{Bucket, Checksums, OpenError, Options};
use super::{S3, is_missing, tell, upload};

/// The region of servers that do not care, and the one in which buckets take no constraint.
const DEFAULT_REGION: &str = "us-east-1";

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a server may think before it begins to answer.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// What a role is told who assumes it.
const SESSION: &str = "stowage";

/// Length of the probe in bytes. Any length shows whether a server keeps the frames of a signed stream.
const PROBE: u16 = 60_000;

/// How a bucket is reached: this store's own, and custom storages, to which a higher room copies.
#[derive(Clone)]
pub struct Reach<'r> {
    /// Connections; those who share it share them.
    pub http: SharedHttpClient,
    /// The address of the service; none means AWS.
    pub endpoint: Option<&'r str>,
    /// The region; none takes that of the environment, or one that servers without regions take.
    pub region: Option<&'r str>,
    /// Whether the bucket stands in the path of an address; none means: where there is an endpoint.
    pub path_style: Option<bool>,
    /// An access key and its secret; none takes those of the AWS environment.
    pub keys: Option<(&'r str, &'r str)>,
    /// A role that is assumed with these keys, and what its owner wants to be told.
    pub role: Option<(&'r str, Option<&'r str>)>,
    /// Checksums that the client adds to what it sends.
    pub checksums: Checksums,
}

/// Connections to S3 services, which trust what the platform trusts.
pub fn http() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https()
}

/// A client for a bucket. It has asked for nothing yet, except where a role or the environment's keys are to be found out.
pub async fn client(reach: &Reach<'_>) -> Client {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(reach.http.clone())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard());
    let region = reach.region.map(|region| Region::new(region.to_owned()));
    loader = match (reach.endpoint, region) {
        (_, Some(region)) => loader.region(region),
        // Servers of one's own have no regions; asking the cloud's metadata service for one would only delay the start.
        (Some(_), None) => loader.region(Region::new(DEFAULT_REGION)),
        (None, None) => loader.region(RegionProviderChain::default_provider().or_else(DEFAULT_REGION)),
    };
    if let Some((id, secret)) = reach.keys {
        loader = loader.credentials_provider(Credentials::new(id, secret, None, None, "configuration"));
    }
    if let Some(endpoint) = reach.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    let mut shared = loader.load().await;
    if let Some((arn, external_id)) = reach.role {
        let mut role = AssumeRoleProvider::builder(arn).session_name(SESSION).configure(&shared);
        if let Some(external_id) = external_id {
            role = role.external_id(external_id);
        }
        let provider = SharedCredentialsProvider::new(role.build().await);
        shared = shared.into_builder().credentials_provider(provider).build();
    }
    let custom = shared.endpoint_url().is_some();
    let mut config = aws_sdk_s3::config::Builder::from(&shared).force_path_style(reach.path_style.unwrap_or(custom));
    let always = match reach.checksums {
        Checksums::Auto => !custom,
        Checksums::Always => true,
        Checksums::WhenRequired => false,
    };
    config = if always {
        config
            .request_checksum_calculation(RequestChecksumCalculation::WhenSupported)
            .response_checksum_validation(ResponseChecksumValidation::WhenSupported)
    } else {
        config
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
    };
    Client::from_conf(config.build())
}

/// A client for the bucket of the blobs.
pub(super) async fn own_client(bucket: &Bucket, options: &Options) -> Result<Client, OpenError> {
    let keys = match (options.access_key_id.as_str(), options.secret_access_key.as_str()) {
        ("", "") => None,
        ("", _) => {
            return Err(OpenError::new("blobs.access_key_id: it is missing, but blobs.secret_access_key is set"));
        }
        (_, "") => {
            return Err(OpenError::new("blobs.secret_access_key: it is missing, but blobs.access_key_id is set"));
        }
        keys => Some(keys),
    };
    let reach = Reach {
        http: http(),
        endpoint: bucket.endpoint.as_deref(),
        region: bucket.region.as_deref(),
        path_style: bucket.path_style,
        keys,
        role: None,
        checksums: options.checksums,
    };
    Ok(client(&reach).await)
}

/// A client that makes URLs for others, who reach the bucket by the way that the options name.
pub(super) fn presigner(client: &Client, bucket: &Bucket, options: &Options) -> Client {
    // No checksums: whoever uses a URL would have to send the one of the bytes that it was made for.
    let mut config =
        client.config().to_builder().request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    if !options.public_endpoint.is_empty() {
        config = config.endpoint_url(&options.public_endpoint).force_path_style(bucket.path_style.unwrap_or(true));
    }
    if options.accelerate {
        config = config.accelerate(true);
    }
    Client::from_conf(config.build())
}

impl S3 {
    /// Makes sure that the bucket exists and may be used.
    pub(super) async fn find_bucket(&self, region: Option<&str>) -> Result<(), OpenError> {
        let Err(error) = self.client.head_bucket().bucket(&self.bucket).send().await else { return Ok(()) };
        let status = error.raw_response().map(|response| response.status().as_u16());
        match status {
            Some(404) => self.make_bucket(region).await,
            Some(403) => Err(self.refuse(
                "access is denied; check blobs.access_key_id, blobs.secret_access_key and what they may do \
                 (list the bucket; get, put and delete objects)",
            )),
            Some(301 | 307 | 400) => Err(self.refuse("it answers from another region; add region=NAME to the URL")),
            _ => Err(self.refuse(tell("asking for it", &error))),
        }
    }

    async fn make_bucket(&self, region: Option<&str>) -> Result<(), OpenError> {
        let place = region.filter(|region| *region != DEFAULT_REGION).map(|region| {
            CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::from(region)).build()
        });
        let made = self.client.create_bucket().bucket(&self.bucket).set_create_bucket_configuration(place).send().await;
        match made {
            Ok(_) => {
                tracing::info!(bucket = self.bucket, "the bucket did not exist and has been made");
                Ok(())
            }
            // Another process was quicker.
            Err(error) if error.code() == Some("BucketAlreadyOwnedByYou") => Ok(()),
            Err(error) => Err(self.refuse(tell("it does not exist, and making it", &error))),
        }
    }

    /// Some servers store signed streams with the signatures inside and say nothing: better found now than by users.
    pub(super) async fn check_honesty(&self) -> Result<(), OpenError> {
        let id = self.spool.new_id();
        let object = format!("{}.probe-{}", self.prefix, id.simple());
        let sent: Bytes = id.as_bytes().iter().copied().cycle().take(PROBE.into()).collect::<Vec<u8>>().into();
        let body = {
            let sent = sent.clone();
            upload::body(PROBE.into(), move || BlobStream::of(sent.clone()))
        };
        let put = self.client.put_object().bucket(&self.bucket).key(&object).content_length(PROBE.into()).body(body);
        put.send().await.map_err(|error| {
            let hint = "; if the server knows no checksums, set blobs.checksums to \"when_required\"";
            self.refuse(format!("{}{hint}", tell("writing a probe", &error)))
        })?;
        let back = self.client.get_object().bucket(&self.bucket).key(&object).send().await;
        let back = match back {
            Ok(answer) => {
                answer.body.collect().await.map(AggregatedBytes::into_bytes).map_err(|error| error.to_string())
            }
            Err(error) => Err(tell("reading the probe", &error).to_string()),
        };
        let removed = self.client.delete_object().bucket(&self.bucket).key(&object).send().await;
        match back {
            Ok(bytes) if bytes == sent => {}
            Ok(bytes) => {
                return Err(self.refuse(format!(
                    "the server gave back {} bytes of a probe of {PROBE}, or others than were sent: it does not understand \
                     signed streams; set blobs.checksums to \"when_required\" or use another server",
                    bytes.len()
                )));
            }
            Err(error) => return Err(self.refuse(error)),
        }
        match removed {
            Err(error) if !is_missing(&error) => Err(self.refuse(tell("deleting the probe", &error))),
            _ => Ok(()),
        }
    }

    fn refuse(&self, what: impl std::fmt::Display) -> OpenError {
        OpenError::new(format!("blobs.url: bucket {}: {what}", self.bucket))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use aws_sdk_s3::presigning::PresigningConfig;

    use super::super::super::options::Place;
    use super::*;

    #[tokio::test]
    async fn urls_lead_where_the_options_say() {
        let url = async |options: Options| {
            let options = Options { access_key_id: "key".into(), secret_access_key: "secret".into(), ..options };
            let Ok(Place::S3(bucket)) = options.place(Path::new("/data")) else { panic!("a bucket") };
            let client = presigner(&own_client(&bucket, &options).await.unwrap(), &bucket, &options);
            let part = client.upload_part().bucket(&bucket.name).key("k").upload_id("u").part_number(1);
            let life = PresigningConfig::expires_in(Duration::from_hours(1)).unwrap();
            let request = part.presigned(life).await.unwrap();
            assert_eq!((request.method(), request.headers().count()), ("PUT", 0), "nobody is told of headers");
            request.uri().split_once("/k?").unwrap().0.to_owned()
        };
        let at = |url: &str| Options { url: url.into(), ..Options::default() };
        let aws = "s3://bucket?region=eu-west-1";
        assert_eq!(url(at(aws)).await, "https://bucket.s3.eu-west-1.amazonaws.com");
        let fast = Options { accelerate: true, ..at(aws) };
        assert_eq!(url(fast).await, "https://bucket.s3-accelerate.amazonaws.com");
        assert_eq!(url(at("s3://bucket?endpoint=http://h:9000")).await, "http://h:9000/bucket");
        let public = |url| Options { public_endpoint: "https://files.example.com".into(), ..at(url) };
        assert_eq!(url(public("s3://bucket?endpoint=http://h:9000")).await, "https://files.example.com/bucket");
        let with_names = public("s3://bucket?endpoint=http://h:9000&path_style=false");
        assert_eq!(url(with_names).await, "https://bucket.files.example.com");
    }
}
