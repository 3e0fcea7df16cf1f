use crate::Cx;

crate::cases! {
    "test/pid_test.go",
    wire the_pid_file_holds_the_pid => ["TestPidFile"],
}

async fn the_pid_file_holds_the_pid(cx: Cx) {
    crate::exercises!("config_keys", "top|pidfile");
    let mut server = cx.server("pid_file: '{dir}/pid'").await;
    let pid = server.pid();
    server.stop().await;
    let written = std::fs::read_to_string(cx.dir().join("pid")).unwrap();
    assert_eq!(written.trim(), pid.to_string());
}
