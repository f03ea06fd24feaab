//! Writing what arrives in large pieces: one buffer is filled while the one before is written on a thread that may wait.

use std::io;
use std::sync::Arc;

use tokio::task::JoinHandle;

use super::BlobError;
use super::buffers::{Buffer, Pool};
use super::spool::blocking;

/// Where the pieces go.
pub(super) trait Sink: Send + 'static {
    /// Writes a piece where the one before has ended. All but the last fill a buffer. Waits for the disk.
    fn append(&mut self, piece: &[u8]) -> Result<(), BlobError>;
}

/// At most two buffers on their way to a sink.
pub(super) struct Writer<S> {
    pool: Arc<Pool>,
    /// None until there is something to fill it with.
    buffer: Option<Buffer>,
    filled: usize,
    sink: Whereabouts<S>,
}

/// Where the sink is. Whatever it owns is let go of only when no write is under way any more: a writer that is dropped
/// leaves it to the job.
enum Whereabouts<S> {
    /// It rests.
    Here(S),
    /// It is being written to.
    Away(JoinHandle<Result<S, BlobError>>),
    /// A write has failed.
    Lost,
}

impl<S: Sink> Writer<S> {
    pub(super) fn new(pool: Arc<Pool>, sink: S) -> Self {
        Self { pool, buffer: None, filled: 0, sink: Whereabouts::Here(sink) }
    }

    /// Takes the next buffers from another pool.
    pub(super) fn change_pool(&mut self, pool: &Arc<Pool>) {
        self.pool = Arc::clone(pool);
    }

    /// Takes the next bytes.
    pub(super) async fn fill(&mut self, mut bytes: &[u8]) -> Result<(), BlobError> {
        while !bytes.is_empty() {
            if self.buffer.as_ref().is_some_and(|buffer| buffer.len() == self.filled) {
                self.flush().await?;
            }
            let buffer = self.buffer.get_or_insert_with(|| self.pool.get());
            let (now, later) = bytes.split_at(bytes.len().min(buffer.len() - self.filled));
            buffer[self.filled..self.filled + now.len()].copy_from_slice(now);
            self.filled += now.len();
            bytes = later;
        }
        Ok(())
    }

    /// Writes what is left and does what comes `last`, with the sink that then belongs to it.
    pub(super) async fn finish<T: Send + 'static>(
        mut self,
        last: impl FnOnce(S) -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        let mut sink = self.settle().await?;
        let (buffer, filled) = (self.buffer.take(), self.filled);
        blocking(move || {
            if let Some(buffer) = buffer {
                sink.append(&buffer[..filled])?;
            }
            last(sink)
        })
        .await
    }

    /// Waits for the writing of the buffer before, then hands this one over.
    async fn flush(&mut self) -> Result<(), BlobError> {
        let mut sink = self.settle().await?;
        let filled = std::mem::take(&mut self.filled);
        let buffer = self.buffer.take();
        self.sink = Whereabouts::Away(tokio::task::spawn_blocking(move || {
            if let Some(buffer) = buffer {
                sink.append(&buffer[..filled])?;
            }
            Ok(sink)
        }));
        Ok(())
    }

    /// The sink, once no write is under way.
    async fn settle(&mut self) -> Result<S, BlobError> {
        let returned = match &mut self.sink {
            // Awaited in place: a caller that gives up here and comes back finds the job where it was.
            Whereabouts::Away(job) => {
                Some(job.await.unwrap_or_else(|stopped| Err(BlobError::Io(io::Error::other(stopped)))))
            }
            _ => None,
        };
        match (returned, std::mem::replace(&mut self.sink, Whereabouts::Lost)) {
            (Some(returned), _) => returned,
            (None, Whereabouts::Here(sink)) => Ok(sink),
            (None, _) => Err(failed_before()),
        }
    }
}

