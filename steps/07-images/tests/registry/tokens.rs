//! Registries that want to know who we are: R3 and R4 of the attacks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::kit::image::{Content, noise, ranged, tar};
use crate::kit::server::{Ask, Reply, Server, bearer, guarded, token_server, unauthorized};
use crate::kit::{Here, as_root};

#[test]
fn r3_a_registry_that_is_never_satisfied_gets_one_token() {
    if !as_root() {
        return;
    }
    let (here, tokens) = (Here::new(), token_server());
    let challenge = bearer(&format!("http://{}/token", tokens.host));
    let registry = guarded(Content::tiny().served(), &challenge, "Bearer better");
    let error = here.refused(&format!("{}/x:1", registry.host));
    assert!(error.contains("unauthorized: authentication required"), "{error}");
    assert_eq!((tokens.count("/token"), registry.count("/v2/x/manifests/1")), (1, 2));
}

#[test]
fn r3_challenges_that_cannot_be_answered_are_named() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    let cases = [
        ("Negotiate", "the registry asks for \"negotiate\""),
        ("Bearer", "not an http address"),
        ("=,\"", "authentication required"),
        ("", "authentication required"),
    ];
    for (challenge, expected) in cases {
        let registry = guarded(Content::tiny().served(), challenge, "Bearer good");
        let error = here.refused(&format!("{}/x:1", registry.host));
        assert!(error.contains("unauthorized") && error.contains(expected), "{challenge}: {error}");
    }
}

#[test]
fn r3_of_several_challenges_the_token_is_taken_and_never_a_wider_scope() {
    if !as_root() {
        return;
    }
    let (here, tokens) = (Here::new(), token_server());
    let challenge = format!(
        "Negotiate, Basic realm=\"a, b\", bearer service = \"s\" , realm=\"http://{}/t?a=b\",scope=\"repository:x:*\"",
        tokens.host
    );
    let registry = guarded(Content::tiny().served(), &challenge, "Bearer good");
    here.pull(&format!("{}/x:1", registry.host)).unwrap();
    assert_eq!(tokens.asked()[0].query, "a=b&service=s&scope=repository%3Ax%3Apull");
}

#[test]
fn r4_a_token_that_expires_on_the_way_is_fetched_anew_once_for_each_request() {
    if !as_root() {
        return;
    }
    let (here, content) = (Here::new(), Content::tiny());
    let served = content.served();
    let number = Arc::new(AtomicUsize::new(0));
    let (given, valid) = (number.clone(), number);
    let tokens = Server::start(move |_| {
        let token = given.fetch_add(1, Ordering::SeqCst) + 1;
        Reply::ok(format!("{{\"access_token\": \"{token}\", \"expires_in\": 0}}").into_bytes())
    });
    let challenge = bearer(&format!("http://{}/token", tokens.host));
    // Each token serves once.
    let used = AtomicUsize::new(0);
    let registry = Server::start(move |ask: &Ask| {
        let now = valid.load(Ordering::SeqCst);
        let fresh = ask.header("authorization") == Some(&format!("Bearer {now}"));
        if now > 0 && fresh && used.swap(now, Ordering::SeqCst) != now {
            return served.answer(ask);
        }
        unauthorized(&challenge)
    });

    here.pull(&format!("{}/x:1", registry.host)).unwrap();

    assert_eq!(tokens.count("/token"), 3, "manifest, config and layer");
}

#[test]
fn r4_a_token_that_expires_within_a_layer_is_fetched_anew_and_the_rest_asked_for() {
    if !as_root() {
        return;
    }
    let (here, content) = (Here::new(), Content::of(&[tar(&[("noise", &noise(300_000))])]));
    let (served, path) = (content.served(), content.layer_path(0));
    let number = Arc::new(AtomicUsize::new(1));
    let given = number.clone();
    let tokens = Server::start(move |_| {
        Reply::ok(format!("{{\"token\": \"{}\"}}", given.load(Ordering::SeqCst)).into_bytes())
    });
    let challenge = bearer(&format!("http://{}/token", tokens.host));
    let registry = Server::start(move |ask: &Ask| {
        let now = number.load(Ordering::SeqCst);
        if ask.header("authorization") != Some(&format!("Bearer {now}")) {
            return unauthorized(&challenge);
        }
        match ask.path == path && now == 1 {
            true => {
                number.store(2, Ordering::SeqCst);
                served.answer(ask).cut_at(100_000)
            }
            false => ranged(ask, served.answer(ask)),
        }
    });

    here.pull(&format!("{}/x:1", registry.host)).unwrap();

    assert_eq!(tokens.count("/token"), 2);
    assert_eq!(registry.asked().last().unwrap().header("range"), Some("bytes=100000-"));
}

#[test]
fn r4_answers_of_a_token_server_are_bounded_and_never_shown() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    let long = format!("{{\"token\": \"{}\"}}", "s3cret".repeat(400_000));
    let cases = [
        (long.as_str(), "longer than"),
        ("{\"token\": \"s3cret", "not the JSON"),
        ("{\"token\": [\"s3cret\"]}", "not the JSON"),
        ("{\"token\": \"s3cret\\r\\nX: y\"}", "characters that no token has"),
        ("{\"token\": null}", "has no token"),
        ("{}", "has no token"),
    ];
    for (answer, expected) in cases {
        let answer = answer.as_bytes().to_vec();
        let tokens = Server::start(move |_| Reply::ok(answer.clone()));
        let challenge = bearer(&format!("http://{}/token", tokens.host));
        let registry = guarded(Content::tiny().served(), &challenge, "Bearer good");
        let error = here.refused(&format!("{}/x:1", registry.host));
        assert!(error.contains(expected) && !error.contains("s3cret"), "{error}");
    }
}
