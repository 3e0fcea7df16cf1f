//! What signals do.

use super::Server;
use crate::base::signals::{Signal, Signals};
use crate::conn::Phase;

impl Server {
    /// Obeys signals until the server has ended.
    pub async fn obey(&self, mut signals: Signals) {
        loop {
            let signal = tokio::select! {
                biased;
                () = self.wait_for_shutdown() => return,
                signal = signals.next() => signal,
            };
            self.0.log.info(format_args!("Trapped \"{}\" signal", signal.as_str()));
            match signal {
                Signal::Interrupt => self.shutdown().await,
                Signal::Terminate => {
                    if self.0.ctx.phase() != Phase::LameDuck {
                        self.shutdown().await;
                    }
                }
                Signal::User1 => self.0.log.reopen(),
                Signal::User2 => {
                    let server = self.clone();
                    self.0.endings.spawn(async move { server.lame_duck().await });
                }
                Signal::Hangup => {
                    if let Err(e) = self.reload().await {
                        self.0.log.error(format_args!(
                            "Failed to reload server configuration: {e}"
                        ));
                    }
                }
            }
        }
    }
}
