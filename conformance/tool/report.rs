//! `report`: GAPS.md, how far the port is, in upstream's own terms.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::database::{self, Counts, Status};
use crate::tree::{STATUSES, Target, Tree};
use crate::{Outcome, config_states};

pub(crate) fn write(tree: &Tree, path: &Path) -> Outcome {
    fs::write(path, text(tree)?)?;
    println!("{}", path.display());
    Ok(true)
}

/// Verified and passing Go tests in percent of those that apply; `None` when none applies.
pub(crate) fn percent(counts: &Counts) -> Option<f64> {
    let of = |status: &str| f64::from(counts.get(status).copied().unwrap_or(0));
    let applicable: f64 =
        STATUSES.iter().filter(|&&status| status != "not_applicable").map(|&s| of(s)).sum();
    (applicable > 0.0).then(|| 100.0 * (of("verified") + of("passing")) / applicable)
}

/// What GAPS.md must say.
pub(crate) fn text(tree: &Tree) -> Result<String, Box<dyn Error>> {
    let db = database::build(tree)?;
    let statuses = database::statuses(&db)?;
    let mut out = String::new();
    let counts = database::counts(&statuses);
    writeln!(out, "# Gaps\n")?;
    writeln!(
        out,
        "Written by `conformance report` from the text under conformance/; not edited by hand.\n\n\
         How far the port is, in upstream's own terms: its {} Go tests, and its visible surface. \
         A test is *verified* when every case that stands for it passes here, and passed three \
         times in a row on upstream's released binary; *passing* when it passes here and has no \
         oracle (a library case) or was not yet run there; *not applicable* with a reason, and \
         then outside every percentage.\n",
        statuses.len()
    )?;
    counts_table(&mut out, "all", &[("all Go tests".to_owned(), counts)])?;
    writeln!(out, "\n## By area\n")?;
    let by_area = group(&statuses, |row| &row.area);
    let rows: Vec<(String, Counts)> = tree
        .areas()
        .into_iter()
        .map(|area| (area.to_owned(), by_area.get(area).cloned().unwrap_or_default()))
        .collect();
    counts_table(&mut out, "area", &rows)?;
    capabilities(&mut out, tree, &db)?;
    writeln!(out, "\n## By upstream file\n")?;
    let rows: Vec<(String, Counts)> = group(&statuses, |row| &row.file).into_iter().collect();
    counts_table(&mut out, "file", &rows)?;
    surface(&mut out, &db)?;
    field(&mut out, tree, &db)?;
    config_states::write(&mut out, tree)?;
    better(&mut out, tree)?;
    lists(&mut out, &statuses)?;
    Ok(out)
}

fn group(statuses: &[Status], by: impl Fn(&Status) -> &String) -> BTreeMap<String, Counts> {
    let mut groups: BTreeMap<String, Counts> = BTreeMap::new();
    for row in statuses {
        let counts = groups.entry(by(row).clone()).or_default();
        *counts.entry(row.status.clone()).or_default() += 1;
    }
    groups
}

fn counts_table(
    out: &mut String,
    title: &str,
    rows: &[(String, Counts)],
) -> Result<(), std::fmt::Error> {
    writeln!(out, "| {title} | {} | done |", STATUSES.join(" | "))?;
    writeln!(out, "| --- |{} ---: |", " ---: |".repeat(STATUSES.len()))?;
    for (name, counts) in rows {
        write!(out, "| {name} |")?;
        for status in STATUSES {
            write!(out, " {} |", counts.get(status).copied().unwrap_or(0))?;
        }
        let done = percent(counts).map_or("-".to_owned(), |percent| format!("{percent:.1} %"));
        writeln!(out, " {done} |")?;
    }
    Ok(())
}

fn capabilities(
    out: &mut String,
    tree: &Tree,
    db: &rusqlite::Connection,
) -> Result<(), Box<dyn Error>> {
    let cases = database::cases_by_row(db, "gap_areas")?;
    for area in tree.areas() {
        writeln!(out, "\n### {area}\n")?;
        writeln!(out, "| | capability | cases | state |")?;
        writeln!(out, "| --- | --- | ---: | --- |")?;
        for row in tree.capabilities.iter().filter(|row| row.area == area) {
            let (cases, state) = shown(&cases, &row.id);
            writeln!(out, "| {} | {} | {cases} | {state} |", row.id, row.text)?;
        }
    }
    Ok(())
}

/// How many cases a row has, and what they come to.
fn shown(cases: &BTreeMap<String, (u32, u32)>, id: &str) -> (u32, &'static str) {
    match cases.get(id).copied().unwrap_or_default() {
        (0, _) => (0, "open"),
        (cases, here) if here < cases => (cases, "failing"),
        (cases, _) => (cases, "shown"),
    }
}

fn field(out: &mut String, tree: &Tree, db: &rusqlite::Connection) -> Result<(), Box<dyn Error>> {
    let cases = database::cases_by_row(db, "field_statements")?;
    writeln!(
        out,
        "\n## What the field asks for\n\n\
         Statements made of upstream's issues: losses and divergences that users met. They are no \
         Go tests, and count in no percentage.\n"
    )?;
    writeln!(out, "| | statement | from | cases | state |")?;
    writeln!(out, "| --- | --- | --- | ---: | --- |")?;
    for row in tree.rows("field_statements") {
        let [id, statement, threads, ..] = row.as_slice() else {
            return Err(format!("field_statements.tsv: {row:?}").into());
        };
        let (cases, state) = shown(&cases, id);
        writeln!(out, "| {id} | {statement} | {threads} | {cases} | {state} |")?;
    }
    Ok(())
}

fn surface(out: &mut String, db: &rusqlite::Connection) -> Result<(), Box<dyn Error>> {
    writeln!(
        out,
        "\n## By inventory of the visible surface\n\n\
         A row is *exercised* when a case asserts its observable effect, and *implemented* when \
         such a case passes here; what no case asserts counts as neither.\n"
    )?;
    writeln!(out, "| inventory | rows | exercised | implemented |")?;
    writeln!(out, "| --- | ---: | ---: | ---: |")?;
    for row in database::coverage(db)? {
        writeln!(out, "| {} | {} | {} | {} |", row.inventory, row.rows, row.exercised, row.shown)?;
    }
    Ok(())
}

fn better(out: &mut String, tree: &Tree) -> Result<(), std::fmt::Error> {
    let better: Vec<_> = tree.cases.iter().filter(|case| case.kind == "better").collect();
    if better.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Better than upstream\n\nRows of docs/deviations.md with a case each.\n")?;
    writeln!(out, "| case | row | here | oracle |\n| --- | --- | --- | --- |")?;
    for case in better {
        let outcome =
            |target| tree.current(target, case).map_or("not run", |result| result.outcome.as_str());
        let (here, oracle) = (outcome(Target::Rust), outcome(Target::Upstream));
        writeln!(out, "| {} | {} | {here} | {oracle} |", case.name, case.note)?;
    }
    Ok(())
}

/// The tests behind the numbers that a reader asks about first.
fn lists(out: &mut String, statuses: &[Status]) -> Result<(), std::fmt::Error> {
    for (status, title) in [("failing", "Failing"), ("not_applicable", "Not applicable")] {
        let rows: Vec<&Status> = statuses.iter().filter(|row| row.status == status).collect();
        if rows.is_empty() {
            continue;
        }
        writeln!(out, "\n## {title}\n\n| file | test | reason |\n| --- | --- | --- |")?;
        for row in rows {
            let reason = row.reason.replace('|', "\\|");
            writeln!(out, "| {} | {} | {reason} |", row.file, row.name)?;
        }
    }
    Ok(())
}
