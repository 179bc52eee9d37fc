//! Every program that a test asks for stands in the table of what `tests/run` brings.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The Debian packages that the sources name: in `have(&[("program", "package")])` and in the reason of a test
/// that does not run.
fn asked_for(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            asked_for(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for part in text.split("have(&[").skip(1) {
                let list = part.split(']').next().unwrap();
                found.extend(list.split('"').skip(3).step_by(4).map(str::to_owned));
            }
            for part in text.split("is missing: apt-get install ").skip(1) {
                let end = part.find(|sign: char| !(sign.is_ascii_alphanumeric() || "-.+".contains(sign)));
                found.insert(part[..end.unwrap_or(part.len())].to_owned());
            }
        }
    }
}

#[test]
fn every_package_that_a_test_asks_for_is_brought() {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let table = fs::read_to_string(tree.join("tests/parts/need")).unwrap();
    let brought: BTreeSet<&str> = table.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    let mut asked = BTreeSet::new();
    for folder in ["steps", "tests", "workshop"] {
        asked_for(&tree.join(folder), &mut asked);
    }
    assert!(asked.len() > 10, "nothing was read: {asked:?}");
    // On every Debian, and what only level `all` asks for: a person brings Docker and podman.
    for known in ["bash", "coreutils", "perl-base", "", "docker.io", "containerd", "podman"] {
        asked.remove(known);
    }
    let missing: Vec<_> = asked.iter().filter(|package| !brought.contains(package.as_str())).collect();
    assert!(missing.is_empty(), "add to tests/parts/need: {missing:?}");
}
