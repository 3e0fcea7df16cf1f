use super::*;
use std::sync::Weak;

fn sub(subject: &str, queue: &str, sid: &str) -> Arc<Subscription> {
    let endpoint = Weak::new();
    Arc::new(Subscription::new(endpoint, subject.as_bytes(), queue.as_bytes(), sid.as_bytes()))
}

fn matched(list: &Sublist, subject: &str) -> Vec<String> {
    struct Sids(Vec<String>);
    impl Collect for Sids {
        fn plain(&mut self, subs: &[Arc<Subscription>]) {
            self.0.extend(subs.iter().map(|s| String::from_utf8_lossy(s.sid()).into_owned()));
        }
        fn group(&mut self, subs: &[Arc<Subscription>]) {
            self.plain(subs);
        }
    }
    let mut sids = Sids(Vec::new());
    list.collect(subject.as_bytes(), &mut sids);
    sids.0.sort();
    sids.0
}

#[test]
fn literals_wildcards_and_groups() {
    let list = Sublist::new(Seed(1));
    let subs: Vec<_> = [
        ("foo", "", "1"),
        ("foo", "", "2"),
        ("*", "", "3"),
        (">", "", "4"),
        ("foo.bar", "q", "5"),
        ("foo.bar", "q", "6"),
        ("foo.*", "q", "7"),
        ("*.bar.>", "", "8"),
    ]
    .map(|(s, q, sid)| sub(s, q, sid))
    .into();
    for s in &subs {
        list.insert(s.clone()).unwrap();
    }
    assert_eq!(matched(&list, "foo"), ["1", "2", "3", "4"]);
    assert_eq!(matched(&list, "foo.bar"), ["4", "5", "6", "7"]);
    assert_eq!(matched(&list, "foo.bar.baz"), ["4", "8"]);
    assert_eq!(list.num_interest(b"foo.bar"), (1, 3));
    assert_eq!(list.len(), 8);
    assert_eq!(list.levels(), 3);
    let before = list.generation();
    for s in &subs {
        assert!(list.remove(s));
        assert!(!list.remove(s));
    }
    assert!(list.generation() > before);
    assert!(list.is_empty());
    assert_eq!(list.levels(), 0);
    assert!(matched(&list, "foo.bar").is_empty());
}

#[test]
fn invalid_subjects_are_refused() {
    let list = Sublist::new(Seed(1));
    for bad in ["", ".", "foo.", ".foo", "foo..bar", "foo.>.bar", ">.foo"] {
        assert_eq!(list.insert(sub(bad, "", "1")), Err(InvalidSubject), "{bad}");
    }
    assert!(list.is_empty());
}

#[test]
fn a_hostile_depth_does_not_overflow_the_stack() {
    let list = Sublist::new(Seed(1));
    let deep = sub(&vec!["*"; 2000].join("."), "", "1");
    list.insert(deep.clone()).unwrap();
    assert_eq!(matched(&list, &vec!["a"; 2000].join(".")), ["1"]);
    assert!(list.remove(&deep));
}

#[test]
fn empty_tokens_match_no_wildcard() {
    let list = Sublist::new(Seed(1));
    for (sid, pattern) in [">", "*", "*.>", "foo.*.bar"].into_iter().enumerate() {
        list.insert(sub(pattern, "", &sid.to_string())).unwrap();
    }
    for subject in ["", ".", ".foo", "foo.", "foo..bar"] {
        assert!(matched(&list, subject).is_empty(), "{subject}");
    }
    assert_eq!(matched(&list, "foo.x.bar"), ["0", "2", "3"]);
}

#[test]
fn a_watch_follows_its_subject() {
    let list = Sublist::new(Seed(1));
    let mut watch = list.watch(b"foo", b"q").unwrap();
    let member = sub("foo", "q", "1");
    list.insert(member.clone()).unwrap();
    list.insert(sub("foo", "", "2")).unwrap();
    assert!(watch.has_changed().unwrap() && *watch.borrow_and_update());
    assert!(*list.watch(b"foo", b"").unwrap().borrow());
    assert!(list.remove(&member) && !*watch.borrow_and_update());
    drop(watch);
    list.insert(member).unwrap();
    assert!(list.watch(b"foo.*", b"").is_err());
}

mod model {
    use super::*;
    use proptest::prelude::*;

    fn pattern() -> impl Strategy<Value = String> {
        let token = prop_oneof![Just("a"), Just("b"), Just("c"), Just("*")];
        (prop::collection::vec(token, 1..4), any::<bool>()).prop_map(|(tokens, full)| {
            let mut subject = tokens.join(".");
            if full {
                subject.push_str(".>");
            }
            subject
        })
    }

    proptest! {
        #[test]
        fn agrees_with_a_scan(
            ops in prop::collection::vec((pattern(), 0..3_u8, any::<bool>()), 1..60),
            probes in prop::collection::vec("[abc](\\.[abc]){0,4}", 1..20),
        ) {
            let list = Sublist::new(Seed(9));
            let mut held: Vec<Arc<Subscription>> = Vec::new();
            for (i, (subject, queue, keep)) in ops.iter().enumerate() {
                let queue = ["", "q1", "q2"][usize::from(*queue)];
                let new = sub(subject, queue, &i.to_string());
                list.insert(new.clone()).unwrap();
                held.push(new);
                if !keep {
                    let gone = held.swap_remove(i % held.len());
                    prop_assert!(list.remove(&gone));
                }
            }
            prop_assert_eq!(list.len(), held.len());
            for probe in &probes {
                let mut want: Vec<_> = held
                    .iter()
                    .filter(|s| subject::matches(probe.as_bytes(), s.subject()))
                    .map(|s| String::from_utf8_lossy(s.sid()).into_owned())
                    .collect();
                want.sort();
                prop_assert_eq!(matched(&list, probe), want);
            }
        }
    }
}
