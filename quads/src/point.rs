//! Four points of the Edwards curve behind ristretto255 side by side: doubling and complete addition (Hisil, Wong,
//! Carter, Dawson 2008), decoding and batched double-and-encode (RFC 9496).

use crate::field::{D, D2, Field, INVSQRT_A_MINUS_D, ONE, SQRT_M1, ZERO, invert_all};
use crate::lanes::Quad;

/// Extended coordinates x = X/Z, y = Y/Z, T = XY/Z; all tight.
#[derive(Clone, Copy)]
pub struct Extended {
    pub x: Field,
    pub y: Field,
    pub z: Field,
    pub t: Field,
}

/// A point to be added: Y + X, Y - X, Z, 2dT.
#[derive(Clone, Copy)]
pub struct Cached {
    pub plus: Field,
    pub minus: Field,
    pub z: Field,
    pub t2d: Field,
}

/// A point with Z = 1 to be added: y + x, y - x, 2dxy.
#[derive(Clone, Copy)]
pub struct Affine {
    pub plus: Field,
    pub minus: Field,
    pub t2d: Field,
}

/// The result of an addition before its last products: x = X/Z, y = Y/T.
struct Completed {
    x: Field,
    y: Field,
    z: Field,
    t: Field,
}

impl Completed {
    /// The sum from Z·Z' doubled and the three products.
    #[inline(always)]
    fn of(z2: &Field, plus: &Field, minus: &Field, t: &Field) -> Completed {
        Completed { x: plus.minus(minus), y: plus.plus(minus), z: z2.plus(t), t: z2.minus(t) }
    }

    #[inline(always)]
    fn extended(&self) -> Extended {
        Extended {
            x: self.t.times(&self.x),
            y: self.y.times(&self.z),
            z: self.t.times(&self.z),
            t: self.x.times(&self.y),
        }
    }
}

impl Extended {
    /// The point with these affine coordinates.
    pub fn from_affine(x: Field, y: Field) -> Extended {
        Extended { x, y, z: Field::splat(&ONE), t: x.times(&y) }
    }

    pub fn neutral() -> Extended {
        let (zero, one) = (Field::splat(&ZERO), Field::splat(&ONE));
        Extended { x: zero, y: one, z: one, t: zero }
    }

    #[inline(always)]
    fn twice(x: &Field, y: &Field, z: &Field) -> Completed {
        let (xx, yy, zz) = (x.square(), y.square(), z.square());
        let sum = yy.plus(&xx);
        Completed {
            x: x.plus(y).square().minus_sum(&sum),
            y: sum,
            z: yy.minus(&xx),
            t: zz.plus(&zz).plus(&xx).minus(&yy),
        }
    }

    /// 2^k times the point, k >= 1.
    pub fn doubled(&self, k: u32) -> Extended {
        let (mut x, mut y, mut z) = (self.x, self.y, self.z);
        for _ in 1..k {
            let c = Extended::twice(&x, &y, &z);
            (x, y, z) = (c.t.times(&c.x), c.y.times(&c.z), c.t.times(&c.z));
        }
        Extended::twice(&x, &y, &z).extended()
    }

    pub fn cached(&self) -> Cached {
        Cached {
            plus: self.y.plus(&self.x),
            minus: self.y.minus(&self.x),
            z: self.z,
            t2d: self.t.times(&Field::splat(&D2)),
        }
    }

    pub fn plus(&self, q: &Cached) -> Extended {
        let plus = self.y.plus(&self.x).times(&q.plus);
        let minus = self.y.minus(&self.x).times(&q.minus);
        let (t, z) = (self.t.times(&q.t2d), self.z.times(&q.z));
        Completed::of(&z.plus(&z), &plus, &minus, &t).extended()
    }

    pub fn plus_affine(&self, q: &Affine) -> Extended {
        let plus = self.y.plus(&self.x).times(&q.plus);
        let minus = self.y.minus(&self.x).times(&q.minus);
        let t = self.t.times(&q.t2d);
        Completed::of(&self.z.plus(&self.z), &plus, &minus, &t).extended()
    }

    /// The form for addition, given 1/Z.
    pub fn affine(&self, z_inverse: &Field) -> Affine {
        let (x, y) = (self.x.times(z_inverse), self.y.times(z_inverse));
        Affine { plus: y.plus(&x).carried(), minus: y.minus(&x).carried(), t2d: x.times(&y).times(&Field::splat(&D2)) }
    }
}

