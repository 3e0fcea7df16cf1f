//! The server's log: exchanged, reopened, and free of secrets.

use crate::Cx;
use nats_server::base::Env;
use nats_server::logging::redact::redact_secrets;
use nats_server::logging::{Level, LogOptions, Logger, Target};
use std::path::Path;

crate::cases! {
    "server/log_test.go",
    library switches_and_levels => ["TestSetLogger"],
    library reopen => ["TestReOpenLogFile"],
    library size_limit_survives_reopen => ["TestFileLoggerSizeLimitAndReopen"],
    wire no_password_in_the_trace_of_connect => ["TestNoPasswordsFromConnectTrace"],
    library passwords_are_redacted => ["TestRemovePassFromTrace"],
    library tokens_are_redacted => ["TestRemoveAuthTokenFromTrace"],
    library signatures_are_redacted => ["TestRemoveAdditionalAuthFieldsFromTrace"],
}

fn switches_and_levels() {
    let (log, lines) = Logger::captured(&Env::os());
    assert!(log.debug_on() && log.trace_on() && log.trace_verbose_on());
    log.info(format_args!("a notice"));
    log.error(format_args!("an error"));
    log.fatal(format_args!("a fatal"));
    log.debug(format_args!("a detail"));
    log.trace(format_args!("a protocol line"));
    log.warn(format_args!("a warning"));
    let texts: Vec<_> = lines.texts();
    let expected = [
        (Level::Info, "a notice"),
        (Level::Error, "an error"),
        (Level::Fatal, "a fatal"),
        (Level::Debug, "a detail"),
        (Level::Trace, "a protocol line"),
        (Level::Warn, "a warning"),
    ];
    assert!(texts.iter().map(|(level, text)| (*level, text.as_str())).eq(expected), "{texts:?}");

    lines.clear();
    log.set_debug(false);
    log.set_trace(false, false);
    log.debug(format_args!("off"));
    log.trace(format_args!("off"));
    assert_eq!(lines.texts(), []);
}

fn to_file(path: &Path, size_limit: u64) -> LogOptions {
    let target = Target::File { path: path.to_owned(), size_limit, max_files: 0 };
    LogOptions { target, ..Default::default() }
}

fn text(env: &Env, path: &Path) -> String {
    env.fs().read_to_string(path).expect("a log file")
}

fn reopen() {
    let env = Env::os();
    Logger::none(&env).reopen();
    let (log, lines) = Logger::captured(&env);
    log.reopen();
    assert!(lines.contains(Level::Info, "File log re-open ignored, not a file logger"));

    let dir = tempfile::tempdir().expect("a directory");
    let (path, moved) = (dir.path().join("nats.log"), dir.path().join("nats.log.bak"));
    log.reconfigure(&to_file(&path, 0)).expect("a log file");
    log.info(format_args!("before"));
    assert!(text(&env, &path).contains("[INF] before\n"));
    env.fs().rename(&path, &moved).expect("a rename");
    log.reopen();
    assert!(text(&env, &path).ends_with("[INF] File log re-opened\n"));
    log.info(format_args!("after"));
    assert!(text(&env, &path).ends_with("[INF] after\n"));
    let old = text(&env, &moved);
    assert!(old.contains("before") && !old.contains("after"), "{old}");
}

fn size_limit_survives_reopen() {
    let env = Env::os();
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("nats.log");
    let log = Logger::new(&env, &to_file(&path, 1000)).expect("a log file");
    log.info(format_args!("first"));
    log.reopen();
    let so_far = text(&env, &path);
    assert!(so_far.contains("first") && so_far.ends_with("[INF] File log re-opened\n"));
    log.info(format_args!("{}", "A".repeat(800)));
    log.info(format_args!("{}", "B".repeat(800)));
    let current = text(&env, &path);
    assert!(!current.contains("AAAA") && !current.contains("BBBB"), "{current}");
    assert!(current.contains("Rotated log, backup saved"), "{current}");
}

#[track_caller]
fn assert_redacted(input: &str, expected: &str) {
    let output = redact_secrets(input.as_bytes());
    assert_eq!(String::from_utf8_lossy(&output), expected, "from {input}");
}

