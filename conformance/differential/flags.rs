//! Arguments of processes that end by themselves.

use super::process::Place;
use super::{Answer, Suite, Work};

/// A configuration, if any, and arguments.
pub(crate) struct Flags {
    pub(crate) name: String,
    config: Option<&'static str>,
    args: Vec<String>,
}

/// Arguments without a configuration, separated by spaces.
const ALONE: &[&str] = &[
    "--help",
    "-h",
    "-help",
    "help",
    "--version",
    "-v",
    "-version",
    "version",
    "--help_tls",
    "-help_tls",
    "-t",
    "unknown",
    "run now",
    "--no_such_flag",
    "-no_such_flag",
    "-x",
    "-",
    "--",
    "---p",
    "--=x",
    "-p",
    "-p word",
    "-p=word",
    "--port=",
    "-p 99999999999999999999",
    "-a",
    "--addr",
    "-m word",
    "-ms word",
    "-D=maybe",
    "--debug=2",
    "-DV=maybe",
    "-T=x",
    "-c",
    "-c no_such_file.conf",
    "--config=no_such_file.conf",
    "-c {dir}",
    "-t -c no_such_file.conf",
    "-sl",
    "-sl bad",
    "-sl stop=notapid",
    "--signal bad=1",
    "--signal reload=999999999",
    "-sl stop=no_such_file.pid",
    "-sl =1",
    "--routes",
    "--routes nats://127.0.0.1:1",
    "--routes nats://127.0.0.1:1 --cluster nats://127.0.0.1:-1 -t",
    "--cluster bad:url:x",
    "--cluster 127.0.0.1:6222",
    "--cluster nats://a:b@127.0.0.1:x",
    "--cluster nats://a@127.0.0.1:1",
    "--cluster_advertise bad:x",
    "--client_advertise bad:x",
    "--connect_retries x",
    "--max_traced_msg_len x",
    "--log_size_limit x",
    "--profile x",
    "--user",
    "--pass",
    "--tls",
    "--tlsverify",
    "--tls --tlscert no.pem",
    "--tls --tlscert no.pem --tlskey no.pem",
    "--tlscert cert.pem --tlskey no.pem --tls",
    "--tlscacert no.pem --tls --tlsverify",
    "--server_name",
    "-n \"\"",
    "-js=maybe",
    "-sd",
    "-js -sd cert.pem",
    "--pid {dir}",
    "-P {dir}/no/such/pid",
    "-l {dir}/no/such/log",
    "-l {dir}",
    "--ports_file_dir {dir}/none -p -1 -P {dir}/no/x",
    "-a 999.1.1.1 -p -1",
    "-p 70000",
    "-p -2",
    "-m 70000 -p -1",
    "-a no.such.host.invalid -p -1",
    "--auth a --user b --pass c -p x",
    "-v extra",
    "extra -v",
    "-t extra",
    "--help extra",
    "-DVV=x",
    "-VV=x",
    "-logtime_utc=x",
    "-s=x",
    "-r",
    "--cluster_name",
    "--no_advertise=x",
];

/// A valid configuration and what is checked with it.
const CONFIG: &str = "port: 4333\nserver_name: here\nauthorization { user: a, password: b }\n\
                      cluster { name: C, listen: \"127.0.0.1:-1\" }\n";

/// Arguments after `-c server.conf -t`.
const CHECKED: &[&str] = &[
    "",
    "-p 4444",
    "-p=4444",
    "--port 4444",
    "-a 127.0.0.1",
    "-m 8222",
    "-m 8222 -ms 8223",
    "-n name",
    "-n 'a b'",
    "-D",
    "-V",
    "-DV",
    "-DVV",
    "-VV",
    "-D=false",
    "-DV=false",
    "-T=false",
    "--user x",
    "--user x --pass y",
    "--pass y",
    "--auth t",
    "--auth t --user x --pass y",
    "--cluster nats://127.0.0.1:6222",
    "--cluster \"\"",
    "--cluster bad",
    "--cluster nats://h:x",
    "--cluster nats://u:p@127.0.0.1:6222",
    "--cluster nats://u@127.0.0.1:6222",
    "--routes nats://127.0.0.1:6223",
    "--routes bad",
    "--routes ,",
    "--routes nats://a:1,nats://b:2",
    "--routes ://",
    "--routes %zz",
    "--cluster_name D",
    "--cluster_name 'a b'",
    "--cluster_advertise h:1",
    "--no_advertise",
    "--no_advertise=false",
    "--connect_retries 3",
    "--connect_retries -1",
    "--client_advertise h",
    "--client_advertise h:1",
    "--client_advertise :1",
    "--tls",
    "--tls=false",
    "--tlsverify",
    "--tls --tlscert cert.pem --tlskey key.pem",
    "--tls --tlscert key.pem --tlskey cert.pem",
    "--tls --tlscert cert.pem --tlskey key.pem --tlscacert ca.pem --tlsverify",
    "--tls --tlscert cert.pem --tlskey key.pem --tlscacert key.pem --tlsverify",
    "-js",
    "-js -sd /tmp/x",
    "-sd /tmp/x",
    "--profile 6060",
    "-l /tmp/x.log",
    "--log_size_limit 10",
    "-s",
    "-r udp://localhost:514",
    "-P /tmp/x.pid",
    "--ports_file_dir /tmp",
    "--max_traced_msg_len 5",
    "--logtime_utc",
    "--help",
    "--version",
    "extra",
    "--no_such",
];

