//! The cases of `server/client_proxyproto_test.go`.

mod codec;
mod listener;

crate::collect! {
    codec,
    listener,
}

/// What a version 2 header starts with.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A version 2 header with these four fixed bytes.
fn v2(version_command: u8, family_protocol: u8, len: u8, data: &[u8]) -> Vec<u8> {
    [SIGNATURE, &[version_command, family_protocol, 0, len], data].concat()
}

/// A version 2 header of a proxied connection over TCP.
fn v2_proxy(source: &str, destination: &str, ports: [u16; 2]) -> Vec<u8> {
    use std::net::IpAddr;
    let mut data = Vec::new();
    let mut family = 0x11;
    for ip in [source, destination] {
        match ip.parse().unwrap() {
            IpAddr::V4(ip) => data.extend(ip.octets()),
            IpAddr::V6(ip) => {
                family = 0x21;
                data.extend(ip.octets());
            }
        }
    }
    ports.iter().for_each(|port| data.extend(port.to_be_bytes()));
    v2(0x21, family, data.len() as u8, &data)
}

/// A version 1 header.
fn v1(protocol: &str, source: &str, destination: &str, ports: [u16; 2]) -> Vec<u8> {
    format!("PROXY {protocol} {source} {destination} {} {}\r\n", ports[0], ports[1]).into_bytes()
}
