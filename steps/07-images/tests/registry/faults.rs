//! Registries that break off, mumble and lie: R5 to R10 of the attacks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::kit::image::{Content, OCI_MANIFEST, noise, ranged, tar};
use crate::kit::server::{Ask, Reply, Server};
use crate::kit::{Here, as_root};

const MANIFEST: &str = "/v2/x/manifests/1";

/// An image whose layer has a size worth cutting.
fn large() -> Content {
    Content::of(&[tar(&[("noise", &noise(300_000))])])
}

/// An honest registry but for what `special` answers: it is told how often its path was asked for before.
fn registry(
    content: &Content,
    path: &str,
    special: impl Fn(usize, &Ask, Reply) -> Reply + Send + Sync + 'static,
) -> Server {
    let (served, path, count) = (content.served(), path.to_owned(), AtomicUsize::new(0));
    Server::start(move |ask| {
        let honest = served.answer(ask);
        match ask.path == path {
            true => special(count.fetch_add(1, Ordering::SeqCst), ask, honest),
            false => honest,
        }
    })
}

#[test]
fn r5_a_passing_trouble_is_sat_out() {
    if !as_root() {
        return;
    }
    for status in [500, 502, 503, 504] {
        let here = Here::new();
        let fails = move |count, _: &Ask, honest| if count < 4 { Reply::status(status) } else { honest };
        let server = registry(&Content::tiny(), MANIFEST, fails);
        here.pull(&format!("{}/x:1", server.host)).unwrap();
        assert_eq!(server.count(MANIFEST), 5);
    }
}

#[test]
fn r5_after_five_tries_the_trouble_counts() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    let server =
        registry(&Content::tiny(), MANIFEST, |_, _, _| Reply::error(503, "UNAVAILABLE", "try later"));
    let error = here.refused(&format!("{}/x:1", server.host));
    let name = format!("{}/x", server.host);
    let expected = "503 Service Unavailable: unavailable: try later";
    assert_eq!(error, format!("cannot get manifest 1 of {name}: {expected}"));
    assert_eq!(server.count(MANIFEST), 5);
}

#[test]
fn r5_what_will_not_pass_is_not_tried_again() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    for status in [400, 403, 404] {
        let server = registry(&Content::tiny(), MANIFEST, move |_, _, _| Reply::error(status, "NO", "no"));
        let error = here.refused(&format!("{}/x:1", server.host));
        assert!(error.contains(&format!("{status} ")) && error.ends_with("no: no"), "{error}");
        assert_eq!(server.count(MANIFEST), 1);
    }
}

#[test]
fn r5_nobody_there_is_said() {
    if !as_root() {
        return;
    }
    let error = Here::new().refused("127.0.0.1:1/x:1");
    assert!(error.starts_with("cannot get manifest 1 of 127.0.0.1:1/x: "), "{error}");
    assert!(error.contains("refused"), "{error}");
}

#[test]
fn r5_a_registry_may_ask_for_a_short_wait_only() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    let busy = |wait: &str| Reply::error(429, "TOOMANYREQUESTS", "slow down").with("Retry-After", wait);
    let server = registry(
        &Content::tiny(),
        MANIFEST,
        move |count, _, honest| if count == 0 { busy("1") } else { honest },
    );
    let start = Instant::now();
    here.pull(&format!("{}/x:1", server.host)).unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));

    // Absent, a date that has passed, nonsense of no consequence: a little later.
    for wait in ["absent", "Wed, 21 Oct 2015 07:28:00 GMT", "0"] {
        let answer = move |count, _: &Ask, honest| if count == 0 { busy(wait) } else { honest };
        let server = registry(&Content::tiny(), MANIFEST, answer);
        Here::new().pull(&format!("{}/x:1", server.host)).unwrap();
        assert_eq!(server.count(MANIFEST), 2, "{wait}");
    }
    for wait in ["1000000000", "Wed, 21 Oct 2099 07:28:00 GMT", "99999999999999999999999", "soon"] {
        let server = registry(&Content::tiny(), MANIFEST, move |_, _, _| busy(wait));
        let error = Here::new().refused(&format!("{}/x:1", server.host));
        assert!(error.contains("toomanyrequests: slow down") && error.contains(wait), "{error}");
        assert_eq!(server.count(MANIFEST), 1);
    }
}

