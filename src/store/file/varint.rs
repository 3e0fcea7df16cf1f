//! Go's variable length integers: seven bits a byte, the lowest first; signed ones zigzag.

/// An unsigned number at the front, and what follows it.
pub fn uvarint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (i, byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        if i == 9 && bits > 1 {
            return None;
        }
        value |= bits << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[i + 1..]));
        }
    }
    None
}

/// A signed number at the front, and what follows it.
pub fn varint(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (value, rest) = uvarint(bytes)?;
    Some(((value >> 1).cast_signed() ^ -(value & 1).cast_signed(), rest))
}

/// Appends an unsigned number.
pub fn put_uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number.
pub fn put_varint(out: &mut Vec<u8>, value: i64) {
    put_uvarint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for value in [0, 1, 127, 128, 300, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            put_uvarint(&mut out, value);
            put_varint(&mut out, value.cast_signed());
            let (found, rest) = uvarint(&out).unwrap();
            assert_eq!((found, varint(rest)), (value, Some((value.cast_signed(), &b""[..]))));
        }
        let mut out = Vec::new();
        put_varint(&mut out, -65);
        assert_eq!(out, [0x81, 0x01], "as Go writes it");
    }

    #[test]
    fn what_is_cut_or_too_long_is_none() {
        assert_eq!(uvarint(&[]), None);
        assert_eq!(uvarint(&[0x80]), None);
        assert_eq!(uvarint(&[0xff; 11]), None);
        let mut most = [0xff; 10];
        most[9] = 2;
        assert_eq!(uvarint(&most), None);
        most[9] = 1;
        assert_eq!(uvarint(&most), Some((u64::MAX, &b""[..])));
    }
}
