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

/// Every accepted difference. `docs/deviations.md` says why.
pub(crate) const ACCEPTED: &[Accepted] = &[Accepted {
    row: "version-second-line",
    suite: "flags::",
    upstream: "nats-server: v2.15.1",
    here: "nats-server-rs ",
}];

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
