//! SHA-1 and SHA-256 with one message in each lane of a vector, written once for all vector widths.
//! Owns the rounds; the instructions come from the module that expands [`in_lanes!`].

/// FIPS 180-4, 4.2.2.
pub(crate) const SHA256_K: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];

/// One SHA-1 round for each `$t`, on the states `$s` and the message words `$w`.
///
/// Instead of moving a to b, b to c and so on, each round reads the five words one place further.
macro_rules! sha1_rounds {
    ($s:ident, $w:ident, $f:ident, $k:literal, $($t:literal)*) => {
        let k = splat($k);
        $(
            if $t >= 16 {
                let mixed = parity($w[($t + 13) % 16], $w[($t + 8) % 16], $w[($t + 2) % 16]);
                $w[$t % 16] = rotate_left::<1, 31>(xor(mixed, $w[$t % 16]));
            }
            let [a, b, c, d, e] = [80 - $t, 81 - $t, 82 - $t, 83 - $t, 84 - $t].map(|i| i % 5);
            let sum = add(add($s[e], add($w[$t % 16], k)), $f($s[b], $s[c], $s[d]));
            $s[e] = add(sum, rotate_left::<5, 27>($s[a]));
            $s[b] = rotate_left::<30, 2>($s[b]);
        )*
    };
}

/// One SHA-256 round for each `$t`, on the states `$s`, the message words `$w` and the constants
/// `$k`; leaves in each word the one that comes sixteen rounds later.
macro_rules! sha256_rounds {
    ($s:ident, $w:ident, $k:ident, $($t:literal)*) => {
        $(
            let [a, b, c, d] = [16 - $t, 17 - $t, 18 - $t, 19 - $t].map(|i| i % 8);
            let [e, f, g, h] = [20 - $t, 21 - $t, 22 - $t, 23 - $t].map(|i| i % 8);
            let sum = add($s[h], add($w[$t], splat($k[$t])));
            let sum = add(sum, choose($s[e], $s[f], $s[g]));
            let sum = add(sum, parity(
                rotate_left::<26, 6>($s[e]),
                rotate_left::<21, 11>($s[e]),
                rotate_left::<7, 25>($s[e]),
            ));
            $s[d] = add($s[d], sum);
            let top = add(majority($s[a], $s[b], $s[c]), parity(
                rotate_left::<30, 2>($s[a]),
                rotate_left::<19, 13>($s[a]),
                rotate_left::<10, 22>($s[a]),
            ));
            $s[h] = add(sum, top);
            let (old, new) = ($w[($t + 1) % 16], $w[($t + 14) % 16]);
            let old = parity(
                rotate_left::<25, 7>(old),
                rotate_left::<14, 18>(old),
                shift_right::<3>(old),
            );
            let new = parity(
                rotate_left::<15, 17>(new),
                rotate_left::<13, 19>(new),
                shift_right::<10>(new),
            );
            $w[$t] = add(add($w[$t], old), add($w[($t + 9) % 16], new));
        )*
    };
}

/// Defines `sha1` and `sha256` for up to `LANES` messages, built for the given CPU features.
///
/// The surrounding module provides the vector type `V` of `LANES` 32-bit words, its operations
/// `splat`, `add`, `xor`, `rotate_left::<N, {32 - N}>`, `shift_right::<N>`, and the three Boolean
/// functions of the rounds, `choose`, `parity` and `majority`; `from_words` and `to_words`; and
/// `load`, which turns the i-th block of each lane into sixteen vectors, one for each message word.
macro_rules! in_lanes {
    ($(#[$features:meta])*) => {
        /// Advances each SHA-1 state over its run; at most `LANES`, all runs of the same length.
        $(#[$features])*
        pub(crate) fn sha1(states: &mut [[u32; 5]], runs: &[&[Block]]) {
            let mut vectors = gather(states);
            let runs = fill(runs);
            for i in 0..shortest(&runs) {
                let (mut s, mut w) = (vectors, load(&runs, i));
                sha1_rounds!(s, w, choose, 0x5a82_7999, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);
                sha1_rounds!(s, w, parity, 0x6ed9_eba1, 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39);
                sha1_rounds!(s, w, majority, 0x8f1b_bcdc, 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59);
                sha1_rounds!(s, w, parity, 0xca62_c1d6, 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79);
                for (vector, word) in vectors.iter_mut().zip(s) {
                    *vector = add(*vector, word);
                }
            }
            scatter(vectors, states);
        }

        /// Advances each SHA-256 state over its run; at most `LANES`, all runs of the same length.
        $(#[$features])*
        pub(crate) fn sha256(states: &mut [[u32; 8]], runs: &[&[Block]]) {
            let mut vectors = gather(states);
            let runs = fill(runs);
            for i in 0..shortest(&runs) {
                let (mut s, mut w) = (vectors, load(&runs, i));
                for k in SHA256_K.as_chunks::<16>().0 {
                    sha256_rounds!(s, w, k, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
                }
                for (vector, word) in vectors.iter_mut().zip(s) {
                    *vector = add(*vector, word);
                }
            }
            scatter(vectors, states);
        }

        /// One vector for each word of the states; idle lanes hold zeros.
        $(#[$features])*
        fn gather<const N: usize>(states: &[[u32; N]]) -> [V; N] {
            let mut vectors = [splat(0); N];
            for (word, vector) in vectors.iter_mut().enumerate() {
                let mut words = [0; LANES];
                for (value, state) in words.iter_mut().zip(states) {
                    *value = state[word];
                }
                *vector = from_words(words);
            }
            vectors
        }

        $(#[$features])*
        fn scatter<const N: usize>(vectors: [V; N], states: &mut [[u32; N]]) {
            for (word, vector) in vectors.into_iter().enumerate() {
                for (state, value) in states.iter_mut().zip(to_words(vector)) {
                    state[word] = value;
                }
            }
        }

        /// Gives the idle lanes the first lane's blocks to chew on.
        fn fill<'a>(runs: &[&'a [Block]]) -> [&'a [Block]; LANES] {
            let first = runs.first().copied().unwrap_or_default();
            std::array::from_fn(|lane| runs.get(lane).copied().unwrap_or(first))
        }

        fn shortest(runs: &[&[Block]; LANES]) -> usize {
            runs.iter().map(|run| run.len()).min().unwrap_or(0)
        }
    };
}

pub(crate) use {in_lanes, sha1_rounds, sha256_rounds};
