use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const SECRET: &str = "demosecretkey";
/// The present in these tests, in seconds.
const NOW: i64 = 1_770_000_000;
const PATH: &str = "/multipart/start/";

/// Base64 for URLs, without padding.
fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn sign(secret: &str, signed: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(&Sha256::digest(secret)).unwrap();
    format!("{signed}.{}", base64(&mac.chain_update(signed).finalize().into_bytes()))
}

fn token_of(header: &str, claims: &str) -> String {
    sign(SECRET, &format!("{}.{}", base64(header.as_bytes()), base64(claims.as_bytes())))
}

fn token(claims: &Value) -> String {
    token_of(r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string())
}

fn verify_at(jwt: &str, micros: i64, path: &str) -> Result<Token, TokenFault> {
    verify(jwt, &["other".to_owned(), SECRET.to_owned()], Timestamp(micros), path)
}

fn outcome(jwt: &str) -> Result<Token, TokenFault> {
    verify_at(jwt, NOW * 1_000_000, PATH)
}

fn refused(reason: &str) -> Result<Token, TokenFault> {
    Err(TokenFault::Refused(invalid(reason)))
}

const UNREADABLE: &str = "unreadable or not a JWT";
const SCOPE_START: &str = "uc.restrictions.scope items must start with `/`";
const SCOPE_CHARS: &str = "uc.restrictions.scope items must have at most 64 characters";
const SCOPE_STAR: &str = "uc.restrictions.scope items may have `*` at their end only, behind `/`";
const SCOPE_COUNT: &str = "uc.restrictions.scope must be a list of 1 to 16 items";
const OPERATIONS: &str = "`uc.restrictions.limits.operations` must be an integer from 1 to 100000";
const LIFETIME: &str = "`exp` must be at most 86400 seconds after `iat`";

#[test]
fn the_header_is_bearer_and_one_word() {
    let read = |text: &[u8]| {
        let value = HeaderValue::from_bytes(text).unwrap();
        read_header(&value).map(str::to_owned)
    };
    for good in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c", " Bearer a.b.c "] {
        assert_eq!(read(good.as_bytes()).as_deref(), Ok("a.b.c"), "{good}");
    }
    for bad in
        ["", "Bearer", "Bearer ", "a.b.c", "Basic dTpw", "Bearer a b", "Bearer a\tb", "Bearera.b.c", "Bearer\ta.b.c"]
    {
        let refusal = read(bad.as_bytes()).unwrap_err();
        assert_eq!(refusal.to_string(), "Invalid Authorization header format.", "{bad}");
        assert_eq!((refusal.status(), refusal.code()), (401, "AccessTokenInvalidError"));
    }
    assert!(read(b"Bearer \xC3\xA9").is_err());
}

#[test]
fn a_token_made_elsewhere_verifies() {
    // Made with another implementation: the claims below, signed with the SHA-256 of `demosecretkey`.
    let jwt = concat!(
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.",
        "eyJleHAiOjE3NzAwMDM2MDAsImlhdCI6MTc3MDAwMDAwMCwianRpIjoiYWJjIiwidWMiOnsicmVzdHJpY3Rpb25zIjp7InNjb3BlIjpbIi9tdWx0",
        "aXBhcnQvKiJdLCJsaW1pdHMiOnsib3BlcmF0aW9ucyI6M319fX0.",
        "Urqx_RufVEqtUJ5qWB2E_KZk8l9AkqL4wWvLco-OYI0"
    );
    let claims = json!({
        "exp": NOW + 3600,
        "iat": NOW,
        "jti": "abc",
        "uc": {"restrictions": {"scope": ["/multipart/*"], "limits": {"operations": 3}}},
    });
    let verified = outcome(jwt).unwrap();
    assert_eq!((verified.operations, verified.expires), (Some(3), Timestamp((NOW + 3630) * 1_000_000)));
    assert_eq!(Ok(verified), outcome(&token(&claims)));
}

