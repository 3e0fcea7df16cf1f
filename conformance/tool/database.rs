//! mappings.db: the text of the tree as tables, and the view `go_test_status` over them.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, params};

use crate::Outcome;
use crate::tree::{Target, Tree, results_text};

/// One row of the view `go_test_status`.
pub(crate) struct Status {
    pub(crate) file: String,
    pub(crate) name: String,
    pub(crate) area: String,
    pub(crate) status: String,
    pub(crate) reason: String,
}

/// Go tests by status.
pub(crate) type Counts = BTreeMap<String, u32>;

/// The database in memory. Rows that contradict the inventories are left out: `check` names them.
pub(crate) fn build(tree: &Tree) -> rusqlite::Result<Connection> {
    let mut db = Connection::open_in_memory()?;
    db.execute_batch(include_str!("schema.sql"))?;
    let tx = db.transaction()?;
    for test in &tree.go_tests {
        tx.prepare_cached("INSERT INTO go_tests VALUES (?, ?, ?, ?, ?)")?
            .execute(params![test.file, test.name, test.area, test.line, test.lines])?;
    }
    for table in &tree.inventories {
        for (row, columns) in table.rows.iter().enumerate() {
            tx.prepare_cached("INSERT INTO inventories VALUES (?, ?, ?)")?.execute(params![
                table.name,
                row as i64,
                columns.join("|")
            ])?;
        }
    }
    for row in &tree.capabilities {
        tx.prepare_cached("INSERT INTO capabilities VALUES (?, ?, ?)")?
            .execute(params![row.id, row.area, row.text])?;
    }
    for case in &tree.cases {
        if case.kind == "not_applicable" {
            for (file, name) in case.go_test_keys() {
                tx.prepare_cached(
                    "INSERT OR IGNORE INTO dispositions VALUES (?, ?, 'not_applicable', ?)",
                )?
                .execute(params![file, name, case.note])?;
            }
            continue;
        }
        let path = case.path.strip_prefix(&tree.root).unwrap_or(&case.path).to_string_lossy();
        tx.prepare_cached("INSERT INTO rust_tests VALUES (?, ?, ?, ?, ?)")?
            .execute(params![case.name, case.kind, path, case.hash, case.note])?;
        for ((file, name), test) in case.go_test_keys().zip(&case.go_tests) {
            tx.prepare_cached("INSERT OR IGNORE INTO test_mappings VALUES (?, ?, ?, ?)")?
                .execute(params![file, name, case.name, test.assertion.as_deref().unwrap_or("")])?;
        }
        for (inventory, key) in &case.exercises {
            for row in tree.rows_of(inventory, key).unwrap_or_default() {
                tx.prepare_cached("INSERT OR IGNORE INTO exercises VALUES (?, ?, ?)")?
                    .execute(params![inventory, row as i64, case.name])?;
            }
        }
        for target in Target::ALL {
            if let Some(result) = tree.results.get(&(target, case.name.clone())) {
                tx.prepare_cached("INSERT INTO results VALUES (?, ?, ?, ?, ?, ?)")?.execute(
                    params![
                        case.name,
                        target.name(),
                        result.version,
                        result.outcome,
                        result.passes,
                        result.hash
                    ],
                )?;
            }
        }
    }
    tx.commit()?;
    Ok(db)
}

/// `sync`: writes the database, whole and compact, and puts the results it is made from in order.
pub(crate) fn sync(tree: &Tree, path: &Path) -> Outcome {
    for target in Target::ALL {
        fs::write(target.path(&tree.root), results_text(&tree.results_of(target)))?;
    }
    let fresh = path.with_extension("db.new");
    let _ = fs::remove_file(&fresh);
    let db = build(tree)?;
    db.execute("VACUUM INTO ?", params![fresh.to_string_lossy()])?;
    fs::rename(&fresh, path)?;
    let counts = counts(&statuses(&db)?);
    let words: Vec<String> = counts.iter().map(|(status, n)| format!("{status} {n}")).collect();
    println!("{}: {}", path.display(), words.join(", "));
    Ok(true)
}