/// Every form in which a client may write `key`, well or badly.
fn check_key(key: &str) {
    for (value, quote) in
        [("hush", "\""), ("", "\""), ("    ", "\""), ("a long one", "\""), ("hush", "")]
    {
        for (before, after) in [("", ""), ("   ", ""), ("   ", "   ")] {
            // Without quotes, spaces after a value are as good as part of it.
            let after = if quote.is_empty() { "" } else { after };
            assert_redacted(
                &format!(
                    "CONNECT {{\"user\":\"u\",\"{key}\":{before}{quote}{value}{quote}{after}}}\r\n"
                ),
                &format!(
                    "CONNECT {{\"user\":\"u\",\"{key}\":{before}{quote}[REDACTED]{quote}{after}}}\r\n"
                ),
            );
        }
    }
    for (input, expected) in [
        // The first key, the last, alone, with a comma too many, cut short.
        (r#"{"K":"hush","user":"u"}"#, r#"{"K":"[REDACTED]","user":"u"}"#),
        (r#"{"K":"hush",}"#, r#"{"K":"[REDACTED]",}"#),
        ("{K:hush\r\n", "{K:[REDACTED]\r\n"),
        // No JSON at all.
        ("{K:hush ,   password =  hush}", "{K:[REDACTED],   password =  [REDACTED]}"),
        ("{K:hush ,   password=  hush}", "{K:[REDACTED],   password=  [REDACTED]}"),
        ("{user = u, K =  hush}", "{user = u, K =  [REDACTED]}"),
        // More than once, and beside other keys.
        (
            r#"{"K":"a","K":"b","pass":"c"}"#,
            r#"{"K":"[REDACTED]","K":"[REDACTED]","pass":"[REDACTED]"}"#,
        ),
        (
            r#"{K = "a",pass= "b",password ="c"}"#,
            r#"{K = "[REDACTED]",pass= "[REDACTED]",password ="[REDACTED]"}"#,
        ),
        // Only the secret goes, however often the same text is there.
        (
            r#"{"user":"hush","K":"hush","name":"hush"}"#,
            r#"{"user":"hush","K":"[REDACTED]","name":"hush"}"#,
        ),
        ("\t {\"echo\":true,\"K\":\"hush\"}", "\t {\"echo\":true,\"K\":\"[REDACTED]\"}"),
    ] {
        let with_key = |text: &str| format!("CONNECT {}", text.replace('K', key));
        assert_redacted(&with_key(input), &with_key(expected));
    }
}

fn passwords_are_redacted() {
    check_key("pass");
    check_key("password");
}

fn tokens_are_redacted() {
    check_key("auth_token");
}

fn signatures_are_redacted() {
    for key in ["sig", "nkey", "proxy_sig"] {
        check_key(key);
    }
    for (input, expected) in [
        // One key within another, in either order.
        (r#"{"proxy_sig":"a","sig":"b"}"#, r#"{"proxy_sig":"[REDACTED]","sig":"[REDACTED]"}"#),
        (r#"{"sig":"b","proxy_sig":"a"}"#, r#"{"sig":"[REDACTED]","proxy_sig":"[REDACTED]"}"#),
        // What looks like a key in a value does not hide the key.
        (r#"{"name":"my sig:x","sig":"b"}"#, r#"{"name":"my sig:[REDACTED]","sig":"[REDACTED]"}"#),
        ("sig=b\r\n", "sig=[REDACTED]\r\n"),
        (r#"{"name":"open,"sig":"b"}"#, r#"{"name":"open,"sig":"[REDACTED]"}"#),
        // Other words that end alike are left alone.
        (r#"{"design":"b","my_sig":"c"}"#, r#"{"design":"b","my_sig":"c"}"#),
    ] {
        assert_redacted(&format!("CONNECT {input}"), &format!("CONNECT {expected}"));
    }
}

async fn no_password_in_the_trace_of_connect(cx: Cx) {
    let config = "trace: true, authorization { user: derek, password: s3cr3t }";
    let server = cx.server(config).await;
    server.allow_errors("authentication error");
    for pass in ["s3cr3t", "not-s3cr3t"] {
        let from = server.log().len();
        let mut c = server.raw().await;
        c.connect(serde_json::json!({"user": "derek", "pass": pass})).await;
        c.expect_re(r"^(\+OK|-ERR 'Authorization Violation')$").await;
        let line = server.log_line_from(from, "<<- [CONNECT ").await;
        assert!(line.contains(r#""pass":"[REDACTED]""#), "{line}");
    }
    assert!(!server.log().contains("s3cr3t"));
}
