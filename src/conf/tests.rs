//! What the language means, and that it means the same as to the upstream binary.

use super::*;
use crate::base::Env;

#[test]
fn basics() {
    let env = Env::simulated(1);
    let map = parse_str(&env, "port = 4222; a { b: [1k, 'x'], c = $d }").unwrap_err();
    assert_eq!(map.to_string(), "variable reference for 'd' on line 1 can not be found");
    let map = parse_str(&env, "port = 4222\na { b: [1k, 'x'] }\n").unwrap();
    assert_eq!(map.get("port").unwrap().kind, ValueKind::Integer(4222));
    assert_eq!(map.len(), 2);
}

#[test]
fn digest_of_a_port() {
    let env = Env::simulated(1);
    assert_eq!(
        digest(&parse_str(&env, "port = 4222").unwrap()),
        "sha256:797533ebd0dfba7d34a0f9337ecf147e442871f48ddfd07ed751575a5737267e"
    );
}
