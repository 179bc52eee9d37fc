//! `login` and `logout` as a user types them: what is asked, what is kept, and what never is shown.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use support::{command, program};

use crate::kit::image::Content;
use crate::kit::real::{Registry, layout};
use crate::kit::server::{Reply, Server, bearer, guarded, token_server, unauthorized};
use crate::kit::token::LOGIN;
use crate::kit::{have, run};

fn step07(home: &Path, words: &[&str]) -> Command {
    let mut step07 = command(env!("CARGO_BIN_EXE_step07"));
    step07.args(words).env("DOCKER_CONFIG", home.join("docker")).env("HOME", home);
    step07.env("XDG_RUNTIME_DIR", home).stdin(Stdio::null());
    step07
}

/// Exit code, stdout and stderr.
fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// Logs in as ada, with the password by a pipe.
fn log_in(home: &Path, host: &str, password: &str) -> (i32, String, String) {
    let words = ["login", "--username", "ada", "--password-stdin", host];
    let mut child = step07(home, &words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
    said(&child.wait_with_output().unwrap())
}

fn config(home: &Path) -> Value {
    serde_json::from_slice(&fs::read(home.join("docker/config.json")).unwrap()).unwrap()
}

fn write_config(home: &Path, content: &Value) {
    fs::create_dir_all(home.join("docker")).unwrap();
    fs::write(home.join("docker/config.json"), content.to_string()).unwrap();
}

/// A registry that takes ada's password alone.
fn registry() -> Server {
    guarded(Content::tiny().served(), "Basic realm=\"x\"", LOGIN)
        .also("/v2/", |ask| (ask.header("authorization") == Some(LOGIN)).then(|| Reply::ok(b"{}".to_vec())))
}

#[test]
fn r13_a_login_is_tried_and_kept_as_docker_keeps_it() {
    let (home, registry) = (tempfile::tempdir().unwrap(), registry());
    write_config(
        home.path(),
        &json!({"auths": {"b.c": {"auth": "eDp5", "email": "e"}}, "detachKeys": "ctrl-e"}),
    );

    let (code, stdout, stderr) = log_in(home.path(), &registry.host, "lovelace");

    assert_eq!((code, &*stdout), (0, "Login Succeeded\n"), "{stderr}");
    assert!(stderr.starts_with("WARNING! Your credentials are stored unencrypted in '"), "{stderr}");
    let expected = json!({
        "auths": {"b.c": {"auth": "eDp5", "email": "e"}, &registry.host: {"auth": "YWRhOmxvdmVsYWNl"}},
        "detachKeys": "ctrl-e",
    });
    assert_eq!(config(home.path()), expected);
    let file = home.path().join("docker/config.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(home.path().join("docker")).unwrap().count(), 1, "something temporary is left");

    let (code, _, stderr) = said(&step07(home.path(), &["login", &registry.host]).output().unwrap());
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("Authenticating with existing credentials... [Username: ada]"), "{stderr}");

    let (code, stdout, _) = said(&step07(home.path(), &["logout", &registry.host]).output().unwrap());
    assert_eq!((code, stdout), (0, format!("Removing login credentials for {}\n", registry.host)));
    let left = json!({"auths": {"b.c": {"auth": "eDp5", "email": "e"}}, "detachKeys": "ctrl-e"});
    assert_eq!(config(home.path()), left);
}

#[test]
fn r13_a_wrong_password_is_not_kept_and_not_shown() {
    let (home, registry) = (tempfile::tempdir().unwrap(), registry());
    let (code, stdout, stderr) = log_in(home.path(), &registry.host, "s3cret");
    assert_eq!((code, &*stdout), (1, ""));
    assert!(stderr.contains("unauthorized: incorrect username or password"), "{stderr}");
    assert!(!stderr.contains("s3cret") && stderr.lines().count() == 1, "{stderr}");
    assert!(!home.path().join("docker/config.json").exists());
}

#[test]
fn r13_a_link_stays_a_link_and_nonsense_stays_as_it_is() {
    let (home, registry) = (tempfile::tempdir().unwrap(), registry());
    write_config(home.path(), &json!({}));
    let (file, real) = (home.path().join("docker/config.json"), home.path().join("real.json"));
    fs::rename(&file, &real).unwrap();
    std::os::unix::fs::symlink(&real, &file).unwrap();
    assert_eq!(log_in(home.path(), &registry.host, "lovelace").0, 0);
    assert!(file.symlink_metadata().unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("YWRhOmxvdmVsYWNl"));

    for nonsense in ["{\"auths\": [", "[]", "{\"auths\": 7}"] {
        fs::write(&real, nonsense).unwrap();
        let (code, _, stderr) = log_in(home.path(), &registry.host, "lovelace");
        assert_eq!((code, fs::read_to_string(&real).unwrap().as_str()), (1, nonsense), "{stderr}");
        assert!(stderr.contains("real.json"), "{stderr}");
    }
}

#[test]
fn words_of_login_that_make_no_sense_are_answered_as_by_docker() {
    let home = tempfile::tempdir().unwrap();
    for (words, expected) in [
        (&["--password-stdin", "h:1"][..], "the --password-stdin option requires --username to be set"),
        (
            &["-u", "a", "-p", "b", "--password-stdin", "h:1"],
            "conflicting options: cannot specify both --password and --password-stdin",
        ),
        (&["h:1"], "Cannot perform an interactive login from a non TTY device"),
        (&["-u", "a", "h:1"], "Cannot perform an interactive login from a non TTY device"),
        (
            &["-u", "a", "--password-stdin", "h:1"],
            "Cannot perform an interactive login from a non TTY device",
        ),
        (&["-u", "a", "--password-stdin", "no host"], "invalid registry: \"no host\""),
    ] {
        let (code, stdout, stderr) =
            said(&step07(home.path(), &[&["login"], words].concat()).output().unwrap());
        assert_eq!((code, &*stdout), (1, ""), "{words:?}");
        assert!(stderr.ends_with(&format!("step07: {expected}\n")), "{words:?}: {stderr}");
        let warned =
            stderr.contains("WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
        assert_eq!(warned, words.contains(&"-p") && !words.contains(&"--password-stdin"), "{stderr}");
    }
}

/// A helper that keeps its one secret in a file beside it.
const HELPER: &str = r#"#!/bin/sh
case $1 in
store) cat > "$HOME/kept" ;;
get) cat "$HOME/kept" 2>/dev/null || { echo 'credentials not found in native keychain'; exit 1; } ;;
erase) rm "$HOME/kept" ;;
esac
"#;

