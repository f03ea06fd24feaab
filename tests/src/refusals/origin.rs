//! A web server that answers as servers do that files cannot be fetched from.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// Starts it and answers its URL; the path says how it answers.
pub async fn origin() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut wire, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (read, mut write) = wire.split();
                let mut lines = BufReader::new(read).lines();
                let Ok(Some(first)) = lines.next_line().await else { return };
                while lines.next_line().await.is_ok_and(|line| line.is_some_and(|line| !line.is_empty())) {}
                let close = "connection: close\r\n\r\n";
                let head = match first.split(' ').nth(1).unwrap_or_default() {
                    "/404" => format!("HTTP/1.1 404 x\r\ncontent-length: 0\r\n{close}"),
                    "/500" => format!("HTTP/1.1 500 x\r\ncontent-length: 0\r\n{close}"),
                    "/204" => format!("HTTP/1.1 204 x\r\n{close}"),
                    "/short" => format!("HTTP/1.1 200 x\r\ncontent-length: 9\r\n{close}x"),
                    "/loop" => format!("HTTP/1.1 302 x\r\nlocation: /loop\r\ncontent-length: 0\r\n{close}"),
                    "/slow" => {
                        let _ = write.write_all(b"HTTP/1.1 200 x\r\n\r\nx").await;
                        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
                        return;
                    }
                    "/large" => format!("HTTP/1.1 200 x\r\ncontent-length: 2000\r\n{close}{}", "x".repeat(2000)),
                    _ => format!("HTTP/1.1 200 x\r\ncontent-length: 1\r\n{close}x"),
                };
                let _ = write.write_all(head.as_bytes()).await;
            });
        }
    });
    base
}
