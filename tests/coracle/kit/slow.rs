//! A registry that stops in the middle of each large blob, until it is told to go on.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use serde_json::Value;
use step07_images::digest::Digest;
use support::wait_until;
use tempfile::TempDir;

use super::{Image, LIMIT};

/// What is larger is stopped, in bytes.
const LARGE: usize = 100_000;

pub struct Slow {
    /// `127.0.0.1:PORT`
    pub host: String,
    shared: Arc<Shared>,
}

struct Shared {
    layout: TempDir,
    /// The paths that were asked for.
    asked: Mutex<Vec<String>>,
    stopped: Mutex<usize>,
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Slow {
    /// Has these images, each under its name: `large:1`.
    pub fn with(images: &[(&str, &Image)]) -> Self {
        let layout = tempfile::tempdir().unwrap();
        images.iter().for_each(|(name, image)| image.write(layout.path(), name));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            layout,
            asked: Mutex::default(),
            stopped: Mutex::default(),
            is_open: Mutex::default(),
            opened: Condvar::new(),
        });
        let serving = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = serving.clone();
                // Who goes away in the middle is no concern of ours.
                thread::spawn(move || drop(shared.serve(stream)));
            }
        });
        Self { host, shared }
    }

    /// Waits until so many large blobs are stopped in the middle.
    #[track_caller]
    pub fn wait_until_stopped(&self, number: usize) {
        wait_until("a layer has half come", LIMIT, || *self.shared.stopped.lock().unwrap() >= number);
    }

    pub fn go_on(&self) {
        *self.shared.is_open.lock().unwrap() = true;
        self.shared.opened.notify_all();
    }

    /// How often the large blobs were asked for.
    pub fn downloads(&self) -> usize {
        let asked = self.shared.asked.lock().unwrap();
        let is_large = |path: &&String| self.shared.find(path).is_some_and(|(_, body)| body.len() > LARGE);
        asked.iter().filter(is_large).count()
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.go_on();
    }
}

impl Shared {
    /// The kind and the content of what a path names.
    fn find(&self, path: &str) -> Option<(String, Vec<u8>)> {
        let (repository, rest) = path.strip_prefix("/v2/")?.split_once('/')?;
        let (kind, version) = rest.split_once('/')?;
        let index = fs::read(self.layout.path().join("index.json")).unwrap();
        let index: Value = serde_json::from_slice(&index).unwrap();
        let name = format!("{repository}:{version}");
        let manifests = index["manifests"].as_array().unwrap();
        let named = manifests.iter().find(|manifest| {
            manifest["annotations"]["org.opencontainers.image.ref.name"].as_str() == Some(&*name)
        });
        let digest = named.map_or(version, |manifest| manifest["digest"].as_str().unwrap());
        let digest: Digest = digest.parse().ok()?;
        let body = fs::read(self.layout.path().join("blobs/sha256").join(digest.hex())).ok()?;
        let media_type = match kind {
            "manifests" => "application/vnd.oci.image.manifest.v1+json",
            _ => "application/octet-stream",
        };
        Some((media_type.to_owned(), body))
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let Some(Ok(first)) = lines.next() else { return Ok(()) };
        // What is no HTTP is the first try with https.
        let Some(path) = first.split(' ').nth(1).filter(|path| path.starts_with('/')) else { return Ok(()) };
        let mut from = 0;
        for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
            if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
                from = range.trim_end_matches('-').parse().unwrap();
            }
        }
        self.asked.lock().unwrap().push(path.to_owned());
        let Some((media_type, body)) = self.find(path) else {
            return stream
                .write_all(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        };
        let (status, range) = match from {
            0 => ("200 OK", String::new()),
            from => {
                let range = format!("Content-Range: bytes {from}-{}/{}\r\n", body.len() - 1, body.len());
                ("206 Partial Content", range)
            }
        };
        let body = &body[from..];
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: {media_type}\r\n{range}Content-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        let half = if length > LARGE { length / 2 } else { 0 };
        stream.write_all(&body[..half])?;
        if half > 0 {
            *self.stopped.lock().unwrap() += 1;
            // A test that is wrong ends too.
            let is_open = self.is_open.lock().unwrap();
            drop(self.opened.wait_timeout_while(is_open, LIMIT, |is_open| !*is_open).unwrap());
        }
        stream.write_all(&body[half..])
    }
}

/// What does not compress.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 88172645463325252u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}
