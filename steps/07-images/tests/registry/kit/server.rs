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
    pub method: String,
    /// What was posted.
    pub body: String,
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
    /// Byte by byte, with a pause after each.
    pub drip: Option<Duration>,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), cut: None, silent: false, drip: None }
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

    pub fn dripping(self, pause: Duration) -> Self {
        Self { drip: Some(pause), ..self }
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
    also: Arc<Mutex<Option<Also>>>,
}

/// A path, and what is answered there, if anything.
type Also = (&'static str, Box<dyn Fn(&Ask) -> Option<Reply> + Send>);

impl Server {
    pub fn start(answer: impl Fn(&Ask) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<Ask>>> = Arc::default();
        let log = asked.clone();
        let answer = Arc::new(answer);
        let also: Arc<Mutex<Option<Also>>> = Arc::default();
        let added = also.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, log, added) = (answer.clone(), log.clone(), added.clone());
                thread::spawn(move || {
                    if let Some(ask) = read(&stream) {
                        log.lock().unwrap().push(ask.clone());
                        let other = match &*added.lock().unwrap() {
                            Some((path, other)) if ask.path == *path => other(&ask),
                            _ => None,
                        };
                        let _ = send(stream, &other.unwrap_or_else(|| answer(&ask)));
                    }
                });
            }
        });
        Self { host, asked, also }
    }

    /// Answers at one more path, where `other` has an answer.
    pub fn also(self, path: &'static str, other: impl Fn(&Ask) -> Option<Reply> + Send + 'static) -> Self {
        *self.also.lock().unwrap() = Some((path, Box::new(other)));
        self
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
    let mut text = BufReader::new(stream.take(64 << 10));
    let mut next = || {
        let mut line = Vec::new();
        text.read_until(b'\n', &mut line).ok()?;
        String::from_utf8(line).ok().map(|line| line.trim_end().to_owned())
    };
    let first = next()?;
    let (method, rest) = first.split_once(' ')?;
    let target = rest.split(' ').next().filter(|target| target.starts_with('/'))?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = Vec::new();
    while let Some((name, value)) = next()?.split_once(':') {
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut ask = Ask {
        method: method.to_owned(),
        body: String::new(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
    };
    let length = ask.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    text.take(length).read_to_string(&mut ask.body).ok()?;
    Some(ask)
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
    let body = &reply.body[..reply.cut.unwrap_or(reply.body.len())];
    for piece in body.chunks(if reply.drip.is_some() { 1 } else { body.len().max(1) }) {
        stream.write_all(piece)?;
        thread::sleep(reply.drip.unwrap_or_default());
    }
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
