//! Delivery of a read batch.
//!
//! A reader hands over the messages it parsed from one read. Consecutive messages with the same
//! match result form a run; every target of a run gets a 16-byte note, no bytes. At the end of
//! the batch each touched target's output is formatted into one buffer that stays in the cache,
//! and written by the reader itself (see [`super::outbound`]).

use super::cache::{Cache, Scope, fill_for};
use super::endpoint::{Endpoint, flag};
use super::format::{Output, Source, split};
use super::hub::{Hub, count};
use super::matched::{Matched, Target, Verdict};
use super::outbound::Sent;
use super::sub::Subscription;
use super::sublist::Change;
use crate::base::limits::READ_SCRATCH;
use crate::base::{Mono, Rng};
use hashbrown::HashMap;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

/// A parsed message, as offsets into the batch's input.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    /// Where it was published.
    pub subject: &'a [u8],
    /// Where answers go; empty if none.
    pub reply: &'a [u8],
    /// The header size as written; empty without headers.
    pub header_size: &'a [u8],
    /// The total size as written.
    pub size: &'a [u8],
    /// Headers and message.
    pub payload: &'a [u8],
    /// Offset of the subject in the input.
    pub at: usize,
    /// `subject`, what follows it and the final CRLF stand in the input as a `MSG` repeats them.
    pub canonical: bool,
}

/// A message of the batch: 16 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    /// Offset of the subject; the top bits say where and what.
    at: u32,
    /// From the subject to the final CRLF.
    pub len: u32,
    /// Headers and message.
    pub size: u32,
    pub subject_len: u32,
}

const IN_SIDE: u32 = 1 << 31;
const HAS_HEADERS: u32 = 1 << 30;

impl Message {
    #[inline]
    pub(super) fn at(&self) -> usize {
        (self.at & !(IN_SIDE | HAS_HEADERS)) as usize
    }
    #[inline]
    pub(super) fn in_side(&self) -> bool {
        self.at & IN_SIDE != 0
    }
    #[inline]
    pub(super) fn has_headers(&self) -> bool {
        self.at & HAS_HEADERS != 0
    }
}

/// What one target gets of one run.
#[derive(Clone, Copy, Debug)]
struct Note {
    /// First message of the run; for control output its offset.
    first: u32,
    /// Messages of the run; for control output its length.
    count: u32,
    /// Index of the run's result, or [`CONTROL`].
    result: u32,
    /// Index of the target in the result; members of queue groups have [`MEMBER`] set.
    target: u32,
}

const CONTROL: u32 = u32::MAX;
const MEMBER: u32 = 1 << 31;

#[derive(Debug)]
struct Touched {
    endpoint: Arc<Endpoint>,
    notes: Vec<Note>,
}

/// The run of messages that is being extended.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: u32,
    result: u32,
    /// Id of the publishing connection.
    publisher: u64,
}

/// What a worker thread needs to read and deliver: one input buffer, and for every server it works
/// for a batch with its match cache, its draws and its output buffer.
#[derive(Debug)]
pub struct Workspace {
    /// Where reads go.
    scratch: Vec<u8>,
    /// The batch of each server, the one in use first. A server is told by its hub, whose memory
    /// its `Weak` keeps from being given to another.
    batches: Vec<(Weak<Hub>, Box<Batch>)>,
    /// Somebody is at work. If it is still set when the next one comes, that one panicked.
    lent: bool,
}

thread_local! {
    static WORKSPACE: RefCell<Workspace> =
        const { RefCell::new(Workspace { scratch: Vec::new(), batches: Vec::new(), lent: false }) };
}

impl Workspace {
    /// Lends the thread's scratch and its batch for the server of `hub` to `work`.
    pub fn with<T>(hub: &Arc<Hub>, work: impl FnOnce(&mut [u8], &mut Batch) -> T) -> T {
        WORKSPACE.with_borrow_mut(|workspace| {
            if std::mem::replace(&mut workspace.lent, true) {
                // What a connection that panicked left in its batch is nobody else's.
                workspace.batches.clear();
            }
            let is_first = match workspace.batches.first() {
                Some((first, _)) => std::ptr::eq(first.as_ptr(), Arc::as_ptr(hub)),
                None => false,
            };
            if !is_first {
                workspace.turn_to(hub);
            }
            let outcome = work(&mut workspace.scratch, &mut workspace.batches[0].1);
            workspace.lent = false;
            outcome
        })
    }

