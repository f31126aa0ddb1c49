//! End to end through the real binary, each test in a folder of its own.
#![allow(clippy::unwrap_used)] // helpers of tests fail as tests do

mod assignment;
mod black_box;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod cards;
mod check;
mod decide;
mod deep;
mod endings;
mod faults;
mod fetch;
mod fit;
mod folder;
mod idx;
mod images;
mod kernel;
mod memory;
mod net;
mod parquet;
mod predict;
mod reading;
mod sandbox;
mod selection;
mod several;
