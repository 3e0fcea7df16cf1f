use super::*;
use data_encoding::BASE64;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const KEY: &str = "golden stores, not a secret";
const SETS: [&str; 6] = ["stopped", "killed", "stale", "s2", "chacha", "aes"];

fn golden(set: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/golden/stores").join(set)
}

/// A machine in memory with a golden store at `/data`, if there is one so named, and these
/// variables.
fn machine(set: &str, vars: &[(&str, &str)]) -> Env {
    let vars: BTreeMap<_, _> =
        vars.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let (env, os) = (Env::simulated_with_vars(1, vars), Env::os());
    let mut dirs = vec![golden(set)];
    dirs.retain(|dir| SETS.iter().any(|set| *dir == golden(set)));
    while let Some(dir) = dirs.pop() {
        for path in os.fs().read_dir(&dir).unwrap() {
            if os.fs().metadata(&path).unwrap().is_dir {
                dirs.push(path);
                continue;
            }
            let target = Path::new("/data").join(path.strip_prefix(golden(set)).unwrap());
            env.fs().create_dir_all(target.parent().unwrap()).unwrap();
            env.fs().write(&target, &os.fs().read(&path).unwrap(), 0).unwrap();
        }
    }
    env
}

fn encrypted(set: &str) -> Env {
    let cipher = if set == "aes" { "aes" } else { "chacha" };
    machine(set, &[("NATS_STORE_KEY", KEY), ("NATS_STORE_CIPHER", cipher)])
}

fn store(env: &Env, args: &[&str]) -> (u8, String) {
    store_with_input(env, args, b"")
}

fn store_with_input(env: &Env, args: &[&str], mut input: &[u8]) -> (u8, String) {
    let args: Vec<String> = args.iter().map(|arg| arg.to_string()).collect();
    let mut out = Vec::new();
    let status = run(env, &args, &mut input, &mut out);
    (status, String::from_utf8(out).unwrap())
}

fn check_json(env: &Env, dir: &str) -> (u8, Vec<Value>) {
    let (status, out) = store(env, &["check", dir, "--json"]);
    let Ok(document) = serde_json::from_str::<Value>(&out) else { return (status, Vec::new()) };
    (status, document["streams"].as_array().unwrap().clone())
}