    /// Puts the batch of `hub` first, made if the thread has none yet. Servers that are gone are
    /// forgotten.
    #[cold]
    fn turn_to(&mut self, hub: &Arc<Hub>) {
        if self.scratch.is_empty() {
            self.scratch = vec![0; READ_SCRATCH];
        }
        self.batches.retain(|(hub, _)| hub.strong_count() > 0);
        let held =
            self.batches.iter().position(|(held, _)| std::ptr::eq(held.as_ptr(), Arc::as_ptr(hub)));
        match held {
            Some(at) => self.batches.swap(0, at),
            None => {
                let batch = Box::new(Batch::new(hub.rng()));
                self.batches.insert(0, (Arc::downgrade(hub), batch));
            }
        }
    }
}

/// The messages of one read and who gets them.
#[derive(Debug)]
pub struct Batch {
    cache: Cache,
    rng: Rng,
    stamp: u64,
    messages: Vec<Message>,
    results: Vec<Rc<Matched>>,
    run: Option<Run>,
    /// Subject of the run under way, if its result has queue groups.
    run_subject: Vec<u8>,
    touched: Vec<Touched>,
    by_endpoint: HashMap<u64, u32>,
    spare: Vec<Vec<Note>>,
    /// Messages that had to be rebuilt.
    side: Vec<u8>,
    /// Protocol output for the publisher itself.
    control: Vec<u8>,
    out: Output,
    ended: Vec<(Arc<Endpoint>, Arc<Subscription>)>,
    /// Subscriptions that came and went since the last message.
    changes: Vec<Change>,
    in_msgs: u64,
    in_bytes: u64,
}

/// Who publishes, as a batch needs it.
#[derive(Clone, Copy, Debug)]
pub struct Publisher<'a> {
    /// Surroundings.
    pub hub: &'a Arc<Hub>,
    /// The publishing connection.
    pub endpoint: &'a Arc<Endpoint>,
    /// Account and permissions.
    pub scope: Scope<'a>,
    /// One time for the whole batch.
    pub now: Mono,
}

/// What a flush asks of the reader.
#[derive(Debug, Default)]
pub struct Flushed {
    /// A target so far behind that the reader should wait for it a little.
    pub stalled: Option<Arc<Endpoint>>,
}

impl Batch {
    fn new(rng: Rng) -> Self {
        Self {
            cache: Cache::new(),
            rng,
            stamp: 1,
            messages: Vec::new(),
            results: Vec::new(),
            run: None,
            run_subject: Vec::new(),
            touched: Vec::new(),
            by_endpoint: HashMap::new(),
            spare: Vec::new(),
            side: Vec::new(),
            control: Vec::new(),
            out: Output::default(),
            ended: Vec::new(),
            changes: Vec::new(),
            in_msgs: 0,
            in_bytes: 0,
        }
    }

    /// Counts a message in and tells who gets it; `None` when its publisher may not publish there.
    #[inline]
    pub fn admit(
        &mut self,
        by: &Publisher<'_>,
        publication: &Publication<'_>,
    ) -> Option<Rc<Matched>> {
        if !self.changes.is_empty() {
            self.apply_changes(by);
        }
        self.in_msgs += 1;
        self.in_bytes += publication.payload.len() as u64;
        let mut result = self.cache.lookup(&by.scope, publication.subject);
        if result.draw {
            result = self.draw(by, publication);
        }
        let allowed = result.verdict == Verdict::Allowed || reply_allowed(by, publication, &result);
        allowed.then_some(result)
    }

    /// Adds an admitted message; tells whether anybody gets it.
    #[inline]
    pub fn deliver(
        &mut self,
        by: &Publisher<'_>,
        publication: &Publication<'_>,
        result: Rc<Matched>,
    ) -> bool {
        if result.is_empty() {
            self.recycle(result);
            return false;
        }
        let delivered = !only_self(by, &result);
        self.add(by, publication, result);
        delivered
    }

