//! Step 06: a network of our own.
//!
//! A new network namespace has nothing but a loopback that is switched off. This step gives it a
//! cable to the host, an address, a way out and ports that others can reach; for ordinary users,
//! who may do none of that to the host, a helper does the same by sockets.
//!
//! In reading order: the wall ([`Net`]) and its options ([`NetArgs`]); how the kernel is spoken
//! with (`netlink`, `link`); what is on the host (`bridged`, `bridge`, `addresses`,
//! `forwarding`, `firewall`, `others`, `ports`, `hold`, `proxy`); the ordinary user's way (`pasta`); the files
//! that say who is who (`resolv`); and how all of it is bound to our life (`helper`, `folder`).

use std::io::Write;

mod net;
pub use net::{Net, sweep};
mod args;
pub use args::{NetArgs, Network};
mod names;
pub use names::{AddHost, NamesArgs};

mod link;
mod netlink;

mod bridged;

mod addresses;
mod bridge;
mod firewall;
mod forwarding;
mod hold;
mod others;
mod ports;
mod proxy;
pub use ports::{Protocol, Publish, Published};

mod pasta;
pub use pasta::Prepared;
mod resolv;

mod folder;
mod helper;

/// Says in one line what is not as one might expect, and why.
fn say(text: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(std::io::stderr(), "{text}");
}
