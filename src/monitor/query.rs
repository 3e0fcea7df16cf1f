//! The parameters of a request, with upstream's words for what is wrong with them.

use super::reply::Refusal;
use crate::wire::parser::quote;

/// The parameters behind the `?` of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Takes `a=1&b=2` apart. What is not encoded properly, or has a semicolon, is left out.
    pub fn parse(text: &str) -> Self {
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Some((unescape(name, true)?, unescape(value, true)?))
        };
        let parts = text.split('&').filter(|part| !part.is_empty() && !part.contains(';'));
        Self(parts.filter_map(pair).collect())
    }

    /// The first value of that name; empty if there is none.
    pub fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// A switch; off if it is not given.
    pub fn bool(&self, name: &str) -> Result<bool, Refusal> {
        match self.text(name) {
            "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
            other => Err(refusal("boolean", name, "ParseBool", other, "invalid syntax")),
        }
    }

    /// A whole number; 0 if it is not given.
    pub fn int(&self, name: &str) -> Result<i64, Refusal> {
        let text = self.text(name);
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        match text.parse() {
            Ok(n) => Ok(n),
            Err(_) if text.is_empty() => Ok(0),
            Err(_) => Err(refusal("int", name, "Atoi", text, number_problem(digits))),
        }
    }

    /// A whole number that is not negative; 0 if it is not given.
    pub fn uint(&self, name: &str) -> Result<u64, Refusal> {
        let text = self.text(name);
        match text.parse() {
            Ok(n) if !text.starts_with('+') => Ok(n),
            _ if text.is_empty() => Ok(0),
            _ => Err(refusal("uint64", name, "ParseUint", text, number_problem(text))),
        }
    }

    /// `subs`: a switch, or `detail`. Gives both.
    pub fn subs(&self) -> Result<(bool, bool), Refusal> {
        if self.text("subs").eq_ignore_ascii_case("detail") {
            return Ok((false, true));
        }
        Ok((self.bool("subs")?, false))
    }
}

fn number_problem(digits: &str) -> &'static str {
    let numeric = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if numeric { "value out of range" } else { "invalid syntax" }
}

fn refusal(kind: &str, name: &str, function: &str, text: &str, problem: &str) -> Refusal {
    Refusal(format!(
        "Error decoding {kind} for '{name}': strconv.{function}: parsing {}: {problem}",
        quote(text.as_bytes())
    ))
}

/// Decodes `%xx`, and `+` as a space where `plus` says so; `None` if it is not encoded properly.
pub fn unescape(text: &str, plus: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                out.push((high * 16 + low) as u8);
            }
            b'+' if plus => out.push(b' '),
            byte => out.push(byte),
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters() {
        let query =
            Query::parse("a=1&a=2&b=x+y%20z&bad=%zz&semi;colon=1&flag&c=%C3%A9&&subs=DeTail");
        assert_eq!(query.text("a"), "1");
        assert_eq!(query.text("b"), "x y z");
        assert_eq!(query.text("c"), "é");
        assert_eq!((query.text("bad"), query.text("semi"), query.text("flag")), ("", "", ""));
        assert_eq!(query.subs(), Ok((false, true)));
        assert_eq!(query.int("none"), Ok(0));
    }

    #[test]
    fn what_is_wrong_with_them() {
        let query =
            Query::parse("b=yes&i=1x&o=99999999999999999999&n=-1&p=%2B7&u=18446744073709551615");
        let problem = |refusal: Refusal| refusal.0;
        assert_eq!(
            problem(query.bool("b").unwrap_err()),
            "Error decoding boolean for 'b': strconv.ParseBool: parsing \"yes\": invalid syntax"
        );
        assert_eq!(
            problem(query.int("i").unwrap_err()),
            "Error decoding int for 'i': strconv.Atoi: parsing \"1x\": invalid syntax"
        );
        assert!(problem(query.int("o").unwrap_err()).ends_with("value out of range"));
        assert_eq!(
            problem(query.uint("n").unwrap_err()),
            "Error decoding uint64 for 'n': strconv.ParseUint: parsing \"-1\": invalid syntax"
        );
        assert_eq!((query.int("p"), query.int("n")), (Ok(7), Ok(-1)));
        assert!(query.uint("p").is_err());
        assert_eq!(query.uint("u"), Ok(u64::MAX));
    }

    proptest! {
        #[test]
        fn any_query_is_fine(text in ".{0,40}") {
            let query = Query::parse(&text);
            let _ = (query.bool("a"), query.int("a"), query.uint("a"), query.subs());
        }
    }
}
