//! What is done now and then: the index, blocks with little left in them, memory.

use super::super::hash::KeyedHash;
use super::super::index;
use super::super::layout;
use super::FileStore;
use super::disk::{FILE_MODE, gone};
use crate::model::FileStreamInfo;
use crate::store::message;
use crate::store::stream::StoreError;
use std::path::Path;

/// Blocks that are loaded for reading at most.
const LOADED_MAX: usize = 16;

impl FileStore {
    /// Makes blocks smaller of which the most is gone, and gives up memory that was not used since
    /// the last time. Upstream does it with every sync, every two minutes if not configured
    /// otherwise.
    ///
    /// # Errors
    /// What the system says; nothing more is stored then.
    pub fn maintain(&mut self) -> Result<(), StoreError> {
        self.writing(|store| {
            store.compact_blocks()?;
            // Ids may change, and postings hold them.
            if store.subjects.maintain() {
                store.blocks.iter_mut().for_each(|block| block.postings = None);
            }
            let idle = std::mem::replace(&mut store.idle, store.reads);
            let last = store.blocks.len().saturating_sub(1);
            let unused = store.blocks.iter_mut().take(last).filter(|block| block.used <= idle);
            unused.for_each(|block| block.release());
            Ok(())
        })
    }

    /// Rewrites blocks of which more than half is gone; those with nothing left in them go.
    fn compact_blocks(&mut self) -> Result<(), StoreError> {
        let mut at = 0;
        while at + 1 < self.blocks.len() {
            let Some(block) = self.blocks.get(at) else { break };
            let sparse = block.bytes.saturating_mul(2) < block.len() && !block.compact;
            if !sparse {
                at += 1;
                continue;
            }
            let (spent, index) = (block.messages == 0, block.index);
            if spent {
                self.remove_spent(at)?;
            }
            let stays = self.blocks.get(at).is_some_and(|block| block.index == index);
            if stays {
                self.rewrite_block(at)?;
                at += 1;
            }
        }
        Ok(())
    }

    /// A block is about to be read from: it stays loaded until enough others were.
    pub(super) fn touch(&mut self, at: usize) {
        if self.blocks.get(at).is_some_and(|block| !block.is_loaded()) {
            self.trim(at);
        }
        self.reads += 1;
        if let Some(block) = self.blocks.get_mut(at) {
            block.used = self.reads;
        }
    }

    /// Releases the block that was not read for the longest time, if too many are loaded. The one
    /// at hand and the last one stay.
    fn trim(&mut self, at: usize) {
        let last = self.blocks.len().saturating_sub(1);
        let loaded = self.blocks.iter().enumerate().filter(|(_, block)| block.is_loaded());
        let others = loaded.filter(|(other, _)| *other != at && *other != last);
        let (count, oldest) = others.fold((0, None), |(count, oldest), (other, block)| {
            let oldest = match oldest {
                Some((used, _)) if used <= block.used => oldest,
                _ => Some((block.used, other)),
            };
            (count + 1, oldest)
        });
        if count >= LOADED_MAX
            && let Some((_, oldest)) = oldest
            && let Some(block) = self.blocks.get_mut(oldest)
        {
            block.release();
        }
    }

    /// Removes the index, for good: what is done next, its check would not see.
    pub(super) fn drop_index(&mut self) -> Result<(), StoreError> {
        if self.indexed {
            let fs = self.disk.env.fs();
            gone(fs.remove_file(&self.disk.dir.join(layout::INDEX)))?;
            fs.sync_dir(&self.disk.dir)?;
            (self.indexed, self.dir_unsynced) = (false, false);
        }
        Ok(())
    }

    /// Removes what says until which sequence the messages are known in it, for good: sequences
    /// will be used again.
    pub(super) fn drop_derived(&mut self) -> Result<(), StoreError> {
        let fs = self.disk.env.fs();
        for name in [layout::EXPIRIES, layout::SCHEDULES] {
            gone(fs.remove_file(&self.disk.dir.join(name)))?;
        }
        Ok(fs.sync_dir(&self.disk.dir)?)
    }

