//! Walks the tree of cones in preorder without recursion, and hands every leaf its cone.
//!
//! Invariant: `cone` has the generators of the node that comes next; a `Frame` for every split above it says what stood in the cone before, so that a step back
//! is one exchange. By theorem 4 the leaves cover R^r if the walk ends with the last node and the stack empty after each of the r + 1 roots.

use std::rc::Rc;

use infimum_problem::ConeNode;
use infimum_rigor::Interval;

use super::generator::{Generator, Rows};

/// Splits above a leaf; each halves an edge, so that trees in use have a few hundred at most.
const MOST_DEPTH: usize = 4_096;

/// How many values generators may keep, together; beyond, they are computed anew for every leaf.
const MOST_VALUES: usize = 1 << 25;

/// The walk over a tree.
pub(super) struct Cover<'a> {
    rows: &'a Rows,
    /// The r + 1 vectors that the roots lack one of.
    fan: Vec<Rc<Generator>>,
}

/// A split that has leaves to come.
struct Frame {
    from: usize,
    to: usize,
    /// The vector between the two.
    between: Rc<Generator>,
    /// What stood in `from` before; `None` while the second cone is visited.
    first: Option<Rc<Generator>>,
    /// What stood in `to` before.
    second: Rc<Generator>,
}

impl<'a> Cover<'a> {
    /// The vectors s_j e_j and then −Σ_j s_j e_j.
    pub(super) fn new(rows: &'a Rows, lengths: &[f64]) -> Cover<'a> {
        let axis = |j: usize| {
            let length = |i| if i == j { Interval::point(lengths[j]) } else { Interval::ZERO };
            (0..lengths.len()).map(length).collect()
        };
        let last = lengths.iter().map(|&s| Interval::point(-s)).collect();
        let vectors = (0..lengths.len()).map(axis).chain([last]);
        Cover { rows, fan: vectors.map(|vector| Rc::new(rows.generator(vector, keeps(rows, 0)))).collect() }
    }

    /// Calls `leaf` with the cone, q and slopes of every leaf; the error is that of a leaf, or says what is wrong with the tree.
    pub(super) fn visit(
        &self,
        nodes: &[ConeNode],
        leaf: impl Fn(&[Rc<Generator>], &[f64], &[(u32, u8)]) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut next = nodes.iter().enumerate();
        for lacking in 0..self.fan.len() {
            let others = self.fan.iter().enumerate().filter(|&(j, _)| j != lacking);
            let mut cone: Vec<Rc<Generator>> = others.map(|(_, vector)| vector.clone()).collect();
            let mut stack: Vec<Frame> = Vec::new();
            loop {
                let Some((place, node)) = next.next() else {
                    return Err("the tree ends early".into());
                };
                match node {
                    ConeNode::Split { from, to, weights } => {
                        if stack.len() == MOST_DEPTH {
                            return Err(format!("node {place}: more than {MOST_DEPTH} splits above a leaf"));
                        }
                        let frame =
                            self.split(&cone, usize::from(*from), usize::from(*to), *weights, stack.len()).ok_or_else(
                                || format!("node {place}: two places of {} and weights > 0 expected", cone.len()),
                            )?;
                        cone[frame.from] = frame.between.clone();
                        stack.push(frame);
                        continue;
                    }
                    ConeNode::Leaf { q, slopes } => {
                        if q.len() != cone.len() {
                            return Err(format!("node {place}: {} numbers in q, {} expected", q.len(), cone.len()));
                        }
                        leaf(&cone, q, slopes).map_err(|why| format!("node {place}: {why}"))?;
                    }
                }
                step_back(&mut cone, &mut stack);
                if stack.is_empty() {
                    break;
                }
            }
        }
        match next.next() {
            None => Ok(()),
            Some((place, _)) => Err(format!("the tree ends before node {place} of {}", nodes.len())),
        }
    }

    /// The split of a cone, if it is one.
    fn split(
        &self,
        cone: &[Rc<Generator>],
        from: usize,
        to: usize,
        weights: (f64, f64),
        depth: usize,
    ) -> Option<Frame> {
        let (first, second) = (cone.get(from)?.clone(), cone.get(to)?.clone());
        let positive = |weight: f64| weight > 0.0 && weight.is_finite();
        if from == to || !positive(weights.0) || !positive(weights.1) {
            return None;
        }
        let (s, t) = (Interval::point(weights.0), Interval::point(weights.1));
        let vector = first.vector.iter().zip(&second.vector).map(|(&a, &b)| s * a + t * b).collect();
        let between = Rc::new(self.rows.generator(vector, keeps(self.rows, depth + 1)));
        Some(Frame { from, to, between, first: Some(first), second })
    }
}

/// Whether a generator made below so many splits keeps its values.
fn keeps(rows: &Rows, depth: usize) -> bool {
    (depth + rows.places + 1).saturating_mul(rows.negative.len()) <= MOST_VALUES
}

/// After a leaf: on to the second cone of the last split that has one to come.
fn step_back(cone: &mut [Rc<Generator>], stack: &mut Vec<Frame>) {
    while let Some(frame) = stack.last_mut() {
        if let Some(first) = frame.first.take() {
            cone[frame.from] = first;
            cone[frame.to] = frame.between.clone();
            return;
        }
        cone[frame.to] = frame.second.clone();
        stack.pop();
    }
}
