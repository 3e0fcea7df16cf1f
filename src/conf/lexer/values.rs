//! Values: what their first characters make of them. Each ends with what waits on the stack.

use super::{END, Lexer, State, Step, TokenKind, is_digit, shown};

impl<'a> Lexer<'a> {
    pub(super) fn value(&mut self) -> Step<'a> {
        let c = self.at.next();
        match c {
            ' ' | '\t' => self.skip_to(State::Value),
            '[' => {
                self.at.skip();
                self.state = State::ArrayValue;
                Some(self.emit(TokenKind::ArrayStart))
            }
            '{' => {
                self.at.skip();
                self.state = State::MapKey;
                Some(self.emit(TokenKind::MapStart))
            }
            '\'' => {
                self.at.skip();
                self.single_quoted()
            }
            '"' => {
                self.at.skip();
                self.double_quoted()
            }
            '(' => {
                self.at.skip();
                self.raw_block()
            }
            '-' => self.negative_number(),
            '.' => self.error("Floats must start with a digit"),
            '\n' | '\r' => self.error("Expected value but found new line"),
            c if is_digit(c) => self.number_or_string(),
            _ => {
                self.at.back();
                self.bare_string()
            }
        }
    }

    fn single_quoted(&mut self) -> Step<'a> {
        loop {
            match self.at.next() {
                '\'' => return self.emit_quoted(TokenKind::String),
                END => return self.unexpected_end(),
                _ => {}
            }
        }
    }

    fn double_quoted(&mut self) -> Step<'a> {
        loop {
            match self.at.next() {
                '\\' => {
                    if let Err(message) = self.escape() {
                        return self.error(message);
                    }
                }
                '"' => return self.emit_quoted(TokenKind::String),
                END => return self.unexpected_end(),
                _ => {}
            }
        }
    }

    /// A string without quotes; unless an escape or a closing quote says that it is one, it may
    /// also be a boolean or a variable.
    fn bare_string(&mut self) -> Step<'a> {
        loop {
            match self.at.next() {
                '\\' => {
                    if let Err(message) = self.escape() {
                        return self.error(message);
                    }
                }
                '\'' => return self.emit_quoted(TokenKind::String),
                '\n' | '\r' | END | ';' | ',' | ']' | '}' | ' ' | '\t' => break,
                _ => {}
            }
        }
        self.at.back();
        let read = self.at.token();
        if self.unescaped.is_some() {
            self.emit_and_return(TokenKind::String)
        } else if is_bool(read) {
            self.emit_and_return(TokenKind::Bool)
        } else if read.starts_with(b"$") {
            self.at.skip_first_byte();
            self.emit_and_return(TokenKind::Variable)
        } else {
            self.emit_and_return(TokenKind::String)
        }
    }

    /// What follows a backslash, added to the string under way; an error's text if it is none.
    fn escape(&mut self) -> Result<(), Vec<u8>> {
        const HIT_END: &[u8] = b"Expected two hexadecimal digits after '\\x', but hit end of line";
        let before = self.at.cut_token(1);
        self.unescaped.get_or_insert_default().extend_from_slice(before);
        let byte = match self.at.next() {
            't' => b'\t',
            'n' => b'\n',
            'r' => b'\r',
            '"' => b'"',
            '\\' => b'\\',
            'x' => {
                for _ in 0..2 {
                    if matches!(self.at.next(), '\n' | '\r') {
                        return Err(HIT_END.to_vec());
                    }
                }
                let digits = self.at.last_two();
                hex(digits).ok_or_else(|| {
                    let mut message =
                        b"Expected two hexadecimal digits after '\\x', but got '".to_vec();
                    message.extend_from_slice(digits);
                    message.push(b'\'');
                    message
                })?
            }
            c => {
                let allowed = "\\xXX, \\t, \\n, \\r, \\\", \\\\.";
                return Err(format!(
                    "Invalid escape character '{}'. Only the following escape characters are \
                     allowed: {allowed}",
                    shown(c)
                )
                .into_bytes());
            }
        };
        self.at.cut_token(0);
        self.unescaped.get_or_insert_default().push(byte);
        Ok(())
    }

    /// Everything up to a `)` that stands alone on a line.
    fn raw_block(&mut self) -> Step<'a> {
        loop {
            match self.at.next() {
                END => return self.error("Unexpected EOF processing block."),
                ')' => {
                    // Look at the byte before it, and come back.
                    self.at.back();
                    self.at.back();
                    let first_of_line = self.at.next() == '\n';
                    self.at.next();
                    if !first_of_line {
                        continue;
                    }
                    if matches!(self.at.next(), '\n' | END) {
                        // At the very end of the text these go back by nothing, so that the
                        // parenthesis becomes part of the string: upstream's way too.
                        self.at.back();
                        self.at.back();
                        let token = self.emit(TokenKind::String);
                        self.at.next();
                        self.at.skip();
                        self.resume();
                        return Some(token);
                    }
                    self.at.back();
                }
                _ => {}
            }
        }
    }

    /// After a first digit: an integer, a float, a date, an address or a string.
    fn number_or_string(&mut self) -> Step<'a> {
        loop {
            match self.at.next() {
                '-' if self.at.token_len() == 5 => return self.date_after_year(),
                '-' => return self.error("All ISO8601 dates must be in full Zulu form."),
                '.' => return self.fraction(),
                '\n' | '\r' | END | '}' | ';' | ',' | ' ' | '\t' => break,
                c if is_digit(c) => {}
                c if is_size_suffix(c) => return self.size_suffix(),
                _ => return self.bare_string(),
            }
        }
        self.at.back();
        self.emit_and_return(TokenKind::Integer)
    }

    fn negative_number(&mut self) -> Step<'a> {
        match self.at.next() {
            c if is_digit(c) => {}
            '.' => return self.error("Floats must start with a digit, not '.'."),
            c => return self.error(format!("Expected a digit but got '{}'.", shown(c))),
        }
        loop {
            match self.at.next() {
                c if is_digit(c) => {}
                '.' => return self.fraction(),
                c if is_size_suffix(c) => return self.size_suffix(),
                _ => break,
            }
        }
        self.at.back();
        self.emit_and_return(TokenKind::Integer)
    }

    /// After `k`, `m`, ...: the rest of the suffix, unless more text makes it a string.
    fn size_suffix(&mut self) -> Step<'a> {
        let mut c = self.at.next();
        while matches!(c, 'b' | 'B' | 'i' | 'I') {
            c = self.at.next();
        }
        self.at.back();
        match c {
            '\n' | '\r' | END | '}' | ';' | ',' | ' ' | '\t' => {
                self.emit_and_return(TokenKind::Integer)
            }
            _ => self.bare_string(),
        }
    }

    /// After digits and a `.`: a float, or an address when another `.` follows.
    fn fraction(&mut self) -> Step<'a> {
        let mut c = self.at.next();
        if !is_digit(c) {
            return self.error(format!(
                "Floats must have a digit after the '.', but got '{}' instead.",
                shown(c)
            ));
        }
        while is_digit(c) {
            c = self.at.next();
        }
        if c != '.' {
            self.at.back();
            return self.emit_and_return(TokenKind::Float);
        }
        loop {
            match self.at.next() {
                '.' | ':' | '-' => {}
                c if is_digit(c) => {}
                _ => break,
            }
        }
        self.at.back();
        self.emit_and_return(TokenKind::String)
    }

    fn date_after_year(&mut self) -> Step<'a> {
        for want in "00-00T00:00:00Z".chars() {
            let c = self.at.next();
            if want == '0' && !is_digit(c) {
                return self.error(format!(
                    "Expected digit in ISO8601 datetime, but found '{}' instead.",
                    shown(c)
                ));
            }
            if want != '0' && want != c {
                return self.error(format!(
                    "Expected '{want}' in ISO8601 datetime, but found '{}' instead.",
                    shown(c)
                ));
            }
        }
        self.emit_and_return(TokenKind::DateTime)
    }
}

fn is_bool(word: &[u8]) -> bool {
    ["true", "false", "on", "off", "yes", "no"]
        .iter()
        .any(|b| word.eq_ignore_ascii_case(b.as_bytes()))
}

fn is_size_suffix(c: char) -> bool {
    matches!(c.to_ascii_lowercase(), 'k' | 'm' | 'g' | 't' | 'p' | 'e')
}

fn hex(digits: &[u8]) -> Option<u8> {
    let &[high, low] = digits else { return None };
    let digit = |b: u8| (b as char).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}
