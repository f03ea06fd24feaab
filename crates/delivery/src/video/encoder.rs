//! ffmpeg as a child process: it reads pixels from a pipe and writes one file into a folder of its own. No shell, no environment,
//! a group of processes and limits of its own, and an end whatever happens.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::io::retry_on_intr;
use rustix::process::{Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, kill_process_group, prlimit, waitid};

/// The beginning of the names of its folders.
const FOLDER: &str = "video-";
/// How much of what it says is kept, in bytes.
const MAX_SAID: u64 = 4 << 10;
/// The most address space of the process, in bytes.
const MAX_MEMORY: u64 = 3 << 30;
/// The largest file that it may write, in bytes.
const MAX_FILE: u64 = 256 << 20;
/// The most files that it may have open.
const MAX_FILES: u64 = 64;

static FOLDERS: AtomicU64 = AtomicU64::new(0);

/// What an encoder is told.
pub(super) struct Order<'a> {
    pub(super) program: &'a str,
    /// Where it may have a folder.
    pub(super) beside: &'a Path,
    pub(super) timeout: Duration,
    /// The size of the frames that it is given.
    pub(super) size: (u32, u32),
    /// Milliseconds for which each of them is shown.
    pub(super) tick: u64,
    pub(super) filters: &'a str,
    /// Codec, quality and container.
    pub(super) output: &'a [&'a str],
}

/// A running encoder. Dropped, it is ended, and nothing is left of it.
pub(super) struct Encoder {
    child: Child,
    id: Pid,
    watchdog: Option<(Sender<()>, JoinHandle<bool>)>,
    said: Option<JoinHandle<String>>,
    folder: PathBuf,
}

/// Why there is no video.
#[derive(Debug, thiserror::Error)]
pub(super) enum EncodeError {
    #[error("it took too long")]
    Late,
    #[error("ffmpeg ended with {status}: {said}")]
    Ended { status: String, said: String },
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Removes what encoders of dead processes have left.
pub(super) fn clean(beside: &Path) {
    let Ok(items) = fs::read_dir(beside) else { return };
    for item in items.flatten().filter(|item| item.file_name().to_string_lossy().starts_with(FOLDER)) {
        let _ = fs::remove_dir_all(item.path());
    }
}

impl Encoder {
    pub(super) fn start(order: &Order<'_>) -> io::Result<Self> {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let folder = order.beside.join(format!("{FOLDER}{}-{number}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let started = spawn(order, &folder);
        if started.is_err() {
            let _ = fs::remove_dir_all(&folder);
        }
        let mut child = started?;
        let id = Pid::from_child(&child);
        let said = child.stderr.take().map(|mut stderr| {
            std::thread::spawn(move || {
                let mut said = Vec::new();
                let _ = stderr.by_ref().take(MAX_SAID).read_to_end(&mut said);
                let _ = io::copy(&mut stderr, &mut io::sink());
                String::from_utf8_lossy(&said).trim().to_owned()
            })
        });
        let (done, ended) = channel::<()>();
        let timeout = order.timeout;
        let watchdog = std::thread::spawn(move || {
            let late = ended.recv_timeout(timeout) == Err(RecvTimeoutError::Timeout);
            if late {
                // No other group can have the number yet: the program is reaped only after this thread has ended.
                let _ = kill_process_group(id, Signal::KILL);
            }
            late
        });
        let encoder = Self { child, id, watchdog: Some((done, watchdog)), said, folder };
        // It waits for the first frame meanwhile.
        encoder.limit(timeout)?;
        Ok(encoder)
    }

    fn limit(&self, timeout: Duration) -> io::Result<()> {
        let seconds = timeout.as_secs().saturating_add(1);
        for (resource, most) in [
            (Resource::As, MAX_MEMORY),
            (Resource::Fsize, MAX_FILE),
            (Resource::Nofile, MAX_FILES),
            (Resource::Cpu, seconds),
            (Resource::Core, 0),
        ] {
            prlimit(Some(self.id), resource, Rlimit { current: Some(most), maximum: Some(most) })?;
        }
        Ok(())
    }

    /// Hands it a frame of three bytes a pixel.
    pub(super) fn frame(&mut self, pixels: &[u8]) -> io::Result<()> {
        match &mut self.child.stdin {
            Some(stdin) => stdin.write_all(pixels),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Says that there are no more frames, and answers the video.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, EncodeError> {
        drop(self.child.stdin.take());
        let late = self.wait()?;
        let status = self.child.wait()?;
        let said = self.said.take().and_then(|said| said.join().ok()).unwrap_or_default();
        if late {
            return Err(EncodeError::Late);
        }
        if !status.success() {
            return Err(EncodeError::Ended { status: status.to_string(), said });
        }
        Ok(fs::read(self.folder.join(OUTPUT))?)
    }

    /// Waits for its end, but does not reap it; whether it was ended because it took too long.
    fn wait(&mut self) -> io::Result<bool> {
        let waited = retry_on_intr(|| waitid(WaitId::Pid(self.id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT));
        let late = self.watchdog.take().is_some_and(|(done, watchdog)| {
            drop(done);
            watchdog.join().unwrap_or(false)
        });
        waited?;
        Ok(late)
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        if self.watchdog.is_some() {
            let _ = kill_process_group(self.id, Signal::KILL);
            let _ = self.wait();
            let _ = self.child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The name of what it writes.
const OUTPUT: &str = "video";

fn spawn(order: &Order<'_>, folder: &Path) -> io::Result<Child> {
    let (width, height) = order.size;
    Command::new(order.program)
        .args(["-hide_banner", "-nostdin", "-loglevel", "error", "-protocol_whitelist", "file,pipe"])
        .args(["-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", &format!("{width}x{height}")])
        .args(["-framerate", &format!("1000/{}", order.tick), "-i", "pipe:0"])
        .args(["-filter_threads", "1", "-vf", order.filters, "-an", "-threads", "1"])
        .args(["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"])
        .args(order.output)
        .args(["-map_metadata", "-1", "-fflags", "+bitexact", "-y", OUTPUT])
        .env_clear()
        .env("HOME", folder)
        .current_dir(folder)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
}
