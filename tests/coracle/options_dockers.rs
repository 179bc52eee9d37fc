//! Each option that the help of Docker's commands lists, of the commands that we have: it is ours, or answered by one
//! line that says why not. The list is tests/oracle/recorded/options.txt.

use std::collections::BTreeMap;
use std::fs;

use crate::kit::{Boat, Ran};

/// Ours, though our own help does not list them: they change nothing here, or next to nothing.
const NOT_LISTED: [(&str, &str); 9] = [
    ("", "--config"),
    ("", "--debug"),
    ("", "--log-level"),
    ("create", "--disable-content-trust"),
    ("create", "--no-healthcheck"),
    ("exec", "--detach-keys"),
    ("pull", "--disable-content-trust"),
    ("run", "--disable-content-trust"),
    ("run", "--no-healthcheck"),
];

/// An option of Docker's.
#[derive(Debug, Clone)]
struct Known {
    command: String,
    letter: Option<String>,
    name: String,
    has_value: bool,
}

impl Known {
    /// `run: -d, --detach`, `run: --name string`.
    fn read(line: &str) -> Self {
        let (command, option) = line.split_once(':').unwrap();
        let (letter, option) = match option.trim().split_once(", ") {
            Some((letter, option)) => (Some(letter.to_owned()), option),
            None => (None, option.trim()),
        };
        let (name, value) = option.split_once(' ').unwrap_or((option, ""));
        Self { command: command.to_owned(), letter, name: name.to_owned(), has_value: !value.is_empty() }
    }

    /// The command line up to the option.
    fn said(&self, option: &str) -> Vec<String> {
        let words = self.command.split(' ').filter(|word| !word.is_empty());
        words.chain([option]).map(str::to_owned).collect()
    }
}

fn recorded() -> Vec<Known> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/recorded/options.txt");
    let text = fs::read_to_string(file).unwrap();
    let known = text.lines().skip(1).map(Known::read);
    // Both of its groups have copies of what can be said outside.
    let is_copy = |command: &str| {
        let verb = command.strip_prefix("container ").or(command.strip_prefix("image "));
        verb.is_some_and(|verb| verb != "prune")
    };
    known
        .filter(|known| !is_copy(&known.command) && !["--help", "--version"].contains(&&*known.name))
        .collect()
}

/// The options that our help of a command lists, with their letters; nothing where there is no such command.
fn ours(boat: &Boat, command: &str) -> Option<BTreeMap<String, Option<String>>> {
    let ran = boat.coracle(&format!("{command} --help"));
    if ran.code != 0 || !ran.out.contains("Usage:") {
        return None;
    }
    let option = |line: &str| {
        let words: Vec<&str> =
            line.trim_start().split([' ', '=', '[', ',']).filter(|word| !word.is_empty()).collect();
        match words[..] {
            [name, ..] if name.starts_with("--") => Some((name.to_owned(), None)),
            [letter, name, ..] if letter.starts_with('-') && name.starts_with("--") => {
                Some((name.to_owned(), Some(letter.to_owned())))
            }
            _ => None,
        }
    };
    Some(ran.out.lines().filter_map(option).collect())
}

/// Whether what was not done was named in one line, with the reason in it or below it.
fn is_answered(ran: &Ran, name: &str) -> bool {
    let mut lines = ran.err.lines();
    let Some(first) = lines.next() else { return false };
    let is_named =
        first.contains(&format!("{name} is not ")) || first.contains(" is not there yet: it needs ");
    let has_reason =
        first.contains("is not there yet: ") || lines.next().is_some_and(|line| !line.starts_with("Run "));
    matches!(ran.code, 1 | 125) && is_named && has_reason && ran.err.lines().count() <= 2
}

