//! A proxy for those who come by IPv6 to a container that is reached by IPv4: no rule of the firewall can change the one
//! into the other. It holds both ends of each connection, in a process that ends with us.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, sleep};
use std::time::Duration;

use anyhow::{Context, Result};
use step03_pid::Companion;

use crate::ports::{Protocol, Published};

// ANCHOR: proxy
/// Who has said nothing for so long is forgotten: datagrams have no end.
const SILENCE: Duration = Duration::from_secs(90);

/// So many can ask by datagrams at a time; a stranger can invent any number of addresses.
const MOST_PEERS: usize = 1024;

/// Starts it, if anything is published that it is for: `target` says who answers there by IPv4. From then on the proxy
/// has the sockets, and nobody else.
pub(crate) fn start(
    published: &mut [Published],
    target: impl Fn(&Published) -> Option<SocketAddr>,
) -> Result<Option<Companion>> {
    let (mut sockets, mut ways) = (Vec::new(), Vec::new());
    for port in published {
        if let Some(target) = target(port) {
            sockets.push(port.held.take().context("the port has been given back")?);
            ways.push((port.protocol, target));
        }
    }
    if sockets.is_empty() {
        return Ok(None);
    }
    let serve = move |sockets: Vec<OwnedFd>| {
        for (socket, (protocol, target)) in sockets.into_iter().zip(ways) {
            in_thread(move || match protocol {
                Protocol::Tcp => connections(&TcpListener::from(socket), target),
                Protocol::Udp => datagrams(&Arc::new(UdpSocket::from(socket)), target),
            });
        }
    };
    Companion::start(sockets, serve).context("cannot start the proxy for IPv6").map(Some)
}
// ANCHOR_END: proxy

// ANCHOR: connections
/// Where there is no room for a thread, this one is not served.
fn in_thread(work: impl FnOnce() + Send + 'static) {
    let _ = Builder::new().stack_size(64 << 10).spawn(work);
}

fn connections(listener: &TcpListener, target: SocketAddr) {
    loop {
        match listener.accept() {
            Ok((client, _)) => in_thread(move || connection(client, target)),
            // No descriptor is free: some will be.
            Err(_) => sleep(Duration::from_millis(20)),
        }
    }
}

/// Two directions, each of which ends for itself (`man 2 shutdown`).
fn connection(client: TcpStream, target: SocketAddr) {
    let Ok(server) = TcpStream::connect_timeout(&target, Duration::from_secs(10)) else { return };
    let (Ok(back_to), Ok(back_from)) = (client.try_clone(), server.try_clone()) else { return };
    in_thread(move || copy(back_from, back_to));
    copy(client, server);
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
// ANCHOR_END: connections

// ANCHOR: datagrams
/// Each who asks has a socket of his own towards the container, so that answers find back.
fn datagrams(socket: &Arc<UdpSocket>, target: SocketAddr) {
    let peers: Arc<Mutex<HashMap<SocketAddr, Arc<UdpSocket>>>> = Arc::default();
    let mut buffer = vec![0; 65_536];
    loop {
        let Ok((length, client)) = socket.recv_from(&mut buffer) else { continue };
        let mut known = peers.lock().unwrap_or_else(PoisonError::into_inner);
        let own = match known.get(&client) {
            Some(own) => own.clone(),
            None if known.len() >= MOST_PEERS => continue,
            None => {
                let Ok(own) = towards(target) else { continue };
                known.insert(client, own.clone());
                answers(socket.clone(), own.clone(), client, peers.clone());
                own
            }
        };
        drop(known);
        let _ = own.send(&buffer[..length]);
    }
}

fn towards(target: SocketAddr) -> io::Result<Arc<UdpSocket>> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(target)?;
    socket.set_read_timeout(Some(SILENCE))?;
    Ok(Arc::new(socket))
}

fn answers(
    socket: Arc<UdpSocket>,
    own: Arc<UdpSocket>,
    client: SocketAddr,
    peers: Arc<Mutex<HashMap<SocketAddr, Arc<UdpSocket>>>>,
) {
    in_thread(move || {
        let mut buffer = vec![0; 65_536];
        loop {
            match own.recv(&mut buffer) {
                Ok(length) => drop(socket.send_to(&buffer[..length], client)),
                // Nobody listens there yet, or any more.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(_) => break,
            }
        }
        peers.lock().unwrap_or_else(PoisonError::into_inner).remove(&client);
    });
}
// ANCHOR_END: datagrams
