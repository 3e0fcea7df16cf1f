//! S2 streams ([`crate::wire::s2`]) written and read piece by piece, and bytes cut into chunks.

use crate::wire::s2::{self, BLOCK_WRITTEN, CHUNK_HEADER_LEN};
use std::io::{self, BufRead, ErrorKind, Read, Write};

/// Packs what is written to it.
#[derive(Debug)]
pub struct Packer<W> {
    to: W,
    block: Vec<u8>,
    packed: Vec<u8>,
}

impl<W: Write> Packer<W> {
    /// A stream into `to`.
    pub fn new(to: W) -> Self {
        let mut packed = Vec::new();
        s2::encode_identifier(&mut packed);
        Self { to, block: Vec::new(), packed }
    }

    /// Ends the stream.
    ///
    /// # Errors
    ///
    /// When writing fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.write_block()?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn write_block(&mut self) -> io::Result<()> {
        if !self.block.is_empty() {
            s2::encode_block(&self.block, &mut self.packed);
            self.block.clear();
        }
        self.to.write_all(&self.packed)?;
        self.packed.clear();
        Ok(())
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(BLOCK_WRITTEN - self.block.len());
        self.block.extend_from_slice(&bytes[..taken]);
        if self.block.len() == BLOCK_WRITTEN {
            self.write_block()?;
        }
        Ok(taken)
    }

    /// Does nothing: what is packed together is packed well.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Unpacks what it reads. Memory is that of one block, whatever the stream claims.
#[derive(Debug)]
pub struct Unpacker<R> {
    from: R,
    /// Where the next chunk begins in the stream.
    at: usize,
    body: Vec<u8>,
    block: Vec<u8>,
    /// How much of the block was read.
    read: usize,
}

impl<R: Read> Unpacker<R> {
    /// The stream in `from`.
    pub fn new(from: R) -> Self {
        Self { from, at: 0, body: Vec::new(), block: Vec::new(), read: 0 }
    }

    /// Reads the next chunk into the block; false at the end.
    fn next_chunk(&mut self) -> io::Result<bool> {
        let mut head = [0; CHUNK_HEADER_LEN];
        let first = loop {
            match self.from.read(&mut head) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if first == 0 {
            return Ok(false);
        }
        self.from.read_exact(&mut head[first..])?;
        let [kind, a, b, c] = head;
        let len = u32::from_le_bytes([a, b, c, 0]);
        self.body.clear();
        let read = self.from.by_ref().take(len.into()).read_to_end(&mut self.body)?;
        if read as u64 != u64::from(len) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.block.clear();
        self.read = 0;
        let decoded = s2::decode_chunk(kind, &self.body, self.at, &mut self.block);
        decoded.map_err(|e| io::Error::new(ErrorKind::InvalidData, e))?;
        self.at = self.at.saturating_add(CHUNK_HEADER_LEN + self.body.len());
        Ok(true)
    }
}

impl<R: Read> BufRead for Unpacker<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.read == self.block.len() && self.next_chunk()? {}
        Ok(&self.block[self.read..])
    }

    fn consume(&mut self, amount: usize) {
        self.read = self.block.len().min(self.read.saturating_add(amount));
    }
}

impl<R: Read> Read for Unpacker<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let block = self.fill_buf()?;
        let len = block.len().min(into.len());
        into[..len].copy_from_slice(&block[..len]);
        self.consume(len);
        Ok(len)
    }
}

/// Hands what is written to it on in chunks of one size, but for the last.
pub struct Chunks<'a> {
    sink: &'a mut dyn FnMut(&[u8]) -> io::Result<()>,
    size: usize,
    chunk: Vec<u8>,
}

impl<'a> Chunks<'a> {
    /// Chunks of `size` bytes, at least one, into `sink`.
    pub fn new(size: usize, sink: &'a mut dyn FnMut(&[u8]) -> io::Result<()>) -> Self {
        Self { sink, size: size.max(1), chunk: Vec::new() }
    }
}

