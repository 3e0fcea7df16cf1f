//! The text that everything is made from: inventories, cases, results.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use crate::source::{SourceCase, Sources};

/// The inventories whose rows a case can exercise: what of upstream can be seen from outside, its
/// capabilities, and what the field asks for.
const INVENTORIES: [&str; 18] = [
    "cli_flags",
    "config_keys",
    "signals",
    "protocol",
    "close_reasons",
    "log_lines",
    "http_endpoints",
    "http_fields",
    "events",
    "event_fields",
    "js_api",
    "js_api_fields",
    "js_errors",
    "mqtt_surface",
    "raft_wire",
    "disk_formats",
    "gap_areas",
    "field_statements",
];

/// The most rows that one key may name: more would claim what no single case asserts.
const ROWS_PER_KEY_MAX: usize = 4;

pub(crate) struct Tree {
    pub(crate) root: PathBuf,
    pub(crate) cases: Vec<SourceCase>,
    pub(crate) go_tests: Vec<GoTestRow>,
    pub(crate) inventories: Vec<Inventory>,
    pub(crate) capabilities: Vec<Capability>,
    /// Results by target and case.
    pub(crate) results: BTreeMap<(Target, String), CaseResult>,
    pub(crate) history: Vec<HistoryRow>,
}

/// A Go test of the inventory.
pub(crate) struct GoTestRow {
    pub(crate) file: String,
    pub(crate) name: String,
    pub(crate) line: u32,
    pub(crate) lines: u32,
    /// One of the areas of gap_areas.tsv.
    pub(crate) area: String,
}

/// A table of upstream's surface.
pub(crate) struct Inventory {
    pub(crate) name: String,
    pub(crate) rows: Vec<Vec<String>>,
}

/// A row of gap_areas.tsv.
pub(crate) struct Capability {
    pub(crate) id: String,
    pub(crate) area: String,
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Rust,
    Upstream,
}

/// The last recorded run of a case.
#[derive(Clone, Debug)]
pub(crate) struct CaseResult {
    pub(crate) hash: String,
    pub(crate) outcome: String,
    /// Passes in a row.
    pub(crate) passes: u32,
    pub(crate) version: String,
}

/// How far the port was on a day.
pub(crate) struct HistoryRow {
    pub(crate) day: String,
    pub(crate) counts: BTreeMap<String, u32>,
}

/// The statuses of a Go test, best first.
pub(crate) const STATUSES: [&str; 5] =
    ["verified", "passing", "failing", "not_applicable", "unmapped"];

impl Target {
    pub(crate) const ALL: [Self; 2] = [Self::Rust, Self::Upstream];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Upstream => "upstream",
        }
    }

    /// Where its results are kept.
    pub(crate) fn path(self, root: &Path) -> PathBuf {
        root.join(format!("conformance/results/{}.tsv", self.name()))
    }
}

impl Tree {
    pub(crate) fn read(root: &Path) -> Result<Self, Box<dyn Error>> {
        let folder = root.join("conformance/upstream");
        let table = |name: &str| read_table(&folder.join(format!("{name}.tsv")));
        let areas: BTreeMap<String, String> = table("areas")?
            .into_iter()
            .filter_map(|row| Some((row.first()?.clone(), row.get(1)?.clone())))
            .collect();
        let mut go_tests = Vec::new();
        for row in table("go_tests")? {
            let [file, name, line, lines, ..] = row.as_slice() else {
                return Err(format!("go_tests.tsv: {row:?}").into());
            };
            let area = areas.get(file).ok_or_else(|| format!("areas.tsv lacks {file}"))?.clone();
            let (line, lines) = (line.parse()?, lines.parse()?);
            go_tests.push(GoTestRow { file: file.clone(), name: name.clone(), line, lines, area });
        }
        let mut inventories = Vec::new();
        for name in INVENTORIES {
            inventories.push(Inventory { name: name.to_owned(), rows: table(name)? });
        }
        let capabilities = table("gap_areas")?
            .into_iter()
            .filter_map(|row| match row.as_slice() {
                [id, area, text, ..] => {
                    Some(Capability { id: id.clone(), area: area.clone(), text: text.clone() })
                }
                _ => None,
            })
            .collect();
        let cases = Sources::read(root)?.cases;
        let mut results = BTreeMap::new();
        for target in Target::ALL {
            for (name, result) in read_results(&target.path(root))? {
                // A merge may leave two rows for a case: the one for its present source counts.
                let case = cases.iter().find(|case| case.name == name);
                let is_current = case.is_some_and(|case| case.hash == result.hash);
                let key = (target, name);
                if is_current || !results.contains_key(&key) {
                    results.insert(key, result);
                }
            }
        }
        let history = read_history(&root.join("conformance/results/history.tsv"))?;
        let root = root.to_owned();
        Ok(Self { root, cases, go_tests, inventories, capabilities, results, history })
    }

