//! [`Permissions`] made ready to be asked on the path of a message.
//!
//! Denial wins over allowance. A subscription with wildcards is granted if an allowed subject
//! covers it and none denied does, even if a denied one lies *within* it: then what matches the
//! denied one is filtered at delivery ([`Checker::needs_delivery_filter`]).
//! Go: `client.go setPermissions canSubscribe pubAllowed checkDenySub`.

use super::subject_set::{QueueMatch, Star, SubjectSet};
use super::users::{Permissions, ResponsePermission, SubjectPermission};
use crate::wire::subject;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Answers per request where none are configured.
const RESPONSES_MAX_DEFAULT: i32 = 1;
/// Time to answer where none is configured.
const RESPONSES_EXPIRE_DEFAULT: Duration = Duration::from_secs(2 * 60);

/// Gives every compiled set of a server a number of its own, so that caches can key on it.
#[derive(Clone, Debug, Default)]
pub struct CheckerIds(Arc<AtomicU64>);

impl CheckerIds {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// An entry of a permission list that is no subject. The texts are upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{list}: {problem}")]
pub struct PermissionError {
    /// `publish allow`, `publish deny`, `subscribe allow` or `subscribe deny`.
    pub list: &'static str,
    /// What is wrong with which entry.
    pub problem: String,
}

/// Immutable, cheap to ask permissions.
#[derive(Debug)]
pub struct Checker {
    id: u64,
    source: Arc<Permissions>,
    publish: Lists,
    subscribe: Lists,
    /// Subjects of the subscribe denials, to find subscriptions that need the delivery filter.
    subscribe_denied: Vec<Box<[u8]>>,
    responses: Option<ResponsePermission>,
}

#[derive(Debug, Default)]
struct Lists {
    /// `None` allows everything.
    allow: Option<SubjectSet>,
    /// `None` denies nothing.
    deny: Option<SubjectSet>,
}

impl Checker {
    /// Compiles `permissions`. Every entry must be valid: a denial that is silently left out would
    /// be a hole.
    pub fn compile(
        permissions: &Arc<Permissions>,
        ids: &CheckerIds,
    ) -> Result<Self, PermissionError> {
        let responses = permissions.response.map(with_defaults);
        let none = SubjectPermission::default();
        let publish = permissions.publish.as_ref().unwrap_or(&none);
        let subscribe = permissions.subscribe.as_ref().unwrap_or(&none);
        let publish = Lists {
            allow: match &publish.allow {
                Some(allow) => Some(compile_list(allow, "publish allow", Queues::Refused)?),
                // Who may answer requests may publish nothing else unless it is listed.
                None if responses.is_some() => Some(SubjectSet::default()),
                None => None,
            },
            deny: compile_denials(&publish.deny, "publish deny", Queues::Refused)?,
        };
        let allow = subscribe.allow.as_deref().unwrap_or_default();
        let subscribe_denied = subscribe.deny.iter().filter_map(|entry| {
            entry.split_whitespace().next().map(|subject| subject.as_bytes().into())
        });
        Ok(Self {
            id: ids.next(),
            source: permissions.clone(),
            publish,
            subscribe_denied: subscribe_denied.collect(),
            subscribe: Lists {
                // As upstream: an empty list allows everything here, unlike for publish.
                allow: match allow.is_empty() {
                    true => None,
                    false => Some(compile_list(allow, "subscribe allow", Queues::Allowed)?),
                },
                deny: compile_denials(&subscribe.deny, "subscribe deny", Queues::Allowed)?,
            },
            responses,
        })
    }

    /// A number that no other compiled set of this server has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What this was compiled from.
    pub fn source(&self) -> &Arc<Permissions> {
        &self.source
    }

    /// Permission to answer requests, defaults filled in.
    pub fn responses(&self) -> Option<ResponsePermission> {
        self.responses
    }

    /// Whether anything may not be published.
    pub fn restricts_publish(&self) -> bool {
        self.publish.allow.is_some() || self.publish.deny.is_some()
    }

    /// Whether `subject` may be published to, answers to requests apart.
    pub fn can_publish(&self, subject: &[u8]) -> bool {
        let allowed = match &self.publish.allow {
            Some(allow) => allow.matches_plain(subject, Star::CoversToken),
            None => true,
        };
        allowed && !self.denies_publish(subject)
    }

    /// Whether publishing to `subject` is denied expressly; all that is asked about subjects that
    /// some kinds of connections need to work at all.
    pub fn denies_publish(&self, subject: &[u8]) -> bool {
        self.publish.deny.as_ref().is_some_and(|deny| deny.matches_plain(subject, Star::CoversRest))
    }

