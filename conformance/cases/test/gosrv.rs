use crate::Cx;

crate::cases! {
    "test/gosrv_test.go",
    wire shutdown_leaves_nothing => ["TestSimpleGoServerShutdown"],
    wire shutdown_closes_every_client => ["TestGoServerShutdownWithClients"],
    wire shutdown_may_be_asked_for_twice => ["TestGoServerMultiShutdown"],
}

async fn shutdown_leaves_nothing(cx: Cx) {
    let mut server = cx.server("").await;
    let addr = server.addr();
    assert_eq!(server.stop().await, Some(0));
    assert!(tokio::net::TcpStream::connect(addr).await.is_err(), "something still listens");
}

async fn shutdown_closes_every_client(cx: Cx) {
    let mut server = cx.server("").await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        let mut c = server.raw_connected().await;
        c.flush().await;
        clients.push(c);
    }
    assert_eq!(server.stop().await, Some(0));
    for mut c in clients {
        c.read_to_close().await;
    }
}

async fn shutdown_may_be_asked_for_twice(cx: Cx) {
    let mut server = cx.server("").await;
    server.signal(rustix::process::Signal::TERM);
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.ended().await, Some(0));
}
