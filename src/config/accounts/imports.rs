//! `imports` of an account. Go: parseImportStreamOrService.

use super::{Import, ImportKind};
use crate::config::go::quote;
use crate::config::read::{ConfigError, Cx, Item, entries};

/// A list of imports.
pub(super) fn parse(item: Item<'_>, cx: &mut Cx<'_>) -> Result<Vec<Import>, ConfigError> {
    let items =
        item.array_or(|| format!("Imports should be an array, got {}", item.type_name()))?;
    let mut imports: Vec<Import> = Vec::new();
    for item in items {
        let Some(import) = cx.check_with(|cx| import(item, cx)).flatten() else { continue };
        if let Some(dup) = imports.iter().find(|other| same_service(other, &import)) {
            let (to, account) = (quote(&import.to), quote(&dup.account));
            let subject = quote(&dup.subject);
            cx.error(item.error(format!(
                "Duplicate service import subject {to}, previously used in import for account \
                 {account}, subject {subject}"
            )));
            continue;
        }
        imports.push(import);
    }
    Ok(imports)
}

fn same_service(a: &Import, b: &Import) -> bool {
    let service = |import: &Import| matches!(import.kind, ImportKind::Service { .. });
    service(a) && service(b) && a.to == b.to && a.account == b.account
}

/// Keys of an import as far as read.
#[derive(Default)]
struct Draft<'a> {
    stream: Option<Source>,
    service: Option<Source>,
    prefix: String,
    to: String,
    share: bool,
    allow_trace: Option<(bool, Option<Item<'a>>)>,
}

/// The other account and the subject there.
struct Source {
    account: String,
    subject: String,
}

/// One import; `None` if it names neither stream nor service.
fn import(item: Item<'_>, cx: &mut Cx<'_>) -> Result<Option<Import>, ConfigError> {
    let map = item.map_or(|| {
        format!("Import Items should be a map with type entry, got {}", item.type_name())
    })?;
    let mut draft = Draft::default();
    for entry in entries(map) {
        cx.check_with(|cx| field(entry, &mut draft, cx));
    }
    let allow_trace = draft.allow_trace.is_some_and(|(allow, _)| allow);
    Ok(match (draft.stream, draft.service) {
        (Some(Source { account, subject }), _) => Some(Import {
            account,
            subject,
            to: draft.to,
            kind: ImportKind::Stream { prefix: draft.prefix, allow_trace },
        }),
        (None, Some(Source { account, subject })) => Some(Import {
            to: if draft.to.is_empty() { subject.clone() } else { draft.to },
            account,
            subject,
            kind: ImportKind::Service { share: draft.share },
        }),
        (None, None) => None,
    })
}

fn field<'a>(entry: Item<'a>, draft: &mut Draft<'a>, cx: &mut Cx<'_>) -> Result<(), ConfigError> {
    let non_stream = "Detected allow_trace directive on a non-stream";
    match entry.key().as_str() {
        "stream" => {
            if draft.service.is_some() {
                return Err(entry.error("Detected stream but already saw a service"));
            }
            draft.stream = Some(source(entry, "Stream", cx)?);
        }
        "service" => {
            if draft.stream.is_some() {
                return Err(entry.error("Detected service but already saw a stream"));
            }
            if let Some((_, Some(place))) = draft.allow_trace {
                return Err(place.error(non_stream));
            }
            draft.service = Some(source(entry, "Service", cx)?);
        }
        "prefix" => {
            draft.prefix = entry.text()?;
        }
        "to" => {
            draft.to = entry.text()?;
            if draft.stream.is_some() && !draft.prefix.is_empty() {
                let message = "Stream import can not have a 'prefix' and a 'to' property";
                return Err(entry.error(message));
            }
        }
        "share" => draft.share = entry.boolean()?,
        "allow_trace" => {
            if draft.service.is_some() {
                return Err(entry.error(non_stream));
            }
            draft.allow_trace = Some((entry.boolean()?, Some(entry)));
        }
        _ => cx.unknown(entry),
    }
    Ok(())
}

fn source(item: Item<'_>, what: &str, cx: &mut Cx<'_>) -> Result<Source, ConfigError> {
    let map =
        item.map_or(|| format!("{what} entry should be an account map, got {}", item.type_name()))?;
    let mut source = Source { account: String::new(), subject: String::new() };
    for entry in entries(map) {
        match entry.key().as_str() {
            "account" => source.account = cx.check(entry.text()).unwrap_or_default(),
            "subject" => source.subject = cx.check(entry.text()).unwrap_or_default(),
            _ => cx.unknown(entry),
        }
    }
    match source.account.is_empty() || source.subject.is_empty() {
        true => Err(item.error("Expect an account name and a subject")),
        false => Ok(source),
    }
}