    /// The rows of an inventory.
    pub(crate) fn rows(&self, inventory: &str) -> &[Vec<String>] {
        let table = self.inventories.iter().find(|table| table.name == inventory);
        table.map_or(&[], |table| &table.rows)
    }

    /// The areas, in the order of gap_areas.tsv.
    pub(crate) fn areas(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let areas = self.capabilities.iter().map(|capability| capability.area.as_str());
        areas.filter(|area| seen.insert(*area)).collect()
    }

    /// The rows of an inventory that a key names: those whose leading columns it spells.
    pub(crate) fn rows_of(&self, inventory: &str, key: &str) -> Result<Vec<usize>, String> {
        let table = self
            .inventories
            .iter()
            .find(|table| table.name == inventory)
            .ok_or_else(|| format!("there is no inventory {inventory:?}"))?;
        let is_named = |row: &Vec<String>| {
            let whole = row.join("|");
            whole.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('|'))
        };
        let rows: Vec<usize> =
            (0..table.rows.len()).filter(|&index| is_named(&table.rows[index])).collect();
        match rows.len() {
            0 => Err(format!("{inventory} has no row {key:?}")),
            n if n > ROWS_PER_KEY_MAX => Err(format!("{inventory}: {key:?} names {n} rows")),
            _ => Ok(rows),
        }
    }

    /// The results of a target, without those of cases that are gone.
    pub(crate) fn results_of(&self, target: Target) -> BTreeMap<String, CaseResult> {
        let declared: BTreeSet<&str> = self.cases.iter().map(|case| case.name.as_str()).collect();
        let kept = self
            .results
            .iter()
            .filter(|((of, case), _)| *of == target && declared.contains(case.as_str()));
        kept.map(|((_, case), result)| (case.clone(), result.clone())).collect()
    }

    /// The result of a case on a target, when it is of the case as it stands.
    pub(crate) fn current(&self, target: Target, case: &SourceCase) -> Option<&CaseResult> {
        let result = self.results.get(&(target, case.name.clone()))?;
        (result.hash == case.hash).then_some(result)
    }
}

/// The columns of results/*.tsv.
const RESULT_HEADER: &str = "case\thash\toutcome\tpasses\tversion\n";

/// The results of one target as text, sorted by case.
pub(crate) fn results_text(results: &BTreeMap<String, CaseResult>) -> String {
    let mut text = RESULT_HEADER.to_owned();
    for (case, result) in results {
        let CaseResult { hash, outcome, passes, version } = result;
        text.push_str(&format!("{case}\t{hash}\t{outcome}\t{passes}\t{version}\n"));
    }
    text
}

fn read_results(path: &Path) -> Result<Vec<(String, CaseResult)>, Box<dyn Error>> {
    let mut results = Vec::new();
    if !path.exists() {
        return Ok(results);
    }
    for row in read_table(path)? {
        let [case, hash, outcome, passes, version] = row.as_slice() else {
            return Err(format!("{}: {row:?}", path.display()).into());
        };
        let result = CaseResult {
            hash: hash.clone(),
            outcome: outcome.clone(),
            passes: passes.parse()?,
            version: version.clone(),
        };
        results.push((case.clone(), result));
    }
    Ok(results)
}

fn read_history(path: &Path) -> Result<Vec<HistoryRow>, Box<dyn Error>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut history = Vec::new();
    for row in read_table(path)? {
        let (day, counts) = row.split_first().ok_or("history.tsv: an empty row")?;
        let counts = STATUSES.iter().zip(counts);
        let counts: Result<_, std::num::ParseIntError> =
            counts.map(|(status, count)| Ok(((*status).to_owned(), count.parse()?))).collect();
        history.push(HistoryRow { day: day.clone(), counts: counts? });
    }
    Ok(history)
}

/// The rows of a tab separated table, without its header line.
fn read_table(path: &Path) -> Result<Vec<Vec<String>>, Box<dyn Error>> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}
