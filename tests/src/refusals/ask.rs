//! The requests that are to be refused.

use reqwest::Method;
use reqwest::multipart::{Form, Part};

use crate::stowage::Server;

pub const KEY: (&str, &str) = ("UPLOADCARE_PUB_KEY", "demopublickey");

/// A request that is to be refused.
#[derive(Clone)]
pub struct Ask {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    fields: Vec<(String, String)>,
    files: Vec<(String, Vec<u8>)>,
    raw: Option<Vec<u8>>,
}

pub fn ask(method: Method, path: impl Into<String>) -> Ask {
    Ask { method, path: path.into(), headers: Vec::new(), fields: Vec::new(), files: Vec::new(), raw: None }
}

pub fn get(path: impl Into<String>) -> Ask {
    ask(Method::GET, path)
}

pub fn post(path: &str, fields: &[(&str, &str)]) -> Ask {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Ask { fields, ..ask(Method::POST, path) }
}

/// A direct upload of one small file.
pub fn base(fields: &[(&str, &str)]) -> Ask {
    post("/base/", fields).file("a.txt", b"x")
}

pub fn start(fields: &[(&str, &str)]) -> Ask {
    let defaults =
        [("UPLOADCARE_PUB_KEY", "demopublickey"), ("filename", "a"), ("content_type", "a/b"), ("size", "20000000")];
    let left: Vec<_> =
        defaults.into_iter().filter(|(name, _)| !fields.iter().any(|(other, _)| name == other)).collect();
    post("/multipart/start/", &[fields, &left[..]].concat())
}

pub fn from_url(key: &str, url: &str) -> Ask {
    post("/from_url/", &[("pub_key", key), ("source_url", url)])
}

impl Ask {
    pub fn file(mut self, name: &str, content: &[u8]) -> Self {
        self.files.push((name.to_owned(), content.to_vec()));
        self
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn raw(mut self, content_type: &str, body: &[u8]) -> Self {
        self.raw = Some(body.to_vec());
        self.header("content-type", content_type)
    }

    pub async fn send(&self, server: &Server, query: &str, accept: &str) -> (u16, String, Option<String>) {
        let joint = if self.path.contains('?') { "&" } else { "?" };
        let query = if query.is_empty() { String::new() } else { format!("{joint}{query}") };
        let mut request = server.http.request(self.method.clone(), server.url(&format!("{}{query}", self.path)));
        request = request.header("accept", accept);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(raw) = &self.raw {
            request = request.body(raw.clone());
        } else if self.method == Method::POST {
            let mut form = Form::new();
            for (name, value) in &self.fields {
                form = form.text(name.clone(), value.clone());
            }
            for (name, content) in &self.files {
                form = form.part("file", Part::bytes(content.clone()).file_name(name.clone()));
            }
            request = request.multipart(form.percent_encode_noop());
        }
        let answer = request.send().await.unwrap();
        let kind = answer.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), answer.text().await.unwrap(), kind)
    }
}
