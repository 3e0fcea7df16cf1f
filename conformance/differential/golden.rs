//! The oracle's answers, kept as text in `golden/`.
//!
//! ```text
//! == name of the script
//! lines of the answer
//! ```
//!
//! A script that the oracle answers differently the second time has the line `~~ name` and no
//! answer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::answers::differences;
use super::{Answer, Suite};

fn path(suite: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/differential/golden");
    folder.join(format!("{}.txt", suite.replace("::", "-")))
}

/// Writes the sampled answers of a suite. `steady` tells whether both runs agreed on a script.
pub(crate) fn record(
    suite: &Suite,
    answers: &[Answer],
    steady: &dyn Fn(&str) -> bool,
) -> std::io::Result<()> {
    let mut text = String::new();
    for answer in answers.iter().filter(|answer| suite.sampled(&answer.script)) {
        if steady(&answer.script) {
            text.push_str(&format!("== {}\n{}", answer.script, answer.text));
        } else {
            text.push_str(&format!("~~ {}\n", answer.script));
        }
    }
    std::fs::write(path(&suite.name), text)
}

/// Asks the server `binary` what golden answers are kept for, and tells every difference that is
/// not accepted.
pub(crate) fn compare_with_golden(suite: &Suite, binary: &Path) -> Result<(), String> {
    let path = path(&suite.name);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("{}: {error}; conformance diff --record", path.display()))?;
    let golden = read(&text);
    let here = suite.ask(binary, &|name| matches!(golden.get(name), Some(Some(_))))?;
    let kept = golden.values().flatten().count();
    if kept != here.len() {
        return Err(format!("{kept} answers are kept, {} scripts ran: record again", here.len()));
    }
    let upstream = golden.iter().filter_map(|(name, text)| Some((name.as_str(), text.as_deref()?)));
    let found = differences(&suite.name, upstream, &here);
    let meant = |row: Option<&str>| row.is_some();
    let shown: Vec<String> =
        found.iter().filter(|d| !meant(d.row)).map(|d| format!("{}::{d}", suite.name)).collect();
    match shown.len() {
        0 => Ok(()),
        count => Err(format!("{count} differences\n{}", shown.join("\n"))),
    }
}

/// Answers by script; `None` where the oracle does not always say the same.
fn read(text: &str) -> BTreeMap<String, Option<String>> {
    let mut all = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in text.split_inclusive('\n') {
        if let Some(name) = line.strip_prefix("~~ ") {
            all.insert(name.trim_end_matches('\n').to_owned(), None);
            current = None;
        } else if let Some(name) = line.strip_prefix("== ") {
            let name = name.trim_end_matches('\n').to_owned();
            all.insert(name.clone(), Some(String::new()));
            current = Some(name);
        } else if let Some(Some(text)) = current.as_ref().and_then(|name| all.get_mut(name)) {
            text.push_str(line);
        }
    }
    all
}
