//! Bodies that no client sends: whatever is done to a good form, there is an answer, and never one of ours that says 500.

mod support;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use support::{Server, json};

const GOOD: &str = "--b\r\nContent-Disposition: form-data; name=\"UPLOADCARE_PUB_KEY\"\r\n\r\ndemopublickey\r\n\
                    --b\r\nContent-Disposition: form-data; name=\"metadata[k]\"\r\n\r\nv\r\n\
                    --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\
                    Content-Type: text/plain\r\n\r\nsome content\r\n--b--\r\n";

/// Something done to a body.
#[derive(Clone, Debug)]
enum Harm {
    Cut(prop::sample::Index),
    Drop(prop::sample::Index, usize),
    Put(prop::sample::Index, Vec<u8>),
    Twice(prop::sample::Index, usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..20),
        prop::sample::select(vec![
            b"\r\n".to_vec(),
            b"--b".to_vec(),
            b"\r\n--b--".to_vec(),
            b"\0".to_vec(),
            b"\"".to_vec(),
            b"filename*=utf-8''%ff%00".to_vec(),
            b"Content-Disposition: form-data; name=\"".to_vec(),
        ]),
    ];
    prop_oneof![
        any::<prop::sample::Index>().prop_map(Harm::Cut),
        (any::<prop::sample::Index>(), 1..30_usize).prop_map(|(at, len)| Harm::Drop(at, len)),
        (any::<prop::sample::Index>(), piece).prop_map(|(at, piece)| Harm::Put(at, piece)),
        (any::<prop::sample::Index>(), 1..200_usize).prop_map(|(at, len)| Harm::Twice(at, len)),
    ]
}

fn done_to(mut body: Vec<u8>, harms: &[Harm]) -> Vec<u8> {
    for harm in harms {
        let place = |at: &prop::sample::Index, body: &[u8]| at.index(body.len() + 1);
        match harm {
            Harm::Cut(at) => body.truncate(place(at, &body)),
            Harm::Drop(at, len) => {
                let at = place(at, &body);
                body.drain(at..body.len().min(at + len));
            }
            Harm::Put(at, piece) => {
                let at = place(at, &body);
                body.splice(at..at, piece.iter().copied());
            }
            Harm::Twice(at, len) => {
                let at = place(at, &body);
                let piece = body[at..body.len().min(at + len)].to_vec();
                body.splice(at..at, piece);
            }
        }
    }
    body
}

#[test]
fn whatever_is_done_to_a_form() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let mut runner = TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    let paths =
        prop::sample::select(vec!["/base/", "/multipart/start/", "/from_url/", "/group/", "/multipart/complete/"]);
    let outcome = runner.run(&(paths, prop::collection::vec(harm(), 0..4)), |(path, harms)| {
        let body = done_to(GOOD.as_bytes().to_vec(), &harms);
        let request = server.http.post(server.url(&format!("{path}?jsonerrors=1")));
        let request = request.header("content-type", "multipart/form-data; boundary=b").body(body);
        let answer = runtime.block_on(async { json(request.send().await.unwrap()).await });
        match answer["error"]["status_code"].as_u64() {
            Some(status) => prop_assert!((400..500).contains(&status), "{answer}"),
            None => prop_assert!(path == "/base/" && answer.is_object(), "{answer}"),
        }
        Ok(())
    });
    outcome.unwrap();
    // It still works, and nothing of what was refused is left.
    let id = runtime.block_on(server.file("a.txt", b"fine", "text/plain"));
    assert_eq!(runtime.block_on(server.info(&id))["size"], 4);
}