    /// A subscription of the publisher comes or goes: seen by its next message, and by everybody
    /// else before it gets an answer to what it sends next.
    pub fn change(&mut self, change: Change) {
        self.changes.push(change);
    }

    #[cold]
    fn apply_changes(&mut self, by: &Publisher<'_>) {
        by.scope.account.sublist.apply(&mut self.changes);
        self.changes.shrink_to(READ_SCRATCH / size_of::<Change>());
    }

    /// No messages are waiting to be delivered.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    fn recycle(&mut self, result: Rc<Matched>) {
        if Rc::strong_count(&result) == 1 {
            self.cache.recycle(Some(result));
        }
    }

    /// A mapping with several destinations draws lots for every message.
    #[cold]
    fn draw(&mut self, by: &Publisher<'_>, publication: &Publication<'_>) -> Rc<Matched> {
        let mappings = by.scope.account.mappings();
        let mapped = mappings.and_then(|m| m.select(publication.subject, &mut self.rng));
        let mut matched = Matched::default();
        let target = mapped.as_deref().unwrap_or(publication.subject);
        fill_for(&by.scope, target, &mut matched);
        matched.deliver_as = mapped.as_deref().map(Into::into);
        Rc::new(matched)
    }

    #[inline]
    fn add(&mut self, by: &Publisher<'_>, publication: &Publication<'_>, result: Rc<Matched>) {
        let index = self.messages.len() as u32;
        let same = self.run.is_some()
            && self.results.last().is_some_and(|last| Rc::ptr_eq(last, &result))
            && result.makes_runs();
        if !same {
            self.end_run();
            self.run_subject.clear();
            if !result.groups.is_empty() {
                self.run_subject.extend_from_slice(publication.subject);
            }
            self.results.push(result);
            let result = self.results.len() as u32 - 1;
            self.run = Some(Run { first: index, result, publisher: by.endpoint.id });
        }
        let message = self.message(publication);
        self.messages.push(message);
    }

    fn message(&mut self, publication: &Publication<'_>) -> Message {
        let headers = if publication.header_size.is_empty() { 0 } else { HAS_HEADERS };
        let (subject, size) = (publication.subject, publication.payload.len());
        let rest = |p: &Publication<'_>| {
            let reply = if p.reply.is_empty() { 0 } else { p.reply.len() + 1 };
            let header = if p.header_size.is_empty() { 0 } else { p.header_size.len() + 1 };
            subject.len() + 1 + reply + header + p.size.len() + 2 + size + 2
        };
        let (at, len) = if publication.canonical {
            (publication.at as u32, rest(publication))
        } else {
            (self.rebuild(publication) as u32 | IN_SIDE, rest(publication))
        };
        Message {
            at: at | headers,
            len: len as u32,
            size: size as u32,
            subject_len: subject.len() as u32,
        }
    }

    #[cold]
    fn rebuild(&mut self, publication: &Publication<'_>) -> usize {
        let at = self.side.len();
        let args = [publication.reply, publication.header_size, publication.size];
        self.side.extend_from_slice(publication.subject);
        for arg in args.into_iter().filter(|arg| !arg.is_empty()) {
            self.side.push(b' ');
            self.side.extend_from_slice(arg);
        }
        self.side.extend_from_slice(b"\r\n");
        self.side.extend_from_slice(publication.payload);
        self.side.extend_from_slice(b"\r\n");
        at
    }

    /// Adds output for the publisher itself, in order with what it gets delivered.
    pub fn control(&mut self, me: &Arc<Endpoint>, bytes: &[u8]) {
        self.end_run();
        let first = self.control.len() as u32;
        self.control.extend_from_slice(bytes);
        let note = Note { first, count: bytes.len() as u32, result: CONTROL, target: 0 };
        let at = self.touch(me);
        self.touched[at as usize].notes.push(note);
    }

    /// Ends the run under way: what follows sees other subscriptions or permissions.
    pub fn end_run(&mut self) {
        let Some(run) = self.run.take() else { return };
        let count = self.messages.len() as u32 - run.first;
        let result = self.results[run.result as usize].clone();
        for (i, target) in result.targets.iter().enumerate() {
            if let Some(at) = self.place(target) {
                let note = Note { first: run.first, count, result: run.result, target: i as u32 };
                self.touched[at as usize].notes.push(note);
            }
        }
        // A connection gets a message for its plain subscriptions first.
        if !result.groups.is_empty() {
            self.pick(run, count, &result);
        }
    }

    /// Picks one member of every queue group for each message of a run.
    fn pick(&mut self, run: Run, count: u32, result: &Matched) {
        let published = std::mem::take(&mut self.run_subject);
        let subject = result.deliver_as.as_deref().unwrap_or(&published);
        for first in run.first..run.first + count {
            for group in &result.groups {
                let start = self.rng.below(u64::from(group.len)) as u32;
                for i in 0..group.len {
                    let member = group.start + (start + i) % group.len;
                    let target = &result.members[member as usize];
                    let Some(at) = self.place(target) else { continue };
                    let touched = &mut self.touched[at as usize];
                    if !deliverable(run.publisher, &touched.endpoint, target, subject) {
                        continue;
                    }
                    let target = member | MEMBER;
                    touched.notes.push(Note { first, count: 1, result: run.result, target });
                    break;
                }
            }
        }
        self.run_subject = published;
    }

    /// The place of a target in this batch; `None` when its connection is gone.
    #[inline]
    fn place(&mut self, target: &Target) -> Option<u32> {
        let (stamp, at) = target.slot.get();
        if stamp == self.stamp {
            return Some(at);
        }
        let endpoint = target.endpoint.upgrade()?;
        let at = self.touch(&endpoint);
        target.slot.set((self.stamp, at));
        Some(at)
    }

    fn touch(&mut self, endpoint: &Arc<Endpoint>) -> u32 {
        let next = self.touched.len() as u32;
        let at = *self.by_endpoint.entry(endpoint.id).or_insert(next);
        if at == next {
            let notes = self.spare.pop().unwrap_or_default();
            self.touched.push(Touched { endpoint: endpoint.clone(), notes });
        }
        at
    }

    /// Delivers everything and leaves the batch empty. `input` is what the messages' offsets
    /// refer to.
    pub fn flush(&mut self, by: &Publisher<'_>, input: &[u8]) -> Flushed {
        self.end_run();
        if !self.changes.is_empty() {
            self.apply_changes(by);
        }
        let mut flushed = Flushed::default();
        let (mut out_msgs, mut out_bytes) = (0, 0);
        let mut touched = std::mem::take(&mut self.touched);
        // The publisher's own output goes last: once it has its PONG, others have their messages.
        if let (Some(&own), Some(last)) =
            (self.by_endpoint.get(&by.endpoint.id), touched.len().checked_sub(1))
        {
            touched.swap(own as usize, last);
        }
        for target in &mut touched {
            let (msgs, bytes, sent) = self.write_to(by, input, target);
            if sent == Sent::Stalled && target.endpoint.id != by.endpoint.id {
                flushed.stalled = Some(target.endpoint.clone());
            }
            if sent != Sent::Closed && sent != Sent::Skipped {
                count(&target.endpoint.stats.out_msgs, msgs);
                count(&target.endpoint.stats.out_bytes, bytes);
                if msgs > 0 {
                    target.endpoint.stats.last_out.store(by.now.0, Ordering::Relaxed);
                }
                out_msgs += msgs;
                out_bytes += bytes;
            }
            target.notes.clear();
        }
        self.account(by, out_msgs, out_bytes);
        self.reset(touched);
        flushed
    }

    fn account(&mut self, by: &Publisher<'_>, out_msgs: u64, out_bytes: u64) {
        let (in_msgs, in_bytes) =
            (std::mem::take(&mut self.in_msgs), std::mem::take(&mut self.in_bytes));
        let (server, account) = (&by.hub.stats, &by.scope.account.stats);
        count(&by.endpoint.stats.in_msgs, in_msgs);
        count(&by.endpoint.stats.in_bytes, in_bytes);
        count(&server.in_msgs, in_msgs);
        count(&server.in_bytes, in_bytes);
        count(&server.out_msgs, out_msgs);
        count(&server.out_bytes, out_bytes);
        count(&account.in_msgs, in_msgs);
        count(&account.in_bytes, in_bytes);
        count(&account.out_msgs, out_msgs);
        count(&account.out_bytes, out_bytes);
        let (lookups, hits) = self.cache.take_counts();
        if lookups > 0 {
            by.scope.account.sublist.count_matches(lookups, hits);
        }
    }

    fn reset(&mut self, mut touched: Vec<Touched>) {
        /// Buffers that grew past this in one batch are given back.
        const KEEP: usize = 4 * READ_SCRATCH;
        self.spare.extend(touched.drain(..).map(|t| t.notes));
        self.spare.truncate(1024);
        self.touched = touched;
        self.by_endpoint.clear();
        for result in self.results.drain(..) {
            if Rc::strong_count(&result) == 1 {
                self.cache.recycle(Some(result));
            }
        }
        self.messages.clear();
        for buffer in [&mut self.side, &mut self.control, &mut self.out.bytes] {
            buffer.clear();
            buffer.shrink_to(KEEP);
        }
        self.stamp += 1;
        for (endpoint, sub) in self.ended.drain(..) {
            if let Some(owner) = endpoint.owner() {
                owner.sub_exhausted(&sub);
            }
        }
    }

    /// Formats and writes what one target gets; messages, payload bytes and what became of them.
    fn write_to(&mut self, by: &Publisher<'_>, input: &[u8], target: &Touched) -> (u64, u64, Sent) {
        let source = Source { input, side: &self.side };
        let mut delivery = Delivery {
            by,
            source,
            messages: &self.messages,
            results: &self.results,
            endpoint: &target.endpoint,
            flags: target.endpoint.flags(),
            ended: &mut self.ended,
            msgs: 0,
            bytes: 0,
        };
        self.out.clear();
        for note in &target.notes {
            if note.result == CONTROL {
                let range = note.first as usize..(note.first + note.count) as usize;
                self.out.raw(&self.control[range]);
            } else {
                delivery.run(&mut self.out, note);
            }
        }
        let (msgs, bytes) = (delivery.msgs, delivery.bytes);
        if self.out.len == 0 {
            return (msgs, bytes, Sent::Ok);
        }
        let parts = self.out.parts(&source);
        let sent = target.endpoint.out.send(&target.endpoint, &parts, self.out.len);
        (msgs, bytes, sent)
    }
}

