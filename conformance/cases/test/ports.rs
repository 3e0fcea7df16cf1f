use crate::Cx;
use crate::kit::{PATIENCE, eventually};

crate::cases! {
    "test/ports_test.go",
    wire a_reload_moves_the_ports_file => ["TestPortsFileReload"],
}

/// The names of the ports files in a folder.
fn ports_files(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".ports")).collect()
}

async fn a_reload_moves_the_ports_file(cx: Cx) {
    crate::exercises!("config_keys", "top|ports_file_dir");
    let (a, b) = (cx.dir().join("A"), cx.dir().join("B"));
    std::fs::create_dir_all(&a).unwrap();
    std::fs::create_dir_all(&b).unwrap();
    let launch = cx.launch().config("ports_file_dir: '{dir}/A', port: -1").ports_dir(&a);
    let mut server = launch.start().await;
    let name = ports_files(&a).pop().expect("a ports file in A");
    assert!(name.ends_with(&format!("_{}.ports", server.pid())), "{name}");
    server.reload("ports_file_dir: '{dir}/B', port: -1").await;
    eventually(PATIENCE, async || ports_files(&b) == [name.as_str()]).await;
    eventually(PATIENCE, async || ports_files(&a).is_empty()).await;
    server.stop().await;
    assert!(ports_files(&b).is_empty(), "the ports file outlives the server");
}
