//! Headers as bytes.

use super::{v1, v2, v2_proxy};
use nats_server::wire::proxy_proto::{Addresses, Header, ProxyError, decode, incomplete};

crate::cases! {
    "server/client_proxyproto_test.go",
    library v2_addresses => ["TestClientProxyProtoV2ParseIPv4", "TestClientProxyProtoV2ParseIPv6"],
    library v2_local => ["TestClientProxyProtoV2ParseLocalCommand"],
    library v2_malformed => ["TestClientProxyProtoV2InvalidSignature", "TestClientProxyProtoV2InvalidVersion"],
    library v2_unsupported => ["TestClientProxyProtoV2UnsupportedFamily", "TestClientProxyProtoV2UnsupportedProtocol"],
    library v2_incomplete => ["TestClientProxyProtoV2TruncatedHeader", "TestClientProxyProtoV2ShortAddressData"],
    library v1_addresses => ["TestClientProxyProtoV1ParseTCP4", "TestClientProxyProtoV1ParseTCP6", "TestClientProxyProtoV1ParseTCP6IPv4Mapped"],
    library v1_unknown => ["TestClientProxyProtoV1ParseUnknown"],
    library v1_leaves_what_follows => ["TestClientProxyProtoV1PreservesCoalescedClientBytes"],
    library v1_families_agree => ["TestClientProxyProtoV1MismatchedProtocol", "TestClientProxyProtoV1MismatchedDestProtocol"],
    library v1_malformed => ["TestClientProxyProtoV1InvalidFormat", "TestClientProxyProtoV1LineTooLong", "TestClientProxyProtoV1InvalidIP"],
    library v1_ports => ["TestClientProxyProtoV1InvalidPort"],
    not_applicable "TestProxyConnRemoteAddr" => "a Go net.Conn wrapper's method; that the server takes the address of the header is asserted by the end-to-end cases",
    library versions => ["TestClientProxyProtoVersionDetection", "TestClientProxyProtoUnrecognizedVersion"],
}

fn addresses(input: &[u8]) -> Addresses {
    let Header { addresses, len } = decode(input).unwrap().unwrap();
    assert_eq!(len, input.len());
    addresses.unwrap()
}

#[track_caller]
fn invalid(input: &[u8]) {
    assert!(matches!(decode(input), Err(ProxyError::Invalid(_))), "{:?}", decode(input));
}

fn v2_addresses() {
    let v4 = addresses(&v2_proxy("192.168.1.50", "10.0.0.1", [12345, 4222]));
    assert_eq!(v4.source.to_string(), "192.168.1.50:12345");
    assert_eq!(v4.destination.to_string(), "10.0.0.1:4222");
    assert!(v4.source.is_ipv4());
    let v6 = addresses(&v2_proxy("2001:db8::1", "2001:db8::2", [54321, 4222]));
    assert_eq!(v6.source.to_string(), "[2001:db8::1]:54321");
    assert_eq!(v6.destination.to_string(), "[2001:db8::2]:4222");
    assert!(v6.source.is_ipv6());
}

fn v2_local() {
    let local = v2(0x20, 0, 0, &[]);
    assert_eq!(decode(&local), Ok(Some(Header { addresses: None, len: local.len() })));
}

fn v2_malformed() {
    invalid(b"\r\n\r\n\0\rINVALID\x20\x11\0\x0c");
    assert_eq!(decode(b"INVALID_SIG_\x20\x11\0\x0c"), Err(ProxyError::Unrecognized));
    invalid(&v2(0x11, 0x11, 0, &[]));
}

fn v2_unsupported() {
    for family_protocol in [0x31, 0x12] {
        let result = decode(&v2(0x21, family_protocol, 12, &[]));
        assert!(matches!(result, Err(ProxyError::Unsupported(_))), "{result:?}");
    }
}

fn v2_incomplete() {
    let whole = v2_proxy("192.168.1.50", "10.0.0.1", [12345, 4222]);
    assert_eq!(decode(&whole[..10]), Ok(None));
    assert_eq!(incomplete(&whole[..10]), "failed to read v2 signature");
    let short = v2(0x21, 0x11, 12, &[1, 2, 3, 4, 5]);
    assert_eq!(decode(&short), Ok(None));
    assert_eq!(incomplete(&short), "failed to read IPv4 address data");
}

fn v1_addresses() {
    for (protocol, source, destination, expected) in [
        ("TCP4", "192.168.1.50", "10.0.0.1", ["192.168.1.50:12345", "10.0.0.1:4222"]),
        ("TCP6", "2001:db8::1", "2001:db8::2", ["[2001:db8::1]:12345", "[2001:db8::2]:4222"]),
        ("TCP6", "::ffff:192.0.2.1", "::ffff:10.0.0.1", ["192.0.2.1:12345", "10.0.0.1:4222"]),
    ] {
        let found = addresses(&v1(protocol, source, destination, [12345, 4222]));
        assert_eq!([found.source, found.destination].map(|a| a.to_string()), expected);
    }
}

fn v1_unknown() {
    let line = b"PROXY UNKNOWN\r\n";
    assert_eq!(decode(line), Ok(Some(Header { addresses: None, len: line.len() })));
}

fn v1_leaves_what_follows() {
    let line = v1("TCP4", "192.168.1.50", "10.0.0.1", [12345, 4222]);
    let connect = b"CONNECT {\"verbose\":false,\"pedantic\":false,\"protocol\":1}\r\n";
    let all = [line.as_slice(), connect].concat();
    let header = decode(&all).unwrap().unwrap();
    assert!(header.addresses.is_some());
    assert_eq!(&all[header.len..], connect);
}

fn v1_families_agree() {
    invalid(&v1("TCP4", "2001:db8::1", "2001:db8::2", [12345, 443]));
    invalid(&v1("TCP6", "192.168.1.1", "10.0.0.1", [12345, 443]));
    invalid(&v1("TCP4", "192.168.1.1", "2001:db8::2", [12345, 443]));
    invalid(&v1("TCP6", "2001:db8::1", "10.0.0.1", [12345, 443]));
}

fn v1_malformed() {
    invalid(b"PROXY TCP4 192.168.1.1\r\n");
    invalid(&v1("TCP4", &"1234567890".repeat(12), "10.0.0.1", [12345, 443]));
    invalid(&v1("TCP4", "not.an.ip.addr", "10.0.0.1", [12345, 443]));
}

fn v1_ports() {
    for ports in ["99999 443", "443 99999", "-1 443", "x 443"] {
        let line = format!("PROXY TCP4 192.168.1.1 10.0.0.1 {ports}\r\n");
        assert!(decode(line.as_bytes()).is_err(), "{ports}");
    }
}

fn versions() {
    let first = addresses(&v1("TCP4", "192.168.1.1", "10.0.0.1", [12345, 443]));
    assert_eq!(first.source.to_string(), "192.168.1.1:12345");
    let second = addresses(&v2_proxy("192.168.1.2", "10.0.0.1", [54321, 443]));
    assert_eq!(second.source.to_string(), "192.168.1.2:54321");
    assert_eq!(decode(b"HELLO WORLD\r\n"), Err(ProxyError::Unrecognized));
}
