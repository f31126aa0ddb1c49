//! End to end through the real binary, each test in a folder of its own.

mod check;
mod endings;
mod faults;
mod folder;
mod predict;
mod sandbox;
