//! Reads the cases as text: what each stands for, and a hash of what it runs.
//!
//! The `conformance` tool works from this, so that it needs neither the compiled cases nor a
//! server. It relies on the layout that rustfmt gives: items begin and end at column 0. The case
//! `harness::the_text_of_the_cases_is_what_runs` compares the result with the compiled registry.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// How a `cases!` block begins.
const BLOCK: &str = "crate::cases! {\n";

/// All cases of the tree.
pub(crate) struct Sources {
    pub(crate) cases: Vec<SourceCase>,
}

/// One entry of a `cases!` block.
#[derive(Clone, Debug)]
pub(crate) struct SourceCase {
    pub(crate) name: String,
    /// `library`, `wire`, `cluster`, `better` or `not_applicable`.
    pub(crate) kind: String,
    pub(crate) go_file: String,
    pub(crate) go_tests: Vec<GoTest>,
    /// A `better` case's row, a `not_applicable` one's reason.
    pub(crate) note: String,
    /// The inventory rows it says it exercises.
    pub(crate) exercises: Vec<(String, String)>,
    /// What it runs: its function, its file's helpers, the kit.
    pub(crate) hash: String,
    pub(crate) path: PathBuf,
}

/// A Go test that a case stands for, as written: `TestX` or `file::TestX`.
#[derive(Clone, Debug)]
pub(crate) struct GoTest {
    pub(crate) written: String,
    /// The assertion that stands for it, when named.
    pub(crate) assertion: Option<String>,
}

impl SourceCase {
    /// The Go tests as (file, name).
    pub(crate) fn go_test_keys(&self) -> impl Iterator<Item = (&str, &str)> {
        self.go_tests.iter().map(|test| {
            test.written.split_once("::").unwrap_or((self.go_file.as_str(), test.written.as_str()))
        })
    }
}

impl Sources {
    /// Reads every file under conformance/cases of the repository at `root`.
    pub(crate) fn read(root: &Path) -> Result<Self, String> {
        let folder = root.join("conformance/cases");
        let mut kit = Sha256::new();
        for path in rust_files(&root.join("conformance/kit"))? {
            kit.update(significant(&read(&path)?));
        }
        let kit = kit.finalize();
        let (mut files, mut helpers) = (Vec::new(), Vec::new());
        for path in rust_files(&folder)? {
            let text = read(&path)?;
            if text.starts_with(BLOCK) || text.contains(&format!("\n{BLOCK}")) {
                files.push((path, text));
            } else if text.contains("fn ") {
                // Functions without cases are there for those of their folder, and for who names
                // their module from the root.
                let module = module_of(path.strip_prefix(&folder).expect("below the folder"));
                let name = format!("crate::cases::{module}::");
                let parent = path.parent().unwrap_or(&folder).to_owned();
                helpers.push((parent, name, significant(&text)));
            }
        }
        let mut cases = Vec::new();
        for (path, text) in files {
            let mut shared = Sha256::new();
            shared.update(kit);
            for (parent, name, helper) in &helpers {
                if path.starts_with(parent) || text.contains(name) {
                    shared.update(helper);
                }
            }
            let shared = shared.finalize();
            let module = module_of(path.strip_prefix(&folder).expect("below the folder"));
            let found = read_file(&text, &module, &shared, &path)
                .map_err(|problem| format!("{}: {problem}", path.display()))?;
            cases.extend(found);
        }
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { cases })
    }
}

fn read_file(
    text: &str,
    module: &str,
    given: &[u8],
    path: &Path,
) -> Result<Vec<SourceCase>, String> {
    let (before, rest) = text.split_once(BLOCK).expect("the caller looked");
    let (block, after) = rest.split_once("\n}\n").ok_or("the cases! block does not end")?;
    let entries = parse_block(block)?;
    let items = items(&format!("{before}{after}"));
    let is_case =
        |item: &&Item| entries.iter().any(|entry| Some(&entry.function) == item.function.as_ref());
    let mut shared = Sha256::new();
    shared.update(given);
    for item in items.iter().filter(|item| !is_case(item)) {
        shared.update(significant(&item.text));
    }
    let shared = shared.finalize();
    let go_file = entries.first().map_or(String::new(), |entry| entry.go_file.clone());
    entries
        .into_iter()
        .map(|entry| {
            let mut hash = Sha256::new();
            hash.update(shared);
            let mut exercises = Vec::new();
            if entry.kind != "not_applicable" {
                let item = items
                    .iter()
                    .find(|item| item.function.as_ref() == Some(&entry.function))
                    .ok_or_else(|| format!("no function {}", entry.function))?;
                hash.update(significant(&item.text));
                exercises = exercised(&item.text)?;
            }
            let hash = hash.finalize();
            Ok(SourceCase {
                name: format!("{module}::{}", entry.function),
                kind: entry.kind,
                go_file: go_file.clone(),
                go_tests: entry.go_tests,
                note: entry.note,
                exercises,
                hash: hash[..8].iter().map(|byte| format!("{byte:02x}")).collect(),
                path: path.to_owned(),
            })
        })
        .collect()
}

