//! `ucare`, the command of `pyuploadcare`.

use serde_json::{Value, json};

use super::Runtime::Python;
use super::{LOCAL, NOBODY, PICTURE};
use crate::stowage::Place;

#[tokio::test]
async fn its_commands_do_what_they_say() {
    if !Python.is_here() {
        return;
    }
    let place = Place::with(&[LOCAL]).await;
    let server = place.serve(&[]).await;
    let folder = place.folder.path();
    std::fs::write(folder.join("small.txt"), b"small").unwrap();
    std::fs::write(folder.join("pixel.png"), PICTURE).unwrap();
    let origin = "http://127.0.0.1:9";
    let input = json!({ "base": server.base, "folder": folder, "origin": origin, "nobody": NOBODY });
    let seen = Python.run("ucare.py", input).await;

    let info = &seen["uploaded"][1];
    assert_eq!(seen["uploaded"][0], "File stored successfully.");
    assert_eq!((&info["metadata"], &info["tags"]), (&json!({ "color": "red" }), &json!(["cat"])));
    assert!(info["datetime_stored"].is_string());
    assert_eq!(seen["got"], *info);
    let (one, second) = (&info["uuid"], &seen["bare"]["uuid"]);
    assert_eq!(seen["linked"][0], "File stored successfully.");
    let url = seen["linked"][1].as_str().unwrap().strip_prefix("CDN url: ").unwrap();
    let third = url.strip_prefix(&server.base).unwrap().trim_matches('/');
    assert_eq!(server.fetch(third).await, (200, PICTURE.to_vec()));
    assert!(seen["storing"].is_null() && seen["stored"]["datetime_stored"].is_string(), "{seen}");

    let lists = &seen["listed"];
    let ids = |list: &Value| list.as_array().unwrap().iter().map(|file| file["uuid"].clone()).collect::<Value>();
    assert_eq!(lists["all"][0], *info);
    assert_eq!(ids(&lists["all"]), json!([one, third, second]));
    assert_eq!(ids(&lists["by_one"]), json!([one, third, second]));
    assert_eq!((ids(&lists["one"]), ids(&lists["later"])), (json!([second]), json!([third, second])));
    assert_eq!(lists["temporary"], json!([]));
    let tags = json!({
        "get": ["cat"],
        "set": { "tags": ["dog", "cute"], "added": ["cute", "dog"], "deleted": ["cat"] },
        "update": { "tags": ["cute", "cat"], "added": ["cat"], "deleted": ["dog"] },
    });
    assert_eq!(seen["tags"], tags);
    assert_eq!(ids(&seen["found"]), json!([one]));

    let (group, groups) = (&seen["group"], &seen["groups"]);
    assert_eq!((&group["files_count"], &group["files"][1]["default_effects"]), (&2.into(), &"resize/10x/".into()));
    assert_eq!((&groups[0]["id"], groups.as_array().unwrap().len()), (&group["id"], 1));
    let webhooks = &seen["webhooks"];
    let (created, other) = (&webhooks["created"], &webhooks["second"]);
    assert_eq!((&created["is_active"], &created["signing_secret"]), (&true.into(), &"tell nobody".into()));
    assert_eq!((&other["is_active"], &other["event"]), (&false.into(), &"file.stored".into()));
    let duplicate = r#"ERROR: {"non_field_errors":["This project is already subscribed on this event"]}"#;
    assert_eq!(webhooks["duplicate"], duplicate);
    assert_eq!(webhooks["listed"], json!([other, created]));
    let updated = &webhooks["updated"];
    assert_eq!((&updated["is_active"], &updated["event"]), (&false.into(), &"file.deleted".into()));
    assert_eq!((&webhooks["deleted"], &webhooks["left"]), (&Value::Null, &json!([other])));

    for (id, extension, content) in [(one, "txt", b"small".as_slice()), (second, "png", PICTURE)] {
        let file = folder.join("synced").join(format!("{}.{extension}", id.as_str().unwrap()));
        assert!(std::fs::read(&file).unwrap() == content, "{} was downloaded", file.display());
    }
    assert_eq!((&seen["removing"], ids(&seen["removed"])), (&Value::Null, json!([one])));
    assert_eq!(seen["project"]["pub_key"], "demopublickey");
    let refused = json!({
        "document": r#"ERROR: {"detail":"Document conversion feature is not available for this project."}"#,
        "video": r#"ERROR: {"detail":"Video conversion feature is not available for this project."}"#,
        "nobody": r#"ERROR: {"detail":"Not found."}"#,
    });
    assert_eq!(seen["refused"], refused);
}
