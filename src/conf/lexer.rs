//! Tokens of the configuration language (Go: conf/lex.go).
//!
//! The lexer never recurses: what comes after a nested value is kept on a stack of [`State`]s. It
//! reads every byte a bounded number of times and gives an [`TokenKind::Error`] or
//! [`TokenKind::End`] as its last token, whatever the bytes.

mod values;

use super::cursor::{Cursor, END, is_digit, text};
use std::borrow::Cow;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// The text is no configuration; the token's text says why. Nothing follows.
    Error,
    /// The text is over. Nothing follows.
    End,
    /// A key, without quotes.
    Key,
    /// What a comment says.
    Comment,
    /// A comment begins.
    CommentStart,
    /// A string, its escapes resolved.
    String,
    /// One of `true yes on false no off`, in any case.
    Bool,
    /// A whole number with its suffix.
    Integer,
    /// A number with a fraction.
    Float,
    /// A date and time in Zulu form.
    DateTime,
    /// `[`
    ArrayStart,
    /// `]`
    ArrayEnd,
    /// `{` of a map.
    MapStart,
    /// `}` of a map.
    MapEnd,
    /// The name after a `$`.
    Variable,
    /// The file after `include`.
    Include,
}

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: TokenKind,
    /// Its text; for an error, what is wrong.
    pub text: Cow<'a, [u8]>,
    /// The line it ends on, from 1.
    pub line: u32,
    /// The column it begins at, in bytes: from 0 on the first line, from 1 on others. A token with
    /// escapes or line breaks has the column that its end and its length give.
    pub col: i64,
}

/// What is read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Outside of everything: a key, a `{` around the whole file, or the end.
    Top,
    TopValueEnd,
    /// Inside braces around the whole file.
    Block,
    BlockValueEnd,
    BlockEnd,
    /// The key of an entry outside of maps, and what follows it.
    Key,
    KeyEnd,
    /// The same in a map.
    MapKey,
    MapKeyEnd,
    MapValue,
    MapValueEnd,
    ArrayValue,
    ArrayValueEnd,
    Value,
    Include,
    CommentStart,
    Comment,
    Done,
}

/// Where a key stands: maps have other error texts and go on differently.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    Map,
}

/// Reads tokens one by one.
#[derive(Debug)]
pub struct Lexer<'a> {
    at: Cursor<'a>,
    state: State,
    /// What to read after the value, map, array or comment under way.
    after: Vec<State>,
    /// The string read so far, once it had an escape; else it is a slice of the input.
    unescaped: Option<Vec<u8>>,
}

type Step<'a> = Option<Token<'a>>;

impl<'a> Lexer<'a> {
    /// A lexer at the start of `input`, which may hold any bytes.
    pub fn new(input: &'a [u8]) -> Self {
        Self { at: Cursor::new(input), state: State::Top, after: Vec::new(), unescaped: None }
    }

