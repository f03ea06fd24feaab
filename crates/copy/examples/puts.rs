//! The peer of `bench/copies`: puts the same bytes under many keys with nothing but the SDK, so many at once, and prints the seconds that
//! took.
//!
//!     puts ENDPOINT KEY SECRET BUCKET COUNT AT_ONCE SIZE
#![expect(clippy::print_stdout, reason = "an example that prints what it measured")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use stowage_model::Checksums;
use stowage_store::blobs::s3::{self, Reach};
use tokio::task::JoinSet;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [endpoint, key, secret, bucket, count, at_once, size] = arguments.as_slice() else {
        return Err("puts ENDPOINT KEY SECRET BUCKET COUNT AT_ONCE SIZE".into());
    };
    let (count, at_once, size): (u64, u64, usize) = (count.parse()?, at_once.parse()?, size.parse()?);
    let reach = Reach {
        http: s3::http(),
        endpoint: Some(endpoint),
        region: None,
        path_style: Some(true),
        keys: Some((key, secret)),
        role: None,
        checksums: Checksums::Always,
    };
    let client = s3::client(&reach).await;
    let bytes: Bytes = (0_u8..=255).cycle().take(size).collect();
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut puts = JoinSet::new();
    for _ in 0..at_once {
        let (client, bucket, bytes, next) = (client.clone(), bucket.clone(), bytes.clone(), Arc::clone(&next));
        puts.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok::<(), Failure>(());
                }
                let put = client.put_object().bucket(&bucket).key(format!("object-{number}"));
                let put = put.content_type("application/octet-stream").body(ByteStream::from(bytes.clone()));
                put.send().await?;
            }
        });
    }
    while let Some(ended) = puts.join_next().await {
        ended??;
    }
    println!("{:.3}", began.elapsed().as_secs_f64());
    Ok(())
}
