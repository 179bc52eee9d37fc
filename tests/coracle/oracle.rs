//! Side by side with Docker: the same words, and what Docker answered when it was asked. Rows and answers are in
//! tests/oracle, whose README.md tells how to read them.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::json;
use support::{NotApplicable, Role, command, not_applicable};

use crate::kit::{Boat, Image, Ran, have, names};

#[test]
fn i1_the_command_line_is_dockers() {
    compare("i01-usage");
}

#[test]
fn i2_names_of_images_are_dockers() {
    compare("i02-references");
}

#[test]
fn i3_names_of_containers_are_dockers() {
    compare("i03-names");
}

#[test]
fn i4_ports_are_dockers() {
    compare("i04-ports");
}

#[test]
fn i5_volumes_are_dockers() {
    compare("i05-volumes");
}

#[test]
fn i6_variables_are_dockers() {
    compare("i06-environment");
}

#[test]
fn i7_signals_are_dockers() {
    compare("i07-signals");
}

#[test]
fn i8_what_runs_without_a_terminal_is_dockers() {
    compare("i08-detached");
}

#[test]
fn i12_what_is_asked_of_a_container_is_dockers() {
    compare("i12-exec");
}

#[test]
fn i9_sizes_are_dockers() {
    compare("i09-sizes");
}

#[test]
fn i10_settings_are_dockers() {
    compare("i10-settings");
}

#[test]
fn i12_commands_that_cannot_be_run_are_dockers() {
    compare("i12-commands");
}

#[test]
fn images_that_are_here_are_dockers() {
    compare("images");
}

#[test]
fn templates_of_inspect_are_dockers() {
    compare("templates");
}

#[test]
fn every_file_of_rows_has_its_test() {
    let source = include_str!("oracle.rs");
    for file in names(&oracle().join("rows")) {
        let call = format!("compare(\"{}\");", file.trim_end_matches(".rows"));
        assert!(source.contains(&call), "no test has {call}");
    }
}

/// Gives all words of a file to `coracle`, and tells all differences at once.
fn compare(file: &str) {
    if Role::here() == Role::RootInUserNamespace {
        return not_applicable(NotApplicable::NoSecondId);
    }
    if !have(&[("busybox", "busybox-static")]) {
        return;
    }
    let rows = rows(&fs::read_to_string(oracle().join("rows").join(format!("{file}.rows"))).unwrap());
    let answers =
        answers(&fs::read_to_string(oracle().join("recorded").join(format!("{file}.txt"))).unwrap());
    assert!(
        !rows.is_empty() && rows.len() == answers.len(),
        "{} rows, {} answers",
        rows.len(),
        answers.len()
    );
    let boat = Boat::empty();
    let archive = command(oracle().join("image")).output().unwrap();
    assert!(archive.status.success(), "{archive:?}");
    Image::of_archive(json!({"Cmd": ["sh"]}), archive.stdout)
        .write(&boat.root(), "docker.io/library/box:latest");
    let mut wrong = Vec::new();
    for row in rows {
        let docker = answers.get(&row.question()).unwrap_or_else(|| panic!("never asked: {}", row.line));
        for line in &row.before {
            let before = sh(&boat, line);
            assert_eq!(before.code, 0, "{line}: {before:?}");
        }
        let ours = Answer::of(&sh(&boat, &row.line));
        let verdict = judge(&row, docker, &ours);
        if let Some(what) = &row.waits {
            let state =
                if verdict.is_ok() { "is there: take the line `waits` away" } else { "is not there yet" };
            let line = format!("WAITS: {file}: {}: {what} {state}\n", row.line);
            // Written past the harness, which keeps what a test says that passes.
            let _ = std::io::stderr().write_all(line.as_bytes());
        } else if let Err(what) = verdict {
            wrong.push(format!("{}\n    {what}\n    docker {docker:?}\n    ours   {ours:?}", row.line));
        }
        tidy(&boat);
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

fn oracle() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle")
}

/// A line of the shell, for which `docker` is `coracle`.
fn sh(boat: &Boat, line: &str) -> Ran {
    let work = boat.path("work");
    fs::create_dir_all(&work).unwrap();
    let coracle = boat.command::<&str>([]);
    let mut shell = command("sh");
    shell.arg("-c").arg(format!("docker() {{ \"$CORACLE\" --root \"$CORACLE_ROOT\" \"$@\"; }}; {line}"));
    shell
        .env("CORACLE", coracle.get_program())
        .env("CORACLE_ROOT", boat.root())
        .env("HOME", boat.path("home"));
    Ran::of(shell.current_dir(work).stdin(Stdio::null()))
}

/// Each row begins with the image and nothing else.
fn tidy(boat: &Boat) {
    let ids = boat.coracle("ps --all --quiet").ok().replace('\n', " ");
    if !ids.is_empty() {
        boat.coracle(&format!("rm --force {ids}")).ok();
    }
    fs::remove_dir_all(boat.path("work")).unwrap();
}

/// Words, and what is compared.
#[derive(Default)]
struct Row {
    mode: String,
    line: String,
    before: Vec<String>,
    /// What is kept on purpose: another exit code, another text, and why.
    code: Option<i32>,
    says: Option<String>,
    why: Option<String>,
    /// What is not written yet: the row is told, and is never counted as right.
    waits: Option<String>,
}

impl Row {
    /// How recorded answers are found.
    fn question(&self) -> String {
        let before = self.before.iter().map(|line| format!("before {line}\n"));
        format!("{}$ {}", before.collect::<String>(), self.line)
    }
}

fn rows(text: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some((head, line)) = line.split_once(" $ ") {
            let mode = head.split_whitespace().nth(1).unwrap().to_owned();
            rows.push(Row { mode, line: line.to_owned(), ..Row::default() });
            continue;
        }
        let row = rows.last_mut().unwrap();
        match line.trim_start().split_once(' ').unwrap() {
            ("before", line) => row.before.push(line.to_owned()),
            ("code", code) => row.code = Some(code.parse().unwrap()),
            ("says", text) => row.says = Some(text.to_owned()),
            ("waits", what) => row.waits = Some(what.to_owned()),
            ("why", reason) => row.why = Some(reason.to_owned()),
            (what, _) => panic!("what is {what:?}?"),
        }
    }
    rows
}

