//! The archive that a backup of a stream is, without the compression around it.
//! Go: `server/archive`.
//!
//! ```text
//! "NATSARC1", then per entry:
//! uvarint name length, varint timestamp, uvarint sequence,
//! uvarint header size, uvarint payload size, name, header, payload
//! ```
//!
//! A backup's first entry is `state.json`, then come `consumers/<name>` and the messages, each
//! under its subject; an entry with nothing in it is the last.

use crate::base::codec::{Uvarint, put_uvarint, put_varint, unzigzag};
use std::io::{self, BufRead, Read, Write};

/// How an archive begins.
pub const MAGIC: [u8; 8] = *b"NATSARC1";

/// Longest name that is read, bytes.
pub const NAME_LEN_MAX: u64 = 1 << 20;

/// What an entry is, before its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Name of a file, or subject of a message.
    pub name: Vec<u8>,
    /// Nanoseconds since the Unix epoch.
    pub timestamp: i64,
    /// Sequence of a message; 0 is none.
    pub sequence: u64,
    /// How many of the first bytes are headers of a message.
    pub header_size: u64,
    /// How many bytes follow them.
    pub payload_size: u64,
}

impl Entry {
    /// Whether this is the entry that ends a backup.
    pub fn is_end(&self) -> bool {
        *self == Self::default()
    }

    /// Bytes of the entry. None when a reader could not count them in 63 bits.
    fn size(&self) -> Option<u64> {
        let size = self.header_size.checked_add(self.payload_size)?;
        i64::try_from(size).is_ok().then_some(size)
    }
}

/// What can go wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The bytes are no archive, or are cut off.
    #[error("archive: invalid archive stream")]
    Invalid,
    /// The next entry, or the end, before all bytes of this one.
    #[error("archive: entry not fully written")]
    Incomplete,
    /// Bytes that belong to no entry.
    #[error("archive: no active entry")]
    NoEntry,
    /// More bytes than the entry was said to have.
    #[error("archive: write exceeds declared entry size")]
    TooLong,
    /// An entry whose size is beyond 63 bits.
    #[error("archive: negative entry size")]
    Size,
    /// The reader or writer below failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes an archive, entry by entry.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
    begun: bool,
    /// Bytes that the entry at hand still lacks.
    missing: u64,
}

impl<W: Write> Writer<W> {
    /// An archive into `to`. Nothing is written before the first entry.
    pub fn new(to: W) -> Self {
        Self { to, begun: false, missing: 0 }
    }

    /// Begins an entry.
    ///
    /// # Errors
    /// When the last entry lacks bytes, this one's size is out of range, or writing fails.
    pub fn entry(&mut self, entry: &Entry) -> Result<(), ArchiveError> {
        let size = entry.size().ok_or(ArchiveError::Size)?;
        self.complete()?;
        let mut head = Vec::with_capacity(64 + entry.name.len());
        if !self.begun {
            head.extend_from_slice(&MAGIC);
        }
        put_uvarint(&mut head, entry.name.len() as u64);
        put_varint(&mut head, entry.timestamp);
        put_uvarint(&mut head, entry.sequence);
        put_uvarint(&mut head, entry.header_size);
        put_uvarint(&mut head, entry.payload_size);
        head.extend_from_slice(&entry.name);
        self.to.write_all(&head)?;
        (self.begun, self.missing) = (true, size);
        Ok(())
    }

    /// Writes the next bytes of the entry at hand; what is too much is not written.
    ///
    /// # Errors
    /// When there is no entry, it is full, or writing fails.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.missing == 0 {
            return Err(ArchiveError::NoEntry);
        }
        let fits = usize::try_from(self.missing).map_or(bytes.len(), |n| n.min(bytes.len()));
        self.to.write_all(&bytes[..fits])?;
        self.missing -= fits as u64;
        if fits < bytes.len() { Err(ArchiveError::TooLong) } else { Ok(()) }
    }

    /// Hands on what the writer below has buffered.
    ///
    /// # Errors
    /// When that fails.
    pub fn flush(&mut self) -> Result<(), ArchiveError> {
        Ok(self.to.flush()?)
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// When the last entry lacks bytes.
    pub fn finish(self) -> Result<W, ArchiveError> {
        self.complete()?;
        Ok(self.to)
    }

    fn complete(&self) -> Result<(), ArchiveError> {
        if self.missing == 0 { Ok(()) } else { Err(ArchiveError::Incomplete) }
    }
}

