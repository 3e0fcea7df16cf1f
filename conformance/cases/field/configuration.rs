//! `meta.inf` of streams and consumers: the old one or the new one.

use super::consumers::{Member, STREAM};
use super::disk::{CIPHERS, DIR, End, Kind, Stopped, at_every_operation, ring};
use nats_server::base::fs::{CrashFs, Fs};
use nats_server::model::{FileConsumerInfo, FileStreamInfo, StoreCompression, StreamConfig};
use nats_server::store::file::files;
use nats_server::store::stream::StreamStore;
use std::path::Path;

crate::cases! {
    "",
    library of_a_stream => [],
    library of_a_consumer => [],
}

/// The descriptions that a configuration had and has; the last one is certain when it was written.
#[derive(Default, PartialEq)]
struct Written {
    descriptions: Vec<String>,
    /// How many of them are certain.
    done: usize,
}

impl Written {
    /// Whether what is found is what was written last or what was to be.
    fn is_known(&self, found: Option<&str>) -> bool {
        match found {
            None => self.done == 0,
            Some(found) => {
                let from = self.done.saturating_sub(1);
                self.descriptions[from..].iter().any(|description| description == found)
            }
        }
    }
}

fn of_a_stream() {
    crate::exercises!("gap_areas", "1.6");
    crate::exercises!("field_statements", "F16");
    for cipher in CIPHERS {
        let kind = Kind::new(StoreCompression::None, cipher.and_then(|c| ring("k", "", c)));
        let described =
            |text: &str| StreamConfig { description: text.into(), ..kind.config.clone() };
        let script = |fs: &CrashFs, written: &mut Written| -> Result<(), Stopped> {
            written.descriptions.push("0".into());
            let first = Kind { config: described("0"), ..kind.clone() };
            let mut store = first.create(fs)?;
            written.done = 1;
            for text in ["1", "2, which is longer", "3"] {
                written.descriptions.push(text.into());
                store.update_config(&described(text), super::disk::NOW)?;
                written.done = written.descriptions.len();
            }
            Ok(())
        };
        let check = |fs: &CrashFs, written: &Written, _: End, what: &str| {
            let keys = kind.options.keys.as_deref();
            let found = fs.metadata(&Path::new(DIR).join("meta.inf")).ok().map(|_| {
                let meta = files::meta(fs, Path::new(DIR), "S", "S", keys);
                let meta = meta.unwrap_or_else(|e| panic!("{what}: {e}"));
                let info = FileStreamInfo::decode(&meta.content);
                info.unwrap_or_else(|e| panic!("{what}: {e}")).config.description
            });
            assert!(written.is_known(found.as_deref()), "{what}: {found:?}");
            if let Some(found) = found {
                let store = kind.open(fs).unwrap_or_else(|e| panic!("{what}: {e}")).store;
                assert_eq!(store.config().description, found, "{what}");
            }
        };
        at_every_operation(&CrashFs::default(), script, |fs| _ = kind.open(fs), check);
    }
}

fn of_a_consumer() {
    crate::exercises!("gap_areas", "1.6");
    crate::exercises!("field_statements", "F16");
    for cipher in CIPHERS {
        for durable in [true, false] {
            let member = Member { keys: cipher.and_then(|c| ring("k", "", c)), durable };
            let script = |fs: &CrashFs, written: &mut Written| -> Result<(), Stopped> {
                written.descriptions.push("0".into());
                let mut store = member.open(fs, "0")?;
                written.done = 1;
                for text in ["1", "2, which is longer", "3"] {
                    written.descriptions.push(text.into());
                    store.update_config(&Member::info(text).config)?;
                    written.done = written.descriptions.len();
                }
                Ok(())
            };
            let check = |fs: &CrashFs, written: &Written, end: End, what: &str| {
                let dir = Path::new(STREAM).join("obs/C");
                let found = fs.metadata(&dir.join("meta.inf")).ok().map(|_| {
                    let meta = files::meta(fs, &dir, "S.C", "S/C", member.keys.as_deref());
                    let meta = meta.unwrap_or_else(|e| panic!("{what}: {e}"));
                    let info = FileConsumerInfo::decode(&meta.content);
                    info.unwrap_or_else(|e| panic!("{what}: {e}")).config.description
                });
                // What its owner does not want to wait for may be lost with the power, whole.
                let is_whole =
                    found.as_ref().is_none_or(|found| written.descriptions.contains(found));
                let is_certain = durable || end == End::Killed;
                let is_known =
                    if is_certain { written.is_known(found.as_deref()) } else { is_whole };
                assert!(is_known, "{what}: {found:?} of {:?}", written.descriptions);
                let store = member.open(fs, "0").unwrap_or_else(|e| panic!("{what}: {e}"));
                drop(store);
                let now = member.description(fs);
                assert_eq!(now, found.unwrap_or("0".into()), "{what}");
            };
            let open = |fs: &CrashFs| _ = member.open(fs, "0");
            at_every_operation(&super::consumers::disk(), script, open, check);
        }
    }
}
