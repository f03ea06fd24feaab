//! Signed uploads: HMAC-SHA256 of `expire` with a secret key of the project (upload-api reference, "Signed uploads"), or
//! where the project allows it the form of the years before, MD5 of the secret key and `expire`. The length of a signature
//! says which it is.

use hmac::digest::{CtOutput, Digest, Output};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha2::Sha256;
use stowage_model::{Project, Refusal, Timestamp};

/// From here on a number cannot be meant as seconds: somebody sent milliseconds.
const TOO_LARGE: i64 = 100_000_000_000;

/// Checks `signature` and `expire` of a project that demands them; an empty value counts as missing.
pub(crate) fn check(
    project: &Project,
    signature: Option<&str>,
    expire: Option<&str>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let signature = signature.filter(|s| !s.is_empty()).ok_or(Refusal::SignatureRequired)?;
    let expire = expire.filter(|e| !e.is_empty()).ok_or(Refusal::SignatureExpirationRequired)?;
    if !expire.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Refusal::SignatureExpirationInvalid);
    }
    let seconds: i64 = expire.parse().map_err(|_| Refusal::SignatureExpirationInvalid)?;
    if seconds >= TOO_LARGE {
        return Err(Refusal::SignatureExpirationInvalid);
    }
    if seconds < now.seconds() {
        return Err(Refusal::SignatureExpiration);
    }
    let given = from_hex(signature).ok_or(Refusal::SignatureInvalid)?;
    let made_with = match Output::<Md5>::try_from(given.as_slice()) {
        Ok(given) if project.settings.legacy_md5_signatures => {
            let given = CtOutput::<Md5>::new(given);
            project.secret_keys.iter().any(|secret| legacy(secret, expire) == given)
        }
        _ => project.secret_keys.iter().any(|secret| is_hmac(&given, secret, expire)),
    };
    if made_with { Ok(()) } else { Err(Refusal::SignatureInvalid) }
}

/// Whether a signature is the HMAC; the comparison takes the same time wherever the first difference is.
fn is_hmac(given: &[u8], secret: &str, expire: &str) -> bool {
    // A key of any length is a good HMAC key, so that this cannot fail.
    Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .is_ok_and(|mac| mac.chain_update(expire.as_bytes()).verify_slice(given).is_ok())
}

/// The old form; compared in constant time as well. Lengthening it, which MD5 would allow, takes bytes that are no digits.
fn legacy(secret: &str, expire: &str) -> CtOutput<Md5> {
    CtOutput::new(Md5::new().chain_update(secret).chain_update(expire).finalize())
}

/// The bytes that pairs of hexadecimal digits stand for, in either case; nothing for any other text.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// The digits of these bytes, in lower case.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    digits.map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stowage_model::{ProjectId, Settings};

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

    const THEN: &str = "1678361640";
    const SIGNATURE: &str = "93b69d086a487fbdfc36172b96a5d7f5afa7cb209e43e5f25890bc037e638584";
    const LEGACY: &str = "46f70d2b4fb6196daeb2c16bf44a7f1e";

    fn at(seconds: i64, secrets: &[&str], signature: Option<&str>, expire: Option<&str>) -> Result<(), Refusal> {
        check(&project(secrets), signature, expire, Timestamp(seconds * 1_000_000))
    }

    #[test]
    fn published_vectors_verify_with_any_secret_key() {
        assert_eq!(at(1_678_361_640, &["other", "YOUR_SECRET_KEY"], Some(SIGNATURE), Some(THEN)), Ok(()));
        assert_eq!(at(0, &["YOUR_SECRET_KEY"], Some(&SIGNATURE.to_uppercase()), Some(THEN)), Ok(()));
        let pyuploadcare = "7d2e71d1843788a02d0c7fe6f5d71edf657363a369112e78d4f37ace3f884b00";
        assert_eq!(at(60, &["demosecretkey"], Some(pyuploadcare), Some("60")), Ok(()));
    }

    #[test]
    fn each_fault_has_its_refusal_in_order() {
        let keys = &["YOUR_SECRET_KEY"];
        assert_eq!(at(0, keys, None, None), Err(Refusal::SignatureRequired));
        assert_eq!(at(0, keys, Some(""), Some(THEN)), Err(Refusal::SignatureRequired));
        assert_eq!(at(0, keys, Some("x"), None), Err(Refusal::SignatureExpirationRequired));
        for bad in ["soon", "-1", "1.5", " 1", "1678361640000", "99999999999999999999"] {
            assert_eq!(at(0, keys, Some("x"), Some(bad)), Err(Refusal::SignatureExpirationInvalid), "{bad}");
        }
        assert_eq!(at(1_678_361_641, keys, Some("x"), Some(THEN)), Err(Refusal::SignatureExpiration));
        for bad in ["x", "zz", "93b6", SIGNATURE.trim_end_matches('4')] {
            assert_eq!(at(0, keys, Some(bad), Some(THEN)), Err(Refusal::SignatureInvalid), "{bad}");
        }
        assert_eq!(at(0, &["other"], Some(SIGNATURE), Some(THEN)), Err(Refusal::SignatureInvalid));
        assert_eq!(at(0, &[], Some(SIGNATURE), Some(THEN)), Err(Refusal::SignatureInvalid));
    }

    #[test]
    fn the_old_form_is_good_only_where_the_project_allows_it() {
        let mut project = project(&["other", "project_secret_key"]);
        let mut at = |allowed: bool, signature: &str, expire: &str| {
            project.settings.legacy_md5_signatures = allowed;
            check(&project, Some(signature), Some(expire), Timestamp(0))
        };
        assert_eq!(at(true, LEGACY, "1454903856"), Ok(()));
        assert_eq!(at(true, &LEGACY.to_uppercase(), "1454903856"), Ok(()));
        for (allowed, signature, expire) in [
            (false, LEGACY, "1454903856"),
            (true, LEGACY, "1454903857"),
            (true, &LEGACY.replace('4', "5"), "1454903856"),
            (true, LEGACY.trim_end_matches("1e"), "1454903856"),
            (true, &LEGACY.repeat(2), "1454903856"),
        ] {
            assert_eq!(
                at(allowed, signature, expire),
                Err(Refusal::SignatureInvalid),
                "{allowed} {signature} {expire}"
            );
        }
        // The new form stays good, and neither form is good as a part of the other.
        project.secret_keys = vec!["YOUR_SECRET_KEY".into()];
        project.settings.legacy_md5_signatures = true;
        assert_eq!(check(&project, Some(SIGNATURE), Some(THEN), Timestamp(0)), Ok(()));
        assert_eq!(check(&project, Some(&SIGNATURE[..32]), Some(THEN), Timestamp(0)), Err(Refusal::SignatureInvalid));
        project.secret_keys.clear();
        assert_eq!(check(&project, Some(LEGACY), Some("1454903856"), Timestamp(0)), Err(Refusal::SignatureInvalid));
    }
}
