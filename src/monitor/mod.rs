//! Monitoring over HTTP.
