//! The tree of cones while it grows, and as a certificate.

use infimum_problem::{ConeNode, Cones};

use super::cone::{Proof, Split};
use super::rows::Rows;

/// What became of a cone.
pub(super) enum Place<const R: usize> {
    /// It waits.
    Waiting,
    /// It was split; its children stand at `first` and `first + 1`.
    Split { split: Split, first: u32 },
    /// It needs no splitting.
    Closed(Proof<R>),
}

/// Places 0 … R are the fan's cones.
pub(super) struct Tree<const R: usize> {
    places: Vec<Place<R>>,
}

impl<const R: usize> Tree<R> {
    /// The fan.
    pub(super) fn new() -> Tree<R> {
        Tree { places: (0..=R).map(|_| Place::Waiting).collect() }
    }

    /// Settles what became of a cone.
    pub(super) fn set(&mut self, place: u32, what: Place<R>) {
        self.places[place as usize] = what;
    }

    /// Appends the places below a cone: of `below`, entry 0 is the cone at `place` itself, and the children's places
    /// count within `below`. Returns what must be added to a place of `below` other than 0.
    pub(super) fn graft(&mut self, place: u32, below: Vec<Place<R>>) -> u32 {
        let offset = self.places.len() as u32 - 1;
        for (i, mut what) in below.into_iter().enumerate() {
            if let Place::Split { first, .. } = &mut what {
                *first += offset;
            }
            if i == 0 {
                self.places[place as usize] = what;
            } else {
                self.places.push(what);
            }
        }
        offset
    }

    /// The certificate and its bound. No cone waits any longer.
    pub(super) fn certificate(self, rows: &Rows<R>) -> (Cones, f64) {
        let mut nodes = Vec::with_capacity(self.places.len());
        let mut bound = 0.0f64;
        let mut left: Vec<u32> = (0..=R as u32).rev().collect();
        let mut places = self.places;
        while let Some(place) = left.pop() {
            match std::mem::replace(&mut places[place as usize], Place::Waiting) {
                Place::Split { split: Split { from, to, weights }, first } => {
                    left.extend([first + 1, first]);
                    nodes.push(ConeNode::Split { from: from as u8, to: to as u8, weights });
                }
                Place::Closed((q, slopes)) => {
                    let q = rows.recorded(&q).to_vec();
                    bound = bound.max(rows.bound_of(&q));
                    nodes.push(ConeNode::Leaf { q, slopes });
                }
                // Not reached; a cone without a proof proves nothing.
                Place::Waiting => bound = f64::INFINITY,
            }
        }
        (Cones { basis: rows.basis.clone(), fan: rows.lengths.clone(), nodes }, bound)
    }
}