#[test]
fn r13_a_helper_keeps_the_login_and_the_file_only_its_name() {
    for configured in
        [json!({"credsStore": "test"}), json!({"credHelpers": {"HOST": "test"}, "credsStore": "absent"})]
    {
        let (home, registry) = (tempfile::tempdir().unwrap(), registry());
        let text = configured.to_string().replace("HOST", &registry.host);
        let mut expected: Value = serde_json::from_str(&text).unwrap();
        write_config(home.path(), &expected);
        let helper = home.path().join("docker-credential-test");
        fs::write(&helper, HELPER).unwrap();
        fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", home.path().display(), std::env::var("PATH").unwrap());

        let words = ["login", "-u", "ada", "-p", "lovelace", &registry.host];
        let (code, _, stderr) = said(&step07(home.path(), &words).env("PATH", &path).output().unwrap());
        assert_eq!((code, stderr.contains("unencrypted")), (0, false), "{stderr}");
        let kept: Value = serde_json::from_slice(&fs::read(home.path().join("kept")).unwrap()).unwrap();
        assert_eq!(kept, json!({"ServerURL": registry.host, "Username": "ada", "Secret": "lovelace"}));
        expected["auths"] = json!({&registry.host: {}});
        assert_eq!(config(home.path()), expected);

        // It is used, and it is forgotten.
        let again = step07(home.path(), &["login", &registry.host]).env("PATH", &path).output().unwrap();
        assert!(again.status.success(), "{}", said(&again).2);
        assert!(
            step07(home.path(), &["logout", &registry.host]).env("PATH", &path).status().unwrap().success()
        );
        assert!(!home.path().join("kept").exists());
        expected["auths"] = json!({});
        assert_eq!(config(home.path()), expected);
    }
}

