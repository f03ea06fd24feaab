//! https: certificates are verified, and what goes wrong is said in a few words.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use stowage_fetch::{FetchError, Url, testing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::origin::{NAME, Origin, failure, lookup, options};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn root(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    fn certify(&self, name: &str, until: i32) -> (CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        (params.signed_by(&key, &self.0).unwrap().der().clone(), key)
    }
}

/// Serves `answer` by TLS; `politely` says goodbye as TLS wants it.
async fn secure(certificate: (CertificateDer<'static>, KeyPair), answer: &'static str, politely: bool) -> Origin {
    let key = PrivateKeyDer::Pkcs8(certificate.1.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.0], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Origin::accept(move |stream| {
        let acceptor = acceptor.clone();
        Box::pin(async move {
            let mut stream = acceptor.accept(stream).await?;
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await?);
            }
            stream.write_all(answer.as_bytes()).await?;
            stream.flush().await?;
            if politely {
                stream.shutdown().await?;
            }
            Ok(())
        })
    })
    .await
}

fn url(origin: &Origin) -> Url {
    format!("https://{NAME}:{}/", origin.port).parse().unwrap()
}

#[tokio::test]
async fn a_certified_server_is_read() {
    let authority = Authority::new("tests");
    let certificate = authority.certify(NAME, 4000);
    let origin = secure(certificate, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true).await;
    let outbound = testing::outbound(&options(), lookup, vec![authority.root()]).unwrap();
    let mut answer = outbound.get(&url(&origin)).await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "hello");
    assert_eq!(answer.chunk().await, Ok(None));
}

#[tokio::test]
async fn a_body_without_length_ends_with_a_goodbye_or_not_at_all() {
    let authority = Authority::new("tests");
    let outbound = testing::outbound(&options(), lookup, vec![authority.root()]).unwrap();
    for (politely, end) in [(true, Ok(None)), (false, Err(FetchError::Network("connection closed early")))] {
        let origin = secure(authority.certify(NAME, 4000), "HTTP/1.1 200 OK\r\n\r\nhello", politely).await;
        let mut answer = outbound.get(&url(&origin)).await.unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "hello");
        assert_eq!(answer.chunk().await, end);
    }
}

#[tokio::test]
async fn certificates_are_verified() {
    let (authority, stranger) = (Authority::new("tests"), Authority::new("strangers"));
    let outbound = testing::outbound(&options(), lookup, vec![authority.root()]).unwrap();
    for (certificate, reason) in [
        (stranger.certify(NAME, 4000), "certificate is not trusted"),
        (authority.certify("other.test", 4000), "certificate is for another host"),
        (authority.certify(NAME, 2001), "certificate has expired"),
    ] {
        let origin = secure(certificate, "HTTP/1.1 200 OK\r\n\r\nhello", true).await;
        assert_eq!(outbound.get(&url(&origin)).await.err(), Some(FetchError::Network(reason)));
    }
}

#[tokio::test]
async fn what_does_not_speak_tls_fails() {
    for answer in ["HTTP/1.1 400 Bad Request\r\n\r\n", "\x15\x03\x03\x00\x02\x02\x28", "nonsense"] {
        let origin = Origin::accept(move |mut stream| {
            Box::pin(async move {
                stream.write_all(answer.as_bytes()).await?;
                stream.shutdown().await?;
                tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
                Ok(())
            })
        })
        .await;
        assert_eq!(failure(&url(&origin)).await, FetchError::Network("TLS failed"), "{answer:?}");
    }
}
