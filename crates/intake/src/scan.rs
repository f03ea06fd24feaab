//! Viruses: a program of the operator's choice looks at every file before it is accepted.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::io::retry_on_intr;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use serde::Deserialize;
use stowage_model::units::duration;

/// The longest name of a virus that is shown, in characters.
const MAX_NAME: usize = 100;
/// How much of what the program prints is looked at, in bytes.
const MAX_PRINTED: u64 = 64 << 10;

/// How long the output of a program may come after its end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// `[scan]` of the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScanOptions {
    /// The program and its arguments. It reads the file from its standard input and ends with 0 where it is clean and with
    /// 1 where it is infected, after a line `…: NAME FOUND`: what `clamdscan --no-summary -` does. Empty means no scan.
    pub command: Vec<String>,
    /// How many run at the same time.
    pub concurrency: usize,
    /// How long it may take.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
}

/// Looks at content; answers the name of the virus in it, if there is one. Blocks.
pub(crate) fn scan(options: &ScanOptions, content: &mut dyn Read) -> io::Result<Option<String>> {
    let Some((program, arguments)) = options.command.split_first() else { return Ok(None) };
    let mut child = Command::new(program)
        .args(arguments)
        // A group of its own, so that what a shell starts is ended with it.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (done, ended) = std::sync::mpsc::channel::<()>();
    let id = Pid::from_child(&child);
    let timeout = options.timeout;
    let watchdog = std::thread::spawn(move || {
        let late = ended.recv_timeout(timeout).is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Timeout);
        if late {
            // No other group can have the number yet: the program is reaped only after this thread has ended.
            let _ = kill_process_group(id, Signal::KILL);
        }
        late
    });
    let (print, printed) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let Some(mut stdout) = stdout else { return };
        let mut first = Vec::new();
        let read = stdout.by_ref().take(MAX_PRINTED).read_to_end(&mut first);
        let _ = print.send(read.map(|_| String::from_utf8_lossy(&first).into_owned()));
        let _ = io::copy(&mut stdout, &mut io::sink());
    });
    let fed = stdin.map_or(Ok(0), |mut stdin| io::copy(content, &mut stdin));
    // Waits for its end, but does not reap it: that would free its number while the watchdog may still kill by it.
    let waited = retry_on_intr(|| waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT));
    drop(done);
    let late = watchdog.join().unwrap_or(false);
    waited?;
    let status = child.wait()?;
    // What the program has left running may hold its output open for ever.
    let printed = printed.recv_timeout(LAST_WORDS).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    if late {
        return Err(io::Error::new(io::ErrorKind::TimedOut, "the scan took too long"));
    }
    match (status.code(), fed) {
        // A program that has seen enough may end before it was told everything.
        (Some(0 | 1), Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        (Some(0), _) => Ok(None),
        (Some(1), _) => Ok(Some(name(&printed?))),
        _ => Err(io::Error::other(format!("the scan ended with {status}"))),
    }
}

/// The name in `stream: NAME FOUND`.
fn name(printed: &str) -> String {
    let found = printed.lines().find_map(|line| line.trim().strip_suffix(" FOUND"));
    let name = found.and_then(|line| line.rsplit_once(": ")).map_or("unknown", |(_, name)| name.trim());
    name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, content: &[u8]) -> io::Result<Option<String>> {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        scan(&ScanOptions { command, concurrency: 1, timeout: Duration::from_secs(20) }, &mut { content })
    }

    #[test]
    fn the_program_decides() {
        let script = "if grep -q EICAR; then echo 'stream: Win.Test.EICAR_HDB-1 FOUND'; exit 1; fi";
        assert_eq!(run(script, b"harmless").unwrap(), None);
        assert_eq!(run(script, b"EICAR test").unwrap().unwrap(), "Win.Test.EICAR_HDB-1");
        assert_eq!(run("exit 1", &vec![b'x'; 1 << 20]).unwrap().unwrap(), "unknown");
        assert!(run("exit 2", b"x").is_err());
        assert!(
            scan(
                &ScanOptions { command: vec!["/nowhere".into()], concurrency: 1, timeout: Duration::ZERO },
                &mut &b""[..]
            )
            .is_err()
        );
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let command = ["sleep", "600"].map(str::to_owned).to_vec();
        let error = scan(&ScanOptions { command, concurrency: 1, timeout: Duration::from_millis(50) }, &mut &b"x"[..])
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
