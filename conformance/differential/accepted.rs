//! Differences that are meant.

/// A difference that is meant, by where it shows and what each side says.
pub(crate) struct Accepted {
    /// Its row in docs/deviations.md.
    pub(crate) row: &'static str,
    /// What the suite's name starts with.
    pub(crate) suite: &'static str,
    /// What upstream's answer contains.
    pub(crate) upstream: &'static str,
    /// What ours contains.
    pub(crate) here: &'static str,
}

const fn row(
    row: &'static str,
    suite: &'static str,
    upstream: &'static str,
    here: &'static str,
) -> Accepted {
    Accepted { row, suite, upstream, here }
}

/// Every accepted difference. `docs/deviations.md` says why.
pub(crate) const ACCEPTED: &[Accepted] = &[
    row("version-second-line", "flags::", "nats-server: v2.15.1", "nats-server-rs "),
    row("go-values-in-errors", "keys::", "<pointer>", "exit 1"),
    row("go-values-in-errors", "damage::", "<pointer>", "exit 1"),
    row("go-values-in-errors", "keys::", "%!", "exit 1"),
    row("go-values-in-errors", "damage::", "%!", "exit 1"),
    row("go-values-in-errors", "keys::", "nkey for an account: '", "exit 1"),
    row("go-values-in-errors", "keys::", "Detected service ", "exit 1"),
    row("go-values-in-errors", "keys::jetstream", "for bool value, got '", "exit 1"),
    row("go-values-in-errors", "log::", "cannot unmarshal number 9999", "cannot unmarshal number"),
    row("operator-jwt", "", "error parsing operator JWT", "error parsing operator JWT"),
    row("account-links", "keys::accounts", "import not authorized", "exit 0"),
    row("account-links", "keys::accounts", "sublist: invalid subject", "exit 0"),
    row("account-links", "keys::accounts", "index out of range", "exit 0"),
    row("err-ends-it", "log::", "Client Error ", "Client Error "),
    row("hmsg-from-client", "log::operations", "state=41: proto='\"NATS/1.0", "state=18: "),
    row("first-line-break", "log::operations", "[PUB ", "[PUB]"),
    row("index-page", "monitor::", "<html lang=\"en\">", "<html"),
    row("stacksz", "monitor::", "HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found"),
    row("places-in-errors", "flags::alone", "missing port in address", "missing port in address"),
    row("places-in-errors", "keys::", "interface conversion", "interface conversion"),
    row("places-in-errors", "damage::", "interface conversion", "interface conversion"),
    row("limit-within-batch", "wire::max_subscriptions", "MSG a 1 1", "MSG a 1 1"),
];

/// The row of docs/deviations.md that covers a difference, if one does.
pub(crate) fn accepted(
    suite: &str,
    _script: &str,
    upstream: &str,
    here: &str,
) -> Option<&'static str> {
    ACCEPTED
        .iter()
        .find(|entry| {
            suite.starts_with(entry.suite)
                && upstream.contains(entry.upstream)
                && here.contains(entry.here)
        })
        .map(|entry| entry.row)
}