    /// Writes the state, so that the store is opened without a look at its messages. What was
    /// stored is durable then.
    ///
    /// # Errors
    /// What the system says; nothing more is stored then.
    pub fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.writing(Self::write_state)
    }

    pub(super) fn write_state(&mut self) -> Result<(), StoreError> {
        // The index may not know more than there is.
        self.sync_now()?;
        if !self.dirty {
            return Ok(());
        }
        // What is known is known below the next sequence.
        let next_seq = self.totals.last_seq + 1;
        if self.config.allow_msg_ttl {
            // Those that are left to the owner to remove have yet to go.
            let mut expiries = self.expiries.clone();
            for seq in self.proposals.iter().collect::<Vec<_>>() {
                if let Some((time_ns, ttl_s)) = self.age_of(seq)?.filter(|(_, ttl_s)| *ttl_s > 0) {
                    expiries.add(seq, message::expiry_ns(time_ns, ttl_s));
                }
            }
            let content = expiries.encode(next_seq);
            self.replace(&self.disk.dir.join(layout::EXPIRIES), &content)?;
        }
        if let Some(schedules) = &self.schedules {
            let content = schedules.encode(next_seq);
            self.replace(&self.disk.dir.join(layout::SCHEDULES), &content)?;
        }
        let sources = self.known_sources();
        let path = self.dir.join(layout::SOURCES);
        if sources.0.is_empty() {
            // It would be taken for that of a source which is configured later.
            gone(self.disk.env.fs().remove_file(&path))?;
        } else {
            self.replace(&path, &sources.encode(next_seq))?;
        }
        self.write_index()?;
        self.dirty = false;
        Ok(())
    }

    fn write_index(&mut self) -> Result<(), StoreError> {
        let Some(last) = self.blocks.back_mut() else { return Ok(()) };
        let (last_block, last_hash) = (last.index, last.last_hash(&self.disk)?);
        let counts = |block: &&super::MessageBlock| block.messages > 0 || block.index == last_block;
        let blocks: Vec<_> = self.blocks.iter().filter(counts).map(|b| b.state()).collect();
        let mut content = Vec::new();
        index::encode(&mut content, &self.totals, &self.subjects, &blocks, last_block, last_hash);
        let mut file = self.sealed(content);
        let sum = KeyedHash::named(&self.config.name).sum(&[&file]);
        file.extend_from_slice(&sum);
        self.replace(&self.disk.dir.join(layout::INDEX), &file)?;
        self.indexed = true;
        Ok(())
    }

    /// Writes the configuration.
    pub(super) fn write_meta(&self) -> Result<(), StoreError> {
        let info = FileStreamInfo { created: self.created, config: self.config.clone() };
        let meta = self.sealed(info.encode());
        self.replace(&self.dir.join(layout::META), &meta)?;
        let sum = KeyedHash::named(&self.config.name).hex(&meta);
        self.replace(&self.dir.join(layout::META_SUM), sum.as_bytes())
    }

    fn sealed(&self, content: Vec<u8>) -> Vec<u8> {
        match &self.key {
            Some(key) => key.seal(&content, &mut |buf| self.disk.env.entropy(buf)),
            None => content,
        }
    }

    fn replace(&self, path: &Path, content: &[u8]) -> Result<(), StoreError> {
        Ok(self.disk.env.fs().replace(path, content, FILE_MODE)?)
    }

    /// Removes the stream's directory. Under its name there is all of it or nothing, whatever
    /// happens.
    pub(super) fn remove_all(&mut self) -> Result<(), StoreError> {
        let fs = self.disk.env.fs();
        let aside = self.dir.with_file_name(format!(".{}.deleted", self.config.name));
        gone(fs.remove_dir_all(&aside))?;
        gone(fs.rename(&self.dir, &aside))?;
        if let Some(parent) = self.dir.parent() {
            fs.sync_dir(parent)?;
        }
        Ok(gone(fs.remove_dir_all(&aside))?)
    }
}
