-- Which Go test is ported by which case, and what became of it. Made by `conformance sync` from
-- the text under conformance/; never edited.

-- Upstream's tests.
CREATE TABLE go_tests (
  file TEXT NOT NULL, name TEXT NOT NULL, subsystem TEXT NOT NULL,
  line INTEGER NOT NULL, lines INTEGER NOT NULL,
  PRIMARY KEY (file, name)
) WITHOUT ROWID;

-- The cases; a better case's note is its row in docs/deviations.md.
CREATE TABLE rust_tests (
  name TEXT PRIMARY KEY, kind TEXT NOT NULL, path TEXT NOT NULL,
  source_hash TEXT NOT NULL, note TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE test_mappings (
  file TEXT NOT NULL, name TEXT NOT NULL, rust_test TEXT NOT NULL REFERENCES rust_tests,
  assertion TEXT NOT NULL,
  PRIMARY KEY (file, name, rust_test), FOREIGN KEY (file, name) REFERENCES go_tests
) WITHOUT ROWID;

-- Go tests that have no counterpart, and why.
CREATE TABLE dispositions (
  file TEXT NOT NULL, name TEXT NOT NULL, disposition TEXT NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY (file, name), FOREIGN KEY (file, name) REFERENCES go_tests
) WITHOUT ROWID;

-- The last recorded run of each case on each target.
CREATE TABLE results (
  rust_test TEXT NOT NULL, target TEXT NOT NULL, version TEXT NOT NULL, outcome TEXT NOT NULL,
  passes INTEGER NOT NULL, source_hash TEXT NOT NULL,
  PRIMARY KEY (rust_test, target)
) WITHOUT ROWID;

-- Upstream's visible surface, a row each; key: the row's columns joined by |.
CREATE TABLE inventories (
  inventory TEXT NOT NULL, row INTEGER NOT NULL, key TEXT NOT NULL,
  PRIMARY KEY (inventory, row)
) WITHOUT ROWID;

-- The rows whose observable effect a case asserts.
CREATE TABLE exercises (
  inventory TEXT NOT NULL, row INTEGER NOT NULL, rust_test TEXT NOT NULL REFERENCES rust_tests,
  PRIMARY KEY (inventory, row, rust_test)
) WITHOUT ROWID;

CREATE TABLE capabilities (
  id TEXT PRIMARY KEY, area TEXT NOT NULL, capability TEXT NOT NULL
) WITHOUT ROWID;

-- A result counts only for the very source it was had with.
CREATE VIEW case_state AS
SELECT t.name, t.kind,
  EXISTS (SELECT 1 FROM results r WHERE r.rust_test = t.name AND r.target = 'rust'
    AND r.outcome = 'passed' AND r.source_hash = t.source_hash) AS here,
  EXISTS (SELECT 1 FROM results r WHERE r.rust_test = t.name AND r.target = 'rust'
    AND r.source_hash = t.source_hash) AS ran,
  EXISTS (SELECT 1 FROM results r WHERE r.rust_test = t.name AND r.target = 'upstream'
    AND r.outcome = 'passed' AND r.passes >= 3 AND r.source_hash = t.source_hash) AS oracle
FROM rust_tests t;

CREATE VIEW go_test_status AS
WITH mapped AS (
  SELECT m.file, m.name, count(*) AS cases, sum(c.here) AS here,
    sum(c.kind <> 'library') AS wire, sum(c.kind <> 'library' AND c.oracle) AS oracle,
    min(CASE WHEN NOT c.here AND c.ran THEN c.name END) AS fails,
    min(CASE WHEN NOT c.ran THEN c.name END) AS stale
  FROM test_mappings m JOIN case_state c ON c.name = m.rust_test
  GROUP BY m.file, m.name
)
SELECT g.file, g.name, g.subsystem,
  CASE
    WHEN d.reason IS NOT NULL THEN 'not_applicable'
    WHEN m.cases IS NULL THEN 'unmapped'
    WHEN m.here < m.cases THEN 'failing'
    WHEN m.wire > 0 AND m.oracle = m.wire THEN 'verified'
    ELSE 'passing'
  END AS status,
  CASE
    WHEN d.reason IS NOT NULL THEN d.reason
    WHEN m.cases IS NULL THEN ''
    WHEN m.fails IS NOT NULL THEN m.fails || ' fails'
    WHEN m.stale IS NOT NULL THEN m.stale || ' has no result for its present source'
    WHEN m.wire = 0 THEN 'library'
    WHEN m.oracle < m.wire THEN 'not yet three times in a row on the oracle'
    ELSE ''
  END AS reason
FROM go_tests g
LEFT JOIN dispositions d ON d.file = g.file AND d.name = g.name
LEFT JOIN mapped m ON m.file = g.file AND m.name = g.name;
