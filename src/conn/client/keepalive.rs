//! PING and PONG, stale connections, and the deadline for authentication.

use super::Client;
use crate::base::Mono;
use crate::broker::CloseReason;
use crate::conn::timers::{Due, Kind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The first PING comes early, to learn the round trip time.
const FIRST_PING: Duration = Duration::from_secs(2);
/// The round trip time is measured anew after this long even on busy connections.
const RTT_INTERVAL: Duration = Duration::from_secs(60 * 60);

impl Client {
    /// The time for authentication runs.
    pub(super) fn start_auth_timer(&self, timeout: Duration) {
        let at = self.ctx.hub.env.clock().now().after(timeout);
        self.ctl().auth_due = Some(at);
        self.ctx.timers.set(Due { at, cid: self.cid(), kind: Kind::Auth });
    }

    /// CONNECT came in time.
    pub(super) fn stop_auth_timer(&self) {
        let due = self.ctl().auth_due.take();
        if let Some(at) = due {
            self.ctx.timers.clear(Due { at, cid: self.cid(), kind: Kind::Auth });
        }
    }

    /// The next PING is due after the configured interval.
    pub(super) fn start_ping_timer(&self) {
        let interval = self.ctx.settings.load().options.ping_interval;
        self.set_ping_timer(interval);
    }

    /// The first PING after CONNECT: early, and spread so that many clients that connect together
    /// are not pinged together.
    pub(super) fn start_first_ping_timer(&self) {
        let settings = self.ctx.settings.load();
        let mut interval = settings.options.ping_interval;
        if !settings.options.disable_short_first_ping {
            interval = interval.min(FIRST_PING);
        }
        let spread = u64::try_from(interval.as_nanos() / 5).unwrap_or(0);
        let extra = self.ctx.hub.rng().below(spread);
        self.set_ping_timer(interval + Duration::from_nanos(extra));
    }

    fn set_ping_timer(&self, after: Duration) {
        let at = self.ctx.hub.env.clock().now().after(after);
        let before = self.ctl().ping_due.replace(at);
        if let Some(before) = before {
            self.ctx.timers.clear(Due { at: before, cid: self.cid(), kind: Kind::Ping });
        }
        self.ctx.timers.set(Due { at, cid: self.cid(), kind: Kind::Ping });
    }

    pub(super) fn stop_timers(&self) {
        self.stop_auth_timer();
        let due = self.ctl().ping_due.take();
        if let Some(at) = due {
            self.ctx.timers.clear(Due { at, cid: self.cid(), kind: Kind::Ping });
        }
    }

    /// A deadline came.
    pub fn fire(self: &Arc<Self>, due: Due) {
        if self.endpoint.closing().is_some() {
            return;
        }
        match due.kind {
            Kind::Auth => {
                if self.ctl().auth_due == Some(due.at) {
                    self.send_err_and_log("Authentication Timeout", false);
                    self.close(CloseReason::AuthenticationTimeout);
                }
            }
            Kind::Ping => {
                if self.ctl().ping_due == Some(due.at) {
                    self.ping();
                }
            }
        }
    }

    fn ping(&self) {
        let settings = self.ctx.settings.load();
        let interval = settings.options.ping_interval;
        let now = self.ctx.hub.env.clock().now();
        self.log_debug("Client Ping Timer");
        let last_data = Mono(self.last.load(Ordering::Relaxed));
        let stale = {
            let mut ctl = self.ctl();
            let last_in = last_data.max(ctl.last_ping_in);
            // What CONNECT told of the round trip is only an estimate.
            let need_rtt = ctl.rtt.is_zero()
                || ctl.ping_sent.is_none_or(|sent| now.since(sent) > RTT_INTERVAL);
            let quiet = now.since(last_in);
            if quiet < interval && !need_rtt {
                drop(ctl);
                let ago = crate::base::text::go_duration(Duration::from_secs(
                    (quiet + Duration::from_millis(500)).as_secs(),
                ));
                self.log_debug(&format!(
                    "Delaying PING due to remote client data or ping {ago} ago"
                ));
                return self.set_ping_timer(interval);
            }
            ctl.pings_out += 1;
            let stale = ctl.pings_out > settings.options.max_pings_out;
            if !stale {
                ctl.ping_sent = Some(now);
            }
            stale
        };
        if stale {
            self.log_debug("Stale Client Connection - Closing");
            // As upstream, this one is not traced.
            self.endpoint.out.send_bytes(&self.endpoint, b"-ERR 'Stale Connection'\r\n");
            self.ctx.hub.stats.stale_connections.fetch_add(1, Ordering::Relaxed);
            return self.close(CloseReason::StaleConnection);
        }
        if self.traced() {
            self.trace_out("PING", b"");
        }
        self.endpoint.out.send_bytes(&self.endpoint, b"PING\r\n");
        self.set_ping_timer(interval);
    }

    /// The peer answered.
    pub(super) fn pong(&self, now: Mono) {
        let mut ctl = self.ctl();
        ctl.pings_out = 0;
        if let Some(sent) = ctl.ping_sent {
            ctl.rtt = now.since(sent).max(Duration::from_nanos(1));
        }
    }
}
