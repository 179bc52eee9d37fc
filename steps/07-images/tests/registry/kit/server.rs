//! An HTTP server that does exactly what a test says, in 100 lines of std.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::image::Served;

/// What came.
#[derive(Clone, Debug)]
pub struct Ask {
    pub path: String,
    pub query: String,
    headers: Vec<(String, String)>,
}

impl Ask {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &**value)
    }
}

/// What goes back.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Only so many bytes of the body are sent, and the connection is closed.
    pub cut: Option<usize>,
    /// After what is sent, silence.
    pub silent: bool,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), cut: None, silent: false }
    }

    pub fn ok(body: Vec<u8>) -> Self {
        Self { body, ..Self::status(200) }
    }

    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({"errors": [{"code": code, "message": message}]});
        Self { body: body.to_string().into_bytes(), ..Self::status(status) }
    }

    /// Overrides a header that would be sent by itself, too.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn cut_at(self, bytes: usize) -> Self {
        Self { cut: Some(bytes), ..self }
    }

    pub fn then_silence(self) -> Self {
        Self { silent: true, ..self }
    }
}

/// The server; its threads end with the test.
pub struct Server {
    /// `127.0.0.1:PORT`
    pub host: String,
    asked: Arc<Mutex<Vec<Ask>>>,
}

impl Server {
    pub fn start(answer: impl Fn(&Ask) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<Ask>>> = Arc::default();
        let log = asked.clone();
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, log) = (answer.clone(), log.clone());
                thread::spawn(move || {
                    if let Some(ask) = read(&stream) {
                        log.lock().unwrap().push(ask.clone());
                        let _ = send(stream, &answer(&ask));
                    }
                });
            }
        });
        Self { host, asked }
    }

    /// Everything that was asked, in order.
    pub fn asked(&self) -> Vec<Ask> {
        self.asked.lock().unwrap().clone()
    }

    /// How often a path was asked for.
    pub fn count(&self, path: &str) -> usize {
        self.asked().iter().filter(|ask| ask.path == path).count()
    }
}

/// `None` if it was no HTTP, such as the first try with https.
fn read(stream: &TcpStream) -> Option<Ask> {
    let mut lines = BufReader::new(stream.take(64 << 10)).split(b'\n');
    let mut next = || String::from_utf8(lines.next()?.ok()?).ok().map(|line| line.trim_end().to_owned());
    let first = next()?;
    let target = first.strip_prefix("GET ")?.split(' ').next()?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = Vec::new();
    while let Some((name, value)) = next()?.split_once(':') {
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    Some(Ask { path: path.to_owned(), query: query.to_owned(), headers })
}

fn send(mut stream: TcpStream, reply: &Reply) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Reason\r\nConnection: close\r\n", reply.status);
    let has = |name: &str| reply.headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
    if !has("content-length") && !has("transfer-encoding") {
        head += &format!("Content-Length: {}\r\n", reply.body.len());
    }
    for (name, value) in reply.headers.iter().filter(|(_, value)| value != "absent") {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(head.as_bytes())?;
    stream.write_all(b"\r\n")?;
    stream.write_all(&reply.body[..reply.cut.unwrap_or(reply.body.len())])?;
    stream.flush()?;
    if reply.silent {
        thread::sleep(Duration::from_secs(20));
    }
    Ok(())
}

/// Answers with a challenge until somebody comes with `authorization`.
pub fn guarded(served: Served, challenge: &str, authorization: &'static str) -> Server {
    let challenge = challenge.to_owned();
    Server::start(move |ask| match ask.header("authorization") == Some(authorization) {
        true => served.answer(ask),
        false => unauthorized(&challenge),
    })
}

pub fn unauthorized(challenge: &str) -> Reply {
    Reply::status(401).with("WWW-Authenticate", challenge)
}

pub fn token_server() -> Server {
    Server::start(|_| Reply::ok(br#"{"token": "good"}"#.to_vec()))
}

pub fn bearer(realm: &str) -> String {
    format!("Bearer realm=\"{realm}\",service=\"s\",scope=\"repository:x:pull\"")
}