/// Reads an archive, entry by entry.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    state: State,
    /// Bytes of the entry at hand that were not read.
    unread: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Entries,
    End,
    /// Something failed; nothing is read any more.
    Broken,
}

impl<R: BufRead> Reader<R> {
    /// The archive in `from`.
    pub fn new(from: R) -> Self {
        Self { from, state: State::Start, unread: 0 }
    }

    /// The next entry, past what was not read of the last one; `None` at the end. Bytes too few
    /// for an archive's first eight are one without entries.
    ///
    /// # Errors
    /// When the bytes are no archive or reading fails; there is no going on after that.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ArchiveError> {
        // Broken, unless it turns out otherwise.
        let before = std::mem::replace(&mut self.state, State::Broken);
        let entry = match before {
            State::Start if !self.magic()? => None,
            State::Start | State::Entries => {
                self.skip_unread()?;
                if self.from.fill_buf()?.is_empty() { None } else { Some(self.head()?) }
            }
            State::End => None,
            State::Broken => return Err(ArchiveError::Invalid),
        };
        self.unread = match &entry {
            Some(entry) => entry.size().ok_or(ArchiveError::Invalid)?,
            None => 0,
        };
        self.state = if entry.is_some() { State::Entries } else { State::End };
        Ok(entry)
    }

    /// Reads on in the entry at hand, as much as there is and `into` holds; 0 at its end.
    ///
    /// # Errors
    /// When the archive ends within the entry or reading fails.
    pub fn read(&mut self, into: &mut [u8]) -> Result<usize, ArchiveError> {
        let len = usize::try_from(self.unread).map_or(into.len(), |n| n.min(into.len()));
        if let Err(e) = self.from.read_exact(&mut into[..len]) {
            (self.state, self.unread) = (State::Broken, 0);
            return Err(cut(e));
        }
        self.unread -= len as u64;
        Ok(len)
    }

    /// Appends what is left of the entry at hand; memory is taken as bytes come.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn read_to_end(&mut self, into: &mut Vec<u8>) -> Result<(), ArchiveError> {
        let read = self.from.by_ref().take(self.unread).read_to_end(into);
        let complete = matches!(read, Ok(len) if len as u64 == self.unread);
        self.unread = 0;
        if !complete {
            self.state = State::Broken;
        }
        read?;
        if complete { Ok(()) } else { Err(ArchiveError::Invalid) }
    }

    /// Reads how an archive begins; false if there are fewer bytes.
    fn magic(&mut self) -> Result<bool, ArchiveError> {
        let mut magic = [0; MAGIC.len()];
        match self.from.read_exact(&mut magic) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            read => read?,
        }
        if magic == MAGIC { Ok(true) } else { Err(ArchiveError::Invalid) }
    }

    fn skip_unread(&mut self) -> Result<(), ArchiveError> {
        let unread = std::mem::take(&mut self.unread);
        let skipped = io::copy(&mut self.from.by_ref().take(unread), &mut io::sink())?;
        if skipped == unread { Ok(()) } else { Err(ArchiveError::Invalid) }
    }

    fn head(&mut self) -> Result<Entry, ArchiveError> {
        let name_len = self.uvarint()?;
        let timestamp = unzigzag(self.uvarint()?);
        let (sequence, header_size, payload_size) =
            (self.uvarint()?, self.uvarint()?, self.uvarint()?);
        if name_len > NAME_LEN_MAX {
            return Err(ArchiveError::Invalid);
        }
        let mut name = Vec::new();
        self.from.by_ref().take(name_len).read_to_end(&mut name)?;
        if name.len() as u64 != name_len {
            return Err(ArchiveError::Invalid);
        }
        Ok(Entry { name, timestamp, sequence, header_size, payload_size })
    }

    fn uvarint(&mut self) -> Result<u64, ArchiveError> {
        let mut number = Uvarint::default();
        loop {
            let mut byte = [0];
            self.from.read_exact(&mut byte).map_err(cut)?;
            if let Some(value) = number.push(byte[0]).map_err(|_| ArchiveError::Invalid)? {
                return Ok(value);
            }
        }
    }
}

