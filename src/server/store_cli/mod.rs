//! `nats-server store`: looks into store directories while no server runs on them, and makes new
//! ones. Never writes to one that is there.

mod check;
mod dump;
mod find;
mod load;
mod report;
#[cfg(test)]
mod tests;

use crate::base::Env;
use crate::config::Secret;
use crate::config::jetstream::StoreCipher;
use crate::store::file::crypt::KeyRing;
use std::io::{BufRead, Write};

/// What `nats-server store` alone prints.
const USAGE: &str = "\
Usage: nats-server store check DIR [--json] [--config FILE]
       nats-server store dump STREAM_DIR [--from SEQ] [--to SEQ] [--subject FILTER]
                              [--salvage] [--config FILE]
       nats-server store load STREAM_DIR --stream CONFIG.json [--last SEQ] [--config FILE]

check  Verifies every record and says what is there, what is damaged, and what recovery would
       do about it. DIR is a configured store_dir, the jetstream folder in it, an account's,
       a stream's or a consumer's folder.
       Exits with 0 if all is sound, 1 if there is damage, 2 if DIR is no store or not readable.
dump   Prints the messages of a stream, one line of JSON each: seq, subject, time, hdrs, data
       (the last two in base64). With --salvage it reads past damage.
load   Makes STREAM_DIR, which must not exist, from such lines on standard input. CONFIG.json is
       the stream's configuration, as \"config\" in the output of check --json; its name must be
       the folder's. Sequences and times are kept, missing sequences are deleted ones; with
       --last the sequences up to SEQ count as used. Limits of the configuration are not looked
       at: the server applies them when it starts. Exits with 2, and nothing is left, when a
       line is no message.

Encrypted stores: --config FILE reads keys and cipher from the server's configuration; else
NATS_STORE_KEY, NATS_STORE_OLD_KEY and NATS_STORE_CIPHER (chacha or aes) are used. The account's
name is part of every key: STREAM_DIR is then .../ACCOUNT/streams/NAME.

Run it while no server uses the store.
";

/// All is sound.
const SOUND: u8 = 0;
/// There is damage.
const DAMAGED: u8 = 1;
/// No store, or not readable, or a wrong command line.
const UNREADABLE: u8 = 2;

/// Runs the command. `args` begin after `store`; messages come from `input`, results go to `out`,
/// everything else to standard error. Returns the exit status.
pub(super) fn run(env: &Env, args: &[String], input: &mut dyn BufRead, out: &mut dyn Write) -> u8 {
    let outcome = match args.split_first() {
        Some((verb, rest)) if verb == "check" => {
            Args::parse(rest, &["json"], &["config"]).and_then(|args| check::run(env, &args, out))
        }
        Some((verb, rest)) if verb == "dump" => {
            let values = ["config", "from", "to", "subject"];
            Args::parse(rest, &["salvage"], &values).and_then(|args| dump::run(env, &args, out))
        }
        Some((verb, rest)) if verb == "load" => {
            let values = ["config", "stream", "last"];
            Args::parse(rest, &[], &values).and_then(|args| load::run(env, &args, input))
        }
        Some((verb, _)) if ["help", "-h", "-help", "--help"].contains(&&verb[..]) => {
            return if out.write_all(USAGE.as_bytes()).is_ok() { SOUND } else { UNREADABLE };
        }
        Some((verb, _)) => Err(format!("unknown command: store {verb}\n\n{USAGE}")),
        None => Err(USAGE.to_owned()),
    };
    outcome.unwrap_or_else(|problem| {
        env.print_error(&format!("nats-server: {problem}\n"));
        UNREADABLE
    })
}

/// A folder and flags, which may come in any order, with one or two dashes.
#[derive(Debug)]
struct Args {
    dir: String,
    flags: Vec<(String, String)>,
}

impl Args {
    fn parse(args: &[String], switches: &[&str], values: &[&str]) -> Result<Self, String> {
        let (mut dir, mut flags) = (None, Vec::new());
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let Some(flag) = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')) else {
                if dir.replace(arg.clone()).is_some() {
                    return Err(format!("one folder at a time, please: {arg}"));
                }
                continue;
            };
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (flag, None),
            };
            let value = if switches.contains(&name) && value.is_none() {
                String::new()
            } else if values.contains(&name) {
                let value = value.or_else(|| args.next().cloned());
                value.ok_or_else(|| format!("flag needs an argument: --{name}"))?
            } else {
                return Err(format!("flag not understood here: {arg}\n\n{USAGE}"));
            };
            flags.push((name.to_owned(), value));
        }
        let dir = dir.ok_or_else(|| format!("which folder?\n\n{USAGE}"))?;
        Ok(Self { dir, flags })
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.flags.iter().rev().find(|(known, _)| known == name).map(|(_, value)| &value[..])
    }

    fn is_set(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    fn seq(&self, name: &str) -> Result<Option<u64>, String> {
        let parse = |text: &str| text.parse().map_err(|_| format!("--{name}: no sequence: {text}"));
        self.value(name).map(parse).transpose()
    }
}

/// The keys of encrypted stores.
struct Keys {
    key: Secret,
    previous: Secret,
    cipher: StoreCipher,
}

impl Keys {
    fn load(env: &Env, args: &Args) -> Result<Self, String> {
        if let Some(file) = args.value("config") {
            let (options, _) = crate::config::load(env, file).map_err(|e| e.to_string())?;
            let js = options.jetstream;
            let cipher = js.cipher.unwrap_or_default();
            return Ok(Self { key: js.key, previous: js.old_key, cipher });
        }
        let secret = |name| Secret::from(env.var(name).unwrap_or_default());
        let cipher = match env.var("NATS_STORE_CIPHER").as_deref() {
            None | Some("" | "chacha") => StoreCipher::ChaCha,
            Some("aes") => StoreCipher::Aes,
            Some(other) => return Err(format!("NATS_STORE_CIPHER: chacha or aes, not {other}")),
        };
        Ok(Self { key: secret("NATS_STORE_KEY"), previous: secret("NATS_STORE_OLD_KEY"), cipher })
    }

    fn ring(&self, account: &str) -> Option<KeyRing> {
        KeyRing::new(account, &self.key, &self.previous, self.cipher)
    }
}