impl Write for Chunks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.size - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        if self.chunk.len() == self.size {
            self.flush()?;
        }
        Ok(taken)
    }

    /// Hands on the chunk at hand, however short it is.
    fn flush(&mut self) -> io::Result<()> {
        if !self.chunk.is_empty() {
            (self.sink)(&self.chunk)?;
            self.chunk.clear();
        }
        Ok(())
    }
}

/// Reads chunks that are asked for one after the other, until there is none.
pub struct ChunkReader<F> {
    next: F,
    chunk: Vec<u8>,
    read: usize,
}

impl<F: FnMut() -> io::Result<Option<Vec<u8>>>> ChunkReader<F> {
    /// Reads what `next` gives.
    pub fn new(next: F) -> Self {
        Self { next, chunk: Vec::new(), read: 0 }
    }
}

impl<F: FnMut() -> io::Result<Option<Vec<u8>>>> Read for ChunkReader<F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.read == self.chunk.len() {
            match (self.next)()? {
                Some(chunk) => (self.chunk, self.read) = (chunk, 0),
                None => return Ok(0),
            }
        }
        let rest = &self.chunk[self.read..];
        let len = rest.len().min(into.len());
        into[..len].copy_from_slice(&rest[..len]);
        self.read += len;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    /// Compressible at first, then noise.
    fn sample() -> Vec<u8> {
        let mut data = b"orders.eu.new ".repeat(200_000);
        let noise = data.len();
        data.resize(noise + BLOCK_WRITTEN, 0);
        Rng::from_seed(3).fill(&mut data[noise..]);
        data
    }

    fn chunks(data: &[u8], written: usize, size: usize) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        let mut sink = |chunk: &[u8]| {
            out.push(chunk.to_vec());
            Ok(())
        };
        let mut packer = Packer::new(Chunks::new(size, &mut sink));
        data.chunks(written).for_each(|piece| packer.write_all(piece).unwrap());
        packer.finish().unwrap();
        out
    }

    fn unpacked(chunks: Vec<Vec<u8>>) -> io::Result<Vec<u8>> {
        let mut chunks = chunks.into_iter();
        let mut out = Vec::new();
        Unpacker::new(ChunkReader::new(|| Ok(chunks.next()))).read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn there_and_back_in_pieces_of_any_size() {
        let data = sample();
        for (written, size) in [(1000, 1024), (data.len(), 128 * 1024), (7777, usize::MAX)] {
            let chunks = chunks(&data, written, size);
            let (last, others) = chunks.split_last().unwrap();
            assert!(others.iter().all(|chunk| chunk.len() == size) && last.len() <= size);
            let whole = chunks.concat();
            let mut out = Vec::new();
            assert_eq!(s2::decode(&whole, usize::MAX, &mut out), Ok(()));
            assert!(out == data);
            assert!(unpacked(chunks).unwrap() == data);
        }
        let nothing = chunks(b"", 1, 100);
        assert_eq!(unpacked(nothing).unwrap(), b"");
        assert_eq!(unpacked(Vec::new()).unwrap(), b"");
    }

    #[test]
    fn what_is_cut_or_damaged_is_told() {
        let whole = chunks(&sample(), 1000, 4096).concat();
        for len in [1, 3, 9, 11, 13, 14, 100, whole.len() - 1] {
            let error = unpacked(vec![whole[..len].to_vec()]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{len}");
        }
        let mut damaged = whole.clone();
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        assert_eq!(unpacked(vec![damaged]).unwrap_err().kind(), ErrorKind::InvalidData);
        let no_stream = unpacked(vec![whole[10..].to_vec()]).unwrap_err();
        assert_eq!(no_stream.to_string(), "not an S2 stream");
    }

    #[test]
    fn a_sink_that_fails_ends_it() {
        let mut sink = |_: &[u8]| Err(ErrorKind::BrokenPipe.into());
        let mut packer = Packer::new(Chunks::new(10, &mut sink));
        packer.write_all(b"few").unwrap();
        let error = packer.finish().err().map(|e| e.kind());
        assert_eq!(error, Some(ErrorKind::BrokenPipe));
    }
}
