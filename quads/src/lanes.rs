//! Four numbers side by side: WebAssembly's 128-bit vectors where the build has them, plain arrays elsewhere.

pub use imp::{Quad, Wide};

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod imp {
    use core::arch::wasm32::*;

    /// Four 32-bit numbers.
    #[derive(Clone, Copy)]
    pub struct Quad(v128);

    /// Four 64-bit numbers: sums of products.
    #[derive(Clone, Copy)]
    pub struct Wide(v128, v128);

    #[inline(always)]
    fn times19(x: v128) -> v128 {
        u64x2_add(u64x2_add(u64x2_shl(x, 4), u64x2_shl(x, 1)), x)
    }

    impl Quad {
        #[inline(always)]
        pub fn new(x: [u32; 4]) -> Quad {
            Quad(u32x4(x[0], x[1], x[2], x[3]))
        }

        #[inline(always)]
        pub fn splat(x: u32) -> Quad {
            Quad(u32x4_splat(x))
        }

        #[inline(always)]
        pub fn lanes(self) -> [u32; 4] {
            let x = self.0;
            [
                u32x4_extract_lane::<0>(x),
                u32x4_extract_lane::<1>(x),
                u32x4_extract_lane::<2>(x),
                u32x4_extract_lane::<3>(x),
            ]
        }

        #[inline(always)]
        pub fn plus(self, y: Quad) -> Quad {
            Quad(u32x4_add(self.0, y.0))
        }

        #[inline(always)]
        pub fn minus(self, y: Quad) -> Quad {
            Quad(u32x4_sub(self.0, y.0))
        }

        #[inline(always)]
        pub fn times(self, y: u32) -> Quad {
            Quad(u32x4_mul(self.0, u32x4_splat(y)))
        }

        #[inline(always)]
        pub fn and(self, y: Quad) -> Quad {
            Quad(v128_and(self.0, y.0))
        }

        #[inline(always)]
        pub fn or(self, y: Quad) -> Quad {
            Quad(v128_or(self.0, y.0))
        }

        #[inline(always)]
        pub fn xor(self, y: Quad) -> Quad {
            Quad(v128_xor(self.0, y.0))
        }

        #[inline(always)]
        pub fn shr(self, bits: u32) -> Quad {
            Quad(u32x4_shr(self.0, bits))
        }

        #[inline(always)]
        pub fn shl(self, bits: u32) -> Quad {
            Quad(u32x4_shl(self.0, bits))
        }

        /// The four products.
        #[inline(always)]
        pub fn wide(self, y: Quad) -> Wide {
            Wide(u64x2_extmul_low_u32x4(self.0, y.0), u64x2_extmul_high_u32x4(self.0, y.0))
        }

        /// Rows become columns.
        #[inline(always)]
        pub fn transpose([a, b, c, d]: [Quad; 4]) -> [Quad; 4] {
            let (ab, cd) = (u32x4_shuffle::<0, 4, 1, 5>(a.0, b.0), u32x4_shuffle::<0, 4, 1, 5>(c.0, d.0));
            let (ef, gh) = (u32x4_shuffle::<2, 6, 3, 7>(a.0, b.0), u32x4_shuffle::<2, 6, 3, 7>(c.0, d.0));
            [
                Quad(u64x2_shuffle::<0, 2>(ab, cd)),
                Quad(u64x2_shuffle::<1, 3>(ab, cd)),
                Quad(u64x2_shuffle::<0, 2>(ef, gh)),
                Quad(u64x2_shuffle::<1, 3>(ef, gh)),
            ]
        }
    }

    impl Wide {
        #[inline(always)]
        pub fn plus(self, y: Wide) -> Wide {
            Wide(u64x2_add(self.0, y.0), u64x2_add(self.1, y.1))
        }

        #[inline(always)]
        pub fn shr(self, bits: u32) -> Wide {
            Wide(u64x2_shr(self.0, bits), u64x2_shr(self.1, bits))
        }

        #[inline(always)]
        pub fn low(self, bits: u32) -> Wide {
            let mask = u64x2_splat((1 << bits) - 1);
            Wide(v128_and(self.0, mask), v128_and(self.1, mask))
        }

        #[inline(always)]
        pub fn times19(self) -> Wide {
            Wide(times19(self.0), times19(self.1))
        }

        /// The low halves.
        #[inline(always)]
        pub fn narrow(self) -> Quad {
            Quad(u32x4_shuffle::<0, 2, 4, 6>(self.0, self.1))
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod imp {
    use core::array::from_fn;

    /// Four 32-bit numbers.
    #[derive(Clone, Copy)]
    pub struct Quad([u32; 4]);

    /// Four 64-bit numbers: sums of products.
    #[derive(Clone, Copy)]
    pub struct Wide([u64; 4]);

    impl Quad {
        #[inline(always)]
        pub fn new(x: [u32; 4]) -> Quad {
            Quad(x)
        }

        #[inline(always)]
        pub fn splat(x: u32) -> Quad {
            Quad([x; 4])
        }

        #[inline(always)]
        pub fn lanes(self) -> [u32; 4] {
            self.0
        }

        #[inline(always)]
        pub fn plus(self, y: Quad) -> Quad {
            Quad(from_fn(|i| self.0[i].wrapping_add(y.0[i])))
        }

        #[inline(always)]
        pub fn minus(self, y: Quad) -> Quad {
            Quad(from_fn(|i| self.0[i].wrapping_sub(y.0[i])))
        }

        #[inline(always)]
        pub fn times(self, y: u32) -> Quad {
            Quad(from_fn(|i| self.0[i].wrapping_mul(y)))
        }

        #[inline(always)]
        pub fn and(self, y: Quad) -> Quad {
            Quad(from_fn(|i| self.0[i] & y.0[i]))
        }

        #[inline(always)]
        pub fn or(self, y: Quad) -> Quad {
            Quad(from_fn(|i| self.0[i] | y.0[i]))
        }

        #[inline(always)]
        pub fn xor(self, y: Quad) -> Quad {
            Quad(from_fn(|i| self.0[i] ^ y.0[i]))
        }

        #[inline(always)]
        pub fn shr(self, bits: u32) -> Quad {
            Quad(from_fn(|i| self.0[i] >> bits))
        }

        #[inline(always)]
        pub fn shl(self, bits: u32) -> Quad {
            Quad(from_fn(|i| self.0[i] << bits))
        }

        /// The four products.
        #[inline(always)]
        pub fn wide(self, y: Quad) -> Wide {
            Wide(from_fn(|i| u64::from(self.0[i]) * u64::from(y.0[i])))
        }

        /// Rows become columns.
        #[inline(always)]
        pub fn transpose(rows: [Quad; 4]) -> [Quad; 4] {
            from_fn(|i| Quad(from_fn(|j| rows[j].0[i])))
        }
    }

    impl Wide {
        #[inline(always)]
        pub fn plus(self, y: Wide) -> Wide {
            Wide(from_fn(|i| self.0[i].wrapping_add(y.0[i])))
        }

        #[inline(always)]
        pub fn shr(self, bits: u32) -> Wide {
            Wide(from_fn(|i| self.0[i] >> bits))
        }

        #[inline(always)]
        pub fn low(self, bits: u32) -> Wide {
            Wide(from_fn(|i| self.0[i] & ((1 << bits) - 1)))
        }

        #[inline(always)]
        pub fn times19(self) -> Wide {
            Wide(from_fn(|i| self.0[i].wrapping_mul(19)))
        }

        /// The low halves.
        #[inline(always)]
        pub fn narrow(self) -> Quad {
            Quad(from_fn(|i| self.0[i] as u32))
        }
    }
}