/// Formatting one target's share.
struct Delivery<'a> {
    by: &'a Publisher<'a>,
    source: Source<'a>,
    messages: &'a [Message],
    results: &'a [Rc<Matched>],
    endpoint: &'a Arc<Endpoint>,
    flags: u32,
    ended: &'a mut Vec<(Arc<Endpoint>, Arc<Subscription>)>,
    msgs: u64,
    bytes: u64,
}

impl Delivery<'_> {
    fn run(&mut self, out: &mut Output, note: &Note) {
        let result = &self.results[note.result as usize];
        let target = if note.target & MEMBER == 0 {
            &result.targets[note.target as usize]
        } else {
            &result.members[(note.target & !MEMBER) as usize]
        };
        if self.flags & flag::NO_ECHO != 0 && self.endpoint.id == self.by.endpoint.id {
            return;
        }
        let deliver_as = result.deliver_as.as_deref();
        let messages = &self.messages[note.first as usize..(note.first + note.count) as usize];
        match &target.subs[..] {
            [sub] if self.flags & flag::SPECIAL == 0 => {
                let allowed = self.admit(sub, messages.len() as u64) as usize;
                for message in &messages[..allowed] {
                    self.one(out, message, deliver_as, sub);
                }
            }
            subs => {
                for message in messages {
                    for sub in subs {
                        if self.careful(message, deliver_as, sub) && self.admit(sub, 1) == 1 {
                            let from = out.bytes.len();
                            self.one(out, message, deliver_as, sub);
                            self.after(message, &out.bytes[from..]);
                        }
                    }
                }
            }
        }
    }

    /// How many of `n` messages a subscription takes; notes when that is its last.
    #[inline]
    fn admit(&mut self, sub: &Arc<Subscription>, n: u64) -> u64 {
        if sub.is_closed() {
            return 0;
        }
        let allowed = sub.deliver(n);
        if allowed > 0 && sub.max() > 0 && sub.exhausted() {
            self.ended.push((self.endpoint.clone(), sub.clone()));
        }
        allowed
    }

    #[inline]
    fn one(
        &mut self,
        out: &mut Output,
        message: &Message,
        deliver_as: Option<&[u8]>,
        sub: &Subscription,
    ) {
        self.msgs += 1;
        self.bytes += u64::from(message.size);
        if message.has_headers() && self.flags & flag::HEADERS == 0 {
            out.message_without_headers(&self.source, message, deliver_as, sub);
        } else {
            out.message(&self.source, message, deliver_as, sub);
        }
    }

    /// Whether permissions let this message through.
    fn careful(&self, message: &Message, deliver_as: Option<&[u8]>, sub: &Subscription) -> bool {
        if self.flags & flag::DENY_FILTER == 0 {
            return true;
        }
        let subject = deliver_as.unwrap_or_else(|| self.source.subject(message));
        !self.endpoint.delivery_denied(subject, sub.queue())
    }

    /// What only marked connections need after a delivery.
    fn after(&self, message: &Message, written: &[u8]) {
        if self.flags & flag::TRACK_REPLIES != 0 {
            let args = split(self.source.args_and_payload(message).0);
            let sizes = if message.has_headers() { 2 } else { 1 };
            if args.len() > sizes {
                self.endpoint.track_reply(args[0], self.by.now);
            }
        }
        if self.flags & flag::TRACE != 0
            && let Some(owner) = self.endpoint.owner()
        {
            let line = written.split(|b| *b == b'\r').next().unwrap_or_default();
            let (args, payload) = self.source.args_and_payload(message);
            let header_len = match &split(args)[..] {
                [.., header, _] if message.has_headers() => {
                    crate::wire::parser::parse_size(header).unwrap_or(0)
                }
                _ => 0,
            };
            let stripped = self.flags & flag::HEADERS == 0;
            let (payload, header_len) = match payload.get(header_len..) {
                Some(rest) if stripped => (rest, 0),
                _ => (payload, header_len),
            };
            owner.trace_delivery(line, payload, header_len);
        }
    }
}

