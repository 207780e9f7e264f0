//! Where things stand (PAGE.md §3.2): CSC → KGC → ring of CSS → piles, as in the paper's figure, chain below.
//!
//! How much of a thing is drawn follows from the room it has, never from a count alone.

use crate::entities::actor::{ActorId, Role};
use core::f32::consts::{FRAC_PI_2, PI, TAU};

/// Size of the stage in CSS pixels.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Size {
    pub width: f32,
    pub height: f32,
}

/// How many of each take part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counts {
    pub csc: u16,
    pub css: u16,
    pub cp: u16,
    pub ev: u16,
}

/// How much of a gateway there is room for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Detail {
    /// A filled shape whose ring says its phase; names of few.
    Dot,
    /// A shape with two arcs; names of some.
    Compact,
    /// All names, a slot per voter.
    Full,
}

pub const STRIP: f32 = 72.0;
/// Room above the actors for the names of the zones.
const HEAD: f32 = 36.0;
/// Below this half a side a gateway is a dot, from that on it is drawn in full.
const COMPACT: f32 = 4.0;
const FULL: f32 = 16.0;

impl Size {
    pub fn narrow(self) -> bool {
        self.width < 600.0
    }

    fn height_of_actors(self) -> f32 {
        self.height - STRIP - HEAD
    }
}

/// The stage of a moment: its size, who takes part, and which car stands at which pile.
#[derive(Clone, PartialEq, Debug)]
pub struct Ground {
    pub size: Size,
    pub counts: Counts,
    /// Pile per car.
    seats: Vec<Option<u16>>,
}

/// The cells of the piles.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Grid {
    left: f32,
    top: f32,
    width: f32,
    height: f32,
    columns: u16,
}

impl Ground {
    /// `cables` are pairs of a pile and the car plugged in.
    pub fn new(size: Size, counts: Counts, cables: impl IntoIterator<Item = (ActorId, ActorId)>) -> Ground {
        let mut seats = vec![None; usize::from(counts.ev)];
        for (cp, ev) in cables {
            if let Some(seat) = seats.get_mut(usize::from(ev.index)) {
                *seat = Some(cp.index);
            }
        }
        Ground { size, counts, seats }
    }

    /// Centre of the gateway ring and its outer radius.
    pub fn ring(&self) -> (f32, f32, f32) {
        let (size, height) = (self.size, self.size.height_of_actors());
        if size.narrow() {
            let r = (size.width * 0.5 - 56.0).min(height * 0.205 - 22.0).max(40.0);
            (size.width * 0.5, HEAD + height * 0.355, r)
        } else {
            // Below the lowest gateway stand its name and what it last said, above the highest one its flag.
            (size.width * 0.45, HEAD + height * 0.5 - 10.0, (size.width * 0.46).min(height) * 0.5 - 60.0)
        }
    }

    /// Radius of the inner of two staggered rings; `None` while one ring has room for all.
    fn inner_ring(&self) -> Option<f32> {
        let (_, _, r) = self.ring();
        let room = r * (PI / f32::from(self.counts.css.max(2))).sin() - 1.0;
        (room < 8.0).then(|| r - (0.12 * r).max(14.0))
    }

    /// Radius inside which no gateway stands.
    pub fn inside(&self) -> f32 {
        self.inner_ring().unwrap_or(self.ring().2) - self.gateway_half()
    }

    /// Half the side of a gateway's square.
    pub fn gateway_half(&self) -> f32 {
        let (_, _, r) = self.ring();
        let n = self.counts.css.max(2);
        let Some(inner) = self.inner_ring() else {
            return (r * (PI / f32::from(n)).sin() - 10.0).clamp(COMPACT, 22.0);
        };
        let turn = TAU / f32::from(n + n % 2);
        let neighbours = inner * turn.sin();
        let across = (r * r + inner * inner - 2.0 * r * inner * turn.cos()).sqrt() * 0.5;
        // The rest is its ring.
        ((neighbours.min(across) - 1.0) * 0.62).clamp(1.5, COMPACT - 0.1)
    }

