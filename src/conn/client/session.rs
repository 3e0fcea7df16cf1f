//! The reader of a client connection.
//!
//! A turn reads into the thread's scratch, parses and delivers in place, and yields after a few
//! batches. Between turns the session keeps only the bytes of an operation that is not complete;
//! an idle connection owns no buffer.

use super::Client;
use super::handshake::Opened;
use crate::auth::permissions::Checker;
use crate::base::Mono;
use crate::base::limits::{
    BATCHES_PER_TURN, LARGE_MESSAGE, READ_SCRATCH, READ_WINDOW_LARGE, TURN_TIME,
};
use crate::base::text::go_duration;
use crate::broker::batch::Publisher;
use crate::broker::cache::Scope;
use crate::broker::endpoint::flag;
use crate::broker::{Account, Batch, CloseReason, Endpoint, Hub, Workspace};
use crate::conn::context::{Context, Phase};
use crate::wire::connect::Connect;
use crate::wire::parser::{Limits, Op, PAYLOAD_END, PAYLOAD_END_LF, ParseError, Step, parse};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

/// How long a producer waits after one read for a target that is far behind.
const STALL_MAX: Duration = Duration::from_millis(10);
/// Waits from this on are worth a line in the log.
const STALL_REPORTED: Duration = Duration::from_millis(5);

/// Who a session is, as every message needs it. Changes only at CONNECT and reload.
pub(super) struct Identity {
    pub(super) hub: Arc<Hub>,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) client: Arc<Client>,
    pub(super) account: Arc<Account>,
    pub(super) permissions: Option<Arc<Checker>>,
    pub(super) uncached: bool,
}

impl Identity {
    pub(super) fn ctx(&self) -> &Arc<Context> {
        &self.client.ctx
    }

    pub(super) fn publisher(&self, now: Mono) -> Publisher<'_> {
        Publisher {
            hub: &self.hub,
            endpoint: &self.endpoint,
            scope: Scope {
                seed: self.hub.seed,
                account: &self.account,
                permissions: self.permissions.as_deref(),
                uncached: self.uncached,
            },
            now,
        }
    }
}

/// What the operations of a session change.
pub(super) struct State {
    pub(super) limits: Limits,
    pub(super) awaits_connect: bool,
    pub(super) verbose: bool,
    pub(super) pedantic: bool,
    pub(super) no_responders: bool,
    pub(super) max_subs: Option<usize>,
    pub(super) max_sub_tokens: usize,
    /// Messages or changes of interest since the last look.
    pub(super) active: bool,
}

/// The reader of a connection.
pub(super) struct Session {
    pub(super) who: Identity,
    pub(super) state: State,
    /// What CONNECT said so far.
    pub(super) options: Option<Arc<Connect>>,
    pub(super) nonce: String,
    settings_generation: u64,
    /// Bytes that are not processed yet.
    input: Vec<u8>,
    /// `input` may hold complete operations.
    resume: bool,
    /// Bytes the operation at the front of `input` has; 0 while unknown.
    need: usize,
    /// Bytes to read at once.
    window: usize,
}

/// What a turn ended with.
enum Turn {
    /// Others shall run.
    Yield,
    /// A CONNECT, to be processed outside of the batch: it may take long.
    Connect(Vec<u8>),
    /// The settings changed.
    Reloaded,
    /// The first operation was not CONNECT: `no_auth_user` may still let it pass.
    NotConnect,
    /// A target is far behind.
    Stall(Arc<Endpoint>),
    /// The connection ends.
    Close(CloseReason),
}

impl Session {
    pub(super) fn new(client: Arc<Client>, opened: Opened) -> Self {
        let ctx = client.ctx.clone();
        let settings = ctx.settings.load();
        let options = &settings.options;
        let state = State {
            limits: settings.limits(false),
            awaits_connect: settings.authenticator.required(),
            verbose: true,
            pedantic: true,
            no_responders: false,
            max_subs: usize::try_from(options.max_subs).ok().filter(|n| *n > 0),
            max_sub_tokens: usize::from(options.max_sub_tokens),
            active: false,
        };
        let who = Identity {
            hub: ctx.hub.clone(),
            endpoint: client.endpoint.clone(),
            account: client.account(),
            permissions: None,
            uncached: ctx.hub.no_match_cache.load(Ordering::Relaxed),
            client,
        };
        let resume = !opened.input.is_empty();
        Self {
            who,
            state,
            options: None,
            nonce: opened.nonce,
            settings_generation: settings.generation,
            input: opened.input,
            resume,
            need: 0,
            window: READ_SCRATCH,
        }
    }

