//! Measures what keeping and reading blobs in a folder costs: `blobs_bench FOLDER [SECONDS [PART OF A CASE'S
//! NAME]]`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for the people who work on this room")]

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use stowage_model::BlobKey;
use stowage_store::Durability;
use stowage_store::blobs::{Blobs, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// CPU of this process and of the whole machine, in seconds.
fn cpu() -> (f64, f64) {
    let own = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = own.rsplit(')').next().unwrap().split_whitespace().collect();
    let own: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    let all = std::fs::read_to_string("/proc/stat").unwrap();
    let all: Vec<f64> = all.lines().next().unwrap().split_whitespace().skip(1).map(|n| n.parse().unwrap()).collect();
    (own / 100.0, (all[0] + all[1] + all[2] + all[5] + all[6]) / 100.0)
}

async fn puts(name: &str, blobs: &Blobs, size: usize, tasks: usize, lasting: Duration) -> Option<BlobKey> {
    let count = Arc::new(AtomicU64::new(0));
    let (begun, before) = (Instant::now(), cpu());
    let running: Vec<_> = (0..tasks)
        .map(|n| {
            let (blobs, count) = (blobs.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                let piece = Bytes::from(vec![u8::try_from(n % 256).unwrap(); size.min(64 << 10)]);
                let mut last = None;
                while begun.elapsed() < lasting {
                    let mut draft = blobs.draft();
                    let mut left = size;
                    while left > 0 {
                        let now = left.min(piece.len());
                        draft.write(piece.slice(..now)).await.unwrap();
                        left -= now;
                    }
                    last = Some(draft.finish().await.unwrap().keep().await.unwrap());
                    count.fetch_add(1, Ordering::Relaxed);
                }
                last
            })
        })
        .collect();
    let mut last = None;
    for task in running {
        last = task.await.unwrap().or(last);
    }
    let (seconds, after) = (begun.elapsed().as_secs_f64(), cpu());
    let count = count.load(Ordering::Relaxed) as f64;
    println!(
        "{name}: {:.0}/s, {:.0} MB/s, own CPU {:.1} us each, machine {:.1} us each",
        count / seconds,
        count * size as f64 / seconds / 1e6,
        (after.0 - before.0) / count * 1e6,
        (after.1 - before.1) / count * 1e6
    );
    last
}

/// What arrives in parts, in bytes: all of it, a part, and the pieces of a part as they come out of a socket.
const WHOLE: u64 = 1 << 30;
const PART: u64 = 8 << 20;
const PIECE: usize = 64 << 10;

/// How many parts arrive at the same time.
const AT_ONCE: usize = 8;

/// A blob in parts, `AT_ONCE` at a time.
async fn parts(name: &str, blobs: &Blobs, rounds: u32) {
    for _ in 0..rounds {
        settle_disk();
        let parts = blobs.begin_parts(WHOLE).await.unwrap();
        let (begun, before) = (Instant::now(), cpu());
        let next = Arc::new(AtomicU64::new(0));
        let running: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (blobs, parts, next) = (blobs.clone(), parts.clone(), Arc::clone(&next));
                tokio::spawn(async move {
                    let piece = Bytes::from(vec![7; PIECE]);
                    let mut done = Vec::new();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number * PART >= WHOLE {
                            return done;
                        }
                        let mut draft = blobs.part(&parts, u32::try_from(number).unwrap() + 1, PART).await.unwrap();
                        for _ in 0..PART / PIECE as u64 {
                            draft.write(piece.clone()).await.unwrap();
                        }
                        done.push(draft.finish().await.unwrap().part().clone());
                    }
                })
            })
            .collect();
        let mut list = Vec::new();
        for task in running {
            list.extend(task.await.unwrap());
        }
        list.sort_by_key(|part| part.number);
        let arrived = Instant::now();
        blobs.assemble(&parts, WHOLE, &list).await.unwrap();
        tell_parts(name, begun.elapsed(), before);
        println!("  assembled in {:?}; most memory {} KiB", arrived.elapsed(), most_memory());
        blobs.abort_parts(&parts).await.unwrap();
    }
}

/// The same writes by threads alone: straight from one piece of memory, or after copying what would have arrived.
fn raw_parts(name: &str, folder: &Path, rounds: u32, copying: bool) {
    let piece = 512 << 10;
    for _ in 0..rounds {
        settle_disk();
        let path = folder.join("raw");
        let file = File::create(&path).unwrap();
        file.set_len(WHOLE).unwrap();
        file.sync_all().unwrap();
        let (begun, before) = (Instant::now(), cpu());
        let next = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    let mut memory = vec![7; piece + 4096];
                    let start = memory.as_ptr().align_offset(4096);
                    let memory = &mut memory[start..start + piece];
                    let arrived = vec![7; PIECE];
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed) * PART;
                        if at >= WHOLE {
                            return;
                        }
                        let direct = rustix::fs::OFlags::DIRECT.bits().cast_signed();
                        let file = OpenOptions::new().write(true).custom_flags(direct).open(&path).unwrap();
                        for done in (0..PART).step_by(piece) {
                            if copying {
                                memory.chunks_mut(PIECE).for_each(|part| part.copy_from_slice(&arrived));
                            }
                            file.write_all_at(memory, at + done).unwrap();
                        }
                        file.sync_data().unwrap();
                    }
                });
            }
        });
        tell_parts(name, begun.elapsed(), before);
        std::fs::remove_file(path).unwrap();
    }
}

fn tell_parts(name: &str, took: Duration, before: (f64, f64)) {
    let after = cpu();
    println!(
        "{name}: {:.2} GB/s, own CPU {:.2} s, machine {:.2} s for each GiB",
        WHOLE as f64 / took.as_secs_f64() / 1e9,
        after.0 - before.0,
        after.1 - before.1
    );
}

