use std::path::Path;

use crate::Cx;

crate::cases! {
    "test/log_test.go",
    wire a_small_size_limit_rotates_and_purges => ["TestLogMaxArchives"],
}

/// The log files that a start and a stop leave behind at 100 bytes a file.
async fn log_files(cx: &Cx, name: &str, settings: &str) -> Vec<String> {
    let folder = cx.dir().join(name);
    std::fs::create_dir(&folder).unwrap();
    let log = folder.join("nats-server.log");
    let mut server = cx.server(&format!("log_file: {log:?}\n{settings}")).await;
    assert_eq!(server.stop().await, Some(0));
    list(&folder)
}

fn list(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

async fn a_small_size_limit_rotates_and_purges(cx: Cx) {
    crate::exercises!("config_keys", "top|logfile_size_limit", "top|logfile_max_num");
    // Every line of the start is more than the limit: a file each, unless old ones are purged.
    for (name, settings) in [
        ("implicit", "logfile_size_limit: 100"),
        ("zero", "logfile_size_limit: 100, logfile_max_num: 0"),
        ("negative", "logfile_size_limit: 100, logfile_max_num: -42"),
        ("hundred", "logfile_size_limit: 100, logfile_max_num: 100"),
    ] {
        let files = log_files(&cx, name, settings).await;
        assert!(files.len() > 7, "{name}: {files:?}");
        assert!(files.contains(&"nats-server.log".to_owned()), "{name}: {files:?}");
        let first = files.iter().map(|file| cx.dir().join(name).join(file));
        let texts: String = first.map(|path| std::fs::read_to_string(path).unwrap()).collect();
        assert!(texts.contains("Starting nats-server"), "{name}: the first line was purged");
    }
    let one = log_files(&cx, "one", "logfile_size_limit: 100, logfile_max_num: 1").await;
    assert_eq!(one, ["nats-server.log"]);
    let five = log_files(&cx, "five", "log_size_limit: 100, log_max_num: 5").await;
    assert_eq!(five.len(), 5, "{five:?}");
}
