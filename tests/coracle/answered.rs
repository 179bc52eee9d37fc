//! What is not as with Docker, and what could go wrong unseen: it is said.

use std::fs;
use std::os::unix::ffi::OsStrExt;

use serde_json::json;

use crate::kit::{Boat, Image, Ran, names};

fn boat() -> Option<Boat> {
    Some(Boat::holding(&Image::usual()?))
}

#[test]
fn folder_whose_name_is_no_text_is_not_made_up() {
    let Some(boat) = boat() else { return };
    let folder = boat.path("folder");
    let strange = folder.join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir_all(&strange).unwrap();
    for option in [["-v", ".:/src"], ["--mount", "type=bind,src=.,dst=/src"]] {
        let words = ["run", "--rm", "--network=none", option[0], option[1], &boat.image, "true"];
        Ran::of(boat.command(words).current_dir(&strange)).failed(125, "its name is not UTF-8");
    }
    assert_eq!(names(&folder).len(), 1);
    boat.assert_no_container();
}

#[test]
fn socket_of_a_daemon_that_is_not_there_is_not_made() {
    let Some(boat) = boat() else { return };
    let socket = boat.path("docker.sock");
    let mount = format!("{}:/var/run/docker.sock", socket.display());
    boat.run_with("-v", &mount, "true")
        .failed(125, "there is no daemon here, and nobody listens at such a socket");
    assert!(!socket.exists());
    // An id that is written already: nothing is made for a container that will not be.
    let (id, new) = (boat.path("id"), boat.path("new"));
    fs::write(&id, "").unwrap();
    boat.sh(&format!("--cidfile {} -v {}:/new", id.display(), new.display()), "true")
        .failed(125, "container ID file found");
    assert!(!new.exists());
}

#[test]
fn what_will_not_be_as_one_expects_is_said() {
    let Some(image) = Image::busybox(json!({"Healthcheck": {"Test": ["CMD", "true"]}})) else { return };
    let boat = Boat::holding(&image);
    boat.sh("", "true").ok();
    let ran = boat.run("--name box", &["true"]);
    assert!(ran.code == 0 && ran.err.contains("check of its health is not made"), "{ran:?}");
    boat.run("--no-healthcheck", &["true"]).ok();
    // `-u $(id -u)` is a stranger where somebody else than root starts containers.
    let folder = boat.path("src");
    fs::create_dir(&folder).unwrap();
    let mine = |options: &str| {
        let user = nix::unistd::geteuid();
        boat.sh(&format!("--no-healthcheck -u {user}:{user} -v {}:/src{options}", folder.display()), "id -u")
    };
    match nix::unistd::geteuid().is_root() {
        true => drop(mine("").ok()),
        false => {
            assert!(mine("").err.contains("leave --user out, and the files are yours"));
            mine(":ro").ok();
        }
    }
}

#[test]
fn ports_that_nothing_leads_to_are_listed_as_well() {
    let exposed = json!({"ExposedPorts": {"443/tcp": {}, "80/tcp": {}, "81/tcp": {}, "nonsense": {}}});
    let Some(image) = Image::busybox(exposed) else { return };
    let boat = Boat::holding(&image);
    let ran = Ran::of(&mut boat.command(["run", "-d", "--expose=53/udp", &boat.image, "sleep", "1000"]));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(boat.coracle("ps --format {{.Ports}}").ok(), "53/udp, 80-81/tcp, 443/tcp");
    assert_eq!(boat.coracle("ps -q --filter expose=81").ok().len(), 12);
    assert_eq!(boat.coracle("ps -q --filter publish=81").ok(), "");
}