#[test]
fn refusals_tell_what_the_catalogue_says() {
    let wrong = Refusal::from(TokenFault::Signature);
    assert_eq!(wrong.to_string(), "Invalid token. Reason: signature does not match");
    assert_eq!((wrong.status(), wrong.code()), (401, "AccessTokenInvalidError"));
    let told = |fault| Refusal::from(fault).to_string();
    let fault = |claims: Value| outcome(&token(&claims)).unwrap_err();
    assert_eq!(told(outcome("nonsense").unwrap_err()), "Invalid token. Reason: unreadable or not a JWT");
    assert_eq!(told(fault(json!({}))), "Invalid token. Reason: `exp` is required");
    let scope = json!({"exp": NOW, "uc": {"restrictions": {"scope": ["base/"]}}});
    assert_eq!(told(fault(scope)), "Invalid token. Reason: uc.restrictions.scope items must start with `/`");
    assert_eq!(Refusal::from(fault(json!({"exp": NOW - 31}))), Refusal::AccessTokenExpired);
    let narrow = json!({"exp": NOW, "uc": {"restrictions": {"scope": ["/base/"]}}});
    assert_eq!(Refusal::from(fault(narrow)), Refusal::ScopeForbidden);
}

#[test]
fn what_is_no_token_is_unreadable() {
    let good = token(&json!({"exp": NOW}));
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    assert!(outcome(&good).is_ok());
    let parts = |header: &str, claims: &str, signature: &str| format!("{header}.{claims}.{signature}");
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        "a.b.c".into(),
        format!("{header}.{claims}"),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!(".{good}"),
        format!("{good}="),
        format!(" {good}"),
        format!("{good}\n"),
        parts(header, "", signature),
        parts("", claims, signature),
        parts(header, &base64(b"[]"), signature),
        parts(header, &base64(b"{\"exp\":1e999}"), signature),
        parts(header, &base64(b"{\"exp\":1"), signature),
        parts(header, &base64(b"\xFF"), signature),
        parts(&base64(b"[]"), claims, "!"),
        parts(&base64(b"{"), claims, signature),
        parts(header, claims, "!"),
        // The last digit has two bits that mean nothing; they have to be zero, so that a token has one form only.
        parts(header, claims, &signature.replace(&signature[42..], "_")),
        parts(header, &format!("{claims}="), signature),
        token(&json!({"exp": NOW, "sub": "x".repeat(8192)})),
    ] {
        // A header that is no object may be told either way.
        let fault = outcome(&bad).unwrap_err();
        assert!(fault == refused(UNREADABLE).unwrap_err() || bad.starts_with("W10"), "{bad}: {fault:?}");
    }
}

