//! The run at a glance: where its phases lie, where much happens, where somebody broke something (PAGE.md §4.3).

use super::warp::Warp;
use crate::sim::trace::{Kind, Trace};

/// Columns of the density.
pub const COLUMNS: usize = 120;

/// A stretch of the film whose story belongs to one phase; all positions are parts of the film's length (0..1).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Band {
    pub phase: u8,
    pub from: f32,
    pub to: f32,
}

/// What a flag stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flag {
    /// Somebody crashed, lies, or intervened.
    Fault,
    /// An invariant broke.
    Violation,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Timeline {
    pub bands: Vec<Band>,
    /// Story events per column.
    pub density: Vec<u16>,
    pub flags: Vec<(f32, Flag)>,
    /// Gaps shown shorter than they were: from, to, true length in µs.
    pub gaps: Vec<(f32, f32, u64)>,
}

/// Number and name of a phase, as the captions have them.
pub fn name(phase: u8) -> (&'static str, &'static str) {
    let names = [("1", "keys"), ("2", "signcrypt"), ("3", "agree"), ("4", "open")];
    names.get(usize::from(phase.wrapping_sub(1))).copied().unwrap_or_default()
}

/// A day has thousands of bands; one that is thinner than this part of the film belongs to what is before it.
const THINNEST: f32 = 0.001;

fn broad(bands: Vec<Band>) -> Vec<Band> {
    let mut broad: Vec<Band> = Vec::new();
    for band in bands {
        match broad.last_mut() {
            Some(last) if band.to - band.from < THINNEST || last.phase == band.phase => last.to = band.to,
            _ => broad.push(band),
        }
    }
    broad
}

/// Reads a film of `length` presentation µs.
pub fn timeline(warp: &Warp, trace: &Trace, length: u64) -> Timeline {
    let part = |p: u64| (p as f64 / length.max(1) as f64).clamp(0.0, 1.0) as f32;
    let mut bands: Vec<Band> = Vec::new();
    let mut density = vec![0; COLUMNS];
    let mut flags = Vec::new();
    for (phase, id, t) in warp.phases() {
        // A long wait belongs to what it leads to.
        let wait = warp.gaps().iter().find(|gap| gap.to == warp.begins_at(*t)).map(|gap| gap.from);
        let from = if bands.is_empty() { 0.0 } else { part(wait.unwrap_or_else(|| warp.shows(*id + 1, *t))) };
        if let Some(last) = bands.last_mut() {
            last.to = from;
        }
        bands.push(Band { phase: *phase, from, to: 1.0 });
    }
    let bands = broad(bands);
    for id in warp.story() {
        let Some(effect) = trace.effects().get(*id as usize) else { continue };
        let at = part(warp.shows(*id + 1, effect.t.0));
        density[((at * COLUMNS as f32) as usize).min(COLUMNS - 1)] += 1;
        match effect.kind {
            Kind::InvariantBroken { .. } | Kind::SafetyVoid { .. } => flags.push((at, Flag::Violation)),
            Kind::Crashed | Kind::Behaves { .. } | Kind::Intervened { .. } => flags.push((at, Flag::Fault)),
            _ => {}
        }
    }
    let gaps = warp.gaps().iter().map(|g| (part(g.from), part(g.to), g.true_us));
    let gaps = gaps.filter(|(from, to, _)| to - from >= THINNEST).collect();
    Timeline { bands, density, flags, gaps }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::scenario::Scenario;
    use crate::sim::timelines::{BranchId, Timelines, Until};

    fn read(preset: &str) -> (Timeline, usize) {
        let mut run = Timelines::open_headless(Scenario::preset(preset).expect("a preset"), vec![]).expect("opens");
        run.run(BranchId(0), Until::End, u32::MAX);
        let trace = run.trace(BranchId(0));
        let mut warp = Warp::default();
        warp.extend(trace.effects());
        (timeline(&warp, trace, warp.length()), warp.story().len())
    }

    #[test]
    fn phases_follow_one_another_and_every_story_event_counts_once() {
        let (day, story) = read("day4");
        let order: Vec<u8> = day.bands.iter().map(|b| b.phase).collect();
        assert_eq!((order[0], order[1], order[2], order.last()), (1, 2, 3, Some(&4)));
        assert!(day.bands.windows(2).all(|w| w[0].to == w[1].from) && day.bands.iter().all(|b| b.from <= b.to));
        assert_eq!(day.density.iter().map(|n| usize::from(*n)).sum::<usize>(), story);
        assert!(day.flags.is_empty());
        // Four cars charge for most of an hour; that is shown in seconds, and said, and it belongs to phase 4.
        assert!(day.bands.last().is_some_and(|b| day.gaps.iter().any(|(from, ..)| *from == b.from)));
        assert!(day.gaps.iter().any(|(from, to, true_us)| from < to && *true_us > 60_000_000));
    }

    #[test]
    fn a_lie_has_its_flag() {
        let (lie, _) = read("one-liar");
        assert!(lie.flags.iter().any(|(at, flag)| *flag == Flag::Fault && (0.0..=1.0).contains(at)), "{:?}", lie.flags);
    }
}
