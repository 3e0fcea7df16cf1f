//! Walks a text character by character and keeps count of lines and columns.

use std::borrow::Cow;

/// What the language takes for the end of the text: there is no character, or it is a NUL.
pub(super) const END: char = '\0';

/// A place in a text, and the start of the token being read.
///
/// Columns count bytes. The line start is the newline before the line, so that the first column is
/// 0 on the first line and 1 on all others; every error and position of the language has it so.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    input: &'a [u8],
    start: usize,
    pos: usize,
    /// Bytes of the last character read: what [`Cursor::back`] goes back by.
    width: usize,
    line: u32,
    line_start: usize,
    /// The line start where the token being read began.
    token_line_start: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { input, start: 0, pos: 0, width: 0, line: 1, line_start: 0, token_line_start: 0 }
    }

    /// Reads a character; [`END`] when there is none.
    pub(super) fn next(&mut self) -> char {
        let Some(&byte) = self.input.get(self.pos) else {
            self.width = 0;
            return END;
        };
        if byte == b'\n' {
            self.line += 1;
            self.line_start = self.pos;
        }
        let (c, width) = decode(&self.input[self.pos..]);
        self.width = width;
        self.pos += width;
        c
    }

    /// Goes back by the width of the character just read.
    pub(super) fn back(&mut self) {
        self.pos = self.pos.saturating_sub(self.width);
        if self.input.get(self.pos) == Some(&b'\n') {
            self.line = self.line.saturating_sub(1);
        }
    }

    /// The next character, unread.
    pub(super) fn peek(&mut self) -> char {
        let c = self.next();
        self.back();
        c
    }

    /// Forgets what was read: a token would begin here.
    pub(super) fn skip(&mut self) {
        self.start = self.pos;
        self.token_line_start = self.line_start;
    }

    /// Leaves the first byte of the token out of it.
    pub(super) fn skip_first_byte(&mut self) {
        self.start = (self.start + 1).min(self.pos);
    }

    /// Whether anything was read since the last [`Cursor::skip`].
    pub(super) fn has_token(&self) -> bool {
        self.pos > self.start
    }

    /// Bytes of the token so far.
    pub(super) fn token_len(&self) -> usize {
        self.pos - self.start
    }

    /// The token so far.
    pub(super) fn token(&self) -> &'a [u8] {
        &self.input[self.start.min(self.pos)..self.pos]
    }

    /// The token so far without its last byte; the next one begins here, as far as text goes.
    pub(super) fn cut_token(&mut self, without: usize) -> &'a [u8] {
        let cut = &self.input[self.start..self.pos - without];
        self.start = self.pos;
        cut
    }

    /// The last two bytes read.
    pub(super) fn last_two(&self) -> &'a [u8] {
        &self.input[self.pos.saturating_sub(2)..self.pos]
    }

    /// The column at which a token of this text began that ends here.
    pub(super) fn column_of(&self, text: &[u8]) -> i64 {
        self.pos as i64 - self.token_line_start as i64 - text.len() as i64
    }

    /// The column here.
    pub(super) fn column(&self) -> i64 {
        self.pos as i64 - self.line_start as i64
    }

    /// The line here, from 1.
    pub(super) fn line(&self) -> u32 {
        self.line
    }
}

/// The first character of `bytes` (not empty) and its width; a byte that is not UTF-8 is U+FFFD.
fn decode(bytes: &[u8]) -> (char, usize) {
    if bytes[0].is_ascii() {
        return (bytes[0] as char, 1);
    }
    let window = &bytes[..bytes.len().min(4)];
    let valid = match std::str::from_utf8(window) {
        Ok(s) => s,
        Err(e) => std::str::from_utf8(&window[..e.valid_up_to()]).unwrap_or_default(),
    };
    match valid.chars().next() {
        Some(c) => (c, c.len_utf8()),
        None => (char::REPLACEMENT_CHARACTER, 1),
    }
}

/// Text of bytes, each byte that is not UTF-8 replaced by U+FFFD.
pub(super) fn text(bytes: &[u8]) -> String {
    if let Ok(s) = std::str::from_utf8(bytes) {
        return s.to_owned();
    }
    let mut out = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        let (c, width) = decode(rest);
        out.push(c);
        rest = &rest[width..];
    }
    out
}

/// A decimal digit of any script (Unicode category Nd): the language calls them all digits where it
/// decides what a value is, though only ASCII ones make a number.
pub(super) fn is_digit(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_digit();
    }
    let c = c as u32;
    match DIGIT_ZEROS.partition_point(|&zero| zero <= c).checked_sub(1) {
        // The mathematical digits are five styles in a row.
        Some(i) if DIGIT_ZEROS[i] == 0x1D7CE => c <= 0x1D7FF,
        Some(i) => c < DIGIT_ZEROS[i] + 10,
        None => false,
    }
}

/// The zero of each script that has decimal digits.
#[rustfmt::skip]
const DIGIT_ZEROS: [u32; 62] = [
    0x30, 0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66,
    0xDE6, 0xE50, 0xED0, 0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90,
    0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0,
    0xFF10, 0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0,
    0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0,
    0x16B50, 0x1D7CE, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0,
];
