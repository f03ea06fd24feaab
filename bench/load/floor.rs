//! The floor of a durable upload: threads that do, with plain calls and no server around them, what keeping a small file
//! takes — write it under a temporary name, `fdatasync`, rename, `fsync` of its folder — as fast as this disk allows.
//! `floor FOLDER THREADS SECONDS BYTES` prints one line of JSON.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::exit;
use std::thread;
use std::time::{Duration, Instant};

const FOLDERS: u64 = 256;

fn keep(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!("{name}.part"));
    let mut file = File::create_new(&temporary)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    drop(file);
    fs::rename(&temporary, folder.join(name))?;
    File::open(folder)?.sync_all()
}

fn work(root: &Path, thread: u64, bytes: &[u8], end: Instant) -> io::Result<u64> {
    let mut done = 0_u64;
    // Any odd step walks through all folders; each thread begins elsewhere.
    let mut place = thread.wrapping_mul(0x9E37_79B9);
    while Instant::now() < end {
        place = place.wrapping_add(0x61);
        let folder = root.join(format!("{:02x}", place % FOLDERS));
        keep(&folder, &format!("{thread}-{done}"), bytes)?;
        done += 1;
    }
    Ok(done)
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let [_, root, threads, seconds, size] = words.as_slice() else {
        eprintln!("usage: floor FOLDER THREADS SECONDS BYTES");
        exit(2)
    };
    let (Ok(threads), Ok(seconds), Ok(size)) = (threads.parse::<u64>(), seconds.parse::<f64>(), size.parse::<usize>())
    else {
        eprintln!("floor: THREADS, SECONDS and BYTES are numbers");
        exit(2)
    };
    let root = PathBuf::from(root);
    for index in 0..FOLDERS {
        if let Err(error) = fs::create_dir_all(root.join(format!("{index:02x}"))) {
            eprintln!("floor: {error}");
            exit(1)
        }
    }
    let bytes = vec![7_u8; size];
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(seconds);
    let results: Vec<io::Result<u64>> = thread::scope(|scope| {
        let (root, bytes) = (root.as_path(), bytes.as_slice());
        let all: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(root, thread, bytes, end))).collect();
        all.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let elapsed = start.elapsed().as_secs_f64();
    let mut done = 0;
    for result in results {
        match result {
            Ok(count) => done += count,
            Err(error) => {
                eprintln!("floor: {error}");
                exit(1)
            }
        }
    }
    println!("{{\"requests\": {done}, \"seconds\": {elapsed:.6}}}");
}
