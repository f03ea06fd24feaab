//! The main listener: connections under limits, driven by hyper, ended gracefully.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use stowage_api::Peer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};
use tracing::{debug, warn};

use crate::config::Server;

/// The most bytes that are read from a connection at once, which is also the most that the head of a request may have.
/// Larger pieces do not fit into a core's cache together with their copies, and cost memory for each upload.
const READ_BUFFER: usize = 128 << 10;

/// Binds the configured address.
pub(crate) async fn bind(listen: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).await.with_context(|| {
        format!(
            "cannot listen on `{listen}` (`server.listen`): is another server running there? Port 0 picks a free one"
        )
    })
}

/// Serves until `stop`, then lets requests under way finish within the drain time.
pub(crate) async fn serve<F>(listener: TcpListener, front: F, config: &Server, stop: CancellationToken)
where
    F: Service<Request<Incoming>, Response = Response<Body>> + Clone + Send + 'static,
    F::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    F::Future: Send,
{
    let permits = Arc::new(Semaphore::new(connections(config.max_connections)));
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(config.header_timeout).max_buf_size(READ_BUFFER);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let (stream, peer, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: what is open goes on, and new ones come when some are closed.
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Without it small answers wait for the client's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(config.write_timeout));
        let service = front.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            request
        });
        let connection = http.serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(service));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            let gauge = metrics::gauge!("stowage_connections");
            gauge.increment(1);
            if let Err(error) = connection.await {
                debug!(%peer, %error, "a connection ended early");
            }
            gauge.decrement(1);
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(config.drain_timeout, graceful.shutdown()).await.is_err() {
        warn!("requests under way were cut off after server.drain_timeout");
    }
}

/// As many connections as are configured and as file descriptors allow: an upload takes one for its connection and one for
/// its file, and the stores need some for themselves.
fn connections(configured: usize) -> usize {
    const SPARE: u64 = 256;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    let possible = usize::try_from(limit.saturating_sub(SPARE) / 2).unwrap_or(usize::MAX).max(16);
    if configured > possible {
        warn!(possible, "server.max_connections is more than the limit of open files allows; raise it (ulimit -n)");
    }
    configured.clamp(1, possible).min(Semaphore::MAX_PERMITS)
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}