    /// Reads until the connection ends.
    pub(super) async fn run(&mut self) {
        loop {
            match std::future::poll_fn(|cx| self.poll_turn(cx)).await {
                Turn::Yield => tokio::task::yield_now().await,
                Turn::Connect(json) => Box::pin(self.connect(&json)).await,
                Turn::Reloaded => Box::pin(self.take_over_settings()).await,
                Turn::NotConnect => Box::pin(self.connect_without_connect()).await,
                Turn::Stall(target) => Box::pin(self.who.wait_for(&target)).await,
                Turn::Close(reason) => {
                    self.who.endpoint.close(reason);
                    return;
                }
            }
        }
    }

    fn poll_turn(&mut self, cx: &mut TaskContext<'_>) -> Poll<Turn> {
        self.who.endpoint.set_reader(cx.waker());
        if self.who.ctx().settings.load().generation != self.settings_generation {
            return Poll::Ready(Turn::Reloaded);
        }
        let hub = self.who.hub.clone();
        let clock = hub.env.clock();
        let end = clock.now().after(TURN_TIME);
        Workspace::with(&hub, |scratch, batch| {
            for _ in 0..BATCHES_PER_TURN {
                if let Some(reason) = self.who.endpoint.closing() {
                    return Poll::Ready(Turn::Close(reason));
                }
                if let Some(turn) = ready!(self.poll_batch(cx, scratch, batch)) {
                    return Poll::Ready(turn);
                }
                if clock.now() >= end {
                    break;
                }
            }
            Poll::Ready(Turn::Yield)
        })
    }

    /// Reads once and processes what came; how the turn ends, if it does.
    fn poll_batch(
        &mut self,
        cx: &mut TaskContext<'_>,
        scratch: &mut [u8],
        batch: &mut Batch,
    ) -> Poll<Option<Turn>> {
        let kept = self.input.len();
        if self.resume {
            self.resume = false;
            let input = std::mem::take(&mut self.input);
            return Poll::Ready(self.process(&input, batch));
        }
        if self.need > scratch.len() || kept >= scratch.len() {
            return self.poll_large(cx, scratch, batch);
        }
        let end = self.window.max(self.need).max(kept + 1).min(scratch.len());
        let n = match ready!(self.who.endpoint.out.poll_read(cx, &mut scratch[kept..end])) {
            Ok(0) => return Poll::Ready(Some(Turn::Close(CloseReason::ClientClosed))),
            Ok(n) => n,
            Err(e) => return Poll::Ready(Some(Turn::Close(read_error(&e)))),
        };
        self.who.endpoint.out.flush_tls(&self.who.endpoint);
        scratch[..kept].copy_from_slice(&self.input);
        self.input.clear();
        let turn = self.process(&scratch[..kept + n], batch);
        if self.input.is_empty() {
            self.input = Vec::new();
        }
        Poll::Ready(turn)
    }

    /// Gathers an operation that is longer than the scratch.
    fn poll_large(
        &mut self,
        cx: &mut TaskContext<'_>,
        scratch: &mut [u8],
        batch: &mut Batch,
    ) -> Poll<Option<Turn>> {
        let n = match ready!(self.who.endpoint.out.poll_read(cx, scratch)) {
            Ok(0) => return Poll::Ready(Some(Turn::Close(CloseReason::ClientClosed))),
            Ok(n) => n,
            Err(e) => return Poll::Ready(Some(Turn::Close(read_error(&e)))),
        };
        self.who.endpoint.out.flush_tls(&self.who.endpoint);
        self.input.extend_from_slice(&scratch[..n]);
        if self.input.len() < self.need {
            return Poll::Ready(None);
        }
        let input = std::mem::take(&mut self.input);
        Poll::Ready(self.process(&input, batch))
    }

    /// Processes the operations in `data` and delivers; keeps the rest.
    fn process(&mut self, data: &[u8], batch: &mut Batch) -> Option<Turn> {
        let now = self.who.hub.env.clock().now();
        let (used, turn) = self.operations(data, batch, now);
        let flushed = batch.flush(&self.who.publisher(now), data);
        if std::mem::take(&mut self.state.active) {
            self.who.client.last.store(now.0, Ordering::Relaxed);
        }
        self.input.extend_from_slice(&data[used..]);
        match turn {
            Some(turn) => {
                self.resume = !self.input.is_empty();
                Some(turn)
            }
            None => flushed.stalled.map(Turn::Stall),
        }
    }