/// Configurations that pass the check, or not, and make starting fail.
const STARTS: &[(&str, &str)] = &[
    ("bad_host", "listen: \"999.1.1.1:-1\""),
    ("host_unknown", "host: \"no.such.host.invalid\", port: -1"),
    ("pid_file", "port: -1, pid_file: \"{dir}/no/such/pid\""),
    ("log_file", "port: -1, log_file: \"{dir}/no/such/log\""),
    ("http_and_https", "port: -1, http: 1, https: 2"),
    ("no_auth_user", "port: -1, no_auth_user: nobody"),
    ("max_payload_pending", "port: -1, max_payload: 100, max_pending: 10"),
    ("lame_duck", "port: -1, lame_duck_duration: \"1s\""),
    ("cluster_name_spaces", "port: -1\ncluster { name: \"a b\", port: -1 }"),
    ("gateway_name", "port: -1\ngateway { port: -1 }"),
    (
        "gateway_cluster_names",
        "port: -1\ncluster { name: A, port: -1 }\ngateway { name: B, port: -1 }",
    ),
    ("server_name_spaces", "port: -1, server_name: \"a b\", jetstream: true"),
    ("system_account", "port: -1, system_account: NONE"),
    (
        "users_and_accounts",
        "port: -1\nauthorization { users: [ { user: a, password: b } ] }\naccounts { A { users: [ { user: a, password: b } ] } }",
    ),
    ("advertise", "port: -1, client_advertise: \"a:b:c\""),
    (
        "tls_missing",
        "port: -1\ntls { cert_file: \"{dir}/none.pem\", key_file: \"{dir}/none.pem\" }",
    ),
    ("websocket_no_tls", "port: -1\nwebsocket { port: -1 }"),
    ("mqtt_alone", "port: -1\nmqtt { port: -1 }"),
    ("mqtt_no_jetstream", "port: -1, server_name: s\nmqtt { port: -1 }"),
    (
        "operator_users",
        "port: -1\noperator: \"eyJ0eXAiOiJKV1QifQ.e30.x\"\nauthorization { user: a, password: b }",
    ),
    ("trusted_bad", "port: -1, trusted_keys: [\"x\"]"),
    ("write_timeout", "port: -1, write_timeout: retry"),
    (
        "pinned",
        "port: -1\ntls { cert_file: \"cert.pem\", key_file: \"key.pem\", pinned_certs: [\"zz\"] }",
    ),
    ("unknown_key", "port: -1, no_such_key: 1"),
];

pub(super) fn suites() -> Vec<Suite> {
    let split = |line: &str| {
        let words = line.split(' ').filter(|word| !word.is_empty());
        words.map(|word| word.trim_matches(['"', '\'']).to_owned()).collect::<Vec<_>>()
    };
    let alone = ALONE.iter().map(|line| Flags {
        name: (*line).to_owned(),
        config: None,
        args: split(line),
    });
    let checked = CHECKED.iter().map(|line| Flags {
        name: format!("-t {line}"),
        config: Some(CONFIG),
        args: [vec!["-t".to_owned()], split(line)].concat(),
    });
    let starts = STARTS.iter().flat_map(|(name, config)| {
        // Those that only the check lets end are checked alone.
        let check = Flags {
            name: format!("{name}_check"),
            config: Some(config),
            args: vec!["-t".to_owned()],
        };
        [check]
    });
    vec![
        Suite { name: "flags::alone".to_owned(), work: Work::Flags(alone.collect()) },
        Suite { name: "flags::checked".to_owned(), work: Work::Flags(checked.collect()) },
        Suite { name: "flags::starts".to_owned(), work: Work::Flags(starts.collect()) },
    ]
}

pub(super) fn ask(flags: &Flags, place: &Place) -> Answer {
    let mut args: Vec<String> = Vec::new();
    let mut asked = flags.name.clone();
    if let Some(config) = flags.config {
        asked.push_str(&format!("\n{config}"));
        args.extend(["-c".to_owned(), place.config(config).to_string_lossy().into_owned()]);
    }
    args.extend(flags.args.iter().cloned());
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    Answer { script: flags.name.clone(), asked, text: place.run(&args) }
}
