//! Sans-io codecs: bytes in, values out. No sockets, no clock, no configuration.

pub mod connect;
pub mod headers;
pub mod info;
pub mod json;
pub mod parser;
pub mod proxy_proto;
pub mod s2;
pub mod subject;
pub mod transform;
pub mod x509;
