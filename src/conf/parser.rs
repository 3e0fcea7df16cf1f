//! From tokens to values (Go: conf/parse.go): nesting, variables, includes, numbers.

use super::cursor::is_digit;
use super::digest::days;
use super::error::ConfError;
use super::lexer::{Lexer, Token, TokenKind};
use super::path;
use super::value::{Key, Map, Pos, Value, ValueKind};
use crate::base::Env;
use std::io;
use std::num::IntErrorKind;
use std::path::Path;
use std::sync::Arc;

/// Levels of maps and arrays, variables' contents included: what walks a value may recurse.
pub(super) const MAX_DEPTH: usize = 256;
/// Levels of included files and of environment variables that refer to others.
pub(super) const MAX_NESTED_SOURCES: usize = 64;
/// Values that variables may copy in all.
const MAX_COPIED: usize = 4 * 1024 * 1024;
/// Bytes of a string that weigh as much as a value when copied.
const COPIED_BYTES_PER_VALUE: usize = 128;

/// Parses a text; files it includes are relative to the working directory.
pub fn parse_str(env: &Env, text: &str) -> Result<Map, ConfError> {
    parse_bytes(env, text.as_bytes())
}

/// As [`parse_str`], of bytes that need not be UTF-8.
pub fn parse_bytes(env: &Env, input: &[u8]) -> Result<Map, ConfError> {
    Parser::new(&mut Shared::new(env), "", 0).parse(input)
}

/// Parses a file; files it includes are relative to it. All of them count towards positions by the
/// names they are opened with.
pub fn parse_file(env: &Env, path: &Path) -> Result<Map, ConfError> {
    let path = path.to_string_lossy();
    let input = read(env, &path)?;
    Parser::new(&mut Shared::new(env), &path, 0).parse(&input)
}

/// What the parsers of a text, of the files it includes and of its environment variables share.
struct Shared<'e> {
    env: &'e Env,
    /// Environment variables being parsed, outermost first.
    resolving: Vec<String>,
    /// Included files and environment variables under way.
    nested_sources: usize,
    /// What is left of [`MAX_COPIED`].
    copies_left: usize,
}

impl<'e> Shared<'e> {
    fn new(env: &'e Env) -> Self {
        Self { env, resolving: Vec::new(), nested_sources: 0, copies_left: MAX_COPIED }
    }
}

/// A map or an array whose end has not come yet.
enum Open {
    Map(Map),
    Array(Vec<Value>),
}

struct Parser<'s, 'e> {
    shared: &'s mut Shared<'e>,
    file: Arc<str>,
    /// Levels around this source's outermost map.
    depth: usize,
    /// What is being filled, outermost first.
    open: Vec<Open>,
    /// Keys whose values have not come yet. A key that never gets one stays, and the next value at
    /// hand takes it (`a { b }` is `b {}`): upstream's files may depend on it.
    keys: Vec<Key>,
}

impl<'s, 'e> Parser<'s, 'e> {
    fn new(shared: &'s mut Shared<'e>, file: &str, depth: usize) -> Self {
        let open = vec![Open::Map(Map::default())];
        Self { shared, file: file.into(), depth, open, keys: Vec::new() }
    }

    fn parse(mut self, input: &[u8]) -> Result<Map, ConfError> {
        let mut lexer = Lexer::new(input);
        let mut after_key = false;
        loop {
            let token = lexer.next_token();
            if token.kind == TokenKind::End {
                if after_key {
                    return Err(ConfError::Incomplete(self.pos_of(&token)));
                }
                break;
            }
            // The `}` of braces around the whole file may come out as a key.
            after_key = token.kind == TokenKind::Key && *token.text != *b"}";
            self.take(&token)?;
        }
        // Whatever is still open was cut off by the end; upstream lets it go.
        match self.open.into_iter().next() {
            Some(Open::Map(root)) => Ok(root),
            Some(Open::Array(_)) | None => Ok(Map::default()),
        }
    }

    fn take(&mut self, token: &Token<'_>) -> Result<(), ConfError> {
        let kind = match token.kind {
            TokenKind::Error => {
                return Err(ConfError::Syntax { line: token.line, reason: token.to_text() });
            }
            TokenKind::End | TokenKind::Comment | TokenKind::CommentStart => return Ok(()),
            TokenKind::Key => {
                let pos = self.pos_of(token);
                self.keys.push(Key { name: token.to_text(), pos });
                return Ok(());
            }
            TokenKind::MapStart => return self.begin(Open::Map(Map::default()), token),
            TokenKind::ArrayStart => return self.begin(Open::Array(Vec::new()), token),
            TokenKind::MapEnd | TokenKind::ArrayEnd => match self.open.pop() {
                Some(Open::Map(map)) => ValueKind::Map(map),
                Some(Open::Array(items)) => ValueKind::Array(items),
                None => return Err(misplaced(token)),
            },
            TokenKind::String => ValueKind::String(token.to_text()),
            TokenKind::Integer => match integer(&token.to_text())? {
                Some(n) => ValueKind::Integer(n),
                // No such suffix (`1kbb`): there is no value, and its key waits for the next.
                None => return Ok(()),
            },
            TokenKind::Float => ValueKind::Float(float(&token.to_text())?),
            TokenKind::Bool => ValueKind::Bool(
                [&b"true"[..], b"yes", b"on"].iter().any(|b| token.text.eq_ignore_ascii_case(b)),
            ),
            TokenKind::DateTime => ValueKind::DateTime(date_time(&token.to_text())?),
            TokenKind::Variable => {
                let value = self.variable(token)?;
                return self.put(value, token);
            }
            TokenKind::Include => return self.include(token),
        };
        self.put(Value::new(kind, self.pos_of(token)), token)
    }

