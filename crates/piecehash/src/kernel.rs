//! Names the kernels and tells which of them this machine can run. A [`Kernel`] value is the proof
//! that it can: there is no other way to get one.

use std::fmt;
use std::sync::OnceLock;

/// One way to compute digests that the machine it was obtained on can run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Kernel(pub(crate) Kind);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    ShaNi,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kind {
    const ALL: &[Self] = &[
        Self::Portable,
        #[cfg(target_arch = "x86_64")]
        Self::ShaNi,
        #[cfg(target_arch = "x86_64")]
        Self::Avx2,
        #[cfg(target_arch = "x86_64")]
        Self::Avx512,
    ];

    /// Whether the CPU has every feature that the kernel's functions are built for.
    fn detected(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::ShaNi => {
                is_x86_feature_detected!("sha")
                    && is_x86_feature_detected!("sse2")
                    && is_x86_feature_detected!("ssse3")
                    && is_x86_feature_detected!("sse4.1")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
            }
        }
    }
}

impl Kernel {
    /// The kernel that every machine has.
    pub(crate) const PORTABLE: Self = Self(Kind::Portable);

    /// All kernels this machine can run, the portable one first.
    pub fn available() -> Vec<Self> {
        Kind::ALL.iter().copied().filter(|kind| kind.detected()).map(Self).collect()
    }

    /// The kernel of this [name](Self::name), if there is one and the machine can run it.
    pub fn named(name: &str) -> Option<Self> {
        Self::available().into_iter().find(|kernel| kernel.name() == name)
    }

    /// The kernel that the environment variable `PIECES_HASH_KERNEL` names, read once.
    ///
    /// It then serves everything but the methods of [`Kernel`] itself. A name that is unknown, or
    /// whose kernel this machine cannot run, counts as not set.
    pub fn forced() -> Option<Self> {
        static FORCED: OnceLock<Option<Kernel>> = OnceLock::new();
        *FORCED.get_or_init(|| Self::named(std::env::var("PIECES_HASH_KERNEL").ok()?.as_str()))
    }

    /// The kernel for one message at a time. Needs no measuring: lanes are of no use to it, and no
    /// other instructions come near those made for it.
    pub(crate) fn single() -> Self {
        let best = Self::PORTABLE;
        #[cfg(target_arch = "x86_64")]
        let best = if Kind::ShaNi.detected() { Self(Kind::ShaNi) } else { best };
        Self::forced().unwrap_or(best)
    }

    /// How it is called in `PIECES_HASH_KERNEL`, in tests and in benchmarks.
    ///
    /// - `portable`: the crates `sha1` and `sha2`, which know some CPUs' instructions themselves
    /// - `sha-ni`: the SHA extensions of x86, up to four messages interleaved
    /// - `avx2`: eight lanes
    /// - `avx-512`: sixteen lanes
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi => "sha-ni",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx-512",
        }
    }

    /// How many messages it works on at once.
    pub fn width(self) -> usize {
        match self.0 {
            Kind::Portable => 1,
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi => 4,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => 8,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => 16,
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
