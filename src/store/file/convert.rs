//! Brings a stream's directory to the configured key and cipher: what is in the clear, sealed with
//! the previous key, or with the other cipher. Done before a stream or a consumer is opened.
//!
//! Every asset gets a new seed. Its files and its key file change together
//! ([`super::replace::together`]), asset by asset: after a crash each one is as before or
//! converted, and the next call goes on. What is sealed stays so: without a configured key a
//! directory that has one is refused, as upstream does.
//!
//! Go: server/filestore.go convertCipher, convertToEncrypted, recoverAEK, setupAEK;
//! server/jetstream.go decryptMeta.

use super::block;
use super::compress::{self, Unpacked};
use super::crypt::{AssetKey, CryptError, KeyRing};
use super::files::{self, FileError};
use super::hash::{HASH_LEN, KeyedHash};
use super::layout;
use super::replace;
use crate::base::fs::Fs;
use crate::store::consumer::codec;
use serde::de::IgnoredAny;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Why something cannot be converted; it stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// A file cannot be read, opened or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// It has no key file, and is not readable in the clear.
    #[error("{}: no key file, and not in the clear", .0.display())]
    NotPlain(PathBuf),
}

/// What was done.
#[derive(Debug, Default)]
pub struct Converted {
    /// Blocks, consumers and configurations that have a new key.
    pub assets: usize,
    /// What could not be converted.
    pub refused: Vec<ConvertError>,
    /// `meta.inf` that were in the clear and did not match their `meta.sum`; they do now.
    pub wrong_sums: Vec<PathBuf>,
}

/// What converts: a file system, the configured keys, and bytes fit for secrets.
pub struct Converter<'a> {
    /// The file system.
    pub fs: &'a dyn Fs,
    /// The keys of the store; none when it is not to be encrypted.
    pub keys: Option<&'a KeyRing>,
    /// Gives bytes fit for secrets.
    pub entropy: &'a mut dyn FnMut(&mut [u8]),
}

/// The small files that the key of a stream or a consumer seals.
struct Sealed<'a> {
    dir: &'a Path,
    /// The name that its key is under.
    asset: &'a str,
    /// The name that its `meta.sum` is under.
    hashed: &'a str,
    /// Its state: `index.db` or `o.dat`.
    state: &'a Path,
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> ConvertError {
    let error = FileError::io(path);
    |source| error(source).into()
}

fn crypt_error(path: &Path) -> impl FnOnce(CryptError) -> ConvertError {
    let path = path.to_owned();
    |source| FileError::Crypt { path, source }.into()
}