    pub fn detail(&self) -> Detail {
        match self.gateway_half() {
            half if half < COMPACT => Detail::Dot,
            // On a narrow stage names would stand on their neighbours.
            half if half < if self.size.narrow() { FULL * 1.25 } else { FULL } => Detail::Compact,
            _ => Detail::Full,
        }
    }

    fn gateway(&self, index: u16) -> (f32, f32) {
        let (x, y, r) = self.ring();
        let n = self.counts.css.max(1);
        let (slots, r) = match self.inner_ring() {
            Some(inner) => (n + n % 2, if index.is_multiple_of(2) { r } else { inner }),
            None => (n, r),
        };
        let angle = TAU * f32::from(index) / f32::from(slots) - FRAC_PI_2;
        (x + r * angle.cos(), y + r * angle.sin())
    }

    /// Centre of an actor's glyph.
    pub fn place(&self, actor: ActorId) -> (f32, f32) {
        let (size, height) = (self.size, self.size.height_of_actors());
        let index = f32::from(actor.index);
        match actor.role {
            Role::Kgc if size.narrow() => (size.width * 0.72, HEAD + height * 0.08),
            Role::Kgc => (size.width * 0.165, HEAD + height * 0.24),
            Role::Csc | Role::Outsider if size.narrow() => (size.width * 0.14 + index * 52.0, HEAD + height * 0.08),
            Role::Csc | Role::Outsider => (
                size.width * 0.065,
                HEAD + height * 0.5 + index * (height * 0.44 / f32::from(self.counts.csc.max(1))).min(84.0),
            ),
            Role::Css => self.gateway(actor.index),
            Role::Cp => self.pile(actor.index),
            Role::Ev => self.car(actor.index),
        }
    }

    /// Whether cars must queue: then those without a pile stand in the parking rows below the piles.
    fn parking(&self) -> bool {
        self.counts.ev > self.counts.cp
    }

    fn grid(&self) -> Grid {
        let (size, height) = (self.size, self.size.height_of_actors());
        let piles = f32::from(self.counts.cp.max(1));
        if size.narrow() {
            let columns = piles.min((size.width / 40.0).floor()).max(1.0);
            let height = height * if self.parking() { 0.2 } else { 0.29 };
            return Grid {
                left: 0.0,
                top: HEAD + self.size.height_of_actors() * 0.69,
                width: size.width,
                height,
                columns: columns as u16,
            };
        }
        // As few columns as leave each pile the height for its numbers.
        let height = height * if self.parking() { 0.78 } else { 1.0 };
        let (left, width) = (size.width * 0.69, size.width * 0.31);
        let fits = |c: &u16| {
            let least = if *c == 1 { 50.0 } else { 34.0 };
            height / (piles / f32::from(*c)).ceil() >= least || width / f32::from(*c + 1) < 64.0
        };
        let columns = (1..=8).find(fits).unwrap_or(8);
        Grid { left, top: HEAD, width, height, columns }
    }

    /// Columns of the piles; with one column there is room for names and numbers in full.
    pub fn columns(&self) -> u16 {
        self.grid().columns
    }

    /// Left upper corner, width and height of the cell of a pile.
    pub fn cell(&self, index: u16) -> (f32, f32, f32, f32) {
        let grid = self.grid();
        let rows = self.counts.cp.max(1).div_ceil(grid.columns);
        let highest = if grid.columns == 1 { 150.0 } else { 64.0 };
        let (w, h) = (grid.width / f32::from(grid.columns), (grid.height / f32::from(rows)).min(highest));
        let top = grid.top + if self.parking() { 0.0 } else { (grid.height - h * f32::from(rows)) * 0.5 };
        (grid.left + w * f32::from(index % grid.columns), top + h * f32::from(index / grid.columns), w, h)
    }

