//! Every built-in limit and default in one place. Values are upstream's where it has one
//! (`server/const.go`, `server/opts.go`).

use std::time::Duration;

/// The upstream release whose behaviour this server has; clients and peers gate features on it.
pub const COMPATIBLE_VERSION: &str = "2.15.1";

/// Default client port.
pub const DEFAULT_PORT: u16 = 4222;
/// Default client bind address.
pub const DEFAULT_HOST: &str = "0.0.0.0";
/// Default monitoring port when a host without a port is given.
pub const DEFAULT_HTTP_PORT: u16 = 8222;
/// Longest protocol line without payload, bytes.
pub const MAX_CONTROL_LINE: usize = 4096;
/// Longest message payload with its headers, bytes.
pub const MAX_PAYLOAD: usize = 1024 * 1024;
/// `max_payload` values above this draw a warning.
pub const MAX_PAYLOAD_WARN: usize = 8 * 1024 * 1024;
/// Largest amount of unwritten output per connection, bytes.
pub const MAX_PENDING: usize = 64 * 1024 * 1024;
/// Default cap on connections.
pub const MAX_CONNECTIONS: usize = 64 * 1024;
/// Interval between server PINGs.
pub const PING_INTERVAL: Duration = Duration::from_secs(2 * 60);
/// Unanswered PINGs before a connection is stale.
pub const PING_MAX_OUT: usize = 2;
/// How long one write may take.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// Time a client has to authenticate.
pub const AUTH_TIMEOUT: Duration = Duration::from_secs(2);
/// Time a TLS handshake may take.
pub const TLS_TIMEOUT: Duration = Duration::from_secs(2);
/// Closed connections kept for /connz.
pub const MAX_CLOSED_CLIENTS: usize = 10_000;
/// How long lame duck mode spreads the closing of connections.
pub const LAME_DUCK_DURATION: Duration = Duration::from_secs(2 * 60);
/// Wait before the first connection is closed in lame duck mode.
pub const LAME_DUCK_GRACE: Duration = Duration::from_secs(10);

/// Input scratch per worker thread, bytes. Measured: docs/hot_path.md.
pub const READ_SCRATCH: usize = 256 * 1024;
/// Messages of this many bytes on average, line and payload, are large.
pub const LARGE_MESSAGE: usize = 512;
/// Bytes read at once from a connection that publishes large messages.
pub const READ_WINDOW_LARGE: usize = 128 * 1024;
/// How long a connection may process what it reads before it lets others run.
pub const TURN_TIME: Duration = Duration::from_micros(200);
/// Read batches a connection may process before it lets others run, however short they are.
pub const BATCHES_PER_TURN: usize = 16;
/// Tokens of a subscription with wildcards: the trie's depth, and so the stack, is bounded by it.
pub const MAX_PATTERN_TOKENS: usize = 4096;
/// Slots of a worker thread's match cache (a power of two).
pub const MATCH_CACHE_SLOTS: usize = 8192;
/// Payload tails of this many bytes and more are written from the input, not copied.
pub const BORROW_THRESHOLD: usize = 4096;
/// Write rounds a producer does for a target that others keep appending to.
pub const WRITE_ROUNDS: usize = 8;
