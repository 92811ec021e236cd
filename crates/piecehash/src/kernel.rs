//! Names the kernels and tells which of them this machine can run. A [`Kernel`] value is the proof
//! that it can: there is no other way to get one.

use std::fmt;

/// One way to compute a digest that the machine it was obtained on can run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Kernel(pub(crate) Kind);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Kind {
    Portable,
}

impl Kernel {
    /// The kernel that every machine has.
    pub(crate) const PORTABLE: Self = Self(Kind::Portable);

    /// All kernels this machine can run, [portable](Self::name) first.
    pub fn available() -> Vec<Self> {
        vec![Self::PORTABLE]
    }

    /// The kernel of this name, if there is one and the machine can run it.
    pub fn named(name: &str) -> Option<Self> {
        Self::available().into_iter().find(|kernel| kernel.name() == name)
    }

    /// `portable`, `sha-ni`, `sha-ni-2`, `avx2` or `avx-512`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
        }
    }

    /// How many messages it works on at once.
    pub fn width(self) -> usize {
        match self.0 {
            Kind::Portable => 1,
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