    fn pile(&self, index: u16) -> (f32, f32) {
        let (x, y, w, h) = self.cell(index);
        if self.size.narrow() {
            return (x + w * 0.5, y + h * 0.25);
        }
        let share = match self.columns() {
            1 if self.size.width < 900.0 => return (self.size.width * 0.71, y + h * 0.5),
            1 => 0.16,
            _ => return (x + (w * 0.14).min(16.0), y + h * 0.5),
        };
        (x + w * share, y + h * 0.5)
    }

    /// Beside its pile, or where it waits.
    fn car(&self, index: u16) -> (f32, f32) {
        let seat = self.seats.get(usize::from(index)).copied().flatten();
        let at = seat.or_else(|| (!self.parking()).then_some(index));
        let Some(pile) = at else { return self.parked(index) };
        let ((x, y), (.., w, h)) = (self.pile(pile), self.cell(pile));
        match self.columns() {
            _ if self.size.narrow() => (x, y + h * 0.5),
            1 if self.size.width < 900.0 => (self.size.width * 0.775, y),
            1 => (x + w * 0.29, y),
            _ => (x + (w * 0.28).min(34.0), y),
        }
    }

    /// Side of a parking lot.
    pub fn lot(&self) -> f32 {
        let (_, _, width, height) = self.parking_rows();
        (width * height / f32::from(self.counts.ev.max(1))).sqrt().clamp(4.0, 26.0)
    }

    /// The ground below the piles.
    fn parking_rows(&self) -> (f32, f32, f32, f32) {
        let (grid, height) = (self.grid(), self.size.height_of_actors());
        let top = grid.top + grid.height + 16.0;
        (grid.left + 8.0, top, grid.width - 24.0, (HEAD + height - top - 4.0).max(12.0))
    }

    fn parked(&self, index: u16) -> (f32, f32) {
        let ((left, top, width, height), lot) = (self.parking_rows(), self.lot());
        let columns = ((width / lot) as u16).max(1);
        let rows = self.counts.ev.div_ceil(columns).max(1);
        let row = (height / f32::from(rows)).min(lot);
        (left + lot * (f32::from(index % columns) + 0.5), top + row * (f32::from(index / columns) + 0.5))
    }

    /// Where the parking rows begin, if there are any: left edge and line of their name.
    pub fn parking_name(&self) -> Option<(f32, f32)> {
        let (left, top, ..) = self.parking_rows();
        self.parking().then_some((left, top - 4.0))
    }

    /// Half the side of the glyph of an actor that is no gateway.
    pub fn glyph_half(&self, actor: ActorId) -> f32 {
        let waits = || self.parking() && self.seats.get(usize::from(actor.index)).copied().flatten().is_none();
        match actor.role {
            Role::Css => self.gateway_half(),
            Role::Ev if waits() => (self.lot() * 0.42).min(10.0),
            Role::Cp | Role::Ev if self.size.narrow() => {
                let (.., width, height) = self.cell(0);
                (width * 0.3).min(height * 0.24).clamp(4.0, 14.0)
            }
            Role::Cp | Role::Ev if self.columns() > 1 => (self.cell(0).3 * 0.2).clamp(4.0, 11.0),
            Role::Cp | Role::Ev if self.cell(0).3 < 80.0 => 14.0,
            _ => 20.0,
        }
    }
}

