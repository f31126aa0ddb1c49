//! The log of a run: what happened ([`Header`], [`Row`], [`Closing`]), how it is printed ([`print`](mod@crate::print)), and the
//! [`Log`], a [`Monitor`](infimum_problem::Monitor) that prints it while a solver runs and tells the solver when to stop.
//!
//! Series of fits are tables of [`Point`]s.
//!
//! Values are shown as means F = U / Σc. Bounds in the rows are the solver's `f64` evaluations; only the closing block,
//! written after the certificate was checked, says "proven".
#![forbid(unsafe_code)]

mod info;
mod loading;
mod log;
mod plot;
mod points;
pub mod print;

pub use info::{Closing, Header, Proof, Row};
pub use loading::{
    LoadingClosing, LoadingHeader, MarginLine, TermLine, loading_answer, loading_closing, loading_header,
};
pub use log::Log;
pub use plot::{Line, curve_svg};
pub use points::{Point, SeriesClosing, point, points_csv, points_head, series_closing};
