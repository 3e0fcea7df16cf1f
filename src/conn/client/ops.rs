//! What a client's operations do.

use super::session::{Identity, State};
use crate::base::Mono;
use crate::broker::endpoint::flag;
use crate::broker::sublist::Collect;
use crate::broker::{Batch, CloseReason, Publication, Subscription};
use crate::wire::parser::{Op, Pub, parse_size, quote, split_args};
use crate::wire::subject;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Queue group of the server's own services.
const SYSTEM_QUEUE: &[u8] = b"_sys_";

type Flow = ControlFlow<CloseReason>;

impl Identity {
    /// `PUB` and `HPUB`.
    #[inline]
    pub(super) fn publish(
        &self,
        state: &mut State,
        batch: &mut Batch,
        now: Mono,
        p: &Pub<'_>,
        at: usize,
    ) {
        state.active = true;
        let publication = Publication {
            subject: p.subject,
            reply: p.reply,
            // Headers of no length are none.
            header_size: if p.header_len == Some(0) { &[] } else { p.header_size },
            size: p.size,
            payload: p.payload,
            at: at + p.subject_at,
            canonical: p.canonical && p.header_len != Some(0),
        };
        if state.pedantic && !subject::is_valid_literal_subject(p.subject) {
            self.error(batch, "Invalid Publish Subject");
        }
        let by = self.publisher(now);
        let Some(result) = batch.admit(&by, &publication) else {
            return self.publish_denied(batch, p.subject);
        };
        if is_reserved_reply(p.reply) {
            let reply = quote(p.reply);
            self.error(batch, &format!("Permissions Violation for Publish with Reply of {reply}"));
            return self.client.log_error(&format!("Publish Violation - Reply {reply}"));
        }
        if state.verbose {
            self.ok(batch);
        }
        let delivered = batch.deliver(&by, &publication, result);
        if !delivered && state.no_responders && !p.reply.is_empty() {
            self.nobody_responds(batch, p);
        }
    }

    #[cold]
    fn publish_denied(&self, batch: &mut Batch, subject: &[u8]) {
        let subject = quote(subject);
        self.error(batch, &format!("Permissions Violation for Publish to {subject}"));
        self.client.log_error(&format!("Publish Violation - Subject {subject}"));
    }

    /// A publication as it came in: `op` starts with its line.
    #[cold]
    pub(super) fn trace_publish(&self, op: &[u8], p: &Pub<'_>) {
        self.trace_publish_line(op);
        let mut payload = p.payload.to_vec();
        payload.extend_from_slice(b"\r\n");
        self.client.trace_payload("<<-", &payload, p.header_len.unwrap_or(0));
    }

    /// The line that `op` starts with, if it is a publication's.
    #[cold]
    pub(super) fn trace_publish_line(&self, op: &[u8]) {
        let starts = |verb: &str| {
            op.get(..verb.len()).is_some_and(|head| head.eq_ignore_ascii_case(verb.as_bytes()))
        };
        let Some(verb) = ["PUB", "HPUB"].into_iter().find(|verb| starts(verb)) else { return };
        let args = &op[verb.len()..];
        let start = args.iter().position(|b| !matches!(b, b' ' | b'\t')).unwrap_or(args.len());
        let args = &args[start..];
        // As the parser: the first byte of the arguments does not end the line.
        let end = args.iter().skip(1).position(|b| *b == b'\n').map_or(args.len(), |at| at + 1);
        self.client.trace_in(verb, args[..end].strip_suffix(b"\r").unwrap_or(&args[..end]));
    }

