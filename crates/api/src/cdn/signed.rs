//! Tokens of signed delivery addresses: HMAC-SHA256 with a secret of the project over an expiry and either a list of paths or
//! the one path of the address (URL API reference, section 11).

use hmac::{Hmac, KeyInit, Mac};
use http::Uri;
use sha2::Sha256;
use stowage_model::{DeliverySecrets, Timestamp};

use super::path::decoded;
use crate::signature::from_hex;

/// The longest token that is read, in bytes.
const MAX_LEN: usize = 4096;

/// The raw value of `token` in a query.
pub(super) fn token_of(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("token=")).filter(|token| token.len() <= MAX_LEN)
}

/// Whether a token opens an address. Which of the things that can be wrong with it is wrong makes no difference.
pub(super) fn is_good(token: &str, address: &Uri, secrets: &DeliverySecrets, now: Timestamp) -> bool {
    let token = unescaped(token);
    let Some((signed, hmac)) = token.rsplit_once("~hmac=") else { return false };
    let Some(hmac) = from_hex(hmac) else { return false };
    let field = |name: &str| signed.split('~').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    let time = |text: &str| text.parse::<i64>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let now = now.seconds();
    if field("exp").and_then(time).is_none_or(|expires| now >= expires) {
        return false;
    }
    if field("st").is_some_and(|starts| time(starts).is_none_or(|starts| starts > now)) {
        return false;
    }
    let (raw, path) = (address.path(), decoded(address.path()));
    if let Some(lists) = field("acl") {
        // In this order: matching takes its time, and only those who know a secret may choose the patterns.
        return is_signed(signed, &hmac, secrets) && lists.split('!').any(|acl| covers(acl, &path));
    }
    // Signers that escape an address that was escaped before sign what nobody would decode; and an official one that is given
    // a bare id signs it without the slash that it puts behind it. That is the same file.
    let bare = path.trim_end_matches('/');
    let bare = Some(bare).filter(|bare| bare.rfind('/') == Some(0));
    let forms = [Some(path.as_str()), Some(raw), bare];
    forms.into_iter().flatten().any(|path| is_signed(&format!("{signed}~url={}", escaped(path)), &hmac, secrets))
}

/// The token before somebody escaped all of it, if somebody did. Where its own `~` still stand, those of a path that are written
/// as `%7e` stay: the text was signed with them.
fn unescaped(token: &str) -> String {
    if !token.to_ascii_lowercase().contains("%3d") {
        return token.to_owned();
    }
    if !token.contains('~') {
        return decoded(token);
    }
    let mut text = String::with_capacity(token.len());
    let mut rest = token;
    while let Some(at) = rest.to_ascii_lowercase().find("%7e") {
        let (before, behind) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let (tilde, behind) = behind.split_at_checked(3).unwrap_or((behind, ""));
        text.push_str(&decoded(before));
        text.push_str(tilde);
        rest = behind;
    }
    text + &decoded(rest)
}

/// Any of the secrets is good; the comparison takes the same time wherever the first difference is.
fn is_signed(text: &str, hmac: &[u8], secrets: &DeliverySecrets) -> bool {
    secrets.iter().any(|secret| {
        // A key of any length is a good HMAC key, so that this cannot fail.
        Hmac::<Sha256>::new_from_slice(secret)
            .is_ok_and(|mac| mac.chain_update(text.as_bytes()).verify_slice(hmac).is_ok())
    })
}

/// Everything but letters, digits and `_.-,` escaped in lower case, a space as `+`.
fn escaped(path: &str) -> String {
    let mut text = String::with_capacity(path.len() * 2);
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    for byte in path.bytes() {
        match byte {
            b' ' => text.push('+'),
            b'_' | b'.' | b'-' | b',' => text.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => text.push(char::from(byte)),
            _ => text.extend(['%', digit(byte >> 4), digit(byte & 15)]),
        }
    }
    text
}

