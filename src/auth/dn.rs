//! Distinguished names as operators write them in user names (RFC 4514), and whether one is a
//! certificate's (Go: `internal/ldap/dn.go`).

use crate::wire::x509::Attribute;

/// One set of `type=value`, order of no meaning.
type Rdn = Vec<(String, String)>;

/// A distinguished name, most specific set first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dn(Vec<Rdn>);

/// Types that a certificate's name may have to be compared at all.
const TYPES: [(&str, &str); 10] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.17", "POSTALCODE"),
    ("0.9.2342.19200300.100.1.25", "DC"),
];

impl Dn {
    /// Reads `CN=alice,OU=a+OU=b,DC=example,DC=com`; `None` if it is not of that form.
    pub fn parse(text: &str) -> Option<Self> {
        Parser::default().run(text.as_bytes()).map(Self)
    }

    /// The subject of a certificate; `None` if it has a type that is not known here.
    pub fn from_rdns(rdns: &[Vec<Attribute>]) -> Option<Self> {
        let pair = |a: &Attribute| {
            let (_, name) = TYPES.iter().find(|(oid, _)| a.oid == *oid)?;
            Some(((*name).to_owned(), a.value.clone()?))
        };
        let sets = rdns.iter().rev().filter(|rdn| !rdn.is_empty());
        sets.map(|rdn| rdn.iter().rev().map(pair).collect::<Option<Rdn>>())
            .collect::<Option<_>>()
            .map(Self)
    }

    /// The same sets in the same order.
    pub fn equals(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| same_set(a, b))
    }

    /// The same sets in any order.
    pub fn equals_reordered(&self, other: &Self) -> bool {
        let mut left: Vec<&Rdn> = other.0.iter().collect();
        self.0.len() == other.0.len()
            && self.0.iter().all(|rdn| {
                let found = left.iter().position(|candidate| same_set(rdn, candidate));
                found.map(|at| left.swap_remove(at)).is_some()
            })
    }
}

fn same_set(a: &Rdn, b: &Rdn) -> bool {
    let within = |a: &Rdn, b: &Rdn| {
        a.iter()
            .all(|(kind, value)| b.iter().any(|(k, v)| k.eq_ignore_ascii_case(kind) && v == value))
    };
    a.len() == b.len() && within(a, b) && within(b, a)
}

/// The state between two bytes of the text.
#[derive(Default)]
struct Parser {
    done: Vec<Rdn>,
    rdn: Rdn,
    /// The type before `=`, once it was seen.
    kind: String,
    token: Vec<u8>,
    /// How many bytes at the end of `token` are spaces that were not escaped.
    trailing_spaces: usize,
}

impl Parser {
    fn run(mut self, text: &[u8]) -> Option<Vec<Rdn>> {
        let mut bytes = text.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' => {
                    let first = bytes.next()?;
                    let literal = match first {
                        b' ' | b'"' | b'#' | b'+' | b',' | b';' | b'<' | b'=' | b'>' | b'\\' => {
                            first
                        }
                        _ => hex(first)? << 4 | hex(bytes.next()?)?,
                    };
                    self.token.push(literal);
                    self.trailing_spaces = 0;
                }
                b'=' => {
                    self.kind = self.take_token()?;
                    // A value in BER; nobody writes those.
                    if bytes.peek() == Some(&b'#') {
                        return None;
                    }
                }
                b',' | b'+' => {
                    self.end_attribute()?;
                    if byte == b',' {
                        self.done.push(std::mem::take(&mut self.rdn));
                    }
                }
                b' ' if self.token.is_empty() => {}
                _ => {
                    self.trailing_spaces = if byte == b' ' { self.trailing_spaces + 1 } else { 0 };
                    self.token.push(byte);
                }
            }
        }
        if !self.token.is_empty() {
            self.end_attribute()?;
            self.done.push(self.rdn);
        }
        Some(self.done)
    }

    fn end_attribute(&mut self) -> Option<()> {
        if self.kind.is_empty() {
            return None;
        }
        let value = self.take_token()?;
        self.rdn.push((std::mem::take(&mut self.kind), value));
        Some(())
    }

    fn take_token(&mut self) -> Option<String> {
        let mut token = std::mem::take(&mut self.token);
        token.truncate(token.len() - std::mem::take(&mut self.trailing_spaces));
        String::from_utf8(token).ok()
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dn(text: &str) -> Dn {
        Dn::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn spaces_escapes_and_sets() {
        let pairs = |text: &str| dn(text).0;
        let own = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        assert_eq!(pairs(" CN = a b , O=x"), [vec![own("CN", "a b")], vec![own("O", "x")]]);
        assert_eq!(pairs(r"CN=a\, b\ ,O=\41"), [vec![own("CN", "a, b ")], vec![own("O", "A")]]);
        assert_eq!(pairs("OU=a+OU=b"), [vec![own("OU", "a"), own("OU", "b")]]);
        for bad in ["alice", "CN=a,,O=b", r"CN=a\", r"CN=\zz", "CN=#04", "a,b"] {
            assert_eq!(Dn::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn order_and_case() {
        let certificate = dn("CN=alice,OU=b+OU=a,DC=example,DC=com");
        assert!(dn("cn=alice,OU=a+OU=b,dc=example,DC=com").equals(&certificate));
        assert!(!dn("CN=Alice,OU=a+OU=b,DC=example,DC=com").equals(&certificate));
        let other = dn("DC=com,DC=example,OU=a+OU=b,CN=alice");
        assert!(!other.equals(&certificate) && other.equals_reordered(&certificate));
        let doubled = dn("CN=alice,CN=alice");
        assert!(!doubled.equals_reordered(&dn("CN=alice,CN=bob")));
    }

    #[test]
    fn unknown_types_cannot_be_compared() {
        let attribute = |oid: &str| Attribute { oid: oid.to_owned(), value: Some("v".to_owned()) };
        let known = [vec![attribute("2.5.4.6")], vec![attribute("2.5.4.3")]];
        assert!(Dn::from_rdns(&known).is_some_and(|d| d.equals(&dn("CN=v,C=v"))));
        assert_eq!(Dn::from_rdns(&[vec![attribute("1.2.3")]]), None);
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "\\PC{0,32}") {
            let _ = Dn::parse(&text);
        }
    }
}
