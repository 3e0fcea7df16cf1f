//! Whether exports and imports of all accounts name accounts that exist and subjects that are
//! subjects. (Whether an import is covered by an export is decided where they are linked.)

use super::{Export, ExportKind, Import, ImportKind};
use crate::config::go::quote;
use crate::config::options::Options;
use crate::config::read::{Cx, Item};
use crate::wire::subject;

/// Checks the links of all accounts; errors stand at the block, as upstream has them.
pub(super) fn check(item: Item<'_>, options: &Options, cx: &mut Cx<'_>) {
    let global = !options.mappings.is_empty();
    let known =
        |name: &str| global && name == "$G" || options.accounts.iter().any(|a| a.name == name);
    let accounts = || options.accounts.iter();
    let mut report = |message: Option<String>| {
        if let Some(message) = message {
            cx.error(item.error(message));
        }
    };
    let is_stream = |export: &&Export| export.kind == ExportKind::Stream;
    for export in accounts().flat_map(|a| &a.exports).filter(is_stream) {
        check_export(export, "stream", known).for_each(|e| report(Some(e)));
    }
    for export in accounts().flat_map(|a| &a.exports).filter(|e| !is_stream(e)) {
        check_export(export, "service", known).for_each(|e| report(Some(e)));
    }
    let is_stream = |import: &&Import| matches!(import.kind, ImportKind::Stream { .. });
    for import in accounts().flat_map(|a| &a.imports).filter(is_stream) {
        report(check_import(import, "stream", known));
    }
    for import in accounts().flat_map(|a| &a.imports).filter(|i| !is_stream(i)) {
        report(check_import(import, "service", known));
    }
}

fn check_export<'a>(
    export: &'a Export,
    what: &'a str,
    known: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = String> + 'a {
    let names = export.accounts.iter().flatten();
    let missing = names
        .filter(move |name| !known(name.as_str()))
        .map(move |name| format!("{} account not defined for {what} export", quote(name)));
    missing.chain(export_problem(export, what))
}

fn export_problem(export: &Export, what: &str) -> Option<String> {
    let name = quote(&export.subject);
    // As upstream: nobody looks at the subject of a stream export.
    let is_service = matches!(export.kind, ExportKind::Service { .. });
    if is_service && !subject::is_valid_subject(export.subject.as_bytes()) {
        return Some(format!("Error adding {what} export {name}: invalid subject"));
    }
    let ExportKind::Service { latency: Some(latency), .. } = &export.kind else { return None };
    let to = &latency.subject;
    (!subject::is_valid_publish_subject(to.as_bytes())).then(|| {
        let to = quote(to);
        format!(
            "Error adding service latency sampling for {name} on subject {to}: invalid publish \
             subject"
        )
    })
}

fn check_import(import: &Import, what: &str, known: impl Fn(&str) -> bool) -> Option<String> {
    if !known(&import.account) {
        let name = quote(&import.account);
        return Some(format!("{name} account not defined for {what} import"));
    }
    let ImportKind::Stream { prefix, .. } = &import.kind else { return None };
    subject::has_wildcard(prefix.as_bytes()).then(|| {
        let name = quote(&import.subject);
        format!(
            "Error adding stream import {name}: stream import prefix can not contain wildcard \
             tokens"
        )
    })
}
