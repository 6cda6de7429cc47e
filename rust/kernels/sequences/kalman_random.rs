//! Streams of random numbers that are the same on every machine.

/// xoshiro256++ (Blackman and Vigna, 2021), seeded by `SplitMix64`; a stream for every number.
#[derive(Debug, Clone)]
pub struct Stream {
    state: [u64; 4],
    spare: Option<f64>,
}

fn mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Stream {
    /// The stream of this number under a seed.
    pub fn new(seed: u64, number: u64) -> Self {
        let mut state = seed;
        let mut inner = mix(&mut state) ^ number.wrapping_mul(0xd134_2543_de82_ef95);
        Self {
            state: std::array::from_fn(|_| mix(&mut inner)),
            spare: None,
        }
    }

    fn bits(&mut self) -> u64 {
        let s = &mut self.state;
        let out = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        out
    }

    /// Uniform on (-1, 1), never zero.
    fn symmetric(&mut self) -> f64 {
        let odd = (self.bits() >> 11) | 1;
        odd as f64 / (1_u64 << 52) as f64 - 1.0
    }

    /// A standard normal, by Marsaglia's polar method.
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (a, b) = (self.symmetric(), self.symmetric());
            let square = a * a + b * b;
            if square < 1.0 && square > 0.0 {
                let scale = (-2.0 * libm::log(square) / square).sqrt();
                self.spare = Some(b * scale);
                return a * scale;
            }
        }
    }

    /// Fill with standard normals.
    pub fn fill(&mut self, out: &mut Vec<f64>, n: usize) {
        out.clear();
        out.extend((0..n).map(|_| self.normal()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normals_have_their_moments_and_streams_differ() {
        let n = 400_000;
        let mut stream = Stream::new(7, 0);
        let draws: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
        let moment = |k: i32| draws.iter().map(|x| x.powi(k)).sum::<f64>() / f64::from(n);
        // five standard errors, 6e-7 each
        let error = 5.0 / f64::from(n).sqrt();
        assert!(moment(1).abs() < error);
        assert!((moment(2) - 1.0).abs() < error * 2.0_f64.sqrt());
        assert!(moment(3).abs() < error * 15.0_f64.sqrt());
        assert!((moment(4) - 3.0).abs() < error * 96.0_f64.sqrt());
        let lag: f64 = draws.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / f64::from(n);
        assert!(lag.abs() < error);
        let mut other = Stream::new(7, 1);
        let across: f64 = draws.iter().map(|x| x * other.normal()).sum::<f64>() / f64::from(n);
        assert!(across.abs() < error);
    }
}
