//! Images that are not what they say: L20, L22, L23 and L26 of the attacks.

use crate::kit::image::{Content, Served, tar};
use crate::kit::server::Server;
use crate::kit::{Here, as_root};
use serde_json::{Value, json};

const OF_NOTHING: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

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

#[test]
fn l22_a_blob_with_other_content_is_refused() {
    if !as_root() {
        return;
    }
    let content = Content::tiny();
    let mut served = content.served();
    let mut other = content.layers[0].clone();
    other[20] ^= 1;
    served.0.get_mut(&content.layer_path(0)).unwrap().body = other;
    let error = refused_as(served);
    assert!(error.contains("has other content: its digest is sha256:"), "{error}");
}

#[test]
fn l22_a_blob_of_another_size_is_refused() {
    if !as_root() {
        return;
    }
    let size = Content::tiny().layers[0].len();
    let error = refused(&changed("/layers/0/size", json!(size - 1)));
    assert!(error.contains(&format!("is longer than the {} bytes", size - 1)), "{error}");
    let server = serve(changed("/layers/0/size", json!(size + 1)).served());
    let error = Here::new().broken_off(&format!("{}/x:1", server.host));
    assert!(error.contains(&format!("it ended after {size} bytes")), "{error}");
    for size in [json!(-1), json!("7"), json!(1.5), json!(null)] {
        let error = refused(&changed("/layers/0/size", size));
        assert!(error.contains("not a valid document"), "{error}");
    }
    let error = refused(&changed("/config/size", json!(5 << 20)));
    assert!(error.contains("is longer than 4194304 bytes"), "{error}");
}

#[test]
fn l22_a_layer_with_another_diff_id_is_refused() {
    if !as_root() {
        return;
    }
    let mut content = Content::of(&[tar(&[("a", b"a")]), tar(&[("b", b"b")])]);
    content.config["rootfs"]["diff_ids"][1] = json!(OF_NOTHING);
    content.describe();
    let error = refused(&content);
    assert!(error.contains("layer 2: ") && error.contains(OF_NOTHING), "{error}");
}

/// The tree of the layer that the image claims is here already, from an honest image: then it is not unpacked again.
#[test]
fn l22_a_layer_with_another_diff_id_is_refused_also_where_that_tree_is_here() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    let honest = serve(Content::tiny().served());
    here.pull(&format!("{}/x:1", honest.host)).unwrap();

    let mut content = Content::of(&[tar(&[("hello", b"other\n")])]);
    content.config = Content::tiny().config;
    content.describe();
    let server = serve(content.served());
    let reference = format!("{}/x:1", server.host);
    let error = here.pull(&reference).unwrap_err();
    assert!(error.contains("layer 1: the uncompressed content has the digest"), "{error}");
    assert_eq!(here.store.find(&reference).unwrap(), None, "it has a name");
    // Another archive around the same content is honest.
    let mut content = Content::tiny();
    content.layers[0] = tar(&[("hello", b"hello\n")]);
    content.describe();
    let server = serve(content.served());
    here.pull(&format!("{}/x:1", server.host)).unwrap();
}

#[test]
fn l22_as_many_diff_ids_as_layers() {
    if !as_root() {
        return;
    }
    for count in [0, 2] {
        let mut content = Content::tiny();
        content.config["rootfs"]["diff_ids"] = json!(vec![OF_NOTHING; count]);
        content.describe();
        let error = refused(&content);
        assert!(error.contains(&format!("has 1 layers, but its config has {count} diff_ids")), "{error}");
    }
}

#[test]
fn l23_a_digest_is_refused_by_its_grammar() {
    if !as_root() {
        return;
    }
    let upper = OF_NOTHING.to_uppercase().replace("SHA", "sha");
    let bad = ["sha256:../../x", "md5:d41d8cd98f00b204e9800998ecf8427e", "", &upper, &OF_NOTHING[..70]];
    for digest in bad {
        for pointer in ["/layers/0/digest", "/config/digest"] {
            let error = refused(&changed(pointer, json!(digest)));
            assert!(error.contains("invalid digest"), "{error}");
        }
    }
    let mut content = Content::tiny();
    content.config["rootfs"]["diff_ids"][0] = json!("sha256:../../x");
    content.describe();
    let error = refused(&content);
    assert!(error.contains("invalid digest"), "{error}");
}

