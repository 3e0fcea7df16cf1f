//! `dashboard`: the same facts as GAPS.md, down to each test, as a static site without scripts
//! or assets from elsewhere.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::Outcome;
use crate::database::{self, Counts, Status};
use crate::report::percent;
use crate::tree::{STATUSES, Tree};

/// Where upstream's tests can be read, at the commit the inventory was taken from.
const UPSTREAM_BLOB: &str =
    "https://github.com/nats-io/nats-server/blob/1787eee035cf0253c201fa0f05afad92b6f296dc";

pub(crate) fn write(tree: &Tree, folder: &Path) -> Outcome {
    let db = database::build(tree)?;
    let site = Site { tree, statuses: database::statuses(&db)?, cases: cases_of(&db)?, db };
    fs::create_dir_all(folder.join("files"))?;
    fs::write(folder.join("style.css"), include_str!("dashboard.css"))?;
    fs::write(folder.join("page.js"), include_str!("dashboard.js"))?;
    fs::write(folder.join("index.html"), site.index()?)?;
    for (file, rows) in site.by(|row| row.file.as_str()) {
        fs::write(folder.join(file_page(file)), site.file(file, &rows)?)?;
    }
    println!("{}", folder.join("index.html").display());
    Ok(true)
}

struct Site<'a> {
    tree: &'a Tree,
    statuses: Vec<Status>,
    /// The cases that stand for a Go test, by (file, name).
    cases: BTreeMap<(String, String), Vec<String>>,
    db: Connection,
}

type Page = Result<String, Box<dyn Error>>;

