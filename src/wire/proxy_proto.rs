//! The PROXY protocol, versions 1 and 2: a load balancer tells us the client's address ahead of
//! the client's first byte.
//!
//! Sans-io: [`decode`] looks at all bytes received so far and says whether it needs more, how long
//! the header is, or what is wrong. It consumes nothing, so bytes that are no header, or follow
//! one, are still the caller's. Go: `server/client_proxyproto.go`.

use memchr::memmem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// How long a client may take to send the header.
pub const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Version 1 begins with this.
const V1_PREFIX: &[u8] = b"PROXY ";
/// Longest line of version 1 with its CRLF, bytes.
const V1_LINE_MAX: usize = 107;
/// Version 2 begins with this.
const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and protocol, length of what follows.
const V2_FIXED_LEN: usize = 16;
/// The version is told by this many bytes; fewer decide nothing.
const DETECT_LEN: usize = 6;

/// A complete header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whose connection this is; `None` if it is the proxy's own (LOCAL, UNKNOWN: health checks).
    pub addresses: Option<Addresses>,
    /// Length of the header, bytes; what follows is the client's.
    pub len: usize,
}

/// The ends of the proxied connection. IPv4 addresses mapped into IPv6 are given as IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The client.
    pub source: SocketAddr,
    /// What the client connected to.
    pub destination: SocketAddr,
}

/// Why the bytes are no header. The texts are upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Neither version: the bytes may be another protocol's.
    #[error("unrecognized PROXY protocol format")]
    Unrecognized,
    /// A header of a known version that is malformed.
    #[error("invalid PROXY protocol header: {0}")]
    Invalid(String),
    /// A header that asks for what we do not have.
    #[error("unsupported PROXY protocol feature: {0}")]
    Unsupported(String),
    /// A header that names a value out of range.
    #[error("{0}")]
    BadField(String),
}

impl ProxyError {
    fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid(what.into())
    }
}

/// Decodes the header at the start of `input`; `None` if it is not complete yet.
pub fn decode(input: &[u8]) -> Result<Option<Header>, ProxyError> {
    let Some(start) = input.get(..DETECT_LEN) else { return Ok(None) };
    if start == V1_PREFIX {
        decode_v1(&input[DETECT_LEN..])
    } else if *start == V2_SIGNATURE[..DETECT_LEN] {
        decode_v2(input)
    } else {
        Err(ProxyError::Unrecognized)
    }
}

/// What was being read when the bytes of an incomplete header ended, for the log line of a
/// connection that closed or timed out there.
pub fn incomplete(input: &[u8]) -> &'static str {
    if input.len() < DETECT_LEN {
        "failed to read protocol version"
    } else if input.starts_with(V1_PREFIX) {
        "failed to read v1 line"
    } else if input.len() < V2_SIGNATURE.len() {
        "failed to read v2 signature"
    } else if input.len() < V2_FIXED_LEN {
        "failed to read v2 header"
    } else if input[12] & 0x0f == 0 {
        "failed to discard LOCAL command address data"
    } else {
        match input[13] & 0xf0 {
            0x10 => "failed to read IPv4 address data",
            0x20 => "failed to read IPv6 address data",
            _ => "failed to discard UNSPEC address address data",
        }
    }
}

/// Decodes what follows `PROXY `.
fn decode_v1(rest: &[u8]) -> Result<Option<Header>, ProxyError> {
    let max = V1_LINE_MAX - V1_PREFIX.len();
    let Some(end) = memmem::find(&rest[..rest.len().min(max)], b"\r\n") else {
        return if rest.len() < max {
            Ok(None)
        } else {
            Err(ProxyError::invalid("v1 line too long"))
        };
    };
    let line = String::from_utf8_lossy(&rest[..end]);
    Ok(Some(Header { addresses: parse_v1(&line)?, len: V1_PREFIX.len() + end + 2 }))
}