    fn pos_of(&self, token: &Token<'_>) -> Pos {
        let col = u32::try_from(token.col.max(0)).unwrap_or(u32::MAX);
        Pos { file: self.file.clone(), line: token.line, col }
    }

    fn begin(&mut self, open: Open, token: &Token<'_>) -> Result<(), ConfError> {
        self.check_depth(1, token)?;
        self.open.push(open);
        Ok(())
    }

    /// Whether `levels` more fit below what is open.
    fn check_depth(&self, levels: usize, token: &Token<'_>) -> Result<(), ConfError> {
        if self.depth + self.open.len() + levels <= MAX_DEPTH {
            return Ok(());
        }
        Err(ConfError::TooDeep { what: "values", limit: MAX_DEPTH, line: token.line })
    }

    /// Puts a value where it belongs. In a map it is known by its key's place from then on.
    fn put(&mut self, mut value: Value, token: &Token<'_>) -> Result<(), ConfError> {
        match self.open.last_mut() {
            Some(Open::Array(items)) => items.push(value),
            Some(Open::Map(map)) => {
                let key = self.keys.pop().ok_or_else(|| misplaced(token))?;
                value.pos.line = key.pos.line;
                value.pos.col = key.pos.col;
                map.insert(key, value);
            }
            None => return Err(misplaced(token)),
        }
        Ok(())
    }

    fn variable(&mut self, token: &Token<'_>) -> Result<Value, ConfError> {
        let pos = self.pos_of(token);
        let name = token.to_text();
        // A bcrypt hash needs no quotes.
        if name.starts_with("2a$") {
            return Ok(Value::new(ValueKind::String(format!("${name}")), pos));
        }
        let found = match self.in_scope(&name) {
            Some(value) => {
                value.used_as_variable = true;
                Some(value.clone())
            }
            None => self.environment_value(&name, &pos, token).map_err(|source| {
                let name = name.clone();
                ConfError::Variable { name, line: token.line, source: Box::new(source) }
            })?,
        };
        let Some(value) = found else {
            return Err(ConfError::VariableNotFound { name, line: token.line });
        };
        let (copies, levels) = extent(&value);
        self.charge(copies, token)?;
        self.check_depth(levels, token)?;
        Ok(Value { from_variable: true, used_as_variable: false, pos, ..value })
    }

    /// The value of `name` in the innermost open map that has it.
    fn in_scope(&mut self, name: &str) -> Option<&mut Value> {
        self.open.iter_mut().rev().find_map(|open| match open {
            Open::Map(map) => map.get_mut(name),
            Open::Array(_) => None,
        })
    }

    fn charge(&mut self, copies: usize, token: &Token<'_>) -> Result<(), ConfError> {
        match self.shared.copies_left.checked_sub(copies) {
            Some(left) => {
                self.shared.copies_left = left;
                Ok(())
            }
            None => Err(ConfError::TooLarge { limit: MAX_COPIED, line: token.line }),
        }
    }

    /// The content of an environment variable, parsed as the value it would be in a file.
    fn environment_value(
        &mut self,
        name: &str,
        pos: &Pos,
        token: &Token<'_>,
    ) -> Result<Option<Value>, ConfError> {
        const KEY: &str = "pk";
        if self.shared.resolving.iter().any(|n| n == name) {
            return Err(ConfError::VariableCycle(name.to_owned()));
        }
        let Some(content) = self.shared.env.var(name) else { return Ok(None) };
        self.shared.resolving.push(name.to_owned());
        let parsed = self.nested("", format!("{KEY}={content}").as_bytes(), token);
        self.shared.resolving.pop();
        let mut value = parsed?.get(KEY).cloned();
        if let Some(value) = &mut value {
            // Only the reference has a place in a file.
            set_pos(value, pos);
        }
        Ok(value)
    }

    fn include(&mut self, token: &Token<'_>) -> Result<(), ConfError> {
        let name = token.to_text();
        let path = path::join(&path::dir(&self.file), &name);
        let included = read(self.shared.env, &path)
            .and_then(|input| self.nested(&path, &input, token))
            .map_err(|source| ConfError::Include { name, source: Box::new(source) })?;
        for (key, value) in included {
            match self.open.last_mut() {
                Some(Open::Map(map)) => map.insert(key, value),
                _ => return Err(misplaced(token)),
            }
        }
        Ok(())
    }

