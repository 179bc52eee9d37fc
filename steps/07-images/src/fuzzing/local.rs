//! The same for what is written on command lines and in files of ours, and for what the files of an image say.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::json;
use step04_mount::Contained;
use step06_net::{AddHost, Publish};

use super::{in_folder, is_below_root, is_inside};
use crate::commands::{self, Expose, signal::Named};
use crate::container::{self, Sysctl, Ulimit};
use crate::manifest::Platform;
use crate::monitor::{detach::DetachKeys, frames::Frames, restart::Restart};
use crate::records::{self, Containers};
use crate::template::Template;
use crate::{credentials, glob, human, moment, names};

/// Docker's file with the logins, which may be podman's too.
pub fn logins(bytes: &[u8]) {
    credentials::take_apart(bytes);
}

/// The words behind `-p`, `-v`, `--mount`, `--tmpfs`, `--since` and others, each read by all who read any.
pub fn options(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(mount) = container::mount_option(text) {
        is_below_root(&mount.target);
        let again = container::settle_mount(text).and_then(|text| container::mount_option(&text));
        assert_eq!(again.map(|again| again.target).ok(), Some(mount.target), "{text:?}");
    }
    for read in [container::volume_option, container::tmpfs_option] {
        let _ = read(text).map(|mount| is_below_root(&mount.target));
    }
    let _ = container::settle_volume(text);
    let _ = text.parse::<Publish>().map(|publish| assert!(!publish.container.is_empty()));
    let _ = text.parse::<Sysctl>().map(|sysctl| is_inside(Path::new(&sysctl.name)));
    let _ = (text.parse::<Expose>(), text.parse::<Ulimit>(), text.parse::<Platform>());
    let _ = (text.parse::<Named>(), text.parse::<Restart>(), text.parse::<DetachKeys>());
    let _ = (text.parse::<AddHost>(), human::bytes(text), names::registry(text));
    let _ = moment::nanoseconds(text, 0).map(moment::nine_digits);
    let (pattern, name) = text.split_once(' ').unwrap_or((text, text));
    let _ = glob::fits(pattern, name);
}

/// A file for `--env-file` or `--label-file`: each line has a name, and can be handed to a program.
pub fn variables(bytes: &[u8]) {
    for line in container::lines_of(bytes, false).into_iter().flatten() {
        assert!(!line.as_encoded_bytes().starts_with(b"=") && !line.as_encoded_bytes().contains(&0));
    }
}

/// A template for `--format`.
pub fn template(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(template) = Template::parse(text) else { return };
    // Whoever writes loops within loops waits as long as he wants.
    if text.len() > 256 || text.matches("range").count() > 1 {
        return;
    }
    let row =
        json!({"ID": "0123", "Names": "box é", "Labels": {"a": "1"}, "Ports": [80, -1.5e300], "State": null});
    let labels = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
    let _ = (template.render(&row), template.render_row(&row, &labels), template.render_header(&row));
}

/// A log, of which any part may be missing.
pub fn log(bytes: &[u8]) {
    in_folder(|folder| {
        let file = folder.join("log");
        let _ = fs::write(&file, bytes);
        assert!(commands::read_log(&file) <= bytes.len());
    });
}

/// Who somebody is, by the files of an image: a name, /etc/passwd and /etc/group, each ended by a NUL.
pub fn users(bytes: &[u8]) {
    let mut parts = bytes.splitn(3, |byte| *byte == 0);
    let user = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    in_folder(|folder| {
        let _ = fs::create_dir(folder.join("etc"));
        for name in ["etc/passwd", "etc/group"] {
            let _ = fs::write(folder.join(name), parts.next().unwrap_or_default());
        }
        let Ok(root) = fs::File::open(folder) else { return };
        if let Ok(ids) =
            container::resolve_user(&user, std::slice::from_ref(&user), &Contained::new(root.into()))
        {
            let all = ids.groups.iter().map(|gid| gid.as_raw()).chain([ids.uid.as_raw(), ids.gid.as_raw()]);
            assert!(all.into_iter().all(|id| id <= i32::MAX as u32), "{user:?}");
        }
    });
}

/// What is written down of a container: its config, and behind a NUL its state.
pub fn record(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let id = "0".repeat(64);
    in_folder(|folder| {
        let directory = folder.join("containers").join(&id);
        let _ = fs::create_dir_all(&directory);
        for name in ["config.json", "state.json"] {
            let _ = fs::write(directory.join(name), parts.next().unwrap_or_default());
        }
        let _ = fs::write(directory.join("words"), "run");
        let Ok(containers) = Containers::open(folder) else { return };
        for record in containers.all().into_iter().flatten() {
            assert_eq!(record.id, id);
            let _ = (moment::rfc3339(Some(record.created)), human::ago(records::now() - record.created));
            let _ = record.state.running_pid();
        }
        let _ = fs::remove_dir_all(&directory);
    });
}

/// What those send who attach.
pub fn frames(bytes: &[u8]) {
    let (mut frames, mut source, mut length) = (Frames::default(), bytes, 0);
    while frames.read_from(&mut source).is_ok_and(|more| more) {
        while let Ok(Some((_, payload))) = frames.take() {
            length += payload.len();
        }
    }
    assert!(length <= bytes.len());
}