#[test]
fn l20_the_first_bytes_tell_how_a_layer_is_packed() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    let mut content = Content::tiny();
    let archive = tar(&[("hello", b"hello\n")]);
    content.layers = vec![archive];
    content.describe();
    let server = serve(content.served());
    here.pull(&format!("{}/x:1", server.host)).unwrap();
}

#[test]
fn l25_as_many_layers_as_overlayfs_stacks() {
    if !as_root() {
        return;
    }
    let of = |count| Content::of(&vec![tar(&[("a", b"a")]); count]);
    let (here, server) = (Here::new(), serve(of(127).served()));
    let image = here.pull(&format!("{}/x:1", server.host)).unwrap();
    assert_eq!((image.layers.len(), here.below("layers").len()), (127, 127));

    let content = of(501);
    let (here, server) = (Here::new(), serve(content.served()));
    let error = here.refused(&format!("{}/x:1", server.host));
    assert!(error.ends_with("has 501 layers: overlayfs stacks at most 500"), "{error}");
    assert_eq!(server.count(&content.layer_path(0)), 0);
}

#[test]
fn l26_layers_that_are_somewhere_else_are_refused_and_never_fetched() {
    if !as_root() {
        return;
    }
    let elsewhere = Server::start(|_| panic!("asked"));
    let kinds = [
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "not in the registry"),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "not in the registry"),
        ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "unknown kind"),
        ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", "unknown kind"),
        ("\u{1b}[31m", "\\u{1b}[31m"),
        ("", "unknown kind"),
    ];
    for (kind, expected) in kinds {
        let mut content = changed("/layers/0/mediaType", json!(kind));
        content.manifest["layers"][0]["urls"] = json!([format!("http://{}/layer", elsewhere.host)]);
        let error = refused(&content);
        assert!(error.contains("layer 1") && error.contains(expected), "{error}");
    }
    assert!(elsewhere.asked().is_empty());
}

#[test]
fn l26_what_is_no_container_image_is_named() {
    if !as_root() {
        return;
    }
    for kind in ["application/vnd.cncf.helm.config.v1+json", "application/vnd.wasm.config.v0+json", ""] {
        let error = refused(&changed("/config/mediaType", json!(kind)));
        assert!(error.contains("not a container image") && error.contains(kind), "{error}");
    }
    let mut content = changed("/config/mediaType", json!("application/vnd.oci.empty.v1+json"));
    content.manifest["artifactType"] = json!("application/spdx+json");
    let error = refused(&content);
    assert!(error.contains("not a container image: application/spdx+json"), "{error}");
}

#[test]
fn l34_what_a_config_says_is_data_however_odd() {
    if !as_root() {
        return;
    }
    let mut content = Content::tiny();
    content.config["config"] = json!({
        "Env": null, "Cmd": "one word", "Entrypoint": null, "Labels": {"\u{1b}": "x".repeat(100_000)},
        "Volumes": {"..": null, "/proc": {}}, "ExposedPorts": {"nonsense": 7}, "StopSignal": "BOGUS",
        "Healthcheck": {"Test": ["CMD", "touch", "/tmp/pwned"]}, "OnBuild": ["RUN x"], "Unknown": [[]],
    });
    content.config["history"] = json!(null);
    content.describe();
    let (here, server) = (Here::new(), serve(content.served()));
    let image = here.pull(&format!("{}/x:1", server.host)).unwrap();
    assert_eq!((image.settings.cmd, image.settings.env), (vec!["one word".to_owned()], vec![]));
    assert_eq!(image.settings.volumes.keys().collect::<Vec<_>>(), ["..", "/proc"]);
    assert_eq!(image.settings.stop_signal, "BOGUS");
}