impl Site<'_> {
    fn by<'s>(&'s self, key: impl Fn(&'s Status) -> &'s str) -> BTreeMap<&'s str, Vec<&'s Status>> {
        let mut groups: BTreeMap<&str, Vec<&Status>> = BTreeMap::new();
        for row in &self.statuses {
            groups.entry(key(row)).or_default().push(row);
        }
        groups
    }

    fn index(&self) -> Page {
        let counts = database::counts(&self.statuses);
        let mut out = head("nats-server in Rust: conformance", "");
        write!(
            out,
            "<header class=hero><p class=eyebrow>nats-server in Rust</p>\
             <h1>{:.1}<small>%</small></h1>\
             <p class=lead>of the {} tests of upstream's own suite that apply pass on this \
             server. Those marked verified also pass, three times in a row, on upstream's \
             released binary: the tests are judged before the server is.</p>{}{}</header>",
            percent(&counts).unwrap_or_default(),
            self.statuses.len() as u32 - counts.get("not_applicable").copied().unwrap_or(0),
            bar(&counts),
            legend(&counts),
        )?;
        self.trend(&mut out)?;
        self.areas(&mut out)?;
        self.files(&mut out)?;
        self.surface(&mut out)?;
        for (title, path) in
            [("Speed beside upstream", "docs/performance.md"), ("Interop", "docs/interop.md")]
        {
            tables_of(&mut out, title, &self.tree.root.join(path))?;
        }
        out.push_str(TAIL);
        Ok(out)
    }

    fn areas(&self, out: &mut String) -> std::fmt::Result {
        let groups = self.by(|row| row.area.as_str());
        out.push_str("<section><h2>By area</h2><div class=cards>");
        for area in self.tree.areas() {
            let rows = groups.get(area).map_or(&[][..], Vec::as_slice);
            let counts = database::counts(rows.iter().copied());
            let files: std::collections::BTreeSet<&str> =
                rows.iter().map(|row| row.file.as_str()).collect();
            write!(
                out,
                "<article class=card><h3>{}</h3><p class=figure>{:.0}<small>%</small></p>{}\
                 <p class=muted>{} tests in {} files</p></article>",
                escape(area),
                percent(&counts).unwrap_or_default(),
                bar(&counts),
                rows.len(),
                files.len(),
            )?;
        }
        out.push_str("</div></section>");
        Ok(())
    }

    fn files(&self, out: &mut String) -> std::fmt::Result {
        out.push_str(
            "<section><h2>By upstream file</h2>\
             <input class=filter type=search placeholder='Filter files' data-filter='#files'>\
             <div class=scroll><table id=files><thead><tr><th>File<th class=wide>\
             <th class=n>Verified<th class=n>Passing<th class=n>Failing<th class=n>n/a\
             <th class=n>Unmapped<th class=n>Done</tr></thead><tbody>",
        );
        for (file, rows) in self.by(|row| row.file.as_str()) {
            let counts = database::counts(rows.iter().copied());
            write!(
                out,
                "<tr><td><a href='{}'>{}</a><small>{}</small><td>{}",
                file_page(file),
                escape(file),
                escape(&rows[0].area),
                bar(&counts)
            )?;
            for status in STATUSES {
                let n = counts.get(status).copied().unwrap_or(0);
                let class = if n == 0 { "n zero" } else { "n" };
                write!(out, "<td class='{class}'>{n}")?;
            }
            let done =
                percent(&counts).map_or("\u{2013}".to_owned(), |done| format!("{done:.0} %"));
            write!(out, "<td class=n>{done}</tr>")?;
        }
        out.push_str("</tbody></table></div></section>");
        Ok(())
    }

    fn surface(&self, out: &mut String) -> Result<(), Box<dyn Error>> {
        out.push_str(
            "<section><h2>Visible surface</h2><p class=muted>Rows of upstream's flags, keys, \
             fields and messages whose observable effect a passing case asserts.</p>\
             <div class=scroll><table><thead><tr><th>Inventory<th class=wide><th class=n>Rows\
             <th class=n>Exercised<th class=n>Implemented</tr></thead><tbody>",
        );
        for row in database::coverage(&self.db)? {
            let counts = Counts::from([
                ("verified".to_owned(), row.shown),
                ("failing".to_owned(), row.exercised - row.shown),
                ("unmapped".to_owned(), row.rows - row.exercised),
            ]);
            write!(
                out,
                "<tr><td>{}<td>{}<td class=n>{}<td class=n>{}<td class=n>{}</tr>",
                escape(&row.inventory.replace('_', " ")),
                bar(&counts),
                row.rows,
                row.exercised,
                row.shown
            )?;
        }
        out.push_str("</tbody></table></div></section>");
        Ok(())
    }

    /// The history as a stacked area chart; nothing before there are two days of it.
    fn trend(&self, out: &mut String) -> std::fmt::Result {
        const WIDTH: f64 = 1000.0;
        const HEIGHT: f64 = 180.0;
        let days = &self.tree.history;
        let [first, .., last] = days.as_slice() else { return Ok(()) };
        let total: f64 = last.counts.values().map(|&n| f64::from(n)).sum();
        write!(
            out,
            "<section><h2>Trend</h2><svg class=trend viewBox='0 0 {WIDTH} {HEIGHT}' \
             preserveAspectRatio=none role=img aria-label='Tests by status over time'>"
        )?;
        let step = WIDTH / (days.len() - 1) as f64;
        let mut floor = vec![0.0; days.len()];
        for status in STATUSES {
            let top: Vec<f64> = days
                .iter()
                .zip(&floor)
                .map(|(day, floor)| floor + f64::from(day.counts.get(status).copied().unwrap_or(0)))
                .collect();
            let at = |(index, count): (usize, &f64)| {
                format!("{:.1},{:.1}", index as f64 * step, HEIGHT - count / total * HEIGHT)
            };
            let mut points: Vec<String> = top.iter().enumerate().map(at).collect();
            points.extend(floor.iter().enumerate().rev().map(at));
            write!(out, "<polygon class='fill-{status}' points='{}'/>", points.join(" "))?;
            floor = top;
        }
        write!(out, "</svg><p class=axis><span>{}</span><span>{}</span></p>", first.day, last.day)?;
        out.push_str("</section>");
        Ok(())
    }

    fn file(&self, file: &str, rows: &[&Status]) -> Page {
        let counts = database::counts(rows.iter().copied());
        let lines: BTreeMap<&str, u32> = self
            .tree
            .go_tests
            .iter()
            .filter(|test| test.file == file)
            .map(|test| (test.name.as_str(), test.line))
            .collect();
        let mut out = head(file, "../");
        write!(
            out,
            "<header class=hero><p class=eyebrow><a href='../index.html'>Conformance</a> / {}</p>\
             <h1 class=path>{}</h1>{}{}</header><section>\
             <input class=filter type=search placeholder='Filter tests' data-filter='#tests'>\
             <div class=scroll><table id=tests><thead><tr><th>Go test<th>Status<th>Case or reason\
             </tr></thead><tbody>",
            escape(&rows[0].area),
            escape(file),
            bar(&counts),
            legend(&counts)
        )?;
        for row in rows {
            let cases = self.cases.get(&(row.file.clone(), row.name.clone()));
            let cases: Vec<String> = cases
                .into_iter()
                .flatten()
                .map(|case| format!("<code>{}</code>", escape(case)))
                .collect();
            let line = lines.get(row.name.as_str()).copied().unwrap_or(1);
            write!(
                out,
                "<tr><td><a href='{UPSTREAM_BLOB}/{file}#L{line}'>{}</a>\
                 <td><span class='tag {}'>{}</span><td>{}",
                escape(&row.name),
                row.status,
                row.status.replace('_', " "),
                cases.join(" ")
            )?;
            // That its only case fails is what the status says already.
            let told = cases.len() == 1 && row.reason.ends_with(" fails");
            if !row.reason.is_empty() && !told {
                write!(out, " <span class=muted>{}</span>", escape(&row.reason))?;
            }
            out.push_str("</tr>");
        }
        out.push_str("</tbody></table></div></section>");
        out.push_str(TAIL);
        Ok(out)
    }
}

