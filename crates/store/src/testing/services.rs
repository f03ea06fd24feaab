//! Servers that tests need, started for them where the machine has them.

use std::env;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use stowage_model::Ids;

use crate::blobs::Options;

/// How long a server may take until it listens.
const START_WITHIN: Duration = Duration::from_secs(20);

/// An S3 server for tests: the one that `STOWAGE_TEST_S3_ENDPOINT`, `…_KEY` and `…_SECRET` name, or an `s3s-fs` that
/// ends with this value.
pub struct S3Server {
    /// Its URL.
    pub endpoint: String,
    /// The id of a key that may do everything.
    pub key: String,
    /// The secret of that key.
    pub secret: String,
    child: Option<(Child, PathBuf)>,
}

impl S3Server {
    /// An S3 server; none, with a printed reason, where there is neither a named one nor the program.
    ///
    /// # Panics
    /// Where there is none although `STOWAGE_TEST_REQUIRE` lists `s3`, or where the program does not start.
    pub fn find() -> Option<Self> {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        if let Some(endpoint) = variable("STOWAGE_TEST_S3_ENDPOINT") {
            let key = variable("STOWAGE_TEST_S3_KEY").unwrap_or_default();
            let secret = variable("STOWAGE_TEST_S3_SECRET").unwrap_or_default();
            return Some(Self { endpoint, key, secret, child: None });
        }
        Self::own()
    }

    /// A server of the test's own, which it may break; none, with a printed reason, where there is no such program.
    ///
    /// # Panics
    /// Where there is none although `STOWAGE_TEST_REQUIRE` lists `s3`, or where the program does not start.
    #[expect(clippy::print_stderr, reason = "a skipped engine must be seen in the test's output")]
    pub fn own() -> Option<Self> {
        if let Some(program) = on_path("s3s-fs") {
            return Some(Self::start(&program));
        }
        let required = env::var("STOWAGE_TEST_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|name| name.trim() == "s3"), "s3 is required, but s3s-fs is not on the PATH");
        eprintln!("skipped: s3s-fs is not on the PATH (tests/run installs it)");
        None
    }

    #[expect(clippy::expect_used, reason = "test support: a broken test server must fail the test loudly")]
    fn start(program: &PathBuf) -> Self {
        let folder = env::temp_dir().join(format!("stowage-s3-{}", Ids::random().uuid().simple()));
        fs::create_dir_all(&folder).expect("a folder for s3s-fs");
        let (key, secret) = ("test-key", "test-secret");
        let address = free_address();
        let mut command = Command::new(program);
        command.args(["--access-key", key, "--secret-key", secret, "--host", "127.0.0.1", "--port"]);
        command.arg(address.port().to_string()).arg(&folder).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("s3s-fs starts");
        let server = Self {
            endpoint: format!("http://{address}"),
            key: key.to_owned(),
            secret: secret.to_owned(),
            child: Some((child, folder)),
        };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < START_WITHIN, "s3s-fs does not listen on {address}");
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// What opens a bucket of this server, with `place` being `BUCKET` or `BUCKET/PREFIX`.
    pub fn options(&self, place: &str) -> Options {
        Options {
            url: format!("s3://{place}?endpoint={}", self.endpoint),
            access_key_id: self.key.clone(),
            secret_access_key: self.secret.clone(),
            ..Options::default()
        }
    }

    /// The folder in which a server started here keeps its buckets; none for a server that was only named.
    pub fn folder(&self) -> Option<&PathBuf> {
        self.child.as_ref().map(|(_, folder)| folder)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        if let Some((mut child, folder)) = self.child.take() {
            // Best effort: the test is over either way.
            let _ = child.kill();
            let _ = child.wait();
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// An address of this machine that nobody listens on at the moment.
///
/// # Panics
/// Where the machine has none left.
#[expect(clippy::expect_used, reason = "test support: without a port there is no test")]
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address")
}

fn on_path(program: &str) -> Option<PathBuf> {
    let paths = env::var_os("PATH")?;
    env::split_paths(&paths).map(|folder| folder.join(program)).find(|path| path.is_file())
}
