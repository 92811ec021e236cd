//! Sixteen lanes with AVX-512, whose rotations and three-operand logic take one instruction each.

use std::arch::x86_64::*;

use super::in_lanes::{SHA256_K, in_lanes, sha1_rounds, sha256_rounds};
use crate::Block;

type V = __m512i;
const LANES: usize = 16;

in_lanes!(#[target_feature(enable = "avx512f,avx512bw")]);

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(word: u32) -> V {
    _mm512_set1_epi32(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add(x: V, y: V) -> V {
    _mm512_add_epi32(x, y)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(x: V, y: V) -> V {
    _mm512_xor_si512(x, y)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn rotate_left<const N: i32, const REST: i32>(x: V) -> V {
    _mm512_rol_epi32::<N>(x)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn shift_right<const N: u32>(x: V) -> V {
    _mm512_srli_epi32::<N>(x)
}

// The constants are the truth tables of the functions: bit `4x + 2y + z` is the result.

#[inline]
#[target_feature(enable = "avx512f")]
fn choose(x: V, y: V, z: V) -> V {
    _mm512_ternarylogic_epi32::<0b1100_1010>(x, y, z)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn parity(x: V, y: V, z: V) -> V {
    _mm512_ternarylogic_epi32::<0b1001_0110>(x, y, z)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn majority(x: V, y: V, z: V) -> V {
    _mm512_ternarylogic_epi32::<0b1110_1000>(x, y, z)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn from_words(words: [u32; LANES]) -> V {
    // SAFETY: `words` is as large as the vector, and the load may be unaligned.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn to_words(vector: V) -> [u32; LANES] {
    let mut words = [0; LANES];
    // SAFETY: `words` is as large as the vector, and the store may be unaligned.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), vector) };
    words
}

/// The `i`-th block of each lane, as one vector for each of the sixteen big-endian words.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load(runs: &[&[Block]; LANES], i: usize) -> [V; 16] {
    // Swaps the bytes of each word.
    let flip = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203));
    let mut rows = [splat(0); 16];
    for (row, run) in rows.iter_mut().zip(runs) {
        let block = &run[i];
        // SAFETY: a block is as large as the vector, and the load may be unaligned.
        let words = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
        *row = _mm512_shuffle_epi8(words, flip);
    }
    transpose(rows)
}

/// Turns sixteen rows of sixteen words into columns.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(rows: [V; 16]) -> [V; 16] {
    // Now `fours[q][c]` holds, in its 128-bit quarter k, column 4k + c of rows 4q to 4q + 3.
    let mut fours = [[splat(0); 4]; 4];
    for (four, rows) in fours.iter_mut().zip(rows.as_chunks::<4>().0) {
        *four = transpose_quarters(*rows);
    }
    let mut columns = [splat(0); 16];
    for c in 0..4 {
        let [p, q, r, s] = [fours[0][c], fours[1][c], fours[2][c], fours[3][c]];
        // Quarters 0 and 2, then 1 and 3, of two vectors each.
        let (pq_even, pq_odd) = (even_quarters(p, q), odd_quarters(p, q));
        let (rs_even, rs_odd) = (even_quarters(r, s), odd_quarters(r, s));
        columns[c] = even_quarters(pq_even, rs_even);
        columns[4 + c] = even_quarters(pq_odd, rs_odd);
        columns[8 + c] = odd_quarters(pq_even, rs_even);
        columns[12 + c] = odd_quarters(pq_odd, rs_odd);
    }
    columns
}

/// Quarters 0 and 2 of `x`, then of `y`.
#[inline]
#[target_feature(enable = "avx512f")]
fn even_quarters(x: V, y: V) -> V {
    _mm512_shuffle_i32x4::<0b10_00_10_00>(x, y)
}

/// Quarters 1 and 3 of `x`, then of `y`.
#[inline]
#[target_feature(enable = "avx512f")]
fn odd_quarters(x: V, y: V) -> V {
    _mm512_shuffle_i32x4::<0b11_01_11_01>(x, y)
}

/// Transposes four rows of four words in each 128-bit quarter.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose_quarters([a, b, c, d]: [V; 4]) -> [V; 4] {
    let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    [
        _mm512_unpacklo_epi64(ab_low, cd_low),
        _mm512_unpackhi_epi64(ab_low, cd_low),
        _mm512_unpacklo_epi64(ab_high, cd_high),
        _mm512_unpackhi_epi64(ab_high, cd_high),
    ]
}
