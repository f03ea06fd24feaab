//! For tests: an [`Outbound`] that resolves names and trusts certificates as a test wants, and is as strict as ever.

use std::io;
use std::net::IpAddr;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::dial::Roots;
use crate::resolve::Resolver;
use crate::{Options, Outbound, SetupError};

/// Makes an [`Outbound`] that asks `lookup` for the addresses of a name each time it needs them, and trusts `roots` only.
pub fn outbound(
    options: &Options,
    lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    roots: Vec<CertificateDer<'static>>,
) -> Result<Outbound, SetupError> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root)?;
    }
    Outbound::with(options, Resolver::new(lookup), Roots::Given(store))
}