// --- the cases! block

struct Entry {
    go_file: String,
    kind: String,
    function: String,
    go_tests: Vec<GoTest>,
    note: String,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

fn parse_block(block: &str) -> Result<Vec<Entry>, String> {
    let tokens = tokens(block)?;
    let mut rest = tokens.as_slice();
    let [Token::Text(go_file), Token::Mark(','), tail @ ..] = rest else {
        return Err("a cases! block begins with the Go file".to_owned());
    };
    rest = tail;
    let mut entries = Vec::new();
    while let [Token::Word(kind), name, Token::Mark('='), Token::Mark('>'), tail @ ..] = rest {
        let function = match name {
            Token::Word(name) | Token::Text(name) => name.clone(),
            Token::Mark(mark) => return Err(format!("{kind} {mark}")),
        };
        let mut entry = Entry {
            go_file: go_file.clone(),
            kind: kind.clone(),
            function,
            go_tests: Vec::new(),
            note: String::new(),
        };
        rest = match tail {
            [Token::Text(note), after @ ..] => {
                entry.note.clone_from(note);
                after
            }
            [Token::Mark('['), after @ ..] => {
                let (tests, after) = parse_tests(after)?;
                entry.go_tests = tests;
                after
            }
            _ => return Err(format!("{kind} {}: no list and no text", entry.function)),
        };
        if entry.kind == "not_applicable" {
            let written = entry.function.clone();
            entry.go_tests = vec![GoTest { written, assertion: None }];
        }
        entries.push(entry);
        if let [Token::Mark(','), after @ ..] = rest {
            rest = after;
        }
    }
    if rest.is_empty() { Ok(entries) } else { Err(format!("not understood: {:?}", rest[0])) }
}

fn parse_tests(mut rest: &[Token]) -> Result<(Vec<GoTest>, &[Token]), String> {
    let mut tests = Vec::new();
    loop {
        match rest {
            [Token::Mark(']'), after @ ..] => return Ok((tests, after)),
            [Token::Mark(','), after @ ..] => rest = after,
            [Token::Text(test), Token::Mark(':'), Token::Text(why), after @ ..] => {
                tests.push(GoTest { written: test.clone(), assertion: Some(why.clone()) });
                rest = after;
            }
            [Token::Text(test), after @ ..] => {
                tests.push(GoTest { written: test.clone(), assertion: None });
                rest = after;
            }
            _ => return Err("a list of Go tests does not end".to_owned()),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                let mut value = String::new();
                loop {
                    match chars.next().ok_or("a string does not end")? {
                        '"' => break,
                        '\\' => match chars.next().ok_or("a string does not end")? {
                            // A line continued: its indentation is not part of the text.
                            '\n' => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                            escaped => value.push(escaped),
                        },
                        other => value.push(other),
                    }
                }
                tokens.push(Token::Text(value));
            }
            '/' if chars.peek() == Some(&'/') => while chars.next_if(|&c| c != '\n').is_some() {},
            c if c.is_whitespace() => {}
            c if c.is_alphanumeric() || c == '_' => {
                let mut word = String::from(c);
                while let Some(c) = chars.next_if(|&c| c.is_alphanumeric() || c == '_') {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
            }
            mark => tokens.push(Token::Mark(mark)),
        }
    }
    Ok(tokens)
}

// --- the rest of a file

struct Item {
    /// The name, when the item is a function.
    function: Option<String>,
    text: String,
}

/// The top-level items, each with the comments and attributes above it.
fn items(text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut current = Item { function: None, text: String::new() };
    for line in text.lines() {
        if let Some(name) = function_name(line) {
            current.function = Some(name);
        }
        current.text.push_str(line);
        current.text.push('\n');
        let ends = line.starts_with('}') || line.ends_with('}') && function_name(line).is_some();
        if ends || current.function.is_none() && line.ends_with(';') && !line.starts_with(' ') {
            items.push(std::mem::replace(
                &mut current,
                Item { function: None, text: String::new() },
            ));
        }
    }
    items.push(current);
    items
}

fn function_name(line: &str) -> Option<String> {
    let rest = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))?;
    let end = rest.find(['(', '<'])?;
    Some(rest[..end].to_owned())
}