/// Why nothing more can be written to a draft.
pub(super) fn failed_before() -> BlobError {
    BlobError::Io(io::Error::new(io::ErrorKind::BrokenPipe, "an earlier write of this draft failed"))
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, channel};
    use std::task::Poll;

    use super::super::os::ALIGN;
    use super::super::turns::{Turn, Turns};
    use super::*;

    const PLACE: (uuid::Uuid, u32) = (uuid::Uuid::nil(), 1);

    /// Writes only when it is told to, and has a turn.
    struct Slow {
        pieces: Arc<Mutex<Vec<Vec<u8>>>>,
        go: Receiver<Result<(), BlobError>>,
        _turn: Turn,
    }

    impl Sink for Slow {
        fn append(&mut self, piece: &[u8]) -> Result<(), BlobError> {
            self.go.recv().unwrap()?;
            self.pieces.lock().unwrap().push(piece.to_vec());
            Ok(())
        }
    }

    #[tokio::test]
    async fn pieces_fill_buffers_and_come_in_order() {
        let (turns, pieces) = (Arc::new(Turns::default()), Arc::new(Mutex::new(Vec::new())));
        let (tell, go) = channel();
        let slow = Slow { pieces: Arc::clone(&pieces), go, _turn: Turns::take(&turns, PLACE).await };
        let mut writer = Writer::new(Pool::new(ALIGN, 2), slow);
        let bytes: Vec<u8> = (0..=255).cycle().take(2 * ALIGN + 100).collect();
        for _ in 0..3 {
            tell.send(Ok(())).unwrap();
        }
        for piece in bytes.chunks(999) {
            writer.fill(piece).await.unwrap();
        }
        writer.finish(|_| Ok(())).await.unwrap();
        let pieces = pieces.lock().unwrap();
        assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [ALIGN, ALIGN, 100]);
        assert_eq!(pieces.concat(), bytes);
    }

    #[tokio::test]
    async fn whoever_gives_up_keeps_the_turn_until_nothing_is_written_any_more() {
        for finishing in [false, true] {
            let (turns, pieces) = (Arc::new(Turns::default()), Arc::new(Mutex::new(Vec::new())));
            let (tell, go) = channel();
            let slow = Slow { pieces: Arc::clone(&pieces), go, _turn: Turns::take(&turns, PLACE).await };
            let mut writer = Writer::new(Pool::new(ALIGN, 2), slow);
            if finishing {
                writer.fill(&[1; ALIGN]).await.unwrap();
                let mut finish = Box::pin(writer.finish(|_| Ok(())));
                assert!(poll_fn(|cx| Poll::Ready(finish.as_mut().poll(cx).is_pending())).await);
                drop(finish);
            } else {
                writer.fill(&[1; ALIGN + 1]).await.unwrap();
                drop(writer);
            }
            let mut next = pin!(Turns::take(&turns, PLACE));
            assert!(poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx).is_pending())).await);
            assert!(pieces.lock().unwrap().is_empty());
            tell.send(Ok(())).unwrap();
            next.await;
            assert_eq!(*pieces.lock().unwrap(), [[1; ALIGN]]);
        }
    }

    #[tokio::test]
    async fn a_failure_is_the_end() {
        let (turns, pieces) = (Arc::new(Turns::default()), Arc::new(Mutex::new(Vec::new())));
        let (tell, go) = channel();
        let slow = Slow { pieces: Arc::clone(&pieces), go, _turn: Turns::take(&turns, PLACE).await };
        let mut writer = Writer::new(Pool::new(ALIGN, 2), slow);
        tell.send(Err(BlobError::NoSpace)).unwrap();
        writer.fill(&[1; 2 * ALIGN]).await.unwrap();
        assert!(matches!(writer.fill(&[1]).await, Err(BlobError::NoSpace)));
        // Nothing is written any more, so that others need not wait for this one to be dropped.
        drop(Turns::take(&turns, PLACE).await);
        assert!(writer.fill(&[1; ALIGN + 1]).await.is_err());
        assert!(writer.finish(|_| Ok(())).await.is_err());
        assert!(pieces.lock().unwrap().is_empty());
    }
}
