//! `check`: what must hold of cases, results, mappings.db and GAPS.md together.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::source::SourceCase;
use crate::tree::{Target, Tree, results_text};
use crate::{Outcome, database, report};

/// A case that stands for more Go tests than this names the assertion for each.
const UNNAMED_TESTS_MAX: usize = 3;

/// A reason shorter than this convinces nobody.
const REASON_CHARS_MIN: usize = 20;

const KINDS: [&str; 5] = ["library", "wire", "cluster", "better", "not_applicable"];

pub(crate) fn check(tree: &Tree) -> Outcome {
    let mut problems = Vec::new();
    names(tree, &mut problems);
    mappings(tree, &mut problems);
    exercises(tree, &mut problems);
    results(tree, &mut problems);
    if let Some(how) = database::differs(tree, &tree.root.join("mappings.db"))? {
        problems.push(format!("mappings.db {how}: run `conformance sync`"));
    }
    if fs::read_to_string(tree.root.join("GAPS.md")).unwrap_or_default() != report::text(tree)? {
        problems.push("GAPS.md is not what the sources give: run `conformance report`".to_owned());
    }
    for problem in &problems {
        println!("{problem}");
    }
    println!("{} cases, {} problems", tree.cases.len(), problems.len());
    Ok(problems.is_empty())
}

fn names(tree: &Tree, problems: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    let deviations = fs::read_to_string(tree.root.join("docs/deviations.md")).unwrap_or_default();
    for case in &tree.cases {
        if !seen.insert(&case.name) {
            problems.push(format!("{}: declared twice", case.name));
        }
        if !KINDS.contains(&case.kind.as_str()) {
            problems.push(format!("{}: {} is no kind of case", case.name, case.kind));
        }
        if case.kind == "better" && !deviations.contains(&case.note) {
            problems.push(format!("{}: docs/deviations.md has no row {:?}", case.name, case.note));
        }
    }
}

fn mappings(tree: &Tree, problems: &mut Vec<String>) {
    let known: BTreeSet<(&str, &str)> =
        tree.go_tests.iter().map(|test| (test.file.as_str(), test.name.as_str())).collect();
    let mut disposed: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    for case in &tree.cases {
        let not_applicable = case.kind == "not_applicable";
        for key in case.go_test_keys() {
            if !known.contains(&key) {
                problems.push(format!("{}: there is no Go test {} in {}", case.name, key.1, key.0));
            }
            if *disposed.entry(key).or_insert(not_applicable) != not_applicable {
                problems.push(format!("{} {}: mapped and not applicable at once", key.0, key.1));
            }
        }
        // A case may come from an inventory instead of a Go test.
        if case.go_tests.is_empty() && case.exercises.is_empty() && case.kind != "better" {
            problems.push(format!("{}: no Go test, and nothing of upstream's surface", case.name));
        }
        if not_applicable && case.note.chars().count() < REASON_CHARS_MIN {
            problems.push(format!("{}: {:?} is no reason", case.name, case.note));
        }
        let unnamed = case.go_tests.iter().filter(|test| test.assertion.is_none()).count();
        if case.go_tests.len() > UNNAMED_TESTS_MAX && unnamed > 0 {
            problems.push(format!(
                "{}: stands for {} Go tests without naming the assertion for each",
                case.name,
                case.go_tests.len()
            ));
        }
    }
}

fn exercises(tree: &Tree, problems: &mut Vec<String>) {
    for case in &tree.cases {
        for (inventory, key) in &case.exercises {
            if let Err(problem) = tree.rows_of(inventory, key) {
                problems.push(format!("{}: {problem}", case.name));
            }
        }
    }
}

fn results(tree: &Tree, problems: &mut Vec<String>) {
    let needs = |case: &SourceCase, target| match target {
        Target::Rust => case.kind != "not_applicable",
        Target::Upstream => !matches!(case.kind.as_str(), "not_applicable" | "library"),
    };
    for target in Target::ALL {
        let lacking: Vec<&str> = tree
            .cases
            .iter()
            .filter(|case| needs(case, target) && tree.current(target, case).is_none())
            .map(|case| case.name.as_str())
            .collect();
        if let Some(first) = lacking.first() {
            problems.push(format!(
                "{} cases have no result on {} for their present source ({first} ...): run \
                 `conformance record --server {}`",
                lacking.len(),
                target.name(),
                target.name()
            ));
        }
    }
    for target in Target::ALL {
        let kept = fs::read_to_string(target.path(&tree.root)).unwrap_or_default();
        if kept != results_text(&tree.results_of(target)) {
            problems.push(format!("results on {}: run `conformance sync`", target.name()));
        }
    }
}
