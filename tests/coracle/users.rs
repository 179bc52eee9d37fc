//! Who the command runs as.

use serde_json::json;
use support::{NotApplicable, Role, not_applicable};

use crate::kit::{Boat, Image, Layer};

/// Whether there are other ids than root's; says so where there are none.
fn others() -> bool {
    let others = Role::here() != Role::RootInUserNamespace;
    if !others {
        not_applicable(NotApplicable::NoSecondId);
    }
    others
}

const WHO: &str = "echo $(id -u):$(id -g) $(id -G) $HOME";

#[test]
fn users_are_found_by_name_number_and_group() {
    if !others() {
        return;
    }
    let Some(boat) = Boat::new() else { return };
    let who = |user: &str| boat.sh(&format!("-u {user}"), WHO).ok();
    assert_eq!(boat.sh("", WHO).ok(), "0:0 0 /root");
    assert_eq!(who("ada"), "1000:1001 1001 29 /home/ada");
    assert_eq!(who("1000"), "1000:1001 1001 29 /home/ada");
    assert_eq!(who("ada:audio"), "1000:29 29 /home/ada");
    assert_eq!(who("ada:0"), "1000:0 0 /home/ada");
    assert_eq!(who("5:6"), "5:6 6 /");
    assert_eq!(who("5"), "5:0 0 /");
}

#[test]
fn user_of_the_image_counts_unless_another_is_asked_for() {
    if !others() {
        return;
    }
    let Some(boat) = Boat::with(&Image::usual().unwrap().set("User", json!("ada"))) else { return };
    assert_eq!(boat.sh("", WHO).ok(), "1000:1001 1001 29 /home/ada");
    assert_eq!(boat.sh("-u root", WHO).ok(), "0:0 0 /root");
    assert_eq!(boat.sh("-e HOME=/mine", WHO).ok(), "1000:1001 1001 29 /mine");
}

#[test]
fn ids_are_seen_from_outside() {
    if !others() {
        return;
    }
    let Some(boat) = Boat::new() else { return };
    let ada = boat.start("--rm -u ada", "sleep 1000");
    let status = support::status(ada.container).unwrap();
    let outside = |map: Vec<[u32; 3]>, id: u32| {
        let range =
            map.into_iter().find(|[inside, _, length]| (*inside..inside + length).contains(&id)).unwrap();
        id - range[0] + range[1]
    };
    let uid = outside(support::uid_map(ada.container).unwrap(), 1000);
    let gid = |id| outside(support::gid_map(ada.container).unwrap(), id);
    assert_eq!(status["Uid"], [uid; 4].map(|id| id.to_string()).join("\t"));
    assert_eq!(status["Gid"], [gid(1001); 4].map(|id| id.to_string()).join("\t"));
    let mut groups: Vec<u32> = status["Groups"].split_whitespace().map(|id| id.parse().unwrap()).collect();
    groups.sort();
    let mut wanted = vec![gid(1001), gid(29)];
    wanted.sort();
    assert_eq!(groups, wanted);
    // Who is not root has no capability.
    assert_eq!(status["CapEff"], "0000000000000000");
    assert_eq!(status["CapPrm"], "0000000000000000");
    assert_ne!(uid, 0);
}

#[test]
fn with_one_id_only_root_can_be_had() {
    let Some(boat) = Boat::new() else { return };
    let ada = boat.sh("-u ada", "true");
    match Role::here() {
        Role::Root | Role::User => drop(ada.ok()),
        Role::RootInUserNamespace => {
            ada.failed(125, "cannot become user 1000: only root has a meaning here");
        }
    }
    assert_eq!(boat.sh("-u 0:0", WHO).ok(), "0:0 0 /root");
    boat.assert_no_container();
}

#[test]
fn l29_users_that_make_no_sense_are_refused_and_never_root() {
    let unknown = "unable to find user nobody: no matching entries in passwd file";
    let range = "uids and gids must be in range 0-2147483647";
    let cases = [
        ("nobody", unknown),
        ("1x", "unable to find user 1x: no matching entries in passwd file"),
        ("0:nobody", "unable to find group nobody: no matching entries in group file"),
        ("-1", range),
        ("4294967296", range),
        ("4294967295", range),
        ("2147483648:0", range),
        ("0:-1", range),
        ("+0", range),
        ("\u{1b}[2J", "unable to find user \\u{1b}[2J"),
    ];
    let Some(usual) = Image::usual() else { return };
    let Some(by_option) = Boat::with(&usual) else { return };
    by_option.sh("", "true").ok();
    for (user, text) in cases {
        by_option.run(&format!("--rm --user={user}"), &["id"]).failed(125, text);
    }
    by_option.assert_no_container();
    for (user, text) in cases {
        let boat = Boat::holding(&usual.clone().set("User", json!(user)));
        boat.run("--rm", &["id"]).failed(125, text);
        boat.assert_no_container();
        boat.run("--rm -u 0", &["id"]).ok();
    }
}

#[test]
fn l29_digits_are_never_a_name() {
    if !others() {
        return;
    }
    let passwd = Layer::new().file("etc/passwd", "root:x:0:0::/root:/bin/sh\n7:x:0:0::/:/bin/sh\n");
    let Some(boat) = Image::busybox(json!({"User": "7"})).and_then(|image| Boat::with(&image.layer(passwd)))
    else {
        return;
    };
    assert_eq!(boat.run("--rm", &["id", "-u"]).ok(), "7");
}

#[test]
fn l29_parts_that_are_empty_mean_root() {
    let Some(boat) = Boat::new() else { return };
    for user in [":", ":0", "0:"] {
        assert_eq!(boat.sh(&format!("-u {user}"), "id -u; id -g").ok(), "0\n0", "{user:?}");
    }
}
