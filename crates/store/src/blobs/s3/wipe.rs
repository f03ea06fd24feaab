//! Emptying the part of the bucket that is ours.

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::super::BlobError;
use super::{PAGE, S3, is_missing, tell};

/// How many requests are under way at the same time. Objects are deleted one by one: what deletes many at once is understood
/// differently by different servers.
const AT_ONCE: usize = 32;

impl S3 {
    /// Deletes the objects below the prefix whose names are ours, or with `all` every object, and aborts such uploads in parts.
    pub(in super::super) async fn wipe(&self, all: bool) -> Result<(), BlobError> {
        let Self { client: _, bucket: _, prefix: _, endpoint: _, spool: _, presigner: _ } = self;
        let is_it = |object: &str| all || self.ours(object).is_some();
        // First, so that none of them becomes an object afterwards.
        let uploads = self.uploads().await?.into_iter().filter(|(target, _)| is_it(&target.object));
        stream::iter(uploads)
            .map(Ok)
            .try_for_each_concurrent(AT_ONCE, async |(target, _)| self.abort_parts(&target).await)
            .await?;
        let mut after = None;
        loop {
            let page = self
                .client
                .list_objects_v2()
                .bucket(&self.bucket)
                .prefix(&self.prefix)
                .max_keys(PAGE)
                .set_start_after(after.take())
                .send()
                .await
                .map_err(|error| tell("listing", &error))?;
            let objects: Vec<&str> = page.contents().iter().filter_map(|object| object.key()).collect();
            let ours = objects.iter().copied().filter(|object| is_it(object));
            stream::iter(ours)
                .map(Ok)
                .try_for_each_concurrent(AT_ONCE, async |object| self.delete_object(object).await)
                .await?;
            after = objects.last().map(|&object| object.to_owned());
            if page.is_truncated() != Some(true) || after.is_none() {
                return Ok(());
            }
        }
    }

    pub(super) async fn delete_object(&self, object: &str) -> Result<(), BlobError> {
        match self.client.delete_object().bucket(&self.bucket).key(object).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => Err(tell("deleting", &error)),
        }
    }
}
