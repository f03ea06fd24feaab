//! Access tokens: a JWT in `Authorization: Bearer`, checked instead of a signature (upload-api reference, "Access tokens").
//! Signed by HS256 and nothing else; the key is the SHA-256 of a secret key of the project. The JWT crate takes the token
//! apart and checks the signature; the claims are judged here, in the documented order and by the clock that was handed in.

mod claims;
mod hs256;

use hmac::digest::Digest;
use http::HeaderValue;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};
use sha2::Sha256;
use stowage_model::{Refusal, Timestamp};

use claims::Claims;

/// The longest token in bytes that is looked at; one with every claim at its limit has about half of that.
const MAX_LEN: usize = 8192;

/// A token that was verified and is good for the request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Token {
    /// What its operations are counted by, printable ASCII of at most 80 bytes: the digest of its `jti`, else its own.
    pub(crate) key: String,
    /// How many operations it is good for, 1 to 100000; nothing means any number.
    pub(crate) operations: Option<u32>,
    /// The last moment at which it is good, leeway included; its count may be forgotten afterwards.
    pub(crate) expires: Timestamp,
}

/// Why a token was not verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum TokenFault {
    /// None of these secrets made it; those of another project may have.
    Signature,
    /// It is no good whichever project it is for.
    Refused(Refusal),
}

impl From<TokenFault> for Refusal {
    fn from(fault: TokenFault) -> Self {
        match fault {
            TokenFault::Signature => invalid("signature does not match"),
            TokenFault::Refused(refusal) => refusal,
        }
    }
}

/// Takes the token out of an `Authorization` header; whatever is not `Bearer` and one word is refused.
pub(crate) fn read_header(value: &HeaderValue) -> Result<&str, Refusal> {
    let text = value.to_str().unwrap_or_default().trim();
    let (scheme, jwt) = text.split_once(' ').unwrap_or_default();
    let jwt = jwt.trim_start();
    if scheme.eq_ignore_ascii_case("bearer") && !jwt.is_empty() && !jwt.contains([' ', '\t']) {
        return Ok(jwt);
    }
    Err(Refusal::AccessTokenInvalid { status: 401, text: "Invalid Authorization header format.".to_owned() })
}

/// Verifies a token that any of these secret keys may have signed, for a request to `path`, written with its final slash.
/// Errors, in this order: what is no token, another algorithm or a wrong signature, then the claims: unknown or out of range,
/// expired, for other paths.
pub(crate) fn verify(jwt: &str, secrets: &[String], now: Timestamp, path: &str) -> Result<Token, TokenFault> {
    let claims = read(jwt).map_err(TokenFault::Refused)?;
    let Some((signed, signature)) = jwt.rsplit_once('.') else { return Err(TokenFault::Refused(unreadable())) };
    hs256::install();
    let mut signed_here = false;
    for secret in secrets {
        let key = DecodingKey::from_secret(&Sha256::digest(secret));
        let verified = jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key, Algorithm::HS256);
        signed_here |= verified.map_err(|_| TokenFault::Refused(unreadable()))?;
    }
    if !signed_here {
        return Err(TokenFault::Signature);
    }
    let claims = Claims::read(&claims, now).map_err(|reason| TokenFault::Refused(invalid(&reason)))?;
    if now > claims.expires {
        return Err(TokenFault::Refused(Refusal::AccessTokenExpired));
    }
    if !claims.allow(path) {
        return Err(TokenFault::Refused(Refusal::ScopeForbidden));
    }
    let key = match &claims.id {
        Some(id) => digest("jti", id),
        None => digest("jwt", signed),
    };
    Ok(Token { key, operations: claims.operations, expires: claims.expires })
}

/// Takes a token apart; nothing is verified yet but the algorithm, which must not choose how to verify.
fn read(jwt: &str) -> Result<Map<String, Value>, Refusal> {
    if jwt.len() > MAX_LEN {
        return Err(unreadable());
    }
    let header = jsonwebtoken::decode_header(jwt).map_err(|error| match error.kind() {
        // The JSON is sound, but it does not describe a header that this crate knows: `none` ends here.
        ErrorKind::Json(error) if error.is_data() => invalid("`alg` must be HS256"),
        _ => unreadable(),
    })?;
    let claims = jsonwebtoken::dangerous::insecure_decode_claims(jwt).map_err(|_| unreadable())?;
    if header.alg != Algorithm::HS256 {
        return Err(invalid("`alg` must be HS256"));
    }
    // Extensions that change what is signed; a reader has to refuse those that it does not know (RFC 7515, 4.1.11).
    if header.crit.is_some() {
        return Err(invalid("`crit` is not supported"));
    }
    Ok(claims)
}

/// A name of fixed length for what the signer may have written in any way.
fn digest(kind: &str, of: &str) -> String {
    let mut name = format!("{kind}-");
    for byte in Sha256::digest(of) {
        name.extend([byte >> 4, byte & 15].into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)));
    }
    name
}

fn unreadable() -> Refusal {
    invalid("unreadable or not a JWT")
}

fn invalid(reason: &str) -> Refusal {
    Refusal::AccessTokenInvalid { status: 401, text: format!("Invalid token. Reason: {reason}") }
}

#[cfg(test)]
mod tests;
