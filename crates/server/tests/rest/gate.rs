//! A way to a server that is closed until it is opened.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

pub(crate) struct Gate {
    pub(crate) url: String,
    arrived: Arc<Semaphore>,
    open: watch::Sender<bool>,
}

impl Gate {
    /// A closed gate before the server at an `http://` address.
    pub(crate) async fn before(endpoint: &str) -> Self {
        let server = endpoint.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (arrived, (open, opened)) = (Arc::new(Semaphore::new(0)), watch::channel(false));
        let seen = Arc::clone(&arrived);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                seen.add_permits(1);
                let (server, mut opened) = (server.clone(), opened.clone());
                tokio::spawn(async move {
                    // Whoever comes after the end of the test goes away.
                    if opened.wait_for(|open| *open).await.is_ok() {
                        let mut server = TcpStream::connect(server).await.unwrap();
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Self { url, arrived, open }
    }

    /// Waits until somebody stands before the gate.
    pub(crate) async fn arrival(&self) {
        self.arrived.acquire().await.unwrap().forget();
    }

    /// Lets everybody through.
    pub(crate) fn open(&self) {
        self.open.send_replace(true);
    }
}
