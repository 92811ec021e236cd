//! Client against real sockets.