    /// Parses what stands in for `token`, whose outermost map is at the level that is open here.
    fn nested(&mut self, file: &str, input: &[u8], token: &Token<'_>) -> Result<Map, ConfError> {
        if self.shared.nested_sources == MAX_NESTED_SOURCES {
            let what = if file.is_empty() { "environment variables" } else { "included files" };
            return Err(ConfError::TooDeep { what, limit: MAX_NESTED_SOURCES, line: token.line });
        }
        self.shared.nested_sources += 1;
        let depth = self.depth + self.open.len() - 1;
        let parsed = Parser::new(self.shared, file, depth).parse(input);
        self.shared.nested_sources -= 1;
        parsed
    }
}

/// What the lexer's order of tokens rules out, as an error rather than a panic.
fn misplaced(token: &Token<'_>) -> ConfError {
    ConfError::Syntax { line: token.line, reason: "Misplaced value.".to_owned() }
}

fn read(env: &Env, path: &str) -> Result<Vec<u8>, ConfError> {
    env.fs().read(Path::new(path)).map_err(|e| ConfError::File {
        operation: if e.kind() == io::ErrorKind::IsADirectory { "read" } else { "open" },
        path: path.to_owned(),
        reason: path::reason(&e),
    })
}

/// How much a copy of a value takes (see [`MAX_COPIED`]), and its levels.
fn extent(value: &Value) -> (usize, usize) {
    fn sum<'v>(values: impl Iterator<Item = &'v Value>) -> (usize, usize) {
        values.map(extent).fold((1, 1), |(size, levels), (s, l)| (size + s, levels.max(l + 1)))
    }
    match &value.kind {
        ValueKind::Map(map) => sum(map.iter().map(|(_, v)| v)),
        ValueKind::Array(items) => sum(items.iter()),
        ValueKind::String(s) => (1 + s.len() / COPIED_BYTES_PER_VALUE, 0),
        _ => (1, 0),
    }
}

fn set_pos(value: &mut Value, pos: &Pos) {
    value.pos = pos.clone();
    match &mut value.kind {
        ValueKind::Array(items) => items.iter_mut().for_each(|v| set_pos(v, pos)),
        ValueKind::Map(map) => map.values_mut().for_each(|v| set_pos(v, pos)),
        _ => {}
    }
}

/// A whole number and its suffix; `None` for a suffix that is none. Products wrap around.
fn integer(text: &str) -> Result<Option<i64>, ConfError> {
    let end = text.find(|c| !is_digit(c) && c != '-').unwrap_or(text.len());
    let (digits, suffix) = text.split_at(end);
    let magnitude =
        digits.strip_prefix('-').unwrap_or(digits).parse::<u64>().map_err(|e| match e.kind() {
            IntErrorKind::PosOverflow => ConfError::IntegerRange(text.to_owned()),
            _ => ConfError::Integer(text.to_owned()),
        })?;
    let number = match text.starts_with('-') {
        true => 0_i64.checked_sub_unsigned(magnitude),
        false => i64::try_from(magnitude).ok(),
    };
    let number = number.ok_or_else(|| ConfError::IntegerRange(text.to_owned()))?;
    let suffix = suffix.to_ascii_lowercase();
    let Some(unit) = suffix.chars().next() else { return Ok(Some(number)) };
    let base: i64 = match &suffix[1..] {
        "" => 1000,
        "b" | "i" | "ib" => 1024,
        _ => return Ok(None),
    };
    let power = match unit {
        'k' => 1,
        'm' => 2,
        'g' => 3,
        't' => 4,
        'p' => 5,
        _ => 6,
    };
    Ok(Some(number.wrapping_mul(base.pow(power))))
}

fn float(text: &str) -> Result<f64, ConfError> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() => Ok(x),
        Ok(_) => Err(ConfError::FloatRange(text.to_owned())),
        Err(_) => Err(ConfError::Float(text.to_owned())),
    }
}

/// Seconds since the Unix epoch of `YYYY-MM-DDThh:mm:ssZ`, which the lexer has checked for form.
fn date_time(text: &str) -> Result<i64, ConfError> {
    let field = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let parse = || {
        let (year, month, day) = (field(0, 4)?, field(5, 7)?, field(8, 10)?);
        let (hour, minute, second) = (field(11, 13)?, field(14, 16)?, field(17, 19)?);
        let next_month = if month == 12 { days(year + 1, 1, 1) } else { days(year, month + 1, 1) };
        let valid = (1..=12).contains(&month)
            && (1..=next_month - days(year, month, 1)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        valid.then(|| days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
    };
    parse().ok_or_else(|| ConfError::DateTime(text.to_owned()))
}
