//! What the compiler does not enforce about the shape of the house: layers, file sizes, stubs,
//! where a connection's kind may decide anything, ignored tests.

#![allow(clippy::disallowed_methods)]

use std::fs;
use std::path::{Path, PathBuf};

/// The floors of `src/`; a module imports only from floors below its own.
const LAYERS: &[(u8, &[&str])] = &[
    (0, &["base"]),
    (1, &["wire", "ds", "model"]),
    (2, &["conf", "config", "auth", "tls", "logging"]),
    (3, &["store", "raft"]),
    (4, &["broker"]),
    (5, &["conn", "jetstream"]),
    (6, &["system", "monitor"]),
    (7, &["server", "cli"]),
];

/// Imports between modules of one floor, each granted by name.
const GRANTED: &[(&str, &str)] = &[
    // What a subject is, and when one matches another, is the wire's to say.
    ("ds", "wire"),
    ("config", "conf"),
    ("config", "auth"),
    ("config", "tls"),
    ("config", "logging"),
    ("cli", "server"),
];

/// Where, from the broker up, the kind of a connection may decide: the folders of the roles, and
/// the fan-out, which frames a message for each.
const ROLE_ROOMS: &[&str] = &[
    "src/conn/client/",
    "src/conn/route/",
    "src/conn/gateway/",
    "src/conn/leaf/",
    "src/conn/mqtt/",
    "src/broker/fanout",
];

const FILE_LINES_MAX: usize = 1500;

#[test]
fn imports_go_downwards() {
    let mut problems = Vec::new();
    for file in sources(&["src"]) {
        let Some(module) = file.top_module() else { continue };
        for (line, target) in file.crate_paths() {
            if let Some(problem) = forbidden(&module, &target) {
                problems.push(format!("{}:{line}: {problem}", file.name));
            }
        }
    }
    report(&problems);
}

/// Why `module` may not import from `target`, if so.
fn forbidden(module: &str, target: &str) -> Option<String> {
    let floor = |name: &str| {
        LAYERS.iter().find(|(_, names)| names.contains(&name)).map(|(floor, _)| *floor)
    };
    // What is no module of the table is an item of lib.rs itself.
    let to = floor(target)?;
    let Some(from) = floor(module) else {
        return Some(format!("{module} is on no floor: give it one in tests/tidy.rs"));
    };
    let granted = GRANTED.contains(&(module, target));
    (module != target && to >= from && !granted)
        .then(|| format!("{module} (L{from}) imports from {target} (L{to})"))
}

#[test]
fn every_module_has_a_floor() {
    let known = |name: &str| LAYERS.iter().any(|(_, names)| names.contains(&name));
    let problems: Vec<String> = sources(&["src"])
        .iter()
        .filter_map(Source::top_module)
        .filter(|module| !known(module))
        .map(|module| format!("{module} is on no floor: give it one in tests/tidy.rs"))
        .collect();
    report(&problems);
}

#[test]
fn nothing_is_left_to_do() {
    // Spelled in two parts, so that this file passes its own test.
    let stubs = [concat!("todo", "!("), concat!("unimplemented", "!(")];
    no_line_has(&ALL, &stubs, |_| true);
}

#[test]
fn ignored_tests_say_why() {
    no_line_has(&ALL, &[concat!("#[", "ignore]")], |_| true);
}

#[test]
fn files_stay_readable() {
    let problems: Vec<String> = sources(&ALL)
        .iter()
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(file, lines)| format!("{}: {lines} lines; split it by responsibility", file.name))
        .collect();
    report(&problems);
}

#[test]
fn the_kind_of_a_connection_decides_only_in_its_room() {
    let branches = [
        "kind ==",
        "kind !=",
        "role ==",
        "role !=",
        "match kind",
        "match role",
        "match self.kind",
        "match self.role",
        ".role {",
        "(role, ",
    ];
    // Below the broker there are no connections; what is called a kind there is something else.
    let concerned = |name: &str| {
        let floors = ["src/broker/", "src/conn/", "src/monitor/", "src/server/"];
        floors.iter().any(|floor| name.starts_with(floor))
            && !ROLE_ROOMS.iter().any(|room| name.starts_with(room))
    };
    no_line_has(&["src"], &branches, concerned);
}

/// Everything of ours that is compiled.
const ALL: [&str; 6] = ["src", "tests", "conformance", "benches", "examples", "fuzz"];

/// A file of Rust, named from the root of the repository.
struct Source {
    name: String,
    text: String,
}

