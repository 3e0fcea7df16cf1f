//! What one run of one server yields.

use serde::{Deserialize, Serialize};

/// One of the servers that alternate within a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    Ours,
    Upstream,
    /// Upstream once more: its ratio to [`Lane::Upstream`] shows the noise.
    Control,
    /// Ours without the features that the scenario configures.
    OursPlain,
}

impl Lane {
    pub fn name(self) -> &'static str {
        match self {
            Lane::Ours => "ours",
            Lane::Upstream => "upstream",
            Lane::Control => "control",
            Lane::OursPlain => "ours-plain",
        }
    }
}

/// CPU time in seconds. The kernel counts `total` exactly and samples the split.
#[derive(Clone, Copy, Default, Debug, Deserialize, Serialize)]
pub struct Cpu {
    pub user: f64,
    pub system: f64,
    pub total: f64,
}

/// The result of one run. `messages` counts deliveries (or what the row says: requests,
/// connections, subscriptions).
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sample {
    /// Name of the row in the table; a scenario may have several.
    pub row: &'static str,
    pub messages: f64,
    pub seconds: f64,
    pub cpu: Cpu,
    /// System calls per message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syscalls: Option<f64>,
    /// Round trips in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_us: Option<f64>,
    /// Greatest resident memory of the server so far.
    pub rss_peak_bytes: u64,
    /// Resident memory that each connection or subscription added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_each: Option<f64>,
}

impl Sample {
    pub fn throughput(&self) -> f64 {
        self.messages / self.seconds
    }

    /// Seconds of CPU per million messages.
    pub fn per_million(&self, cpu_seconds: f64) -> f64 {
        cpu_seconds / self.messages * 1e6
    }
}