#[test]
fn each_is_ours_or_answered_by_a_line_that_says_why() {
    let boat = Boat::empty();
    let mut helps: BTreeMap<String, Option<BTreeMap<String, Option<String>>>> = BTreeMap::new();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for known in recorded() {
        let help = helps.entry(known.command.clone()).or_insert_with(|| ours(&boat, &known.command));
        let Some(help) = help else { continue };
        count += 1;
        let run = |option: &str| Ran::of(&mut boat.command(known.said(option)));
        let verdict = match help.get(&known.name) {
            Some(letter) if known.letter.is_some() && *letter != known.letter => Err("it has another letter"),
            Some(_) if known.has_value => Ok(()),
            // Each switch has a value as well, which makes sense or not.
            Some(_) => match run(&format!("{}=maybe", known.name)) {
                ran if ran.code == 125 && ran.err.contains("ParseBool: parsing \"maybe\"") => Ok(()),
                _ => Err("it does not read its value as Docker does"),
            },
            None if NOT_LISTED.contains(&(&*known.command, &*known.name)) => {
                let ran = run(&format!("{}=maybe", known.name));
                match ran.err.contains("unexpected argument") || is_answered(&ran, &known.name) {
                    true => Err("it is not ours"),
                    false => Ok(()),
                }
            }
            None => {
                // Where the value is looked at first, it has to make sense.
                let value = if known.name == "--cpus" { "1" } else { "1g" };
                let long =
                    if known.has_value { format!("{}={value}", known.name) } else { known.name.clone() };
                let mut words = known.said(&long);
                words.push("nothing".to_owned());
                let answered = is_answered(&Ran::of(&mut boat.command(words)), &known.name);
                let letter = known.letter.as_deref().filter(|_| answered);
                match letter.map_or(answered, |letter| {
                    is_answered(&run_with(&boat, &known, letter, value), &known.name)
                }) {
                    true => Ok(()),
                    false => Err("it is neither ours nor answered"),
                }
            }
        };
        if let Err(what) = verdict {
            wrong.push(format!("{} {}: {what}", known.command, known.name));
        }
    }
    assert!(count > 330, "only {count} options were looked at");
    assert!(wrong.is_empty(), "{} options:\n{}", wrong.len(), wrong.join("\n"));
}

fn run_with(boat: &Boat, known: &Known, letter: &str, value: &str) -> Ran {
    let mut words = known.said(letter);
    words.extend(known.has_value.then(|| value.to_owned()));
    words.push("nothing".to_owned());
    Ran::of(&mut boat.command(words))
}

#[test]
fn what_nobody_knows_is_no_answer() {
    let boat = Boat::empty();
    for (words, name) in
        [("logs --nonsense x", "--nonsense"), ("--nonsense ps", "--nonsense"), ("rm -y x", "-y")]
    {
        assert!(!is_answered(&boat.coracle(words), name), "{words}");
    }
    assert!(ours(&boat, "build").is_none() && ours(&boat, "ps").unwrap().contains_key("--no-trunc"));
    let read = Known::read("run: -d, --detach");
    assert_eq!(
        (&*read.command, read.letter.as_deref(), &*read.name, read.has_value),
        ("run", Some("-d"), "--detach", false)
    );
}

#[test]
fn options_before_the_command_are_named_and_the_hint_is_the_right_one() {
    let boat = Boat::empty();
    for words in
        ["-H tcp://host ps", "--host=tcp://host ps", "--context other ps", "-c other ps", "--tlsverify ps"]
    {
        let error =
            boat.coracle(words).failed(125, " is not part of Coracle\nthere is no daemon to be reached");
        assert!(error.contains("coracle: --"), "{error}");
    }
    assert_eq!(boat.coracle("-D -l debug ps -q").ok(), "");
    assert_eq!(boat.coracle("--debug=false --log-level=FATAL ps -q").ok(), "");
    boat.coracle("-l loud ps").failed(125, "Unable to parse logging level: loud");
    boat.coracle("--nope ps").failed(125, "Run 'coracle --help' for more information");
    boat.coracle("ps --nope").failed(125, "Run 'coracle ps --help' for more information");
    boat.coracle("ps -D").failed(125, "Run 'coracle ps --help' for more information");
    boat.coracle("exec --privileged x true")
        .failed(125, "--privileged is not there yet: rights come with step 09");
    boat.coracle("container rm --link x")
        .failed(125, "--link is not part of Coracle\ncontainers are not linked");
}

#[test]
fn logins_are_where_the_command_line_says() {
    let boat = Boat::empty();
    fs::create_dir(boat.path("logins")).unwrap();
    fs::write(boat.path("logins/config.json"), "no json").unwrap();
    let (elsewhere, here) = (boat.path("logins"), boat.path("nowhere"));
    let said =
        |folder: &std::path::Path| boat.coracle(&format!("--config {} logout 127.0.0.1:1", folder.display()));
    said(&elsewhere).failed(1, "logins/config.json is not valid");
    assert_eq!(said(&here).code, 0);
}

#[test]
fn help_shows_switches_as_people_say_them() {
    let boat = Boat::empty();
    for words in [
        "run --help",
        "ps -h",
        "help ps",
        "container rm --help",
        "volume prune --help",
        "run --rm=true --help",
    ] {
        let help = boat.coracle(words).ok();
        assert!(help.contains("Usage: coracle ") && !help.contains("BOOL>]\n      --rm"), "{help}");
        assert!(!help.contains("--all[") && !help.contains("--rm[") && !help.contains("--force["), "{help}");
    }
    assert!(boat.coracle("container rm --help").ok().contains("Usage: coracle container rm"));
}