impl Converter<'_> {
    /// Converts the stream in `dir`: its blocks, its consumers, and its configuration at last.
    ///
    /// # Errors
    ///
    /// When the stream's own files cannot be converted. What is wrong with blocks and consumers is
    /// in what is returned.
    pub fn stream(&mut self, dir: &Path) -> Result<Converted, ConvertError> {
        let name = dir.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        let mut done = Converted::default();
        // A key that does not open is told before anything changes.
        files::asset_key(self.fs, &dir.join(layout::META_KEY), &name, self.keys)?;
        for folder in [layout::MESSAGES, layout::NEW_MESSAGES] {
            self.blocks(&dir.join(folder), &name, &mut done)?;
        }
        for path in self.list(&dir.join(layout::CONSUMERS))? {
            let is_dir = self.fs.metadata(&path).is_ok_and(|metadata| metadata.is_dir);
            if let Some(consumer) = path.file_name().and_then(|name| name.to_str())
                && is_dir
            {
                match self.consumer(&path, &name, consumer) {
                    Ok(converted) => done.add(converted),
                    Err(e) => done.refused.push(e),
                }
            }
        }
        let index = dir.join(layout::MESSAGES).join(layout::INDEX);
        let sealed = Sealed { dir, asset: &name, hashed: &name, state: &index };
        let hash = KeyedHash::named(&name);
        let converted = self.sealed(&sealed, |old, new, file, entropy| {
            // One that is damaged stays so, and is made again from the blocks.
            let Some((content, sum)) = file.split_last_chunk::<HASH_LEN>() else { return Ok(None) };
            let opened = old.map(|key| key.unseal(content)).transpose();
            let opened = opened.ok().filter(|_| hash.sum(&[content]) == *sum);
            let Some(opened) = opened else { return Ok(None) };
            let mut file = new.seal(opened.as_deref().unwrap_or(content), entropy);
            file.extend_from_slice(&hash.sum(&[&file]));
            Ok(Some(file))
        })?;
        done.add(converted);
        Ok(done)
    }

    /// Converts the consumer in `dir`.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, opened or written; nothing changes then.
    pub fn consumer(
        &mut self,
        dir: &Path,
        stream: &str,
        consumer: &str,
    ) -> Result<Converted, ConvertError> {
        let (asset, hashed) =
            (layout::consumer_asset(stream, consumer), format!("{stream}/{consumer}"));
        let state = dir.join(layout::CONSUMER_STATE);
        let sealed = Sealed { dir, asset: &asset, hashed: &hashed, state: &state };
        self.sealed(&sealed, |old, new, file, entropy| {
            let opened = match old {
                Some(key) => key.unseal(file).map_err(crypt_error(&state))?,
                None if codec::decode_file(file).is_ok() => file.to_vec(),
                None => return Err(ConvertError::NotPlain(state.clone())),
            };
            Ok(Some(new.seal(&opened, entropy)))
        })
    }

    /// Converts the small files of an asset. `reseal` gives the state under the new key, or nothing
    /// to leave it as it is.
    fn sealed(
        &mut self,
        asset: &Sealed<'_>,
        reseal: impl FnOnce(
            Option<&AssetKey>,
            &AssetKey,
            &[u8],
            &mut dyn FnMut(&mut [u8]),
        ) -> Result<Option<Vec<u8>>, ConvertError>,
    ) -> Result<Converted, ConvertError> {
        let Sealed { dir, state, .. } = *asset;
        let [meta, sum, key] =
            [layout::META, layout::META_SUM, layout::META_KEY].map(|name| dir.join(name));
        replace::resume(self.fs, &[&meta, &sum, state], &key).map_err(io_error(dir))?;
        let mut done = Converted::default();
        let Some(keys) = self.keys else { return Ok(done) };
        let Some(content) = files::read_if_there(self.fs, &meta)? else { return Ok(done) };
        let old = files::asset_key(self.fs, &key, asset.asset, Some(keys))?;
        let hash = KeyedHash::named(asset.hashed);
        let content = match &old {
            Some(key) if key.is_current() => return Ok(done),
            Some(key) => key.unseal(&content).map_err(crypt_error(&meta))?,
            None if serde_json::from_slice::<IgnoredAny>(&content).is_ok() => {
                let found = files::read_if_there(self.fs, &sum)?.unwrap_or_default();
                if hash.hex(&content).as_bytes() != found {
                    done.wrong_sums.push(meta.clone());
                }
                content
            }
            None => return Err(ConvertError::NotPlain(meta)),
        };
        let (new, key_file) = keys.create(asset.asset, self.entropy);
        let content = new.seal(&content, self.entropy);
        let hash = hash.hex(&content).into_bytes();
        let mut changed = vec![(meta, content), (sum, hash)];
        let file = files::read_if_there(self.fs, state)?.filter(|file| !file.is_empty());
        let file = file.map(|file| reseal(old.as_ref(), &new, &file, self.entropy)).transpose()?;
        changed.extend(file.flatten().map(|file| (state.to_owned(), file)));
        replace::together(self.fs, &changed, (&key, &key_file)).map_err(io_error(dir))?;
        done.assets = 1;
        Ok(done)
    }

    /// Converts the blocks in `folder`, after what a crash interrupted there has ended.
    fn blocks(
        &mut self,
        folder: &Path,
        stream: &str,
        done: &mut Converted,
    ) -> Result<(), ConvertError> {
        let paths = self.list(folder)?;
        let places = paths.iter().filter_map(|path| replace::place_of(path));
        let mut blocks: Vec<PathBuf> = places.map(|place| place.with_extension("blk")).collect();
        blocks.retain(|block| layout::block_index(block).is_some());
        blocks.dedup();
        for block in blocks {
            let key = block.with_extension("key");
            replace::resume(self.fs, &[&block], &key).map_err(io_error(&block))?;
        }
        let Some(keys) = self.keys else { return Ok(()) };
        for index in paths.iter().filter_map(|path| layout::block_index(path)) {
            match self.block(folder, stream, index, keys) {
                Ok(converted) => done.assets += usize::from(converted),
                Err(e) => done.refused.push(e),
            }
        }
        Ok(())
    }

    fn block(
        &mut self,
        folder: &Path,
        stream: &str,
        index: u32,
        keys: &KeyRing,
    ) -> Result<bool, ConvertError> {
        let (path, key_path) = (layout::block(folder, index), layout::block_key(folder, index));
        let asset = layout::block_asset(stream, index);
        let old = files::asset_key(self.fs, &key_path, &asset, Some(keys))?;
        if old.as_ref().is_some_and(AssetKey::is_current) {
            return Ok(false);
        }
        let mut content = self.fs.read(&path).map_err(io_error(&path))?;
        match old {
            Some(key) => key.apply(0, &mut content),
            None if is_plain(&content, stream, index) => {}
            None => return Err(ConvertError::NotPlain(path)),
        }
        let (new, key_file) = keys.create(&asset, self.entropy);
        new.apply(0, &mut content);
        replace::together(self.fs, &[(path, content)], (&key_path, &key_file))
            .map_err(io_error(&key_path))?;
        Ok(true)
    }

    fn list(&self, folder: &Path) -> Result<Vec<PathBuf>, ConvertError> {
        match self.fs.read_dir(folder) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed.map_err(io_error(folder)),
        }
    }
}

impl Converted {
    fn add(&mut self, mut other: Self) {
        self.assets += other.assets;
        self.refused.append(&mut other.refused);
        self.wrong_sums.append(&mut other.wrong_sums);
    }
}

/// Whether a block without a key file is in the clear: nothing else has readable records.
fn is_plain(content: &[u8], stream: &str, index: u32) -> bool {
    let mut unpacked = Vec::new();
    let records = match compress::decompress(content, &mut unpacked) {
        Unpacked::Plain => content,
        Unpacked::Whole | Unpacked::Damaged(_) => &unpacked,
    };
    let mut readable = content.is_empty();
    block::scan(records, &KeyedHash::for_block(stream, index), |_, _| readable = true);
    readable
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
