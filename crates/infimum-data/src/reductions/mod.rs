//! Formulas as loading problems, and weights as assignments: the reductions that make the loading problem NP-complete, both ways
//! (docs/loading-reductions.md).

mod blum_rivest;
mod cnf;
mod judd;
mod splitting;
#[cfg(test)]
mod testing;

pub use blum_rivest::{hidden_units_of_splitting, points_of_splitting, splitting_of_hidden_units};
pub use cnf::Cnf;
pub use judd::{JuddTask, assignment_of_hidden_units, hidden_units_of_assignment, judd_task};
pub use splitting::SetSplitting;
