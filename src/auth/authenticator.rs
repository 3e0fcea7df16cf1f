//! Decides who a connection is.
//!
//! A [`Directory`] holds the configured users, compiled once; an [`Authenticator`] adds what one
//! listener demands. Nothing here waits, reads a clock or logs. A password that is a bcrypt hash
//! comes back as [`Decision::Hash`], to be computed where it blocks nobody.
//!
//! The peer is told the same for every failure; [`Refusal::detail`] is for the debug log.
//! Go: `auth.go processClientOrLeafAuthentication`.

use super::cert_map;
use super::nkey::{Kind, NkeyError, PublicKey, decode_signature};
use super::password;
use super::permissions::{Checker, CheckerIds, PermissionError};
use super::users::{NkeyUser, Permissions, User};
use crate::wire::x509::PeerCert;
use hashbrown::HashMap;
use std::sync::Arc;

/// How a connection came in; users may be confined to some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionType {
    /// A client over TCP or TLS.
    Standard,
    /// A client over WebSocket.
    Websocket,
    /// A leaf node.
    Leafnode,
    /// A leaf node over WebSocket.
    LeafnodeWs,
    /// An MQTT client.
    Mqtt,
    /// An MQTT client over WebSocket.
    MqttWs,
    /// A client in the server's own process.
    InProcess,
}

impl ConnectionType {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Standard,
        Self::Websocket,
        Self::Leafnode,
        Self::LeafnodeWs,
        Self::Mqtt,
        Self::MqttWs,
        Self::InProcess,
    ];

    /// The name in `allowed_connection_types`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::Websocket => "WEBSOCKET",
            Self::Leafnode => "LEAFNODE",
            Self::LeafnodeWs => "LEAFNODE_WS",
            Self::Mqtt => "MQTT",
            Self::MqttWs => "MQTT_WS",
            Self::InProcess => "IN_PROCESS",
        }
    }

    /// The type that `name` (in any case) stands for.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name().eq_ignore_ascii_case(name))
    }
}

/// Why the configured users cannot be used. The texts are upstream's.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// A user's permissions.
    #[error("invalid permissions for user {user:?}: {source}")]
    User {
        /// The user.
        user: String,
        /// What is wrong.
        source: PermissionError,
    },
    /// An nkey user's permissions.
    #[error("invalid permissions for nkey {nkey:?}: {source}")]
    Nkey {
        /// The nkey.
        nkey: String,
        /// What is wrong.
        source: PermissionError,
    },
    /// A trusted proxy's key.
    #[error("proxy trusted key {0:?} is invalid")]
    Proxy(String),
}

/// A configured user, ready to be checked against.
#[derive(Debug)]
pub(super) struct Account {
    /// User name or public nkey.
    pub(super) name: String,
    password: String,
    account: Option<String>,
    permissions: Option<Arc<Checker>>,
    allowed: Vec<ConnectionType>,
    proxy_required: bool,
}

impl Account {
    pub(super) fn allows(&self, connection: ConnectionType) -> bool {
        self.allowed.is_empty() || self.allowed.contains(&connection)
    }

    fn identity(&self, who: Who) -> Identity {
        Identity {
            who,
            account: self.account.clone(),
            permissions: self.permissions.clone(),
            proxy: None,
            ignored_user: None,
        }
    }
}

/// All users of a server.
#[derive(Debug, Default)]
pub struct Directory {
    pub(super) users: HashMap<String, Account>,
    nkeys: HashMap<String, Account>,
    proxies: Vec<PublicKey>,
}

impl Directory {
    /// Compiles the configured users and the keys of trusted proxies. Of users with the same name
    /// the last one counts. Permissions that several users share are compiled once.
    pub fn new(
        users: &[User],
        nkeys: &[NkeyUser],
        trusted_proxies: &[String],
        ids: &CheckerIds,
    ) -> Result<Self, DirectoryError> {
        let mut shared = SharedCheckers { ids, compiled: HashMap::new() };
        let mut directory = Self::default();
        for user in users {
            let permissions = shared
                .compile(user.permissions.as_ref())
                .map_err(|source| DirectoryError::User { user: user.username.clone(), source })?;
            directory.users.insert(
                user.username.clone(),
                Account {
                    name: user.username.clone(),
                    password: user.password.clone(),
                    account: user.account.clone(),
                    permissions,
                    allowed: connection_types(&user.allowed_connection_types),
                    proxy_required: user.proxy_required,
                },
            );
        }
        for user in nkeys {
            let permissions = shared
                .compile(user.permissions.as_ref())
                .map_err(|source| DirectoryError::Nkey { nkey: user.nkey.clone(), source })?;
            directory.nkeys.insert(
                user.nkey.clone(),
                Account {
                    name: user.nkey.clone(),
                    password: String::new(),
                    account: user.account.clone(),
                    permissions,
                    allowed: connection_types(&user.allowed_connection_types),
                    proxy_required: user.proxy_required,
                },
            );
        }
        for key in trusted_proxies {
            let parsed = PublicKey::parse(key).map_err(|_| DirectoryError::Proxy(key.clone()))?;
            directory.proxies.push(parsed);
        }
        Ok(directory)
    }