/// Whether the file holds what the tree says, table by table; names the first that does not.
pub(crate) fn differs(tree: &Tree, path: &Path) -> Result<Option<String>, Box<dyn Error>> {
    if !path.exists() {
        return Ok(Some("does not exist".to_owned()));
    }
    let fresh = build(tree)?;
    let kept = Connection::open(path)?;
    let schema = "SELECT type, name, sql FROM sqlite_schema ORDER BY name";
    if rows(&fresh, schema)? != rows(&kept, schema)? {
        return Ok(Some("has another schema".to_owned()));
    }
    let tables: Vec<String> = fresh
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for table in tables {
        // The primary key of each table is its order.
        let all = format!("SELECT * FROM {table}");
        if rows(&fresh, &all)? != rows(&kept, &all)? {
            return Ok(Some(format!("has other rows in {table}")));
        }
    }
    Ok(None)
}

fn rows(db: &Connection, query: &str) -> rusqlite::Result<Vec<Vec<Value>>> {
    let mut statement = db.prepare(query)?;
    let columns = statement.column_count();
    statement.query_map([], |row| (0..columns).map(|index| row.get(index)).collect())?.collect()
}

pub(crate) fn statuses(db: &Connection) -> rusqlite::Result<Vec<Status>> {
    db.prepare("SELECT file, name, subsystem, status, reason FROM go_test_status ORDER BY 1, 2")?
        .query_map([], |row| {
            Ok(Status {
                file: row.get(0)?,
                name: row.get(1)?,
                area: row.get(2)?,
                status: row.get(3)?,
                reason: row.get(4)?,
            })
        })?
        .collect()
}

pub(crate) fn counts<'a>(statuses: impl IntoIterator<Item = &'a Status>) -> Counts {
    let mut counts = Counts::new();
    for row in statuses {
        *counts.entry(row.status.clone()).or_default() += 1;
    }
    counts
}

/// For an inventory: its rows, those a case exercises, and those such a case passes with here.
pub(crate) struct Coverage {
    pub(crate) inventory: String,
    pub(crate) rows: u32,
    pub(crate) exercised: u32,
    pub(crate) shown: u32,
}

pub(crate) fn coverage(db: &Connection) -> rusqlite::Result<Vec<Coverage>> {
    db.prepare(
        "SELECT i.inventory, count(*),
           sum(EXISTS (SELECT 1 FROM exercises e
             WHERE e.inventory = i.inventory AND e.row = i.row)),
           sum(EXISTS (SELECT 1 FROM exercises e JOIN case_state c ON c.name = e.rust_test
             WHERE e.inventory = i.inventory AND e.row = i.row AND c.here))
         FROM inventories i WHERE i.inventory NOT IN ('gap_areas', 'field_statements')
         GROUP BY 1 ORDER BY 1",
    )?
    .query_map([], |row| {
        Ok(Coverage {
            inventory: row.get(0)?,
            rows: row.get(1)?,
            exercised: row.get(2)?,
            shown: row.get(3)?,
        })
    })?
    .collect()
}

/// For each row of an inventory, by its first column: the cases that exercise it, and those that
/// pass here.
pub(crate) fn cases_by_row(
    db: &Connection,
    inventory: &str,
) -> rusqlite::Result<BTreeMap<String, (u32, u32)>> {
    db.prepare(
        "SELECT substr(i.key, 1, instr(i.key, '|') - 1), count(e.rust_test), total(c.here)
         FROM inventories i
         LEFT JOIN exercises e ON e.inventory = i.inventory AND e.row = i.row
         LEFT JOIN case_state c ON c.name = e.rust_test
         WHERE i.inventory = ? GROUP BY 1",
    )?
    .query_map([inventory], |row| {
        let here: f64 = row.get(2)?;
        Ok((row.get(0)?, (row.get(1)?, here as u32)))
    })?
    .collect()
}