/// Whether a member of a queue group can have a message, or another one should.
fn deliverable(publisher: u64, endpoint: &Arc<Endpoint>, target: &Target, subject: &[u8]) -> bool {
    let flags = endpoint.flags();
    let echo = endpoint.id != publisher || flags & flag::NO_ECHO == 0;
    let permitted =
        |queue| flags & flag::DENY_FILTER == 0 || !endpoint.delivery_denied(subject, queue);
    echo && endpoint.closing().is_none()
        && target.subs.iter().any(|sub| !sub.is_closed() && permitted(sub.queue()))
}

/// The publisher is the only target and does not want its own messages.
#[inline]
fn only_self(by: &Publisher<'_>, result: &Matched) -> bool {
    by.endpoint.flags() & flag::NO_ECHO != 0
        && result
            .targets
            .iter()
            .chain(&result.members)
            .all(|target| std::ptr::eq(target.endpoint.as_ptr(), Arc::as_ptr(by.endpoint)))
}

#[cold]
fn reply_allowed(by: &Publisher<'_>, publication: &Publication<'_>, result: &Matched) -> bool {
    if result.verdict == Verdict::Reserved || by.endpoint.flags() & flag::TRACK_REPLIES == 0 {
        return false;
    }
    let subject = result.deliver_as.as_deref().unwrap_or(publication.subject);
    by.endpoint.reply_allowed(subject, by.now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Env;
    use crate::base::tasks::TaskScope;
    use crate::logging::Logger;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn what_a_panic_left_behind_is_nobodys() {
        let env = Env::simulated(7);
        let log = Logger::none(&env);
        let hub = Arc::new(Hub::new(env, log, TaskScope::new()));
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            Workspace::with(&hub, |_, batch| {
                batch.control.extend_from_slice(b"PONG\r\n");
                batch.in_msgs = 1;
                panic!("a connection's task");
            })
        }));
        assert!(panicked.is_err());
        let left = |batch: &Batch| batch.control.len() as u64 + batch.in_msgs;
        assert_eq!(Workspace::with(&hub, |_, batch| left(batch)), 0);
        Workspace::with(&hub, |_, batch| batch.in_msgs = 2);
        assert_eq!(Workspace::with(&hub, |_, batch| left(batch)), 2);
    }
}
