//! Sans-io codecs: bytes in, values out. No sockets, no clock, no configuration.

pub mod subject;
pub mod x509;
