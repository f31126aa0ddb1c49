//! The optimum of a small problem by an independent method: the same problem as a cone program for Clarabel.

use clarabel::algebra::CscMatrix;
use clarabel::solver::SupportedConeT::{ExponentialConeT, NonnegativeConeT, ZeroConeT};
use clarabel::solver::{DefaultSettingsBuilder, DefaultSolver, IPSolver, SolverStatus, SupportedConeT};
use infimum_problem::{Intercept, Loss, Matrix, Problem, Target};

/// Rows of `A x + s = b, s ∈ K`, collected cone by cone.
#[derive(Default)]
struct Cones {
    entries: Vec<(usize, usize, f64)>,
    right: Vec<f64>,
    cones: Vec<SupportedConeT<f64>>,
}

impl Cones {
    /// Adds the row `right − Σ coefficient·x` as the next component of the cone being written.
    fn row(&mut self, terms: &[(usize, f64)], right: f64) {
        let row = self.right.len();
        self.entries.extend(terms.iter().filter(|term| term.1 != 0.0).map(|&(column, value)| (row, column, value)));
        self.right.push(right);
    }

    /// `Σ coefficient·x ≤ right`.
    fn at_most(&mut self, terms: &[(usize, f64)], right: f64) {
        self.row(terms, right);
        self.cones.push(NonnegativeConeT(1));
    }

    /// `exp(exponent) ≤ x[above]`, the exponent being linear.
    fn exponential(&mut self, exponent: &[(usize, f64)], above: usize) {
        let negated: Vec<_> = exponent.iter().map(|&(column, value)| (column, -value)).collect();
        self.row(&negated, 0.0);
        self.row(&[], 1.0);
        self.row(&[(above, -1.0)], 0.0);
        self.cones.push(ExponentialConeT());
    }

    /// Whether x satisfies the inequalities and equations, and x and z the condition of stationarity, to 1e-6 (of the largest dual):
    /// "solved" is said of points far from that where a variable has grown to 1e12.
    fn hold(&self, quadratic: &[f64], linear: &[f64], x: &[f64], z: &[f64]) -> bool {
        let mut slacks = self.right.clone();
        let mut gradient: Vec<f64> = (0..x.len()).map(|j| quadratic[j] * x[j] + linear[j]).collect();
        for &(i, j, value) in &self.entries {
            slacks[i] -= value * x[j];
            gradient[j] += value * z[i];
        }
        let mut rows = slacks.into_iter();
        let mut next = || rows.next().expect("as many rows as the cones have");
        let feasible = self.cones.iter().all(|cone| match cone {
            ZeroConeT(_) => next().abs() <= 1e-6,
            NonnegativeConeT(_) => next() >= -1e-6,
            _ => {
                let (exponent, one, above) = (next(), next(), next());
                one == 1.0 && exponent.exp() <= above + 1e-6 * (1.0 + above.abs())
            }
        });
        let largest = z.iter().fold(1.0, |largest: f64, dual| largest.max(dual.abs()));
        feasible && gradient.iter().all(|slope| slope.abs() <= 1e-6 * largest)
    }
}

/// What Clarabel found.
pub struct Optimum {
    /// `min U`.
    pub value: f64,
    /// Part of the value that is no part of the cone program: Clarabel's accuracy is relative to the rest.
    pub constant: f64,
}

impl std::iter::Sum for Optimum {
    fn sum<I: Iterator<Item = Optimum>>(parts: I) -> Optimum {
        parts.fold(Optimum { value: 0.0, constant: 0.0 }, |sum, part| Optimum {
            value: sum.value + part.value,
            constant: sum.constant + part.constant,
        })
    }
}

