//! The scenarios, and how one of them is run against one server.

use std::sync::atomic::AtomicBool;

use crate::Result;
use crate::args::Args;
use crate::crowd;
use crate::flow::{Flow, Plan, Topics};
use crate::measure;
use crate::request::{Requests, percentile};
use crate::sample::{Lane, Sample};
use crate::server::Server;
use crate::settings::Settings;

/// One load under one configuration.
pub struct Scenario {
    pub name: &'static str,
    pub title: &'static str,
    /// Counts in the geometric means.
    pub core: bool,
    pub settings: Settings,
    load: Load,
}

#[derive(Clone)]
enum Load {
    Flow(Plan),
    /// Requests, perhaps beside a flow.
    Requests {
        in_flight: usize,
        beside: Option<Plan>,
    },
    Idle {
        connections: usize,
    },
    Subscriptions {
        rows: [&'static str; 2],
        count: usize,
    },
}

impl Scenario {
    /// The servers that alternate in a round.
    pub fn lanes(&self, args: &Args) -> Vec<Lane> {
        let mut lanes = vec![Lane::Ours, Lane::Upstream];
        if matches!(self.settings, Settings::Permissions | Settings::Mappings | Settings::Users) {
            lanes.push(Lane::OursPlain);
        }
        if args.control {
            lanes.push(Lane::Control);
        }
        lanes
    }

    /// The names of the table's rows that this scenario fills.
    pub fn rows(&self) -> Vec<&'static str> {
        match &self.load {
            Load::Subscriptions { rows, .. } => rows.to_vec(),
            _ => vec![self.name],
        }
    }

    /// Runs the load once, against a fresh server.
    pub fn run(&self, args: &Args, lane: Lane) -> Result<Vec<Sample>> {
        let settings = if lane == Lane::OursPlain { Settings::Plain } else { self.settings };
        let server = Server::start(args.binary(lane), settings)?;
        let load =
            if lane == Lane::OursPlain { self.load.unconfigured() } else { self.load.clone() };
        self.drive(args, &server, &load).map_err(|why| format!("{why}\n{}", server.log()))
    }

    fn drive(&self, args: &Args, server: &Server, load: &Load) -> Result<Vec<Sample>> {
        match load {
            Load::Flow(plan) => {
                let flow = Flow::start(&server.target, plan)?;
                let sample = self.window(args, server, &AtomicBool::default(), || flow.count());
                flow.finish()?; // Its failure tells more than the window's.
                Ok(vec![sample?])
            }
            Load::Requests { in_flight, beside } => {
                let flow = beside.as_ref().map(|plan| Flow::start(&server.target, plan));
                let flow = flow.transpose()?;
                let requests = Requests::start(&server.target, *in_flight)?;
                let count = || flow.as_ref().map_or_else(|| requests.count(), Flow::count);
                let sample = self.window(args, server, requests.recording(), count);
                let times = requests.finish();
                flow.map_or(Ok(()), Flow::finish)?;
                let (times, mut sample) = (times?, sample?);
                sample.p50_us = percentile(&times, 0.5);
                sample.p99_us = percentile(&times, 0.99);
                Ok(vec![sample])
            }
            Load::Idle { connections } => crowd::idle(server, self.name, *connections),
            Load::Subscriptions { rows, count } => crowd::subscriptions(server, *rows, *count),
        }
    }

    fn window(
        &self,
        args: &Args,
        server: &Server,
        open: &AtomicBool,
        count: impl Fn() -> u64,
    ) -> Result<Sample> {
        measure::window(server.pid(), self.name, args.seconds, args.syscalls, open, count)
    }
}

impl Load {
    /// The same load for a server that maps nothing.
    fn unconfigured(&self) -> Load {
        let mut load = self.clone();
        if let Load::Flow(plan) = &mut load
            && matches!(plan.topics, Topics::Mapped(..))
        {
            plan.topics = one();
        }
        load
    }
}

