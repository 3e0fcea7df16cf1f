//! The store against a list, with everything that may be done to it.

use super::*;
use crate::base::Env;
use crate::config::Secret;
use crate::config::jetstream::StoreCipher;
use crate::model::{FileStreamInfo, StorageType, StreamConfig};
use crate::store::file::crypt::KeyRing;
use crate::store::model_tests::{Harness, follows_a_list, scenario};
use crate::store::stream::StreamStore;
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

const NOW_NS: i64 = 1_790_000_000_000_000_000;

/// A store on a disk in memory, with blocks of a few messages.
struct Files {
    env: Env,
    options: Options,
    store: FileStore,
}

impl Files {
    fn new(config: &StreamConfig, cipher: Option<StoreCipher>) -> Self {
        let env = Env::simulated(1);
        let key: Secret = "key".into();
        let ring = |cipher| KeyRing::new("A", &key, &Secret::default(), cipher).map(Arc::new);
        let options = Options { keys: cipher.and_then(ring), block_len_max: Some(400) };
        let info = FileStreamInfo { config: config.clone(), ..FileStreamInfo::default() };
        env.fs().create_dir_all(Path::new("/streams")).unwrap();
        let dir = Path::new("/streams/S");
        let store = FileStore::create(&env, dir, &info, options.clone(), NOW_NS).unwrap();
        Self { env, options, store }
    }
}

impl Harness for Files {
    fn store(&mut self) -> &mut dyn StreamStore {
        &mut self.store
    }

    fn reopen(&mut self, config: &StreamConfig) -> bool {
        self.store.stop().unwrap();
        let dir = self.store.dir.clone();
        let opened = FileStore::open(&self.env, &dir, self.options.clone(), 0).unwrap();
        assert!(opened.fixes.is_empty(), "{:?}", opened.fixes);
        self.store = opened.store;
        assert_eq!(self.store.config(), config);
        true
    }

    fn size(&self) -> fn(usize, usize, usize) -> u64 {
        |subject, headers, payload| {
            crate::store::file::record::message_len(subject, headers, payload) as u64
        }
    }
}

proptest! {
    #[test]
    fn does_what_a_list_does(
        scenario in scenario(StorageType::File),
        cipher in prop_oneof![
            3 => Just(None), 1 => Just(Some(StoreCipher::ChaCha)), 1 => Just(Some(StoreCipher::Aes)),
        ],
    ) {
        let mut files = Files::new(&scenario.config, cipher);
        follows_a_list(&mut files, &scenario);
    }
}
