//! Taking over a changed configuration while clients stay connected.

use super::{Server, StartError, start};
use crate::broker::CloseReason;
use crate::config::diff::{Effect, Plan, ReloadError as DiffError};
use crate::config::options::Options;
use crate::config::{self, ConfigErrors};
use std::sync::Arc;
use thiserror::Error;

/// Why the running configuration stays.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// The server was started without a file.
    #[error("can only reload config when a file is provided using -c or --config")]
    NoFile,
    /// The file is wrong.
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    /// A change that only a restart can make.
    #[error("{0}")]
    Refused(#[from] DiffError),
    /// Something the file names cannot be used.
    #[error("{0}")]
    Unusable(#[from] StartError),
}

impl Server {
    /// Reads the configuration file again and takes over what changed. After an error everything
    /// is as before.
    ///
    /// # Errors
    /// See [`ReloadError`].
    pub async fn reload(&self) -> Result<(), ReloadError> {
        let running = self.options();
        if running.config_file.is_empty() {
            return Err(ReloadError::NoFile);
        }
        let (options, _) = config::reread(&self.0.env, &running)?;
        self.reload_options(options).await
    }

    /// As [`Server::reload`], with options of the caller's.
    ///
    /// # Errors
    /// See [`ReloadError`].
    pub async fn reload_options(&self, mut options: Options) -> Result<(), ReloadError> {
        let _one_at_a_time = self.0.reloading.lock().await;
        options.fill_defaults();
        let ctx = &self.0.ctx;
        let running = ctx.settings.load_full();
        // A port the system chose stays, also if it is named now.
        let bound = self.client_addr().map(|addr| i32::from(addr.port()));
        if options.port <= 0 || bound == Some(options.port) {
            options.port = running.options.port;
        }
        let plan = config::reload_diff(&running.options, &options)?;
        let options = Arc::new(options);
        let generation = running.generation + 1;
        let settings =
            start::settings(&self.0.env, options.clone(), &self.0.checker_ids, generation)?;
        if plan.needs(Effect::Logging) {
            self.0.log.reconfigure(&start::log_options(&options)).map_err(StartError::from)?;
        }
        self.apply(&options)?;
        let before = ctx.info.load_full();
        let mut info = start::info(&options, &settings, &before.server_id, &before.server_name);
        (info.port, info.ldm) = (before.port, before.ldm);
        if let Some((host, port)) =
            super::listeners::advertised(&options.client_advertise, before.port)
        {
            (info.host, info.port) = (host, port);
        } else if let Some(addr) = self.client_addr() {
            info.port = addr.port();
        }
        ctx.settings.store(Arc::new(settings));
        let told = *before != info;
        ctx.info.store(Arc::new(info));
        self.follow(&plan, &options, told).await;
        self.0.log.info(format_args!("Reloaded server configuration"));
        Ok(())
    }

    /// Does what the plan asks for beside publishing the new options.
    async fn follow(&self, plan: &Plan, options: &Options, info_changed: bool) {
        let (ctx, log) = (&self.0.ctx, &self.0.log);
        if plan.needs(Effect::TraceLevel) {
            log.set_debug(options.debug);
            log.set_trace(options.trace, options.trace_verbose);
        }
        if plan.needs(Effect::PidFile)
            && let Err(e) = self.write_pid_file()
        {
            log.error(format_args!("{e}"));
        }
        if plan.needs(Effect::PortsFileDir) {
            self.write_ports_file();
        }
        let clients = ctx.registry.all();
        for client in &clients {
            client.apply_settings();
            client.set_trace();
            if info_changed && client.takes_async_info() {
                client.send_info(|_| {});
            }
        }
        if plan.needs(Effect::Auth) {
            for client in &clients {
                client.wake();
            }
        }
        if plan.needs(Effect::MaxConnections) {
            self.close_newest(options.max_conn);
        }
        for change in plan.changes.iter().filter(|c| !c.notice.is_empty()) {
            log.info(format_args!("{}", change.notice));
        }
    }

    /// Closes the newest connections above the limit.
    fn close_newest(&self, max: i64) {
        let Ok(max) = usize::try_from(max) else { return };
        if max == 0 {
            return;
        }
        let mut clients = self.0.ctx.registry.all();
        clients.sort_by_key(|c| c.cid());
        for client in clients.iter().skip(max) {
            client.send_err("maximum connections exceeded");
            client.close(CloseReason::MaxConnectionsExceeded);
        }
    }
}
