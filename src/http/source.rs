//! Where a request came from: known for a moment, to slow guessing down; kept and logged nowhere.

use std::net::IpAddr;

use actix_web::HttpRequest;

use crate::auth::credentials::slowdown::network_of;

/// The network that `request` came from, behind `proxies` proxies that each append to `X-Forwarded-For`.
///
/// With no proxy the header is ignored: anybody could write it.
pub fn of(request: &HttpRequest, proxies: usize) -> Option<String> {
    let peer = request.peer_addr().map(|address| address.ip());
    let address = match proxies.checked_sub(1) {
        None => peer,
        Some(behind) => {
            let forwarded: Vec<&str> = request
                .headers()
                .get_all("x-forwarded-for")
                .filter_map(|value| value.to_str().ok())
                .flat_map(|value| value.split(','))
                .map(str::trim)
                .collect();
            forwarded.iter().rev().nth(behind).and_then(|text| text.parse::<IpAddr>().ok()).or(peer)
        }
    };
    address.map(network_of)
}
