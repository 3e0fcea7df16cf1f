//! Sans-io codecs: bytes in, values out. No sockets, no clock, no configuration.

pub mod headers;
pub mod proxy_proto;
pub mod subject;
pub mod transform;