    /// Up to the end of `data`, or an operation that needs more than the batch.
    fn operations(&mut self, data: &[u8], batch: &mut Batch, now: Mono) -> (usize, Option<Turn>) {
        let (mut at, mut published) = (0, 0);
        self.need = 0;
        while at < data.len() {
            if self.state.awaits_connect && !data[at].eq_ignore_ascii_case(&b'C') {
                return (at, Some(Turn::NotConnect));
            }
            match parse(&data[at..], &self.state.limits) {
                Step::Op(Op::Pub(p), len) => {
                    if self.who.traced() {
                        self.who.trace_publish(&data[at..], &p);
                    }
                    self.who.publish(&mut self.state, batch, now, &p, at);
                    at += len;
                    published += 1;
                }
                Step::Op(Op::Connect(json), len) => {
                    return (at + len, Some(Turn::Connect(json.to_vec())));
                }
                Step::Op(op, len) => {
                    if matches!(op, Op::Unsub(_)) && !batch.is_empty() {
                        // What was published before is still delivered.
                        batch.flush(&self.who.publisher(now), data);
                    }
                    at += len;
                    let done = self.who.operation(&mut self.state, batch, now, op);
                    if let ControlFlow::Break(reason) = done {
                        return (at, Some(Turn::Close(reason)));
                    }
                }
                Step::Incomplete { need } => {
                    self.need = need;
                    break;
                }
                Step::Fail(mut error) => {
                    let line = matches!(
                        error,
                        ParseError::Args(_)
                            | ParseError::HeadersNotSupported
                            | ParseError::MaxPayload { .. }
                            | ParseError::Unknown { state: PAYLOAD_END..=PAYLOAD_END_LF, .. }
                    );
                    if line && self.who.traced() {
                        self.who.trace_publish_line(&data[at..]);
                    }
                    if let ParseError::Unknown { at: place, .. } = &mut error {
                        *place += at;
                    }
                    let reason = self.who.refuse(batch, &error);
                    return (data.len(), Some(Turn::Close(reason)));
                }
            }
        }
        // Many small messages want large reads; large messages gain nothing from them, and the
        // turn they make is long for everybody else.
        let large = published > 0 && at / published >= LARGE_MESSAGE;
        self.window = if large { READ_WINDOW_LARGE } else { READ_SCRATCH };
        (at, None)
    }

    /// Takes over what a reload changed: limits, and whether it may still do what it does.
    async fn take_over_settings(&mut self) {
        let settings = self.who.ctx().settings.load_full();
        self.settings_generation = settings.generation;
        self.state.limits = settings.limits(self.state.limits.headers);
        self.state.max_sub_tokens = usize::from(settings.options.max_sub_tokens);
        self.state.max_subs = usize::try_from(settings.options.max_subs).ok().filter(|n| *n > 0);
        self.who.uncached = self.who.hub.no_match_cache.load(Ordering::Relaxed);
        if self.options.is_some() {
            self.authenticate_again().await;
        }
    }
}

impl Identity {
    /// Lets a target that is far behind catch up a little.
    async fn wait_for(&self, target: &Endpoint) {
        let clock = self.hub.env.clock();
        let start = clock.now();
        if !target.out.stall(STALL_MAX).await {
            let waited = go_duration(STALL_MAX);
            self.client.log_debug(&format!("Timed out of fast producer stall ({waited})"));
        }
        let waited = clock.now().since(start);
        let line = "Producer was stalled for a total of";
        if waited >= STALL_REPORTED && self.ctx().first_in_a_while(line) {
            let waited = Duration::from_millis(waited.as_micros().div_ceil(1000) as u64);
            self.client.log_warn(&format!("{line} {}", go_duration(waited)));
        }
    }

    /// Tells the peer, the log and the registry what is wrong with its bytes.
    fn refuse(&self, batch: &mut Batch, error: &ParseError) -> CloseReason {
        let client = &self.client;
        let mut say = |text: &str| self.error(batch, text);
        match error {
            ParseError::Unknown { .. } => {
                say("Unknown Protocol Operation");
                client.log_error(&format!("Client {error}"));
                CloseReason::ProtocolViolation
            }
            ParseError::MaxControlLine { .. } => {
                say("maximum control line exceeded");
                client.log_error(&error.to_string());
                CloseReason::MaxControlLineExceeded
            }
            ParseError::MaxPayload { size, max } => {
                client.log_error(&format!("{error}: {size} vs {max}"));
                say("Maximum Payload Violation");
                CloseReason::MaxPayloadExceeded
            }
            ParseError::HeadersNotSupported | ParseError::Args(_) => {
                client.log_error(&error.to_string());
                CloseReason::ProtocolViolation
            }
        }
    }

    /// An error line, in order with everything else the peer gets.
    pub(super) fn error(&self, batch: &mut Batch, text: &str) {
        if self.traced() {
            self.client.trace_out("-ERR", text.as_bytes());
        }
        batch.control(&self.endpoint, format!("-ERR '{text}'\r\n").as_bytes());
    }

    #[inline]
    pub(super) fn traced(&self) -> bool {
        self.endpoint.flags() & flag::TRACE != 0
    }

    pub(super) fn shutting_down(&self) -> bool {
        self.ctx().phase() == Phase::ShuttingDown
    }
}

fn read_error(e: &std::io::Error) -> CloseReason {
    match e.kind() {
        std::io::ErrorKind::UnexpectedEof => CloseReason::ClientClosed,
        _ => CloseReason::ReadError,
    }
}