/// An archive that ends where it should not is none.
fn cut(error: io::Error) -> ArchiveError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ArchiveError::Invalid,
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(name: &str, header_size: u64, payload_size: u64) -> Entry {
        Entry { name: name.into(), header_size, payload_size, ..Entry::default() }
    }

    /// All entries with their bytes.
    fn read(bytes: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, ArchiveError> {
        let mut reader = Reader::new(bytes);
        let mut all = Vec::new();
        while let Some(entry) = reader.next_entry()? {
            let mut body = Vec::new();
            reader.read_to_end(&mut body)?;
            all.push((entry, body));
        }
        Ok(all)
    }

    #[test]
    fn a_writer_holds_to_the_sizes() {
        let mut writer = Writer::new(Vec::new());
        assert!(matches!(writer.write(b"x"), Err(ArchiveError::NoEntry)));
        assert!(writer.write(b"").is_ok());
        for size in [u64::MAX, 1 << 63] {
            assert!(matches!(writer.entry(&entry("a", size, 0)), Err(ArchiveError::Size)));
        }
        assert!(matches!(writer.entry(&entry("a", i64::MAX as u64, 1)), Err(ArchiveError::Size)));
        writer.entry(&entry("a", 1, 2)).unwrap();
        writer.write(b"x").unwrap();
        assert!(matches!(writer.entry(&entry("b", 0, 0)), Err(ArchiveError::Incomplete)));
        assert!(matches!(writer.write(b"yzz"), Err(ArchiveError::TooLong)));
        assert!(matches!(writer.write(b"z"), Err(ArchiveError::NoEntry)));
        writer.entry(&entry("b", 0, 1)).unwrap();
        assert!(matches!(writer.finish(), Err(ArchiveError::Incomplete)));
    }

    #[test]
    fn the_end_has_its_own_entry() {
        let mut writer = Writer::new(Vec::new());
        writer.entry(&Entry::default()).unwrap();
        let bytes = writer.finish().unwrap();
        assert_eq!(bytes, *b"NATSARC1\0\0\0\0\0");
        assert!(read(&bytes).unwrap()[0].0.is_end());
    }

    #[test]
    fn sizes_are_not_believed() {
        let mut bytes = b"NATSARC1".to_vec();
        put_uvarint(&mut bytes, NAME_LEN_MAX + 1);
        bytes.extend_from_slice(&[0; 4]);
        assert!(matches!(read(&bytes), Err(ArchiveError::Invalid)));
        for (header, payload) in [(u64::MAX, 1), (1 << 62, 1 << 62), (0, i64::MAX as u64)] {
            let mut bytes = b"NATSARC1\0\0\0".to_vec();
            put_uvarint(&mut bytes, header);
            put_uvarint(&mut bytes, payload);
            assert!(matches!(read(&bytes), Err(ArchiveError::Invalid)));
        }
    }

    fn entries() -> impl Strategy<Value = Vec<(Entry, Vec<u8>)>> {
        let entry = (any::<Vec<u8>>(), any::<i64>(), any::<u64>(), any::<Vec<u8>>(), 0..=100u64);
        let entry = entry.prop_map(|(name, timestamp, sequence, body, part)| {
            let header_size = body.len() as u64 * part / 100;
            let payload_size = body.len() as u64 - header_size;
            (Entry { name, timestamp, sequence, header_size, payload_size }, body)
        });
        prop::collection::vec(entry, 0..6)
    }

    proptest! {
        #[test]
        fn is_read_back(entries in entries(), piece in 1..9usize) {
            let mut writer = Writer::new(Vec::new());
            // Where an archive may be cut without being noticed.
            let mut ends: Vec<usize> = (0..=MAGIC.len()).collect();
            for (entry, body) in &entries {
                writer.entry(entry).unwrap();
                for piece in body.chunks(piece) {
                    writer.write(piece).unwrap();
                }
                ends.push(writer.to.len());
            }
            let bytes = writer.finish().unwrap();
            prop_assert_eq!(read(&bytes).unwrap(), entries);
            for len in 0..bytes.len() {
                prop_assert_eq!(read(&bytes[..len]).is_ok(), ends.contains(&len), "{}", len);
                let mut damaged = bytes.clone();
                damaged[len] ^= 0x80;
                let _ = read(&damaged);
                // Skipping finds the same faults as reading.
                let mut reader = Reader::new(&bytes[..len]);
                let skipped = loop {
                    match reader.next_entry() {
                        Ok(Some(_)) => {}
                        end => break end.is_ok(),
                    }
                };
                prop_assert_eq!(skipped, ends.contains(&len));
                // The end stays the end, what is broken stays broken.
                prop_assert_eq!(matches!(reader.next_entry(), Ok(None)), skipped);
            }
        }
    }
}
