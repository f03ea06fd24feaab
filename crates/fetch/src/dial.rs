//! Connections to addresses that the guard has judged, with TLS where the URL asks for it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use url::{Host, Url};

use crate::error::{FetchError, SetupError, UrlFault, of_io};

/// How long an address is tried before the next one is tried beside it (RFC 8305).
const HEAD_START: Duration = Duration::from_millis(250);
/// The most addresses of a host that are tried.
const MOST_ADDRESSES: usize = 8;

/// What bytes go over.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

pub(crate) struct Dialer {
    unset: ConfigBuilder<ClientConfig, WantsVerifier>,
    roots: Roots,
    /// Set up when TLS is first asked for: the platform may have its certificates in hundreds of files.
    tls: OnceCell<TlsConnector>,
}

/// Which certificates are trusted.
pub(crate) enum Roots {
    /// Those that the platform trusts.
    Platform,
    /// These.
    #[cfg(feature = "testing")]
    Given(RootCertStore),
}

impl Dialer {
    pub(crate) fn new(roots: Roots) -> Result<Self, SetupError> {
        let unset = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?;
        Ok(Self { unset, roots, tls: OnceCell::new() })
    }

    async fn tls(&self) -> Result<&TlsConnector, FetchError> {
        let set_up = async || {
            let roots = match &self.roots {
                Roots::Platform => spawn_blocking(platform_roots).await.map_err(|crash| of_io(&crash.into()))?,
                #[cfg(feature = "testing")]
                Roots::Given(roots) => roots.clone(),
            };
            let mut config = self.unset.clone().with_root_certificates(roots).with_no_client_auth();
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Ok(TlsConnector::from(Arc::new(config)))
        };
        self.tls.get_or_try_init(set_up).await
    }

    pub(crate) async fn dial(&self, url: &Url, addresses: &[SocketAddr]) -> Result<Box<dyn Wire>, FetchError> {
        let stream = first_to_answer(addresses).await.map_err(|error| of_io(&error))?;
        // Only a matter of speed.
        let _ = stream.set_nodelay(true);
        if url.scheme() == "http" {
            return Ok(Box::new(stream));
        }
        let name = server_name(url).ok_or(FetchError::Url(UrlFault::HostMalformed))?;
        let stream = self.tls().await?.connect(name, stream).await.map_err(|error| of_io(&error))?;
        Ok(Box::new(stream))
    }
}

fn server_name(url: &Url) -> Option<ServerName<'static>> {
    match url.host()? {
        Host::Domain(name) => ServerName::try_from(name.to_owned()).ok(),
        Host::Ipv4(address) => Some(ServerName::from(std::net::IpAddr::from(address))),
        Host::Ipv6(address) => Some(ServerName::from(std::net::IpAddr::from(address))),
    }
}

/// Tries the addresses in their order, each with a head start over the next.
async fn first_to_answer(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter().take(MOST_ADDRESSES);
    let mut trying = FuturesUnordered::new();
    let mut last_error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        if let Some(address) = waiting.next() {
            trying.push(TcpStream::connect(*address));
        } else if trying.is_empty() {
            return Err(last_error);
        }
        tokio::select! {
            Some(tried) = trying.next() => match tried {
                Ok(stream) => return Ok(stream),
                Err(error) => last_error = error,
            },
            () = sleep(HEAD_START), if waiting.len() > 0 => {}
        }
    }
}

/// The certificates that the platform trusts; OpenSSL's variables `SSL_CERT_FILE` and `SSL_CERT_DIR` are heeded.
fn platform_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _ignored) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        tracing::warn!(errors = ?found.errors, "no certificates are trusted here: https URLs cannot be fetched");
    }
    roots
}
