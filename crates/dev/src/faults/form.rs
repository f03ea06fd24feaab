//! The form that a request carries, read before anybody decides what becomes of it. The body is kept, and goes on as it came.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::request::Parts;
use http::{Method, header};
use multer::Multipart;
use stowage_model::Disposition;

use super::rule::On;

/// The most fields of which anybody knows.
const MOST_FIELDS: usize = 2_000;
/// The most bytes of a field's value.
const MOST_VALUE: usize = 64 << 10;
/// The most bytes of an urlencoded form.
const MOST_PAIRS: usize = 4 << 20;

/// The text fields of a form: name and value.
pub(super) type Form = Vec<(String, String)>;

/// Whether a request may carry a form that its API reads.
pub(super) fn may_have_one(on: On, parts: &Parts) -> bool {
    on == On::Upload && parts.method == Method::POST
}

/// Reads a body of at most `limit` bytes for at most `patience`, and answers its text fields and the body anew. Of a body that is larger
/// or slower nobody knows the fields; it goes on all the same.
pub(super) async fn read(parts: &Parts, body: Body, limit: u64, patience: Duration) -> (Form, Body) {
    let mut rest = body.into_data_stream();
    let mut chunks = Vec::new();
    let whole = tokio::time::timeout(patience, gather(&mut rest, &mut chunks, limit)).await;
    let form = if whole == Ok(Gathered::Whole) { fields(parts, &chunks).await } else { Form::new() };
    let again = stream::iter(chunks.into_iter().map(Ok));
    let body = match whole {
        Ok(Gathered::Whole) => Body::from_stream(again.chain(stream::empty::<Result<Bytes, axum::Error>>())),
        Ok(Gathered::Broken) => {
            let fault = axum::Error::new(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
            Body::from_stream(again.chain(stream::iter([Err(fault)])))
        }
        Ok(Gathered::TooLarge) | Err(_) => Body::from_stream(again.chain(rest)),
    };
    (form, body)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gathered {
    Whole,
    TooLarge,
    Broken,
}

/// May be broken off at any time: what has come is in `chunks`.
async fn gather(body: &mut BodyDataStream, chunks: &mut Vec<Bytes>, limit: u64) -> Gathered {
    let mut left = limit;
    while let Some(chunk) = body.next().await {
        let Ok(chunk) = chunk else { return Gathered::Broken };
        let size = chunk.len() as u64;
        chunks.push(chunk);
        match left.checked_sub(size) {
            Some(rest) => left = rest,
            None => return Gathered::TooLarge,
        }
    }
    Gathered::Whole
}

async fn fields(parts: &Parts, chunks: &[Bytes]) -> Form {
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        if chunks.iter().map(Bytes::len).sum::<usize>() > MOST_PAIRS {
            return Form::new();
        }
        let whole = chunks.concat();
        let pairs = form_urlencoded::parse(&whole).take(MOST_FIELDS);
        return pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    }
    match multer::parse_boundary(kind) {
        Ok(boundary) => of_multipart(chunks, &boundary).await,
        Err(_) => Form::new(),
    }
}

/// The fields as far as the body makes sense; whoever is to answer says what is wrong with it. The parser makes a copy of the body.
async fn of_multipart(chunks: &[Bytes], boundary: &str) -> Form {
    let mut form = Form::new();
    let chunks: Vec<Result<Bytes, Infallible>> = chunks.iter().cloned().map(Ok).collect();
    let mut multipart = Multipart::new(stream::iter(chunks), boundary);
    while let Ok(Some(mut part)) = multipart.next_field().await {
        let disposition = part.headers().get(header::CONTENT_DISPOSITION);
        let disposition = disposition.map(|value| Disposition::parse(value.as_bytes())).unwrap_or_default();
        let is_file = disposition.filename.is_some();
        let mut value = Vec::new();
        while let Ok(Some(chunk)) = part.chunk().await {
            if !is_file && value.len() + chunk.len() <= MOST_VALUE {
                value.extend_from_slice(&chunk);
            }
        }
        if !is_file {
            form.push((disposition.name.unwrap_or_default(), String::from_utf8_lossy(&value).into_owned()));
        }
        if form.len() >= MOST_FIELDS {
            break;
        }
    }
    form
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn request(kind: &str, chunks: &[&'static str]) -> (Parts, Body) {
        let chunks: Vec<Result<Bytes, std::io::Error>> =
            chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk.as_bytes()))).collect();
        let request =
            Request::post("/base/").header("content-type", kind).body(Body::from_stream(stream::iter(chunks)));
        request.unwrap().into_parts()
    }

    async fn form(kind: &str, chunks: &[&'static str], limit: u64) -> (Form, String) {
        let (parts, body) = request(kind, chunks);
        let (form, body) = read(&parts, body, limit, Duration::from_secs(5)).await;
        let whole = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (form, String::from_utf8(whole.to_vec()).unwrap())
    }

    const MULTIPART: [&str; 3] = [
        "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello",
        " world\r\n--x\r\nContent-Disposition: form-data; name=\"metadata[mock",
        "_throttle]\"\r\n\r\nyes\r\n--x--\r\n",
    ];

    #[tokio::test]
    async fn fields_are_read_and_the_body_goes_on() {
        let (fields, body) = form("multipart/form-data; boundary=x", &MULTIPART, 1000).await;
        assert_eq!(fields, [("metadata[mock_throttle]".to_owned(), "yes".to_owned())]);
        assert_eq!(body, MULTIPART.concat());
        let (fields, body) = form("application/x-www-form-urlencoded", &["a=1&b", "=%20x"], 1000).await;
        assert_eq!(fields, [("a".to_owned(), "1".to_owned()), ("b".to_owned(), " x".to_owned())]);
        assert_eq!(body, "a=1&b=%20x");
        assert_eq!(form("text/plain", &["a=1"], 1000).await, (Form::new(), "a=1".to_owned()));
    }

    #[tokio::test]
    async fn a_form_may_come_at_once() {
        let body = "--a-b\r\nContent-Disposition: form-data; name=\"one\"\r\n\r\n1\r\n--a-b\r\n\
                    Content-Disposition: form-data; name=\"two\"\r\n\r\n2\r\n--a-b\r\n\
                    Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nx\r\n--a-b--\r\n";
        let (fields, again) = form("multipart/form-data; boundary=a-b", &[body], 1000).await;
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!((fields, again.as_str()), (vec![("one", "1"), ("two", "2")], body));
    }

    #[tokio::test]
    async fn a_larger_body_goes_on_unread() {
        let (fields, body) = form("multipart/form-data; boundary=x", &MULTIPART, 90).await;
        assert_eq!((fields, body), (Form::new(), MULTIPART.concat()));
    }

    #[tokio::test]
    async fn a_broken_body_breaks_again() {
        let chunks = [Ok(Bytes::from_static(b"a=1")), Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe))];
        let (parts, _) = request("application/x-www-form-urlencoded", &[]);
        let (fields, body) = read(&parts, Body::from_stream(stream::iter(chunks)), 10, Duration::from_secs(5)).await;
        assert_eq!(fields, Form::new());
        let mut body = body.into_data_stream();
        assert_eq!(body.next().await.unwrap().unwrap(), "a=1");
        assert!(body.next().await.unwrap().is_err());
    }
}