fn expected(set: &str) -> Value {
    let text = Env::os().fs().read_to_string(&golden(set).join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn what_is_checked_is_what_upstream_says() {
    for set in SETS {
        let (env, told) = (encrypted(set), expected(set));
        let (status, streams) = check_json(&env, "/data");
        assert_eq!(status, SOUND, "{set}");
        assert_eq!(streams.len(), told.as_object().unwrap().len(), "{set}");
        for ours in streams {
            let name = ours["name"].as_str().unwrap();
            let told = &told[name];
            assert_eq!(ours["account"], "$G");
            for field in ["messages", "bytes", "first_seq", "first_ts", "last_seq"] {
                assert_eq!(ours["state"][field], told["state"][field], "{set} {name} {field}");
            }
            for field in ["num_subjects", "consumer_count"] {
                assert_eq!(ours["state"][field], told["state"][field], "{set} {name} {field}");
            }
            if name != "FRESH" {
                let deleted = &ours["state"]["num_deleted"];
                assert_eq!(deleted, &told["state"]["num_deleted"], "{set} {name}");
            }
            for field in ["subjects", "retention", "max_bytes", "compression", "first_seq"] {
                assert_eq!(ours["config"][field], told["config"][field], "{set} {name} {field}");
            }
            for consumer in ours["consumers"].as_array().unwrap() {
                let told = &told["consumers"][consumer["name"].as_str().unwrap()];
                assert_eq!(consumer["config"]["ack_policy"], told["config"]["ack_policy"]);
                if set != "stale" || name != "WORK" {
                    assert_eq!(consumer["num_ack_pending"], told["num_ack_pending"]);
                }
            }
        }
    }
}

#[test]
fn any_folder_of_a_store_will_do() {
    let env = encrypted("stopped");
    let count = |dir: &str| {
        let (status, streams) = check_json(&env, dir);
        let consumers = streams.iter().map(|s| s["consumers"].as_array().unwrap().len());
        (status, streams.len(), consumers.sum::<usize>())
    };
    // Half made or half removed.
    let aside = Path::new("/data/jetstream/$G/streams/.X.load/msgs");
    env.fs().create_dir_all(aside).unwrap();
    assert_eq!(count("/data"), (SOUND, 9, 4));
    assert_eq!(count("/data/jetstream"), (SOUND, 9, 4));
    assert_eq!(count("/data/jetstream/$G"), (SOUND, 9, 4));
    assert_eq!(count("/data/jetstream/$G/streams/ORDERS"), (SOUND, 1, 3));
    assert_eq!(count("/data/jetstream/$G/streams/x/../ORDERS/"), (SOUND, 1, 3));
    assert_eq!(count("/data/jetstream/$G/streams/ORDERS/obs/busy"), (SOUND, 1, 1));
    assert_eq!(count("/data/jetstream/$G/streams/ORDERS/obs/nobody").0, UNREADABLE);
    assert_eq!(count("/nowhere").0, UNREADABLE);
    env.fs().create_dir_all(Path::new("/other/x")).unwrap();
    assert_eq!(count("/other").0, UNREADABLE);
    env.fs().create_dir_all(Path::new("/empty/jetstream")).unwrap();
    assert_eq!(count("/empty"), (SOUND, 0, 0));
}

#[test]
fn keys_come_from_the_environment_or_a_configuration() {
    let dir = "/data";
    for set in ["chacha", "aes"] {
        assert_eq!(check_json(&machine(set, &[]), dir).0, UNREADABLE, "no key");
        let wrong = machine(set, &[("NATS_STORE_KEY", "wrong")]);
        let (status, streams) = check_json(&wrong, dir);
        assert_eq!(status, UNREADABLE);
        assert!(streams[0]["error"].as_str().unwrap().contains("no configured key opens it"));
        // Under either cipher, and as the key before the current one.
        let old = [("NATS_STORE_KEY", "new"), ("NATS_STORE_OLD_KEY", KEY)];
        assert_eq!(check_json(&machine(set, &old), dir).0, SOUND);
        let env = machine(set, &[("NATS_STORE_KEY", KEY)]);
        assert_eq!(check_json(&env, dir).0, SOUND);
        let env = machine(set, &[]);
        let config = format!("jetstream {{ store_dir: \"/data\", key: \"{KEY}\", cipher: aes }}");
        env.fs().write(Path::new("/server.conf"), config.as_bytes(), 0).unwrap();
        assert_eq!(store(&env, &["check", "-config", "/server.conf", dir]).0, SOUND);
        assert_eq!(store(&env, &["check", "--config=/gone.conf", dir]).0, UNREADABLE);
    }
}

/// Flips a bit in the second block of ORDERS.
fn damaged() -> Env {
    let env = encrypted("stopped");
    let path = Path::new("/data/jetstream/$G/streams/ORDERS/msgs/2.blk");
    let mut block = env.fs().read(path).unwrap();
    block[5_000] ^= 1;
    env.fs().write(path, &block, 0).unwrap();
    env
}

#[test]
fn damage_is_told_and_nothing_is_written() {
    let env = damaged();
    let before = snapshot(&env);
    let (status, streams) = check_json(&env, "/data");
    assert_eq!(status, DAMAGED);
    let orders = streams.iter().find(|stream| stream["name"] == "ORDERS").unwrap();
    let damage = &orders["damage"][0];
    assert!(damage["file"].as_str().unwrap().ends_with("ORDERS/msgs/2.blk"));
    let (offset, length) = (&damage["offset"], &damage["length"]);
    let range = offset.as_u64().unwrap()..offset.as_u64().unwrap() + length.as_u64().unwrap();
    assert!(range.contains(&5_000));
    assert_eq!(damage["first_seq"], damage["last_seq"]);
    assert_eq!(damage["cause"], "checksum mismatch");
    assert_eq!(damage["remedy"], "quarantine");
    let (status, text) = store(&env, &["check", "/data"]);
    assert_eq!(status, DAMAGED);
    assert!(text.contains("DAMAGE:") && text.contains("checksum mismatch"), "{text}");
    assert_eq!(snapshot(&env), before);
}

fn snapshot(env: &Env) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut files, mut dirs) = (Vec::new(), vec![PathBuf::from("/data")]);
    while let Some(dir) = dirs.pop() {
        for path in env.fs().read_dir(&dir).unwrap() {
            match env.fs().metadata(&path).unwrap().is_dir {
                true => dirs.push(path),
                false => files.push((path.clone(), env.fs().read(&path).unwrap())),
            }
        }
    }
    files
}

const ORDERS: &str = "/data/jetstream/$G/streams/ORDERS";

fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_dump_is_what_the_api_gives() {
    for set in SETS {
        let told = expected(set)["ORDERS"]["messages"].clone();
        let (status, out) = store(&encrypted(set), &["dump", ORDERS]);
        assert_eq!(status, SOUND);
        let found = lines(&out);
        assert_eq!(found.len(), told.as_array().unwrap().len());
        for (ours, told) in found.iter().zip(told.as_array().unwrap()) {
            assert_eq!(
                [&ours["seq"], &ours["subject"], &ours["time"]],
                [0, 1, 2].map(|i| &told[i])
            );
        }
        let with_headers = found.iter().find(|message| !message["hdrs"].is_null()).unwrap();
        let headers = with_headers["hdrs"].as_str().unwrap().as_bytes();
        assert!(BASE64.decode(headers).unwrap().starts_with(b"NATS/1.0\r\n"));
    }
}

#[test]
fn a_dump_is_filtered() {
    let env = encrypted("stopped");
    let seqs = |args: &[&str]| {
        let (status, out) = store(&env, &[&["dump", ORDERS], args].concat());
        assert_eq!(status, SOUND);
        lines(&out).iter().map(|m| m["seq"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(seqs(&["--from", "507"]), [507, 508, 509]);
    assert_eq!(seqs(&["--from=3", "--to=6"]), [4, 5]);
    let asia = seqs(&["--subject", "orders.asia.*"]);
    assert!(!asia.is_empty() && asia.iter().all(|seq| seq % 3 == 2));
    assert_eq!(seqs(&["--subject", "none"]), [0; 0]);
}

#[test]
fn a_damaged_stream_is_dumped_only_to_salvage() {
    let env = damaged();
    assert_eq!(store(&env, &["dump", ORDERS]), (DAMAGED, String::new()));
    let (status, out) = store(&env, &["dump", ORDERS, "--salvage"]);
    let all = store(&encrypted("stopped"), &["dump", ORDERS]).1;
    assert_eq!((status, lines(&out).len() + 1), (DAMAGED, lines(&all).len()));
}

#[test]
fn a_wrong_command_line_is_refused() {
    let env = encrypted("s2");
    for args in [
        &[][..],
        &["mend", "/data"],
        &["check"],
        &["check", "/data", "/data"],
        &["check", "/data", "--salvage"],
        &["check", "/data", "--config"],
        &["dump", "/data"],
        &["dump", ORDERS, "--from", "x"],
        &["dump", ORDERS, "--subject", "a..b"],
    ] {
        assert_eq!(store(&env, args), (UNREADABLE, String::new()), "{args:?}");
    }
    let (status, usage) = store(&env, &["--help"]);
    assert_eq!((status, &usage[..]), (SOUND, USAGE));
}

#[test]
fn what_was_dumped_is_loaded() {
    let ciphers = ["", "chacha", "aes"];
    for set in SETS {
        let from = encrypted(set);
        for stream in expected(set).as_object().unwrap().keys() {
            let dir = format!("/data/jetstream/$G/streams/{stream}");
            // As it is read by whom does not look at ages.
            let (_, dumped) = store(&from, &["dump", &dir, "--salvage"]);
            let (_, checked) = check_json(&from, &dir);
            for (cipher, compression) in ciphers.iter().flat_map(|c| [(*c, "none"), (*c, "s2")]) {
                let at = format!("{set} {stream} {cipher} {compression}");
                let key = if cipher.is_empty() { "" } else { "other" };
                let vars = [("NATS_STORE_KEY", key), ("NATS_STORE_CIPHER", cipher)];
                let to = machine("none of them", &vars);
                let mut config = checked[0]["config"].clone();
                config["compression"] = compression.into();
                to.fs().write(Path::new("/s.json"), config.to_string().as_bytes(), 0).unwrap();
                let load = ["load", &dir, "--stream", "/s.json"];
                let last = checked[0]["state"]["last_seq"].as_u64().unwrap();
                let is_last = lines(&dumped).last().is_none_or(|m| m["seq"] == last);
                let last = (!is_last).then(|| format!("--last={last}"));
                let load: Vec<&str> = load.into_iter().chain(last.as_deref()).collect();
                let done = store_with_input(&to, &load, dumped.as_bytes());
                assert_eq!(done, (SOUND, String::new()), "{at}");
                assert_eq!(
                    store(&to, &["dump", &dir, "--salvage"]),
                    (SOUND, dumped.clone()),
                    "{at}"
                );
                let (status, loaded) = check_json(&to, &dir);
                assert_eq!((status, &loaded[0]["config"]), (SOUND, &config), "{at}");
                assert_eq!(store_with_input(&to, &load, b"").0, UNREADABLE, "{at}: it is there");
                assert_eq!(store(&to, &["dump", &dir, "--salvage"]).1, dumped, "{at}");
            }
        }
    }
}

#[test]
fn a_bad_line_is_told_and_leaves_nothing() {
    let good = r#"{"subject":"a","seq":5,"time":"2026-01-01T00:00:00Z"}"#;
    let refused = [
        ("", "line 2: EOF while parsing a value at column 0"),
        (r#"{"subject":"a","seq":6}"#, "line 2: missing field `time` at column 23"),
        (good, "line 2: sequence 5 after 5"),
        (&good.replace('5', "0"), "line 2: sequence 0 after 5"),
        (&good.replace('5', "4611686018427387904"), "line 2: sequence 4611686018427387904 after 5"),
        (&good.replace(":5", r#":6,"data":"x""#), "line 2: data: no base64: invalid length at 0"),
        (&good.replace(r#""a""#, r#""a.*""#), r#"line 2: subject: not one to publish to: "a.*""#),
        (&good.replace("2026", "0001"), "line 2: time: out of range: 0001-01-01T00:00:00Z"),
        (&good.replace(":5", r#":6,"x":1"#), "line 2: unknown field `x`"),
    ];
    for (line, problem) in refused {
        let env = Env::simulated(1);
        env.fs().write(Path::new("/s.json"), br#"{"name":"S"}"#, 0).unwrap();
        let args = ["load", "/js/$G/streams/S", "--stream=/s.json"].map(str::to_owned);
        let args = Args::parse(&args[1..], &[], &["stream"]).unwrap();
        let input = format!("{good}\n{line}\n");
        let told = load::run(&env, &args, &mut input.as_bytes()).unwrap_err();
        assert!(told.starts_with(problem), "{told}");
        let left = env.fs().read_dir(Path::new("/js/$G/streams")).unwrap();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn what_cannot_be_loaded_is_refused() {
    let key = [("NATS_STORE_KEY".to_owned(), KEY.to_owned())];
    let env = Env::simulated_with_vars(1, BTreeMap::from(key));
    let configs = [
        ("/s.json", r#"{"name":"S"}"#),
        ("/memory.json", r#"{"name":"S","storage":"memory"}"#),
        ("/bad.json", r#"{"name":"../S"}"#),
        ("/broken.json", r#"{"#),
    ];
    for (path, content) in configs {
        env.fs().write(Path::new(path), content.as_bytes(), 0).unwrap();
    }
    const DIR: &str = "/js/$G/streams/S";
    for args in [
        &["load", DIR][..],
        &["load", DIR, "--stream", "/gone.json"],
        &["load", DIR, "--stream", "/memory.json"],
        &["load", DIR, "--stream", "/bad.json"],
        &["load", DIR, "--stream", "/broken.json"],
        &["load", "/js/$G/streams/T", "--stream", "/s.json"],
        // Which account's keys?
        &["load", "/elsewhere/S", "--stream", "/s.json"],
        &["load", DIR, "--stream", "/s.json", "--last", "0"],
    ] {
        assert_eq!(store(&env, args), (UNREADABLE, String::new()), "{args:?}");
        assert!(env.fs().metadata(Path::new(DIR)).is_err(), "{args:?}");
    }
    assert_eq!(store(&env, &["load", DIR, "--stream", "/s.json"]).0, SOUND);
}

#[test]
fn blocks_that_were_set_aside_are_told() {
    let env = encrypted("stopped");
    let dir = "/data/jetstream/$G/streams/ORDERS";
    let kept = Path::new(dir).join("msgs/2.blk.damaged");
    env.fs().write(&kept, b"damaged", 0).unwrap();
    let (status, streams) = check_json(&env, dir);
    assert_eq!(status, SOUND);
    assert_eq!(streams[0]["set_aside"], serde_json::json!([kept]));
    let (_, text) = store(&env, &["check", dir]);
    assert!(text.contains(&format!("Set aside:  {}", kept.display())), "{text}");
}

#[test]
fn a_renamed_directory_is_told() {
    let env = machine("stopped", &[]);
    let (status, streams) = check_json(&env, "/data");
    assert_eq!(status, SOUND);
    let name = streams[0]["name"].as_str().unwrap();
    let dir = Path::new("/data/jetstream/$G/streams");
    env.fs().rename(&dir.join(name), &dir.join("RENAMED")).unwrap();
    let (status, streams) = check_json(&env, "/data");
    assert_eq!(status, DAMAGED);
    let renamed = streams.iter().find(|stream| stream["name"] == "RENAMED").unwrap();
    let told = renamed["error"].as_str().unwrap();
    assert!(told.ends_with(&format!("meta.inf: the stream's name is {name:?}")), "{told}");
}
