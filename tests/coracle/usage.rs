//! The command line itself (I1).

use crate::kit::{Boat, Ran};

#[test]
fn i1_nothing_at_all_is_a_question_for_help() {
    let Some(boat) = Boat::new() else { return };
    let help = boat.coracle("").ok();
    for verb in ["run", "pull", "images", "rmi", "ps", "rm"] {
        assert!(help.contains(&format!("\n  {verb} ")), "{help}");
        assert!(boat.coracle(&format!("{verb} --help")).ok().contains("Usage:"));
    }
    assert_eq!(boat.coracle("--version").ok(), format!("coracle {}", env!("CARGO_PKG_VERSION")));
    assert!(!boat.root().exists(), "to ask is not to begin");
}

#[test]
fn i1_too_few_or_too_many_words_and_unknown_commands_are_1() {
    let Some(boat) = Boat::new() else { return };
    boat.coracle("swim").failed(1, "unrecognized subcommand 'swim'");
    boat.coracle("ps extra").failed(1, "unexpected argument 'extra' found");
    for verb in ["run", "pull", "rm", "rmi"] {
        let error = boat.coracle(verb).failed(1, "required arguments were not provided");
        assert!(error.ends_with(&format!("\nRun 'coracle {verb} --help' for more information\n")), "{error}");
    }
}

#[test]
fn i1_unknown_flags_and_wrong_values_are_125() {
    let Some(boat) = Boat::new() else { return };
    for words in [
        "run --nope x",
        "pull --nope x",
        "images --nope",
        "ps --nope",
        "rm --nope x",
        "rmi --nope x",
        "run --pull maybe x",
        "run --name",
        "run -p abc x",
        "run -v a:b:c:d x",
        "run --rm=maybe x",
        "run --platform nonsense x",
        "run --network nope x",
        "pull --tls-verify perhaps x",
    ] {
        let verb = words.split(' ').next().unwrap();
        let error = boat.coracle(words).failed(125, "");
        assert!(error.ends_with(&format!("\nRun 'coracle {verb} --help' for more information\n")), "{error}");
    }
    boat.coracle("--nope").failed(125, "Run 'coracle --help' for more information");
    assert!(!boat.root().exists());
}

#[test]
fn i1_words_that_are_no_text_are_refused_without_a_panic() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let Some(boat) = Boat::new() else { return };
    let strange = OsStr::from_bytes(b"\xff\xfe");
    for words in [vec![strange], vec![OsStr::new("run"), strange], vec![OsStr::new("rm"), strange]] {
        let ran = Ran::of(&mut boat.command(words));
        assert!(matches!(ran.code, 1 | 125) && ran.err.lines().count() <= 2, "{ran:?}");
    }
}

#[test]
fn state_directory_that_is_not_ours_is_refused() {
    let Some(boat) = Boat::new() else { return };
    let run = |root: &std::path::Path| {
        let mut command = support::command(env!("CARGO_BIN_EXE_coracle"));
        Ran::of(command.arg("--root").arg(root).args(["ps", "--all"]))
    };
    let place = boat.path("full");
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("of"), "something").unwrap();
    run(&place).failed(1, "it is not empty, and it is no image layout");
    run(&place.join("of")).failed(1, "cannot open the image store");
    assert_eq!(std::fs::read_to_string(place.join("of")).unwrap(), "something");
    // A path with everything in it that mount options and names of layouts are cut at.
    let odd = boat.path("a b,c:d\\e\nf");
    let words = ["run", "--rm", "--quiet", "--network=none", &boat.image, "cat", "greeting"];
    let mut command = support::command(env!("CARGO_BIN_EXE_coracle"));
    assert_eq!(Ran::of(command.arg("--root").arg(&odd).args(words)).ok(), "hello from above");
    let mut command = support::command(env!("CARGO_BIN_EXE_coracle"));
    Ran::of(command.arg("--root").arg(&odd).args(["rmi", &boat.image])).ok();
}

#[test]
fn i11_answers_that_nobody_takes_are_no_panic() {
    let Some(boat) = Boat::new() else { return };
    boat.run("--name kept", &["true"]).ok();
    let shell = |redirection: &str, words: &[&str]| {
        let command = boat.command(words);
        let mut shell = support::command("sh");
        shell.args(["-c", redirection, "sh"]).arg(command.get_program()).args(command.get_args());
        Ran::of(shell.env("HOME", boat.path("")))
    };
    let observed = ["run", "--rm", "--observe", "--network=none", &boat.image, "true"];
    for words in [&["ps", "--all"][..], &["images"], &["images", "-q"], &["ps", "-aq"], &["--help"], &[]] {
        let full = shell("\"$@\" >/dev/full", words);
        assert!(full.code != 0 && full.err.lines().count() == 1, "{full:?}");
        assert!(full.err.contains("ENOSPC: No space left on device"), "{full:?}");
        let closed = shell("\"$@\" | true", words);
        assert_eq!((closed.code, &*closed.err), (0, ""), "{words:?}");
    }
    assert_eq!(shell("\"$@\" 2>/dev/full", &observed).code, 0);
    assert_eq!(shell("\"$@\" 2>/dev/full", &["rm", "nobody"]).code, 1);
}

#[test]
fn commands_that_only_docker_has_are_named_with_a_reason() {
    let boat = Boat::empty();
    for (words, reason) in [
        ("build .", "buildah"),
        ("network ls", "one network"),
        ("push x", "skopeo copy"),
        ("compose up", "--network"),
    ] {
        let error = boat.coracle(words).failed(1, "is not part of Coracle");
        assert!(error.contains(reason), "{error}");
    }
    let error = boat.coracle("nonsense").failed(1, "nonsense");
    assert!(!error.contains("not part of"), "{error}");
}

#[test]
fn version_is_told_by_both_names() {
    let version = format!("coracle {}", env!("CARGO_PKG_VERSION"));
    for word in ["-v", "--version"] {
        assert_eq!(
            crate::kit::Ran::of(support::command(env!("CARGO_BIN_EXE_coracle")).arg(word)).ok(),
            version
        );
    }
}
