//! Where a registry is, and whether it speaks https.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::http::{Http, Request, Trouble};

/// Registries on this machine, and those that were called insecure, may have no certificate. As Docker, we ask with
/// https first. Any answer will do; a certificate that is wrong is an answer too, and the next request reports it.
pub(super) fn scheme(http: &Http, host: &str) -> &'static str {
    let url = format!("https://{host}/v2/");
    match http.get(Request { url: &url, ..Request::default() }) {
        Ok(_) => "https",
        Err(Trouble::Final(error) | Trouble::Passing(error)) => {
            let text = error.to_string().to_lowercase();
            if text.contains("certificate") || text.contains("alert") { "https" } else { "http" }
        }
    }
}

/// Whether a host, with or without a port, is this machine.
pub fn is_loopback(host: &str) -> bool {
    if let Some(ipv6) = host.strip_prefix('[') {
        let address = ipv6.split(']').next().unwrap_or("");
        return address.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback());
    }
    let host = host.split(':').next().unwrap_or("");
    host == "localhost" || host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
}
