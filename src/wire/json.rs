//! Whether bytes are JSON, told in the words of Go's decoder: operators know them from the log.

/// Nesting beyond which a document is refused.
const DEPTH_MAX: usize = 10_000;

/// Why bytes are not one JSON document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// A character that may not stand where it stands.
    #[error("invalid character {} {context}", quoted(*.character))]
    Character {
        /// The byte.
        character: u8,
        /// Where it stands.
        context: String,
    },
    /// An escape that there is not.
    #[error("invalid escape sequence `{}` in string", String::from_utf8_lossy(.0))]
    Escape(Vec<u8>),
    /// The document ends too early.
    #[error("unexpected end of JSON input")]
    End,
    /// Nested deeper than allowed.
    #[error("exceeded max depth")]
    Depth,
}

/// A byte in single quotes, escaped where it must be.
fn quoted(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        _ => {
            let text = super::parser::quote(&[byte]);
            format!("'{}'", &text[1..text.len() - 1])
        }
    }
}

/// Checks the syntax of a whole document.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(bytes: &[u8]) -> Result<(), SyntaxError> {
    let mut scanner = Scanner { bytes, at: 0, open: Vec::new() };
    scanner.value()?;
    while !scanner.open.is_empty() {
        scanner.after_value()?;
    }
    match scanner.peek() {
        None => Ok(()),
        Some(_) => scanner.wrong("after top-level value"),
    }
}

/// What a value stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Array,
    Object,
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    open: Vec<Open>,
}

impl Scanner<'_> {
    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.bytes.get(self.at) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    /// The byte at hand is not what may stand here.
    fn wrong<T>(&self, context: impl Into<String>) -> Result<T, SyntaxError> {
        match self.bytes.get(self.at) {
            Some(&character) => Err(SyntaxError::Character { character, context: context.into() }),
            None => Err(SyntaxError::End),
        }
    }

    /// A value, or the start of one that contains others.
    fn value(&mut self) -> Result<(), SyntaxError> {
        loop {
            match self.peek() {
                Some(b'{') => {
                    self.enter(Open::Object)?;
                    if self.peek() == Some(b'}') {
                        return self.leave();
                    }
                    self.key()?;
                }
                Some(b'[') => {
                    self.enter(Open::Array)?;
                    if self.peek() == Some(b']') {
                        return self.leave();
                    }
                }
                Some(b'"') => return self.string(),
                Some(b't') => return self.literal("true"),
                Some(b'f') => return self.literal("false"),
                Some(b'n') => return self.literal("null"),
                Some(b'-' | b'0'..=b'9') => return self.number(),
                _ => return self.wrong("looking for beginning of value"),
            }
        }
    }

    fn enter(&mut self, open: Open) -> Result<(), SyntaxError> {
        self.at += 1;
        self.open.push(open);
        if self.open.len() > DEPTH_MAX { Err(SyntaxError::Depth) } else { Ok(()) }
    }

    fn leave(&mut self) -> Result<(), SyntaxError> {
        self.at += 1;
        self.open.pop();
        Ok(())
    }

    /// What follows a value inside of an array or an object.
    fn after_value(&mut self) -> Result<(), SyntaxError> {
        match (self.open.last().copied(), self.peek()) {
            (Some(Open::Object), Some(b',')) => {
                self.at += 1;
                self.key()?;
                self.value()
            }
            (Some(Open::Array), Some(b',')) => {
                self.at += 1;
                self.value()
            }
            (Some(Open::Object), Some(b'}')) | (Some(Open::Array), Some(b']')) => self.leave(),
            (Some(Open::Object), _) => self.wrong("after object key:value pair"),
            _ => self.wrong("after array element"),
        }
    }

    fn key(&mut self) -> Result<(), SyntaxError> {
        if self.peek() != Some(b'"') {
            return self.wrong("looking for beginning of object key string");
        }
        self.string()?;
        if self.peek() != Some(b':') {
            return self.wrong("after object key");
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), SyntaxError> {
        self.at += 1;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(0x20..) => {}
                _ => return self.wrong("in string"),
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(())
    }

    /// From the backslash to the last byte of the escape.
    fn escape(&mut self) -> Result<(), SyntaxError> {
        let escape = &self.bytes[self.at..];
        let len = match escape.get(1) {
            Some(b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"') => 2,
            Some(b'u') => match escape.get(2..6) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => 6,
                Some(_) => return Err(SyntaxError::Escape(escape[..6].to_vec())),
                None => return Err(SyntaxError::End),
            },
            Some(_) => return Err(SyntaxError::Escape(escape[..2].to_vec())),
            None => return Err(SyntaxError::End),
        };
        self.at += len - 1;
        Ok(())
    }

    fn literal(&mut self, word: &str) -> Result<(), SyntaxError> {
        for expected in word.bytes() {
            if self.bytes.get(self.at) != Some(&expected) {
                let expected = char::from(expected);
                return self.wrong(format!("in literal {word} (expecting '{expected}')"));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        match self.bytes.get(self.at) {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        if !self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            return self.wrong("in numeric literal");
        }
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn errors_are_in_gos_words() {
        for (text, error) in [
            ("", "unexpected end of JSON input"),
            ("{\"a\":", "unexpected end of JSON input"),
            ("hello", "invalid character 'h' looking for beginning of value"),
            ("{} x", "invalid character 'x' after top-level value"),
            ("{x", "invalid character 'x' looking for beginning of object key string"),
            ("{\"a\":tr}", "invalid character '}' in literal true (expecting 'u')"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 \"b\"}", "invalid character '\"' after object key:value pair"),
            ("[1 2]", "invalid character '2' after array element"),
            ("\"a\tb\"", "invalid character '\\t' in string"),
            ("\"\\x\"", "invalid escape sequence `\\x` in string"),
            ("\"\\u12x\"}", "invalid escape sequence `\\u12x\"` in string"),
            ("\"\\u12", "unexpected end of JSON input"),
            ("-a", "invalid character 'a' in numeric literal"),
            ("1.a", "invalid character 'a' in numeric literal"),
            ("1ea", "invalid character 'a' in numeric literal"),
            ("01", "invalid character '1' after top-level value"),
            ("'", "invalid character '\\'' looking for beginning of value"),
        ] {
            assert_eq!(check(text.as_bytes()).unwrap_err().to_string(), error, "{text}");
        }
        let deep = "[".repeat(10_001);
        assert_eq!(check(deep.as_bytes()).unwrap_err().to_string(), "exceeded max depth");
    }

    #[test]
    fn accepts_what_is_json() {
        for text in ["{}", " [ ] ", "null", "-0.5e+3", r#"{"a":[1,{"b":"\ud800\n"}],"c":true}"#] {
            assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
        }
    }
}
