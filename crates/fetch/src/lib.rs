//! The only door to foreign HTTP. Whoever reads a URL that strangers chose goes through [`Outbound`], which sees to it
//! that no such URL reaches this machine or its network, and that no answer takes for ever or fills the memory.
//!
//! There is one way to a connection: parse, judge the host, resolve it, judge every address, dial one of those
//! addresses. Each redirect walks it anew, and no connection serves twice. Nothing may enter that dials by another way
//! (proxies, pools, clients with a resolver of their own) or keeps anything of one fetch for the next (cookies).

mod answer;
mod decode;
mod dial;
mod error;
mod exchange;
mod guard;
mod options;
mod resolve;
mod target;
#[cfg(feature = "testing")]
pub mod testing;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, StatusCode, header, response};
use tokio::time::{Instant, timeout, timeout_at};
pub use url::Url;

use crate::answer::Deadline;
use crate::dial::{Dialer, Roots, Wire};
use crate::exchange::Exchange;
use crate::guard::Guard;
use crate::resolve::Resolver;

pub use crate::answer::Answer;
pub use crate::error::{FetchError, SetupError, UrlFault};
pub use crate::options::{Options, Place, PlaceError};
pub use crate::target::parse;

/// The longest total time; what is configured above it means this.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How long the body of an answer is listened to that does not matter.
const GOODBYE: Duration = Duration::from_secs(1);
/// How many bytes of it, give or take what one read brings.
const HEARD: usize = 4 << 10;

/// The way out to foreign servers; cheap to clone.
#[derive(Clone)]
pub struct Outbound(Arc<Inner>);

struct Inner {
    options: Options,
    guard: Guard,
    dialer: Dialer,
}

impl Outbound {
    /// Warns where `allow` opens what is not public. The platform's certificates are read when the first connection needs them.
    pub fn new(options: &Options) -> Result<Self, SetupError> {
        Self::with(options, Resolver::system(), Roots::Platform)
    }

    fn with(options: &Options, resolver: Resolver, roots: Roots) -> Result<Self, SetupError> {
        if !options.allow.is_empty() {
            let allow: Vec<String> = options.allow.iter().map(ToString::to_string).collect();
            tracing::warn!(allow = allow.join(", "), "foreign URLs may lead to addresses that are not public");
        }
        let guard = Guard::new(options, resolver);
        Ok(Self(Arc::new(Inner { options: options.clone(), guard, dialer: Dialer::new(roots)? })))
    }

    /// Reads a URL that a user handed in, resolves its host once and judges the addresses; connects to nothing.
    ///
    /// Takes at most `connect_timeout`; a host that is not resolved by then is [`UrlFault::HostNotFound`].
    pub async fn check(&self, url: &str) -> Result<Url, UrlFault> {
        let url = parse(url)?;
        let judging = self.0.guard.addresses(&url);
        timeout(self.0.options.connect_timeout, judging).await.unwrap_or(Err(UrlFault::HostNotFound))?;
        Ok(url)
    }

    /// Fetches a URL, following redirects; returns when the head of an answer with status 200 is there.
    ///
    /// The URL and each redirect are judged in full, whatever [`Outbound::check`] said before: names change their
    /// addresses. The total time runs from here to the end of the body.
    pub async fn get(&self, url: &Url) -> Result<Answer, FetchError> {
        let total = self.0.options.total_timeout.min(LONGEST);
        let deadline = Deadline { at: Instant::now() + total, total };
        timeout_at(deadline.at, self.0.follow(url, deadline)).await.unwrap_or(Err(deadline.passed()))
    }

    /// Posts a body to a URL and returns the status of the answer, whichever it is: redirects are not followed.
    ///
    /// The URL is judged in full, whatever [`Outbound::check`] said before. All of it may take `total`; at most 4 KiB of the
    /// answer's body are read, for at most a second, and no fault in them counts.
    pub async fn post(
        &self,
        url: &Url,
        headers: &HeaderMap,
        body: String,
        total: Duration,
    ) -> Result<StatusCode, FetchError> {
        let total = total.min(LONGEST);
        let deadline = Deadline { at: Instant::now() + total, total };
        let url = target::accept(url.clone()).map_err(FetchError::Url)?;
        let request = exchange::post(&url, headers, body)?;
        let telling = timeout_at(deadline.at, self.0.tell(request, &url)).await;
        let (status, exchange) = telling.unwrap_or(Err(deadline.passed()))?;
        let patience = deadline.at.min(Instant::now() + GOODBYE);
        // Whoever hangs up on an answer that is still being written makes trouble in the logs of the other side.
        let _ = timeout_at(patience, listen(exchange)).await;
        Ok(status)
    }
}

/// Reads the beginning of a body, and forgets it.
async fn listen(mut exchange: Exchange) {
    let mut read = 0;
    while read < HEARD {
        match exchange.piece().await {
            Ok(Some(piece)) => read += piece.len(),
            Ok(None) | Err(_) => return,
        }
    }
}

impl Inner {
    async fn follow(&self, url: &Url, deadline: Deadline) -> Result<Answer, FetchError> {
        let mut url = target::accept(url.clone()).map_err(FetchError::Url)?;
        for _ in 0..=self.options.redirects {
            let (head, exchange) = self.ask(&url).await?;
            match redirect(head.status, &head.headers) {
                Some(location) => url = target::join(&url, location).map_err(FetchError::Url)?,
                None if head.status == StatusCode::OK => {
                    return Answer::new(url, &head, exchange, &self.options, deadline);
                }
                None => return Err(FetchError::Status(head.status.as_u16())),
            }
        }
        Err(FetchError::TooManyRedirects)
    }

    async fn ask(&self, url: &Url) -> Result<(response::Parts, Exchange), FetchError> {
        let wire = self.wire(url).await?;
        let late = Err(FetchError::Network("the server does not answer"));
        timeout(self.options.idle_timeout, Exchange::begin(exchange::get(url)?, wire)).await.unwrap_or(late)
    }

    async fn tell(&self, request: Request<String>, url: &Url) -> Result<(StatusCode, Exchange), FetchError> {
        let wire = self.wire(url).await?;
        let (head, exchange) = Exchange::begin(request, wire).await?;
        Ok((head.status, exchange))
    }

    /// A connection to the host of a URL.
    async fn wire(&self, url: &Url) -> Result<Box<dyn Wire>, FetchError> {
        let late = Err(FetchError::Network("connection timed out"));
        timeout(self.options.connect_timeout, self.connect(url)).await.unwrap_or(late)
    }

    async fn connect(&self, url: &Url) -> Result<Box<dyn Wire>, FetchError> {
        let addresses = self.guard.addresses(url).await.map_err(|fault| match fault {
            UrlFault::HostNotFound => FetchError::Network("host does not resolve"),
            fault => FetchError::Url(fault),
        })?;
        self.dialer.dial(url, &addresses).await
    }
}

/// Where an answer sends us, if it does.
fn redirect(status: StatusCode, headers: &HeaderMap) -> Option<&[u8]> {
    let redirects = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    headers.get(header::LOCATION).filter(|_| redirects).map(http::HeaderValue::as_bytes)
}
