//! Writing: `<`, `>`, `&` and the line separators U+2028 and U+2029 are escaped.

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};
use std::io::{self, Write};

/// What U+FFFD in a string stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// Itself: the text was valid, and is written as it is.
    Itself,
    /// Bytes that were no UTF-8, which Go writes as an escape.
    InvalidBytes,
}

/// `value` on one line; its strings are what they are.
pub fn compact(value: &impl Serialize) -> Vec<u8> {
    encode(value, CompactFormatter, Replacement::Itself)
}

/// `value` in a layout of serde's.
pub fn encode(value: &impl Serialize, layout: impl Formatter, fffd: Replacement) -> Vec<u8> {
    let mut out = Vec::with_capacity(2048);
    let layout = Escaping { layout, escape_fffd: fffd == Replacement::InvalidBytes };
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, layout);
    value.serialize(&mut serializer).expect("plain fields always serialize, and into memory");
    out
}

/// A layout whose strings are safe inside HTML, as Go's are.
struct Escaping<F> {
    layout: F,
    escape_fffd: bool,
}

macro_rules! as_the_layout_does {
    ($($name:ident($($arg:ident: $type:ty),*);)*) => {
        $(fn $name<W: ?Sized + Write>(
            &mut self,
            writer: &mut W
            $(, $arg: $type)*
        ) -> io::Result<()> {
            self.layout.$name(writer $(, $arg)*)
        })*
    };
}

impl<F: Formatter> Formatter for Escaping<F> {
    as_the_layout_does! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        end_object_key();
        begin_object_value();
        end_object_value();
        write_char_escape(escape: CharEscape);
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let escaped = |c| match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => true,
            '\u{fffd}' => self.escape_fffd,
            _ => false,
        };
        let mut rest = fragment;
        while let Some(at) = rest.find(escaped) {
            let (plain, special) = rest.split_at(at);
            let special = special.chars().next().unwrap_or_default();
            writer.write_all(plain.as_bytes())?;
            write!(writer, "\\u{:04x}", u32::from(special))?;
            rest = &rest[at + special.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_go_writes() {
        let text = "a.>&<\u{2028}\u{2029}\u{fffd}\"\\\n\u{8}\u{1}\u{7f}\u{e9}";
        let exact =
            "\"a.\\u003e\\u0026\\u003c\\u2028\\u2029\u{fffd}\\\"\\\\\\n\\b\\u0001\u{7f}\u{e9}\"";
        assert_eq!(String::from_utf8(compact(&text)).unwrap(), exact);
        let lossy = encode(&text, CompactFormatter, Replacement::InvalidBytes);
        assert_eq!(String::from_utf8(lossy).unwrap(), exact.replace('\u{fffd}', "\\ufffd"));
    }
}
