//! What is left of volumes by those who were killed, and by a power cut.

use std::fs::{self, File};

use rustix::fs::{FlockOperation, flock};

use crate::kit::{Boat, Image, names};

fn boat() -> Option<Boat> {
    Some(Boat::holding(&Image::usual()?))
}

#[test]
fn h1_what_the_killed_have_left_of_volumes_goes_with_the_next_command() {
    let Some(boat) = boat() else { return };
    boat.coracle("volume create vol").ok();
    let folder = boat.root().join("volumes");
    for words in ["ps", "volume create vol", "volume ls", "volume create other"] {
        for name in [".new-abcdef/_data", ".gone-abcdef/_data/folder"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        let ours = File::open(folder.join(".gone-abcdef")).unwrap();
        // Somebody is at it just now, and goes on.
        flock(&ours, FlockOperation::LockExclusive).unwrap();
        boat.coracle(words).ok();
        assert!(folder.join(".gone-abcdef/_data/folder").exists(), "{words}");
        drop(ours);
        boat.coracle("ps").ok();
        assert!(names(&folder).iter().all(|name| !name.starts_with('.')), "{words}: {:?}", names(&folder));
    }
    // One that was called like another one, of which something is left.
    for _ in 0..2 {
        fs::create_dir_all(folder.join(".gone-vol/_data")).unwrap();
        boat.coracle("volume create vol").ok();
        boat.coracle("volume rm vol").ok();
    }
}

#[test]
fn a_volume_with_the_longest_name_can_be_removed() {
    let boat = Boat::empty();
    let name = "v".repeat(255);
    boat.coracle(&format!("volume create {name}")).ok();
    assert_eq!(boat.coracle(&format!("volume rm {name}")).ok(), name);
    assert_eq!(names(&boat.root().join("volumes")), Vec::<String>::new());
}

#[test]
fn h3_a_volume_of_which_a_power_cut_has_cut_the_label_is_still_there() {
    let Some(boat) = boat() else { return };
    boat.sh("-v vol:/v", "echo kept >/v/file").ok();
    for text in ["", "{\"created\": 1"] {
        fs::write(boat.root().join("volumes/vol/volume.json"), text).unwrap();
        assert_eq!(boat.coracle("volume ls --quiet").ok(), "vol");
        assert_eq!(boat.sh("-v vol:/v", "cat /v/file").ok(), "kept");
    }
    boat.coracle("volume rm vol").ok();
}
