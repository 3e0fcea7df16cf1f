//! Names in a store directory.
//!
//! ```text
//! <store>/jetstream/<account>/streams/<stream>/
//!     meta.inf meta.sum [meta.key]              configuration, its hash, the stream's key
//!     msgs/<N>.blk [<N>.key]                    blocks of messages and their keys, N from 1
//!     msgs/index.db [thw.db sched.db]           state, expiries, schedules
//!     [sources.db]                              how far the stream's sources were read
//!     obs/<consumer>/meta.inf meta.sum [meta.key] o.dat
//!     msgs/<N>.blk.damaged [<N>.key.damaged]    blocks that were set aside, with .2 and so on behind
//!     __new_msgs__/                             a purge under way: blocks here replace msgs/
//!     __msgs__/                                 what a purge removes
//! ```

use std::path::{Path, PathBuf};

/// Streams of an account.
pub const STREAMS: &str = "streams";
/// Blocks and indexes.
pub const MESSAGES: &str = "msgs";
/// What is to replace [`MESSAGES`] when it holds a block.
pub const NEW_MESSAGES: &str = "__new_msgs__";
/// What a purge took out of the way and has not removed yet.
pub const PURGED_MESSAGES: &str = "__msgs__";
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
const DAMAGED: &str = ".damaged";

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
    number(path, ".blk")
}

/// The number of a block, from the path of its key file.
pub fn key_index(path: &Path) -> Option<u32> {
    number(path, ".key")
}

fn number(path: &Path, suffix: &str) -> Option<u32> {
    let digits = path.file_name()?.to_str()?.strip_suffix(suffix)?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

/// Where a damaged block or its key file is kept, the `n`-th of its name. No server takes it for a
/// block: that ends in `.blk`.
pub fn set_aside(file: &Path, n: u32) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(DAMAGED);
    if n > 1 {
        name.push(format!(".{n}"));
    }
    name.into()
}

/// Whether a damaged block is kept there.
pub fn is_set_aside(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.and_then(|name| name.split_once(DAMAGED))
        .is_some_and(|(block, _)| block_index(Path::new(block)).is_some())
}

/// The name of the asset whose key is in a block's key file.
pub fn block_asset(stream: &str, index: u32) -> String {
    format!("{stream}:{index}")
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
        assert_eq!(key_index(Path::new("/msgs/7.key")), Some(7));
        for (n, name) in [(1, "7.blk.damaged"), (2, "7.blk.damaged.2")] {
            let path = set_aside(&block(Path::new("/msgs"), 7), n);
            assert_eq!(path, Path::new("/msgs").join(name));
            assert!(is_set_aside(&path) && block_index(&path).is_none());
        }
        for name in ["7.blk", "7.key.damaged", "7.blk.damage", "x.blk.damaged"] {
            assert!(!is_set_aside(Path::new(name)), "{name}");
        }
    }
}
