//! Signatures and access tokens of the project `signed`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub fn signature(expire: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").unwrap();
    mac.update(expire.as_bytes());
    mac.finalize().into_bytes().iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect()
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap()
}

pub fn bearer(claims: &Value) -> String {
    let body = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(&Sha256::digest("secret")).unwrap();
    mac.update(body.as_bytes());
    format!("Bearer {body}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}
