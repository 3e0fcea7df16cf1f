//! Protocol trace lines.

use super::Client;
use crate::wire::parser::quote;

impl Client {
    /// One traced operation; `arrow` ends in a space.
    pub(super) fn trace_line(&self, arrow: &str, line: &[u8]) {
        use crate::broker::endpoint::Owner;
        let (arrow, text) = (arrow.trim_end_matches(' '), String::from_utf8_lossy(line));
        self.ctx.hub.log.trace(format_args!("{} - {arrow} [{text}]", self.label()));
    }

    /// An operation that came in, its verb and arguments.
    pub(super) fn trace_in(&self, verb: &str, args: &[u8]) {
        self.trace_op("<<-", verb, args);
    }

    /// An operation that goes out.
    pub(super) fn trace_out(&self, verb: &str, args: &[u8]) {
        self.trace_op("->>", verb, args);
    }

    /// An operation, after the arrow that says where it goes.
    pub(super) fn trace_op(&self, arrow: &str, verb: &str, args: &[u8]) {
        let mut line = verb.as_bytes().to_vec();
        if !args.is_empty() {
            line.push(b' ');
            line.extend_from_slice(args);
        }
        self.trace_line(arrow, &line);
    }

    /// A payload, with its CRLF.
    pub(super) fn trace_payload(&self, arrow: &str, payload: &[u8], header_len: usize) {
        use crate::broker::endpoint::Owner;
        let settings = self.ctx.settings.load();
        let (mut shown, mut end) = (payload, 2);
        if settings.options.trace_headers {
            if header_len == 0 || header_len > payload.len() {
                return;
            }
            (shown, end) = (&payload[..header_len], 4);
        }
        let Some(len) = shown.len().checked_sub(end).filter(|len| *len > 0) else { return };
        let max = usize::try_from(settings.options.max_traced_msg_len).unwrap_or(0);
        let text = if max > 0 && len > max {
            let cut = quote(&shown[..max]);
            format!("\"{}...\"", &cut[1..cut.len() - 1])
        } else {
            quote(&shown[..len])
        };
        let label = self.label();
        self.ctx.hub.log.trace(format_args!("{label} - {arrow} MSG_PAYLOAD: [{text}]"));
    }
}
