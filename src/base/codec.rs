//! Reading and writing numbers as files and peers hold them: little-endian, and in the variable
//! length encoding of Go's `encoding/binary` (seven bits a byte, low bits first; signed numbers
//! zigzag).

/// Longest encoding of a 64-bit number, bytes.
pub const VARINT_LEN_MAX: usize = 10;

/// Appends an unsigned number in one to ten bytes.
pub fn put_uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number in one to ten bytes.
pub fn put_varint(out: &mut Vec<u8>, value: i64) {
    put_uvarint(out, zigzag(value));
}

/// Appends a string or blob after its length.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_uvarint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn zigzag(value: i64) -> u64 {
    (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned()
}

/// The signed number that a zigzag encoding stands for.
pub fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// Collects an unsigned number from bytes that come one by one.
#[derive(Debug, Default)]
pub struct Uvarint {
    value: u64,
    shift: u32,
}

/// A variable-length number that does not fit 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

impl Uvarint {
    /// Takes the next byte; the number once it is complete.
    ///
    /// # Errors
    /// When there are more than 64 bits.
    pub fn push(&mut self, byte: u8) -> Result<Option<u64>, Overflow> {
        let bits = u64::from(byte & 0x7f);
        if self.shift >= 64 || (self.shift == 63 && bits > 1) {
            return Err(Overflow);
        }
        self.value |= bits << self.shift;
        self.shift += 7;
        Ok((byte < 0x80).then_some(self.value))
    }
}

/// Reads forwards over bytes. Every method gives `None`, and moves nothing, when what is left does
/// not hold what was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// At the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (read, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(read)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (read, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*read)
    }

    /// One byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    /// Two bytes, little-endian.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// Four bytes, little-endian.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes, little-endian.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// An unsigned number of variable length.
    pub fn uvarint(&mut self) -> Option<u64> {
        let mut number = Uvarint::default();
        for (at, &byte) in self.rest.iter().enumerate() {
            if let Some(value) = number.push(byte).ok()? {
                self.rest = &self.rest[at + 1..];
                return Some(value);
            }
        }
        None
    }

    /// A signed number of variable length.
    pub fn varint(&mut self) -> Option<i64> {
        self.uvarint().map(unzigzag)
    }

    /// A string or blob after its length, as [`put_bytes`] writes it.
    pub fn prefixed(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let len = usize::try_from(ahead.uvarint()?).ok()?;
        let bytes = ahead.bytes(len)?;
        *self = ahead;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn is_gos_encoding() {
        for (value, bytes) in [
            (0, &[0][..]),
            (127, &[127]),
            (128, &[0x80, 1]),
            (300, &[0xac, 2]),
            (u64::MAX, &[255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
        ] {
            let mut out = Vec::new();
            put_uvarint(&mut out, value);
            assert_eq!(out, bytes);
        }
        for (value, byte) in [(0, 0), (-1, 1), (1, 2), (-2, 3)] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out, [byte]);
        }
    }

    #[test]
    fn refuses_what_is_too_long_or_cut() {
        for bytes in
            [&[255, 255, 255, 255, 255, 255, 255, 255, 255, 2][..], &[0x80; 11], &[0x80], &[]]
        {
            let mut cursor = Cursor::new(bytes);
            assert_eq!(cursor.uvarint(), None);
            assert_eq!(cursor.rest(), bytes);
        }
        let mut cursor = Cursor::new(&[3, b'a', b'b']);
        assert_eq!((cursor.prefixed(), cursor.u64(), cursor.u32()), (None, None, None));
        assert_eq!((cursor.u16(), cursor.u8()), (Some(0x6103), Some(b'b')));
        assert!(cursor.is_empty() && cursor.bytes(1).is_none());
    }

    proptest! {
        #[test]
        fn reads_what_was_written(unsigned: u64, signed: i64, blob: Vec<u8>) {
            let mut out = Vec::new();
            put_uvarint(&mut out, unsigned);
            put_varint(&mut out, signed);
            put_bytes(&mut out, &blob);
            let mut cursor = Cursor::new(&out);
            prop_assert_eq!(cursor.uvarint(), Some(unsigned));
            prop_assert_eq!(cursor.varint(), Some(signed));
            prop_assert_eq!(cursor.prefixed(), Some(&blob[..]));
            prop_assert!(cursor.is_empty());
        }
    }
}