/// The `exercises!` of a function.
fn exercised(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    for part in text.split("exercises!(").skip(1) {
        let (arguments, _) = part.split_once(");").ok_or("exercises! does not end")?;
        let mut texts = tokens(arguments)?.into_iter().filter_map(|token| match token {
            Token::Text(text) => Some(text),
            _ => None,
        });
        let inventory = texts.next().ok_or("exercises! names no inventory")?;
        found.extend(texts.map(|key| (inventory.clone(), key)));
    }
    Ok(found)
}

/// A text without what changes nothing: comment lines, blank lines, indentation.
fn significant(text: &str) -> String {
    let lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn module_of(path: &Path) -> String {
    let mut parts: Vec<String> =
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts.join("::")
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        for entry in entries {
            let path = entry.map_err(|e| e.to_string())?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"use crate::Cx;

crate::cases! {
    "test/proto_test.go",
    wire one => ["TestA", "server/x_test.go::TestB"],
    library two => ["TestC": "the first loop", "TestD": "the second"],
    better three => "a-row",
    // A comment, with "quotes".
    not_applicable "TestE" => "a reason that \
        goes on",
}

fn helper() -> u32 {
    1
}

async fn one(cx: Cx) {
    crate::exercises!("protocol", "a|b", "c");
    helper();
}

fn two() {}

async fn three(cx: Cx) {}
"#;

    fn read(text: &str) -> Vec<SourceCase> {
        read_file(text, "test::proto", b"kit", Path::new("x.rs")).expect("it reads")
    }

    #[test]
    fn a_file_is_understood() {
        let cases = read(FILE);
        let names: Vec<_> =
            cases.iter().map(|case| (case.kind.as_str(), case.name.as_str())).collect();
        assert_eq!(
            names,
            [
                ("wire", "test::proto::one"),
                ("library", "test::proto::two"),
                ("better", "test::proto::three"),
                ("not_applicable", "test::proto::TestE"),
            ]
        );
        let keys: Vec<_> = cases[0].go_test_keys().collect();
        assert_eq!(keys, [("test/proto_test.go", "TestA"), ("server/x_test.go", "TestB")]);
        assert_eq!(cases[1].go_tests[1].assertion.as_deref(), Some("the second"));
        assert_eq!(
            (cases[2].note.as_str(), cases[3].note.as_str()),
            ("a-row", "a reason that goes on")
        );
        let exercises = [("protocol", "a|b"), ("protocol", "c")];
        assert!(cases[0].exercises.iter().map(|(i, k)| (i.as_str(), k.as_str())).eq(exercises));
    }

    #[test]
    fn the_hash_is_of_what_a_case_runs() {
        let changed = |from: &str, to: &str| -> Vec<bool> {
            let before = read(FILE);
            let after = read(&FILE.replace(from, to));
            before.iter().zip(&after).map(|(a, b)| a.hash != b.hash).collect()
        };
        assert_eq!(changed("fn two() {}", "fn two() { () }"), [false, true, false, false]);
        assert_eq!(changed("    1\n", "    2\n"), [true; 4]);
        assert_eq!(changed("    1\n", "    // why\n\n    1\n"), [false; 4]);
    }

    #[test]
    fn the_hash_is_of_helpers_in_other_folders() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = root.path().join("conformance").join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, text).expect("written");
        };
        let hash = || Sources::read(root.path()).expect("they are read").cases[0].hash.clone();
        write("kit/mod.rs", "fn kit() {}\n");
        write("cases/a/used.rs", "fn used() {}\n");
        write("cases/a/other.rs", "fn other() {}\n");
        let block = "crate::cases! {\n    \"x_test.go\",\n    library one => [\"TestA\"],\n}\n";
        let import = "use crate::cases::a::used::used;\n";
        write("cases/b.rs", &format!("{import}\n{block}\nfn one() {{}}\n"));
        let before = hash();
        write("cases/a/other.rs", "fn other() { () }\n");
        assert!(hash() == before);
        write("cases/a/used.rs", "fn used() { () }\n");
        assert!(hash() != before);
    }
}
