use std::time::{Duration, Instant};

use serde_json::json;

use crate::Cx;

crate::cases! {
    "server/ping_test.go",
    wire pings_come_at_the_interval => ["TestPing"],
}

async fn pings_come_at_the_interval(cx: Cx) {
    let server = cx.server(r#"ping_interval: "50ms""#).await;
    let mut c = server.raw().await.manual_pongs();
    c.connect(json!({"verbose": false})).await;
    c.flush().await;
    c.expect("PING\r\n").await;
    for _ in 0..3 {
        c.send("PONG\r\n").await;
        let start = Instant::now();
        c.expect("PING\r\n").await;
        let gap = start.elapsed();
        let allowed = Duration::from_millis(25)..Duration::from_millis(200);
        assert!(allowed.contains(&gap), "a PING after {gap:?}");
    }
}