    /// Tells a requestor at once that nobody is there: a 503 on its own reply subscription.
    #[cold]
    fn nobody_responds(&self, batch: &mut Batch, p: &Pub<'_>) {
        struct Own<'a>(&'a Identity, Option<Arc<Subscription>>);
        impl Collect for Own<'_> {
            fn plain(&mut self, subs: &[Arc<Subscription>]) {
                let me = Arc::as_ptr(&self.0.endpoint);
                if self.1.is_none() {
                    let own = |s: &&Arc<Subscription>| std::ptr::eq(s.endpoint().as_ptr(), me);
                    self.1 = subs.iter().find(own).cloned();
                }
            }
            fn group(&mut self, _: &[Arc<Subscription>]) {}
        }
        let mut own = Own(self, None);
        self.account.sublist.collect(p.reply, &mut own);
        let Some(sub) = own.1 else { return };
        let mut header = b"NATS/1.0 503\r\nNats-Subject: ".to_vec();
        header.extend_from_slice(p.subject);
        header.extend_from_slice(b"\r\n\r\n");
        let mut line = b"HMSG ".to_vec();
        line.extend_from_slice(p.reply);
        line.push(b' ');
        line.extend_from_slice(sub.sid());
        line.extend_from_slice(format!(" {0} {0}\r\n", header.len()).as_bytes());
        line.extend_from_slice(&header);
        line.extend_from_slice(b"\r\n");
        batch.control(&self.endpoint, &line);
    }

    fn ok(&self, batch: &mut Batch) {
        if self.traced() {
            self.client.trace_out("OK", b"");
        }
        batch.control(&self.endpoint, b"+OK\r\n");
    }

    /// Everything but messages and CONNECT.
    pub(super) fn operation(
        &self,
        state: &mut State,
        batch: &mut Batch,
        now: Mono,
        op: Op<'_>,
    ) -> Flow {
        batch.end_run();
        match op {
            Op::Sub(args) => self.subscribe(state, batch, args),
            Op::Unsub(args) => self.unsubscribe(state, batch, args),
            Op::Ping => self.ping(batch, now),
            Op::Pong => {
                if self.traced() {
                    self.client.trace_in("PONG", b"");
                }
                self.client.pong(now);
                Flow::Continue(())
            }
            Op::Info(json) => match crate::wire::json::check(json) {
                Ok(()) => Flow::Continue(()),
                Err(e) => {
                    self.client.log_error(&e.to_string());
                    Flow::Break(CloseReason::ProtocolViolation)
                }
            },
            Op::Err(text) => {
                let text = String::from_utf8_lossy(text);
                self.client.log_error(&format!("Client Error {text}"));
                Flow::Break(CloseReason::ParseError)
            }
            Op::Ok | Op::Pub(_) | Op::Connect(_) => Flow::Continue(()),
        }
    }

    fn ping(&self, batch: &mut Batch, now: Mono) -> Flow {
        if self.traced() {
            self.client.trace_in("PING", b"");
            self.client.trace_out("PONG", b"");
        }
        batch.control(&self.endpoint, b"PONG\r\n");
        let first = {
            let mut ctl = self.client.ctl();
            ctl.last_ping_in = now;
            let protocol = ctl.said.as_ref().map(|s| s.protocol);
            let first = protocol.is_some()
                && !std::mem::replace(&mut ctl.first_pong_sent, protocol.is_some());
            first && protocol >= Some(1)
        };
        if first {
            let mut info = crate::wire::info::Info::clone(&self.ctx().info.load());
            info.client_id = self.endpoint.id;
            info.client_ip = self.client.ip().to_string();
            info.remote_account = self.account.name.clone();
            info.acc_is_sys = self.account.is_system;
            info.connect_info = true;
            batch.control(&self.endpoint, &info.to_line());
        }
        Flow::Continue(())
    }

    fn subscribe(&self, state: &mut State, batch: &mut Batch, line: &[u8]) -> Flow {
        if self.traced() {
            self.client.trace_in("SUB", line);
        }
        let (subject, queue, sid): (&[u8], &[u8], &[u8]) = match split_args::<3>(line, is_separator)
        {
            Some(([subject, sid, _], 2)) => (subject, b"", sid),
            Some(([subject, queue, sid], 3)) => (subject, queue, sid),
            _ => return self.bad_args("processSub", line),
        };
        state.active = true;
        if let Err(problem) = self.may_subscribe(state, subject, queue) {
            problem.report(self, batch, subject, queue, sid);
            return Flow::Continue(());
        }
        let sub = Subscription::new(Arc::downgrade(&self.endpoint), subject, queue, sid);
        let sub = Arc::new(sub);
        match self.endpoint.add_sub(self.hub.seed, &sub) {
            Ok(()) => {
                let Ok(change) = self.account.sublist.coming(sub.clone()) else {
                    self.endpoint.remove_sub(self.hub.seed, &sub);
                    self.error(batch, "Invalid Subject");
                    return Flow::Continue(());
                };
                batch.change(change);
            }
            Err(Some(_)) => {}
            Err(None) => return Flow::Continue(()),
        }
        if state.verbose {
            self.ok(batch);
        }
        Flow::Continue(())
    }

    fn may_subscribe(&self, state: &State, subject: &[u8], queue: &[u8]) -> Result<(), Refused> {
        let group = (!queue.is_empty()).then_some(queue);
        if queue == SYSTEM_QUEUE {
            return Err(Refused::Permissions);
        }
        if let Some(permissions) = &self.permissions {
            if !permissions.can_subscribe(subject, group) {
                return Err(Refused::Permissions);
            }
            if permissions.needs_delivery_filter(subject, group) {
                self.endpoint.set_flag(flag::DENY_FILTER, true);
            }
        }
        if state.max_sub_tokens > 0 && subject::token_count(subject) > state.max_sub_tokens {
            return Err(Refused::Tokens);
        }
        if state.max_subs.is_some_and(|max| self.endpoint.subs_len() >= max) {
            return Err(Refused::Count);
        }
        Ok(())
    }

    fn unsubscribe(&self, state: &mut State, batch: &mut Batch, line: &[u8]) -> Flow {
        if self.traced() {
            self.client.trace_in("UNSUB", line);
        }
        let (sid, max) = match split_args::<2>(line, is_separator) {
            Some(([sid, _], 1)) => (sid, None),
            Some(([sid, max], 2)) => (sid, parse_size(max)),
            _ => return self.bad_args("processUnsub", line),
        };
        state.active = true;
        if state.verbose {
            self.ok(batch);
        }
        let max = max.map_or(0, |n| n as u64);
        if max > 0
            && let Some(sub) = self.endpoint.sub(self.hub.seed, sid)
            && max > sub.delivered()
        {
            sub.set_max(max);
            return Flow::Continue(());
        }
        if !self.shutting_down()
            && let Some(sub) = self.endpoint.take_sub(self.hub.seed, sid)
        {
            self.client.trace_dropped(&sub);
            sub.close();
            batch.change(self.account.sublist.going(sub));
        }
        Flow::Continue(())
    }

    fn bad_args(&self, op: &str, line: &[u8]) -> Flow {
        self.client.log_error(&format!("{op} Parse Error: {}", quote(line)));
        Flow::Break(CloseReason::ProtocolViolation)
    }
}