    /// The account of the user that a peer named in CONNECT, by nkey or else by name: `None` if
    /// there is no such user, `Some(None)` for the global account.
    pub fn account_of(&self, nkey: &str, user: &str) -> Option<Option<&str>> {
        let (table, name) = if nkey.is_empty() { (&self.users, user) } else { (&self.nkeys, nkey) };
        table.get(name).map(|account| account.account.as_deref())
    }

    /// Whether connections need a nonce to sign.
    pub fn needs_nonce(&self) -> bool {
        !self.nkeys.is_empty() || !self.proxies.is_empty()
    }
}

/// Permissions compiled so far, by address: users of one account often share their defaults.
struct SharedCheckers<'a> {
    ids: &'a CheckerIds,
    compiled: HashMap<*const Permissions, Arc<Checker>>,
}

impl SharedCheckers<'_> {
    fn compile(
        &mut self,
        permissions: Option<&Arc<Permissions>>,
    ) -> Result<Option<Arc<Checker>>, PermissionError> {
        let Some(permissions) = permissions else { return Ok(None) };
        if let Some(checker) = self.compiled.get(&Arc::as_ptr(permissions)) {
            return Ok(Some(checker.clone()));
        }
        let checker = Arc::new(Checker::compile(permissions, self.ids)?);
        self.compiled.insert(Arc::as_ptr(permissions), checker.clone());
        Ok(Some(checker))
    }
}

/// Names that are no type are left out here; the configuration refuses them.
fn connection_types(names: &[String]) -> Vec<ConnectionType> {
    names.iter().filter_map(|name| ConnectionType::from_name(name)).collect()
}

/// What one listener asks of its connections beside the users of the [`Directory`].
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Connections must authenticate.
    pub required: bool,
    /// Single user name; empty is none.
    pub username: String,
    /// Password of the single user.
    pub password: String,
    /// Token; empty is none.
    pub token: String,
    /// The user of connections that name none; empty is none.
    pub no_auth_user: String,
    /// Take the user from the peer's certificate.
    pub tls_map: bool,
    /// The single user or token must come through a trusted proxy.
    pub proxy_required: bool,
    /// Connection types that some listener maps by certificate: users without a password who may
    /// use one of them can be had by certificate only.
    pub mapped_types: Vec<ConnectionType>,
}

/// What a peer says and shows about itself. Empty strings are absent fields of CONNECT.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// `user`
    pub user: &'a str,
    /// `pass`
    pub pass: &'a str,
    /// `auth_token`
    pub auth_token: &'a str,
    /// `nkey`
    pub nkey: &'a str,
    /// `sig`
    pub sig: &'a str,
    /// `proxy_sig`
    pub proxy_sig: &'a str,
    /// The nonce sent in INFO.
    pub nonce: &'a [u8],
    /// The certificate, if the peer showed one on TLS.
    pub peer: Option<&'a PeerCert>,
    /// How it came in.
    pub connection: ConnectionType,
}

impl Attempt<'_> {
    /// A peer that said nothing.
    pub fn anonymous(connection: ConnectionType) -> Self {
        Self {
            user: "",
            pass: "",
            auth_token: "",
            nkey: "",
            sig: "",
            proxy_sig: "",
            nonce: b"",
            peer: None,
            connection,
        }
    }

    fn names_nobody(&self) -> bool {
        self.user.is_empty() && self.pass.is_empty() && self.auth_token.is_empty()
    }
}

/// By what a connection is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Nothing; nothing was asked.
    Anonymous,
    /// The token.
    Token,
    /// A user name.
    User(String),
    /// A public nkey.
    Nkey(String),
}

/// Who a connection is and what it may do.
#[derive(Clone, Debug)]
pub struct Identity {
    /// By what it is known.
    pub who: Who,
    /// Its account; `None` is the global one.
    pub account: Option<String>,
    /// What it may do; `None` is everything.
    pub permissions: Option<Arc<Checker>>,
    /// Public key of the trusted proxy it came through.
    pub proxy: Option<String>,
    /// A user name in CONNECT that did not count, because the certificate does.
    pub ignored_user: Option<String>,
}

