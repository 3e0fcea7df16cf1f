//! As much of tar as snapshots of servers before 2.15 have: plain files with short names, and
//! extended headers (PAX) that may name and measure the file that follows. Everything else is
//! refused.
//!
//! ```text
//! per entry: a header of 512 bytes, the content, zeros up to a multiple of 512
//! header:    name 0..100, size 124..136 (octal), checksum 148..156 (octal), kind 156,
//!            "ustar" 257.., prefix of the name 345..500
//! at the end: two headers of zeros
//! ```

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};

const BLOCK: u64 = 512;
/// Bytes of the longest extended header that is read.
const EXTENDED_MAX: u64 = 1 << 20;

/// Why bytes are no archive of files.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// The bytes are no tar, or damaged.
    #[error("tar: invalid header")]
    Header,
    /// Something that is no file.
    #[error("tar: unexpected content {0:?}")]
    Kind(String),
    /// It ends too early, or cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path as it stands there.
    pub name: String,
    /// Its bytes.
    pub size: u64,
}

/// Reads an archive, file by file.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    /// Bytes of the content that were not read.
    unread: u64,
    /// Zeros behind it.
    padding: u64,
}

impl<R: Read> Reader<R> {
    /// The archive in `from`.
    pub fn new(from: R) -> Self {
        Self { from, unread: 0, padding: 0 }
    }

    /// The next file; nothing at the end.
    ///
    /// # Errors
    ///
    /// When there is anything but a file, or the archive is damaged or cut.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, TarError> {
        let mut extended = BTreeMap::new();
        loop {
            self.skip()?;
            let mut header = [0; BLOCK as usize];
            self.from.read_exact(&mut header)?;
            if header.iter().all(|byte| *byte == 0) {
                return Ok(None);
            }
            let (name, mut size) = (name(&header)?, checked_size(&header)?);
            match header[156] {
                kind @ (b'x' | b'g') => {
                    if size > EXTENDED_MAX {
                        return Err(TarError::Header);
                    }
                    self.begin(size);
                    let mut records = Vec::new();
                    self.read_to_end(&mut records)?;
                    // What holds for all that follows says nothing that matters here.
                    if kind == b'x' {
                        extended = parse_extended(&records).ok_or(TarError::Header)?;
                    }
                }
                b'0' | 0 => {
                    if let Some(text) = extended.get("size") {
                        size = text.parse().map_err(|_| TarError::Header)?;
                    }
                    let name = extended.remove("path").unwrap_or(name);
                    self.begin(size);
                    return Ok(Some(Entry { name, size }));
                }
                _ => return Err(TarError::Kind(name)),
            }
        }
    }

    /// Appends what is left of the file at hand; memory is taken as bytes come.
    ///
    /// # Errors
    ///
    /// When the archive ends within it, or cannot be read.
    pub fn read_to_end(&mut self, into: &mut Vec<u8>) -> Result<(), TarError> {
        let read = self.from.by_ref().take(self.unread).read_to_end(into)? as u64;
        self.unread -= read;
        if self.unread == 0 { Ok(()) } else { Err(cut()) }
    }

    fn begin(&mut self, size: u64) {
        (self.unread, self.padding) = (size, (BLOCK - size % BLOCK) % BLOCK);
    }

    fn skip(&mut self) -> Result<(), TarError> {
        for part in [&mut self.unread, &mut self.padding] {
            let len = std::mem::take(part);
            if io::copy(&mut self.from.by_ref().take(len), &mut io::sink())? != len {
                return Err(cut());
            }
        }
        Ok(())
    }
}

fn cut() -> TarError {
    io::Error::from(ErrorKind::UnexpectedEof).into()
}

/// The size that a header claims, when its checksum is right.
fn checked_size(header: &[u8; BLOCK as usize]) -> Result<u64, TarError> {
    let sum = header.iter().enumerate().map(|(at, byte)| match at {
        148..156 => u64::from(b' '),
        _ => u64::from(*byte),
    });
    if octal(&header[148..156]) != Some(sum.sum()) {
        return Err(TarError::Header);
    }
    octal(&header[124..136]).ok_or(TarError::Header)
}

