//! What servers answered, and where two answers differ.

use super::accepted;

/// What one server answered to one script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The script's name within its suite.
    pub(crate) script: String,
    /// The script, for people.
    pub(crate) asked: String,
    /// What came back, volatile parts masked.
    pub(crate) text: String,
}

/// A script that two servers answer differently.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) script: String,
    pub(crate) asked: String,
    pub(crate) upstream: String,
    pub(crate) here: String,
    /// The row of docs/deviations.md, where the difference is meant.
    pub(crate) row: Option<&'static str>,
}

/// The differences between the oracle's answers, `(script, text)`, and ours. Scripts that only
/// one side has are not compared.
pub(crate) fn differences<'a>(
    suite: &str,
    upstream: impl Iterator<Item = (&'a str, &'a str)>,
    here: &[Answer],
) -> Vec<Difference> {
    let upstream: std::collections::HashMap<&str, &str> = upstream.collect();
    here.iter()
        .filter_map(|answer| {
            let theirs = *upstream.get(answer.script.as_str())?;
            (theirs != answer.text).then(|| Difference {
                script: answer.script.clone(),
                asked: answer.asked.clone(),
                upstream: theirs.to_owned(),
                here: answer.text.clone(),
                row: accepted(suite, &answer.script, theirs, &answer.text),
            })
        })
        .collect()
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.script)?;
        for line in self.asked.lines() {
            writeln!(f, "    | {line}")?;
        }
        let (theirs, ours): (Vec<&str>, Vec<&str>) =
            (self.upstream.lines().collect(), self.here.lines().collect());
        let same = theirs.iter().zip(&ours).take_while(|(a, b)| a == b).count();
        for line in &theirs[..same] {
            writeln!(f, "      {line}")?;
        }
        for line in &theirs[same..] {
            writeln!(f, "    - {line}")?;
        }
        for line in &ours[same..] {
            writeln!(f, "    + {line}")?;
        }
        Ok(())
    }
}
