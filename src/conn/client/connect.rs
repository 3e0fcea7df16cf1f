//! CONNECT: what a client wants, who it is, which account it is in.

use super::session::Session;
use super::{REDACTED, label_suffix, user_label};
use crate::auth::authenticator::{Attempt, ConnectionType, Decision, Identity as Proven, Refusal};
use crate::broker::CloseReason;
use crate::broker::account::GLOBAL_ACCOUNT;
use crate::broker::endpoint::flag;
use crate::logging::redact::redact_secrets;
use crate::wire::connect::Connect;
use crate::wire::parser::quote;
use crate::wire::x509::PeerCert;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Session {
    /// Processes a CONNECT. A refusal closes the connection.
    pub(super) async fn connect(&mut self, json: &[u8]) {
        if let Err(reason) = self.try_connect(json).await {
            self.who.endpoint.close(reason);
        }
    }

    /// The peer sent something else first: let in as `no_auth_user` if that may be.
    pub(super) async fn connect_without_connect(&mut self) {
        let options = self.who.ctx().settings.load().options.clone();
        let outcome = if options.no_auth_user.is_empty() {
            Err(Refusal::Unknown { detail: "CONNECT must come first" })
        } else {
            self.who.client.stop_auth_timer();
            self.authenticate(&Connect::default()).await
        };
        match outcome {
            Ok(proven) => {
                self.enter(*proven);
                self.state.awaits_connect = false;
            }
            Err(refusal) => {
                let reason = self.violation(&refusal, &Connect::default());
                self.who.endpoint.close(reason);
            }
        }
    }

    async fn try_connect(&mut self, json: &[u8]) -> Result<(), CloseReason> {
        let client = self.who.client.clone();
        if self.who.traced() {
            client.trace_in("CONNECT", &redact_secrets(json));
        }
        client.stop_auth_timer();
        let now = self.who.hub.env.clock().now();
        client.ctl().rtt = now.since(client.start).max(std::time::Duration::from_nanos(1));
        client.last.store(now.0, Ordering::Relaxed);
        client.start_first_ping_timer();

        let first = self.options.is_none();
        let mut options = self.options.take().map_or_else(Connect::default, Arc::unwrap_or_clone);
        let merged = options.merge(json);
        if let Err(problem) = merged {
            client.log_error(&problem);
            return Err(CloseReason::ProtocolViolation);
        }
        let options = Arc::new(options);
        let supports_headers = client.ctx.info.load().headers;
        self.state.limits.headers = supports_headers && options.headers;
        self.state.verbose = options.verbose;
        self.state.pedantic = options.pedantic;
        self.state.no_responders = options.no_responders;
        self.state.awaits_connect = false;
        let endpoint = &self.who.endpoint;
        endpoint.set_flag(flag::NO_ECHO, !options.echo);
        endpoint.set_flag(flag::HEADERS, self.state.limits.headers);
        self.remember(&options);
        if !first {
            self.leave_account();
        }
        let proven = match self.authenticate(&options).await {
            Ok(proven) => proven,
            Err(refusal) => return Err(self.violation(&refusal, &options)),
        };
        if options.new_account || !options.account.is_empty() {
            let refusal = Refusal::Unknown { detail: "account designation in CONNECT" };
            return Err(self.violation(&refusal, &options));
        }
        self.enter(*proven);
        self.register(&options, first);
        let outcome = self.check_protocol(&options);
        self.options = Some(options);
        outcome
    }

    fn check_protocol(&self, options: &Connect) -> Result<(), CloseReason> {
        let client = &self.who.client;
        if !(0..=1).contains(&options.protocol) {
            client.send_err("invalid client protocol");
            client.log_error("invalid client protocol");
            return Err(CloseReason::BadClientProtocolVersion);
        }
        if options.no_responders && !self.state.limits.headers {
            client.send_err("no responders requires headers support");
            client.log_error("no responders requires headers support");
            return Err(CloseReason::NoRespondersRequiresHeaders);
        }
        if options.verbose {
            if self.who.traced() {
                client.trace_out("OK", b"");
            }
            self.who.endpoint.out.send_bytes(&self.who.endpoint, b"+OK\r\n");
        }
        Ok(())
    }

    async fn authenticate(&self, options: &Connect) -> Result<Box<Proven>, Refusal> {
        let ctx = self.who.ctx();
        let settings = ctx.settings.load_full();
        let peer = self.who.endpoint.out.tls().and_then(|tls| {
            tls.info().peer_certs.first().and_then(|der| PeerCert::parse(der).ok())
        });
        let attempt = Attempt {
            user: &options.user,
            pass: &options.pass,
            auth_token: &options.auth_token,
            nkey: &options.nkey,
            sig: &options.sig,
            proxy_sig: &options.proxy_sig,
            nonce: self.nonce.as_bytes(),
            peer: peer.as_ref(),
            connection: ConnectionType::Standard,
        };
        match settings.authenticator.check(&attempt) {
            Decision::Accepted(proven) => Ok(proven),
            Decision::Refused(refusal) => Err(refusal),
            Decision::Hash(pending) => {
                let computed = ctx.tasks.blocking(move || pending.verify()).await;
                computed.unwrap_or(Err(Refusal::Unknown { detail: "password check failed" }))
            }
        }
    }

    /// Becomes who it was proven to be.
    fn enter(&mut self, proven: Proven) {
        let ctx = self.who.ctx().clone();
        let account = match &proven.account {
            Some(name) => ctx.accounts.get_or_create(name),
            None => ctx.accounts.global().clone(),
        };
        let now = ctx.hub.env.clock().now();
        self.who.endpoint.set_permissions(proven.permissions.clone(), now);
        self.who.account = account.clone();
        self.who.permissions = proven.permissions.clone();
        {
            let mut ctl = self.who.client.ctl();
            ctl.account = account;
            ctl.who = proven.who;
            ctl.permissions = proven.permissions;
            ctl.proxy_key = proven.proxy;
        }
        self.who.client.set_trace();
    }

    /// The users changed: it is still one of them, under the permissions of now, or it goes.
    pub(super) async fn authenticate_again(&mut self) {
        let options = self.options.clone().unwrap_or_default();
        if self.has_moved(&options) {
            self.who.endpoint.close(CloseReason::ClientClosed);
            return;
        }
        let proven = match self.authenticate(&options).await {
            Ok(proven) => proven,
            Err(refusal) => {
                let reason = self.violation(&refusal, &options);
                self.who.endpoint.close(reason);
                return;
            }
        };
        let before = self.who.account.clone();
        self.enter(*proven);
        if self.who.account.id != before.id {
            let subs = self.who.endpoint.subs();
            before.sublist.remove_batch(&subs);
            for sub in &subs {
                // It was valid in the account it comes from.
                let _ = self.who.account.sublist.insert(sub.clone());
            }
            before.stats.clients.fetch_sub(1, Ordering::Relaxed);
            self.who.account.stats.clients.fetch_add(1, Ordering::Relaxed);
        }
        self.drop_forbidden_subs();
    }

    /// The user it named is gone or in another account: it is to connect again, and is not told
    /// why. As upstream, who named a user where there is no list of users goes too.
    fn has_moved(&self, options: &Connect) -> bool {
        if options.nkey.is_empty() && options.user.is_empty() {
            return false;
        }
        let settings = self.who.ctx().settings.load();
        match settings.authenticator.account_of(&options.nkey, &options.user) {
            Some(account) => account.unwrap_or(GLOBAL_ACCOUNT) != self.who.account.name,
            None => true,
        }
    }

    fn drop_forbidden_subs(&self) {
        let Some(permissions) = &self.who.permissions else { return };
        let client = &self.who.client;
        for sub in self.who.endpoint.subs() {
            let queue = (!sub.queue().is_empty()).then_some(sub.queue());
            if permissions.can_subscribe(sub.subject(), queue) {
                if permissions.needs_delivery_filter(sub.subject(), queue) {
                    self.who.endpoint.set_flag(flag::DENY_FILTER, true);
                }
                continue;
            }
            client.drop_sub(&sub);
            let mut what = quote(sub.subject());
            if let Some(queue) = queue {
                what.push_str(&format!(" using queue {}", quote(queue)));
            }
            what.push_str(&format!(" (sid {})", quote(sub.sid())));
            client.send_err(&format!("Permissions Violation for Subscription to {what}"));
            let user = self.options.as_deref().and_then(claimed_user);
            self.who.hub.log.info(format_args!(
                "Removed sub {what} for {} - not authorized",
                user.as_deref().unwrap_or("User \"N/A\""),
            ));
        }
    }

    /// What others may know of the CONNECT, accepted or not.
    fn remember(&self, options: &Arc<Connect>) {
        let secrets = [&options.pass, &options.jwt, &options.sig, &options.auth_token];
        let said = match secrets.iter().all(|secret| secret.is_empty()) {
            // An idle connection need not keep the same thing twice.
            true => options.clone(),
            false => Arc::new(Connect {
                pass: String::new(),
                jwt: String::new(),
                sig: String::new(),
                auth_token: match options.auth_token.is_empty() {
                    true => String::new(),
                    false => REDACTED.to_owned(),
                },
                ..Connect::clone(options)
            }),
        };
        self.who.client.ctl().said = Some(said);
    }

    /// It was let in: its account counts it, and logs name its user.
    fn register(&self, options: &Connect, first: bool) {
        {
            let mut ctl = self.who.client.ctl();
            ctl.registered = true;
            if let Some(label) = user_label(options, &ctl.who) {
                ctl.user_label = Some(label.into_boxed_str());
            }
            if first {
                let suffix = label_suffix(options, &ctl.account.name, ctl.user_label.as_deref());
                ctl.label_suffix = suffix.into_boxed_str();
            }
        }
        if first {
            let ctx = self.who.ctx();
            self.who.account.stats.clients.fetch_add(1, Ordering::Relaxed);
            if options.protocol >= 1 {
                ctx.async_info_clients.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// A second CONNECT may lead into another account: nothing is taken along.
    fn leave_account(&mut self) {
        let subs = self.who.endpoint.take_subs(false);
        for sub in &subs {
            sub.close();
            if self.who.traced() {
                self.who.client.trace_op("<->", "DELSUB", sub.sid());
            }
        }
        self.who.account.sublist.remove_batch(&subs);
    }

    /// Says no, the same way whatever was wrong.
    fn violation(&self, refusal: &Refusal, options: &Connect) -> CloseReason {
        let client = &self.who.client;
        if !matches!(refusal, Refusal::Unknown { .. }) {
            client.log_debug(&refusal.detail());
        }
        match claimed_user(options) {
            Some(user) => client.log_error(&format!("authentication error - {user}")),
            None => client.log_error("authentication error"),
        }
        client.send_err("Authorization Violation");
        match refusal {
            Refusal::Credentials { .. } | Refusal::Unknown { .. } => {
                CloseReason::AuthenticationViolation
            }
            Refusal::ProxyNotTrusted => CloseReason::ProxyNotTrusted,
            Refusal::ProxyRequired => CloseReason::ProxyRequired,
        }
    }
}

/// Who a CONNECT says it is, as errors about it say.
fn claimed_user(options: &Connect) -> Option<String> {
    match (options.nkey.as_str(), options.user.as_str()) {
        ("", "") if options.auth_token.is_empty() => None,
        ("", "") => Some("Token \"[REDACTED]\"".to_owned()),
        ("", user) => Some(format!("User {}", quote(user.as_bytes()))),
        (nkey, _) => Some(format!("Nkey {}", quote(nkey.as_bytes()))),
    }
}
