//! Feature flags in configuration files.

use nats_server::base::Env;
use nats_server::config::feature_flags::merged;
use nats_server::config::load_str;

crate::cases! {
    "server/feature_flags_test.go",
    library a_flag_is_a_bool => ["TestFeatureFlagsConfigParseNonBool"],
    library the_file_wins_over_defaults => ["TestGetFeatureFlag", "TestGetMergedFeatureFlags"],
}

fn a_flag_is_a_bool() {
    let error = load_str(&Env::simulated(1), "feature_flags { opt_in_flag: \"true\" }")
        .expect_err("a string is no bool")
        .to_string();
    let want = "error parsing feature flag \"opt_in_flag\": expected bool, got string";
    assert!(error.contains(want), "{error}");
}

fn the_file_wins_over_defaults() {
    let flags = |text: &str| {
        let (options, _) = load_str(&Env::simulated(1), text).expect("valid");
        merged(&options.feature_flags)
    };
    let defaults = flags("");
    assert!(!defaults.contains_key(""));
    assert!(defaults.values().any(|on| *on) && defaults.values().any(|on| !*on));
    for (name, on) in &defaults {
        let turned = flags(&format!("feature_flags {{ {name}: {}, unknown_flag: true }}", !on));
        // What no release knows is accepted, and stays off.
        assert!(!turned.contains_key("unknown_flag"));
        let mut want = defaults.clone();
        want.insert(name.clone(), !on);
        assert_eq!(turned, want);
    }
}