fn flow(publishers: usize, subscribers: usize, size: usize, topics: Topics) -> Load {
    Load::Flow(Plan { publishers, subscribers, size, topics })
}

fn one() -> Topics {
    Topics::One("load.one".into())
}

fn requests(in_flight: usize) -> Load {
    Load::Requests { in_flight, beside: None }
}

/// All scenarios in the order of the table.
pub fn all() -> Vec<Scenario> {
    // (in the geometric means, name, title, load)
    let plain = [
        (false, "publish-128", "publish only, 128 B", flow(1, 0, 128, one())),
        (true, "1x1-16", "1x1, 16 B", flow(1, 1, 16, one())),
        (true, "1x1-128", "1x1, 128 B", flow(1, 1, 128, one())),
        (true, "1x1-1k", "1x1, 1 KiB", flow(1, 1, 1024, one())),
        (true, "1x1-16k", "1x1, 16 KiB", flow(1, 1, 16 * 1024, one())),
        (false, "4x4-16", "4x4, 16 B", flow(4, 4, 16, one())),
        (true, "4x4-128", "4x4, 128 B", flow(4, 4, 128, one())),
        (false, "4x4-1k", "4x4, 1 KiB", flow(4, 4, 1024, one())),
        (true, "4x4-16k", "4x4, 16 KiB", flow(4, 4, 16 * 1024, one())),
        (true, "fan-10", "fan-out 10, 128 B", flow(1, 10, 128, one())),
        (true, "fan-100", "fan-out 100, 128 B", flow(1, 100, 128, one())),
        (true, "fan-1000", "fan-out 1000, 128 B", flow(1, 1000, 128, one())),
        (false, "fan-10000", "publish to 10,000 connections, 128 B", flow(1, 10_000, 128, one())),
        (
            true,
            "fan-100-mixed",
            "fan-out 100 over 16 subjects, half by wildcard, 128 B",
            flow(1, 100, 128, Topics::Mixed),
        ),
        (true, "queue-8", "queue group of 8, 128 B", flow(1, 8, 128, Topics::Queue)),
        (true, "request-1", "request/reply, 1 in flight, 128 B", requests(1)),
        (true, "request-64", "request/reply, 64 in flight, 128 B", requests(64)),
        (
            false,
            "request-1-flood",
            "request/reply, 1 in flight, beside a 4x4 flood of 1 KiB",
            Load::Requests {
                in_flight: 1,
                beside: Some(Plan { publishers: 4, subscribers: 4, size: 1024, topics: one() }),
            },
        ),
        (
            true,
            "million",
            "1M subjects, 100k subscriptions on 10 connections, 128 B",
            flow(1, 10, 128, Topics::Million),
        ),
        (
            false,
            "subscriptions",
            "1M subscriptions on 10 connections, added and removed",
            Load::Subscriptions { rows: ["subs-add-1m", "subs-remove-1m"], count: 1_000_000 },
        ),
        (false, "connect-10k", "10,000 idle connections", Load::Idle { connections: 10_000 }),
    ];
    let mapped = Topics::Mapped("old.50".into(), "new.50".into());
    let configured = [
        ("tls-1x1-128", "1x1 over TLS, 128 B", Settings::Tls, one()),
        ("permissions", "1x1, users with permissions, 128 B", Settings::Permissions, one()),
        ("mappings", "1x1, 100 mappings, an unmapped subject, 128 B", Settings::Mappings, one()),
        ("mapped", "1x1, 100 mappings, a mapped subject, 128 B", Settings::Mappings, mapped),
        ("users-1000", "1x1, 1,000 users, 128 B", Settings::Users, one()),
    ];
    let plain = plain.into_iter().map(|(core, name, title, load)| Scenario {
        name,
        title,
        core,
        settings: Settings::Plain,
        load,
    });
    let configured = configured.into_iter().map(|(name, title, settings, topics)| Scenario {
        name,
        title,
        core: false,
        settings,
        load: flow(1, 1, 128, topics),
    });
    plain.chain(configured).collect()
}
