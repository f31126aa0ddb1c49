//! The steps of `infimum_deep`'s optimizers (`training/optimizer/`), formula by formula, on a card. No number comes to the host.

use burn_tensor::Tensor;
use burn_tensor::backend::Backend;
use infimum_deep::training::{Adam, INTERPOLATION, ITERATIONS, NEWTON_SCHULZ, Optimizer, Piece, Rule, StepNumbers};

/// θ, a gradient, what an optimizer remembers: numbers one after another.
pub(crate) type Numbers<B> = Tensor<B, 1>;

/// One step. `slots` are as [`Rule::first_slots`] orders them.
pub(crate) fn step<B: Backend>(
    rule: &Rule,
    parameters: &mut Numbers<B>,
    gradient: Numbers<B>,
    slots: &mut [Numbers<B>],
    numbers: &StepNumbers,
) {
    let (memory, averages) = slots.split_at_mut(rule.own_slots());
    let target = averages.first_mut().unwrap_or(&mut *parameters);
    if rule.decoupled > 0.0 {
        *target = target.clone() * (1.0 - numbers.rate as f32 * rule.decoupled);
    }
    let cut = |all: &Numbers<B>, piece: &Piece| match rule.pieces.len() {
        1 => all.clone(),
        _ => all.clone().slice([piece.range.clone()]),
    };
    let mut moved = Vec::with_capacity(rule.pieces.len());
    for piece in &rule.pieces {
        let memory: Vec<Numbers<B>> = memory.iter().map(|slot| cut(slot, piece)).collect();
        moved.push(piece_step(rule, piece, cut(target, piece), cut(&gradient, piece), memory, numbers));
    }
    let mut columns = moved.into_iter().map(Vec::into_iter).collect::<Vec<_>>();
    let mut join = || Tensor::cat(columns.iter_mut().filter_map(Iterator::next).collect(), 0);
    *target = join();
    memory.iter_mut().for_each(|slot| *slot = join());
    if let [z, x] = averages {
        // x ← x + share (z − x), y ← (1 − β) z + β x.
        *x = x.clone() + (z.clone() - x.clone()) * numbers.share;
        *parameters = z.clone() * (1.0 - INTERPOLATION) + x.clone() * INTERPOLATION;
    }
}

/// θ and the slots of one piece after the step.
fn piece_step<B: Backend>(
    rule: &Rule,
    piece: &Piece,
    theta: Numbers<B>,
    gradient: Numbers<B>,
    memory: Vec<Numbers<B>>,
    numbers: &StepNumbers,
) -> Vec<Numbers<B>> {
    let rate = numbers.rate as f32;
    let mut memory = memory.into_iter();
    let (Some(first), second) = (memory.next(), memory.next()) else { return vec![theta] };
    let momentum = |first: Numbers<B>| first * rule.momentum + gradient.clone();
    match (piece.matrix, second) {
        (Some(sides), second) => {
            let first = momentum(first);
            let along = gradient.clone() + first.clone() * rule.momentum;
            let length = rate * 0.2 * (sides[0].max(sides[1]) as f32).sqrt();
            let theta = theta - orthogonalised(along, sides) * length;
            [theta, first].into_iter().chain(second).collect()
        }
        (None, Some(second)) if rule.optimizer != Optimizer::Sgd => {
            let adam = Adam::at(numbers.count, numbers.rate, rule.schedule_free);
            let first = first * adam.first + gradient.clone() * (1.0 - adam.first);
            let square = gradient.clone() * gradient;
            let second = second * Adam::SECOND as f32 + square * (1.0 - Adam::SECOND) as f32;
            let width = second.clone().sqrt() * adam.correction + Adam::EPSILON;
            vec![theta - first.clone() * adam.step / width, first, second]
        }
        (None, second) => {
            let first = momentum(first);
            let theta = theta - (gradient.clone() + first.clone() * rule.momentum) * rate;
            [theta, first].into_iter().chain(second).collect()
        }
    }
}

/// Newton-Schulz iterations of Muon (`infimum_deep`, `training/optimizer/muon.rs`). A zero matrix stays one.
fn orthogonalised<B: Backend>(matrix: Numbers<B>, [rows, columns]: [usize; 2]) -> Numbers<B> {
    let [a, b, c] = NEWTON_SCHULZ;
    let norm = (matrix.clone() * matrix.clone()).sum().sqrt().clamp_min(f32::MIN_POSITIVE);
    let mut x: Tensor<B, 2> = (matrix / norm).reshape([rows, columns]);
    for _ in 0..ITERATIONS {
        let transposed = x.clone().transpose();
        let wide = rows <= columns;
        let gram = if wide { x.clone().matmul(transposed) } else { transposed.matmul(x.clone()) };
        let square = gram.clone().matmul(gram.clone());
        let factor = gram * b + square * c;
        let next = if wide { factor.matmul(x.clone()) } else { x.clone().matmul(factor) };
        x = x * a + next;
    }
    x.reshape([rows * columns])
}