#[test]
fn r13_pass_keeps_the_login_by_its_real_helper() {
    if !have(&[
        ("docker-credential-pass", "golang-docker-credential-helpers"),
        ("pass", "pass"),
        ("gpg", "gnupg"),
    ]) {
        return;
    }
    let (home, registry) = (tempfile::tempdir().unwrap(), registry());
    write_config(home.path(), &json!({"credsStore": "pass"}));
    // The sockets of gpg's agent have long names, and unix sockets short ones.
    let keys = tempfile::Builder::new().prefix("gpg").tempdir_in("/tmp").unwrap();
    fs::set_permissions(keys.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let with_keys = |mut command: Command| {
        command.env("GNUPGHOME", keys.path()).env("PASSWORD_STORE_DIR", home.path().join("store"));
        command.env("HOME", home.path()).output().unwrap()
    };
    let mut gpg = command(program("gpg").unwrap());
    gpg.args(["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]);
    gpg.args(["--quick-generate-key", "ada@example.com", "default", "default", "never"]);
    let made = with_keys(gpg);
    assert!(made.status.success(), "{}", said(&made).2);
    let mut pass = command(program("pass").unwrap());
    pass.args(["init", "ada@example.com"]);
    let made = with_keys(pass);
    assert!(made.status.success(), "{}", said(&made).2);

    let words = ["login", "-u", "ada", "-p", "lovelace", &registry.host];
    let (code, _, stderr) = said(&with_keys(step07(home.path(), &words)));
    assert_eq!((code, stderr.contains("unencrypted")), (0, false), "{stderr}");
    assert!(!config(home.path()).to_string().contains("YWRhOmxvdmVsYWNl"));
    let (code, _, stderr) = said(&with_keys(step07(home.path(), &["login", &registry.host])));
    assert_eq!(code, 0, "{stderr}");
    assert!(said(&with_keys(step07(home.path(), &["logout", &registry.host]))).0 == 0);
    let (code, ..) = said(&with_keys(step07(home.path(), &["login", &registry.host])));
    assert_eq!(code, 1, "the login is still there");
    let mut gpgconf = command("gpgconf");
    gpgconf.args(["--kill", "all"]);
    with_keys(gpgconf);
}

#[test]
fn r13_podmans_logins_are_read() {
    let (home, registry) = (tempfile::tempdir().unwrap(), registry());
    let auth = json!({"auths": {&registry.host: {"auth": "YWRhOmxvdmVsYWNl"}}}).to_string();
    let places = ["containers/auth.json", ".config/containers/auth.json", "named.json"];
    for place in places {
        let file = home.path().join(place);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &auth).unwrap();
        let pull = |words: &[&str]| {
            let mut step07 = step07(home.path(), words);
            if place == "named.json" {
                step07.env("REGISTRY_AUTH_FILE", &file);
            }
            said(&step07.output().unwrap())
        };
        let name = format!("{}/x:1", registry.host);
        let store = home.path().join("store");
        let (code, _, stderr) = pull(&["--root", store.to_str().unwrap(), "pull", "--quiet", &name]);
        assert_eq!(code, 0, "{place}: {stderr}");
        let (_, _, stderr) = pull(&["logout", &registry.host]);
        assert!(stderr.contains("warning: there is still a login for") && stderr.contains(place), "{stderr}");
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn r4_an_identity_token_is_kept_in_place_of_the_password_and_posted() {
    let home = tempfile::tempdir().unwrap();
    let tokens = Server::start(|ask| match (&*ask.method, ask.header("authorization")) {
        ("GET", Some(LOGIN)) => Reply::ok(br#"{"token": "good", "refresh_token": "t0ken"}"#.to_vec()),
        ("POST", None) if ask.body.contains("refresh_token=t0ken") => {
            Reply::ok(br#"{"access_token": "good"}"#.to_vec())
        }
        _ => Reply::status(401),
    });
    let challenge = bearer(&format!("http://{}/token", tokens.host));
    let registry = guarded(Content::tiny().served(), &challenge, "Bearer good").also("/v2/", |ask| {
        (ask.header("authorization") == Some("Bearer good")).then(|| Reply::ok(b"{}".to_vec()))
    });

    let (code, _, stderr) = log_in(home.path(), &registry.host, "lovelace");
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(tokens.asked()[0].query, "service=s&account=ada&client_id=coracle&offline_token=true");
    assert_eq!(
        config(home.path())["auths"][&registry.host],
        json!({"auth": "YWRhOg==", "identitytoken": "t0ken"})
    );

    let (store, name) = (home.path().join("store"), format!("{}/x:1", registry.host));
    let words = ["--root", store.to_str().unwrap(), "pull", "--quiet", &name];
    let (code, _, stderr) = said(&step07(home.path(), &words).output().unwrap());
    assert_eq!(code, 0, "{stderr}");
    let asked = tokens.asked();
    let last = asked.last().unwrap();
    let expected = "service=s&scope=repository%3Ax%3Apull&grant_type=refresh_token&client_id=coracle&refresh_token=t0ken";
    assert_eq!((&*last.method, &*last.query, &*last.body), ("POST", "", expected));
}

#[test]
fn r2_an_identity_token_is_not_sent_on_by_a_redirect() {
    let home = tempfile::tempdir().unwrap();
    let thief = token_server();
    let away = format!("http://{}/token", thief.host);
    let tokens = Server::start(move |_| Reply::status(307).with("Location", &away));
    let challenge = bearer(&format!("http://{}/token", tokens.host));
    let registry = Server::start(move |_| unauthorized(&challenge));
    write_config(home.path(), &json!({"auths": {&registry.host: {"identitytoken": "s3cret"}}}));
    let (code, _, stderr) = said(&step07(home.path(), &["login", &registry.host]).output().unwrap());
    assert_eq!((code, stderr.contains("s3cret")), (1, false), "{stderr}");
    assert!(thief.asked().is_empty());
}

#[test]
fn a_real_registry_takes_the_login_and_gives_the_image() {
    if !have(&[("htpasswd", "apache2-utils")]) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let passwords = home.path().join("htpasswd");
    fs::write(&passwords, run(&["htpasswd", "-Bbn", "ada", "lovelace"])).unwrap();
    let auth = format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", passwords.display());
    let Some(registry) = Registry::start_with("", &auth) else { return };
    registry.push(&format!("oci:{}", layout(home.path())), "box:1", &["--dest-creds", "ada:lovelace"]);
    let (store, name) = (home.path().join("stored"), format!("{}/box:1", registry.host));
    let pull = || {
        said(
            &step07(home.path(), &["--root", store.to_str().unwrap(), "pull", "-q", &name]).output().unwrap(),
        )
    };

    let (code, _, stderr) = pull();
    assert_eq!(code, 1);
    assert!(stderr.ends_with(&format!("by the command: login {}\n", registry.host)), "{stderr}");
    assert_eq!(log_in(home.path(), &registry.host, "byron").0, 1);
    assert_eq!(log_in(home.path(), &registry.host, "lovelace").0, 0);
    assert_eq!(pull().0, 0);
    assert_eq!(said(&step07(home.path(), &["logout", &registry.host]).output().unwrap()).0, 0);
    assert_eq!(pull().0, 1);
}

/// Types into a terminal, step by step: waits for a text, then sends another.
fn in_a_terminal(home: &Path, host: &str, steps: &str) -> (i32, String) {
    let script = format!(
        "import os, pty, sys, termios\n\
         pid, fd = pty.fork()\n\
         if pid == 0: os.execv({binary:?}, ['step07', 'login', {host:?}])\n\
         seen = b''\n\
         def wait(text):\n\
         \x20   global seen\n\
         \x20   while text not in seen: seen += os.read(fd, 1000)\n\
         def echo(): return bool(termios.tcgetattr(fd)[3] & termios.ECHO)\n\
         {steps}\n\
         try:\n\
         \x20   while True:\n\
         \x20       more = os.read(fd, 1000)\n\
         \x20       if not more: break\n\
         \x20       seen += more\n\
         except OSError: pass\n\
         sys.stdout.buffer.write(seen)\n\
         sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n",
        binary = env!("CARGO_BIN_EXE_step07")
    );
    let mut python = command(program("python3").unwrap());
    python.args(["-c", &script]).env("HOME", home).env("DOCKER_CONFIG", home.join("docker"));
    let (code, stdout, stderr) = said(&python.output().unwrap());
    assert_eq!(stderr, "");
    (code, stdout)
}

#[test]
fn r13_on_a_terminal_user_and_password_are_asked_for_and_the_password_is_not_shown() {
    if !have(&[("python3", "python3")]) {
        return;
    }
    let (home, registry) = (tempfile::tempdir().unwrap(), registry());
    // With a slip of the finger, rubbed out.
    let steps = "wait(b'Username: '); os.write(fd, b'ada\\n'); wait(b'Password: ')\n\
                 while echo(): pass\n\
                 os.write(fd, b'lovelacx\\x7fe\\n'); wait(b'Login Succeeded'); assert echo()";
    let (code, stdout) = in_a_terminal(home.path(), &registry.host, steps);
    assert_eq!(code, 0, "{stdout}");
    assert!(!stdout.contains("lovelac"), "{stdout}");
    assert_eq!(config(home.path())["auths"][&registry.host]["auth"], "YWRhOmxvdmVsYWNl");
}

#[test]
fn i11_ctrl_c_at_the_password_leaves_the_terminal_as_it_was() {
    if !have(&[("python3", "python3")]) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let steps = "wait(b'Username: '); os.write(fd, b'ada\\n'); wait(b'Password: ')\n\
                 while echo(): pass\n\
                 os.write(fd, b'love\\x03')\n\
                 while not echo(): pass";
    let (code, _) = in_a_terminal(home.path(), "localhost:1", steps);
    assert_eq!(code, 130);
    assert!(!home.path().join("docker").exists());
}