impl Source {
    /// `conf` for `src/conf/lexer.rs`; nothing for the files that assemble the crate.
    fn top_module(&self) -> Option<String> {
        let below = self.name.strip_prefix("src/")?;
        let first = below.split('/').next()?.trim_end_matches(".rs");
        (!matches!(first, "lib" | "main" | "bin" | "internals")).then(|| first.to_owned())
    }

    /// The line and the top module of every path that begins at the crate.
    fn crate_paths(&self) -> Vec<(usize, String)> {
        let code = without_comments(&self.text);
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(at) = code[from..].find("crate::").map(|at| from + at) {
            let rest = &code[at + "crate::".len()..];
            let line = 1 + code[..at].matches('\n').count();
            from = at + "crate::".len();
            if let Some(group) = rest.strip_prefix('{') {
                found.extend(group_heads(group).into_iter().map(|head| (line, head)));
            } else {
                found.push((line, ident(rest)));
            }
        }
        found.extend(self.paths_above(&code));
        found
    }

    /// The paths that reach the crate's root by `super::` alone.
    fn paths_above(&self, code: &str) -> Vec<(usize, String)> {
        let below = self.name.trim_start_matches("src/").trim_end_matches(".rs");
        let depth = below.split('/').filter(|&part| part != "mod").count();
        let mut found = Vec::new();
        let mut inline = 0;
        for (index, line) in code.lines().enumerate() {
            if line.starts_with("mod ") && line.ends_with('{') {
                inline = 1;
            } else if line == "}" {
                inline = 0;
            }
            let Some(at) = line.find("super::") else { continue };
            let mut rest = &line[at..];
            let mut ups = 0;
            while let Some(up) = rest.strip_prefix("super::") {
                (rest, ups) = (up, ups + 1);
            }
            if ups >= depth + inline {
                found.push((index + 1, ident(rest)));
            }
        }
        found
    }
}

/// The first word of each path in a `{a::b, c::{d, e}}` whose opening brace is consumed.
fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut head_next = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => head_next = true,
            c if head_next && (c.is_alphabetic() || c == '_') => {
                heads.push(ident(&group[at..]));
                head_next = false;
            }
            _ => {}
        }
    }
    heads
}

fn ident(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The text with its line comments blanked, lines kept.
fn without_comments(text: &str) -> String {
    let code = |line: &str| match line.find("//") {
        // Not the slashes of a URL.
        Some(at) if !line[..at].ends_with(':') => line[..at].to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

fn no_line_has(folders: &[&str], words: &[&str], concerned: impl Fn(&str) -> bool) {
    let mut problems = Vec::new();
    for file in sources(folders).iter().filter(|file| concerned(&file.name)) {
        for (index, line) in without_comments(&file.text).lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                problems.push(format!("{}:{}: {word}", file.name, index + 1));
            }
        }
    }
    report(&problems);
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    let mut sources = Vec::new();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            if path.ends_with("target") {
                continue;
            }
            let entries = fs::read_dir(&path).expect("a readable folder");
            paths.extend(entries.map(|entry| entry.expect("a readable entry").path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a readable file");
            let name = path.strip_prefix(root).expect("below the root").to_string_lossy();
            sources.push(Source { name: name.replace('\\', "/"), text });
        }
    }
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    sources
}

fn report(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn a_forbidden_import_is_found() {
    let check = |name: &str, text: &str| {
        let file = Source { name: name.to_owned(), text: text.to_owned() };
        let module = file.top_module().expect("a module");
        let paths = file.crate_paths();
        paths.into_iter().filter(|(_, target)| forbidden(&module, target).is_some()).count()
    };
    assert_eq!(check("src/conf/mod.rs", "use crate::config::Options;"), 1);
    assert_eq!(check("src/config/mod.rs", "use crate::conf::Value;"), 0);
    assert_eq!(check("src/wire/mod.rs", "use crate::{base::Env, broker::{Sink, x}, conn};"), 2);
    assert_eq!(check("src/wire/mod.rs", "fn f() { crate::server::run() }"), 1);
    assert_eq!(check("src/wire/mod.rs", "use super::broker::Sink;"), 1);
    assert_eq!(check("src/wire/a/b.rs", "use super::super::super::broker::Sink;"), 1);
    assert_eq!(check("src/wire/a/b.rs", "mod tests {\n    use super::super::broker;\n}"), 0);
    assert_eq!(check("src/wire/a.rs", "// crate::server is far above"), 0);
}
