//! Who asks the REST API: `Authorization` with one of its two schemes (REST API reference, "Authentication"). One sends the
//! secret key itself, the other a signature made with it.

mod date;

use hmac::digest::{CtOutput, Digest};
use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, header};
use md5::Md5;
use serde::Deserialize;
use sha1::Sha1;
use sha2::Sha256;
use stowage_model::{Project, RestRefusal, RestVersion, Timestamp};

use crate::{access, signature};

/// `[auth]` of the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthOptions {
    /// Whether the scheme that sends the secret key is refused over plain HTTP.
    pub forbid_simple_over_http: bool,
    /// What a proxy takes off the paths that clients have signed: begins with a slash, or is empty.
    pub signed_path_prefix: String,
}

/// The longest public key that is repeated in a refusal, in characters.
const SHOWN: usize = 255;

/// What `Authorization` says.
pub(crate) struct Credentials {
    /// The public key of the project.
    pub(crate) key: String,
    proof: Proof,
}

enum Proof {
    /// The secret key.
    Secret(String),
    /// Hexadecimal digits, as sent.
    Signature(String),
}

impl Credentials {
    /// Reads `Uploadcare.Simple KEY:SECRET` or `Uploadcare KEY:SIGNATURE`.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, rest) = text.trim().split_once(' ')?;
        let (key, proof) = rest.trim().split_once(':')?;
        if key.is_empty() {
            return None;
        }
        let proof = match scheme.to_ascii_lowercase().as_str() {
            "uploadcare.simple" => Proof::Secret(proof.to_owned()),
            "uploadcare" => Proof::Signature(proof.to_owned()),
            _ => return None,
        };
        Some(Self { key: key.to_owned(), proof })
    }

    /// Whether the secret key itself was sent.
    pub(crate) fn are_simple(&self) -> bool {
        matches!(self.proof, Proof::Secret(_))
    }

    /// The refusal of a key that no project has.
    pub(crate) fn unknown(&self) -> RestRefusal {
        RestRefusal::PublicKeyNotFound(self.key.chars().take(SHOWN).collect())
    }

    /// Checks what can be checked before the body is there: the secret key, or the date of a signature.
    pub(crate) fn check_head(&self, project: &Project, headers: &HeaderMap, now: Timestamp) -> Result<(), RestRefusal> {
        if project.secret_keys.is_empty() {
            return Err(RestRefusal::SecretKeyNotFound);
        }
        match &self.proof {
            Proof::Secret(secret) if project.secret_keys.iter().any(|known| same(known, secret)) => Ok(()),
            Proof::Secret(_) => Err(RestRefusal::SecretKeyNotFound),
            Proof::Signature(_) if date::of(headers).is_some_and(|date| date::is_now(date, now)) => Ok(()),
            Proof::Signature(_) => Err(RestRefusal::CredentialsIncorrect),
        }
    }

    /// Checks a signature, now that the body is there.
    pub(crate) fn check_body(
        &self,
        project: &Project,
        request: &Parts,
        body: &[u8],
        options: &AuthOptions,
        version: RestVersion,
    ) -> Result<(), RestRefusal> {
        let Proof::Signature(given) = &self.proof else { return Ok(()) };
        let given = signature::from_hex(given).unwrap_or_default();
        let signed = signed(request, body, &options.signed_path_prefix);
        if project.secret_keys.iter().any(|secret| made(&given, secret, &signed)) {
            return Ok(());
        }
        Err(match version {
            RestVersion::V07 => RestRefusal::SignatureInvalid,
            RestVersion::V05 | RestVersion::V06 => RestRefusal::SignatureInvalidOld,
        })
    }
}

/// Whether two secrets are the same; takes the same time wherever they differ.
fn same(one: &str, other: &str) -> bool {
    let digest = |text: &str| CtOutput::<Sha256>::new(Sha256::digest(text));
    digest(one) == digest(other)
}

