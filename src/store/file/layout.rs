//! Names in a store directory.
//!
//! ```text
//! <store>/jetstream/<account>/streams/<stream>/
//!     meta.inf meta.sum [meta.key]              configuration, its hash, the stream's key
//!     msgs/<N>.blk [<N>.key]                    blocks of messages and their keys, N from 1
//!     msgs/index.db [thw.db sched.db]           state, expiries, schedules
//!     [sources.db]                              how far the stream's sources were read
//!     obs/<consumer>/meta.inf meta.sum [meta.key] o.dat
//!     __new_msgs__/                             a purge under way: blocks here replace msgs/
//! ```

use std::path::{Path, PathBuf};

/// Streams of an account.
pub const STREAMS: &str = "streams";
/// Blocks and indexes.
pub const MESSAGES: &str = "msgs";
/// What is to replace [`MESSAGES`] when it holds a block.
pub const NEW_MESSAGES: &str = "__new_msgs__";
/// Consumers.
pub const CONSUMERS: &str = "obs";
/// The configuration.
pub const META: &str = "meta.inf";
/// Its hash.
pub const META_SUM: &str = "meta.sum";
/// The key file.
pub const META_KEY: &str = "meta.key";
/// The state.
pub const INDEX: &str = "index.db";
/// When messages expire; beside the blocks.
pub const EXPIRIES: &str = "thw.db";
/// Messages to be sent later; beside the blocks.
pub const SCHEDULES: &str = "sched.db";
/// How far the sources of a stream were read; beside its `meta.inf`.
pub const SOURCES: &str = "sources.db";
/// A consumer's state.
pub const CONSUMER_STATE: &str = "o.dat";

/// A block.
pub fn block(messages: &Path, index: u32) -> PathBuf {
    messages.join(format!("{index}.blk"))
}

/// A block's key file.
pub fn block_key(messages: &Path, index: u32) -> PathBuf {
    messages.join(format!("{index}.key"))
}

/// The number of a block, from its path.
pub fn block_index(path: &Path) -> Option<u32> {
    let digits = path.file_name()?.to_str()?.strip_suffix(".blk")?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

/// The name of the asset whose key is in a block's key file.
pub fn block_asset(stream: &str, index: u32) -> String {
    format!("{stream}:{index}")
}

/// The folder of a consumer, in that of its stream.
pub fn consumer(stream_dir: &Path, consumer: &str) -> PathBuf {
    stream_dir.join(CONSUMERS).join(consumer)
}

/// Whether a stream or a consumer may have this name: it is a token of a subject, and the name of
/// a folder.
pub fn is_asset_name(name: &str) -> bool {
    !name.is_empty()
        && !name.contains([' ', '\t', '\r', '\n', '\x0c', '.', '*', '>', '\\', '/', '\0'])
}

/// The name of the asset whose key is in a consumer's key file.
pub fn consumer_asset(stream: &str, consumer: &str) -> String {
    format!("{stream}.{consumer}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_told_from_the_rest() {
        let index = |name: &str| block_index(&Path::new("/msgs").join(name));
        assert_eq!(index("7.blk"), Some(7));
        assert_eq!(index("4294967295.blk"), Some(u32::MAX));
        for name in ["7.blk.tmp", ".blk", "x.blk", "+7.blk", "7.key", "4294967296.blk"] {
            assert_eq!(index(name), None, "{name}");
        }
    }
}
