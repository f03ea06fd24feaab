//! Names to addresses, by the operating system: `/etc/hosts` and the DNS of containers count as everywhere else.

use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Lookups at once. A lookup cannot be cancelled, so names whose servers never answer could otherwise occupy every
/// thread that is meant for files.
const AT_ONCE: usize = 64;

/// Asks for the addresses of a name; may block.
type Lookup = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

#[derive(Clone)]
pub(crate) struct Resolver {
    lookup: Arc<Lookup>,
    places: Arc<Semaphore>,
}

impl Resolver {
    pub(crate) fn system() -> Self {
        Self::new(|name| Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect()))
    }

    pub(crate) fn new(lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        Self { lookup: Arc::new(lookup), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// All addresses of a name, in the order in which they should be tried.
    pub(crate) async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(io::Error::other)?;
        let (lookup, name) = (Arc::clone(&self.lookup), name.to_owned());
        let looking_up = spawn_blocking(move || {
            // Held by the thread: who asked may have given up.
            let _place = place;
            lookup(&name)
        });
        looking_up.await.map_err(io::Error::other)?
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}
