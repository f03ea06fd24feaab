//! The connection test: does, step by step and with an object of its own, what copies will do, and says what to change.

use aws_sdk_s3::primitives::AggregatedBytes;
use aws_sdk_s3::types::ObjectCannedAcl;
use bytes::Bytes;
use stowage_model::{AclMode, Ids, StorageSettings};
use stowage_store::blobs::s3;

use crate::error::Refused;
use crate::link::{Found, Link, text};

/// A step of the connection test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// What was tried: `bucket`, `write`, `read`, `public`, `multipart` or `delete`.
    pub name: &'static str,
    /// How it went.
    pub outcome: StepOutcome,
    /// What went wrong, for machines; none where all is well.
    pub code: Option<&'static str>,
    /// The same for people, with what to change.
    pub sentence: String,
}

/// How a step went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StepOutcome {
    /// As it should.
    Ok,
    /// Copies can be made, but not everything will be as it could.
    Warning,
    /// No copies can be made; nothing more was tried.
    Failed,
}

/// Whether to go on.
type Verdict = Result<Step, Step>;

fn ok(name: &'static str, sentence: impl Into<String>) -> Step {
    Step { name, outcome: StepOutcome::Ok, code: None, sentence: sentence.into() }
}

fn warning(name: &'static str, code: &'static str, sentence: String) -> Step {
    Step { name, outcome: StepOutcome::Warning, code: Some(code), sentence }
}

fn failed(name: &'static str, code: &'static str, sentence: String) -> Step {
    Step { name, outcome: StepOutcome::Failed, code: Some(code), sentence }
}

/// What a refusal means in general, with what to do about it where `right` is what may be missing.
fn refused(name: &'static str, refused: &Refused, right: &str) -> Step {
    let (code, advice) = match refused.code.as_str() {
        "NoSuchBucket" => {
            ("bucket_not_found", "check the bucket's name; buckets of others are not made here".to_owned())
        }
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "ExpiredToken" | "NotSignedUp" => {
            ("bad_credentials", "check access_key_id and secret_access_key".to_owned())
        }
        "AccessDenied" => ("access_denied", format!("give the keys {right}; the policy below does that")),
        "PermanentRedirect" | "AuthorizationHeaderMalformed" => {
            ("wrong_region", "set region to the bucket's".to_owned())
        }
        _ if refused.status.is_none() && refused.text().contains("credentials") => {
            ("bad_credentials", "set access_key_id and secret_access_key, or give the environment keys".to_owned())
        }
        _ if refused.status.is_none() => {
            ("unreachable", "check endpoint_url and whether this machine may connect to it".to_owned())
        }
        _ if refused.is_passing() => ("unavailable", "try again later".to_owned()),
        _ => ("refused", "see what the server says".to_owned()),
    };
    failed(name, code, format!("{}; {advice}", refused.text()))
}

struct Trial<'t> {
    settings: &'t StorageSettings,
    link: Link,
    key: String,
    content: Bytes,
}

/// Tries out a storage with an object `.connection-test-…` behind its prefix, and stops at the first failure. The object is
/// deleted at the end if that is allowed.
pub async fn test(settings: &StorageSettings, ids: &Ids) -> Vec<Step> {
    let (link, found) = match Link::open(settings, &s3::http()).await {
        Ok(opened) => opened,
        Err(why) => return vec![refused("bucket", &why, "s3:ListBucket")],
    };
    let id = ids.uuid();
    let key = format!("{}.connection-test-{id}", settings.prefix.as_str());
    let content = id.simple().to_string().into_bytes().into();
    let trial = Trial { settings, link, key, content };
    let mut steps = Vec::new();
    let all_well = Box::pin(trial.run(&found, &mut steps)).await;
    let written = steps.iter().any(|step| step.name == "write" && step.outcome == StepOutcome::Ok);
    if written {
        let deleted = trial.delete().await;
        if all_well {
            steps.push(deleted);
        }
    }
    steps
}