#[test]
fn r5_a_registry_may_tell_when_as_a_date() {
    if !as_root() {
        return;
    }
    let soon = std::time::SystemTime::now() + Duration::from_secs(2);
    let soon = httpdate::fmt_http_date(soon);
    let server = registry(&Content::tiny(), MANIFEST, move |count, _, honest| match count {
        0 => Reply::error(429, "TOOMANYREQUESTS", "slow down").with("Retry-After", &soon),
        _ => honest,
    });
    let start = Instant::now();
    Here::new().pull(&format!("{}/x:1", server.host)).unwrap();
    // Dates have whole seconds.
    assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
}

#[test]
fn r5_pauses_grow_and_no_two_are_alike() {
    if !as_root() {
        return;
    }
    let mut here = Here::new();
    here.options.registry.pause = Duration::from_millis(40);
    let mut all = Vec::new();
    for _ in 0..2 {
        let times = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let log = times.clone();
        let server = registry(&Content::tiny(), MANIFEST, move |_, _, _| {
            log.lock().unwrap().push(Instant::now());
            Reply::status(503)
        });
        here.refused(&format!("{}/x:1", server.host));
        let times = times.lock().unwrap();
        let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // At least twice as long each time, and up to a half longer by chance.
        for (number, pause) in pauses.iter().enumerate() {
            assert!(*pause >= Duration::from_millis(40 << number), "{pauses:?}");
        }
        all.push(pauses);
    }
    assert_ne!(all[0], all[1]);
}

#[test]
fn r6_after_a_cut_the_rest_is_fetched() {
    if !as_root() {
        return;
    }
    let (here, content) = (Here::new(), large());
    let layer = content.layers[0].clone();
    let server = registry(&content, &content.layer_path(0), move |count, ask, honest| match count {
        0 => honest.with("ETag", "\"a\"").cut_at(100_000),
        _ => {
            let from: usize =
                ask.header("range").unwrap()["bytes=".len()..].trim_end_matches('-').parse().unwrap();
            let range = format!("bytes {from}-{}/{}", layer.len() - 1, layer.len());
            let rest = Reply { body: layer[from..].to_vec(), ..Reply::status(206) };
            rest.with("Content-Range", &range).with("ETag", "\"a\"")
        }
    });

    here.pull(&format!("{}/x:1", server.host)).unwrap();

    let asked = server.asked();
    let ranges: Vec<_> = asked.iter().filter_map(|ask| ask.header("range")).collect();
    assert_eq!(ranges, ["bytes=100000-"]);
}

#[test]
fn r6_what_is_not_the_rest_starts_anew() {
    if !as_root() {
        return;
    }
    // All of it instead of the rest; a rest from somewhere else; the rest of something else.
    for (status, range, etag) in
        [(200, "absent", "a"), (206, "bytes 7-299999/300000", "a"), (206, "exact", "b")]
    {
        let (here, content) = (Here::new(), large());
        let length = content.layers[0].len();
        let server = registry(&content, &content.layer_path(0), move |count, _, honest| match count {
            0 => honest.with("ETag", "a").cut_at(100_000),
            1 if status == 206 => {
                let exact = format!("bytes 100000-{}/{length}", length - 1);
                let range = if range == "exact" { &*exact } else { range };
                Reply { status, ..honest }.with("Content-Range", range).with("ETag", etag)
            }
            _ => honest,
        });
        here.pull(&format!("{}/x:1", server.host)).unwrap();
    }
}