fn name(header: &[u8; BLOCK as usize]) -> Result<String, TarError> {
    let field = |range: std::ops::Range<usize>| {
        let bytes = &header[range];
        let len = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        std::str::from_utf8(&bytes[..len]).map_err(|_| TarError::Header)
    };
    let (name, prefix) = (field(0..100)?, field(345..500)?);
    let has_prefix = header[257..].starts_with(b"ustar\0") && !prefix.is_empty();
    Ok(if has_prefix { format!("{prefix}/{name}") } else { name.to_owned() })
}

/// An octal number that ends with a space, a zero byte or the field.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_matches([' ', '\0']);
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
}

/// The records of an extended header: `<length> <key>=<value>\n`, the length that of all of it.
fn parse_extended(mut records: &[u8]) -> Option<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    while !records.is_empty() {
        let space = records.iter().position(|byte| *byte == b' ')?;
        let len: usize = std::str::from_utf8(&records[..space]).ok()?.parse().ok()?;
        let (record, rest) = records.split_at_checked(len)?;
        let text = std::str::from_utf8(record.get(space + 1..)?).ok()?.strip_suffix('\n')?;
        let (key, value) = text.split_once('=')?;
        found.insert(key.to_owned(), value.to_owned());
        records = rest;
    }
    Some(found)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A header and the content, padded.
    pub(crate) fn entry(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut header = [0_u8; BLOCK as usize];
        header[..name.len()].copy_from_slice(name.as_bytes());
        let size = format!("{:011o}", content.len());
        header[124..135].copy_from_slice(size.as_bytes());
        header[156] = kind;
        header[257..263].copy_from_slice(b"ustar\0");
        header[148..156].fill(b' ');
        let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        let mut out = header.to_vec();
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(BLOCK as usize), 0);
        out
    }

    fn read(bytes: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, TarError> {
        let mut reader = Reader::new(bytes);
        let mut found = Vec::new();
        while let Some(entry) = reader.next_entry()? {
            let mut content = Vec::new();
            reader.read_to_end(&mut content)?;
            found.push((entry, content));
        }
        Ok(found)
    }

    const END: [u8; 1024] = [0; 1024];

    #[test]
    fn files_are_read_or_passed_over() {
        let long = "obs/".to_owned() + &"c".repeat(120) + "/o.dat";
        let record = format!(" path={long}\n");
        let record = format!("{}{record}", record.len() + 3);
        let archive = [
            entry("a", b'0', b"content"),
            entry("PaxHeaders.0/b", b'x', record.as_bytes()),
            entry("b", b'0', &[7; 600]),
            entry("PaxHeaders.0/c", b'x', b"9 size=0\n"),
            entry("c", 0, b""),
            END.to_vec(),
        ]
        .concat();
        let found = read(&archive).unwrap();
        let names: Vec<_> = found.iter().map(|(entry, _)| entry.name.as_str()).collect();
        assert_eq!(names, ["a", &long, "c"]);
        assert_eq!((&found[0].1[..], found[1].1.len()), (&b"content"[..], 600));
        let mut reader = Reader::new(&archive[..]);
        let mut count = 0;
        while reader.next_entry().unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 3);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        for kind in *b"123456LK" {
            let archive = [entry("../x", kind, b""), END.to_vec()].concat();
            assert!(matches!(read(&archive), Err(TarError::Kind(_))), "{kind}");
        }
    }

    #[test]
    fn damage_and_cuts_are_told() {
        let archive = [entry("a", b'0', b"content"), END.to_vec()].concat();
        for len in 0..archive.len() - 512 {
            assert!(read(&archive[..len]).is_err(), "{len}");
        }
        for at in 0..300 {
            let mut bad = archive.clone();
            bad[at] ^= 0x41;
            assert!(read(&bad).is_err(), "{at}");
        }
        for records in [&b"5 a=b\n"[..], b"99 a=b\n", b"x a=b\n", b"6 a=b\n7", b"5 ab\n", b"0 a=\n"]
        {
            let archive = [entry("h", b'x', records), entry("a", b'0', b""), END.to_vec()].concat();
            assert!(matches!(read(&archive), Err(TarError::Header)), "{}", records.escape_ascii());
        }
    }
}
