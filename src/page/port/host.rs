//! The engine's side of the port: takes commands, runs slices, gives replies. The same in a worker and on the page.
//!
//! It knows no browser: frames come in as bytes, and the clock is given to it.

use super::frame::{BadFrame, CHUNK_BYTES, CREDITS, Chunk, Command, MAX_COMMAND, PROTOCOL, Reason, Reply, Why};
use super::frame::{decode, encode};
use crate::sim::inspect;
use crate::sim::link::Link;
use crate::sim::scenario::ENGINE;
use crate::sim::timelines::{BranchId, Stop, Timelines, Until};
use crate::sim::trace::{Effect, EffectId};
use std::collections::BTreeMap;

/// Steps of the world between two looks at the clock.
const STEPS: u32 = 16;

/// What is being run, for whom, how far.
struct Goal {
    request: u32,
    branch: BranchId,
    until: Until,
    slice_ms: u16,
    reached: Option<Reason>,
}

/// One engine.
#[derive(Default)]
pub struct Host {
    timelines: Option<Timelines>,
    test: bool,
    /// Effects sent per branch.
    sent: BTreeMap<u16, u32>,
    chunks: u32,
    unacknowledged: u32,
    goal: Option<Goal>,
}

type Answer = Result<Option<Reply>, Why>;

impl Host {
    /// The frame that an engine sends first.
    pub fn hello() -> Vec<u8> {
        encode(0, &Reply::Hello { engine: ENGINE.into(), protocol: PROTOCOL })
    }

    /// Takes a command; `now` counts milliseconds. The replies that are ready at once.
    pub fn take(&mut self, frame: &[u8], now: &dyn Fn() -> f64) -> Vec<Vec<u8>> {
        let (request, answer) = match decode::<Command>(frame, MAX_COMMAND) {
            Ok((request, command)) => (request, self.obey(request, command, now)),
            Err(bad) => (if let BadFrame::Content(request) = bad { request } else { 0 }, Err(Why::BadFrame(bad))),
        };
        let reply = answer.unwrap_or_else(|why| Some(Reply::Refused { why }));
        reply.iter().map(|reply| encode(request, reply)).collect()
    }

    fn obey(&mut self, request: u32, command: Command, now: &dyn Fn() -> f64) -> Answer {
        match command {
            Command::Open { link, until, slice_ms } => self.open(request, &link, until, slice_ms).map(Some),
            Command::Continue { branch, until, slice_ms } => {
                self.known(branch)?;
                let goal = Goal { request, branch, until, slice_ms, reached: None };
                let before = self.goal.replace(goal);
                Ok(before.and_then(|goal| self.stopped(goal.branch, Reason::Halted)))
            }
            Command::Halt => {
                let goal = self.goal.take();
                Ok(goal.and_then(|goal| self.stopped(goal.branch, Reason::Halted)))
            }
            Command::Ack { .. } => {
                self.unacknowledged = self.unacknowledged.saturating_sub(1);
                Ok(None)
            }
            Command::Fork { branch, what } => {
                self.known(branch)?;
                let timelines = self.timelines.as_mut().ok_or(Why::NoRun)?;
                let id = timelines.fork(branch, what).map_err(|e| Why::Intervention(e.to_string()))?;
                let made = timelines.branches().iter().find(|b| b.id == id).ok_or(Why::NoBranch(id.0))?;
                let shared = timelines.trace(id).len().min(self.sent.get(&branch.0).copied().unwrap_or(0));
                self.sent.insert(id.0, shared);
                let (name, interventions) = (made.name.clone(), made.interventions.clone());
                Ok(Some(Reply::Forked { branch: id, parent: branch, shared, name, interventions }))
            }
            Command::Discard { branch } => {
                self.known(branch)?;
                self.timelines.as_mut().ok_or(Why::NoRun)?.discard(branch);
                self.sent.remove(&branch.0);
                self.goal = self.goal.take().filter(|goal| goal.branch != branch);
                Ok(Some(Reply::Discarded { branch }))
            }
            Command::Inspect { branch, item } => {
                let world = self.known(branch)?.world(branch);
                Ok(Some(Reply::Item(inspect::inspect(world, item).ok_or(Why::NoItem)?)))
            }
            Command::Reverify { branch, item } => {
                let world = self.known(branch)?.world(branch);
                let before = now();
                let equations = inspect::reverify(world, item);
                let measured_us = ((now() - before) * 1000.0) as u32;
                if equations.is_empty() {
                    Err(Why::NoCheck)
                } else {
                    Ok(Some(Reply::Reverified { equations, measured_us }))
                }
            }
            Command::Waiting { branch, at } => {
                self.known(branch)?;
                let timelines = self.timelines.as_mut().ok_or(Why::NoRun)?;
                Ok(Some(Reply::Waiting { list: timelines.waiting_at(branch, at) }))
            }
            Command::Panic if self.test => panic!("a test asked for this"),
            Command::Panic => Err(Why::NotATest),
        }
    }