fn cases_of(db: &Connection) -> rusqlite::Result<BTreeMap<(String, String), Vec<String>>> {
    let mut cases: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut statement = db.prepare("SELECT file, name, rust_test FROM test_mappings")?;
    let rows = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
    for row in rows {
        let (test, case) = row?;
        cases.entry(test).or_default().push(case);
    }
    Ok(cases)
}

fn head(title: &str, up: &str) -> String {
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8>\
         <meta name=viewport content='width=device-width, initial-scale=1'>\
         <meta name=color-scheme content='light dark'><title>{}</title>\
         <link rel=stylesheet href='{up}style.css'><script defer src='{up}page.js'></script>\
         <body><button class=theme type=button aria-label='Dark or light'></button><main>",
        escape(title)
    )
}

const TAIL: &str = "</main><footer>Made by <code>conformance dashboard</code> from mappings, \
                    results and inventories under <code>conformance/</code>.</footer></body></html>";

/// The counts as one bar.
fn bar(counts: &Counts) -> String {
    let total: u32 = counts.values().sum();
    let mut out = "<div class=bar>".to_owned();
    for status in STATUSES {
        let n = counts.get(status).copied().unwrap_or(0);
        if n > 0 {
            let share = 100.0 * f64::from(n) / f64::from(total);
            let label = status.replace('_', " ");
            out.push_str(&format!(
                "<i class='fill-{status}' style='width:{share:.2}%' title='{n} {label}'></i>"
            ));
        }
    }
    out + "</div>"
}

fn legend(counts: &Counts) -> String {
    let item = |status: &&str| {
        let n = counts.get(*status).copied().unwrap_or(0);
        format!("<li><i class='fill-{status}'></i><b>{n}</b> {}</li>", status.replace('_', " "))
    };
    format!("<ul class=legend>{}</ul>", STATUSES.iter().map(item).collect::<String>())
}

/// The tables of a Markdown document, each under its heading; nothing when there is none.
fn tables_of(out: &mut String, title: &str, path: &Path) -> std::fmt::Result {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut body = String::new();
    let mut heading = "";
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(words) = line.strip_prefix('#') {
            heading = words.trim_start_matches('#').trim();
        }
        let is_rule = |next: &&str| next.starts_with("| -") || next.starts_with("|-");
        if !line.starts_with('|') || !lines.peek().is_some_and(is_rule) {
            continue;
        }
        lines.next();
        write!(body, "<h3>{}</h3><div class=scroll><table><thead><tr>", escape(heading))?;
        cells(&mut body, line, "th")?;
        body.push_str("</tr></thead><tbody>");
        while let Some(row) = lines.next_if(|next| next.starts_with('|')) {
            body.push_str("<tr>");
            cells(&mut body, row, "td")?;
            body.push_str("</tr>");
        }
        body.push_str("</tbody></table></div>");
    }
    if !body.is_empty() {
        write!(out, "<section><h2>{title}</h2>{body}</section>")?;
    }
    Ok(())
}

fn cells(out: &mut String, line: &str, tag: &str) -> std::fmt::Result {
    for cell in line.trim_matches('|').split('|') {
        write!(out, "<{tag}>{}", escape(cell.trim()))?;
    }
    Ok(())
}

/// The page of an upstream file, below the site's folder.
fn file_page(file: &str) -> String {
    format!("files/{}.html", file.trim_end_matches(".go").replace('/', "-"))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&#39;")
}