/// Whether a signature was made with this secret; the comparison takes the same time wherever the first difference is.
fn made(given: &[u8], secret: &str, signed: &[u8]) -> bool {
    // A key of any length is a good HMAC key, so that this cannot fail.
    Hmac::<Sha1>::new_from_slice(secret.as_bytes())
        .is_ok_and(|mac| mac.chain_update(signed).verify_slice(given).is_ok())
}

/// What is signed: five lines, each as the client sent it.
fn signed(request: &Parts, body: &[u8], prefix: &str) -> Vec<u8> {
    let bytes = |value: Option<&HeaderValue>| value.map_or(&b""[..], HeaderValue::as_bytes).to_vec();
    let uri = access::as_sent(request).path_and_query().map_or("", PathAndQuery::as_str);
    [
        request.method.as_str().as_bytes().to_vec(),
        signature::to_hex(&Md5::digest(body)).into_bytes(),
        bytes(request.headers.get(header::CONTENT_TYPE)),
        bytes(date::of(&request.headers)),
        [prefix, uri].concat().into_bytes(),
    ]
    .join(&b'\n')
}

#[cfg(test)]
mod tests {
    use http::Request;
    use stowage_model::{ProjectId, Settings};

    use super::*;

    const DATE: &str = "Fri, 30 Sep 2016 11:10:54 GMT";
    /// The moment that it names.
    const THEN: Timestamp = Timestamp(1_475_233_854_000_000);
    const LIST: (&str, &str, &str) = ("GET", "/files/?limit=1&stored=true", "");
    const LIST_SIGNATURE: &str = "8eb00312266fac5d383c560ae48a8b172f38f6bb";
    const STORE: (&str, &str, &str) = ("PUT", "/files/storage/", r#"["21975c81-7f57-4c7a-aef9-acfe28779f78"]"#);
    const STORE_SIGNATURE: &str = "e1dbbe5e4afa82a1e5fa04af2731319ef47eefcb";

    fn project(secrets: &[&str]) -> Project {
        Project {
            id: ProjectId(1),
            public_key: "p".parse().unwrap(),
            secret_keys: secrets.iter().map(|s| (*s).to_owned()).collect(),
            created_at: Timestamp(0),
            from_config: false,
            settings: Settings::default(),
        }
    }

    fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn check(
        secrets: &[&str],
        authorization: &str,
        (method, uri, body): (&str, &str, &str),
        headers: &[(&str, &str)],
        options: &AuthOptions,
    ) -> Result<(), RestRefusal> {
        let mut all = vec![("authorization", authorization)];
        all.extend_from_slice(headers);
        let request = request(method, uri, &all);
        let project = project(secrets);
        let credentials = Credentials::read(&request.headers).ok_or(RestRefusal::CredentialsIncorrect)?;
        credentials.check_head(&project, &request.headers, THEN)?;
        credentials.check_body(&project, &request, body.as_bytes(), options, RestVersion::V07)
    }

    const SENT: [(&str, &str); 2] = [("content-type", "application/json"), ("date", DATE)];

    #[test]
    fn published_vectors_verify_with_any_secret_key() {
        let options = AuthOptions::default();
        for (asked, signature) in [(LIST, LIST_SIGNATURE), (STORE, STORE_SIGNATURE)] {
            for keys in [&["YOUR_SECRET_KEY"][..], &["other", "YOUR_SECRET_KEY"]] {
                let authorization = format!("Uploadcare p:{signature}");
                assert_eq!(check(keys, &authorization, asked, &SENT, &options), Ok(()));
                let shouted = format!("uploadcare  p:{}", signature.to_uppercase());
                assert_eq!(check(keys, &shouted, asked, &SENT, &options), Ok(()));
            }
        }
        let own = [("content-type", "application/json"), ("x-uploadcare-date", DATE), ("date", "yesterday")];
        let authorization = format!("Uploadcare p:{LIST_SIGNATURE}");
        assert_eq!(check(&["YOUR_SECRET_KEY"], &authorization, LIST, &own, &options), Ok(()));
    }

    #[test]
    fn whatever_is_changed_breaks_the_signature() {
        let options = AuthOptions::default();
        let keys = &["YOUR_SECRET_KEY"][..];
        let authorization = format!("Uploadcare p:{STORE_SIGNATURE}");
        let invalid = Err(RestRefusal::SignatureInvalid);
        assert_eq!(check(&["other"], &authorization, STORE, &SENT, &options), invalid);
        let (method, uri, body) = STORE;
        for asked in [("DELETE", uri, body), (method, "/files//storage/", body), (method, uri, "[]"), (method, uri, "")]
        {
            assert_eq!(check(keys, &authorization, asked, &SENT, &options), invalid, "{asked:?}");
        }
        let typed = [("content-type", "application/json;"), ("date", DATE)];
        assert_eq!(check(keys, &authorization, STORE, &typed, &options), invalid);
        assert_eq!(check(keys, &authorization, STORE, &[("date", DATE)], &options), invalid);
        let comma = [("content-type", "application/json"), ("date", "Fri, 30 Sep 2016, 11:10:54 GMT")];
        assert_eq!(check(keys, &authorization, STORE, &comma, &options), invalid, "the date is signed as sent");
        for bad in ["", "x", &STORE_SIGNATURE[..38]] {
            assert_eq!(check(keys, &format!("Uploadcare p:{bad}"), STORE, &SENT, &options), invalid, "{bad}");
        }
    }

    #[test]
    fn a_prefix_that_a_proxy_took_off_is_signed() {
        let options = AuthOptions { signed_path_prefix: "/files".into(), ..AuthOptions::default() };
        let authorization = format!("Uploadcare p:{STORE_SIGNATURE}");
        let asked = ("PUT", "/storage/", STORE.2);
        assert_eq!(check(&["YOUR_SECRET_KEY"], &authorization, asked, &SENT, &options), Ok(()));
        let refused = check(&["YOUR_SECRET_KEY"], &authorization, STORE, &SENT, &options);
        assert_eq!(refused, Err(RestRefusal::SignatureInvalid));
    }

    #[test]
    fn the_secret_key_itself() {
        let options = AuthOptions::default();
        let asked = |keys: &[&str], authorization: &str| check(keys, authorization, STORE, &[], &options);
        assert_eq!(asked(&["a", "s:e c"], "Uploadcare.Simple p:s:e c"), Ok(()));
        for wrong in ["Uploadcare.Simple p:", "Uploadcare.Simple p:b", "Uploadcare.Simple p:aa"] {
            assert_eq!(asked(&["a"], wrong), Err(RestRefusal::SecretKeyNotFound), "{wrong}");
        }
        assert_eq!(asked(&[], "Uploadcare.Simple p:"), Err(RestRefusal::SecretKeyNotFound));
        assert_eq!(asked(&[], "Uploadcare p:00"), Err(RestRefusal::SecretKeyNotFound));
    }

    #[test]
    fn what_is_no_credentials() {
        let options = AuthOptions::default();
        for bad in ["", "Uploadcare", "Uploadcare ", "Uploadcare p", "Uploadcare :x", "Basic p:x", "Bearer x", "p:x"] {
            let refused = check(&["a"], bad, STORE, &SENT, &options);
            assert_eq!(refused, Err(RestRefusal::CredentialsIncorrect), "{bad}");
        }
        for dates in [&[][..], &[("date", "soon")], &[("date", "Fri, 30 Sep 2016 11:26:55 GMT")]] {
            let refused = check(&["a"], "Uploadcare p:00", STORE, dates, &options);
            assert_eq!(refused, Err(RestRefusal::CredentialsIncorrect), "{dates:?}");
        }
    }
}
