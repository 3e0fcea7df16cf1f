//! The options of a `CONNECT`.

use serde_json::Value;

/// What a client said in `CONNECT`. Fields it leaves out keep their values, so a second `CONNECT`
/// changes only what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// Deliver to the connection what it publishes itself.
    pub echo: bool,
    /// Acknowledge every operation with `+OK`.
    pub verbose: bool,
    /// Check subjects strictly.
    pub pedantic: bool,
    /// The client wants TLS.
    pub tls_required: bool,
    /// Public user nkey.
    pub nkey: String,
    /// User JWT.
    pub jwt: String,
    /// Signature of the nonce.
    pub sig: String,
    /// Authentication token.
    pub auth_token: String,
    /// User name.
    pub user: String,
    /// Password.
    pub pass: String,
    /// Connection name.
    pub name: String,
    /// Client language.
    pub lang: String,
    /// Client version.
    pub version: String,
    /// Client protocol level.
    pub protocol: i64,
    /// Account designation, no longer allowed.
    pub account: String,
    /// New account designation, no longer allowed.
    pub new_account: bool,
    /// The client understands headers.
    pub headers: bool,
    /// The client wants a 503 when nobody answers.
    pub no_responders: bool,
    /// A proxy's signature of the nonce.
    pub proxy_sig: String,
}

impl Default for Connect {
    fn default() -> Self {
        Self {
            echo: true,
            verbose: true,
            pedantic: true,
            tls_required: false,
            nkey: String::new(),
            jwt: String::new(),
            sig: String::new(),
            auth_token: String::new(),
            user: String::new(),
            pass: String::new(),
            name: String::new(),
            lang: String::new(),
            version: String::new(),
            protocol: 0,
            account: String::new(),
            new_account: false,
            headers: false,
            no_responders: false,
            proxy_sig: String::new(),
        }
    }
}

impl Connect {
    /// Takes over the fields of a `CONNECT`'s JSON. Field names are compared without case and
    /// unknown ones skipped, as upstream's decoder does.
    ///
    /// # Errors
    /// Text that is not a JSON object, or a field of the wrong type: the text for the log.
    pub fn merge(&mut self, json: &[u8]) -> Result<(), String> {
        super::json::check(json).map_err(|e| e.to_string())?;
        let value = decode(&String::from_utf8_lossy(json))?;
        let fields = match value {
            Value::Object(fields) => fields,
            Value::Null => return Ok(()),
            other => return Err(mismatch(&other, "", "ClientOpts")),
        };
        for (name, value) in fields {
            if !value.is_null() {
                self.set(&name.to_ascii_lowercase(), value)?;
            }
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: Value) -> Result<(), String> {
        let (flag, text) = match name {
            "echo" => (Some(&mut self.echo), None),
            "verbose" => (Some(&mut self.verbose), None),
            "pedantic" => (Some(&mut self.pedantic), None),
            "tls_required" => (Some(&mut self.tls_required), None),
            "new_account" => (Some(&mut self.new_account), None),
            "headers" => (Some(&mut self.headers), None),
            "no_responders" => (Some(&mut self.no_responders), None),
            "nkey" => (None, Some(&mut self.nkey)),
            "jwt" => (None, Some(&mut self.jwt)),
            "sig" => (None, Some(&mut self.sig)),
            "auth_token" => (None, Some(&mut self.auth_token)),
            "user" => (None, Some(&mut self.user)),
            "pass" => (None, Some(&mut self.pass)),
            "name" => (None, Some(&mut self.name)),
            "lang" => (None, Some(&mut self.lang)),
            "version" => (None, Some(&mut self.version)),
            "account" => (None, Some(&mut self.account)),
            "proxy_sig" => (None, Some(&mut self.proxy_sig)),
            "protocol" => {
                self.protocol = value.as_i64().ok_or_else(|| mismatch(&value, name, "int"))?;
                return Ok(());
            }
            "import" | "export" if !value.is_object() => {
                return Err(mismatch(&value, name, "server.SubjectPermission"));
            }
            _ => return Ok(()),
        };
        match (flag, text, value) {
            (Some(flag), _, Value::Bool(b)) => *flag = b,
            (_, Some(text), Value::String(s)) => *text = s,
            (flag, _, value) => {
                let wanted = if flag.is_some() { "bool" } else { "string" };
                return Err(mismatch(&value, name, wanted));
            }
        }
        Ok(())
    }
}

/// Decodes what is known to be JSON. Half of a surrogate pair becomes a replacement character, as
/// upstream's decoder does it; serde's refuses it.
fn decode(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).or_else(|_| {
        serde_json::from_str(&without_lone_surrogates(text)).map_err(|e| e.to_string())
    })
}

fn without_lone_surrogates(text: &str) -> String {
    let unit = |at: usize| {
        let digits = text.get(at..)?.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = rest.find('\\') {
        let at = text.len() - rest.len() + found;
        let pair = matches!(unit(at), Some(0xd800..0xdc00))
            && matches!(unit(at + 6), Some(0xdc00..0xe000));
        let lone = !pair && matches!(unit(at), Some(0xd800..0xe000));
        let len = match (pair, unit(at)) {
            (true, _) => 12,
            (false, Some(_)) => 6,
            (false, None) => 2,
        };
        out.push_str(&rest[..found]);
        out.push_str(if lone { "\\ufffd" } else { &rest[found..found + len] });
        rest = &rest[found + len..];
    }
    out.push_str(rest);
    out
}

fn mismatch(value: &Value, field: &str, wanted: &str) -> String {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(number) if wanted == "int" => &format!("number {number}"),
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if field.is_empty() {
        format!("json: cannot unmarshal {kind} into Go value of type server.{wanted}")
    } else {
        let field = format!("Go struct field ClientOpts.{field}");
        format!("json: cannot unmarshal {kind} into {field} of type {wanted}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_fields_keep_their_values() {
        let mut c = Connect::default();
        c.merge(br#"{"verbose":false,"Name":"me","unknown":[1]}"#).unwrap();
        assert!(!c.verbose && c.pedantic && c.echo);
        c.merge(br#"{"name":null,"protocol":1}"#).unwrap();
        assert_eq!((c.name.as_str(), c.protocol), ("me", 1));
    }

    #[test]
    fn half_a_surrogate_pair_is_replaced() {
        let mut c = Connect::default();
        c.merge(br#"{"name":"a\ud800\\u\ud83d\ude00\udc00b"}"#).unwrap();
        assert_eq!(c.name, "a\u{fffd}\\u\u{1f600}\u{fffd}b");
    }

    #[test]
    fn wrong_types_are_named() {
        let mut c = Connect::default();
        let err = c.merge(br#"{"verbose":"yes"}"#).unwrap_err();
        assert!(err.contains("ClientOpts.verbose of type bool"), "{err}");
        assert!(c.merge(b"[]").is_err() && c.merge(b"{").is_err() && c.merge(b"\xff").is_err());
    }
}
