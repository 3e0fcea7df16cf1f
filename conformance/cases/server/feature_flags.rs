//! Feature flags in configuration files.

use nats_server::base::Env;
use nats_server::config::load_str;

crate::cases! {
    "server/feature_flags_test.go",
    library a_flag_is_a_bool => ["TestFeatureFlagsConfigParseNonBool"],
}

fn a_flag_is_a_bool() {
    let error = load_str(&Env::simulated(1), "feature_flags { opt_in_flag: \"true\" }")
        .expect_err("a string is no bool")
        .to_string();
    let want = "error parsing feature flag \"opt_in_flag\": expected bool, got string";
    assert!(error.contains(want), "{error}");
}