    /// Whether `subject` may be subscribed to, in `queue` if given.
    pub fn can_subscribe(&self, subject: &[u8], queue: Option<&[u8]>) -> bool {
        let allowed = match &self.subscribe.allow {
            Some(allow) => {
                let listed = queue.map(|q| allow.match_queue(subject, q, Star::CoversToken));
                match listed.unwrap_or(QueueMatch::NoEntry) {
                    QueueMatch::Listed => true,
                    QueueMatch::Unlisted => false,
                    QueueMatch::NoEntry => allow.matches_plain(subject, Star::CoversToken),
                }
            }
            None => true,
        };
        allowed && !self.denies_subscribe(subject, queue)
    }

    /// Whether subscribing to `subject` is denied expressly.
    pub fn denies_subscribe(&self, subject: &[u8], queue: Option<&[u8]>) -> bool {
        self.subscribe.deny.as_ref().is_some_and(|deny| {
            deny.matches_plain(subject, Star::CoversRest)
                || queue.is_some_and(|q| {
                    deny.match_queue(subject, q, Star::CoversRest) == QueueMatch::Listed
                })
        })
    }

    /// Whether a granted subscription may match subjects that are denied, so that
    /// [`Checker::denies_delivery`] has to be asked for its messages.
    pub fn needs_delivery_filter(&self, subject: &[u8], queue: Option<&[u8]>) -> bool {
        (queue.is_some() || subject::has_wildcard(subject))
            && self.subscribe_denied.iter().any(|denied| subject::collide(denied, subject))
    }

    /// Whether a message on the literal `subject` may not be delivered to a subscription (in
    /// `queue` if given).
    pub fn denies_delivery(&self, subject: &[u8], queue: Option<&[u8]>) -> bool {
        self.denies_subscribe(subject, queue)
    }
}

fn with_defaults(response: ResponsePermission) -> ResponsePermission {
    ResponsePermission {
        max_msgs: match response.max_msgs {
            0 => RESPONSES_MAX_DEFAULT,
            n => n,
        },
        expires: match response.expires {
            Some(Duration::ZERO) => Some(RESPONSES_EXPIRE_DEFAULT),
            other => other,
        },
    }
}

/// Whether entries may carry a queue group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Queues {
    Allowed,
    Refused,
}

fn compile_denials(
    entries: &[String],
    list: &'static str,
    queues: Queues,
) -> Result<Option<SubjectSet>, PermissionError> {
    if entries.is_empty() { Ok(None) } else { compile_list(entries, list, queues).map(Some) }
}

fn compile_list(
    entries: &[String],
    list: &'static str,
    queues: Queues,
) -> Result<SubjectSet, PermissionError> {
    let mut set = SubjectSet::default();
    for entry in entries {
        let (subject, queue) =
            split_entry(entry, queues).map_err(|problem| PermissionError { list, problem })?;
        set.insert(subject.as_bytes(), queue.map(str::as_bytes));
    }
    Ok(set)
}

