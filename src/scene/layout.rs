//! Where things stand (PAGE.md §3.2): CSC → KGC → ring of CSS → piles, as in the paper's figure, chain below.

use crate::entities::actor::{ActorId, Role};

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

pub const STRIP: f32 = 72.0;
/// Room above the actors for the names of the zones.
const HEAD: f32 = 36.0;

impl Size {
    fn narrow(self) -> bool {
        self.width < 600.0
    }
}

/// Centre of the gateway ring and its radius.
pub fn ring(size: Size) -> (f32, f32, f32) {
    let height = size.height - STRIP - HEAD;
    if size.narrow() {
        let r = (size.width * 0.5 - 56.0).min(height * 0.22 - 22.0).max(40.0);
        (size.width * 0.5, HEAD + height * 0.38, r)
    } else {
        (size.width * 0.45, HEAD + height * 0.5, (size.width * 0.46).min(height) * 0.5 - 50.0)
    }
}

/// Half the side of a gateway's square.
pub fn gateway_half(size: Size, counts: Counts) -> f32 {
    let (_, _, r) = ring(size);
    let spacing = r * (core::f32::consts::PI / f32::from(counts.css.max(2))).sin();
    (spacing - 10.0).clamp(4.0, 22.0)
}

/// Centre of an actor's glyph.
pub fn place(size: Size, counts: Counts, actor: ActorId) -> (f32, f32) {
    let height = size.height - STRIP - HEAD;
    let index = f32::from(actor.index);
    match actor.role {
        Role::Kgc if size.narrow() => (size.width * 0.68, HEAD + height * 0.08),
        Role::Kgc => (size.width * 0.165, HEAD + height * 0.24),
        Role::Csc | Role::Outsider if size.narrow() => (size.width * 0.28 + index * 60.0, HEAD + height * 0.08),
        Role::Csc | Role::Outsider => (size.width * 0.065, HEAD + height * 0.55 + index * 84.0),
        Role::Css => {
            let (x, y, r) = ring(size);
            let angle = core::f32::consts::TAU * index / f32::from(counts.css.max(1)) - core::f32::consts::FRAC_PI_2;
            (x + r * angle.cos(), y + r * angle.sin())
        }
        Role::Cp | Role::Ev => bay(size, counts, actor),
    }
}

/// A pile, and right of it the car plugged in.
fn bay(size: Size, counts: Counts, actor: ActorId) -> (f32, f32) {
    let height = size.height - STRIP - HEAD;
    let rows = counts.cp.max(counts.ev).max(1);
    let index = f32::from(actor.index);
    let car = actor.role == Role::Ev;
    if size.narrow() {
        let pitch = size.width / f32::from(rows);
        return (pitch * (index + 0.5), HEAD + height * if car { 0.82 } else { 0.7 });
    }
    let pitch = (height / f32::from(rows)).min(150.0);
    let top = HEAD + (height - pitch * f32::from(rows)) * 0.5;
    // A smaller stage leaves its bays more room for their numbers.
    let share = match (size.width < 900.0, car) {
        (true, true) => 0.765,
        (true, false) => 0.70,
        (false, true) => 0.83,
        (false, false) => 0.74,
    };
    (size.width * share, top + pitch * (index + 0.5))
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

    /// S2: everything is inside the stage, and no two gateways overlap while a ring has room for them.
    #[test]
    fn everything_is_inside_and_gateways_do_not_overlap() {
        let sizes = [(1440.0, 744.0), (1100.0, 560.0), (704.0, 612.0), (900.0, 560.0), (390.0, 480.0), (768.0, 560.0)];
        for (width, height) in sizes {
            let size = Size { width, height };
            for css in 4..=if width < 600.0 { 12 } else { 31 } {
                let counts = Counts { csc: 1, css, cp: 8, ev: 8 };
                let roles = [(Role::Kgc, 1), (Role::Csc, 1), (Role::Css, css), (Role::Cp, 8), (Role::Ev, 8)];
                for (role, n) in roles {
                    for index in 0..n {
                        let (x, y) = place(size, counts, ActorId::new(role, index));
                        assert!(
                            x > 10.0 && x < width - 10.0 && y > 10.0 && y < height - 10.0,
                            "{role:?} {index} at {x} {y}"
                        );
                    }
                }
                let at = |i| place(size, counts, ActorId::new(Role::Css, i));
                let half = gateway_half(size, counts);
                for i in 0..css {
                    let (a, b) = (at(i), at((i + 1) % css));
                    let far = (a.0 - b.0).hypot(a.1 - b.1);
                    assert!(far > 2.0 * half, "{css} gateways on {width}x{height}: {far} for {half}");
                }
            }
        }
    }
}
