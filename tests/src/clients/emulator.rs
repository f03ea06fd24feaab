//! `config/vendor-emulator`: what the suites of the vendor's JavaScript clients rely on with the vendor's emulator.

use serde_json::{Value, json};

use super::Runtime::Node;
use super::{LOCAL, check_progress};
use crate::stowage::Place;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/vendor-emulator");

#[tokio::test]
async fn the_suites_of_the_clients_find_what_they_rely_on() {
    if !Node.is_here() {
        return;
    }
    // The file names the folder as it is seen from that of the repository, and expects another port.
    let place = Place::with(&[("STOWAGE_DEV__SEED", FOLDER), LOCAL]).await;
    let server = place.serve(&["--config", &format!("{FOLDER}/stowage.toml")]).await;
    let seen = Node.run("emulator.mjs", json!({ "base": server.base })).await;

    assert!(seen["direct"]["file"]["file"].is_string());
    let named = &seen["direct"]["named"];
    assert_eq!((&named["name"], &named["mimeType"]), (&json!("newFileName.jpg"), &json!("image/jpeg")));
    assert_eq!(named["isStored"], false);
    for (what, key) in
        [("base", "UPLOADCARE_PUB_KEY"), ("start", "UPLOADCARE_PUB_KEY"), ("complete", "UPLOADCARE_PUB_KEY")]
    {
        assert_eq!(seen["keys"][what]["message"], format!("{key} is invalid."));
    }
    for what in ["fromUrl", "group", "groupInfo"] {
        assert_eq!(seen["keys"][what]["message"], "pub_key is invalid.");
        assert_eq!(seen["keys"][what]["code"], "ProjectPublicKeyInvalidError");
    }
    assert_eq!(seen["keys"]["info"]["message"], "pub_key is required.");

    assert_eq!((&seen["known"]["isReady"], &seen["known"]["isImage"]), (&json!(true), &json!(true)));
    assert_eq!(seen["uploaded"]["name"], "newFileName.jpg");
    check_progress(&seen["again"], 1.0);
    check_groups(&seen["groups"]);
    check_urls(&seen["urls"]);

    let multipart = &seen["multipart"];
    assert_eq!((&multipart["parts"], &multipart["completed"]["size"]), (&json!(3), &json!(11 << 20)));
    assert_eq!(multipart["large"]["size"], 11 << 20);
    let small = multipart["small"]["message"].as_str().unwrap();
    assert!(
        small.starts_with("File size can not be less than ")
            && small.ends_with("use direct upload instead of multipart.")
    );
    assert_eq!(multipart["nameless"]["message"], "uuid is required.");

    let signatures = &seen["signatures"];
    assert_eq!(signatures["none"]["code"], "SignatureRequiredError");
    assert!(signatures["good"]["uuid"].is_string());
    for (what, wanted) in [
        ("token", "string"),
        ("wrong", "AccessTokenInvalidError"),
        ("malformed", "AccessTokenInvalidError"),
        ("expired", "AccessTokenExpiredError"),
        ("scope", "ScopeForbiddenError"),
    ] {
        assert_eq!(signatures[what], wanted, "{what}");
    }
    assert_eq!(signatures["limited"], json!(["string", "OperationsLimitExceededError"]));

    let throttle = &seen["throttle"];
    assert!(throttle["throttled"]["uuid"].is_string());
    assert_eq!(throttle["waited"], json!(["1"]));
    assert_eq!(throttle["spent"], Value::Null, "each value is throttled once");
    for what in ["fresh", "fromUrl"] {
        assert_eq!(throttle[what]["code"], "RequestThrottledError", "{what}");
    }
    assert_eq!(throttle["inTurn"], json!([429, 200, 429, 429, 200, 200]), "sessions are throttled apart");

    check_delivery(&seen["delivery"]);
}

fn check_groups(groups: &Value) {
    let effects = |files: &Value, name: &str| -> Vec<String> {
        files.as_array().unwrap().iter().map(|file| file[name].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(effects(&groups["made"]["files"], "defaultEffects"), ["", "resize/x800/"]);
    assert_eq!(groups["told"], groups["made"]);
    assert_eq!(effects(&groups["ofFiles"]["files"], "defaultEffects"), ["", "resize/x800/"]);
    for (what, wanted) in [
        ("empty", "No files[N] parameters found."),
        ("malformed", "This is not valid file url: 2e6b7f23-9143-4b71-94e7-338bb."),
        ("elsewhere", "Some files not found."),
        ("unknown", "group_id is invalid."),
    ] {
        assert_eq!(groups[what]["message"], wanted, "{what}");
    }
}

fn check_urls(urls: &Value) {
    assert_eq!(urls["begun"]["type"], "token");
    for (what, wanted) in [
        ("missing", "Host does not exist."),
        ("private", "Only public IPs are allowed."),
        ("tokenless", "token is required."),
    ] {
        assert_eq!(urls[what]["message"], wanted, "{what}");
    }
    assert_eq!(urls["status"]["status"], "unknown");
    let file = &urls["file"];
    assert_eq!((&file["name"], &file["isStored"]), (&json!("newFileName.jpg"), &json!(false)));
    assert_eq!(file["imageInfo"]["width"], 960, "it was really fetched");
    // Until the length is known, null is told, which this client takes for a number.
    check_progress(
        &urls["computable"].as_array().unwrap().iter().filter(|value| !value.is_null()).cloned().collect(),
        1.0,
    );
    for what in ["saved", "unknown", "reachable", "unsplash"] {
        assert_eq!(urls[what]["isImage"], true, "{what}");
    }
    assert_eq!(urls["reachable"]["name"], "picture.png");
    assert_eq!(urls["group"]["filesCount"], 2);
    for what in ["incomputable", "inGroup"] {
        let told = urls[what].as_array().unwrap();
        assert_eq!(told.last().unwrap(), 1, "{what}: {told:?}");
        let first = told.iter().position(Value::is_null).unwrap_or_else(|| panic!("{what}: {told:?}"));
        assert!(told[first..told.len() - 1].iter().all(Value::is_null), "{what}: {told:?}");
    }
}

fn check_delivery(delivery: &Value) {
    assert_eq!((&delivery["direct"]["status"], &delivery["elsewhere"]["status"]), (&json!(200), &json!(404)));
    let mut pictures = 0;
    for looks in delivery.as_object().unwrap().values().filter_map(Value::as_array) {
        for look in looks {
            assert_eq!((&look["status"], &look["type"]), (&json!(200), &json!("image/jpeg")));
        }
        assert!(looks[1]["bytes"].as_u64() < looks[0]["bytes"].as_u64());
        assert_eq!(looks[2]["bytes"], looks[0]["bytes"], "sessions begin with the same files");
        pictures += 1;
    }
    assert_eq!(pictures, 5);
    assert_eq!((&delivery["json"]["width"], &delivery["json"]["height"]), (&json!(960), &json!(640)));
    assert_eq!((&delivery["nth"]["status"], &delivery["nobody"]["status"]), (&json!(200), &json!(404)));
}
