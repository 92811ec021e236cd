//! The kernels: each turns chaining values and blocks into chaining values, nothing else.
