//! One branch of the run as far as the page knows it: its effects, and what they look like as a film (PAGE.md §2.3).

use crate::scene::stage::StageState;
use crate::scene::view::{Flights, visible};
use crate::scene::warp::Warp;
use crate::sim::intervention::Intervention;
use crate::sim::timelines::BranchId;
use crate::sim::trace::Trace;
use std::rc::Rc;

/// Effects between two stages that a lane keeps, so that going back in a long run folds no more than these.
const KEYFRAME: u32 = 2_048;

/// What a branch looks like as a film.
#[derive(Default)]
pub struct Film {
    pub warp: Warp,
    pub flights: Flights,
    /// Effects that an event step stops at.
    pub visible: Vec<u32>,
    read: u32,
    /// The stage after every [`KEYFRAME`] effects, as far as it was shown.
    stages: Vec<Rc<StageState>>,
}

/// One branch as far as the page knows it.
pub struct Lane {
    /// Its name on the page; the engine's may change when an engine is replaced.
    pub key: u16,
    pub engine: Option<BranchId>,
    pub parent: Option<u16>,
    /// Effects shared with the parent.
    pub shared: u32,
    pub name: String,
    pub interventions: Vec<Intervention>,
    pub trace: Trace,
    pub film: Film,
    pub complete: bool,
    /// Known to its end, and nothing in it went another way than in the future it grew from.
    pub idle: bool,
}

impl Lane {
    /// Reads what came since last time into the film.
    pub fn read_on(&mut self) {
        let effects = &self.trace.effects()[self.film.read as usize..];
        self.film.warp.extend(effects);
        self.film.flights.extend(effects);
        self.film.visible.extend(effects.iter().filter(|e| visible(e)).map(|e| e.id.0));
        self.film.read += effects.len() as u32;
    }

    /// What is known of a lane that shares its first `shared` effects with this one.
    pub fn beginning(&self, shared: u32) -> (Trace, Film) {
        let mut trace = self.trace.clone();
        trace.truncate(shared);
        let stages = self.film.stages.iter().take((shared / KEYFRAME) as usize).cloned().collect();
        (trace, Film { stages, ..Film::default() })
    }

    /// The stage after `count` effects, folded on from the nearest one that is known: one that was kept, or `folded`, the
    /// stage after fewer effects of this lane.
    pub fn stage_at(&mut self, count: u32, folded: Option<(u32, Rc<StageState>)>) -> Rc<StageState> {
        let nearest = self.film.stages.len().min((count / KEYFRAME) as usize);
        let kept = nearest as u32 * KEYFRAME;
        let (mut at, mut stage) = match (folded.filter(|(from, _)| *from >= kept), nearest.checked_sub(1)) {
            (Some(near), _) => near,
            (None, Some(i)) => (kept, self.film.stages[i].clone()),
            (None, None) => (0, Rc::default()),
        };
        while at < count {
            let end = ((at / KEYFRAME + 1) * KEYFRAME).min(count);
            let next = Rc::make_mut(&mut stage);
            self.trace.effects()[at as usize..end as usize].iter().for_each(|e| next.apply(e));
            at = end;
            if at.is_multiple_of(KEYFRAME) && self.film.stages.len() as u32 + 1 == at / KEYFRAME {
                self.film.stages.push(stage.clone());
            }
        }
        stage
    }
}
