//! Tests of the parent module; they decide nothing.
