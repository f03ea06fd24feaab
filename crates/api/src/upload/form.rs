//! Reading a request's body: text fields, and files that go to the intake as they arrive, in any order, under limits.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::{Method, header};
use multer::{Constraints, Field, Multipart, SizeLimit};
use stowage_intake::Received;
use stowage_model::{Disposition, FileName, Refusal, media_type};

use super::Call;

use super::fields::Fields;
use crate::body::PATIENCE;
use crate::{body, errors};

/// What all text fields, part headers and boundaries of a request may take besides the file data.
const OVERHEAD: u64 = 4 << 20;
/// How far the parser may read on without finding a part or handing data out: the room for a preamble and for the
/// headers of a part. It would take in the whole body otherwise.
const LOOKAHEAD: usize = 64 << 10;

/// A file of a form.
pub(super) struct FilePart {
    /// The name of its form field, under which the answer shows its id.
    pub(super) field: String,
    /// Its name as sent.
    pub(super) name: FileName,
    /// The type that was declared for it.
    pub(super) declared_type: Option<String>,
    /// Its bytes.
    pub(super) received: Received,
}

impl Call<'_> {
    /// Reads the body into the call's fields and answers its files. On a refusal the rest of the body is read and thrown
    /// away, because most clients see an answer only after they have sent everything.
    pub(super) async fn read_form(&mut self, body: Body) -> Result<Vec<FilePart>, Refusal> {
        if matches!(self.parts.method, Method::GET | Method::HEAD) {
            return Ok(Vec::new());
        }
        // Boxed: the future of a request without a body is small.
        Box::pin(self.read_body(body)).await
    }

    async fn read_body(&mut self, body: Body) -> Result<Vec<FilePart>, Refusal> {
        let files = if self.endpoint.takes_files { self.state.uploads.request_size } else { 0 };
        let most = files.saturating_add(OVERHEAD);
        let declared = self.parts.headers.get(header::CONTENT_LENGTH);
        let declared: u64 = declared.and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok()).unwrap_or(0);
        let progress = Arc::new(AtomicUsize::new(0));
        let mut body =
            Guarded { body: body.into_data_stream(), left: most, progress: Arc::clone(&progress), paused: false };
        if declared > most {
            body::pass_over(&self.parts.headers, &mut body.body, most, self.state.request_timeout).await;
            return Err(Refusal::RequestSizeLimitExceeded);
        }
        let limit = self.state.request_timeout;
        let Ok(outcome) = tokio::time::timeout(limit, self.read_parts(&mut body, &progress)).await else {
            return Err(Refusal::PostRequestParserFailed);
        };
        if outcome.is_err() {
            body::drain(&mut body.body, body.left, limit).await;
        }
        outcome
    }

    /// Reads what is not wanted, so that its sender sees the answer.
    pub(super) async fn pass_over(&self, body: Body) {
        let most = self.state.uploads.request_size.saturating_add(OVERHEAD);
        body::pass_over(&self.parts.headers, &mut body.into_data_stream(), most, PATIENCE).await;
    }

    async fn read_parts(&mut self, body: &mut Guarded, progress: &AtomicUsize) -> Result<Vec<FilePart>, Refusal> {
        let declared = self.parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let declared = declared.unwrap_or_default();
        match media_type::essence(declared).as_str() {
            "multipart/form-data" => {
                let Ok(boundary) = multer::parse_boundary(declared) else { return body.must_be_empty().await };
                self.read_multipart(body, &boundary, progress).await
            }
            "application/x-www-form-urlencoded" => {
                let whole = body.whole().await?;
                self.fields = Fields::of_urlencoded(&whole, self.state.uploads.fields)?;
                Ok(Vec::new())
            }
            // An official client says JSON and sends a form.
            "application/json" => {
                let whole = body.whole().await?;
                if matches!(whole.trim_ascii_start().first(), Some(b'{' | b'[')) {
                    return Err(Refusal::PostRequestParserFailed);
                }
                self.fields = Fields::of_urlencoded(&whole, self.state.uploads.fields)?;
                Ok(Vec::new())
            }
            // A request without a body is a form without fields, whatever it says: what it lacks is told by name.
            _ => body.must_be_empty().await,
        }
    }

    async fn read_multipart(
        &mut self,
        body: &mut Guarded,
        boundary: &str,
        progress: &AtomicUsize,
    ) -> Result<Vec<FilePart>, Refusal> {
        let limits = &self.state.uploads;
        let constraints = Constraints::new().size_limit(SizeLimit::new());
        let mut multipart = Multipart::with_constraints(body, boundary, constraints);
        let mut files = Vec::new();
        let mut room = limits.request_size;
        // For all fields together: they stay in memory.
        let mut text = OVERHEAD;
        while let Some(part) = multipart.next_field().await.map_err(of_parser)? {
            progress.store(0, Ordering::Relaxed);
            let disposition = part.headers().get(header::CONTENT_DISPOSITION);
            let disposition = disposition.map(|value| Disposition::parse(value.as_bytes())).unwrap_or_default();
            let field = disposition.name.unwrap_or_default();
            if let Some(filename) = disposition.filename {
                if files.len() == limits.files {
                    return Err(Refusal::RequestFileNumberLimitExceeded);
                }
                if field.contains('\0') || filename.contains('\0') {
                    return Err(Refusal::NullCharactersForbidden);
                }
                if !self.endpoint.takes_files {
                    pass_over(part, &mut room, progress).await?;
                    continue;
                }
                files.push(self.read_file(part, field, &filename, &mut room, progress).await?);
            } else {
                if self.fields.len() == limits.fields {
                    return Err(Refusal::RequestFieldsNumberLimitExceeded);
                }
                text = text.checked_sub(field.len() as u64).ok_or(Refusal::RequestSizeLimitExceeded)?;
                let value = read_text(part, limits.field_size.min(text), progress).await?;
                text -= value.len() as u64;
                self.fields.push(field, value);
            }
        }
        Ok(files)
    }

    async fn read_file(
        &self,
        mut part: Field<'_>,
        field: String,
        filename: &str,
        room: &mut u64,
        progress: &AtomicUsize,
    ) -> Result<FilePart, Refusal> {
        // Passed through as it was sent, with its parameters.
        let declared_type = part.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let declared_type =
            declared_type.map(str::trim).filter(|text| media_type::is_well_formed(text)).map(str::to_owned);
        let mut incoming = self.state.intake.begin();
        while let Some(chunk) = part.chunk().await.map_err(of_parser)? {
            progress.store(0, Ordering::Relaxed);
            *room = room.checked_sub(chunk.len() as u64).ok_or(Refusal::RequestSizeLimitExceeded)?;
            incoming.write(chunk).await.map_err(errors::of_intake)?;
        }
        let received = self.state.intake.finish(incoming).await.map_err(errors::of_intake)?;
        Ok(FilePart { field, name: FileName::new(filename), declared_type, received })
    }
}