/// Why a connection is refused. `Display` is what may be shown to others than the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its credentials are not right.
    #[error("authentication error")]
    Credentials {
        /// What exactly; for the debug log only.
        detail: &'static str,
    },
    /// It has no credentials, or not the right ones.
    #[error("authentication error")]
    Unknown {
        /// What exactly; for nobody's log.
        detail: &'static str,
    },
    /// It claims to come through a proxy that is not trusted.
    #[error("proxy is not trusted")]
    ProxyNotTrusted,
    /// It must come through a trusted proxy.
    #[error("proxy connection required")]
    ProxyRequired,
}

impl Refusal {
    /// What exactly was wrong.
    pub fn detail(&self) -> String {
        match self {
            Self::Credentials { detail } | Self::Unknown { detail } => (*detail).to_owned(),
            other => other.to_string(),
        }
    }
}

fn refused(detail: &'static str) -> Refusal {
    Refusal::Credentials { detail }
}

fn unknown(detail: &'static str) -> Refusal {
    Refusal::Unknown { detail }
}

const UNKNOWN: &str = "Unknown user, token or nkey";
const WRONG: &str = "Wrong password or token";

/// What became of an attempt.
#[derive(Debug)]
pub enum Decision {
    /// It may come in.
    Accepted(Box<Identity>),
    /// It may not.
    Refused(Refusal),
    /// A hash decides.
    Hash(PendingHash),
}

/// A password check that takes long; run [`PendingHash::verify`] off the network threads.
#[derive(Clone)]
pub struct PendingHash {
    stored: String,
    given: String,
    identity: Box<Identity>,
}

impl std::fmt::Debug for PendingHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PendingHash({:?})", self.identity.who)
    }
}

impl PendingHash {
    /// Computes the hash.
    pub fn verify(self) -> Result<Box<Identity>, Refusal> {
        match password::verify(&self.stored, &self.given) {
            true => Ok(self.identity),
            false => Err(unknown(WRONG)),
        }
    }
}

/// Decides about the connections of one listener.
#[derive(Clone, Debug)]
pub struct Authenticator {
    directory: Arc<Directory>,
    policy: Policy,
}

