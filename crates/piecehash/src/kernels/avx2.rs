//! Eight lanes with AVX2.

use std::arch::x86_64::*;

use super::in_lanes::{SHA256_K, in_lanes, sha1_rounds, sha256_rounds};
use crate::Block;

type V = __m256i;
const LANES: usize = 8;

in_lanes!(#[target_feature(enable = "avx2")]);

#[inline]
#[target_feature(enable = "avx2")]
fn splat(word: u32) -> V {
    _mm256_set1_epi32(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx2")]
fn add(x: V, y: V) -> V {
    _mm256_add_epi32(x, y)
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor(x: V, y: V) -> V {
    _mm256_xor_si256(x, y)
}

#[inline]
#[target_feature(enable = "avx2")]
fn rotate_left<const N: i32, const REST: i32>(x: V) -> V {
    _mm256_or_si256(_mm256_slli_epi32::<N>(x), _mm256_srli_epi32::<REST>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn shift_right<const N: i32>(x: V) -> V {
    _mm256_srli_epi32::<N>(x)
}

#[inline]
#[target_feature(enable = "avx2")]
fn choose(x: V, y: V, z: V) -> V {
    xor(z, _mm256_and_si256(x, xor(y, z)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn parity(x: V, y: V, z: V) -> V {
    xor(x, xor(y, z))
}

#[inline]
#[target_feature(enable = "avx2")]
fn majority(x: V, y: V, z: V) -> V {
    _mm256_or_si256(_mm256_and_si256(y, z), _mm256_and_si256(x, _mm256_or_si256(y, z)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn from_words(words: [u32; LANES]) -> V {
    let [a, b, c, d, e, f, g, h] = words.map(u32::cast_signed);
    _mm256_setr_epi32(a, b, c, d, e, f, g, h)
}

#[inline]
#[target_feature(enable = "avx2")]
fn to_words(vector: V) -> [u32; LANES] {
    let mut words = [0; LANES];
    // SAFETY: `words` is as large as the vector, and the store may be unaligned.
    unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), vector) };
    words
}

/// The `i`-th block of each lane, as one vector for each of the sixteen big-endian words.
#[inline]
#[target_feature(enable = "avx2")]
fn load(runs: &[&[Block]; LANES], i: usize) -> [V; 16] {
    let mut words = [splat(0); 16];
    for (half, words) in words.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let mut rows = [splat(0); 8];
        for (row, run) in rows.iter_mut().zip(runs) {
            *row = load_half(&run[i], half);
        }
        *words = transpose(rows);
    }
    words
}

/// Eight words of a block: the first half or the second.
#[inline]
#[target_feature(enable = "avx2")]
fn load_half(block: &Block, half: usize) -> V {
    let bytes = &block.as_chunks::<32>().0[half];
    // SAFETY: `bytes` is as large as the vector, and the load may be unaligned.
    let row = unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
    // Swaps the bytes of each word.
    let (low, high) = (0x0405_0607_0001_0203, 0x0c0d_0e0f_0809_0a0b);
    _mm256_shuffle_epi8(row, _mm256_setr_epi64x(low, high, low, high))
}

/// Turns eight rows of eight words into columns.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose(rows: [V; 8]) -> [V; 8] {
    let [a, b, c, d, e, f, g, h] = rows;
    // Each quadruple holds, in both its 128-bit halves, columns 0 to 3 and 4 to 7 of four rows.
    let [p0, p1, p2, p3] = transpose_quarters([a, b, c, d]);
    let [q0, q1, q2, q3] = transpose_quarters([e, f, g, h]);
    [
        _mm256_permute2x128_si256::<0x20>(p0, q0),
        _mm256_permute2x128_si256::<0x20>(p1, q1),
        _mm256_permute2x128_si256::<0x20>(p2, q2),
        _mm256_permute2x128_si256::<0x20>(p3, q3),
        _mm256_permute2x128_si256::<0x31>(p0, q0),
        _mm256_permute2x128_si256::<0x31>(p1, q1),
        _mm256_permute2x128_si256::<0x31>(p2, q2),
        _mm256_permute2x128_si256::<0x31>(p3, q3),
    ]
}

/// Transposes four rows of four words in each 128-bit half.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose_quarters([a, b, c, d]: [V; 4]) -> [V; 4] {
    let (ab_low, ab_high) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    let (cd_low, cd_high) = (_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
    [
        _mm256_unpacklo_epi64(ab_low, cd_low),
        _mm256_unpackhi_epi64(ab_low, cd_low),
        _mm256_unpacklo_epi64(ab_high, cd_high),
        _mm256_unpackhi_epi64(ab_high, cd_high),
    ]
}