    /// The next token; after an error or the end, the end again.
    pub fn next_token(&mut self) -> Token<'a> {
        loop {
            if let Some(token) = self.step() {
                return token;
            }
        }
    }

    fn step(&mut self) -> Step<'a> {
        match self.state {
            State::Top => self.top(),
            State::TopValueEnd => self.top_value_end(),
            State::Block => self.block(),
            State::BlockValueEnd => self.block_value_end(),
            State::BlockEnd => self.block_end(),
            State::Key => self.key(),
            State::KeyEnd => self.key_end(),
            State::MapKey => self.map_key(),
            State::MapKeyEnd => self.map_key_end(),
            State::MapValue => self.map_value(),
            State::MapValueEnd => self.map_value_end(),
            State::ArrayValue => self.array_value(),
            State::ArrayValueEnd => self.array_value_end(),
            State::Value => self.value(),
            State::Include => self.include(),
            State::CommentStart => {
                self.at.skip();
                self.state = State::Comment;
                Some(self.emit(TokenKind::CommentStart))
            }
            State::Comment => self.comment(),
            State::Done => Some(self.emit(TokenKind::End)),
        }
    }

    // What all states are made of.

    fn go(&mut self, state: State) -> Step<'a> {
        self.state = state;
        None
    }

    /// Drops what was read and goes on.
    fn skip_to(&mut self, state: State) -> Step<'a> {
        self.at.skip();
        self.go(state)
    }

    /// Goes to `state`, then on to `after`.
    fn call(&mut self, state: State, after: State) -> Step<'a> {
        self.after.push(after);
        self.go(state)
    }

    fn emit(&mut self, kind: TokenKind) -> Token<'a> {
        let read = self.at.token();
        let text = match self.unescaped.take() {
            Some(mut text) => {
                text.extend_from_slice(read);
                Cow::Owned(text)
            }
            None => Cow::Borrowed(read),
        };
        let col = self.at.column_of(&text);
        self.at.skip();
        Token { kind, text, line: self.at.line(), col }
    }

    /// A token after which whatever waits on the stack is read.
    fn emit_and_return(&mut self, kind: TokenKind) -> Step<'a> {
        let token = self.emit(kind);
        self.resume();
        Some(token)
    }

    /// As [`Lexer::emit_and_return`], for a token that a quote ended.
    fn emit_quoted(&mut self, kind: TokenKind) -> Step<'a> {
        self.at.back();
        let token = self.emit(kind);
        self.at.next();
        self.at.skip();
        self.resume();
        Some(token)
    }

    fn resume(&mut self) {
        // A file that closes more than it opened cannot be: `}` at the top is a key.
        self.state = self.after.pop().unwrap_or(State::Done);
    }

    fn end(&mut self) -> Step<'a> {
        self.state = State::Done;
        Some(self.emit(TokenKind::End))
    }

    fn error(&mut self, message: impl Into<Vec<u8>>) -> Step<'a> {
        self.state = State::Done;
        let col = self.at.column();
        Some(Token {
            kind: TokenKind::Error,
            text: Cow::Owned(message.into()),
            line: self.at.line(),
            col,
        })
    }

    /// The text ended where it must not, unless nothing was begun.
    fn unexpected_end(&mut self) -> Step<'a> {
        if self.at.has_token() { self.error("Unexpected EOF.") } else { self.end() }
    }

    /// After a `/`: whether another one makes it a comment. If not, the cursor is behind the first.
    fn second_slash(&mut self) -> bool {
        if self.at.next() == '/' {
            return true;
        }
        self.at.back();
        false
    }

    // Outside of maps.

    fn top(&mut self) -> Step<'a> {
        match self.at.next() {
            c if c.is_whitespace() => self.skip_to(State::Top),
            '{' => {
                self.after.push(State::Top);
                self.skip_to(State::Block)
            }
            '#' => self.call(State::CommentStart, State::Top),
            '/' if self.second_slash() => self.call(State::CommentStart, State::Top),
            '/' | END => self.unexpected_end(),
            _ => {
                self.at.back();
                self.call(State::Key, State::TopValueEnd)
            }
        }
    }

    fn top_value_end(&mut self) -> Step<'a> {
        match self.at.next() {
            '#' => self.call(State::CommentStart, State::Top),
            '/' if self.second_slash() => self.call(State::CommentStart, State::Top),
            '/' | ' ' | '\t' => None,
            '\n' | '\r' | END | ';' | ',' | '}' => self.skip_to(State::Top),
            c => self.error(format!(
                "Expected a top-level value to end with a new line, comment or EOF, \
                 but got '{}' instead.",
                shown(c)
            )),
        }
    }

    fn block(&mut self) -> Step<'a> {
        match self.at.next() {
            c if c.is_whitespace() => self.skip_to(State::Block),
            '{' => {
                self.after.push(State::BlockEnd);
                self.skip_to(State::Block)
            }
            '}' => {
                self.at.skip();
                self.resume();
                None
            }
            '#' => self.call(State::CommentStart, State::Block),
            '/' if self.second_slash() => self.call(State::CommentStart, State::Block),
            '/' | END => self.unexpected_end(),
            _ => {
                self.at.back();
                self.call(State::Key, State::BlockValueEnd)
            }
        }
    }

    fn block_value_end(&mut self) -> Step<'a> {
        match self.at.next() {
            '#' => self.call(State::CommentStart, State::BlockValueEnd),
            '/' if self.second_slash() => self.call(State::CommentStart, State::BlockValueEnd),
            '/' | ' ' | '\t' => None,
            '\n' | '\r' | ';' | ',' => self.skip_to(State::Block),
            '}' => {
                self.at.back();
                self.go(State::BlockEnd)
            }
            c => self.error(format!(
                "Expected a block-level value to end with a new line, comment or EOF, \
                 but got '{}' instead.",
                shown(c)
            )),
        }
    }

    fn block_end(&mut self) -> Step<'a> {
        match self.at.next() {
            '#' => self.call(State::CommentStart, State::Block),
            '/' if self.second_slash() => self.call(State::CommentStart, State::Block),
            '/' | ' ' | '\t' | '\n' | '\r' => None,
            ';' | ',' => self.skip_to(State::Block),
            '}' => {
                self.at.skip();
                self.resume();
                None
            }
            c => self.error(format!(
                "Expected a block-level to end with a '}}', but got '{}' instead.",
                shown(c)
            )),
        }
    }

    fn key(&mut self) -> Step<'a> {
        match self.at.peek() {
            c @ ('=' | ':') => self.error(format!("Unexpected key separator '{c}'")),
            c if c.is_whitespace() => {
                self.at.next();
                self.skip_to(State::Key)
            }
            quote @ ('"' | '\'') => self.quoted_key(quote, Place::Top),
            _ => self.bare_key(Place::Top),
        }
    }

    fn key_end(&mut self) -> Step<'a> {
        match self.at.next() {
            c if c.is_whitespace() => self.skip_to(State::KeyEnd),
            '=' | ':' => self.skip_to(State::Value),
            END => self.end(),
            _ => {
                self.at.back();
                self.go(State::Value)
            }
        }
    }

    // Keys, anywhere.

    fn quoted_key(&mut self, quote: char, place: Place) -> Step<'a> {
        self.at.next();
        self.at.skip();
        loop {
            match self.at.peek() {
                c if c == quote => break,
                END => {
                    return match (place, quote) {
                        (Place::Top, _) => self.unexpected_end(),
                        (Place::Map, '"') => {
                            self.error("Unexpected EOF processing double quoted map key.")
                        }
                        (Place::Map, _) => self.error("Unexpected EOF processing quoted map key."),
                    };
                }
                _ => self.at.next(),
            };
        }
        let token = self.emit(TokenKind::Key);
        self.at.next();
        self.at.skip();
        self.end_key(place);
        Some(token)
    }

    /// A key without quotes, of which the first character may be anything.
    fn bare_key(&mut self, place: Place) -> Step<'a> {
        self.at.skip();
        self.at.next();
        loop {
            match self.at.peek() {
                END if place == Place::Map => {
                    return self.error("Unexpected EOF processing map key.");
                }
                c if c.is_whitespace() => {
                    if self.at.token().eq_ignore_ascii_case(b"include") {
                        self.at.skip();
                        if place == Place::Map {
                            self.after.push(State::MapValueEnd);
                        }
                        return self.go(State::Include);
                    }
                    break;
                }
                '=' | ':' | END => break,
                _ => self.at.next(),
            };
        }
        let token = self.emit(TokenKind::Key);
        self.end_key(place);
        Some(token)
    }

    fn end_key(&mut self, place: Place) {
        self.state = match place {
            Place::Top => State::KeyEnd,
            Place::Map => State::MapKeyEnd,
        };
    }

    // Maps.

    fn map_key(&mut self) -> Step<'a> {
        match self.at.peek() {
            c @ ('=' | ':') => self.error(format!("Unexpected key separator '{c}'.")),
            ']' => self.error("Unexpected array end ']' processing map."),
            c if c.is_whitespace() => {
                self.at.next();
                self.skip_to(State::MapKey)
            }
            '}' => {
                self.at.next();
                self.close(TokenKind::MapEnd)
            }
            '#' => {
                self.at.next();
                self.call(State::CommentStart, State::MapKey)
            }
            '/' => {
                self.at.next();
                if self.second_slash() {
                    return self.call(State::CommentStart, State::MapKey);
                }
                self.bare_key(Place::Map)
            }
            quote @ ('"' | '\'') => self.quoted_key(quote, Place::Map),
            END => self.error("Unexpected EOF processing map."),
            _ => self.bare_key(Place::Map),
        }
    }

    fn map_key_end(&mut self) -> Step<'a> {
        match self.at.next() {
            c if c.is_whitespace() => self.skip_to(State::MapKeyEnd),
            '=' | ':' => self.skip_to(State::MapValue),
            _ => {
                self.at.back();
                self.go(State::MapValue)
            }
        }
    }

    fn map_value(&mut self) -> Step<'a> {
        match self.at.next() {
            c if c.is_whitespace() => self.skip_to(State::MapValue),
            ',' => self.error("Unexpected map value terminator \",\"."),
            // A key without a value; the parser gives the map to that key instead.
            '}' => self.close(TokenKind::MapEnd),
            _ => {
                self.at.back();
                self.call(State::Value, State::MapValueEnd)
            }
        }
    }

    fn map_value_end(&mut self) -> Step<'a> {
        match self.at.next() {
            ' ' | '\t' => self.skip_to(State::MapValueEnd),
            '#' => self.call(State::CommentStart, State::MapValueEnd),
            '/' if self.second_slash() => self.call(State::CommentStart, State::MapValueEnd),
            '/' | ';' | ',' | '\n' | '\r' => self.skip_to(State::MapKey),
            '}' => self.close(TokenKind::MapEnd),
            c => self.error(format!(
                "Expected a map value terminator \",\" or a map terminator \"}}\", \
                 but got '{}' instead.",
                shown(c)
            )),
        }
    }

    /// The bracket just read closes a map or an array.
    fn close(&mut self, kind: TokenKind) -> Step<'a> {
        self.at.skip();
        self.emit_and_return(kind)
    }

    // Arrays.

    fn array_value(&mut self) -> Step<'a> {
        match self.at.next() {
            c if c.is_whitespace() => self.skip_to(State::ArrayValue),
            '#' => self.call(State::CommentStart, State::ArrayValue),
            '/' if self.second_slash() => self.call(State::CommentStart, State::ArrayValue),
            '/' | ',' => self.error("Unexpected array value terminator ','."),
            ']' => self.close(TokenKind::ArrayEnd),
            _ => {
                self.at.back();
                self.call(State::Value, State::ArrayValueEnd)
            }
        }
    }

    fn array_value_end(&mut self) -> Step<'a> {
        match self.at.next() {
            ' ' | '\t' => self.skip_to(State::ArrayValueEnd),
            '#' => self.call(State::CommentStart, State::ArrayValueEnd),
            '/' if self.second_slash() => self.call(State::CommentStart, State::ArrayValueEnd),
            '/' | ',' | '\n' | '\r' => self.skip_to(State::ArrayValue),
            ']' => self.close(TokenKind::ArrayEnd),
            c => self.error(format!(
                "Expected an array value terminator \",\" or an array terminator \"]\", \
                 but got '{}' instead.",
                shown(c)
            )),
        }
    }

    // Comments and includes.

    fn comment(&mut self) -> Step<'a> {
        while !matches!(self.at.peek(), '\n' | '\r' | END) {
            self.at.next();
        }
        self.emit_and_return(TokenKind::Comment)
    }

    fn include(&mut self) -> Step<'a> {
        let what = match self.at.next() {
            ' ' | '\t' => return self.skip_to(State::Include),
            quote @ ('"' | '\'') => {
                self.at.skip();
                return self.quoted_include(quote);
            }
            '[' => "start of an array",
            '{' => "start of a map",
            '(' => "start of a block",
            '-' => "start of a number",
            '\\' => "escape sequence",
            '\n' | '\r' => "new line",
            c if is_digit(c) => "start of a number",
            _ => {
                self.at.back();
                return self.bare_include();
            }
        };
        self.error(format!("Expected include value but found {what}"))
    }

    fn quoted_include(&mut self, quote: char) -> Step<'a> {
        loop {
            match self.at.next() {
                c if c == quote => return self.emit_quoted(TokenKind::Include),
                END if quote == '"' => {
                    return self.error("Unexpected EOF in double quoted include");
                }
                END => return self.error("Unexpected EOF in quoted include"),
                _ => {}
            }
        }
    }

    fn bare_include(&mut self) -> Step<'a> {
        loop {
            match self.at.next() {
                '\n' | '\r' | END | ';' | '}' | ' ' | '\t' => break,
                '\'' => return self.emit_quoted(TokenKind::Include),
                _ => {}
            }
        }
        self.at.back();
        self.emit_and_return(TokenKind::Include)
    }
}

impl Token<'_> {
    /// The token's text, each byte that is not UTF-8 replaced by U+FFFD.
    pub fn to_text(&self) -> String {
        text(&self.text)
    }
}

/// A character as error texts show it.
fn shown(c: char) -> String {
    if c == '\n' { "\\n".to_owned() } else { c.to_string() }
}
