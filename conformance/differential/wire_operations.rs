//! Each operation's well-formed and malformed forms, in each mode a client may ask for.

use super::Suite;
use super::wire::{CONNECT, Script, Turn, greeted, logged, suite};

/// The modes of CONNECT in which the forms are sent.
const MODES: &[(&str, &str)] = &[
    ("plain", r#"{"verbose":false,"pedantic":false}"#),
    ("verbose", r#"{"verbose":true,"pedantic":false}"#),
    ("pedantic", r#"{"verbose":false,"pedantic":true}"#),
    ("headers", r#"{"verbose":false,"headers":true,"no_responders":true,"protocol":1}"#),
    ("picky_headers", r#"{"verbose":true,"pedantic":true,"headers":true,"echo":true}"#),
];

/// One connection's operations: `name`, bytes. A `PING` follows each.
const OPERATIONS: &[(&str, &str)] = &[
    ("nothing", ""),
    // PING, PONG, +OK, -ERR, INFO
    ("ping_lower", "ping\r\n"),
    ("ping_mixed", "PiNg\r\n"),
    ("ping_trailing", "PING trailing words\r\n"),
    ("ping_space", "PING \r\n"),
    ("ping_lone_lf", "PING\n"),
    ("ping_cut", "PIN\r\n"),
    ("ping_long", "PINGG\r\n"),
    ("pong", "PONG\r\n"),
    ("pong_lower", "pong\r\n"),
    ("pong_trailing", "PONG x\r\n"),
    ("pong_cut", "PON\r\n"),
    ("ok", "+OK\r\n"),
    ("ok_lower", "+ok\r\n"),
    ("ok_trailing", "+OK x\r\n"),
    ("ok_cut", "+O\r\n"),
    ("err", "-ERR 'x'\r\n"),
    ("err_no_text", "-ERR\r\n"),
    ("err_lower", "-err x\r\n"),
    ("err_cut", "-ER\r\n"),
    ("info", "INFO {}\r\n"),
    ("info_full", "INFO {\"server_id\":\"x\"}\r\n"),
    ("info_not_json", "INFO x\r\n"),
    ("info_empty", "INFO\r\n"),
    ("info_lower", "info {}\r\n"),
    ("info_cut", "INF\r\n"),
    // No operation at all
    ("empty_line", "\r\n"),
    ("lone_lf", "\n"),
    ("lone_cr", "\r"),
    ("space", " \r\n"),
    ("space_ping", " PING\r\n"),
    ("nul", "\0\r\n"),
    ("unknown", "FOO\r\n"),
    ("http", "GET / HTTP/1.1\r\n\r\n"),
    ("tls_hello", "\u{16}\u{3}\u{1}\u{2}\0\r\n"),
    ("route_op", "RS+ $G foo\r\n"),
    ("route_unsub", "RS- $G foo\r\n"),
    ("route_msg", "RMSG $G foo 2\r\nok\r\n"),
    ("account_op", "A+ foo\r\n"),
    ("account_minus", "A- foo\r\n"),
    ("leaf_op", "LS+ foo\r\n"),
    ("leaf_minus", "LS- foo\r\n"),
    ("leaf_msg", "LMSG foo 2\r\nok\r\n"),
    ("msg", "MSG foo 1 2\r\nok\r\n"),
    ("hmsg", "HMSG foo 1 12 14\r\nNATS/1.0\r\n\r\nok\r\n"),
    // SUB
    ("sub", "SUB op.a 1\r\n"),
    ("sub_queue", "SUB op.a q 1\r\n"),
    ("sub_lower", "sub op.a 1\r\n"),
    ("sub_tabs", "SUB\top.a\t1\r\n"),
    ("sub_spaces", "SUB   op.a   q   1   \r\n"),
    ("sub_lone_lf", "SUB op.a 1\n"),
    ("sub_none", "SUB\r\n"),
    ("sub_none_space", "SUB \r\n"),
    ("sub_one", "SUB op.a\r\n"),
    ("sub_four", "SUB op.a q 1 x\r\n"),
    ("sub_five", "SUB op.a q 1 x y\r\n"),
    ("sub_no_space", "SUBop.a 1\r\n"),
    ("sub_cut", "SU op.a 1\r\n"),
    ("sub_sid_word", "SUB op.a sid-word\r\n"),
    ("sub_sid_long", "SUB op.a 123456789012345678901234567890\r\n"),
    ("sub_same_sid", "SUB op.a 1\r\nSUB op.b 1\r\nPUB op.b 1\r\nx\r\n"),
    ("sub_same_again", "SUB op.a 1\r\nSUB op.a 1\r\nPUB op.a 1\r\nx\r\n"),
    ("sub_empty_token", "SUB op..a 1\r\n"),
    ("sub_leading_dot", "SUB .op 1\r\n"),
    ("sub_trailing_dot", "SUB op. 1\r\n"),
    ("sub_dot", "SUB . 1\r\n"),
    ("sub_star", "SUB * 1\r\nPUB op 1\r\nx\r\n"),
    ("sub_gt", "SUB op.> 1\r\nPUB op.a.b 1\r\nx\r\n"),
    ("sub_gt_middle", "SUB op.>.a 1\r\n"),
    ("sub_gt_joined", "SUB op.a> 1\r\nPUB op.a> 1\r\nx\r\n"),
    ("sub_star_joined", "SUB op.a* 1\r\nPUB op.a* 1\r\nx\r\n"),
    ("sub_utf8", "SUB op.é 1\r\nPUB op.é 1\r\nx\r\n"),
    ("sub_queue_star", "SUB op.a q* 1\r\n"),
    ("sub_queue_gt", "SUB op.a > 1\r\n"),
    ("sub_queue_dots", "SUB op.a q..a 1\r\n"),
    ("sub_queue_dot", "SUB op.a . 1\r\n"),
    ("sub_sys", "SUB $SYS.> 1\r\n"),
    ("sub_js", "SUB $JS.> 1\r\n"),
    ("sub_gr", "SUB _GR_.> 1\r\n"),
    ("sub_nrg", "SUB $NRG.> 1\r\n"),
    // UNSUB
    ("unsub_unknown", "UNSUB 1\r\n"),
    ("unsub", "SUB op.a 1\r\nUNSUB 1\r\nPUB op.a 1\r\nx\r\n"),
    ("unsub_lower", "SUB op.a 1\r\nunsub 1\r\nPUB op.a 1\r\nx\r\n"),
    ("unsub_none", "UNSUB\r\n"),
    ("unsub_none_space", "UNSUB \r\n"),
    ("unsub_three", "UNSUB 1 2 3\r\n"),
    (
        "unsub_max",
        "SUB op.a 1\r\nUNSUB 1 2\r\nPUB op.a 1\r\na\r\nPUB op.a 1\r\nb\r\nPUB op.a 1\r\nc\r\n",
    ),
    (
        "unsub_max_past",
        "SUB op.a 1\r\nPUB op.a 1\r\na\r\nPUB op.a 1\r\nb\r\nUNSUB 1 1\r\nPUB op.a 1\r\nc\r\n",
    ),
    ("unsub_max_zero", "SUB op.a 1\r\nUNSUB 1 0\r\nPUB op.a 1\r\na\r\n"),
    ("unsub_max_negative", "SUB op.a 1\r\nUNSUB 1 -1\r\nPUB op.a 1\r\na\r\n"),
    ("unsub_max_word", "SUB op.a 1\r\nUNSUB 1 x\r\nPUB op.a 1\r\na\r\n"),
    ("unsub_max_huge", "SUB op.a 1\r\nUNSUB 1 99999999999999999999\r\nPUB op.a 1\r\na\r\n"),
    ("unsub_twice", "SUB op.a 1\r\nUNSUB 1\r\nUNSUB 1\r\n"),
    (
        "unsub_raised",
        "SUB op.a 1\r\nUNSUB 1 1\r\nUNSUB 1 2\r\nPUB op.a 1\r\na\r\nPUB op.a 1\r\nb\r\nPUB op.a 1\r\nc\r\n",
    ),
    ("unsub_cut", "UNSU 1\r\n"),
    // PUB
    ("pub", "SUB op.a 1\r\nPUB op.a 5\r\nhello\r\n"),
    ("pub_reply", "SUB op.a 1\r\nPUB op.a op.r 5\r\nhello\r\n"),
    ("pub_lower", "SUB op.a 1\r\npub op.a 5\r\nhello\r\n"),
    ("pub_tabs", "SUB op.a 1\r\nPUB\top.a\top.r\t5\r\nhello\r\n"),
    ("pub_spaces", "SUB op.a 1\r\nPUB   op.a   op.r   5  \r\nhello\r\n"),
    ("pub_empty", "SUB op.a 1\r\nPUB op.a 0\r\n\r\n"),
    ("pub_leading_zero", "SUB op.a 1\r\nPUB op.a 005\r\nhello\r\n"),
    ("pub_none", "PUB\r\n"),
    ("pub_none_space", "PUB \r\n"),
    ("pub_one", "PUB op.a\r\n"),
    ("pub_four", "PUB op.a r 5 6\r\nhello\r\n"),
    ("pub_size_word", "PUB op.a five\r\nhello\r\n"),
    ("pub_size_negative", "PUB op.a -5\r\nhello\r\n"),
    ("pub_size_plus", "PUB op.a +5\r\nhello\r\n"),
    ("pub_size_hex", "PUB op.a 0x5\r\nhello\r\n"),
    ("pub_size_float", "PUB op.a 5.0\r\nhello\r\n"),
    ("pub_size_huge", "PUB op.a 99999999999999999999\r\nhello\r\n"),
    ("pub_size_ten_digits", "PUB op.a 9999999999\r\nhello\r\n"),
    ("pub_size_nine_digits", "PUB op.a 999999999\r\nhello\r\n"),
    ("pub_too_short", "SUB op.a 1\r\nPUB op.a 6\r\nhello\r\n"),
    ("pub_too_long", "SUB op.a 1\r\nPUB op.a 4\r\nhello\r\n"),
    ("pub_no_crlf", "SUB op.a 1\r\nPUB op.a 5\r\nhelloPUB"),
    ("pub_lone_lf_line", "SUB op.a 1\r\nPUB op.a 5\nhello\r\n"),
    ("pub_lone_lf_end", "SUB op.a 1\r\nPUB op.a 5\r\nhello\n"),
    ("pub_cr_in_line", "SUB op.a 1\r\nPUB op.a \r5\r\nhello\r\n"),
    ("pub_crlf_payload", "SUB op.a 1\r\nPUB op.a 2\r\n\r\n\r\n"),
    ("pub_no_space", "PUBop.a 5\r\nhello\r\n"),
    ("pub_cut", "PU op.a 5\r\nhello\r\n"),
    ("pub_star", "SUB op.* 1\r\nPUB op.* 1\r\nx\r\n"),
    ("pub_gt", "SUB op.> 1\r\nPUB op.> 1\r\nx\r\n"),
    ("pub_empty_token", "SUB op.> 1\r\nPUB op..a 1\r\nx\r\n"),
    ("pub_leading_dot", "SUB > 1\r\nPUB .op 1\r\nx\r\n"),
    ("pub_trailing_dot", "SUB > 1\r\nPUB op. 1\r\nx\r\n"),
    ("pub_reply_star", "SUB op.a 1\r\nPUB op.a op.* 1\r\nx\r\n"),
    ("pub_reply_empty_token", "SUB op.a 1\r\nPUB op.a op..r 1\r\nx\r\n"),
    ("pub_utf8", "SUB op.> 1\r\nPUB op.ü 1\r\nx\r\n"),
    ("pub_no_interest", "PUB op.none 1\r\nx\r\n"),
    ("pub_no_responders", "SUB op.r 1\r\nPUB op.none op.r 1\r\nx\r\n"),
    ("pub_no_responders_unheard", "PUB op.none op.r 1\r\nx\r\n"),
    ("pub_own_reply", "SUB op.a 1\r\nPUB op.a op.a 1\r\nx\r\n"),
    ("pub_two_subs", "SUB op.a 1\r\nSUB op.* 2\r\nPUB op.a 1\r\nx\r\n"),
    ("pub_queue_and_plain", "SUB op.a q 1\r\nPUB op.a 1\r\nx\r\nPUB op.a 1\r\ny\r\n"),
    ("pub_sys", "PUB $SYS.REQ.SERVER.PING op.r 0\r\n\r\n"),
    ("pub_gr", "PUB _GR_.x 1\r\nx\r\n"),
    ("pub_js", "SUB op.r 1\r\nPUB $JS.API.INFO op.r 0\r\n\r\n"),
    // HPUB
    ("hpub", "SUB op.a 1\r\nHPUB op.a 12 17\r\nNATS/1.0\r\n\r\nhello\r\n"),
    ("hpub_reply", "SUB op.a 1\r\nHPUB op.a op.r 12 17\r\nNATS/1.0\r\n\r\nhello\r\n"),
    ("hpub_lower", "SUB op.a 1\r\nhpub op.a 12 17\r\nNATS/1.0\r\n\r\nhello\r\n"),
    ("hpub_spaces", "SUB op.a 1\r\nHPUB  op.a   12   17 \r\nNATS/1.0\r\n\r\nhello\r\n"),
    ("hpub_key", "SUB op.a 1\r\nHPUB op.a 18 23\r\nNATS/1.0\r\nA: B\r\n\r\nhello\r\n"),
    ("hpub_no_body", "SUB op.a 1\r\nHPUB op.a 12 12\r\nNATS/1.0\r\n\r\n\r\n"),
    ("hpub_none", "HPUB\r\n"),
    ("hpub_one", "HPUB op.a\r\n"),
    ("hpub_two", "HPUB op.a 12\r\nNATS/1.0\r\n\r\n\r\n"),
    ("hpub_five", "HPUB op.a r 12 17 9\r\nNATS/1.0\r\n\r\nhello\r\n"),
    ("hpub_header_past_total", "HPUB op.a 20 17\r\nNATS/1.0\r\n\r\nhello\r\n"),
    ("hpub_header_word", "HPUB op.a x 17\r\nNATS/1.0\r\n\r\nhello\r\n"),
    ("hpub_total_word", "HPUB op.a 12 x\r\nNATS/1.0\r\n\r\nhello\r\n"),
    ("hpub_header_negative", "HPUB op.a -12 17\r\nNATS/1.0\r\n\r\nhello\r\n"),
    ("hpub_total_negative", "HPUB op.a 12 -17\r\nNATS/1.0\r\n\r\nhello\r\n"),
    ("hpub_header_zero", "SUB op.a 1\r\nHPUB op.a 0 5\r\nhello\r\n"),
    ("hpub_both_zero", "SUB op.a 1\r\nHPUB op.a 0 0\r\n\r\n"),
    ("hpub_not_headers", "SUB op.a 1\r\nHPUB op.a 5 5\r\nhello\r\n"),
    ("hpub_bad_version", "SUB op.a 1\r\nHPUB op.a 12 17\r\nNATS/9.9\r\n\r\nhello\r\n"),
    ("hpub_status", "SUB op.a 1\r\nHPUB op.a 16 21\r\nNATS/1.0 503\r\n\r\nhello\r\n"),
    ("hpub_no_end", "SUB op.a 1\r\nHPUB op.a 10 15\r\nNATS/1.0\r\nhello\r\n"),
    ("hpub_too_short", "SUB op.a 1\r\nHPUB op.a 12 20\r\nNATS/1.0\r\n\r\nhello\r\n"),
    ("hpub_star", "SUB op.> 1\r\nHPUB op.* 12 12\r\nNATS/1.0\r\n\r\n\r\n"),
    ("hpub_cut", "HPU op.a 12 12\r\nNATS/1.0\r\n\r\n\r\n"),
    ("hpub_no_responders", "SUB op.r 1\r\nHPUB op.none op.r 12 12\r\nNATS/1.0\r\n\r\n\r\n"),
    (
        "hpub_trace_only",
        "SUB op.t 1\r\nSUB op.a 2\r\nHPUB op.a 55 57\r\nNATS/1.0\r\nNats-Trace-Dest:op.t\r\nNats-Trace-Only:true\r\n\r\nok\r\n",
    ),
    // CONNECT again
    ("connect_again", "CONNECT {}\r\n"),
    ("connect_again_verbose", "CONNECT {\"verbose\":true}\r\nSUB op.a 1\r\n"),
    ("connect_again_bad", "CONNECT {\r\n"),
];

/// What a connection may send first. A `PING` follows each.
const CONNECTS: &[(&str, &str)] = &[
    ("none", ""),
    ("empty_object", "CONNECT {}\r\n"),
    ("lower", "connect {}\r\n"),
    ("no_json", "CONNECT\r\n"),
    ("no_json_space", "CONNECT \r\n"),
    ("not_json", "CONNECT hello\r\n"),
    ("cut_json", "CONNECT {\"verbose\":tr\r\n"),
    ("array", "CONNECT []\r\n"),
    ("null", "CONNECT null\r\n"),
    ("number", "CONNECT 1\r\n"),
    ("string", "CONNECT \"x\"\r\n"),
    ("trailing", "CONNECT {} x\r\n"),
    ("trailing_space", "CONNECT {}   \r\n"),
    ("two_objects", "CONNECT {}{}\r\n"),
    ("tab", "CONNECT\t{}\r\n"),
    ("no_space", "CONNECT{}\r\n"),
    ("cut", "CONNEC {}\r\n"),
    ("duplicate_field", "CONNECT {\"verbose\":true,\"verbose\":false}\r\n"),
    ("field_case", "CONNECT {\"VERBOSE\":true}\r\n"),
    ("unknown_field", "CONNECT {\"no_such\":{\"a\":[1]}}\r\n"),
    ("verbose_word", "CONNECT {\"verbose\":\"true\"}\r\n"),
    ("verbose_number", "CONNECT {\"verbose\":1}\r\n"),
    ("verbose_null", "CONNECT {\"verbose\":null}\r\n"),
    ("pedantic_word", "CONNECT {\"pedantic\":\"yes\"}\r\n"),
    ("echo_word", "CONNECT {\"echo\":\"no\"}\r\n"),
    ("name_number", "CONNECT {\"name\":1}\r\n"),
    ("user_number", "CONNECT {\"user\":1,\"pass\":2}\r\n"),
    ("protocol_zero", "CONNECT {\"protocol\":0}\r\n"),
    ("protocol_one", "CONNECT {\"protocol\":1}\r\n"),
    ("protocol_two", "CONNECT {\"protocol\":2}\r\n"),
    ("protocol_negative", "CONNECT {\"protocol\":-1}\r\n"),
    ("protocol_huge", "CONNECT {\"protocol\":99999999999999999999}\r\n"),
    ("protocol_word", "CONNECT {\"protocol\":\"1\"}\r\n"),
    ("protocol_float", "CONNECT {\"protocol\":1.5}\r\n"),
    ("protocol_float_whole", "CONNECT {\"protocol\":1.0}\r\n"),
    ("no_responders_alone", "CONNECT {\"no_responders\":true}\r\n"),
    ("no_responders_no_headers", "CONNECT {\"headers\":false,\"no_responders\":true}\r\n"),
    ("headers", "CONNECT {\"headers\":true}\r\n"),
    ("headers_word", "CONNECT {\"headers\":\"x\"}\r\n"),
    ("tls_required", "CONNECT {\"tls_required\":true}\r\n"),
    ("account", "CONNECT {\"account\":\"A\"}\r\n"),
    ("account_global", "CONNECT {\"account\":\"$G\"}\r\n"),
    ("new_account", "CONNECT {\"account\":\"A\",\"new_account\":true}\r\n"),
    ("user_unasked", "CONNECT {\"user\":\"a\",\"pass\":\"b\"}\r\n"),
    ("token_unasked", "CONNECT {\"auth_token\":\"a\"}\r\n"),
    ("jwt_unasked", "CONNECT {\"jwt\":\"a\",\"sig\":\"b\"}\r\n"),
    ("nkey_unasked", "CONNECT {\"nkey\":\"UA\",\"sig\":\"b\"}\r\n"),
    ("name_utf8", "CONNECT {\"name\":\"ünï\\u0041\",\"lang\":\"x\",\"version\":\"1\"}\r\n"),
    ("name_bad_escape", "CONNECT {\"name\":\"\\x\"}\r\n"),
    ("name_lone_surrogate", "CONNECT {\"name\":\"\\ud800\"}\r\n"),
    ("name_control", "CONNECT {\"name\":\"a\tb\"}\r\n"),
    ("import", "CONNECT {\"import\":{\"allow\":[\"a\"]}}\r\n"),
    ("import_word", "CONNECT {\"import\":\"a\"}\r\n"),
    ("gateway", "CONNECT {\"gateway\":\"A\"}\r\n"),
    ("verbose", "CONNECT {\"verbose\":true}\r\n"),
    ("verbose_pedantic", "CONNECT {\"verbose\":true,\"pedantic\":true}\r\nSUB op..a 1\r\n"),
    ("no_echo", "CONNECT {\"verbose\":false,\"echo\":false}\r\nSUB op.e 1\r\nPUB op.e 1\r\nx\r\n"),
    ("default_modes", "CONNECT {}\r\nSUB op.e 1\r\nPUB op.e 1\r\nx\r\n"),
    ("pub_before", "PUB op.e 1\r\nx\r\n"),
    ("sub_before", "SUB op.e 1\r\nPUB op.e 1\r\nx\r\n"),
    ("hpub_before", "HPUB op.e 12 12\r\nNATS/1.0\r\n\r\n\r\n"),
    ("newline_in_json", "CONNECT {\"verbose\":\r\ntrue}\r\n"),
];

/// Several connections: what reaches whom. A `PING` follows each turn.
const CROWDS: &[(&str, &[(usize, &str)])] = &[
    ("delivered", &[(0, "SUB cr.a 1\r\n"), (1, "PUB cr.a 2\r\nhi\r\n")]),
    ("delivered_reply", &[(0, "SUB cr.a 1\r\n"), (1, "PUB cr.a cr.r 2\r\nhi\r\n")]),
    ("odd_line", &[(0, "SUB cr.a 1\r\n"), (1, "pub  cr.a\t 002\r\nhi\r\n")]),
    (
        "request",
        &[
            (0, "SUB cr.s 9\r\n"),
            (1, "SUB cr.r 1\r\nPUB cr.s cr.r 1\r\nq\r\n"),
            (0, "PUB cr.r 1\r\na\r\n"),
        ],
    ),
    ("two_receivers", &[(0, "SUB cr.a 1\r\n"), (1, "SUB cr.> 2\r\n"), (2, "PUB cr.a 1\r\nx\r\n")]),
    ("queue_one", &[(0, "SUB cr.q g 1\r\n"), (1, "PUB cr.q 1\r\na\r\nPUB cr.q 1\r\nb\r\n")]),
    ("queue_and_plain", &[(0, "SUB cr.q g 1\r\nSUB cr.q 2\r\n"), (1, "PUB cr.q 1\r\na\r\n")]),
    ("two_queues", &[(0, "SUB cr.q g 1\r\nSUB cr.q h 2\r\n"), (1, "PUB cr.q 1\r\na\r\n")]),
    (
        "auto_unsub",
        &[(0, "SUB cr.u 1\r\nUNSUB 1 1\r\n"), (1, "PUB cr.u 1\r\na\r\nPUB cr.u 1\r\nb\r\n")],
    ),
    ("binary", &[(0, "SUB cr.b 1\r\n"), (1, "PUB cr.b 6\r\n\0\u{1}\r\n\t\u{7f}\r\n")]),
    ("no_responders", &[(0, "SUB cr.r 1\r\n"), (1, "PUB cr.nobody cr.r 1\r\nx\r\n")]),
    (
        "headers_through",
        &[(0, "SUB cr.h 1\r\n"), (1, "HPUB cr.h 18 20\r\nNATS/1.0\r\nA: B\r\n\r\nhi\r\n")],
    ),
    (
        "headers_reply",
        &[(0, "SUB cr.h 1\r\n"), (1, "HPUB cr.h cr.r 18 20\r\nNATS/1.0\r\nA: B\r\n\r\nhi\r\n")],
    ),
    (
        "bad_publisher",
        &[(0, "SUB cr.a 1\r\n"), (1, "PUB cr.a 1\r\nx\r\nBAD\r\n"), (2, "PUB cr.a 1\r\ny\r\n")],
    ),
];

pub(super) fn suites() -> Vec<Suite> {
    let mut all = Vec::new();
    for (mode, json) in MODES {
        let connect = format!("CONNECT {json}\r\n");
        let scripts =
            OPERATIONS.iter().map(|(name, bytes)| Script::one(name, &connect, bytes)).collect();
        all.push(suite(&format!("operations_{mode}"), "", scripts));
        let crowds =
            CROWDS.iter().map(|(name, turns)| Script::many(name, &connect, turns)).collect();
        all.push(suite(&format!("crowd_{mode}"), "", crowds));
    }
    let connects = || CONNECTS.iter().map(|(name, bytes)| Script::one(name, "", bytes)).collect();
    all.push(suite("connects", "", connects()));
    all.push(suite("connects_no_headers", "no_header_support: true", connects()));
    all.push(suite("splits", "", splits()));
    for (name, config) in INFO_CONFIGS {
        all.push(greeted(name, config, info()));
    }
    all.push(logged("connects", "debug: true, trace: true", connects()));
    let traced = OPERATIONS.iter().map(|(name, bytes)| {
        Script::one(name, "CONNECT {\"headers\":true,\"verbose\":true}\r\n", bytes)
    });
    all.push(logged("operations", "debug: true, trace: true", traced.collect()));
    all
}

/// A conversation cut in two at each byte, and into single bytes.
fn splits() -> Vec<Script> {
    const TALK: &str = "SUB sp.a 1\r\nPUB sp.a sp.r 5\r\nhello\r\nHPUB sp.a 18 20\r\nNATS/1.0\r\n\
                        A: B\r\n\r\nhi\r\nUNSUB 1\r\nPING\r\n";
    let connect = "CONNECT {\"headers\":true}\r\n";
    let talk = format!("{connect}{TALK}");
    let bytes = talk.as_bytes();
    let mut all: Vec<Script> = (1..bytes.len())
        .map(|at| Script {
            name: format!("at_{at}"),
            turns: vec![Turn::pieces(0, &[&bytes[..at], &bytes[at..]])],
        })
        .collect();
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    all.push(Script { name: "bytes".to_owned(), turns: vec![Turn::pieces(0, &single)] });
    for (name, bad) in [("bad_verb", "PUX"), ("bad_payload_end", "PUB sp.a 2\r\nhixx")] {
        let talk = format!("{CONNECT}{bad}\r\nPING\r\n");
        let single: Vec<&[u8]> = talk.as_bytes().chunks(1).collect();
        let turns = vec![Turn::pieces(0, &single)];
        all.push(Script { name: format!("{name}_bytes"), turns });
    }
    all
}

/// Configurations that INFO tells of.
const INFO_CONFIGS: &[(&str, &str)] = &[
    ("plain", ""),
    ("named", "server_name: \"name\""),
    ("max_payload", "max_payload: 1234"),
    ("max_payload_large", "max_payload: 9MB"),
    ("no_headers", "no_header_support: true"),
    ("user", "authorization { user: a, password: b }"),
    ("token", "authorization { token: t }"),
    (
        "nkey",
        "authorization { users: [ { nkey: UCNGL4W5QX66CFX6A6DCBVDH5VOHMI7B2UZZU7TXAUQQSI2JPHULCKBR } ] }",
    ),
    ("no_auth_user", "authorization { users: [ { user: a, password: b } ] }\nno_auth_user: a"),
    ("tls", "tls { cert_file: \"cert.pem\", key_file: \"key.pem\" }"),
    (
        "tls_verify",
        "tls { cert_file: \"cert.pem\", key_file: \"key.pem\", ca_file: \"ca.pem\", verify: true }",
    ),
    (
        "tls_available",
        "allow_non_tls: true\ntls { cert_file: \"cert.pem\", key_file: \"key.pem\" }",
    ),
    ("advertise", "client_advertise: \"example.org:4333\""),
    ("no_system_account", "no_system_account: true"),
];

/// INFO itself: a second one comes where `protocol` asks for it.
fn info() -> Vec<Script> {
    vec![
        Script::one("silent", "", ""),
        Script::one("protocol_one", "CONNECT {\"protocol\":1}\r\n", ""),
        Script::one("verbose_protocol_one", "CONNECT {\"protocol\":1,\"verbose\":true}\r\n", ""),
    ]
}
