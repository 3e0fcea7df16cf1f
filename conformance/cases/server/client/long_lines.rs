//! Lines as long as the configuration allows.

use crate::Cx;

crate::cases! {
    "server/client_test.go",
    wire a_subject_of_many_kilobytes => [],
}

/// The length of a subject fits into more than two bytes.
async fn a_subject_of_many_kilobytes(cx: Cx) {
    crate::exercises!("config_keys", "top|max_control_line");
    let server = cx.server("max_control_line: 200KB").await;
    let mut c = server.raw_connected().await;
    let subject = "s".repeat(70_000);
    c.send(&format!("SUB > 1\r\nPUB {subject} answer 2\r\nok\r\n")).await;
    c.expect(&format!("MSG {subject} 1 answer 2\r\nok\r\n")).await;
    c.flush().await;
}
