//! The answers to the exercises of chapter 05 that are code: they compile, and they hold.

use std::fs;
use std::process::Output;

use nix::unistd::geteuid;
use support::command;
use tempfile::TempDir;

fn answer(words: &[&str]) -> String {
    let Output { status, stdout, stderr } =
        command(env!("CARGO_BIN_EXE_step05-answers")).args(words).output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

#[test]
fn all_ranges_of_a_user_are_mapped_without_a_gap() {
    let folder = TempDir::with_prefix("coracle-step05-").unwrap();
    let file = folder.path().join("subuid");
    fs::write(&file, "me:100000:10\nmen:5:5\nyou:300000:7\nme:200000:20\n").unwrap();
    assert_eq!(answer(&["ranges", file.to_str().unwrap(), "me"]), "1 100000 10\n11 200000 20\n");
}

#[test]
fn with_an_identical_map_one_is_oneself_and_has_no_capability() {
    let uid = geteuid();
    assert_eq!(
        answer(&["self", "cat", "/proc/self/uid_map"]).split_whitespace().collect::<Vec<_>>(),
        [uid.to_string(), uid.to_string(), "1".to_owned()]
    );
    // What has the id 0 has all of them again after an exec.
    if !uid.is_root() {
        let status = answer(&["self", "cat", "/proc/self/status"]);
        assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
    }
}
