//! `step01 lsns` beside the `lsns` of util-linux, where neither sees anything but fixtures.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::Stdio;

use serde_json::Value;
use support::{Background, command, not_run, program};

/// In a pid namespace with a /proc of its own: three sleepers, and both programs on them. Each
/// sleeper is waited for, since `unshare` first is, and only then becomes, what it shall be.
const SCRIPT: &str = r#"
unshare --uts sleep 60 & one=$!
unshare --ipc --net sleep 60 & two=$!
unshare --user --mount sleep 60 & three=$!
for pid in $one $two $three; do
    until [ "$(cat /proc/$pid/comm)" = sleep ]; do sleep 0.01; done
done
"$@"
"#;

/// What the program prints in there.
fn run(words: &[&str]) -> Option<Value> {
    let (Some(unshare), Some(_)) = (program("unshare"), program("lsns")) else {
        not_run("unshare or lsns is missing: apt-get install util-linux");
        return None;
    };
    let mut unshare = command(unshare);
    unshare.args(["--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    let output = unshare.args(["sh", "-c", SCRIPT, "sh"]).args(words).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}")))
}

/// Both lists from one and the same place.
fn both(kind: &str) -> Option<[Value; 2]> {
    let one = format!(r#"echo '['; "$0" lsns --json {kind}; echo ','; lsns --json {kind}; echo ']'"#);
    let pair = run(&["sh", "-c", &one, env!("CARGO_BIN_EXE_step01")])?;
    Some([pair[0].clone(), pair[1].clone()])
}

/// Type, inode, and how many live there.
fn rows(list: &Value) -> BTreeSet<(String, u64, u64)> {
    let mut rows = BTreeSet::new();
    // util-linux puts a namespace that others depend on around them, as `children`.
    let mut waiting: Vec<&Value> = list["namespaces"].as_array().unwrap().iter().collect();
    while let Some(row) = waiting.pop() {
        waiting.extend(row["children"].as_array().into_iter().flatten());
        let number = |key: &str| row[key].as_u64().unwrap_or_else(|| panic!("no {key} in {row}"));
        let is_new = rows.insert((row["type"].as_str().unwrap().to_owned(), number("ns"), number("nprocs")));
        assert!(is_new, "listed twice: {row}");
    }
    rows
}

#[test]
fn the_list_is_that_of_util_linux() {
    let Some([ours, theirs]) = both("") else { return };
    let ours = rows(&ours);
    assert_eq!(ours, rows(&theirs), "ours on the left");
    let of = |kind: &str| ours.iter().filter(|(name, ..)| name == kind).count();
    assert_eq!(["user", "mnt", "uts", "ipc", "net", "pid"].map(of), [2, 2, 2, 2, 2, 1]);
}

#[test]
fn one_type_is_listed_alone() {
    for kind in ["user", "mnt", "uts", "ipc", "net", "pid", "cgroup", "time"] {
        let Some([ours, theirs]) = both(&format!("--type {kind}")) else { return };
        assert_eq!(rows(&ours), rows(&theirs), "ours on the left");
        assert!(rows(&ours).iter().all(|(name, ..)| name == kind));
    }
}

#[test]
fn the_oldest_process_stands_for_its_namespace() {
    let Some([ours, theirs]) = both("--type pid") else { return };
    let first = |list: &Value| list["namespaces"][0].clone();
    for key in ["pid", "user", "command"] {
        assert_eq!(first(&ours)[key], first(&theirs)[key]);
    }
}

#[test]
fn a_command_line_cannot_play_with_the_terminal() {
    let name = "\u{1b}[31m\nred \"\\\u{9f}\u{7f}é";
    let mut unshare = command(env!("CARGO_BIN_EXE_step01"));
    unshare.args(["unshare", "--map-root-user", "--uts", "sh", "-c", "echo; read line; :", name]);
    let unshare = unshare.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut fixture = Background::spawn(unshare).unwrap();
    fixture.child().stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();

    let lsns = |words: &[&str]| {
        let output =
            command(env!("CARGO_BIN_EXE_step01")).args(["lsns", "--type", "uts"]).args(words).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let table = lsns(&[]);
    assert!(table.contains(r"\u{1b}[31m\nred") && !table.contains('\u{1b}'), "{table}");
    let list: Value = serde_json::from_str(&lsns(&["--json"])).unwrap();
    let mut rows = list["namespaces"].as_array().unwrap().iter();
    assert!(rows.any(|row| row["command"].as_str().unwrap().ends_with(name)), "{list}");
}
