//! The SHA extensions of x86, on one message or on several at once: the instructions of one
//! message wait for each other, those of another fill the gaps.

use std::arch::x86_64::*;

use super::in_lanes::SHA256_K;
use crate::Block;

type V = __m128i;

/// Calls the function for groups of four streams, then for the rest as one smaller group.
///
/// Four keep the unit busy: on Zen 3 a second stream brings 1.7 times the speed of one, a third 2.2,
/// a fourth 2.5, and a fifth nothing more.
macro_rules! in_fours {
    ($streams:ident, $states:ident, $runs:ident) => {
        for (states, runs) in $states.chunks_mut(4).zip($runs.chunks(4)) {
            match (states, runs) {
                ([a], &[p]) => $streams([a], [p]),
                ([a, b], &[p, q]) => $streams([a, b], [p, q]),
                ([a, b, c], &[p, q, r]) => $streams([a, b, c], [p, q, r]),
                ([a, b, c, d], &[p, q, r, s]) => $streams([a, b, c, d], [p, q, r, s]),
                _ => {}
            }
        }
    };
}

/// Advances each SHA-1 state over its run, four at a time; all runs have the same length.
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
pub(crate) fn sha1(states: &mut [[u32; 5]], runs: &[&[Block]]) {
    in_fours!(sha1_streams, states, runs);
}

/// Advances each SHA-256 state over its run, four at a time; all runs have the same length.
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
pub(crate) fn sha256(states: &mut [[u32; 8]], runs: &[&[Block]]) {
    in_fours!(sha256_streams, states, runs);
}

/// Advances `N` SHA-1 states side by side over runs of the same length.
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn sha1_streams<const N: usize>(states: [&mut [u32; 5]; N], runs: [&[Block]; N]) {
    let mut abcd = [_mm_setzero_si128(); N];
    let mut e = [_mm_setzero_si128(); N];
    for i in 0..N {
        let [a, b, c, d, e_word] = states[i].map(u32::cast_signed);
        abcd[i] = _mm_set_epi32(a, b, c, d);
        e[i] = _mm_set_epi32(e_word, 0, 0, 0);
    }
    // Four words of message in the order of the instructions: the first on top.
    let flip = _mm_set_epi64x(0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f);
    for block in 0..shortest(&runs) {
        let (abcd_before, e_before) = (abcd, e);
        let mut w = [[_mm_setzero_si128(); N]; 4];
        // `e` is abcd as it was before the last four rounds: it holds the e of the next four.
        macro_rules! four_rounds {
            ($($g:literal)*) => {$(
                for i in 0..N {
                    w[$g % 4][i] = if $g < 4 {
                        _mm_shuffle_epi8(load(&runs[i][block], $g), flip)
                    } else {
                        let mixed = _mm_sha1msg1_epu32(w[$g % 4][i], w[($g + 1) % 4][i]);
                        let mixed = _mm_xor_si128(mixed, w[($g + 2) % 4][i]);
                        _mm_sha1msg2_epu32(mixed, w[($g + 3) % 4][i])
                    };
                    let sum = if $g == 0 {
                        _mm_add_epi32(e[i], w[$g % 4][i])
                    } else {
                        _mm_sha1nexte_epu32(e[i], w[$g % 4][i])
                    };
                    e[i] = abcd[i];
                    abcd[i] = _mm_sha1rnds4_epu32::<{ $g / 5 }>(abcd[i], sum);
                }
            )*};
        }
        four_rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);
        for i in 0..N {
            e[i] = _mm_sha1nexte_epu32(e[i], e_before[i]);
            abcd[i] = _mm_add_epi32(abcd[i], abcd_before[i]);
        }
    }
    for i in 0..N {
        let [d, c, b, a] = words(abcd[i]);
        *states[i] = [a, b, c, d, words(e[i])[3]];
    }
}

/// Advances `N` SHA-256 states side by side over runs of the same length.
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn sha256_streams<const N: usize>(states: [&mut [u32; 8]; N], runs: [&[Block]; N]) {
    let mut abef = [_mm_setzero_si128(); N];
    let mut cdgh = [_mm_setzero_si128(); N];
    for i in 0..N {
        let [a, b, c, d, e, f, g, h] = states[i].map(u32::cast_signed);
        abef[i] = _mm_set_epi32(a, b, e, f);
        cdgh[i] = _mm_set_epi32(c, d, g, h);
    }
    // Swaps the bytes of each word.
    let flip = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    for block in 0..shortest(&runs) {
        let (abef_before, cdgh_before) = (abef, cdgh);
        let mut w = [[_mm_setzero_si128(); N]; 4];
        macro_rules! four_rounds {
            ($($g:literal)*) => {$(
                let [k0, k1, k2, k3] = SHA256_K.as_chunks::<4>().0[$g].map(u32::cast_signed);
                let k = _mm_set_epi32(k3, k2, k1, k0);
                for i in 0..N {
                    w[$g % 4][i] = if $g < 4 {
                        _mm_shuffle_epi8(load(&runs[i][block], $g), flip)
                    } else {
                        let last = w[($g + 3) % 4][i];
                        let seventh = _mm_alignr_epi8::<4>(last, w[($g + 2) % 4][i]);
                        let mixed = _mm_sha256msg1_epu32(w[$g % 4][i], w[($g + 1) % 4][i]);
                        _mm_sha256msg2_epu32(_mm_add_epi32(mixed, seventh), last)
                    };
                    let sum = _mm_add_epi32(w[$g % 4][i], k);
                    cdgh[i] = _mm_sha256rnds2_epu32(cdgh[i], abef[i], sum);
                    let sum = _mm_shuffle_epi32::<0b1110>(sum);
                    abef[i] = _mm_sha256rnds2_epu32(abef[i], cdgh[i], sum);
                }
            )*};
        }
        four_rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        for i in 0..N {
            abef[i] = _mm_add_epi32(abef[i], abef_before[i]);
            cdgh[i] = _mm_add_epi32(cdgh[i], cdgh_before[i]);
        }
    }
    for i in 0..N {
        let ([f, e, b, a], [h, g, d, c]) = (words(abef[i]), words(cdgh[i]));
        *states[i] = [a, b, c, d, e, f, g, h];
    }
}

/// Four of the sixteen words of a block, as they lie in memory.
#[inline]
#[target_feature(enable = "sse2")]
fn load(block: &Block, group: usize) -> V {
    let bytes = &block.as_chunks::<16>().0[group];
    // SAFETY: `bytes` is as large as the vector, and the load may be unaligned.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// The words of a vector, lowest first.
#[inline]
#[target_feature(enable = "sse2")]
fn words(vector: V) -> [u32; 4] {
    let mut words = [0; 4];
    // SAFETY: `words` is as large as the vector, and the store may be unaligned.
    unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), vector) };
    words
}

fn shortest(runs: &[&[Block]]) -> usize {
    runs.iter().map(|run| run.len()).min().unwrap_or(0)
}
