use crate::Cx;

crate::cases! {
    "test/port_test.go",
    wire port_minus_one_is_a_free_port => ["TestResolveRandomPort"],
}

async fn port_minus_one_is_a_free_port(cx: Cx) {
    let server = cx.server("port: -1").await;
    let port = server.port();
    assert_ne!(port, 4222);
    // The port chosen is what the server tells of itself everywhere.
    assert_eq!(server.raw().await.info().await["port"], port);
    assert_eq!(server.varz().await["port"], port);
}
