//! What a request is answered with.

use super::json;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::HeaderValue;
use hyper::{Response, StatusCode, header};
use serde::Serialize;

/// A request that cannot be answered, and why: status 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: StatusCode,
    headers: Headers,
    location: Option<String>,
    body: Vec<u8>,
}

/// Headers by name and value.
type Headers = &'static [(&'static str, &'static str)];

const PLAIN: &str = "text/plain; charset=utf-8";
const JSON: Headers = &[("access-control-allow-origin", "*"), ("content-type", "application/json")];
const HTML: Headers = &[("content-type", "text/html; charset=utf-8")];
const TEXT: Headers = &[("content-type", PLAIN)];
const NOT_FOUND: Headers = &[("content-type", PLAIN), ("x-content-type-options", "nosniff")];

impl Reply {
    fn new(status: StatusCode, headers: Headers, body: Vec<u8>) -> Self {
        Self { status, headers, location: None, body }
    }

    /// A document of several lines.
    pub fn json(value: &impl Serialize) -> Self {
        Self::new(StatusCode::OK, JSON, json::pretty(value))
    }

    /// A document on one line, with a status of its own.
    pub fn json_line(status: StatusCode, value: &impl Serialize) -> Self {
        Self::new(status, JSON, json::compact(value))
    }

    /// A page.
    pub fn html(page: String) -> Self {
        Self::new(StatusCode::OK, HTML, page.into_bytes())
    }

    /// A sentence.
    pub fn text(status: StatusCode, text: impl Into<Vec<u8>>) -> Self {
        Self::new(status, TEXT, text.into())
    }

    /// No endpoint has that path.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, NOT_FOUND, b"404 page not found\n".to_vec())
    }

    /// The same is at `location`; with a `page` for people.
    pub fn redirect(location: &str, page: bool) -> Self {
        let status = StatusCode::TEMPORARY_REDIRECT;
        let mut reply = match page {
            true => {
                let shown = escape_html(location);
                let page = format!("<a href=\"{shown}\">Temporary Redirect</a>.\n\n");
                Self::new(status, HTML, page.into_bytes())
            }
            false => Self::new(status, &[], Vec::new()),
        };
        reply.location = Some(location.to_owned());
        reply
    }

    /// As it is sent; `date` is the header of that name.
    pub fn into_response(self, date: &str) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        for (name, value) in self.headers {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        let values = [(header::DATE, Some(date)), (header::LOCATION, self.location.as_deref())];
        for (name, value) in values {
            if let Some(Ok(value)) = value.map(HeaderValue::from_str) {
                headers.insert(name, value);
            }
        }
        response
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self::text(StatusCode::BAD_REQUEST, refusal.0)
    }
}

fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