/// Waits until nobody's earlier writes keep the disk busy.
fn settle_disk() {
    assert!(Command::new("sync").status().unwrap().success());
}

fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn reads(name: &str, blobs: &Blobs, key: &BlobKey, size: u64, times: u32, socket: bool) {
    let (begun, before) = (Instant::now(), cpu());
    if socket {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // The receiver is another process's worth of work: `nc` style, on a thread that only discards.
        let sink = tokio::spawn(async move {
            let (mut from, _) = listener.accept().await.unwrap();
            let mut buffer = vec![0; 1 << 20];
            while from.read(&mut buffer).await.unwrap() > 0 {}
        });
        let mut to = tokio::net::TcpStream::connect(address).await.unwrap();
        for _ in 0..times {
            let mut stream = blobs.read(key, 0..size).await.unwrap();
            while let Some(piece) = stream.next().await {
                to.write_all(&piece.unwrap()).await.unwrap();
            }
        }
        drop(to);
        sink.await.unwrap();
    } else {
        for _ in 0..times {
            let mut stream = blobs.read(key, 0..size).await.unwrap();
            while let Some(piece) = stream.next().await {
                std::hint::black_box(&piece.unwrap());
            }
        }
    }
    let (seconds, after) = (begun.elapsed().as_secs_f64(), cpu());
    let times = f64::from(times);
    println!(
        "{name}: {:.0} MB/s, own CPU {:.2} ms each",
        times * size as f64 / seconds / 1e6,
        (after.0 - before.0) / times * 1e3
    );
}

/// Ten thousand URLs for parts, and how long others had to wait meanwhile.
async fn presigning(folder: &Path) {
    let Ok(endpoint) = std::env::var("STOWAGE_TEST_S3_ENDPOINT") else { return };
    let options = Options {
        url: format!("s3://blobs-bench?endpoint={endpoint}"),
        access_key_id: std::env::var("STOWAGE_TEST_S3_KEY").unwrap(),
        secret_access_key: std::env::var("STOWAGE_TEST_S3_SECRET").unwrap(),
        ..Options::default()
    };
    let blobs = Blobs::open(&options, folder, Durability::Full).await.unwrap();
    let parts = blobs.begin_parts(WHOLE).await.unwrap();
    let (begun, before) = (Instant::now(), cpu());
    let mut longest = Duration::ZERO;
    let mut turn = Instant::now();
    let mut signing = std::pin::pin!(blobs.presign_parts(&parts, 10_000, Duration::from_hours(24)));
    let urls = std::future::poll_fn(|cx| {
        turn = Instant::now();
        let state = signing.as_mut().poll(cx);
        longest = longest.max(turn.elapsed());
        state
    });
    let count = urls.await.unwrap().unwrap().len();
    let after = cpu();
    println!(
        "presigning: {count} URLs in {:?}, own CPU {:.0} us each, at most {longest:?} without a pause",
        begun.elapsed(),
        (after.0 - before.0) / count as f64 * 1e6
    );
    blobs.abort_parts(&parts).await.unwrap();
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let folder = std::env::args().nth(1).unwrap();
    let seconds = std::env::args().nth(2).and_then(|text| text.parse().ok()).unwrap_or(3);
    let lasting = Duration::from_secs(seconds);
    let only = std::env::args().nth(3);
    let wanted = |name: &str| only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    if wanted("presigning") {
        Box::pin(presigning(Path::new(&folder))).await;
    }
    for durability in [Durability::Full, Durability::Relaxed] {
        let root = Path::new(&folder).join(format!("{durability:?}"));
        let blobs = Blobs::open(&Options::default(), &root, durability).await.unwrap();
        if wanted(&format!("{durability:?} 10 KB x 32")) {
            puts(&format!("{durability:?} 10 KB x 32"), &blobs, 10_240, 32, lasting).await;
        }
        if wanted(&format!("{durability:?} 10 KB x 1")) {
            puts(&format!("{durability:?} 10 KB x 1"), &blobs, 10_240, 1, lasting).await;
        }
        if wanted(&format!("{durability:?} 100 KB x 32")) {
            puts(&format!("{durability:?} 100 KB x 32"), &blobs, 100_000, 32, lasting).await;
        }
        if wanted(&format!("{durability:?} 5 MB x 8")) {
            puts(&format!("{durability:?} 5 MB x 8"), &blobs, 5 << 20, 8, lasting).await;
        }
        if wanted(&format!("{durability:?} 5 MB x 1")) {
            puts(&format!("{durability:?} 5 MB x 1"), &blobs, 5 << 20, 1, lasting).await;
        }
        if wanted(&format!("{durability:?} parts")) {
            let name = format!("{durability:?} parts: 1 GiB in 8 MiB x 8");
            parts(&name, &blobs, 3).await;
            raw_parts("raw parts", &root, 3, false);
            raw_parts("raw parts, copied once", &root, 3, true);
        }
        if durability == Durability::Full && wanted("read") {
            let len = 100_000_000;
            let big = puts("one of 100 MB", &blobs, 100_000_000, 1, Duration::from_millis(1)).await.unwrap();
            reads("read 100 MB, cold", &blobs, &big, len, 1, false).await;
            reads("read 100 MB, hot", &blobs, &big, len, 10, false).await;
            reads("read 100 MB into a socket (with its receiver)", &blobs, &big, len, 10, true).await;
            let small = puts("one of 10 KB", &blobs, 10_240, 1, Duration::from_millis(1)).await.unwrap();
            reads("read 10 KB, hot", &blobs, &small, 10_240, 100_000, false).await;
        }
    }
}