/// How a command ended, and the lines that it printed, without those that are empty.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    code: i32,
    out: Vec<String>,
    err: Vec<String>,
}

impl Answer {
    fn of(ran: &Ran) -> Self {
        let lines = |text: &str| text.lines().filter(|line| !line.is_empty()).map(normal).collect();
        Self { code: ran.code, out: lines(&ran.out), err: lines(&ran.err) }
    }

    /// What was wrong, without who says so to whom.
    fn complaint(&self) -> &str {
        let mut text = self.err.first().map_or("", String::as_str);
        for prefix in ["docker: ", "coracle: ", "Error response from daemon: ", "Error: "] {
            text = text.strip_prefix(prefix).unwrap_or(text);
        }
        // The newer client says of which flag it speaks.
        let text = text.split_once("\" flag: ").map_or(text, |(_, rest)| rest);
        text.strip_suffix('.').unwrap_or(text)
    }
}

fn answers(text: &str) -> HashMap<String, Answer> {
    let mut answers = HashMap::new();
    for paragraph in text.split("\n\n") {
        let (question, lines) = paragraph.split_once("\nfrom ").unwrap();
        let mut answer = Answer::default();
        for line in lines.lines().skip(1) {
            match line.split_once(' ').unwrap() {
                ("code", code) => answer.code = code.parse().unwrap(),
                ("out", text) => answer.out.push(text.to_owned()),
                ("err", text) => answer.err.push(text.to_owned()),
                (what, _) => panic!("what is {what:?}?"),
            }
        }
        answers.insert(question.to_owned(), answer);
    }
    answers
}

/// Without ids, which are new each time.
fn normal(line: &str) -> String {
    let mut text = String::new();
    for word in line.trim_end().split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let hex = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_id = hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        match hex.len() {
            12 | 64 if is_id => text.push_str(&word.replacen(hex, &format!("ID{}", hex.len()), 1)),
            _ => text.push_str(word),
        }
    }
    text
}

fn judge(row: &Row, docker: &Answer, ours: &Answer) -> Result<(), String> {
    let is_difference = row.code.is_some() || row.says.is_some();
    if is_difference != row.why.is_some() {
        return Err("a difference has a reason, and a reason has a difference".to_owned());
    }
    // A command or a flag that we do not know yet is no answer, though the code may be the same.
    let unknown = |text: &str| {
        ["unrecognized subcommand", "unexpected argument"].iter().any(|what| text.contains(what))
    };
    let knows_not = ["unknown", "is not a docker command", "accepts", "requires"];
    if unknown(ours.complaint())
        && !docker.err.iter().any(|line| knows_not.iter().any(|what| line.contains(what)))
    {
        return Err("coracle does not know the word".to_owned());
    }
    let code = row.code.unwrap_or(docker.code);
    if ours.code != code {
        return Err(format!("the exit code is not {code}"));
    }
    if row.code == Some(docker.code) {
        return Err("the exit code is Docker's by now".to_owned());
    }
    let text = row.says.as_deref().unwrap_or(docker.complaint());
    if (row.mode == "text" || row.says.is_some()) && !ours.err.join("\n").contains(text) {
        return Err(format!("it does not say {text:?}"));
    }
    if row.says.is_some() && row.mode == "text" && ours.complaint().contains(docker.complaint()) {
        return Err("the text is Docker's by now".to_owned());
    }
    if row.mode == "same" && ours.out != docker.out {
        return Err("it does not print the same".to_owned());
    }
    Ok(())
}
