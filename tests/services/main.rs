//! Real services, as people run them: pulled from a registry, detached, published, reached by their own clients from the
//! host, followed, looked into, stopped by their own signals, and started again with their data still there.

#[allow(dead_code, unused_imports, reason = "what the tests of coracle use")]
#[path = "../coracle/kit/mod.rs"]
mod kit;
mod registry;
mod service;

use std::fs;
use std::net::TcpListener;

use kit::{Ran, tool};
use service::{Service, boat};

#[test]
fn redis_keeps_its_keys_in_a_volume() {
    let Some(boat) = boat("redis", &[("redis-cli", "redis-tools")]) else { return };
    let cli = |service: &Service, words: &[&str]| {
        let port = service.port().to_string();
        service.client(&[&["redis-cli", "-h", "127.0.0.1", "-p", &port], words].concat())
    };
    let mut redis = Service::start(&boat, "redis", "-p 127.0.0.1::6379 -v keys:/data");
    redis.answers(|redis| cli(redis, &["ping"]), "PONG");
    assert_eq!(cli(&redis, &["set", "boat", "coracle"]).ok(), "OK");
    redis.has_logged("Ready to accept connections");
    assert_eq!(redis.exec(&["redis-cli", "get", "boat"]), "coracle");
    assert_eq!(redis.exec(&["id", "-un"]), "redis");
    redis.stop();
    redis.restart();
    redis.answers(|redis| cli(redis, &["get", "boat"]), "coracle");
    redis.stop();
    redis.remove();
    // The volume outlives the container.
    let mut next = Service::start(&boat, "redis", "-p 127.0.0.1::6379 -v keys:/data");
    next.answers(|redis| cli(redis, &["get", "boat"]), "coracle");
    next.stop();
    next.remove();
}

#[test]
fn nginx_serves_its_pages_and_says_who_came() {
    let Some(boat) = boat("nginx", &[("curl", "curl")]) else { return };
    let get = |service: &Service, page: &str| {
        service.client(&[
            "curl",
            "--silent",
            "--fail",
            &format!("http://127.0.0.1:{}/{page}", service.port()),
        ])
    };
    let mut nginx = Service::start(&boat, "nginx", "-p 80");
    nginx.answers(|nginx| get(nginx, "hello.html"), "<p>hello from nginx</p>");
    nginx.has_logged("GET /hello.html");
    nginx.exec(&["sh", "-c", "echo made inside >/var/www/html/made.html"]);
    assert_eq!(get(&nginx, "made.html").ok(), "made inside");
    assert_eq!(get(&nginx, "absent.html").code, 22);
    nginx.stop();
    nginx.restart();
    nginx.answers(|nginx| get(nginx, "made.html"), "made inside");
    nginx.stop();
    nginx.remove();
}

#[test]
fn postgres_keeps_its_tables_in_a_volume() {
    let Some(boat) = boat("postgres", &[("psql", "postgresql-client")]) else { return };
    let sql = |service: &Service, query: &str| {
        let port = service.port().to_string();
        service.client(&["psql", "-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-qAt", "-c", query])
    };
    let mut postgres = Service::start(&boat, "postgres", "-p 127.0.0.1::5432 -v tables:/var/lib/data");
    postgres.answers(|postgres| sql(postgres, "select 1"), "1");
    sql(&postgres, "create table boats (name text); insert into boats values ('coracle'), ('canoe')").ok();
    postgres.has_logged("database system is ready to accept connections");
    let query = ["psql", "-h", "/tmp", "-U", "postgres", "-qAt", "-c", "select count(*) from boats"];
    assert_eq!(postgres.exec(&query), "2");
    postgres.stop();
    postgres.restart();
    postgres.answers(|postgres| sql(postgres, "select name from boats order by name limit 1"), "canoe");
    postgres.stop();
    postgres.remove();
    let mut next = Service::start(&boat, "postgres", "-p 127.0.0.1::5432 -v tables:/var/lib/data");
    next.answers(|postgres| sql(postgres, "select count(*) from boats"), "2");
    next.stop();
    next.remove();
}

#[test]
fn program_in_python_counts_on() {
    let Some(boat) = boat("python", &[("curl", "curl")]) else { return };
    let get = |service: &Service| {
        service.client(&["curl", "--silent", &format!("http://127.0.0.1:{}", service.port())])
    };
    // A port that is chosen stays the same.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut python = Service::start(&boat, "python", &format!("-p 127.0.0.1:{port}:8000 -v count:/data"));
    python.answers(get, "1");
    assert_eq!(python.port(), port);
    assert_eq!(python.exec(&["cat", "/data/count"]), "1");
    python.has_logged("counting");
    python.stop();
    python.restart();
    python.answers(get, "2");
    python.stop();
    python.remove();
}

#[test]
fn compiler_makes_programs_that_run() {
    let Some(boat) = boat("gcc", &[]) else { return };
    let source = boat.path("source");
    fs::create_dir(&source).unwrap();
    let program = "#include <stdio.h>\nint main(void) { puts(\"compiled inside\"); return 42; }\n";
    fs::write(source.join("hello.c"), program).unwrap();
    fs::write(source.join("wrong.c"), "int main(void) { return nowhere; }\n").unwrap();
    let volume = format!("{}:/src", source.display());
    let gcc = |options: &[&str], words: &[&str]| {
        let run = [&["run", "--network=none", "-v", &volume], options, &[&*boat.image], words].concat();
        Ran::of(&mut boat.command(run))
    };
    gcc(&["--rm"], &["-static", "-o", "hello", "hello.c"]).ok();
    // Detached, the end is waited for and the complaint is kept.
    gcc(&["-d", "--name", "wrong"], &["wrong.c"]);
    assert_eq!(boat.coracle("wait wrong").ok(), "1");
    let logs = boat.coracle("logs wrong");
    assert!(logs.err.contains("'nowhere' undeclared"), "{logs:?}");
    boat.coracle("rm wrong").ok();
    // It runs where it was made, and on the host, for it needs nothing.
    let inside = gcc(&["--rm", "--entrypoint", "/src/hello"], &[]);
    assert_eq!((inside.code, &*inside.out), (42, "compiled inside\n"), "{inside:?}");
    let outside = tool(&["sh", "-c", &format!("{}/hello || test $? = 42", source.display())]);
    assert_eq!(outside, "compiled inside\n");
}
