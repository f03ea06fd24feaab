//! Which rights a storage needs, as policies that can be pasted into the settings of its bucket.

use serde_json::json;
use stowage_model::{AclMode, StorageSettings};

/// Policies of a bucket for AWS and servers that follow it. `PRINCIPAL` stands where the owner puts the ARN of the user or
/// role whose keys the storage has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// All that the connection test and copies need, as JSON.
    pub full: String,
    /// What suffices afterwards.
    pub shorter: String,
}

impl Policy {
    /// The policies for a storage.
    pub fn of(settings: &StorageSettings) -> Self {
        let mut objects =
            vec!["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:GetObject"];
        if settings.acl != AclMode::None {
            objects.push("s3:PutObjectAcl");
        }
        let shorter = policy(settings, &objects, &["s3:ListBucket"]);
        objects.push("s3:DeleteObject");
        Self { full: policy(settings, &objects, &["s3:ListBucket", "s3:GetBucketLocation"]), shorter }
    }
}

fn policy(settings: &StorageSettings, objects: &[&str], bucket: &[&str]) -> String {
    let arn = format!("arn:aws:s3:::{}", settings.bucket.as_str());
    let who = json!({ "AWS": "PRINCIPAL" });
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "StowageObjects", "Effect": "Allow", "Principal": who,
                "Action": objects, "Resource": format!("{arn}/{}*", settings.prefix.as_str()),
            },
            { "Sid": "StowageBucket", "Effect": "Allow", "Principal": who, "Action": bucket, "Resource": arn },
        ],
    });
    format!("{policy:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_name_exactly_what_is_needed() {
        let mut settings = StorageSettings::new("my-bucket".to_owned().try_into().unwrap());
        settings.prefix = "from/us/".to_owned().try_into().unwrap();
        let policies = Policy::of(&settings);
        for needed in ["s3:PutObjectAcl", "s3:GetObject", "s3:ListBucket", "arn:aws:s3:::my-bucket/from/us/*"] {
            assert!(policies.full.contains(needed) && policies.shorter.contains(needed), "{needed}");
        }
        for only_at_first in ["s3:DeleteObject", "s3:GetBucketLocation"] {
            assert!(policies.full.contains(only_at_first) && !policies.shorter.contains(only_at_first));
        }
        settings.acl = AclMode::None;
        assert!(!Policy::of(&settings).full.contains("s3:PutObjectAcl"));
    }
}
