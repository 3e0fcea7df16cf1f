//! Our store, in processes of their own: `compare store child (open | fill | always) ...`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use nats_server::base::Env;
use nats_server::model::{FileStreamInfo, StreamConfig};
use nats_server::store::file::store::{FileStore, Options};
use nats_server::store::stream::{Effects, NewMessage, StreamStore};

use super::{Always, Cost, Load, Watch, always, number, upstream::STREAM};
use crate::Result;

/// Messages that are stored before what waits is written, as a connection's read brings them.
const BATCH: u64 = 256;

/// Fills a new stream; what that costs.
pub fn fill(root: &Path, load: Load) -> Result<Cost> {
    let Load { messages, subjects, size } = load;
    run(&["fill", &messages.to_string(), &subjects.to_string(), &size.to_string()], root)
}

/// Appends for a while with a sync before every acknowledgement; what that costs.
pub fn always(root: &Path, load: Always) -> Result<Cost> {
    let Always { stores, writers, window, seconds } = load;
    run(
        &[
            "always",
            &format!("{stores}"),
            &format!("{writers}"),
            &format!("{window}"),
            &format!("{seconds}"),
        ],
        root,
    )
}

/// Opens the stream of a configured `store_dir`; what that costs.
pub fn open(root: &Path) -> Result<Cost> {
    run(&["open"], root)
}

fn run(words: &[&str], root: &Path) -> Result<Cost> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let output = Command::new(program)
        .args(["store", "child"])
        .arg(root)
        .args(words)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| e.to_string())?;
    serde_json::from_slice(&output.stdout).map_err(|e| format!("{words:?}: {e}"))
}

/// What a child does; prints a [`Cost`].
pub fn child(mut words: impl Iterator<Item = String>) -> Result<()> {
    let mut word = || words.next().ok_or("a word is missing".to_owned());
    let root = PathBuf::from(word()?);
    let watch = Watch::started(std::process::id(), Instant::now());
    let cost = match word()?.as_str() {
        "open" => {
            let opened =
                FileStore::open(&Env::os(), &stream_dir(&root, STREAM), Options::default(), now());
            let mut store = opened.map_err(|e| e.to_string())?.store;
            let cost = totalled(&watch, &store)?;
            store.stop().map_err(|e| e.to_string())?;
            cost
        }
        "always" => {
            let load = Always {
                stores: number(&word()?)?,
                writers: number(&word()?)?,
                window: number(&word()?)?,
                seconds: number(&word()?)?,
            };
            always::run(&root, load)?
        }
        _ => {
            let load = Load {
                messages: number(&word()?)?,
                subjects: number(&word()?)?,
                size: number(&word()?)?,
            };
            totalled(&watch, &filled(&root, load)?)?
        }
    };
    println!("{}", serde_json::to_string(&cost).map_err(|e| e.to_string())?);
    Ok(())
}

fn totalled(watch: &Watch, store: &FileStore) -> Result<Cost> {
    let state = store.fast_state();
    watch.read(state.messages, state.num_subjects)
}

fn stream_dir(root: &Path, name: &str) -> PathBuf {
    root.join("jetstream/$G/streams").join(name)
}

/// Makes an empty stream.
pub fn create(root: &Path, name: &str) -> Result<FileStore> {
    let config = StreamConfig {
        name: name.into(),
        subjects: vec!["orders.*".into()],
        ..StreamConfig::default()
    };
    let info = FileStreamInfo { config, ..FileStreamInfo::default() };
    FileStore::create(&Env::os(), &stream_dir(root, name), &info, Options::default(), now())
        .map_err(|e| e.to_string())
}

pub fn now() -> i64 {
    Env::os().clock().wall_ns()
}

fn filled(root: &Path, load: Load) -> Result<FileStore> {
    let mut store = create(root, STREAM)?;
    let (payload, mut effects) = (vec![b'x'; load.size], Effects::default());
    let mut next = 0;
    while next < load.messages {
        let (time_ns, end) = (now(), load.messages.min(next + BATCH));
        while next < end {
            let subjects: [_; 64] = std::array::from_fn(|i| load.subject(next + i as u64));
            store.look_ahead(&subjects.each_ref().map(|subject| &subject[..]));
            for subject in subjects.iter().take((end - next) as usize) {
                let new = NewMessage { subject, payload: &payload, ..NewMessage::default() };
                store.store(new, time_ns).map_err(|e| e.to_string())?;
                next += 1;
            }
        }
        store.flush().map_err(|e| e.to_string())?;
        store.take_effects(&mut effects);
    }
    store.flush().map_err(|e| e.to_string())?;
    Ok(store)
}