#[test]
fn r6_a_line_that_always_breaks_is_given_up() {
    if !as_root() {
        return;
    }
    let (here, content) = (Here::new(), large());
    let path = content.layer_path(0);
    let server = registry(&content, &path, |_, _, honest| honest.cut_at(100_000));
    let error = here.broken_off(&format!("{}/x:1", server.host));
    assert!(error.contains("it broke off after 100000 bytes"), "{error}");
    assert_eq!(server.count(&path), 5);
}

#[test]
fn r7_silence_is_not_waited_for() {
    if !as_root() {
        return;
    }
    let (mut here, content) = (Here::new(), Content::tiny());
    here.options.registry.stall = Duration::from_millis(200);
    let server = registry(&content, MANIFEST, |_, _, honest| honest.cut_at(10).then_silence());
    let start = Instant::now();
    let error = here.refused(&format!("{}/x:1", server.host));
    assert!(error.contains("timeout"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn r7_silence_in_a_blob_is_not_waited_for_and_the_rest_is_fetched() {
    if !as_root() {
        return;
    }
    let (mut here, content) = (Here::new(), large());
    here.options.registry.stall = Duration::from_millis(200);
    let path = content.layer_path(0);
    let server = registry(&content, &path, |count, ask, honest| match count {
        0 => honest.cut_at(100_000).then_silence(),
        1 => honest.cut_at(0).then_silence(),
        _ => ranged(ask, honest),
    });
    let start = Instant::now();
    here.pull(&format!("{}/x:1", server.host)).unwrap();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let asked = server.asked();
    assert_eq!(asked.last().unwrap().header("range"), None);
}

#[test]
fn r7_who_is_slow_but_not_silent_is_waited_for() {
    if !as_root() {
        return;
    }
    let (mut here, content) = (Here::new(), Content::tiny());
    here.options.registry.stall = Duration::from_millis(400);
    let server = registry(&content, MANIFEST, |_, _, honest| honest.dripping(Duration::from_millis(3)));
    let start = Instant::now();
    here.pull(&format!("{}/x:1", server.host)).unwrap();
    assert!(start.elapsed() > here.options.registry.stall, "{:?}", start.elapsed());
}

#[test]
fn r8_what_the_headers_say_of_a_blob_does_not_matter() {
    if !as_root() {
        return;
    }
    let chunked = |reply: Reply| {
        let mut body = format!("{:x}\r\n", reply.body.len()).into_bytes();
        body.extend(&reply.body);
        body.extend(b"\r\n0\r\n\r\n");
        Reply { body, ..reply }.with("Transfer-Encoding", "chunked")
    };
    let variants: [fn(Reply) -> Reply; 2] =
        [|reply| reply.with("Content-Length", "absent"), |reply| reply.with("Content-Encoding", "gzip")];
    for variant in variants.into_iter().chain([chunked as fn(Reply) -> Reply]) {
        let (here, content) = (Here::new(), large());
        let server = registry(&content, &content.layer_path(0), move |_, _, honest| variant(honest));
        here.pull(&format!("{}/x:1", server.host)).unwrap();
    }
    for length in ["-1", "7x", "99999999999999999999999"] {
        let (here, content) = (Here::new(), large());
        let server = registry(&content, &content.layer_path(0), move |_, _, honest| {
            honest.with("Content-Length", length)
        });
        here.refused(&format!("{}/x:1", server.host));
    }
}

#[test]
fn r9_a_manifest_is_what_its_digest_says() {
    if !as_root() {
        return;
    }
    let (here, content) = (Here::new(), Content::tiny());
    let other = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let lies = move |_, _: &Ask, honest: Reply| honest.with("Docker-Content-Digest", other);
    let server = registry(&content, MANIFEST, lies);
    let error = here.refused(&format!("{}/x:1", server.host));
    assert!(error.contains("it has other content: expected sha256:e3b0c442"), "{error}");

    // Pinned by digest, and the registry lies about the header too.
    let path = format!("/v2/x/manifests/{other}");
    let text = content.text();
    let server = registry(&content, &path, move |_, _, _| {
        Reply::ok(text.clone()).with("Content-Type", OCI_MANIFEST).with("Docker-Content-Digest", other)
    });
    let error = here.refused(&format!("{}/x@{other}", server.host));
    assert!(error.contains("it has other content"), "{error}");
}

#[test]
fn r10_a_manifest_without_end_stops_at_4_mib() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    let server = registry(&Content::tiny(), MANIFEST, |_, _, _| Reply::ok(vec![b' '; 64 << 20]));
    let error = here.refused(&format!("{}/x:1", server.host));
    assert!(error.contains("it is longer than 4194304 bytes"), "{error}");
}

#[test]
fn r10_what_a_registry_says_is_escaped_and_bounded() {
    if !as_root() {
        return;
    }
    let here = Here::new();
    let html = format!("\x1b[2J<html>\x07{}\nmore", "x".repeat(10 << 20));
    let json =
        format!("{{\"errors\": [{{\"code\": \"A\\u001b[31m\", \"message\": \"{}\"}}]}}", "y".repeat(60_000));
    for body in [html.into_bytes(), json.into_bytes(), noise(1 << 20), Vec::new()] {
        let server = registry(&Content::tiny(), MANIFEST, move |_, _, _| Reply {
            body: body.clone(),
            ..Reply::status(404)
        });
        let error = here.refused(&format!("{}/x:1", server.host));
        assert!(error.contains("404 Not Found") && error.len() < 2000, "{error}");
    }
}

/// A registry with this list of tags: the answer to each request for a page.
fn with_tags(page: impl Fn(&Ask) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |ask| match &*ask.path {
        "/v2/x/tags/list" => page(ask),
        _ => Reply::status(404),
    })
}

fn tags(server: &Server) -> Result<Vec<String>, String> {
    let here = Here::new();
    let reference = format!("{}/x", server.host).parse().unwrap();
    let registry = step07_images::registry::Registry::connect(&reference, &here.options.registry).unwrap();
    registry.tags().map_err(|error| format!("{error:#}"))
}

#[test]
fn r11_the_list_of_tags_goes_on_at_the_same_server_only_and_ends() {
    let page = |names: &str, link: &str| {
        Reply::ok(format!("{{\"name\": \"x\", \"tags\": {names}}}").into_bytes()).with("Link", link)
    };
    let next = "</v2/x/tags/list?last=b&n=2>; rel=\"next\"";
    let two = with_tags(move |ask| match &*ask.query {
        "" => page("[\"a\", \"b\"]", next),
        _ => page("null", "absent"),
    });
    assert_eq!(tags(&two), Ok(vec!["a".to_owned(), "b".to_owned()]));

    let circle = with_tags(move |_| page("[]", next));
    assert!(tags(&circle).unwrap_err().contains("leads in a circle"));
    let other = with_tags(move |_| page("[]", "<http://192.0.2.1/v2/x/tags/list>; rel=next"));
    assert!(tags(&other).unwrap_err().contains("goes on at another server: http://192.0.2.1:80"));
    let count = AtomicUsize::new(0);
    let endless = with_tags(move |_| {
        page("[]", &format!("</v2/x/tags/list?last={}>; rel=next", count.fetch_add(1, Ordering::SeqCst)))
    });
    assert!(tags(&endless).unwrap_err().contains("more than 1000 pages"));
    let evil = with_tags(move |_| page("[\"../../x\\u001b\"]", "absent"));
    assert!(tags(&evil).unwrap_err().contains("has one that is none: \"../../x\\u{1b}\""));
    let count = AtomicUsize::new(0);
    let many = with_tags(move |_| {
        let names = format!("[{}]", vec!["\"a\""; 30_000].join(","));
        page(&names, &format!("</v2/x/tags/list?last={}>; rel=next", count.fetch_add(1, Ordering::SeqCst)))
    });
    assert!(tags(&many).unwrap_err().contains("more than 100000 of them"));
    let long = with_tags(|_| Reply::ok(vec![b' '; 5 << 20]));
    assert!(tags(&long).unwrap_err().contains("a page is longer than"));
}
