//! The random number generator of sampling: xoshiro256++ seeded by SplitMix64.
//!
//! Both follow the public-domain reference by David Blackman and Sebastiano Vigna (<https://prng.di.unimi.it>). They
//! use integer operations only, so a seed gives the same tokens on every machine.

/// xoshiro256++.
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// A generator whose whole sequence depends on `seed` alone. Every seed is valid: SplitMix64 never fills the state
    /// with zeros.
    pub fn new(seed: u64) -> Self {
        let mut counter = seed;
        let mut split_mix = || {
            counter = counter.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (counter ^ (counter >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        Self { state: core::array::from_fn(|_| split_mix()) }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Uniform in `[0, 1)`: the upper 53 bits times `2^-53`.
    pub fn uniform(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1u64 << 53) as f64;
        (self.next_u64() >> 11) as f64 * STEP
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn sequence_equals_the_reference_implementation() {
        // SplitMix64's published first outputs for seed 1234567 become the state.
        let rng = Rng::new(1_234_567);
        assert_eq!(
            rng.state,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431
            ]
        );
        // xoshiro256++ from the state [1, 2, 3, 4], as in the test vectors of the rand_xoshiro crate.
        let mut rng = Rng { state: [1, 2, 3, 4] };
        let first: [u64; 4] = core::array::from_fn(|_| rng.next_u64());
        assert_eq!(first, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
    }

    #[test]
    fn uniform_stays_below_one() {
        let mut rng = Rng { state: [u64::MAX, 0, 0, 0] };
        for _ in 0..1000 {
            let u = rng.uniform();
            assert!((0.0..1.0).contains(&u));
        }
    }
}
