//! The version of the REST API that a request asks for, and the media types of answers.

use http::{HeaderMap, header};
use serde::de::IntoDeserializer;
use serde::{Deserialize, Deserializer};
use stowage_model::RestVersion;

/// `[rest]` of the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestOptions {
    /// The version of requests that name none; without one they are refused.
    #[serde(deserialize_with = "version_or_none")]
    pub default_version: Option<RestVersion>,
}

fn version_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RestVersion>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { RestVersion::deserialize(text.into_deserializer()).map(Some) }
}

/// How the media types of all versions begin, also of those that never were.
const BEGINNING: &str = "application/vnd.uploadcare-v";

/// The media type of a version, as answers have it: clients compare it as a whole.
pub(crate) fn media_type(version: RestVersion) -> &'static str {
    match version {
        RestVersion::V05 => "application/vnd.uploadcare-v0.5+json",
        RestVersion::V06 => "application/vnd.uploadcare-v0.6+json",
        RestVersion::V07 => "application/vnd.uploadcare-v0.7+json",
    }
}

/// The first version in `Accept` that is served; the default one where none is named at all.
pub(super) fn asked(headers: &HeaderMap, options: &RestOptions) -> Option<RestVersion> {
    let items = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut named = false;
    for item in items.flat_map(|list| list.split(',')) {
        let name = item.split(';').next().unwrap_or_default().trim();
        named |= name.get(..BEGINNING.len()).is_some_and(|start| start.eq_ignore_ascii_case(BEGINNING));
        let versions = [RestVersion::V07, RestVersion::V06, RestVersion::V05];
        let version = versions.into_iter().find(|version| name.eq_ignore_ascii_case(media_type(*version)));
        if version.is_some() {
            return version;
        }
    }
    options.default_version.filter(|_| !named)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(accept: &[&'static str], default_version: Option<RestVersion>) -> Option<RestVersion> {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(header::ACCEPT, HeaderValue::from_static(value));
        }
        asked(&headers, &RestOptions { default_version })
    }

    #[test]
    fn versions_are_found_in_accept() {
        for (accept, version) in [
            (&["application/vnd.uploadcare-v0.7+json"][..], Some(RestVersion::V07)),
            (&["Application/Vnd.Uploadcare-v0.6+JSON"], Some(RestVersion::V06)),
            (&["text/html, application/vnd.uploadcare-v0.5+json;q=0.5"], Some(RestVersion::V05)),
            (&["*/*", "application/vnd.uploadcare-v0.5+json"], Some(RestVersion::V05)),
            (&["application/vnd.uploadcare-v0.777+json, application/vnd.uploadcare-v0.6+json"], Some(RestVersion::V06)),
            (&["application/vnd.uploadcare-v0.777+json"], None),
            (&["application/json"], None),
            (&["*/*"], None),
            (&[], None),
        ] {
            assert_eq!(of(accept, None), version, "{accept:?}");
        }
    }

    #[test]
    fn the_default_is_for_those_who_name_none() {
        let default = Some(RestVersion::V05);
        assert_eq!(of(&[], default), default);
        assert_eq!(of(&["application/json"], default), default);
        assert_eq!(of(&["application/vnd.uploadcare-v0.7+json"], default), Some(RestVersion::V07));
        assert_eq!(of(&["application/vnd.uploadcare-v0.8+json"], default), None);
    }

    #[test]
    fn the_setting_is_a_version_or_empty() {
        let read = |text: &str| serde_json::from_value::<RestOptions>(serde_json::json!({ "default_version": text }));
        assert_eq!(read("").unwrap().default_version, None);
        assert_eq!(read("0.6").unwrap().default_version, Some(RestVersion::V06));
        assert!(read("0.8").is_err());
    }
}
