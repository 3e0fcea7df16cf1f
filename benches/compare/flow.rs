//! Publishers and subscribers running against a server: one to one, fan-out, queue groups.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use crate::Result;
use crate::conn::{PATIENCE, Target};
use crate::crowd;
use crate::frames::{Inbox, Track};
use crate::publish::{self, Published, visit};
use crate::subscribe::{self, Shared, Subscriber};

/// Subjects in [`Topics::Million`].
pub const MILLION: u64 = 1_000_000;
/// Their pattern of subscriptions repeats after so many messages...
const PERIOD: u64 = 20;
/// ...of which so many are delivered.
const HEARD: u64 = 11;
const MIXED: u64 = 16;

/// What is published to and who listens.
#[derive(Clone, Debug)]
pub enum Topics {
    /// One subject, for all publishers and all subscribers.
    One(String),
    /// Published to the first, mapped by the server, received on the second.
    Mapped(String, String),
    /// 16 subjects in turn; half of the subscribers listen by a wildcard, half to each of them.
    Mixed,
    /// A million subjects `ddd.dd.d.load` in no order, and 100,000 subscriptions spread evenly over
    /// the subscribers: where `ddddd` is even a wildcard stands for the last digit, where it is
    /// odd only the digit 0 is subscribed to.
    Million,
    /// One subject whose subscribers are a queue group.
    Queue,
}

impl Topics {
    /// The subject of a publisher's message; always of the same length.
    pub fn subject(&self, sequence: u64) -> String {
        match self {
            Topics::One(subject) | Topics::Mapped(subject, _) => subject.clone(),
            // Seven is coprime to 16: each of them comes once in a turn.
            Topics::Mixed => format!("load.mixed.{:02}", sequence * 7 % MIXED),
            Topics::Million => address(sequence).escape_ascii().to_string() + ".load",
            Topics::Queue => "load.queue".into(),
        }
    }

    /// After how many messages the subjects repeat, as far as a batch must know.
    pub fn turn(&self) -> usize {
        if matches!(self, Topics::Mixed) { MIXED as usize } else { 1 }
    }

    /// Deliveries due for the first `sent` messages of a publisher.
    pub fn deliveries_before(&self, sent: u64, subscribers: usize) -> u64 {
        match self {
            Topics::Queue => sent,
            Topics::Million => {
                let rest = (sent - sent % PERIOD..sent).filter(|n| heard(*n)).count() as u64;
                sent / PERIOD * HEARD + rest
            }
            _ => sent * subscribers as u64,
        }
    }

    /// Deliveries due for one message.
    fn deliveries(&self, sequence: u64, subscribers: usize) -> u64 {
        match self {
            Topics::Queue => 1,
            Topics::Million => u64::from(heard(sequence)),
            _ => subscribers as u64,
        }
    }

    /// The SUB lines of one subscriber.
    fn subscriptions(&self, subscriber: usize, subscribers: usize) -> String {
        match self {
            Topics::One(subject) | Topics::Mapped(_, subject) => format!("SUB {subject} 1\r\n"),
            Topics::Queue => "SUB load.queue workers 1\r\n".into(),
            Topics::Mixed if subscriber.is_multiple_of(2) => "SUB load.mixed.* 1\r\n".into(),
            Topics::Mixed => {
                (0..MIXED).map(|n| format!("SUB {} {}\r\n", self.subject(n), n + 1)).collect()
            }
            Topics::Million => (0..MILLION / 10)
                .filter(|n| *n as usize % subscribers == subscriber)
                .map(|n| {
                    let last = if n % 2 == 0 { '*' } else { '0' };
                    format!("SUB {:03}.{:02}.{last}.load {}\r\n", n / 100, n % 100, n + 1)
                })
                .collect(),
        }
    }
}

/// Whether someone listens to the subject of this message in [`Topics::Million`].
fn heard(sequence: u64) -> bool {
    let number = visit(sequence);
    (number / 10).is_multiple_of(2) || number.is_multiple_of(10)
}