    fn open(&mut self, request: u32, link: &str, until: Until, slice_ms: u16) -> Result<Reply, Why> {
        let link = Link::parse(link).map_err(|e| Why::Link(e.to_string()))?;
        let (scenario, interventions) = link.resolve().map_err(Why::Link)?;
        let info = crate::sim::export::info(&scenario, &link.scenario);
        let timelines = Timelines::open(scenario, interventions).map_err(|e| Why::Link(e.to_string()))?;
        let branch = BranchId(0);
        let goal = Some(Goal { request, branch, until, slice_ms, reached: None });
        *self = Host { timelines: Some(timelines), test: link.test, goal, ..Host::default() };
        Ok(Reply::Opened { info })
    }

    fn known(&self, branch: BranchId) -> Result<&Timelines, Why> {
        let timelines = self.timelines.as_ref().ok_or(Why::NoRun)?;
        if timelines.contains(branch) { Ok(timelines) } else { Err(Why::NoBranch(branch.0)) }
    }

    fn stopped(&self, branch: BranchId, reason: Reason) -> Option<Reply> {
        let trace = self.known(branch).ok()?.trace(branch);
        let time = trace.effects().last().map_or_else(Default::default, |e| e.t);
        Some(Reply::Stopped { branch, reason, events: trace.len(), time, digest: trace.digest() })
    }

    /// Whether a slice would do anything before the next command comes.
    pub fn busy(&self) -> bool {
        self.goal.is_some() && self.unacknowledged < CREDITS
    }

    /// Runs on for one slice and sends what there is credit for.
    pub fn slice(&mut self, now: &dyn Fn() -> f64) -> Vec<Vec<u8>> {
        let (Some(goal), Some(timelines)) = (self.goal.as_mut(), self.timelines.as_mut()) else { return vec![] };
        let began = now();
        while goal.reached.is_none() {
            goal.reached = match timelines.run(goal.branch, goal.until, STEPS) {
                Stop::More => None,
                Stop::Reached => Some(Reason::Reached),
                Stop::End => Some(Reason::Quiet),
                Stop::Limit => Some(Reason::Limit),
                Stop::Violation { effect, id, .. } => Some(Reason::Violation { invariant: id, effect }),
            };
            if now() - began >= f64::from(goal.slice_ms) {
                break;
            }
        }
        let (request, branch) = (goal.request, goal.branch);
        let mut frames = Vec::new();
        while self.unacknowledged < CREDITS
            && let Some(chunk) = self.next_chunk(branch)
        {
            frames.push(encode(request, &Reply::Chunk(chunk)));
        }
        let all =
            self.known(branch).is_ok_and(|t| t.trace(branch).len() == self.sent.get(&branch.0).copied().unwrap_or(0));
        if all && let Some(reason) = self.goal.as_ref().and_then(|goal| goal.reached.clone()) {
            self.goal = None;
            frames.extend(self.stopped(branch, reason).map(|reply| encode(request, &reply)));
        }
        frames
    }

    /// The next unsent effects of a branch, if there are any.
    fn next_chunk(&mut self, branch: BranchId) -> Option<Chunk> {
        let trace = self.timelines.as_ref()?.trace(branch);
        let first = self.sent.get(&branch.0).copied().unwrap_or(0);
        let mut bytes = 0;
        let mut effects = Vec::new();
        for effect in &trace.effects()[first as usize..] {
            bytes += size(effect);
            effects.push(effect.clone());
            if bytes >= CHUNK_BYTES {
                break;
            }
        }
        let end = first + effects.len() as u32;
        if end == first {
            return None;
        }
        let chunk = Chunk { branch, chunk: self.chunks, first: EffectId(first), effects, digest: trace.digest_at(end) };
        self.sent.insert(branch.0, end);
        self.chunks += 1;
        self.unacknowledged += 1;
        Some(chunk)
    }
}

/// Bytes of an effect in a frame.
fn size(effect: &Effect) -> usize {
    postcard::serialize_with_flavor(effect, postcard::ser_flavors::Size::default()).unwrap_or(CHUNK_BYTES)
}