/// Why a subscription is refused.
enum Refused {
    Permissions,
    Tokens,
    Count,
}

impl Refused {
    fn report(&self, who: &Identity, batch: &mut Batch, subject: &[u8], queue: &[u8], sid: &[u8]) {
        let (subject, sid) = (quote(subject), String::from_utf8_lossy(sid));
        let violation = format!("Permissions Violation for Subscription to {subject}");
        let (text, log) = match self {
            Self::Permissions if queue.is_empty() => {
                (violation, format!("Subscription Violation - Subject {subject}, SID {sid}"))
            }
            Self::Permissions => {
                let queue = quote(queue);
                (
                    format!("{violation} using queue {queue}"),
                    format!(
                        "Subscription Violation - Subject {subject}, Queue: {queue}, SID {sid}"
                    ),
                )
            }
            Self::Tokens => (
                format!("{violation}, too many tokens"),
                format!("Subscription Violation Too Many Tokens - Subject {subject}, SID {sid}"),
            ),
            Self::Count => {
                let text = "maximum subscriptions exceeded";
                if who.ctx().first_in_a_while(&format!("{}: {text}", who.account.name)) {
                    who.client.log_error(text);
                }
                return who.error(batch, text);
            }
        };
        who.error(batch, &text);
        who.client.log_error(&log);
    }
}

fn is_separator(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

/// Replies that only servers give out.
#[inline]
fn is_reserved_reply(reply: &[u8]) -> bool {
    const ACK: &[u8] = b"$JS.ACK.";
    matches!(reply.first(), Some(b'_' | b'$'))
        && (reply.starts_with(b"_R_.")
            || reply.len() > ACK.len() && reply.starts_with(ACK)
            || subject::is_gateway_reply(reply))
}