/// `TCP4|TCP6 source destination source-port destination-port`, or `UNKNOWN` and anything.
fn parse_v1(line: &str) -> Result<Option<Addresses>, ProxyError> {
    let mut fields = line.split_whitespace();
    if fields.clone().next() == Some("UNKNOWN") {
        return Ok(None);
    }
    let fields = [(); 5].map(|()| fields.next()).into_iter().chain([fields.next()]);
    let fields: Vec<_> = fields.flatten().collect();
    let &[protocol, source, destination, source_port, destination_port] = fields.as_slice() else {
        return Err(ProxyError::invalid("invalid v1 format"));
    };
    let (Ok(source_ip), Ok(destination_ip)) = (source.parse(), destination.parse()) else {
        return Err(ProxyError::invalid("invalid address"));
    };
    let addresses = Addresses {
        source: socket_addr(source_ip, port("source", source_port)?),
        destination: socket_addr(destination_ip, port("dest", destination_port)?),
    };
    // The written form decides: ::ffff:192.0.2.1 is a good TCP6 address.
    let v6 = [source, destination].map(|text| text.contains(':'));
    match protocol {
        "TCP4" if v6.contains(&true) => Err(ProxyError::invalid("TCP4 with IPv6 address")),
        "TCP6" if v6.contains(&false) => Err(ProxyError::invalid("TCP6 with IPv4 address")),
        "TCP4" | "TCP6" => Ok(Some(addresses)),
        other => Err(ProxyError::invalid(format!("invalid protocol {other}"))),
    }
}

fn port(which: &str, text: &str) -> Result<u16, ProxyError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let parsed =
        if digits { text.parse().map_err(|_| "value out of range") } else { Err("invalid syntax") };
    parsed.map_err(|why| {
        ProxyError::BadField(format!(
            "invalid {which} port: strconv.ParseUint: parsing {text:?}: {why}"
        ))
    })
}

/// ```text
/// | signature 12 | version 4 bits, command 4 bits | family 4 bits, protocol 4 bits | length 2 |
/// | source address 4/16 | destination address 4/16 | source port 2 | destination port 2 | TLVs |
/// ```
fn decode_v2(input: &[u8]) -> Result<Option<Header>, ProxyError> {
    let Some(signature) = input.get(..V2_SIGNATURE.len()) else { return Ok(None) };
    if signature != V2_SIGNATURE {
        return Err(ProxyError::invalid("invalid signature"));
    }
    let Some(&[version_command, family_protocol, high, low]) =
        input.get(V2_SIGNATURE.len()..V2_FIXED_LEN)
    else {
        return Ok(None);
    };
    let (version, command) = (version_command & 0xf0, version_command & 0x0f);
    if version != 0x20 {
        return Err(ProxyError::invalid(format!("invalid version {version:#04x}")));
    }
    let data_len = u16::from_be_bytes([high, low]);
    let family = match command {
        0 => Family::None,
        1 => Family::of(family_protocol)?,
        _ => {
            let text = format!("unknown PROXY protocol command: {command:#04x}");
            return Err(ProxyError::BadField(text));
        }
    };
    family.check_len(data_len)?;
    let len = V2_FIXED_LEN + usize::from(data_len);
    let Some(data) = input.get(V2_FIXED_LEN..len) else { return Ok(None) };
    Ok(Some(Header { addresses: family.addresses(data), len }))
}

/// What kind of addresses follow the fixed part of version 2.
#[derive(Clone, Copy)]
enum Family {
    /// Whatever follows is skipped.
    None,
    Inet,
    Inet6,
}

impl Family {
    fn of(family_protocol: u8) -> Result<Self, ProxyError> {
        if family_protocol & 0x0f != 1 {
            return Err(ProxyError::Unsupported("only STREAM protocol supported".to_owned()));
        }
        match family_protocol & 0xf0 {
            0x00 => Ok(Self::None),
            0x10 => Ok(Self::Inet),
            0x20 => Ok(Self::Inet6),
            other => {
                Err(ProxyError::Unsupported(format!("unsupported address family {other:#04x}")))
            }
        }
    }

    fn check_len(self, len: u16) -> Result<(), ProxyError> {
        let (name, min) = match self {
            Self::None => return Ok(()),
            Self::Inet => ("IPv4", 12),
            Self::Inet6 => ("IPv6", 36),
        };
        if len < min {
            let text = format!("{name} address data too short: {len} bytes");
            return Err(ProxyError::BadField(text));
        }
        Ok(())
    }

