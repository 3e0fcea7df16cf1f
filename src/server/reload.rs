//! Taking over a changed configuration while clients stay connected.

use super::{Server, StartError, start};
use crate::config::diff::{Effect, Plan, ReloadError as DiffError};
use crate::config::options::Options;
use crate::config::{self, ConfigErrors};
use crate::conn::Settings;
use crate::logging::Prepared;
use crate::wire::info::Info;
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
        options.validate().map_err(StartError::from)?;
        let (ctx, log) = (&self.0.ctx, &self.0.log);
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
        let mappings = start::compile_mappings(&options).map_err(StartError::from)?;
        let new_log = plan
            .needs(Effect::Logging)
            .then(|| log.prepare(&start::log_options(&options)))
            .transpose()
            .map_err(StartError::from)?;
        let info = self.changed_info(&options, &settings)?;
        // Nothing can fail from here on.
        self.apply(&options, mappings);
        ctx.settings.store(Arc::new(settings));
        let told = info.is_some();
        if let Some(info) = info {
            ctx.info.store(Arc::new(info));
        }
        self.follow(&plan, &running.options, told, new_log).await;
        let digest = start::in_brackets(&options.config_digest);
        log.info(format_args!("Reloaded server configuration {digest}"));
        Ok(())
    }

    /// The INFO of the new options, if it is another.
    fn changed_info(
        &self,
        options: &Options,
        settings: &Settings,
    ) -> Result<Option<Info>, StartError> {
        let before = self.0.ctx.info.load_full();
        let mut info = start::info(options, settings, &before.server_id, &before.server_name);
        let port = self.client_addr().map_or(before.port, |addr| addr.port());
        (info.host, info.port) = super::listeners::told_address(options, port)?;
        info.xkey.clone_from(&before.xkey);
        Ok((*before != info).then_some(info))
    }

    /// Does what the plan asks for beside publishing the new options, in upstream's order: each
    /// change with its line in the log, then the log itself, then connections.
    async fn follow(
        &self,
        plan: &Plan,
        before: &Options,
        info_changed: bool,
        new_log: Option<Prepared>,
    ) {
        let (ctx, log, options) = (&self.0.ctx, &self.0.log, self.options());
        for change in &plan.changes {
            match change.effect {
                Effect::PidFile => {
                    if let Err(StartError::PidFile { path, source }) = self.write_pid_file() {
                        let problem = crate::base::fs::reason(&source);
                        log.error(format_args!("Failed to write pidfile: open {path}: {problem}"));
                    }
                }
                Effect::PortsFileDir => {
                    self.remove_ports_file(before);
                    self.write_ports_file();
                }
                Effect::MaxConnections => self.close_newest(options.max_conn),
                _ => {}
            }
            if !change.notice.is_empty() {
                log.info(format_args!("{}", change.notice));
            }
        }
        if let Some(new_log) = new_log {
            log.install(new_log);
        }
        if plan.needs(Effect::TraceLevel) {
            log.set_debug(options.debug);
            log.set_trace(options.trace, options.trace_verbose);
        }
        for client in &ctx.registry.all() {
            client.apply_settings();
            client.set_trace();
            if info_changed && client.takes_async_info() {
                client.send_info(|_| {});
            }
            client.wake();
        }
    }

    /// Closes the newest connections above the limit; a negative one allows none.
    fn close_newest(&self, max: i64) {
        let clients = self.0.ctx.registry.all();
        let surplus = clients.iter().skip(usize::try_from(max).unwrap_or(0));
        let mut closed = 0;
        for client in surplus {
            client.exceeds_max_connections();
            closed += 1;
        }
        if closed > 0 {
            let log = &self.0.log;
            log.info(format_args!("Closed {closed} connections to fall within max_connections"));
        }
    }
}
