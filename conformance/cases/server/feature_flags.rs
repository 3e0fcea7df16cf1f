//! Feature flags in configuration files.

use nats_server::base::Env;
use nats_server::config::feature_flags::merged;
use nats_server::config::load_str;
use std::collections::BTreeMap;

crate::cases! {
    "server/feature_flags_test.go",
    library a_flag_is_a_bool => ["TestFeatureFlagsConfigParseNonBool"],
    library configured_flags_over_defaults => ["TestGetFeatureFlag", "TestGetMergedFeatureFlags"],
}

fn a_flag_is_a_bool() {
    let error = load_str(&Env::simulated(1), "feature_flags { opt_in_flag: \"true\" }")
        .expect_err("a string is no bool")
        .to_string();
    let want = "error parsing feature flag \"opt_in_flag\": expected bool, got string";
    assert!(error.contains(want), "{error}");
}

fn configured_flags_over_defaults() {
    let defaults = merged(&BTreeMap::new());
    assert!(defaults["js_raft_delete_range"] && !defaults["js_ack_fc_v2"]);
    assert!(!defaults.contains_key("") && !defaults.contains_key("no_flag_of_ours"));

    // The user's word counts for flags there are; a flag there is no longer is never on.
    let configured = [("js_raft_delete_range", false), ("js_ack_fc_v2", true), ("stale", true)];
    let set = merged(&configured.map(|(name, on)| (name.to_owned(), on)).into());
    assert!(!set["js_raft_delete_range"] && set["js_ack_fc_v2"]);
    let mut expected = defaults;
    expected.insert("js_raft_delete_range".to_owned(), false);
    expected.insert("js_ack_fc_v2".to_owned(), true);
    assert_eq!(set, expected);
}