/// `"subject"` or `"subject queue"`; the error says what is wrong.
fn split_entry(entry: &str, queues: Queues) -> Result<(&str, Option<&str>), String> {
    let is_valid = |text: &str| subject::is_valid_subject(text.as_bytes());
    if is_valid(entry) {
        return Ok((entry, None));
    }
    let mut parts = entry.split_whitespace();
    match (queues, parts.next(), parts.next(), parts.next()) {
        (Queues::Allowed, Some(subject), Some(_), None) if !is_valid(subject) => {
            Err(format!("subject {subject:?} is not a valid subject"))
        }
        (Queues::Allowed, Some(_), Some(queue), None) if !is_valid(queue) => {
            Err(format!("queue {queue:?} is not a valid queue"))
        }
        (Queues::Allowed, Some(subject), Some(queue), None) => Ok((subject, Some(queue))),
        _ => Err(format!("subject {entry:?} is not a valid subject")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(allow: Option<&[&str]>, deny: &[&str]) -> Option<SubjectPermission> {
        let own = |entries: &[&str]| entries.iter().map(|e| (*e).to_owned()).collect();
        Some(SubjectPermission { allow: allow.map(own), deny: own(deny) })
    }

    fn checker(permissions: Permissions) -> Checker {
        Checker::compile(&Arc::new(permissions), &CheckerIds::default()).unwrap()
    }

    fn subscriber(allow: Option<&[&str]>, deny: &[&str]) -> Checker {
        checker(Permissions { subscribe: list(allow, deny), ..Default::default() })
    }

    #[test]
    fn publish_allow_and_deny() {
        let all = checker(Permissions::default());
        assert!(all.can_publish(b"any.thing") && !all.restricts_publish());
        let some = checker(Permissions {
            publish: list(Some(&["foo.*", "bar.>"]), &["bar.secret.>", "foo.x"]),
            ..Default::default()
        });
        assert!(some.can_publish(b"foo.a") && some.can_publish(b"bar.a.b"));
        for refused in ["foo", "foo.a.b", "foo.x", "bar.secret.a", "other", "", "foo..a", "foo."] {
            assert!(!some.can_publish(refused.as_bytes()), "{refused}");
        }
        let none = checker(Permissions { publish: list(Some(&[]), &[]), ..Default::default() });
        assert!(!none.can_publish(b"a") && none.restricts_publish());
    }

    #[test]
    fn subscribe_with_wildcards() {
        let c = subscriber(Some(&["foo.*", "bar.>"]), &["foo.x", "bar.private.>"]);
        for granted in ["foo.a", "foo.*", "bar.>", "bar.*.x", "bar.a"] {
            assert!(c.can_subscribe(granted.as_bytes(), None), "{granted}");
        }
        for refused in ["foo.x", ">", "*.*", "foo.>", "bar.private.>", "bar.private.*", "foo"] {
            assert!(!c.can_subscribe(refused.as_bytes(), None), "{refused}");
        }
        assert!(c.needs_delivery_filter(b"foo.*", None));
        assert!(c.needs_delivery_filter(b"bar.>", None));
        assert!(!c.needs_delivery_filter(b"foo.a", None));
        assert!(!c.needs_delivery_filter(b"bar.public.>", None));
        assert!(c.denies_delivery(b"foo.x", None) && !c.denies_delivery(b"foo.y", None));
        assert!(!subscriber(None, &["foo.*"]).can_subscribe(b"foo.>", None));
    }

    #[test]
    fn an_empty_allow_list_allows_subscriptions() {
        assert!(subscriber(Some(&[]), &[]).can_subscribe(b">", None));
    }

    #[test]
    fn queue_groups() {
        let c = subscriber(Some(&["foo v1", "bar *.prod", "baz"]), &["baz dev.*", "qux"]);
        assert!(c.can_subscribe(b"foo", Some(b"v1")));
        assert!(!c.can_subscribe(b"foo", Some(b"v2")));
        assert!(!c.can_subscribe(b"foo", None), "only in the group");
        assert!(c.can_subscribe(b"bar", Some(b"a.prod")));
        assert!(!c.can_subscribe(b"bar", Some(b"a.dev")));
        assert!(c.can_subscribe(b"baz", Some(b"any")));
        assert!(!c.can_subscribe(b"baz", Some(b"dev.1")));
        assert!(c.can_subscribe(b"baz", None));
        let c = subscriber(None, &["foo.> q"]);
        assert!(c.can_subscribe(b"foo.a", None) && c.can_subscribe(b">", Some(b"q")));
        assert!(c.needs_delivery_filter(b">", Some(b"q")));
        assert!(c.denies_delivery(b"foo.a", Some(b"q")) && !c.denies_delivery(b"foo.a", None));
        let c = subscriber(Some(&["foo.>", "foo.a v1"]), &[]);
        assert!(!c.can_subscribe(b"foo.a", Some(b"v2")), "a listed group narrows the subject");
        assert!(c.can_subscribe(b"foo.b", Some(b"v2")));
    }

    #[test]
    fn responders_publish_nothing_else() {
        let response = ResponsePermission { max_msgs: 0, expires: Some(Duration::ZERO) };
        let c = checker(Permissions { response: Some(response), ..Default::default() });
        assert!(!c.can_publish(b"a") && c.restricts_publish());
        let filled = c.responses().unwrap();
        assert_eq!((filled.max_msgs, filled.expires), (1, Some(Duration::from_secs(120))));
        let unlimited = ResponsePermission { max_msgs: -1, expires: None };
        let c = checker(Permissions {
            publish: list(Some(&["a"]), &[]),
            response: Some(unlimited),
            ..Default::default()
        });
        assert_eq!(c.responses(), Some(unlimited));
        assert!(c.can_publish(b"a") && !c.can_publish(b"b"));
    }

    #[test]
    fn bad_entries_are_named() {
        let fails = |permissions: Permissions| {
            let compiled = Checker::compile(&Arc::new(permissions), &CheckerIds::default());
            compiled.unwrap_err().to_string()
        };
        let publish = |allow| Permissions { publish: list(Some(allow), &[]), ..Default::default() };
        let subscribe = |deny| Permissions { subscribe: list(None, deny), ..Default::default() };
        assert_eq!(
            fails(publish(&["a", "foo.>.bar"])),
            "publish allow: subject \"foo.>.bar\" is not a valid subject"
        );
        assert_eq!(
            fails(publish(&["foo queue"])),
            "publish allow: subject \"foo queue\" is not a valid subject"
        );
        assert_eq!(
            fails(subscribe(&["foo..bar q"])),
            "subscribe deny: subject \"foo..bar\" is not a valid subject"
        );
        assert_eq!(
            fails(subscribe(&["foo q..a"])),
            "subscribe deny: queue \"q..a\" is not a valid queue"
        );
        assert_eq!(
            fails(subscribe(&["a b c"])),
            "subscribe deny: subject \"a b c\" is not a valid subject"
        );
    }

    #[test]
    fn ids_differ() {
        let ids = CheckerIds::default();
        let permissions = Arc::new(Permissions::default());
        let id = || Checker::compile(&permissions, &ids).unwrap().id();
        assert_ne!(id(), id());
    }
}
