//! Lame duck mode and shutdown.

use super::Server;
use crate::broker::CloseReason;
use crate::conn::Phase;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long connections may take to end before the server stops waiting for them.
const GOODBYE: Duration = Duration::from_secs(10);
/// Clients are closed at least this often in lame duck mode.
const LAME_DUCK_STEP_MAX: Duration = Duration::from_secs(1);

impl Server {
    /// Ends the server: listeners first, then every connection. Returns when nothing runs any
    /// more. Calling it again waits for the first call's end.
    pub async fn shutdown(&self) {
        if !self.0.ctx.set_phase(Phase::ShuttingDown) {
            return self.wait_for_shutdown().await;
        }
        let log = &self.0.log;
        log.info(format_args!("Initiating Shutdown..."));
        self.stop_everything().await;
        self.remove_ports_file(&self.options());
        log.info(format_args!("Server Exiting.."));
        self.0.has_ended.store(true, Ordering::Release);
        self.0.ended.notify_waiters();
    }

    /// Undoes a start that failed half way; its log says why, and nothing else.
    pub(super) async fn abandon(&self) {
        self.0.ctx.set_phase(Phase::ShuttingDown);
        self.stop_everything().await;
        self.0.has_ended.store(true, Ordering::Release);
        self.0.ended.notify_waiters();
    }

    async fn stop_everything(&self) {
        self.0.accepting.cancel();
        self.0.listeners.cancel();
        self.0.accepting.wait().await;
        self.0.listeners.wait().await;
        for client in self.0.ctx.registry.all() {
            client.close(CloseReason::ServerShutdown);
        }
        self.0.tasks.cancel();
        let clock = self.0.env.clock();
        if clock.timeout(GOODBYE, self.0.tasks.wait()).await.is_none() {
            let open = self.0.tasks.live();
            self.0.log.warn(format_args!("{open} connections did not end in time"));
        }
    }

    /// Completes when the server has ended.
    pub async fn wait_for_shutdown(&self) {
        loop {
            let ended = self.0.ended.notified();
            if self.0.has_ended.load(Ordering::Acquire) {
                return;
            }
            ended.await;
        }
    }

    /// Takes no more clients, sends the others away one by one, then ends.
    pub async fn lame_duck(&self) {
        if self.client_addr().is_none() || !self.0.ctx.set_phase(Phase::LameDuck) {
            return;
        }
        let (log, options) = (&self.0.log, self.options());
        log.info(format_args!("Entering lame duck mode, stop accepting new clients"));
        self.0.addresses.lock().client = None;
        self.0.monitor.set_accepting(false);
        self.0.accepting.cancel();
        self.0.accepting.wait().await;
        let clients = self.0.ctx.registry.all();
        if clients.is_empty() {
            return self.shutdown().await;
        }
        let told = clients.iter().filter(|client| client.takes_async_info());
        told.for_each(|client| client.send_info(|info| info.ldm = true));
        let stop = self.0.listeners.clone();
        if self.pause(options.lame_duck_grace_period, &stop).await.is_break() {
            return;
        }
        log.info(format_args!("Closing existing clients"));
        let spread = options.lame_duck_duration.saturating_sub(options.lame_duck_grace_period);
        let spread = if spread.is_zero() { Duration::from_secs(1) } else { spread };
        let count = u32::try_from(clients.len()).unwrap_or(u32::MAX);
        let step = (spread / count).clamp(Duration::from_nanos(1), LAME_DUCK_STEP_MAX);
        let mut rng = self.0.env.rng();
        for (i, client) in clients.iter().enumerate() {
            client.close(CloseReason::ServerShutdown);
            if i + 1 < clients.len() {
                let nanos = u64::try_from(step.as_nanos()).unwrap_or(u64::MAX);
                let pause = Duration::from_nanos(nanos / 2 + rng.below(nanos / 2 + 1));
                if self.pause(pause, &stop).await.is_break() {
                    return;
                }
            }
        }
        self.shutdown().await;
    }

    /// Waits, unless the server is told to end first.
    async fn pause(
        &self,
        longest: Duration,
        stop: &crate::base::tasks::TaskScope,
    ) -> std::ops::ControlFlow<()> {
        match self.0.env.clock().timeout(longest, stop.cancelled()).await {
            Some(()) => std::ops::ControlFlow::Break(()),
            None => std::ops::ControlFlow::Continue(()),
        }
    }
}
