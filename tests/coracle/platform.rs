//! `--platform` of images that are here, and `images --tree`: what Docker takes, answered.

use serde_json::json;

use crate::kit::{Boat, Image};

const ANOTHER: &str =
    "was found but does not match the specified platform: wanted linux/s390x, actual: linux/amd64";

#[test]
fn platform_of_an_image_that_is_here_must_be_its_own() {
    let boat = Boat::holding(&Image::small(json!({})));
    let archive = boat.path("archive.tar");
    let archive = archive.to_str().unwrap();
    for words in ["history", "save --output ARCHIVE", "image inspect"] {
        let words = words.replace("ARCHIVE", archive);
        boat.coracle(&format!("{words} --platform linux/s390x box:1")).failed(1, ANOTHER);
        boat.coracle(&format!("{words} --platform nonsense box:1")).failed(125, "invalid platform");
        boat.coracle(&format!("{words} --platform linux/amd64 box:1")).ok();
    }
    boat.coracle("inspect --platform linux/amd64 --type container box:1").failed(1, "--platform");

    boat.coracle("rmi --platform linux/s390x box:1").failed(1, ANOTHER);
    boat.coracle("rmi --platform linux/s390x,linux/386 box:1").failed(1, "wanted linux/s390x, linux/386");
    boat.coracle("rmi --platform linux/s390x --platform linux/amd64 box:1").ok();

    let there = "it has no image for linux/s390x: there are linux/amd64";
    boat.coracle(&format!("load --input {archive} --platform linux/s390x")).failed(1, there);
    assert_eq!(boat.coracle("images --quiet").ok(), "");
    boat.coracle(&format!("load --input {archive} --platform linux/amd64")).ok();
    assert_eq!(boat.coracle("images --format {{.Repository}}").ok(), "box");
}

#[test]
fn tree_of_platforms_is_named_and_refused() {
    let boat = Boat::holding(&Image::small(json!({})));
    boat.coracle("images --tree").failed(1, "--tree is not there: an image is for one platform here");
    boat.coracle("image ls --tree").failed(1, "image inspect --format '{{.Os}}/{{.Architecture}}' IMAGE");
}
