//! What differs from run to run, or names the machine, is replaced by what it is.

use std::borrow::Cow;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

struct Mask(Regex, &'static str);

fn masks(table: &[(&str, &'static str)]) -> Vec<Mask> {
    table
        .iter()
        .map(|(pattern, by)| Mask(Regex::new(pattern).expect("the tables hold patterns"), by))
        .collect()
}

fn apply(text: &str, masks: &[Mask]) -> String {
    let mut text = Cow::Borrowed(text);
    for Mask(pattern, by) in masks {
        if pattern.is_match(&text) {
            text = Cow::Owned(pattern.replace_all(&text, *by).into_owned());
        }
    }
    text.into_owned()
}

/// Fields of INFO that name the server, the build or the connection.
static INFO: LazyLock<Vec<Mask>> = LazyLock::new(|| {
    masks(&[
        (
            r#""(server_id|server_name|git_commit|go|client_ip|nonce|xkey)":"[^"]*""#,
            r#""$1":"<$1>""#,
        ),
        (r#""(port|client_id)":\d+"#, r#""$1":<$1>"#),
        // Comes with the authorization callout (docs/deviations.md, info-xkey).
        (r#","xkey":"<xkey>""#, ""),
        // Where a build knows it.
        (r#""git_commit":"<git_commit>","#, ""),
        (r#""(connect_urls)":\[[^\]]*\]"#, r#""$1":[<urls>]"#),
    ])
});

/// Lines of the log and of errors of starting.
static LOG: LazyLock<Vec<Mask>> = LazyLock::new(|| {
    masks(&[
        (r"\[\d+\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6} ", ""),
        (r"(127\.0\.0\.1|\[::1\]):\d+", "<addr>"),
        (r"(- |cid:|c:)\d+", "$1<cid>"),
        // Counted from the start of a read, which depends on how the bytes came.
        (r"state=(\d+), i=\d+", "state=$1"),
        (r"rtt: [^ ,\]]+", "rtt: <rtt>"),
        (r"RTT timer in [^ ]+", "RTT timer in <time>"),
        // An address of Go's memory, where a type has no text of its own.
        (r"0x[0-9a-f]{6,}", "<pointer>"),
    ])
});

/// What a connection received.
pub(crate) fn wire(text: &str) -> String {
    apply(text, &INFO)
}

/// What a process printed or logged; `dir` is the script's folder.
pub(crate) fn output(text: &str, dir: &Path) -> String {
    apply(&text.replace(dir.to_string_lossy().as_ref(), "<dir>"), &LOG)
}
