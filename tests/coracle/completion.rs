//! Completions, read by the shells they are for, and manual pages, read by `man`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::kit::{Boat, have, names, tool};

/// The script for a shell, in a folder of its own.
fn script(boat: &Boat, shell: &str, name: &str) -> PathBuf {
    let folder = boat.path("scripts");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    fs::write(&file, boat.coracle(&format!("completion {shell}")).ok() + "\n").unwrap();
    file
}

#[test]
fn bash_completes_commands_and_options() {
    if !have(&[("bash", "bash")]) {
        return;
    }
    let boat = Boat::empty();
    let file = script(&boat, "bash", "coracle");
    let complete = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let (last, before) = (words.last().unwrap(), words[words.len() - 2]);
        let script = format!(
            "source {}; COMP_WORDS=({line}); COMP_CWORD={}; _coracle coracle '{last}' {before}; echo \"${{COMPREPLY[@]}}\"",
            file.display(),
            words.len() - 1
        );
        tool(&["bash", "--norc", "-c", &script]).trim().to_owned()
    };
    assert_eq!(complete("coracle ins"), "inspect");
    assert_eq!(complete("coracle container ren"), "rename");
    assert_eq!(complete("coracle cp --fol"), "--follow-link");
    assert!(complete("coracle run --vol").starts_with("--volume"), "{}", complete("coracle run --vol"));
}

#[test]
fn fish_completes_commands_and_options() {
    if !have(&[("fish", "fish")]) {
        return;
    }
    let boat = Boat::empty();
    let file = script(&boat, "fish", "coracle.fish");
    let complete = |line: &str| {
        let script = format!("source {}; complete -C '{line}'", file.display());
        tool(&["env", &format!("HOME={}", boat.path("").display()), "fish", "--no-config", "-c", &script])
    };
    assert!(complete("coracle ins").starts_with("inspect\t"), "{}", complete("coracle ins"));
    assert!(complete("coracle container ren").starts_with("rename\t"));
    assert!(complete("coracle cp --fol").starts_with("--follow-link\t"));
}

#[test]
fn zsh_completes_commands() {
    if !have(&[("zsh", "zsh")]) {
        return;
    }
    let boat = Boat::empty();
    let file = script(&boat, "zsh", "_coracle");
    // A shell in a terminal of its own, with somebody who types.
    let typist = boat.path("typist");
    let folder = file.parent().unwrap().display();
    let lines = format!(
        "zmodload zsh/zpty
         zpty z zsh -f -i
         zpty -w z \"PS1=; fpath=({folder} \\$fpath); autoload -Uz compinit; compinit -u -D; echo rea''dy\"
         zpty -r z out '*ready*'
         zpty -w -n z $'coracle ins\\t'
         zpty -r z out '*inspect*' && print -r -- completed
         zpty -d z"
    );
    fs::write(&typist, lines).unwrap();
    let said = tool(&["timeout", "20", "zsh", "-f", &typist.display().to_string()]);
    assert_eq!(said.trim(), "completed");
}

#[test]
fn manual_has_a_page_for_each_command() {
    let boat = Boat::empty();
    let folder = boat.path("man");
    boat.coracle(&format!("man {}", folder.display())).ok();
    let pages = names(&folder);
    for page in
        ["coracle.1", "coracle-run.1", "coracle-cp.1", "coracle-container.1", "coracle-container-prune.1"]
    {
        assert!(pages.contains(&page.to_owned()), "{pages:?}");
    }
    assert!(!pages.iter().any(|page| page.contains("monitor") || page.contains("-man")), "{pages:?}");
    if !have(&[("man", "man-db")]) {
        return;
    }
    let read = |page: &str| tool(&["env", "MANWIDTH=100", "man", "-P", "cat", "-l", &path(&folder, page)]);
    let page = read("coracle-cp.1");
    for text in
        ["coracle-cp - Copy files between a container and this machine", "-L, --follow-link", "SYNOPSIS"]
    {
        assert!(page.contains(text), "{page}");
    }
    assert!(read("coracle.1").contains("coracle-run(1)"));
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

#[test]
fn what_needs_control_groups_says_so() {
    let boat = Boat::empty();
    for words in ["pause x", "unpause x", "stats --no-stream", "update --memory 5m x", "container pause x"] {
        boat.coracle(words).failed(1, "is not there yet: it needs control groups, which come with step 08");
    }
}

#[test]
fn version_and_info_have_dockers_names() {
    let boat = Boat::empty();
    let version = env!("CARGO_PKG_VERSION");
    assert!(boat.coracle("version").ok().contains(&format!("\n Version:           {version}\n")));
    assert_eq!(
        boat.coracle("version --format {{.Server.Version}}/{{.Client.Os}}").ok(),
        format!("{version}/linux")
    );
    assert_eq!(boat.coracle("info --format {{.Containers}}/{{.Driver}}").ok(), "0/overlay2");
    assert!(boat.coracle("system info").ok().contains("\nImages: 0\n"));
    boat.coracle("version --format {{").failed(64, "template parsing error");
}
