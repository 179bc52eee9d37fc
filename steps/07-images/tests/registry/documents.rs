//! Indexes and manifests that are hard to choose from, or to believe: L27 and L28 of the attacks.

use crate::kit::image::{
    Content, DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Served, describe, gzip, tar,
};
use crate::kit::server::Server;
use crate::kit::{Here, as_root};
use serde_json::{Value, json};

fn serve(served: Served) -> Server {
    Server::start(move |ask| served.answer(ask))
}

/// Pulls an image that must be refused.
#[track_caller]
fn refused(content: &Content) -> String {
    refused_as(content.served())
}

#[track_caller]
fn refused_as(served: Served) -> String {
    let server = serve(served);
    Here::new().refused(&format!("{}/x:1", server.host))
}

/// A good image with a change in its manifest.
fn changed(pointer: &str, value: Value) -> Content {
    let mut content = Content::tiny();
    *content.manifest.pointer_mut(pointer).unwrap() = value;
    content
}

/// A registry with an index over these platforms; each image has its platform's name as a file.
fn index(platforms: &[(&str, &str, &str)]) -> Served {
    let mut served = Served::default();
    let mut manifests = Vec::new();
    for (os, architecture, variant) in platforms {
        let name = format!("{os}-{architecture}-{variant}");
        let mut content = Content::of(&[tar(&[(&name, b"")])]);
        content.config["os"] = json!(os);
        content.config["architecture"] = json!(architecture);
        content.describe();
        served.0.extend(content.served().0);
        let mut entry = describe(OCI_MANIFEST, &content.text());
        entry["platform"] = json!({"os": os, "architecture": architecture});
        if !variant.is_empty() {
            entry["platform"]["variant"] = json!(variant);
        }
        manifests.push(entry);
    }
    let text = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}).to_string();
    served.manifest("1", OCI_INDEX, text.into_bytes());
    served
}

#[test]
fn l27_an_index_without_our_platform_tells_which_it_has() {
    if !as_root() {
        return;
    }
    let mut here = Here::new();
    here.options.platform = Some("linux/amd64".parse().unwrap());
    let server =
        serve(index(&[("linux", "s390x", ""), ("windows", "amd64", ""), ("unknown", "unknown", "")]));
    let error = here.refused(&format!("{}/x:1", server.host));
    let expected = "no matching manifest for linux/amd64 in the manifest list entries: \
                    there are linux/s390x, windows/amd64";
    assert_eq!(error, expected);
}

#[test]
fn l27_the_platform_decides_and_the_newest_variant_that_runs_wins() {
    if !as_root() {
        return;
    }
    let all = [
        ("unknown", "unknown", ""),
        ("linux", "arm", "v5"),
        ("linux", "arm", "v6"),
        ("linux", "arm", "v8"),
        ("linux", "arm64", "v8"),
        ("linux", "amd64", ""),
    ];
    let server = serve(index(&all));
    let cases = [
        ("linux/arm/v7", "linux-arm-v6"),
        ("linux/arm", "linux-arm-v6"),
        ("linux/arm64", "linux-arm64-v8"),
        ("linux/x86_64", "linux-amd64-"),
        ("linux/amd64/v3", "linux-amd64-"),
    ];
    for (asked, expected) in cases {
        let mut here = Here::new();
        here.options.platform = Some(asked.parse().unwrap());
        let image = here.pull(&format!("{}/x:1", server.host)).unwrap();
        let tree = here.store.layer(&image.layers[0].chain_id);
        assert!(tree.join(expected).exists(), "{asked}");
    }
}

#[test]
fn l27_a_single_manifest_must_be_for_the_platform_that_was_asked_for() {
    if !as_root() {
        return;
    }
    let mut here = Here::new();
    here.options.platform = Some("linux/arm64".parse().unwrap());
    let server = serve(Content::tiny().served());
    let error = here.refused(&format!("{}/x:1", server.host));
    assert_eq!(error, "no matching manifest for linux/arm64: the image is for linux/amd64");
}

#[test]
fn l27_an_index_in_an_index_has_an_end() {
    if !as_root() {
        return;
    }
    for (depth, works) in [(4, true), (5, false)] {
        let content = Content::tiny();
        let mut served = content.served();
        let mut inner = describe(OCI_MANIFEST, &content.text());
        for _ in 0..depth {
            let text = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [inner]}).to_string();
            inner = describe(OCI_INDEX, text.as_bytes());
            let digest = inner["digest"].as_str().unwrap().to_owned();
            served.manifest(&digest, OCI_INDEX, text.clone().into_bytes());
            served.manifest("1", OCI_INDEX, text.into_bytes());
        }
        let server = serve(served);
        let (here, name) = (Here::new(), format!("{}/x:1", server.host));
        match works {
            true => drop(here.pull(&name).unwrap()),
            false => assert!(here.refused(&name).contains("leads to another one more than 4 times")),
        }
    }
}

#[test]
fn l28_a_document_is_an_index_or_a_manifest() {
    if !as_root() {
        return;
    }
    let mut content = Content::tiny();
    content.manifest["manifests"] = json!([]);
    let error = refused(&content);
    assert!(error.contains("it has both \"manifests\" and \"layers\""), "{error}");

    for (told, own) in
        [(OCI_INDEX, OCI_MANIFEST), (DOCKER_MANIFEST, OCI_MANIFEST), (OCI_MANIFEST, DOCKER_INDEX)]
    {
        let mut content = changed("/mediaType", json!(own));
        content.manifest_type = told;
        let error = refused(&content);
        assert!(error.contains(&format!("it was sent as {told}, but calls itself {own}")), "{error}");
    }
    // A manifest that is called an index, and says nothing itself.
    let mut content = Content::tiny();
    content.manifest.as_object_mut().unwrap().remove("mediaType");
    content.manifest_type = OCI_INDEX;
    let error = refused(&content);
    assert!(error.contains("neither an index nor a manifest"), "{error}");
}

#[test]
fn l28_schema_1_is_no_longer_supported() {
    if !as_root() {
        return;
    }
    let mut content = changed("/schemaVersion", json!(1));
    content.manifest.as_object_mut().unwrap().remove("mediaType");
    content.manifest_type = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let error = refused(&content);
    assert!(error.contains("schema 1 is no longer supported"), "{error}");
}

#[test]
fn l28_strange_json_is_one_bounded_error() {
    if !as_root() {
        return;
    }
    let good = String::from_utf8(Content::tiny().text()).unwrap();
    let twice = good.replacen("{", "{\"layers\":[],", 1);
    let deep = format!("{{\"schemaVersion\":2,\"layers\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let junk = format!("{{\"schemaVersion\":\"{}\u{1b}\"}}", "x".repeat(1 << 20));
    for text in
        [twice, deep, format!("\u{feff}{good}"), junk, String::new(), "[]".into(), "null".into(), "\0".into()]
    {
        let mut served = Served::default();
        served.manifest("1", OCI_MANIFEST, text.into_bytes());
        let error = refused_as(served);
        assert!(error.len() < 1000, "{error}");
    }
}

#[test]
fn l28_the_same_layer_twice_is_fetched_once() {
    if !as_root() {
        return;
    }
    let archive = tar(&[("a", b"a")]);
    let (here, content) = (Here::new(), Content::of(&[archive.clone(), archive.clone()]));
    assert_eq!(content.layers[0], gzip(&archive));
    let server = serve(content.served());
    let image = here.pull(&format!("{}/x:1", server.host)).unwrap();
    assert_eq!(server.count(&content.layer_path(0)), 1);
    assert_ne!(image.layers[0].chain_id, image.layers[1].chain_id);
}