/// The digits with which the subject of a message in [`Topics::Million`] begins: `ddd.dd.d`.
pub fn address(sequence: u64) -> [u8; 8] {
    let mut number = visit(sequence);
    let mut digits = *b"000.00.0";
    for at in [7, 5, 4, 2, 1, 0] {
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    digits
}

/// The shape of a flow.
#[derive(Clone, Debug)]
pub struct Plan {
    pub publishers: usize,
    /// With 0 the messages are published and nobody listens.
    pub subscribers: usize,
    /// Bytes of payload.
    pub size: usize,
    pub topics: Topics,
}

/// A flow that is running.
pub struct Flow {
    plan: Plan,
    shared: Arc<Shared>,
    publishers: Vec<JoinHandle<Result<Published>>>,
    reader: Option<JoinHandle<Result<Vec<Subscriber>>>>,
}

impl Flow {
    /// Subscribes, then starts to publish.
    pub fn start(target: &Target, plan: &Plan) -> Result<Flow> {
        let shared = Shared::new(plan.publishers);
        let reader = if plan.subscribers > 0 {
            Some(subscribe::start(subscribers(target, plan)?, shared.clone()))
        } else {
            None
        };
        let mut publishers = Vec::new();
        for publisher in 0..plan.publishers {
            let conn = target.connect()?;
            publishers.push(if plan.subscribers == 0 {
                publish::start_unheard(conn, plan.size, shared.clone())
            } else {
                let (topics, fan_out) = (&plan.topics, plan.subscribers);
                publish::start(conn, topics, plan.size, publisher, fan_out, shared.clone())
            });
        }
        Ok(Flow { plan: plan.clone(), shared, publishers, reader })
    }

    /// Deliveries so far; over the million subjects, where many messages reach nobody, messages.
    pub fn count(&self) -> u64 {
        let arrived = self.shared.arrived();
        if matches!(self.plan.topics, Topics::Million) { arrived * PERIOD / HEARD } else { arrived }
    }

    /// Stops publishing, waits for what is under way, and fails unless exactly what was published
    /// has arrived.
    pub fn finish(self) -> Result<()> {
        self.shared.stop.store(true, SeqCst);
        let mut published = Vec::new();
        let mut failures = Vec::new();
        for publisher in self.publishers {
            match join(publisher) {
                Ok(one) => published.push(one),
                Err(why) => failures.push(why),
            }
        }
        let sent: Vec<u64> = published.iter().map(|one| one.sent).collect();
        let Some(reader) = self.reader else {
            return failures.pop().map_or(Ok(()), Err);
        };
        let fan_out = self.plan.subscribers;
        let due = sent.iter().map(|n| self.plan.topics.deliveries_before(*n, fan_out)).sum();
        let deadline = Instant::now() + PATIENCE;
        while self.shared.arrived() < due && !reader.is_finished() && Instant::now() < deadline {
            sleep(Duration::from_millis(2));
        }
        sleep(Duration::from_millis(20)); // Time for a duplicate of the last one to show up.
        self.shared.done.store(true, SeqCst);
        let read = join(reader)?;
        if let Some(why) = failures.pop() {
            return Err(why);
        }
        verify(&self.plan, &sent, &read)
    }
}

fn join<T>(thread: JoinHandle<Result<T>>) -> Result<T> {
    thread.join().map_err(|_| "a thread of the generator panicked".to_owned())?
}

fn subscribers(target: &Target, plan: &Plan) -> Result<Vec<Subscriber>> {
    let count = plan.subscribers;
    let mut ready = Vec::with_capacity(count);
    for (subscriber, mut conn) in crowd::connect(target, count)?.into_iter().enumerate() {
        conn.send(plan.topics.subscriptions(subscriber, count).as_bytes())?;
        ready.push(Subscriber { conn, inbox: Inbox::new(plan.publishers) });
    }
    for subscriber in &mut ready {
        subscriber.conn.sync()?;
    }
    Ok(ready)
}

/// Compares what arrived with what was sent. Each subscriber has already seen rising sequence
/// numbers only; with the right count and sum of squares there are no gaps and no strangers.
fn verify(plan: &Plan, sent: &[u64], read: &[Subscriber]) -> Result<()> {
    for (publisher, sent) in sent.iter().enumerate() {
        let (mut due, mut got) = (Track::default(), Track::default());
        for sequence in 0..*sent {
            let times = plan.topics.deliveries(sequence, plan.subscribers);
            due.count += times;
            let square = sequence.wrapping_mul(sequence);
            due.squares = due.squares.wrapping_add(square.wrapping_mul(times));
        }
        for subscriber in read {
            let track = subscriber.inbox.tracks[publisher];
            got.count += track.count;
            got.squares = got.squares.wrapping_add(track.squares);
        }
        if (due.count, due.squares) != (got.count, got.squares) {
            return Err(format!(
                "of publisher {publisher} {} deliveries were due and {} came{}",
                due.count,
                got.count,
                if due.count == got.count { ", some twice and some not at all" } else { "" }
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_million_messages_visit_a_million_subjects() {
        let subjects: HashSet<[u8; 8]> = (0..MILLION).map(address).collect();
        assert_eq!(subjects.len() as u64, MILLION);
    }

    #[test]
    fn the_subscriptions_match_the_deliveries_due() {
        let subscribed: HashSet<String> = (0..10)
            .flat_map(|s| {
                let lines = Topics::Million.subscriptions(s, 10);
                let subject = |line: &str| line.split(' ').nth(1).map(str::to_owned);
                lines.lines().filter_map(subject).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(subscribed.len(), 100_000);
        let mut due = 0;
        for sequence in 0..5_000 {
            assert_eq!(Topics::Million.deliveries_before(sequence, 10), due);
            let subject = Topics::Million.subject(sequence);
            let wild = format!("{}*{}", &subject[..7], &subject[8..]);
            let listened = subscribed.contains(&subject) || subscribed.contains(&wild);
            assert_eq!(Topics::Million.deliveries(sequence, 10), u64::from(listened));
            due += u64::from(listened);
        }
    }
}