impl Trial<'_> {
    /// All steps but the last; answers whether none has failed.
    async fn run(&self, found: &Found, steps: &mut Vec<Step>) -> bool {
        let mut went_well = |verdict: Verdict| {
            let well = verdict.is_ok();
            steps.push(verdict.unwrap_or_else(|step| step));
            well
        };
        went_well(self.bucket(found).await)
            && went_well(self.write().await)
            && went_well(self.read().await)
            && (self.settings.acl == AclMode::None || went_well(self.publish().await))
            && went_well(self.multipart().await)
    }

    async fn bucket(&self, found: &Found) -> Verdict {
        let name = "bucket";
        let region = self.link.region.as_deref();
        if let Found::Hidden(why) = found {
            // Answers to HEAD do not say why.
            let list =
                self.link.client.list_objects_v2().bucket(self.name()).prefix(&self.key).max_keys(1).send().await;
            let why = match list {
                Ok(_) => why.clone(),
                Err(error) => Refused::of("listing the bucket", &error),
            };
            let step = refused(name, &why, "s3:ListBucket");
            if step.code != Some("access_denied") {
                return Err(step);
            }
            let why = "without the right to list the bucket a missing key looks like a forbidden one";
            return Ok(Step { outcome: StepOutcome::Warning, sentence: format!("{}; {why}", step.sentence), ..step });
        }
        match (region, text(&self.settings.region)) {
            (Some(found), Some(set)) if found != set => Ok(warning(
                name,
                "wrong_region",
                format!("the bucket is in {found} and not in {set}; set region to that"),
            )),
            (Some(found), _) if self.settings.endpoint_url.is_empty() => Ok(ok(name, format!("found in {found}"))),
            _ => Ok(ok(name, "found")),
        }
    }

    async fn write(&self) -> Verdict {
        match self.put(None).await {
            Ok(()) => Ok(ok("write", "an object can be written")),
            Err(why) => Err(refused("write", &why, "s3:PutObject")),
        }
    }

    async fn read(&self) -> Verdict {
        let name = "read";
        let get = self.link.client.get_object().bucket(self.name()).key(&self.key).send().await;
        let answer = match get {
            Ok(answer) => answer,
            Err(error) => return Err(refused(name, &Refused::of("reading", &error), "s3:GetObject")),
        };
        let length = answer.content_length.unwrap_or_default();
        if length.unsigned_abs() != self.content.len() as u64 {
            let sentence =
                format!("the object has {length} bytes instead of {}; use another server", self.content.len());
            return Err(failed(name, "size_differs", sentence));
        }
        match answer.body.collect().await.map(AggregatedBytes::into_bytes) {
            Ok(bytes) if bytes == self.content => Ok(ok(name, "it comes back as it was sent")),
            Ok(_) => Err(failed(name, "content_differs", "other bytes come back; use another server".to_owned())),
            Err(error) => Err(failed(name, "unreachable", format!("reading broke off: {error}; try again"))),
        }
    }

    async fn publish(&self) -> Verdict {
        let name = "public";
        let Err(why) = self.put(Some(ObjectCannedAcl::PublicRead)).await else {
            return Ok(ok(name, "the ACL public-read is taken"));
        };
        match why.code.as_str() {
            "AccessControlListNotSupported" | "AccessDenied" | "NotImplemented" => {
                let advice = "copies cannot be made public by us; allow ACLs and s3:PutObjectAcl, or let a policy of the \
                              bucket say what is public and set acl = \"none\"";
                let step = warning(name, "acl_not_supported", format!("{}; {advice}", why.text()));
                // With this mode public copies are refused rather than made without.
                if self.settings.acl == AclMode::Acl {
                    return Err(Step { outcome: StepOutcome::Failed, ..step });
                }
                Ok(step)
            }
            _ => Err(refused(name, &why, "s3:PutObjectAcl")),
        }
    }

    async fn multipart(&self) -> Verdict {
        let name = "multipart";
        let client = &self.link.client;
        let begun = client.create_multipart_upload().bucket(self.name()).key(&self.key).send().await;
        let id = match begun {
            Ok(begun) => begun.upload_id.unwrap_or_default(),
            Err(error) => {
                return Err(refused(name, &Refused::of("beginning an upload in parts", &error), "s3:PutObject"));
            }
        };
        let abort = client.abort_multipart_upload().bucket(self.name()).key(&self.key).upload_id(id).send().await;
        match abort {
            Ok(_) => Ok(ok(name, "large objects can be written in parts")),
            Err(error) => {
                let why = Refused::of("aborting an upload in parts", &error);
                Err(refused(name, &why, "s3:AbortMultipartUpload"))
            }
        }
    }

    async fn delete(&self) -> Step {
        let name = "delete";
        let Err(error) = self.link.client.delete_object().bucket(self.name()).key(&self.key).send().await else {
            return ok(name, "the object of this test is deleted");
        };
        let why = Refused::of("deleting", &error);
        let more = format!("copies do not need it, but {} stays; delete it, or allow s3:DeleteObject", self.key);
        warning(name, "delete_not_allowed", format!("{}; {more}", why.text()))
    }

    async fn put(&self, acl: Option<ObjectCannedAcl>) -> Result<(), Refused> {
        let put = self.link.client.put_object().bucket(self.name()).key(&self.key).content_type("text/plain");
        let put = put
            .set_storage_class(text(&self.settings.storage_class).map(Into::into))
            .set_server_side_encryption(text(&self.settings.sse).map(Into::into))
            .set_ssekms_key_id(text(&self.settings.sse_kms_key).map(str::to_owned))
            .set_acl(acl)
            .body(self.content.clone().into());
        put.send().await.map(drop).map_err(|error| Refused::of("writing", &error))
    }

    fn name(&self) -> &str {
        self.settings.bucket.as_str()
    }
}