    fn addresses(self, data: &[u8]) -> Option<Addresses> {
        match self {
            Self::None => None,
            Self::Inet => {
                let (source, data) = data.split_first_chunk::<4>()?;
                let (destination, data) = data.split_first_chunk::<4>()?;
                let ip = |bytes: &[u8; 4]| IpAddr::V4(Ipv4Addr::from(*bytes));
                with_ports(ip(source), ip(destination), data)
            }
            Self::Inet6 => {
                let (source, data) = data.split_first_chunk::<16>()?;
                let (destination, data) = data.split_first_chunk::<16>()?;
                let ip = |bytes: &[u8; 16]| IpAddr::V6(Ipv6Addr::from(*bytes));
                with_ports(ip(source), ip(destination), data)
            }
        }
    }
}

fn with_ports(source: IpAddr, destination: IpAddr, data: &[u8]) -> Option<Addresses> {
    let (source_port, data) = data.split_first_chunk()?;
    let (destination_port, _) = data.split_first_chunk()?;
    Some(Addresses {
        source: socket_addr(source, u16::from_be_bytes(*source_port)),
        destination: socket_addr(destination, u16::from_be_bytes(*destination_port)),
    })
}

fn socket_addr(ip: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(ip.to_canonical(), port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v2(version_command: u8, family_protocol: u8, data: &[u8]) -> Vec<u8> {
        let mut out = V2_SIGNATURE.to_vec();
        out.extend([version_command, family_protocol]);
        out.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        out.extend(data);
        out
    }

    fn header(input: &[u8]) -> Header {
        decode(input).unwrap().unwrap()
    }

    fn refused(input: &[u8]) -> String {
        decode(input).unwrap_err().to_string()
    }

    #[test]
    fn v1_lines() {
        let h = header(b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\nCONNECT");
        assert_eq!(h.len, 33);
        assert_eq!(h.addresses.unwrap().source, "1.2.3.4:9".parse().unwrap());
        assert_eq!(h.addresses.unwrap().destination, "5.6.7.8:10".parse().unwrap());
        let h = header(b"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 1 2\r\n");
        assert_eq!(h.addresses.unwrap().source.to_string(), "192.0.2.1:1");
        assert_eq!(h.addresses.unwrap().destination.to_string(), "[2001:db8::1]:2");
        assert_eq!(header(b"PROXY UNKNOWN what ever\r\n").addresses, None);
    }

    #[test]
    fn texts_of_errors() {
        let invalid = |line: &str| refused(format!("PROXY {line}\r\n").as_bytes());
        let prefix = "invalid PROXY protocol header: ";
        for (line, text) in [
            ("", "invalid v1 format"),
            ("TCP4 1.2.3.4", "invalid v1 format"),
            ("TCP4 1 2 3 4 5", "invalid v1 format"),
            ("TCP4 1.2.3.4 x 1 2", "invalid address"),
            ("TCP4 ::1 ::1 1 2", "TCP4 with IPv6 address"),
            ("TCP6 ::1 1.2.3.4 1 2", "TCP6 with IPv4 address"),
            ("UDP 1.2.3.4 1.2.3.4 1 2", "invalid protocol UDP"),
        ] {
            assert_eq!(invalid(line), format!("{prefix}{text}"), "{line}");
        }
        assert_eq!(
            invalid("TCP4 1.2.3.4 1.2.3.4 99999 2"),
            "invalid source port: strconv.ParseUint: parsing \"99999\": value out of range"
        );
        assert_eq!(
            invalid("TCP4 1.2.3.4 1.2.3.4 9 +2"),
            "invalid dest port: strconv.ParseUint: parsing \"+2\": invalid syntax"
        );
        assert_eq!(
            refused(&[b"PROXY ", &[b'x'; 101][..]].concat()),
            format!("{prefix}v1 line too long")
        );
        assert_eq!(decode(&[b"PROXY ", &[b'x'; 100][..]].concat()), Ok(None));
        assert_eq!(refused(b"CONNECT"), "unrecognized PROXY protocol format");
        assert_eq!(refused(b"\r\n\r\n\0\r\nQUIT!"), format!("{prefix}invalid signature"));
        assert_eq!(refused(&v2(0x11, 0x11, &[])), format!("{prefix}invalid version 0x10"));
        assert_eq!(refused(&v2(0x22, 0x11, &[])), "unknown PROXY protocol command: 0x02");
        let unsupported = "unsupported PROXY protocol feature: ";
        assert_eq!(
            refused(&v2(0x21, 0x12, &[])),
            format!("{unsupported}only STREAM protocol supported")
        );
        assert_eq!(
            refused(&v2(0x21, 0x31, &[])),
            format!("{unsupported}unsupported address family 0x30")
        );
        assert_eq!(refused(&v2(0x21, 0x11, &[0; 11])), "IPv4 address data too short: 11 bytes");
        assert_eq!(refused(&v2(0x21, 0x21, &[0; 35])), "IPv6 address data too short: 35 bytes");
    }

    #[test]
    fn v2_headers() {
        let data = [1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 1, 0, 0xee];
        let h = header(&[v2(0x21, 0x11, &data), b"rest".to_vec()].concat());
        assert_eq!(h.len, 29);
        assert_eq!(h.addresses.unwrap().source, "1.2.3.4:9".parse().unwrap());
        assert_eq!(h.addresses.unwrap().destination, "5.6.7.8:256".parse().unwrap());
        for none in [v2(0x20, 0x00, &[7; 3]), v2(0x20, 0xff, &[]), v2(0x21, 0x01, &[7; 9])] {
            assert_eq!(header(&none), Header { addresses: None, len: none.len() });
        }
    }

    #[test]
    fn where_incomplete_headers_ended() {
        let local = v2(0x20, 0, &[0; 4]);
        assert_eq!(incomplete(&local[..5]), "failed to read protocol version");
        assert_eq!(incomplete(&local[..11]), "failed to read v2 signature");
        assert_eq!(incomplete(&local[..15]), "failed to read v2 header");
        assert_eq!(incomplete(&local[..17]), "failed to discard LOCAL command address data");
        assert_eq!(incomplete(&v2(0x21, 0x11, &[0; 12])[..20]), "failed to read IPv4 address data");
        assert_eq!(incomplete(b"PROXY TCP4"), "failed to read v1 line");
    }

    proptest! {
        #[test]
        fn v2_survives_any_split(v6: bool, bytes in prop::array::uniform32(any::<u8>()), ports: (u16, u16), tail in prop::collection::vec(any::<u8>(), 0..9)) {
            let size = if v6 { 32 } else { 8 };
            let mut data = bytes[..size].to_vec();
            data.extend(ports.0.to_be_bytes());
            data.extend(ports.1.to_be_bytes());
            data.extend(&tail);
            let whole = v2(0x21, if v6 { 0x21 } else { 0x11 }, &data);
            for cut in 0..whole.len() {
                prop_assert_eq!(decode(&whole[..cut]), Ok(None));
                prop_assert!(incomplete(&whole[..cut]).starts_with("failed"));
            }
            let h = header(&whole);
            prop_assert_eq!(h.len, whole.len());
            prop_assert_eq!(h.addresses.map(|a| (a.source.port(), a.destination.port())), Some(ports));
        }

        #[test]
        fn v1_round_trips(source: std::net::Ipv4Addr, destination: std::net::Ipv4Addr, ports: (u16, u16)) {
            let line = format!("PROXY TCP4 {source} {destination} {} {}\r\n", ports.0, ports.1);
            let expected = Addresses {
                source: SocketAddr::from((source, ports.0)),
                destination: SocketAddr::from((destination, ports.1)),
            };
            prop_assert_eq!(header(line.as_bytes()), Header { addresses: Some(expected), len: line.len() });
            for cut in 0..line.len() {
                prop_assert_eq!(decode(&line.as_bytes()[..cut]), Ok(None));
            }
        }

        #[test]
        fn any_bytes_are_fine(kind in 0..3, tail in prop::collection::vec(any::<u8>(), 0..140)) {
            let start: &[u8] = match kind { 0 => b"PROXY ", 1 => V2_SIGNATURE, _ => b"" };
            let input = [start, &tail].concat();
            let _ = incomplete(&input);
            if let Ok(Some(h)) = decode(&input) {
                prop_assert!(h.len <= input.len());
                prop_assert_eq!(decode(&input[..h.len]), Ok(Some(h)));
            }
        }
    }
}