/// `min U`; one-vs-rest is solved class by class, several targets one by one. `None` if Clarabel does not reach its tolerance.
pub fn optimum(problem: &Problem) -> Option<Optimum> {
    match &problem.data.target {
        Target::Real(values) => one(problem, values, &[], 1),
        Target::Class { labels, classes } if problem.objective.loss == Loss::Softmax => {
            one(problem, &[], classes, labels.len())
        }
        Target::Several { names, values } => (0..names.len())
            .map(|k| {
                let y: Vec<f64> = values.iter().skip(k).step_by(names.len()).copied().collect();
                one(problem, &y, &[], 1)
            })
            .sum(),
        Target::Class { classes, .. } => (0..problem.outputs())
            .map(|k| {
                let positive = if problem.outputs() == 1 { 1 } else { k as u32 };
                let y: Vec<f64> = classes.iter().map(|&c| if c == positive { 1.0 } else { -1.0 }).collect();
                one(problem, &y, &[], 1)
            })
            .sum(),
    }
}

fn one(problem: &Problem, y: &[f64], classes: &[u32], outputs: usize) -> Option<Optimum> {
    let (data, objective) = (&problem.data, &problem.objective);
    let (n, d) = (data.rows(), data.columns());
    let weight = |k: usize, j: usize| k * d + j;
    let intercept = |k: usize| outputs * d + k;
    let mut quadratic = vec![0.0; outputs * (d + 1)];
    let mut linear = quadratic.clone();
    let mut cones = Cones::default();
    let mut constant = 0.0;
    for k in 0..outputs {
        for j in 0..=d {
            let (index, scale) = if j < d { (weight(k, j), objective.scale(j)) } else { (intercept(k), 1.0) };
            let penalised = j < d || objective.intercept == Intercept::Penalized;
            if j == d && objective.intercept == Intercept::None {
                cones.row(&[(index, 1.0)], 0.0);
                cones.cones.push(ZeroConeT(1));
            }
            if penalised {
                quadratic[index] = objective.lambda2 * scale * scale;
            }
            if penalised && objective.lambda1 > 0.0 {
                // magnitude ≥ |w|; without a price it would be free to grow until no digit of the rest is left
                let magnitude = quadratic.len();
                quadratic.push(0.0);
                linear.push(objective.lambda1 * scale);
                cones.at_most(&[(index, 1.0), (magnitude, -1.0)], 0.0);
                cones.at_most(&[(index, -1.0), (magnitude, -1.0)], 0.0);
            }
        }
    }
    for i in 0..n {
        let c = data.weights[i];
        let output = |k: usize, factor: f64| -> Vec<(usize, f64)> {
            let mut terms = vec![(intercept(k), factor)];
            row_of(&data.matrix, i).into_iter().for_each(|(j, x)| terms.push((weight(k, j), factor * x)));
            terms
        };
        let mut fresh = |q: f64, l: f64| {
            quadratic.push(q);
            linear.push(l);
            quadratic.len() - 1
        };
        match objective.loss {
            Loss::Squared => {
                // residual r = z − y
                let r = fresh(c, 0.0);
                let mut terms = output(0, 1.0);
                terms.push((r, -1.0));
                cones.row(&terms, y[i]);
                cones.cones.push(ZeroConeT(1));
            }
            Loss::Epsilon(epsilon) | Loss::SquaredEpsilon(epsilon) => {
                // ξ ≥ |z − y| − ε
                let is_linear = matches!(objective.loss, Loss::Epsilon(_));
                let xi = if is_linear { fresh(0.0, c) } else { fresh(2.0 * c, 0.0) };
                for sign in [1.0, -1.0] {
                    let mut terms = output(0, sign);
                    terms.push((xi, -1.0));
                    cones.at_most(&terms, sign * y[i] + epsilon);
                }
                cones.at_most(&[(xi, -1.0)], 0.0);
            }
            Loss::Huber(delta) => {
                // z − y = a + b, cost ½a² + δ|b|
                let (a, b, magnitude) = (fresh(c, 0.0), fresh(0.0, 0.0), fresh(0.0, c * delta));
                let mut terms = output(0, 1.0);
                terms.extend([(a, -1.0), (b, -1.0)]);
                cones.row(&terms, y[i]);
                cones.cones.push(ZeroConeT(1));
                cones.at_most(&[(b, 1.0), (magnitude, -1.0)], 0.0);
                cones.at_most(&[(b, -1.0), (magnitude, -1.0)], 0.0);
            }
            Loss::Poisson => {
                // y (exp(t) − 1 − t) with t = z − ln y, or exp(z)
                let shift = if y[i] > 0.0 { y[i].ln() } else { 0.0 };
                let (t, mass) = (fresh(0.0, -c * y[i]), fresh(0.0, c * if y[i] > 0.0 { y[i] } else { 1.0 }));
                let mut terms = output(0, 1.0);
                terms.push((t, -1.0));
                cones.row(&terms, shift);
                cones.cones.push(ZeroConeT(1));
                cones.exponential(&[(t, 1.0)], mass);
                constant -= c * y[i];
            }
            Loss::Quantile(tau) => {
                // z − y = above − below
                let (above, below) = (fresh(0.0, c * (1.0 - tau)), fresh(0.0, c * tau));
                let mut terms = output(0, 1.0);
                terms.extend([(above, -1.0), (below, 1.0)]);
                cones.row(&terms, y[i]);
                cones.cones.push(ZeroConeT(1));
                cones.at_most(&[(above, -1.0)], 0.0);
                cones.at_most(&[(below, -1.0)], 0.0);
            }
            Loss::Hinge | Loss::SquaredHinge => {
                let xi = if objective.loss == Loss::Hinge { fresh(0.0, c) } else { fresh(2.0 * c, 0.0) };
                let mut terms = output(0, -y[i]);
                terms.push((xi, -1.0));
                cones.at_most(&terms, -1.0);
                cones.at_most(&[(xi, -1.0)], 0.0);
            }
            Loss::Logistic => {
                let (u, first, second) = (fresh(0.0, c), fresh(0.0, 0.0), fresh(0.0, 0.0));
                let mut terms = output(0, -y[i]);
                terms.push((u, -1.0));
                cones.exponential(&terms, first);
                cones.exponential(&[(u, -1.0)], second);
                cones.at_most(&[(first, 1.0), (second, 1.0)], 1.0);
            }
            Loss::Softmax => {
                let u = fresh(0.0, c);
                let parts: Vec<usize> = (0..outputs).map(|_| fresh(0.0, 0.0)).collect();
                for k in 0..outputs {
                    let mut terms = output(k, 1.0);
                    terms.push((u, -1.0));
                    cones.exponential(&terms, parts[k]);
                }
                cones.at_most(&parts.iter().map(|&p| (p, 1.0)).collect::<Vec<_>>(), 1.0);
                for (index, factor) in output(classes[i] as usize, -c) {
                    linear[index] += factor;
                }
            }
        }
    }
    let size = quadratic.len();
    let diagonal: Vec<usize> = (0..size).collect();
    let p = CscMatrix::new_from_triplets(size, size, diagonal.clone(), diagonal, quadratic.clone());
    let (rows, columns, values) = unzip(&cones.entries);
    let a = CscMatrix::new_from_triplets(cones.right.len(), size, rows, columns, values);
    let settings = DefaultSettingsBuilder::default().verbose(false).max_iter(300).build().ok()?;
    let mut solver = DefaultSolver::new(&p, &linear, &a, &cones.right, &cones.cones, settings).ok()?;
    solver.solve();
    let solution = &solver.solution;
    let solved = solution.status == SolverStatus::Solved && cones.hold(&quadratic, &linear, &solution.x, &solution.z);
    solved.then_some(Optimum { value: solution.obj_val + constant, constant })
}

fn row_of(matrix: &Matrix, i: usize) -> Vec<(usize, f64)> {
    let mut row = Vec::new();
    matrix.row(i).for_each(|j, x| row.push((j, x)));
    row
}

fn unzip(entries: &[(usize, usize, f64)]) -> (Vec<usize>, Vec<usize>, Vec<f64>) {
    let rows = entries.iter().map(|entry| entry.0).collect();
    let columns = entries.iter().map(|entry| entry.1).collect();
    (rows, columns, entries.iter().map(|entry| entry.2).collect())
}
