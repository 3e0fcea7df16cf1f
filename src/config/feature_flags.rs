//! The feature flags of the compatible release and whether each is on by default.

use std::collections::BTreeMap;

const FLAGS: [(&str, bool); 4] = [
    ("js_ack_fc_v2", false),
    ("js_api_reply_v2", false),
    ("js_raft_delete_range", true),
    ("js_snapshot_sources", false),
];

/// All flags as they are set, `configured` (`feature_flags {}`) over the defaults. What is no flag
/// is left out.
pub fn merged(configured: &BTreeMap<String, bool>) -> BTreeMap<String, bool> {
    let set = |(name, default)| {
        let on = configured.get(name).copied().unwrap_or(default);
        (String::from(name), on)
    };
    FLAGS.into_iter().map(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configured_wins_and_strangers_are_left_out() {
        let configured = BTreeMap::from([("js_ack_fc_v2".into(), true), ("other".into(), true)]);
        let flags = merged(&configured);
        assert_eq!(flags.len(), FLAGS.len());
        assert!(flags["js_ack_fc_v2"] && flags["js_raft_delete_range"]);
        assert!(!flags["js_api_reply_v2"]);
    }
}
