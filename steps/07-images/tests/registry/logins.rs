//! Docker's file of logins, in every shape: R13 of the attacks.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use step07_images::credentials::{Login, login};
use support::Role;

/// The login for a registry in a file with this text.
fn from(text: &str, registry: &str) -> Result<Option<Login>, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    fs::write(&file, text).unwrap();
    login(&file, registry, "some/box").map_err(|error| format!("{error:#}"))
}

fn ada() -> Option<Login> {
    Some(Login { user: "ada".into(), password: "love:lace".into(), identity_token: None })
}

const AUTH: &str = r#"{"auth": "YWRhOmxvdmU6bGFjZQ=="}"#;

#[test]
fn r13_a_login_is_found_under_every_name_of_its_registry() {
    for (key, registry) in [
        ("host:5000", "host:5000"),
        ("https://host:5000", "host:5000"),
        ("http://host:5000/v2/", "host:5000"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("docker.io", "docker.io"),
    ] {
        let text = format!(r#"{{"auths": {{"a.b": {{"auth": "eDp5"}}, "{key}": {AUTH}}}}}"#);
        assert_eq!(from(&text, registry), Ok(ada()), "{key}");
    }
}

#[test]
fn r13_who_is_not_in_the_file_is_nobody() {
    for text in ["", " \n", "{}", r#"{"auths": {}}"#, r#"{"auths": {"host": {}}}"#, r#"{"credsStore": ""}"#] {
        assert_eq!(from(text, "host"), Ok(None), "{text}");
    }
    let text = format!(r#"{{"auths": {{"host:5000": {AUTH}, "evil.host": {AUTH}, "hos": {AUTH}}}}}"#);
    assert_eq!(from(&text, "host"), Ok(None));
    assert_eq!(login(Path::new("/nowhere/config.json"), "host", "").unwrap(), None);
}

#[test]
fn r13_a_user_and_a_password_may_stand_in_the_open() {
    let text = r#"{"auths": {"host": {"username": "ada", "password": "love:lace"}}}"#;
    assert_eq!(from(text, "host"), Ok(ada()));
    // Without padding, and with the zero bytes that Docker once wrote.
    let text = r#"{"auths": {"host": {"auth": "YWRhOmxvdmU6bGFjZQAA"}}}"#;
    assert_eq!(from(text, "host"), Ok(ada()));
}

#[test]
fn r13_what_is_configured_and_does_not_work_is_an_error_without_the_secret() {
    for (text, expected) in [
        ("s3cret", "not valid at line 1"),
        (r#"{"auths": {"host": {"auth": s3cret"#, "not valid at line 1"),
        (r#"{"auths": {"host": "s3cret"}}"#, "not valid at line 1"),
        (r#"{"auths": {"host": {"auth": "s3cret!!"}}}"#, "is not the base64 of user:password"),
        (r#"{"auths": {"host": {"auth": "czNjcmV0"}}}"#, "is not the base64 of user:password"),
        (r#"{"auths": {"host": {"auth": "OnMzY3JldA=="}}}"#, "has no user"),
    ] {
        let error = from(text, "host").unwrap_err();
        assert!(error.contains(expected) && error.contains("config.json"), "{error}");
        assert!(!error.contains("s3cret") && error.lines().count() <= 2, "{error}");
    }
    // Somebody else's mistake is not ours.
    assert_eq!(from(r#"{"auths": {"other": {"auth": "!"}}}"#, "host"), Ok(None));
}

#[test]
fn r13_an_identity_token_counts_more_than_a_password() {
    let token = |user: &str| {
        Ok(Some(Login { user: user.into(), identity_token: Some("t0ken".into()), ..Login::default() }))
    };
    assert_eq!(from(r#"{"auths": {"host": {"identitytoken": "t0ken"}}}"#, "host"), token(""));
    assert_eq!(
        from(r#"{"auths": {"host": {"auth": "YWRhOg==", "identitytoken": "t0ken"}}}"#, "host"),
        token("ada")
    );
    assert!(!format!("{:?}", token("ada")).contains("t0ken"));
}

#[test]
fn r13_podman_may_have_a_login_for_a_part_of_a_registry() {
    let other = r#"{"auth": "eDp5"}"#;
    let found = |keys: &[(&str, &str)]| {
        let entries: Vec<_> = keys.iter().map(|(key, entry)| format!(r#""{key}": {entry}"#)).collect();
        from(&format!(r#"{{"auths": {{{}}}}}"#, entries.join(",")), "host:5000")
    };
    // The longest counts; what is beside is not ours. The repository is some/box.
    assert_eq!(found(&[("host:5000", other), ("host:5000/some", AUTH)]), Ok(ada()));
    assert_eq!(found(&[("host:5000/some", other), ("host:5000/some/box", AUTH)]), Ok(ada()));
    assert_eq!(found(&[("host:5000/some/bo", other), ("host:5000", AUTH)]), Ok(ada()));
    assert_eq!(found(&[("host:5000/other", AUTH), ("host:5000/some/box/x", AUTH)]), Ok(None));
}

#[test]
fn r13_a_file_that_may_not_be_read_is_an_error() {
    // Root may read everything.
    if Role::here() != Role::User {
        return support::not_applicable(support::NotApplicable::NeedsUser);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    fs::write(&file, "{}").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    let error = format!("{:#}", login(&file, "host", "").unwrap_err());
    assert!(error.ends_with("Permission denied (os error 13)"), "{error}");
}

#[test]
fn r13_a_helper_is_named_in_its_errors() {
    for (name, expected) in [
        ("../../bin/sh", "invalid name of a credential helper: \"../../bin/sh\""),
        ("a b", "invalid name of a credential helper"),
        ("absent", "cannot run docker-credential-absent"),
    ] {
        for text in
            [format!(r#"{{"credHelpers": {{"host": "{name}"}}}}"#), format!(r#"{{"credsStore": "{name}"}}"#)]
        {
            let error = from(&text, "host").unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
    assert_eq!(from(r#"{"credHelpers": {"other": "absent"}}"#, "host"), Ok(None));
}

/// Runs the calling test once more with a helper of that text in its PATH; true in there.
fn with_helper(text: &str) -> bool {
    if std::env::var_os("CORACLE_HELPER").is_some() {
        return true;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("docker-credential-test");
    fs::write(&program, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let test = std::thread::current().name().unwrap().to_owned();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", &test, "--test-threads=2"]).env("PATH", path).env("CORACLE_HELPER", "yes");
    let output = again.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
    false
}

const HELPED: &str = r#"{"credsStore": "test"}"#;

#[test]
fn r13_a_helper_knows_the_password() {
    let text = r#"read server; [ "$1 $server" = "get https://index.docker.io/v1/" ] || exit 1
        echo '{"ServerURL":"x","Username":"ada","Secret":"love:lace"}'"#;
    if with_helper(text) {
        assert_eq!(from(HELPED, "docker.io"), Ok(ada()));
    }
}

#[test]
fn r13_a_helper_may_keep_an_identity_token() {
    if with_helper(r#"echo '{"Username":"<token>","Secret":"t0ken"}'"#) {
        let login = from(HELPED, "host").unwrap().unwrap();
        assert_eq!((login.user.as_str(), login.identity_token.as_deref()), ("", Some("t0ken")));
    }
}

#[test]
fn r13_a_helper_that_knows_nothing_makes_nobody() {
    if with_helper("echo 'credentials not found in native keychain'; exit 1") {
        assert_eq!(from(HELPED, "host"), Ok(None));
    }
}

#[test]
fn r13_a_helpers_own_message_is_told() {
    if with_helper("printf 'no \\033[31mkeychain\\nmore'; exit 3") {
        let error = from(HELPED, "host").unwrap_err();
        assert!(
            error.contains("docker-credential-test: no \\u{1b}[31mkeychain\\nmore (exit status: 3)"),
            "{error}"
        );
    }
}

#[test]
fn r13_what_a_helper_says_without_an_error_is_never_shown() {
    if with_helper("printf '{\"Username\":\"ada\",\"Secret\":\"s3cret'") {
        let error = from(HELPED, "host").unwrap_err();
        assert!(error.contains("docker-credential-test: its answer cannot be understood"), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }
}

#[test]
fn r13_a_helper_without_end_is_stopped() {
    if with_helper("yes s3cret") {
        let error = from(HELPED, "host").unwrap_err();
        assert!(error.contains("docker-credential-test: its answer is too long"), "{error}");
    }
}