/// Whether a pattern has the path: `*` is any text, `?` any character, everything else itself.
fn covers(acl: &str, path: &str) -> bool {
    let acl: Vec<char> = acl.replace("%7e", "~").replace("%7E", "~").chars().collect();
    let path: Vec<char> = path.chars().collect();
    let (mut at, mut read) = (0, 0);
    // Where the last `*` stood, and how far the path was read then.
    let mut star: Option<(usize, usize)> = None;
    while read < path.len() {
        match acl.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(char) if *char == '?' || path.get(read) == Some(char) => {
                at += 1;
                read += 1;
            }
            // The last `*` takes one more.
            _ => match &mut star {
                Some((stood, taken)) => {
                    *taken += 1;
                    (at, read) = (*stood + 1, *taken);
                }
                None => return false,
            },
        }
    }
    acl.iter().skip(at).all(|char| *char == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of the published vectors.
    const KEY: &str = "73636b61519adede42191efe1e73f02a67c7b692e3765f90c250c230be095211";

    fn secrets(keys: &[&str]) -> DeliverySecrets {
        serde_json::from_value(serde_json::json!(keys)).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000_000)
    }

    fn hmac_of(text: &str) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(&from_hex(KEY).unwrap()).unwrap();
        let bytes = mac.chain_update(text).finalize().into_bytes();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
    }

    fn opens(token: &str, path: &str) -> bool {
        let address: Uri = format!("{path}?token={token}").parse().unwrap();
        is_good(token_of(address.query().unwrap()).unwrap(), &address, &secrets(&[KEY]), at(1_600_000_000))
    }

    #[test]
    fn the_published_vectors() {
        const FIRST: &str = "/52da3bfc-7cd8-4861-8b05-126fef7a6994/";
        const SECOND: &str = "/1bd27101-6f40-460a-9358-d44c282e9d16/";
        const GROUP: &str = "/3b278cee-47bd-4276-8d7d-9cde5902b18c";
        let (first, second, group) = (FIRST.to_owned(), SECOND.to_owned(), GROUP.to_owned());
        let crop = "-/crop/10x10/20,20/";
        for (exp, acl, hmac, opened) in [
            (
                1_633_997_100,
                Some(first.clone()),
                "81852547d9dbd9eefd24bee2cada6eab02244b9013533bc8511511923098df72",
                vec![first.clone()],
            ),
            (
                1_633_997_100,
                Some(format!("{first}-/resize/640x/other/transformations/")),
                "a3ae2b3e3adfcb5d41ca753598e19d17264ac87d2b0b828ccdac5136e63f2f1a",
                vec![format!("{first}-/resize/640x/other/transformations/")],
            ),
            (
                1_633_997_100,
                Some(format!("{first}*")),
                "b2c7526a29d0588b121aa78bc2b2c9399bfb6e1cad3d95397efed722fdbc5a78",
                vec![first.clone(), format!("{first}-/preview/a.jpg")],
            ),
            (
                1_633_997_100,
                None,
                "25c485fd7f85c19704013673c80d2a86df1b4241fb44cdfa7b7762cb27ef3f57",
                vec![first.clone()],
            ),
            (
                2_015_971_200,
                Some(second.clone()),
                "0e466b666443108e92a8b8255b95f7473073c8ea14aa074de5647d092c683e1f",
                vec![second.clone()],
            ),
            (
                2_015_971_200,
                Some(format!("{second}{crop}")),
                "742ef029bef6b1806a2ecf1075e3df9676d9192963da54c54f4bb8e6240a1ef6",
                vec![format!("{second}{crop}")],
            ),
            (
                2_015_971_200,
                Some(format!("{second}*")),
                "4f953bf9b238c59a90bd12972afd5d6fb5ec5377709f2d6b1f493d10cc08abda",
                vec![second.clone(), format!("{second}hello.txt")],
            ),
            (
                2_015_971_200,
                Some(format!("{second}-/preview/400x400/*")),
                "e4d3477b3c5b88cc11ec916f2f853c82f3e83aa8119e85bc18a93eb5e7d84ded",
                vec![format!("{second}-/preview/400x400/"), format!("{second}-/preview/400x400/hello.txt")],
            ),
            (
                2_015_971_200,
                Some(format!("{group}%7e1/nth/0/")),
                "9df9a86460fab102dd0ecb4a36980a1f932b6ce5cf4bdc0307906451fcf8978e",
                vec![format!("{group}~1/nth/0/"), format!("{group}%7E1/nth/0/")],
            ),
            (
                2_015_971_200,
                None,
                "9d41cc5e8a03ba3d09e7ad957897c58efb35ab889a8fd473f7fe257ea413caed",
                vec![second.clone()],
            ),
            (
                2_015_971_200,
                None,
                "3d18d965fbf5d93e434c11ca209e2a7068b50b00962ebf7a19eae357a098bdd2",
                vec![format!("{group}~1/nth/0/")],
            ),
            (
                2_015_971_200,
                None,
                "0bfdf8d6e104ab4228cd2321cac3e5a9951dffb1b0e235a5509915c6e78b7e76",
                vec![format!("{second}{crop}")],
            ),
        ] {
            let acl = acl.map(|acl| format!("~acl={acl}")).unwrap_or_default();
            let token = format!("exp={exp}{acl}~hmac={hmac}");
            for path in &opened {
                assert!(opens(&token, path), "{token} does not open {path}");
                assert!(opens(&token.replace('=', "%3D"), path), "{path}");
                assert!(opens(&token.replace(hmac, &hmac.to_uppercase()), path), "{path}");
                assert!(!opens(&token, &format!("{path}x/-/")) || acl.ends_with('*'), "{path}");
                assert!(!opens(&token.replace(hmac, &hmac.replace('f', "e")), path), "{path}");
                assert!(!opens(&token.replace("exp=", "exp=1"), path), "{path}");
            }
        }
    }

    #[test]
    fn two_secrets_while_they_are_exchanged() {
        let id = "e1fe0a80-0000-4000-8000-000000000000";
        for (acl, hmac) in [
            (
                "/e1fe0a80-0000-4000-8000-000000000000/",
                "55287d5360a5f7b5d9990b47d3aa78b6ff23a34688b8796a3c746c7efe8b4c75",
            ),
            (
                "/e1fe0a80-0000-4000-8000-000000000000/*",
                "71abbdb6c74416eaae4686acb0f6564869dbceacd4c4c7e8f0bb6e4da67b9ed4",
            ),
        ] {
            let token = format!("exp=1300~acl={acl}~hmac={hmac}");
            let address: Uri = format!("/{id}/").parse().unwrap();
            let opens = |keys: &[&str], now| is_good(&token, &address, &secrets(keys), at(now));
            assert!(opens(&["0123456789abcdef"], 1299) && opens(&[KEY, "0123456789ABCDEF"], 0));
            assert!(!opens(&["0123456789abcdef"], 1300), "the end does not belong to it");
            assert!(!opens(&[KEY], 0) && !opens(&[], 0));
        }
    }

    #[test]
    fn tokens_that_somebody_escaped() {
        let signed = |text: &str| format!("{text}~hmac={}", hmac_of(text));
        let path = "/0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61~1/nth/0/";
        let token = signed("exp=1700000000~acl=/0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61%7e1/*");
        assert!(opens(&token, path));
        let all: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
        assert!(all.contains("%257e") && opens(&all, path), "{all}");
        let some = token.replace('=', "%3d").replace('/', "%2F");
        assert!(opens(&some, path), "{some}");
        let several = signed("exp=1700000000~acl=/a/*!/0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61?1/*");
        assert!(opens(&several, path));
        assert!(opens(&signed("st=1600000000~exp=1700000000~acl=/*"), path));
        assert!(!opens(&signed("st=1600000001~exp=1700000000~acl=/*"), path));
        for bad in [
            signed("acl=/*"),
            signed("exp=~acl=/*"),
            signed("exp=-1~acl=/*"),
            signed("exp=+1700000000~acl=/*"),
            signed("exp=1700000000~acl="),
            "exp=1700000000~acl=/*~hmac=".to_owned(),
            "exp=1700000000~acl=/*".to_owned(),
            String::new(),
        ] {
            assert!(!opens(&bad, path), "{bad}");
        }
    }

    #[test]
    fn a_bare_id_is_signed_without_its_slash() {
        let path = "/0b7c0b9e-25b8-4c4d-9e55-7d8c6f6c4b61";
        let text = format!("exp=1700000000~url={}", escaped(path));
        let token = format!("exp=1700000000~hmac={}", hmac_of(&text));
        assert!(opens(&token, path) && opens(&token, &format!("{path}/")));
        assert!(!opens(&token, &format!("{path}/-/preview/")) && !opens(&token, &format!("{path}/a")));
    }

    #[test]
    fn patterns() {
        for (acl, path) in
            [("/*", "/"), ("/a/*", "/a/"), ("/*/", "/a/b/"), ("/a?c/*d/", "/abc/x/d/"), ("*", ""), ("/a%7Eb/", "/a~b/")]
        {
            assert!(covers(acl, path), "{acl} {path}");
        }
        for (acl, path) in [("/a/", "/a/b"), ("/a/*", "/a"), ("/?/", "//"), ("", "/"), ("/*b", "/a"), ("/a*", "/ba")] {
            assert!(!covers(acl, path), "{acl} {path}");
        }
        let stars = "*a".repeat(200);
        assert!(!covers(&stars, &"a".repeat(199)), "no pattern takes for ever");
    }
}