impl Cached {
    /// The negated point where `mask` is all ones.
    pub fn negated_if(&self, mask: Quad) -> Cached {
        Cached {
            plus: Field::select(mask, &self.plus, &self.minus),
            minus: Field::select(mask, &self.minus, &self.plus),
            z: self.z,
            t2d: Field::select(mask, &self.t2d, &self.t2d.negated()),
        }
    }
}

impl Affine {
    /// The negated point where `mask` is all ones.
    pub fn negated_if(&self, mask: Quad) -> Affine {
        Affine {
            plus: Field::select(mask, &self.plus, &self.minus),
            minus: Field::select(mask, &self.minus, &self.plus),
            t2d: Field::select(mask, &self.t2d, &self.t2d.negated()),
        }
    }

    /// The point in extended coordinates (4x, 4y, 4, 4xy).
    pub fn extended(&self) -> Extended {
        let (x, y) = (self.plus.minus(&self.minus).carried(), self.plus.plus(&self.minus).carried());
        let z = Field::splat(&[4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        Extended { x: x.plus(&x).carried(), y: y.plus(&y).carried(), z, t: x.times(&y) }
    }
}

/// Affine coordinates of four canonically encoded group elements (RFC 9496 §4.3.1; what is no encoding is not refused).
pub fn decode(encodings: [&[u8; 32]; 4]) -> (Field, Field) {
    let one = Field::splat(&ONE);
    let s = Field::from_bytes(encodings);
    let ss = s.square();
    let (u1, u2) = (one.minus(&ss).carried(), one.plus(&ss).carried());
    let u2u2 = u2.square();
    let v = Field::splat(&D).times(&u1.square()).plus(&u2u2).carried().negated().carried();
    let w = v.times(&u2u2);
    // 1/sqrt(w) = ±w^3·(w^7)^((p-5)/8), times sqrt(-1) if its square is -1/w.
    let w3 = w.square().times(&w);
    let w7 = w3.square().times(&w);
    let root = w3.times(&w7.to_p58());
    let is_root = w.times(&root.square()).is_negative();
    let root = Field::select(is_root, &root.times(&Field::splat(&SQRT_M1)), &root);
    let dx = root.times(&u2);
    let dy = root.times(&dx).times(&v);
    (s.plus(&s).times(&dx).absolute(), u1.times(&dy))
}

/// What is needed to encode twice a point.
struct Doubled {
    e: Field,
    f: Field,
    g: Field,
    h: Field,
    eg: Field,
    fh: Field,
}

impl Doubled {
    fn of(p: &Extended) -> Doubled {
        let (xx, yy, zz) = (p.x.square(), p.y.square(), p.z.square());
        let dtt = p.t.square().times(&Field::splat(&D));
        let e = p.x.times(&p.y.plus(&p.y));
        let (f, g, h) = (zz.plus(&dtt).carried(), yy.plus(&xx).carried(), zz.minus(&dtt).carried());
        Doubled { e, f, g, h, eg: e.times(&g), fh: f.times(&h) }
    }

    fn encode(&self, inverse: &Field) -> [[u8; 32]; 4] {
        let sqrt_m1 = Field::splat(&SQRT_M1);
        let (z_inverse, t_inverse) = (self.eg.times(inverse), self.fh.times(inverse));
        let turn = self.eg.times(&z_inverse).is_negative();
        let e = Field::select(turn, &self.e, &self.g);
        let g = Field::select(turn, &self.g, &self.e.negated().carried());
        let h = Field::select(turn, &self.h, &self.f.times(&sqrt_m1));
        let magic = Field::select(turn, &Field::splat(&INVSQRT_A_MINUS_D), &sqrt_m1);
        let flip = h.times(&e).times(&z_inverse).is_negative();
        let g = Field::select(flip, &g, &g.negated().carried());
        h.minus(&g).times(&magic.times(&g.times(&t_inverse))).absolute().to_bytes()
    }
}

/// Encodings of the doubled points, with one inversion for all.
pub fn double_and_encode(points: &[Extended]) -> Vec<[[u8; 32]; 4]> {
    let states: Vec<Doubled> = points.iter().map(Doubled::of).collect();
    let mut inverses: Vec<Field> = states.iter().map(|s| s.eg.times(&s.fh)).collect();
    invert_all(&mut inverses);
    states.iter().zip(&inverses).map(|(state, inverse)| state.encode(inverse)).collect()
}
