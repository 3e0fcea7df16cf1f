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
    /// A document of several lines.
    pub fn json(value: &impl Serialize) -> Self {
        Self { status: StatusCode::OK, headers: JSON, body: json::pretty(value) }
    }

    /// A document on one line, with a status of its own.
    pub fn json_line(status: StatusCode, value: &impl Serialize) -> Self {
        Self { status, headers: JSON, body: json::compact(value) }
    }

    /// A page.
    pub fn html(page: String) -> Self {
        Self { status: StatusCode::OK, headers: HTML, body: page.into_bytes() }
    }

    /// A sentence.
    pub fn text(status: StatusCode, text: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: TEXT, body: text.into() }
    }

    /// No endpoint has that path.
    pub fn not_found() -> Self {
        let body = b"404 page not found\n".to_vec();
        Self { status: StatusCode::NOT_FOUND, headers: NOT_FOUND, body }
    }

    /// As it is sent; `date` is the header of that name.
    pub fn into_response(self, date: &str) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        for (name, value) in self.headers {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        if let Ok(date) = HeaderValue::from_str(date) {
            headers.insert(header::DATE, date);
        }
        response
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self::text(StatusCode::BAD_REQUEST, refusal.0)
    }
}