/// Reads a file that nobody wants.
async fn pass_over(mut part: Field<'_>, room: &mut u64, progress: &AtomicUsize) -> Result<(), Refusal> {
    while let Some(chunk) = part.chunk().await.map_err(of_parser)? {
        progress.store(0, Ordering::Relaxed);
        *room = room.checked_sub(chunk.len() as u64).ok_or(Refusal::RequestSizeLimitExceeded)?;
    }
    Ok(())
}

async fn read_text(mut part: Field<'_>, limit: u64, progress: &AtomicUsize) -> Result<Bytes, Refusal> {
    let mut value = Bytes::new();
    while let Some(chunk) = part.chunk().await.map_err(of_parser)? {
        progress.store(0, Ordering::Relaxed);
        if (value.len() + chunk.len()) as u64 > limit {
            return Err(Refusal::RequestSizeLimitExceeded);
        }
        value = if value.is_empty() {
            chunk
        } else {
            let mut longer = BytesMut::from(value);
            longer.extend_from_slice(&chunk);
            longer.freeze()
        };
    }
    Ok(value)
}

fn of_parser(error: multer::Error) -> Refusal {
    match error {
        multer::Error::StreamReadFailed(cause) if cause.is::<TooLarge>() => Refusal::RequestSizeLimitExceeded,
        _ => Refusal::PostRequestParserFailed,
    }
}

/// The body is larger than a request may be.
#[derive(Debug, thiserror::Error)]
#[error("the body is too large")]
struct TooLarge;

/// The body was read far ahead without a part in it.
#[derive(Debug, thiserror::Error)]
#[error("no part within {LOOKAHEAD} bytes")]
struct NoPart;

/// A body that counts. The parser takes in whatever is ready, all of it where the sender is fast enough, so it is told
/// now and then that nothing is ready, and that it must make progress.
struct Guarded {
    body: BodyDataStream,
    left: u64,
    /// Bytes handed to the parser since it last made progress; its user sets it to zero.
    progress: Arc<AtomicUsize>,
    paused: bool,
}

impl Stream for Guarded {
    type Item = Result<Bytes, axum::BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.progress.load(Ordering::Relaxed) >= LOOKAHEAD {
            if self.paused {
                return Poll::Ready(Some(Err(Box::new(NoPart))));
            }
            self.paused = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.paused = false;
        match std::task::ready!(self.body.poll_next_unpin(context)) {
            None => Poll::Ready(None),
            Some(Err(error)) => Poll::Ready(Some(Err(error.into()))),
            Some(Ok(bytes)) => match self.left.checked_sub(bytes.len() as u64) {
                None => Poll::Ready(Some(Err(Box::new(TooLarge)))),
                Some(left) => {
                    self.left = left;
                    self.progress.fetch_add(bytes.len(), Ordering::Relaxed);
                    Poll::Ready(Some(Ok(bytes)))
                }
            },
        }
    }
}

impl Guarded {
    /// A form without fields, if there is no body at all.
    async fn must_be_empty(&mut self) -> Result<Vec<FilePart>, Refusal> {
        while let Some(Ok(chunk)) = self.body.next().await {
            if !chunk.is_empty() {
                return Err(Refusal::PostRequestParserFailed);
            }
        }
        Ok(Vec::new())
    }

    /// The whole body, of which the fields of a form may make up [`OVERHEAD`].
    async fn whole(&mut self) -> Result<Bytes, Refusal> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.body.next().await {
            let chunk = chunk.map_err(|_| Refusal::PostRequestParserFailed)?;
            if (whole.len() + chunk.len()) as u64 > OVERHEAD {
                return Err(Refusal::RequestSizeLimitExceeded);
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }
}