/// Point at `part` (0..1) of the way from `a` to `b`, on a curve bent by 12 % to the right of travel.
pub fn along(a: (f32, f32), b: (f32, f32), part: f32) -> (f32, f32) {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let (cx, cy) = ((a.0 + b.0) * 0.5 - dy * 0.12, (a.1 + b.1) * 0.5 + dx * 0.12);
    let q = 1.0 - part;
    (q * q * a.0 + 2.0 * q * part * cx + part * part * b.0, q * q * a.1 + 2.0 * q * part * cy + part * part * b.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [(f32, f32); 8] = [
        (1440.0, 744.0),
        (1100.0, 560.0),
        (792.0, 744.0),
        (704.0, 612.0),
        (900.0, 560.0),
        (390.0, 500.0),
        (320.0, 480.0),
        (768.0, 560.0),
    ];

    /// S2: everything is inside the stage, and no two gateways overlap, for every n of a scenario.
    #[test]
    fn everything_is_inside_and_gateways_do_not_overlap() {
        for (width, height) in SIZES {
            for css in 4..=100 {
                let counts = Counts { csc: 1, css, cp: 8, ev: 8 };
                let ground = Ground::new(Size { width, height }, counts, []);
                inside(&ground);
                let at = |i| ground.place(ActorId::new(Role::Css, i));
                let half = ground.gateway_half();
                for i in 0..css {
                    for j in i + 1..css {
                        let (a, b) = (at(i), at(j));
                        let far = (a.0 - b.0).hypot(a.1 - b.1);
                        assert!(far > 2.0 * half, "{css} gateways on {width}x{height}: {far} for {half}");
                    }
                }
            }
        }
    }

    fn inside(ground: &Ground) {
        let (Size { width, height }, c) = (ground.size, ground.counts);
        let roles = [(Role::Kgc, 1), (Role::Csc, c.csc), (Role::Css, c.css), (Role::Cp, c.cp), (Role::Ev, c.ev)];
        for (role, n) in roles {
            for index in 0..n {
                let (x, y) = ground.place(ActorId::new(role, index));
                let there = x > 3.0 && x < width - 3.0 && y > 10.0 && y < height - STRIP;
                assert!(there, "{role:?} {index} of {c:?} on {width}x{height} at {x} {y}");
            }
        }
    }

    /// S2 for the days: piles do not overlap, cars wait in lots of their own, and a plugged car stands at its pile.
    #[test]
    fn many_piles_and_cars_have_places_of_their_own() {
        for (width, height) in SIZES {
            for (cp, ev) in [(4, 4), (8, 8), (16, 100), (20, 20), (20, 40), (64, 64), (64, 256), (1, 256)] {
                let counts = Counts { csc: 3, css: 7, cp, ev };
                let size = Size { width, height };
                let ground = Ground::new(size, counts, []);
                inside(&ground);
                let gap = |role, i, j| {
                    let (a, b) = (ground.place(ActorId::new(role, i)), ground.place(ActorId::new(role, j)));
                    (a.0 - b.0).hypot(a.1 - b.1)
                };
                for (role, n, least) in [(Role::Cp, cp, 8.0), (Role::Ev, ev, 3.0)] {
                    for i in 0..n {
                        for j in i + 1..n {
                            assert!(gap(role, i, j) >= least, "{role:?} {i} and {j} of {counts:?} on {width}x{height}");
                        }
                    }
                }
                let (pile, car) = (ActorId::new(Role::Cp, cp - 1), ActorId::new(Role::Ev, 0));
                let plugged = Ground::new(size, counts, [(pile, car)]);
                inside(&plugged);
                let (a, b) = (plugged.place(pile), plugged.place(car));
                assert!((a.0 - b.0).hypot(a.1 - b.1) < 150.0, "{counts:?} on {width}x{height}: {a:?} {b:?}");
            }
        }
    }

    /// S12: a larger stage never shows less.
    #[test]
    fn detail_grows_with_the_stage() {
        for css in [4, 7, 16, 31, 64, 100] {
            let detail = |scale: f32| {
                let counts = Counts { csc: 1, css, cp: 4, ev: 4 };
                Ground::new(Size { width: 700.0 * scale, height: 450.0 * scale }, counts, []).detail()
            };
            let steps: Vec<Detail> = (0..20).map(|i| detail(1.0 + i as f32 * 0.1)).collect();
            assert!(steps.is_sorted(), "{css}: {steps:?}");
        }
    }
}
