//! Names the kernels and tells which of them this machine can run. A [`Kernel`] value is the proof
//! that it can: there is no other way to get one.

use std::fmt;

/// One way to compute a digest that the machine it was obtained on can run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Kernel(pub(crate) Kind);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    ShaNi,
    #[cfg(target_arch = "x86_64")]
    ShaNi2,
    #[cfg(target_arch = "x86_64")]
    ShaNi3,
    #[cfg(target_arch = "x86_64")]
    ShaNi4,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kind {
    fn detected(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::ShaNi | Self::ShaNi2 | Self::ShaNi3 | Self::ShaNi4 => {
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
        let kinds = [
            Kind::Portable,
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi,
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi2,
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi3,
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi4,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512,
        ];
        kinds.into_iter().filter(|kind| kind.detected()).map(Self).collect()
    }

    /// The kernel of this [name](Self::name), if there is one and the machine can run it.
    pub fn named(name: &str) -> Option<Self> {
        Self::available().into_iter().find(|kernel| kernel.name() == name)
    }

    /// `portable`, `sha-ni`, `sha-ni-2`, `avx2` or `avx-512`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi => "sha-ni",
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi2 => "sha-ni-2",
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi3 => "sha-ni-3",
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi4 => "sha-ni-4",
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
            Kind::ShaNi => 1,
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi2 => 2,
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi3 => 3,
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi4 => 4,
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
