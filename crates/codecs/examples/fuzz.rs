//! Changes pictures at random and decodes them, to find what breaks a decoder: `fuzz SECONDS [SEED] [FORMAT]`.
//!
//! The decoders run in a child process. Whatever ends it, works longer than ten seconds or takes more than 512 MiB is kept as
//! `fuzz/seeds/NAME.bin`, which the tests decode ever after. Seeds are the fixtures of the tests and what was found before.
#![expect(clippy::print_stdout, reason = "this is a command")]

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use stowage_codecs::{Ask, decode, frames};

/// What one picture may take.
const MAX_TIME: Duration = Duration::from_secs(10);
const MAX_MEMORY: u64 = 512 * 1024 * 1024;
/// Numbers at which programs stumble.
const ODD: [u64; 12] = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF];

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|argument| argument.parse::<u64>().ok());
    let seconds = number(0).unwrap_or(60);
    let seed = number(1).unwrap_or(1);
    let format = arguments.get(2).map_or("", String::as_str);
    if let Some(place) = std::env::var_os("FUZZ_CURRENT") {
        run(Path::new(&place), Duration::from_secs(seconds), seed, format)?;
        return Ok(ExitCode::SUCCESS);
    }
    watch(Duration::from_secs(seconds), seed, format)
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Starts children until the time is over, and keeps what ends one of them.
fn watch(time: Duration, seed: u64, format: &str) -> io::Result<ExitCode> {
    let current = std::env::temp_dir().join(format!("stowage-fuzz-{}", std::process::id()));
    let begin = Instant::now();
    let mut found = 0_u64;
    while begin.elapsed() < time {
        let left = time.saturating_sub(begin.elapsed()).as_secs().max(1);
        let mut child = Command::new(std::env::current_exe()?)
            .args([left.to_string(), (seed + found * 1000).to_string(), format.to_owned()])
            .env("FUZZ_CURRENT", &current)
            .stdin(Stdio::null())
            .spawn()?;
        let modified = || std::fs::metadata(&current).and_then(|file| file.modified()).ok();
        let mut changed = (modified(), worked(child.id()));
        let why = loop {
            std::thread::sleep(Duration::from_millis(200));
            if let Some(status) = child.try_wait()? {
                break (!status.success()).then(|| format!("{status}"));
            }
            if modified() != changed.0 {
                changed = (modified(), worked(child.id()));
            } else if worked(child.id()).saturating_sub(changed.1) > MAX_TIME {
                child.kill()?;
                child.wait()?;
                break Some("too long".to_owned());
            }
        };
        if let Some(why) = why {
            found += 1;
            let kept = folder("fuzz/seeds").join(format!("found-{seed}-{found}.bin"));
            std::fs::copy(&current, &kept)?;
            println!("{why}: {}", kept.display());
        }
    }
    if current.exists() {
        std::fs::remove_file(&current)?;
    }
    println!("{found} found");
    Ok(if found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Decodes changed pictures until the time is over; each is written down before it is decoded.
fn run(current: &Path, time: Duration, seed: u64, format: &str) -> io::Result<()> {
    let mut seeds = Vec::new();
    for folder in [folder("tests/fixtures"), folder("fuzz/seeds")] {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
            if !matches!(extension, "rgba" | "py" | "md") && extension.ends_with(format) {
                seeds.push(std::fs::read(path)?);
            }
        }
    }
    if seeds.is_empty() {
        return Err(io::Error::other("no such format"));
    }
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let begin = Instant::now();
    let (mut rounds, mut decoded) = (0_u64, 0_u64);
    let parent = std::os::unix::process::parent_id();
    // Nobody would look at what is found after the parent has gone.
    while begin.elapsed() < time && std::os::unix::process::parent_id() == parent {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        let other = random.below(seeds.len());
        for _ in 0..=random.below(6) {
            change(&mut bytes, &seeds[other], &mut random);
        }
        if random.below(8) != 0 {
            mend_png(&mut bytes);
        }
        std::fs::write(current, &bytes)?;
        let ask = Ask { at_least: [None, Some((3, 3))][random.below(2)], ..Ask::default() };
        let before = worked(std::process::id());
        decoded += u64::from(decode(&bytes, &ask).is_ok());
        if let Ok(frames) = frames(&bytes, &ask.limits) {
            frames.take(8).for_each(drop);
        }
        let (time, memory) = (worked(std::process::id()).saturating_sub(before), peak());
        if time > MAX_TIME || memory > MAX_MEMORY {
            return Err(io::Error::other(format!("{time:?}, {memory} bytes")));
        }
        rounds += 1;
    }
    writeln!(io::stdout(), "{rounds} pictures, {decoded} of them shown, {} MiB at most", peak() >> 20)
}

/// Makes the checksums of a PNG's chunks right, without which it is never looked into.
fn mend_png(bytes: &mut [u8]) {
    let mut at = 8;
    while let Some(len) =
        bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|len| u32::from_be_bytes(*len) as usize)
    {
        let end = at + 8 + len;
        let (true, Some(body)) = (bytes.starts_with(b"\x89PNG"), bytes.get(at + 4..end)) else { return };
        let sum = (!body.iter().fold(u32::MAX, |sum, byte| crc(sum ^ u32::from(*byte)))).to_be_bytes();
        bytes.iter_mut().skip(end).zip(sum).for_each(|(byte, sum)| *byte = sum);
        at = end + 4;
    }
}

/// One byte of the checksum that PNG uses.
fn crc(sum: u32) -> u32 {
    (0..8).fold(sum, |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 })
}

/// Changes a few bytes, or their number.
fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    if bytes.len() < 4 {
        bytes.extend_from_slice(&other[..other.len().min(64)]);
        return;
    }
    // Headers stand in front, so that half of all changes do, too.
    let end = if random.below(2) == 0 { bytes.len().min(96) } else { bytes.len() };
    let at = random.below(end);
    match random.below(9) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.byte(),
        2 | 3 => {
            let odd = ODD[random.below(ODD.len())].wrapping_add(random.below(3) as u64);
            let len = 1 << random.below(3);
            let number = if random.below(2) == 0 { odd.to_le_bytes() } else { (odd << (64 - 8 * len)).to_be_bytes() };
            bytes.iter_mut().skip(at).zip(number).take(len).for_each(|(byte, new)| *byte = new);
        }
        4 => bytes.truncate(at.max(1)),
        5 => {
            let len = random.below(64).min(bytes.len() - at);
            bytes.drain(at..at + len);
        }
        6 => {
            let len = random.below(64).min(bytes.len() - at);
            let piece = bytes[at..at + len].to_vec();
            bytes.splice(at..at, piece);
        }
        7 => {
            let from = random.below(other.len().max(1)).min(other.len());
            let piece = &other[from..other.len().min(from + random.below(64))];
            bytes.splice(at..at, piece.iter().copied());
        }
        _ => {
            let value = random.byte();
            let len = random.below(32);
            bytes.iter_mut().skip(at).take(len).for_each(|byte| *byte = value);
        }
    }
}

/// For how long a process has worked, as the kernel counts: in hundredths of a second, without the time for which it waited.
fn worked(process: u32) -> Duration {
    let fields = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in front may have spaces in it.
    let fields = fields.rsplit(')').next().unwrap_or_default().split(' ').skip(12).take(2);
    Duration::from_millis(fields.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>() * 10)
}

/// The most memory that this process ever took, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() * 1024
}

/// The same numbers for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap_or_default()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[3]
    }
}