/// A user or nkey that the attempt turned out to be about.
enum Claim<'a> {
    Nkey(&'a Account),
    User { user: &'a Account, by_cert: bool },
    Nobody,
}

impl Authenticator {
    /// The users of `directory` under `policy`.
    pub fn new(directory: Arc<Directory>, policy: Policy) -> Self {
        Self { directory, policy }
    }

    /// Whether INFO says `auth_required`.
    pub fn required(&self) -> bool {
        self.policy.required
    }

    /// See [`Directory::account_of`].
    pub fn account_of(&self, nkey: &str, user: &str) -> Option<Option<&str>> {
        self.directory.account_of(nkey, user)
    }

    /// Whether INFO carries a nonce.
    pub fn needs_nonce(&self) -> bool {
        self.directory.needs_nonce()
    }

    /// Decides about an attempt.
    pub fn check(&self, attempt: &Attempt<'_>) -> Decision {
        let proxy = match self.check_proxy(attempt) {
            Ok(proxy) => proxy,
            Err(refusal) => return Decision::Refused(refusal),
        };
        let decision = match self.check_credentials(attempt, proxy.is_some()) {
            Ok(decision) => decision,
            Err(refusal) => return Decision::Refused(refusal),
        };
        match decision {
            Decision::Accepted(mut identity) => {
                identity.proxy = proxy;
                Decision::Accepted(identity)
            }
            Decision::Hash(mut pending) => {
                pending.identity.proxy = proxy;
                Decision::Hash(pending)
            }
            refused @ Decision::Refused(_) => refused,
        }
    }

    /// The trusted proxy that signed the nonce, if the attempt came through one.
    fn check_proxy(&self, attempt: &Attempt<'_>) -> Result<Option<String>, Refusal> {
        if attempt.proxy_sig.is_empty() || self.directory.proxies.is_empty() {
            return Ok(None);
        }
        let signature = decode_signature(attempt.proxy_sig).ok_or(Refusal::ProxyNotTrusted)?;
        let signer =
            self.directory.proxies.iter().find(|p| p.verify(attempt.nonce, &signature).is_ok());
        signer.map(|p| Some(p.to_string())).ok_or(Refusal::ProxyNotTrusted)
    }

    fn check_credentials(&self, attempt: &Attempt<'_>, proxied: bool) -> Result<Decision, Refusal> {
        if !self.policy.required {
            let who = match attempt.user {
                "" => Who::Anonymous,
                user => Who::User(user.to_owned()),
            };
            return Ok(accept(simple_identity(who)));
        }
        let through = |required: bool| match required && !proxied {
            true => Err(Refusal::ProxyRequired),
            false => Ok(()),
        };
        match self.claim(attempt)? {
            Claim::Nkey(user) => {
                through(user.proxy_required)?;
                if user.name != self.policy.no_auth_user {
                    verify_nonce(&user.name, attempt)?;
                }
                Ok(accept(user.identity(Who::Nkey(user.name.clone()))))
            }
            Claim::User { user, by_cert } => {
                through(user.proxy_required)?;
                self.check_user(user, by_cert, attempt)
            }
            Claim::Nobody => {
                through(self.policy.proxy_required)?;
                self.check_simple(attempt)
            }
        }
    }

    /// Whom the attempt is about. That a user was not found or may not come in this way ends it.
    fn claim(&self, attempt: &Attempt<'_>) -> Result<Claim<'_>, Refusal> {
        let Directory { users, nkeys, .. } = &*self.directory;
        let default = self.policy.no_auth_user.as_str();
        let nkey = match attempt.nkey {
            "" if attempt.names_nobody() && nkeys.contains_key(default) => default,
            named => named,
        };
        if !nkeys.is_empty() && !nkey.is_empty() {
            return lookup(nkeys, nkey, attempt.connection).map(Claim::Nkey);
        }
        if users.is_empty() {
            return Ok(Claim::Nobody);
        }
        if self.policy.tls_map {
            let cert = attempt.peer.ok_or(refused("User required in cert, none presented"))?;
            let user = cert_map::find_user(&self.directory, cert, attempt.connection)
                .ok_or(refused("User in cert not found"))?;
            return Ok(Claim::User { user, by_cert: true });
        }
        let name = match attempt.user {
            "" if attempt.names_nobody() && users.contains_key(default) => default,
            "" => return Ok(Claim::Nobody),
            named => named,
        };
        let user = lookup(users, name, attempt.connection)?;
        Ok(Claim::User { user, by_cert: false })
    }

    fn check_user(
        &self,
        user: &Account,
        by_cert: bool,
        attempt: &Attempt<'_>,
    ) -> Result<Decision, Refusal> {
        let mut identity = user.identity(Who::User(user.name.clone()));
        let is_default = user.name == self.policy.no_auth_user;
        if is_default && attempt.names_nobody() {
            return Ok(accept(identity));
        }
        // Two empty passwords are equal; that must not open a door meant for certificates.
        let certificate_only =
            user.password.is_empty() && self.policy.mapped_types.iter().any(|t| user.allows(*t));
        if !by_cert && certificate_only && !is_default {
            return Err(refused("User requires a client certificate"));
        }
        if by_cert && !attempt.user.is_empty() {
            identity.ignored_user = Some(attempt.user.to_owned());
        }
        compare(&user.password, attempt.pass, identity)
    }

    /// The single user, or the token.
    fn check_simple(&self, attempt: &Attempt<'_>) -> Result<Decision, Refusal> {
        let policy = &self.policy;
        if !policy.token.is_empty() {
            return compare(&policy.token, attempt.auth_token, simple_identity(Who::Token));
        }
        if policy.username.is_empty() || policy.username != attempt.user {
            return Err(unknown(UNKNOWN));
        }
        let who = Who::User(policy.username.clone());
        compare(&policy.password, attempt.pass, simple_identity(who))
    }
}

/// The user of that name, if it may come in this way.
fn lookup<'a>(
    table: &'a HashMap<String, Account>,
    name: &str,
    connection: ConnectionType,
) -> Result<&'a Account, Refusal> {
    table.get(name).filter(|user| user.allows(connection)).ok_or(unknown(UNKNOWN))
}

fn simple_identity(who: Who) -> Identity {
    Identity { who, account: None, permissions: None, proxy: None, ignored_user: None }
}

fn accept(identity: Identity) -> Decision {
    Decision::Accepted(Box::new(identity))
}

fn compare(stored: &str, given: &str, identity: Identity) -> Result<Decision, Refusal> {
    if password::needs_hashing(stored) {
        return Ok(Decision::Hash(PendingHash {
            stored: stored.to_owned(),
            given: given.to_owned(),
            identity: Box::new(identity),
        }));
    }
    if password::verify(stored, given) { Ok(accept(identity)) } else { Err(unknown(WRONG)) }
}

fn verify_nonce(nkey: &str, attempt: &Attempt<'_>) -> Result<(), Refusal> {
    if attempt.sig.is_empty() {
        return Err(refused("Signature missing"));
    }
    let signature = decode_signature(attempt.sig).ok_or(refused("Signature not valid base64"))?;
    let key = PublicKey::parse(nkey).map_err(|_| refused("User nkey not valid"))?;
    match key.verify(attempt.nonce, &signature) {
        Ok(()) => Ok(()),
        Err(NkeyError::Key) => Err(refused("User nkey not valid")),
        Err(_) => Err(refused("Signature not verified")),
    }
}

/// Whether `text` is a public key that a user can have.
pub fn is_user_nkey(text: &str) -> bool {
    PublicKey::parse_kind(text, Kind::User).is_ok()
}

#[cfg(test)]
#[path = "authenticator_tests.rs"]
mod tests;