#[test]
fn hostile_json_is_unreadable() {
    for depth in [100, 1000, 1500] {
        let deep = format!("{{\"exp\":1,\"uc\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        let fault = outcome(&token_of(r#"{"alg":"HS256"}"#, &deep)).unwrap_err();
        let expected = if depth > 128 { UNREADABLE } else { "`uc` must be an object" };
        assert_eq!(Err(fault), refused(expected), "{depth}");
        let deep = format!("{{\"alg\":\"HS256\",\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        let outcome = outcome(&token_of(&deep, &json!({"exp": NOW}).to_string()));
        assert_eq!(outcome.is_ok(), depth < 128, "{depth}");
    }
    // A member that comes twice counts as it was written last, like in the parsers of most signers.
    let twice = format!("{{\"exp\":1,\"exp\":{NOW}}}");
    assert!(outcome(&token_of(r#"{"alg":"HS256"}"#, &twice)).is_ok());
}

#[test]
fn only_hs256_is_verified_at_all() {
    let claims = json!({"exp": NOW}).to_string();
    for algorithm in ["RS256", "HS512", "HS384", "ES256", "EdDSA", "none", "None", "hs256", "", "HS256 "] {
        let header = json!({"alg": algorithm, "typ": "JWT"}).to_string();
        assert_eq!(outcome(&token_of(&header, &claims)), refused("`alg` must be HS256"), "{algorithm}");
        // Whatever the signature is.
        let unsigned = format!("{}.{}.", base64(header.as_bytes()), base64(claims.as_bytes()));
        assert_eq!(outcome(&unsigned), refused("`alg` must be HS256"), "{algorithm}");
    }
    assert_eq!(outcome(&token_of("{}", &claims)), refused("`alg` must be HS256"));
    assert_eq!(outcome(&token_of(r#"{"alg":256}"#, &claims)), refused(UNREADABLE));
    assert_eq!(outcome(&token_of(r#"{"alg":"HS256","crit":["b64"]}"#, &claims)), refused("`crit` is not supported"));
    assert!(outcome(&token_of(r#"{"alg":"HS256"}"#, &claims)).is_ok(), "the type may be left out");
    let key_inside = r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"},"kid":"../../dev/null","jku":"http://evil/"}"#;
    assert!(outcome(&token_of(key_inside, &claims)).is_ok(), "where the header says keys are is not looked at");
}

#[test]
fn a_signature_by_any_secret_key_is_good_and_by_no_other() {
    let good = token(&json!({"exp": NOW}));
    let with = |secrets: &[&str]| {
        let secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        verify(&good, &secrets, Timestamp(NOW * 1_000_000), PATH)
    };
    assert!(with(&[SECRET]).is_ok() && with(&["a", SECRET, "b"]).is_ok());
    for secrets in [&[][..], &["other"], &["", "demosecretkey "]] {
        assert_eq!(with(secrets), Err(TokenFault::Signature), "{secrets:?}");
    }
    // Signed with the secret itself, cut off, empty, or for other claims.
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(signed).finalize();
    let (header, _) = signed.split_once('.').unwrap();
    for bad in [
        format!("{signed}.{}", base64(&mac.into_bytes())),
        format!("{signed}.{}", &signature[..40]),
        format!("{signed}.{}", base64(&[0; 32])),
        format!("{signed}."),
        format!("{header}.{}.{signature}", base64(json!({"exp": NOW + 1}).to_string().as_bytes())),
        // The signature is looked at before the claims are.
        format!("{header}.{}.{signature}", base64(b"{}")),
    ] {
        assert_eq!(outcome(&bad), Err(TokenFault::Signature), "{bad}");
    }
}

#[test]
fn claims_are_strict() {
    let long = format!("/{}", "x".repeat(64));
    for (claims, reason) in [
        (json!({}), "`exp` is required"),
        (json!({"exp": null}), "`exp` is required"),
        (json!({"exp": "1770000000"}), "`exp` is required"),
        (json!({"exp": [NOW]}), "`exp` is required"),
        // The missing `exp` is told before anything else.
        (json!({"admin": true}), "`exp` is required"),
        (json!({"exp": NOW, "admin": true}), "`admin` is not supported"),
        (json!({"exp": NOW, "nbf": NOW}), "`nbf` is not supported"),
        (json!({"exp": NOW, "aud": "x"}), "`aud` is not supported"),
        (json!({"exp": NOW, "": 1}), "it has a claim that is not supported"),
        (json!({"exp": NOW, "<script>": 1}), "it has a claim that is not supported"),
        (json!({"exp": NOW, "é": 1}), "it has a claim that is not supported"),
        (json!({"exp": NOW, "x".repeat(65): 1}), "it has a claim that is not supported"),
        (json!({"exp": NOW, "iat": "now"}), "`iat` must be a number"),
        (json!({"exp": NOW, "iat": null}), "`iat` must be a number"),
        (json!({"exp": NOW, "iss": 1}), "`iss` must be a string"),
        (json!({"exp": NOW, "sub": {}}), "`sub` must be a string"),
        (json!({"exp": NOW, "jti": 7}), "`jti` must be a string"),
        (json!({"exp": NOW, "jti": ""}), "`jti` must not be empty"),
        (json!({"exp": NOW + 86_401}), LIFETIME),
        (json!({"exp": NOW + 100, "iat": NOW - 86_301}), LIFETIME),
        (json!({"exp": 1e300}), LIFETIME),
        (json!({"exp": u64::MAX}), LIFETIME),
        (json!({"exp": 1e308, "iat": -1e308}), LIFETIME),
        (json!({"exp": NOW, "uc": null}), "`uc` must be an object"),
        (json!({"exp": NOW, "uc": []}), "`uc` must be an object"),
        (json!({"exp": NOW, "uc": {"scope": ["/*"]}}), "`uc.scope` is not supported"),
        (json!({"exp": NOW, "uc": {"restrictions": "none"}}), "`uc.restrictions` must be an object"),
        (json!({"exp": NOW, "uc": {"restrictions": {"scopes": []}}}), "`uc.restrictions.scopes` is not supported"),
        (json!({"exp": NOW, "uc": {"restrictions": {"limits": 5}}}), "`uc.restrictions.limits` must be an object"),
        (
            json!({"exp": NOW, "uc": {"restrictions": {"limits": {"bytes": 5}}}}),
            "`uc.restrictions.limits.bytes` is not supported",
        ),
    ] {
        assert_eq!(outcome(&token(&claims)), refused(reason), "{claims}");
    }
    for (scope, reason) in [
        (json!("/base/"), SCOPE_COUNT),
        (json!(null), SCOPE_COUNT),
        (json!([]), SCOPE_COUNT),
        (json!(vec!["/a/"; 17]), SCOPE_COUNT),
        (json!([""]), SCOPE_START),
        (json!(["*"]), SCOPE_START),
        (json!(["base/"]), SCOPE_START),
        (json!([" /base/"]), SCOPE_START),
        (json!(["/base/", 7]), SCOPE_START),
        (json!(["/base/", null]), SCOPE_START),
        (json!([long]), SCOPE_CHARS),
        (json!(["/multi*"]), SCOPE_STAR),
        (json!(["/*/start/"]), SCOPE_STAR),
        (json!(["/**"]), SCOPE_STAR),
        (json!(["/*/*"]), SCOPE_STAR),
    ] {
        let claims = json!({"exp": NOW, "uc": {"restrictions": {"scope": scope}}});
        assert_eq!(outcome(&token(&claims)), refused(reason), "{claims}");
    }
    for operations in
        [json!(0), json!(-1), json!(100_001), json!(1.5), json!("5"), json!(null), json!(u64::MAX), json!(1e9)]
    {
        let claims = json!({"exp": NOW, "uc": {"restrictions": {"limits": {"operations": operations}}}});
        assert_eq!(outcome(&token(&claims)), refused(OPERATIONS), "{claims}");
    }
}

#[test]
fn claims_within_their_ranges_are_good() {
    let good = |claims: Value| outcome(&token(&claims)).unwrap_or_else(|fault| panic!("{claims}: {fault:?}"));
    good(json!({"exp": NOW, "iss": "", "sub": "user", "jti": "1"}));
    good(json!({"exp": NOW + 86_400}));
    good(json!({"exp": NOW + 100, "iat": NOW - 86_300}));
    good(json!({"exp": NOW, "iat": NOW + 30}));
    let ahead = "`iat` must not lie in the future";
    assert_eq!(outcome(&token(&json!({"exp": NOW + 99, "iat": NOW + 32}))), refused(ahead));
    for nothing in [json!({}), json!({"restrictions": {}}), json!({"restrictions": {"limits": {}}})] {
        assert_eq!(good(json!({"exp": NOW, "uc": nothing})).operations, None);
    }
    for operations in [1, 100_000] {
        let claims = json!({"exp": NOW, "uc": {"restrictions": {"limits": {"operations": operations}}}});
        assert_eq!(good(claims).operations, Some(operations));
    }
    let longest = format!("/{}", "é".repeat(63));
    let mut scope = vec![longest; 15];
    scope.push("/*".to_owned());
    good(json!({"exp": NOW, "uc": {"restrictions": {"scope": scope}}}));
}

#[test]
fn a_token_is_good_until_half_a_minute_after_its_end() {
    let at = |claims: Value, micros: i64| verify_at(&token(&claims), NOW * 1_000_000 + micros, PATH);
    let expired = Err(TokenFault::Refused(Refusal::AccessTokenExpired));
    assert!(at(json!({"exp": NOW}), 30_000_000).is_ok());
    assert_eq!(at(json!({"exp": NOW}), 30_000_001), expired);
    assert_eq!(
        at(json!({"exp": f64::from(1_769_999_970) + 0.5}), 499_999).unwrap().expires,
        Timestamp(NOW * 1_000_000 + 500_000)
    );
    assert_eq!(at(json!({"exp": f64::from(1_769_999_970) + 0.5}), 500_001), expired);
    for long_ago in [json!({"exp": 0}), json!({"exp": -5}), json!({"exp": i64::MIN}), json!({"exp": -1e300})] {
        assert_eq!(at(long_ago, 0), expired);
    }
    // What is wrong with other claims is told before that.
    assert_eq!(at(json!({"exp": 0, "admin": true}), 0), refused("`admin` is not supported"));
    let elsewhere = json!({"exp": 0, "uc": {"restrictions": {"scope": ["/base/"]}}});
    assert_eq!(at(elsewhere, 0), expired);
}

#[test]
fn the_scope_covers_exact_paths_and_whole_segments() {
    let covers = |scope: &[&str], path: &str| {
        let jwt = token(&json!({"exp": NOW, "uc": {"restrictions": {"scope": scope}}}));
        match verify_at(&jwt, NOW * 1_000_000, path) {
            Ok(_) => true,
            Err(fault) => {
                assert_eq!(fault, TokenFault::Refused(Refusal::ScopeForbidden));
                false
            }
        }
    };
    assert!(covers(&["/base/"], "/base/"));
    assert!(covers(&["/info/", "/base/"], "/base/"));
    assert!(covers(&["/*"], "/base/") && covers(&["/*"], "/"));
    assert!(covers(&["/multipart/*"], "/multipart/start/") && covers(&["/multipart/*"], "/multipart/complete/"));
    for (scope, path) in [
        ("/base", "/base/"),
        ("/base/", "/base"),
        ("/base/", "/base/x/"),
        ("/BASE/", "/base/"),
        ("/multipart/*", "/multipartial/"),
        ("/multipart/*", "/base/"),
        ("/group/", "/group/info/"),
        ("/", "/base/"),
    ] {
        assert!(!covers(&[scope], path), "{scope} {path}");
    }
}

#[test]
fn operations_are_counted_by_jti_or_else_by_token() {
    let key = |claims: Value| outcome(&token(&claims)).unwrap().key;
    let one = key(json!({"exp": NOW, "jti": "one"}));
    assert_eq!(one, key(json!({"exp": NOW + 5, "jti": "one", "sub": "x"})), "another token of the same name");
    assert_ne!(one, key(json!({"exp": NOW, "jti": "two"})));
    let bare = key(json!({"exp": NOW}));
    assert_eq!(bare, key(json!({"exp": NOW})));
    assert_ne!(bare, key(json!({"exp": NOW + 1})));
    for odd in ["\0", "é\n'\"", &"x".repeat(4000)] {
        let key = key(json!({"exp": NOW, "jti": odd}));
        assert!(key.len() <= 80 && key.bytes().all(|byte| byte.is_ascii_graphic()), "{key}");
    }
    // Nobody can name a token so that it is counted as another one.
    assert_ne!(key(json!({"exp": NOW, "jti": bare.trim_start_matches("jwt-")})), bare);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}", path in ".{0,40}") {
        let _ = verify_at(&text, NOW * 1_000_000, &path);
        if let Ok(value) = HeaderValue::from_str(&text) {
            let _ = read_header(&value);
        }
    }

    #[test]
    fn no_token_shape_makes_it_panic(
        header in prop::collection::vec(any::<u8>(), 0..60),
        claims in prop::collection::vec(any::<u8>(), 0..60),
        now in any::<i64>(),
    ) {
        let parts = format!("{}.{}", base64(&header), base64(&claims));
        prop_assert!(verify_at(&sign(SECRET, &parts), now, PATH).is_err());
    }

    #[test]
    fn no_signed_claims_make_it_panic(
        exp in any::<f64>(),
        iat in prop::option::of(any::<f64>()),
        operations in any::<i64>(),
        items in prop::collection::vec("[/*a-z]{0,8}", 0..20),
        name in "[a-z]{0,4}",
        now in any::<i64>(),
    ) {
        let mut claims = json!({"exp": exp, "uc": {"restrictions": {"scope": items, "limits": {"operations": operations}}}});
        if let Some(iat) = iat {
            claims["iat"] = json!(iat);
        }
        claims[&name] = json!(operations);
        let _ = verify_at(&token(&claims), now, PATH);
    }

    #[test]
    fn a_token_changed_anywhere_is_refused(at in 0_usize..100, with in "[A-Za-z0-9_.-]") {
        let good = token(&json!({"exp": NOW, "jti": "x"}));
        let at = at % good.len();
        let mut changed = good.clone();
        changed.replace_range(at..=at, &with);
        prop_assert_eq!(outcome(&changed).is_ok(), changed == good);
    }
}
