//! The cones of one side and the scaling of Nesterov & Todd (SIAM J. Optim. 1998), in which a primal and a dual point are the same point λ: `W⁻¹s = Wz = λ`.
//! Jordan products and inverses as in Vandenberghe, *The CVXOPT linear and quadratic cone program solvers*, 2010, sections 4 and 5.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par, Scale, Side as Half};
use rayon::prelude::*;

use super::super::blocks::dot;

/// An element of the product of cones: semidefinite matrices of the clusters, second-order cones (two columns for each row), products of two rows, and t − tr U.
#[derive(Clone)]
pub(super) struct Cones {
    pub(super) semidefinite: Vec<Mat<f64>>,
    pub(super) second: Mat<f64>,
    pub(super) products: Vec<[f64; 4]>,
    pub(super) spare: f64,
}

/// W of each cone.
pub(super) struct Scaling {
    pub(super) semidefinite: Vec<Semidefinite>,
    pub(super) second: Vec<Second>,
    /// W⁻² = z/s.
    pub(super) products: Vec<[f64; 4]>,
    pub(super) spare: f64,
}

/// `W⁻¹(P) = R P Rᵀ`, `W(D) = R⁻ᵀ D R⁻¹`.
pub(super) struct Semidefinite {
    /// R.
    root: Mat<f64>,
    /// R⁻¹.
    inverse: Mat<f64>,
    /// RᵀR: W⁻²(P) = M P M.
    pub(super) square: Mat<f64>,
    lambda: Vec<f64>,
}

/// `W = β(2vvᵀ − J)`, J = diag(1, −1, …, −1).
pub(super) struct Second {
    beta: f64,
    v: Vec<f64>,
    lambda: Vec<f64>,
    /// With q = √2/β·Jw̄: W⁻² = q qᵀ − J/β².
    pub(super) normal: Vec<f64>,
    /// β⁻².
    pub(super) scale: f64,
}

impl Cones {
    /// `Σ` of the products of corresponding numbers: s·z.
    pub(super) fn inner(&self, other: &Cones) -> f64 {
        let pair = |(a, b): (&Mat<f64>, &Mat<f64>)| -> f64 {
            (0..a.ncols()).map(|j| dot(a.col_as_slice(j), b.col_as_slice(j))).sum()
        };
        let semidefinite: f64 = self.semidefinite.iter().zip(&other.semidefinite).map(pair).sum();
        let products: f64 = self.products.iter().zip(&other.products).map(|(a, b)| dot(a, b)).sum();
        semidefinite + pair((&self.second, &other.second)) + products + self.spare * other.spare
    }

    /// `factor·self`.
    pub(super) fn times(&self, factor: f64) -> Cones {
        Cones {
            semidefinite: self.semidefinite.iter().map(|matrix| matrix * Scale(factor)).collect(),
            second: &self.second * Scale(factor),
            products: self.products.iter().map(|four| four.map(|value| factor * value)).collect(),
            spare: factor * self.spare,
        }
    }

    /// `self += factor·other`.
    pub(super) fn add(&mut self, other: &Cones, factor: f64) {
        let add = |a: &mut Mat<f64>, b: &Mat<f64>| {
            for j in 0..a.ncols() {
                a.col_as_slice_mut(j).iter_mut().zip(b.col_as_slice(j)).for_each(|(a, b)| *a += factor * b);
            }
        };
        self.semidefinite.iter_mut().zip(&other.semidefinite).for_each(|(a, b)| add(a, b));
        add(&mut self.second, &other.second);
        for (a, b) in self.products.iter_mut().zip(&other.products) {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += factor * b);
        }
        self.spare += factor * other.spare;
    }

    /// The inverse in the sense of Jordan: what the barrier's gradient is the negative of. `None` outside of the cones.
    pub(super) fn inverse(&self) -> Option<Cones> {
        let invert = |matrix: &Mat<f64>| {
            let factor = matrix.llt(Half::Lower).ok()?;
            Some(faer::linalg::solvers::DenseSolveCore::inverse(&factor))
        };
        let semidefinite = self.semidefinite.iter().map(invert).collect::<Option<Vec<_>>>()?;
        let mut second = self.second.clone();
        for j in 0..second.ncols() {
            let column = second.col_as_slice_mut(j);
            let delta = determinant(column)?;
            column.iter_mut().enumerate().for_each(|(i, c)| *c *= if i == 0 { 1.0 } else { -1.0 } / delta);
        }
        let positive = self.products.iter().flatten().all(|&value| value > 0.0) && self.spare > 0.0;
        let products = self.products.iter().map(|four| four.map(f64::recip)).collect();
        positive.then_some(Cones { semidefinite, second, products, spare: self.spare.recip() })
    }

    /// Sum of the ranks.
    pub(super) fn rank(&self) -> f64 {
        let orders: usize = self.semidefinite.iter().map(|matrix| matrix.nrows()).sum();
        (orders + 2 * self.second.ncols() + 4 * self.products.len() + 1) as f64
    }
}

/// `c_0² − ‖c_1…‖²` if c is inside of the cone.
fn determinant(c: &[f64]) -> Option<f64> {
    let rest = dot(&c[1..], &c[1..]).sqrt();
    let delta = (c[0] - rest) * (c[0] + rest);
    (c[0] > rest && delta > 0.0).then_some(delta)
}

impl Scaling {
    /// `None` if s or z is not inside of the cones.
    pub(super) fn new(s: &Cones, z: &Cones) -> Option<Scaling> {
        let semidefinite = s
            .semidefinite
            .par_iter()
            .zip(&z.semidefinite)
            .map(|(s, z)| Semidefinite::new(s, z))
            .collect::<Option<Vec<_>>>()?;
        let second = (0..s.second.ncols()).map(|j| Second::new(s.second.col_as_slice(j), z.second.col_as_slice(j)));
        let quotient = |(s, z): (&[f64; 4], &[f64; 4])| [0, 1, 2, 3].map(|l| z[l] / s[l]);
        let inside = |cones: &Cones| cones.products.iter().flatten().all(|&value| value > 0.0) && cones.spare > 0.0;
        if !(inside(s) && inside(z)) {
            return None;
        }
        Some(Scaling {
            semidefinite,
            second: second.collect::<Option<Vec<_>>>()?,
            products: s.products.iter().zip(&z.products).map(quotient).collect(),
            spare: z.spare / s.spare,
        })
    }

    /// `W⁻² d`.
    pub(super) fn twice_inverse(&self, d: &Cones) -> Cones {
        let apply = |(own, d): (&Semidefinite, &Mat<f64>)| congruent(own.square.as_ref(), d, own.square.as_ref());
        let semidefinite = self.semidefinite.par_iter().zip(&d.semidefinite).map(apply).collect();
        let mut second = d.second.clone();
        for (j, own) in self.second.iter().enumerate() {
            let column = second.col_as_slice_mut(j);
            let along = dot(&own.normal, column);
            for (i, c) in column.iter_mut().enumerate() {
                *c = along * own.normal[i] + if i == 0 { -own.scale } else { own.scale } * *c;
            }
        }
        let products = self.products.iter().zip(&d.products).map(|(w, d)| [0, 1, 2, 3].map(|l| w[l] * d[l])).collect();
        Cones { semidefinite, second, products, spare: self.spare * d.spare }
    }

    /// `W⁻¹(λ \ ((W⁻¹ds) ∘ (W dz)))`, what a step's second order leaves undone (Mehrotra, SIAM J. Optim. 1992). `s` is the primal point.
    pub(super) fn correction(&self, s: &Cones, ds: &Cones, dz: &Cones) -> Cones {
        let matrices = self.semidefinite.par_iter().zip(&ds.semidefinite).zip(&dz.semidefinite);
        let semidefinite = matrices.map(|((own, ds), dz)| own.correction(ds, dz)).collect();
        let mut second = Mat::zeros(ds.second.nrows(), ds.second.ncols());
        for (j, own) in self.second.iter().enumerate() {
            own.correct(ds.second.col_as_slice(j), dz.second.col_as_slice(j), second.col_as_slice_mut(j));
        }
        let numbers = s.products.iter().zip(&ds.products).zip(&dz.products);
        let products = numbers.map(|((s, ds), dz)| [0, 1, 2, 3].map(|l| ds[l] * dz[l] / s[l])).collect();
        Cones { semidefinite, second, products, spare: ds.spare * dz.spare / s.spare }
    }

    /// The largest length ≤ `most` for which s + length·ds and z + length·dz are in the cones.
    pub(super) fn longest(&self, s: &Cones, z: &Cones, ds: &Cones, dz: &Cones, most: f64) -> f64 {
        let matrices = self.semidefinite.par_iter().zip(&ds.semidefinite).zip(&dz.semidefinite);
        let mut length = matrices.map(|((own, ds), dz)| own.longest(ds, dz)).reduce(|| most, f64::min);
        for j in 0..s.second.ncols() {
            for (point, step) in [(&s.second, &ds.second), (&z.second, &dz.second)] {
                length = length.min(second_order_step(point.col_as_slice(j), step.col_as_slice(j)));
            }
        }
        let mut ratio = |value: f64, change: f64| {
            if change < 0.0 {
                length = length.min(-value / change);
            }
        };
        for (point, step) in [(s, ds), (z, dz)] {
            for (values, changes) in point.products.iter().zip(&step.products) {
                values.iter().zip(changes).for_each(|(&value, &change)| ratio(value, change));
            }
            ratio(point.spare, step.spare);
        }
        length
    }
}

impl Semidefinite {
    fn new(s: &Mat<f64>, z: &Mat<f64>) -> Option<Semidefinite> {
        let (primal, dual) = (s.llt(Half::Lower).ok()?, z.llt(Half::Lower).ok()?);
        let order = s.nrows();
        let mut middle = Mat::<f64>::zeros(order, order);
        matmul(middle.as_mut(), Accum::Replace, dual.L().transpose(), primal.L(), 1.0, Par::Seq);
        // LzᵀLs = U Λ Vᵀ; R = Λ^-½ UᵀLzᵀ, R⁻¹ = Ls V Λ^-½.
        let svd = middle.svd().ok()?;
        let lambda: Vec<f64> = (0..order).map(|i| svd.S()[i]).collect();
        if !lambda.iter().all(|&value| value > 0.0 && value.is_finite()) {
            return None;
        }
        let mut root = Mat::<f64>::zeros(order, order);
        matmul(root.as_mut(), Accum::Replace, svd.U().transpose(), dual.L().transpose(), 1.0, Par::Seq);
        let mut inverse = Mat::<f64>::zeros(order, order);
        matmul(inverse.as_mut(), Accum::Replace, primal.L(), svd.V(), 1.0, Par::Seq);
        for j in 0..order {
            root.col_as_slice_mut(j).iter_mut().zip(&lambda).for_each(|(r, l)| *r /= l.sqrt());
            inverse.col_as_slice_mut(j).iter_mut().for_each(|r| *r /= lambda[j].sqrt());
        }
        let mut square = Mat::<f64>::zeros(order, order);
        matmul(square.as_mut(), Accum::Replace, root.transpose(), &root, 1.0, Par::Seq);
        Some(Semidefinite { root, inverse, square, lambda })
    }

    fn scaled(&self, ds: &Mat<f64>, dz: &Mat<f64>) -> [Mat<f64>; 2] {
        let primal = congruent(self.root.as_ref(), ds, self.root.transpose());
        let dual = congruent(self.inverse.transpose(), dz, self.inverse.as_ref());
        [primal, dual]
    }

    fn correction(&self, ds: &Mat<f64>, dz: &Mat<f64>) -> Mat<f64> {
        let [primal, dual] = self.scaled(ds, dz);
        let order = self.lambda.len();
        let mut product = Mat::<f64>::zeros(order, order);
        matmul(product.as_mut(), Accum::Replace, &primal, &dual, 1.0, Par::Seq);
        let solved =
            Mat::from_fn(order, order, |i, j| (product[(i, j)] + product[(j, i)]) / (self.lambda[i] + self.lambda[j]));
        congruent(self.root.transpose(), &solved, self.root.as_ref())
    }

    fn longest(&self, ds: &Mat<f64>, dz: &Mat<f64>) -> f64 {
        let order = self.lambda.len();
        self.scaled(ds, dz)
            .iter()
            .map(|step| {
                let relative = Mat::from_fn(order, order, |i, j| {
                    0.5 * (step[(i, j)] + step[(j, i)]) / (self.lambda[i] * self.lambda[j]).sqrt()
                });
                match relative.self_adjoint_eigenvalues(Half::Lower) {
                    Ok(values) => {
                        values.iter().fold(
                            f64::INFINITY,
                            |length, &value| {
                                if value < 0.0 { length.min(-1.0 / value) } else { length }
                            },
                        )
                    }
                    Err(_) => 0.0,
                }
            })
            .fold(f64::INFINITY, f64::min)
    }
}

impl Second {
    fn new(s: &[f64], z: &[f64]) -> Option<Second> {
        let (primal, dual) = (determinant(s)?.sqrt(), determinant(z)?.sqrt());
        let sign = |i: usize| if i == 0 { 1.0 } else { -1.0 };
        let gamma = (0.5 * (1.0 + dot(s, z) / (primal * dual))).sqrt();
        let point: Vec<f64> =
            s.iter().zip(z).enumerate().map(|(i, (s, z))| 0.5 * (s / primal + sign(i) * z / dual) / gamma).collect();
        let beta = (primal / dual).sqrt();
        let long = (2.0 * (point[0] + 1.0)).sqrt();
        let v: Vec<f64> = point.iter().enumerate().map(|(i, w)| (w + if i == 0 { 1.0 } else { 0.0 }) / long).collect();
        let normal = point.iter().enumerate().map(|(i, w)| std::f64::consts::SQRT_2 / beta * sign(i) * w).collect();
        let mut out = Second { beta, lambda: z.to_vec(), v, normal, scale: (beta * beta).recip() };
        out.lambda = out.apply(z);
        out.scale.is_finite().then_some(out)
    }

    /// `W x`.
    fn apply(&self, x: &[f64]) -> Vec<f64> {
        let along = 2.0 * dot(&self.v, x);
        let entry = |(i, (x, v)): (usize, (&f64, &f64))| self.beta * (along * v + if i == 0 { -x } else { *x });
        x.iter().zip(&self.v).enumerate().map(entry).collect()
    }

    /// `W⁻¹ x`.
    fn inverse(&self, x: &[f64]) -> Vec<f64> {
        let sign = |i: usize| if i == 0 { 1.0 } else { -1.0 };
        let along = 2.0 * x.iter().zip(&self.v).enumerate().map(|(i, (x, v))| sign(i) * x * v).sum::<f64>();
        let entry = |(i, (x, v)): (usize, (&f64, &f64))| sign(i) * (along * v - x) / self.beta;
        x.iter().zip(&self.v).enumerate().map(entry).collect()
    }

    fn correct(&self, ds: &[f64], dz: &[f64], out: &mut [f64]) {
        let (primal, dual, lambda) = (self.inverse(ds), self.apply(dz), &self.lambda);
        let mut product: Vec<f64> = primal.iter().zip(&dual).map(|(a, b)| primal[0] * b + dual[0] * a).collect();
        product[0] = dot(&primal, &dual);
        let rest = dot(&lambda[1..], &lambda[1..]).sqrt();
        let delta = (lambda[0] - rest) * (lambda[0] + rest);
        let first = (lambda[0] * product[0] - dot(&lambda[1..], &product[1..])) / delta;
        let solved: Vec<f64> = product
            .iter()
            .zip(lambda)
            .enumerate()
            .map(|(i, (p, l))| if i == 0 { first } else { (p - first * l) / lambda[0] })
            .collect();
        out.copy_from_slice(&self.inverse(&solved));
    }
}

/// The largest length for which c + length·d is in the cone.
fn second_order_step(c: &[f64], d: &[f64]) -> f64 {
    // ‖c_1 + ld_1‖² = (c_0 + ld_0)²: the smallest positive root of the quadratic a l² + 2bl + e, e > 0 inside.
    let (a, b) = (d[0] * d[0] - dot(&d[1..], &d[1..]), c[0] * d[0] - dot(&c[1..], &d[1..]));
    let Some(e) = determinant(c) else { return 0.0 };
    let root = b * b - a * e;
    let smallest = match (root >= 0.0, b <= 0.0) {
        (false, _) => f64::INFINITY,
        (true, true) => {
            let length = e / (-b + root.sqrt());
            if length > 0.0 { length } else { f64::INFINITY }
        }
        (true, false) if a < 0.0 => (b + root.sqrt()) / -a,
        _ => f64::INFINITY,
    };
    if d[0] < 0.0 { smallest.min(-c[0] / d[0]) } else { smallest }
}

/// `a m b`.
fn congruent(a: MatRef<'_, f64>, m: &Mat<f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let order = m.nrows();
    let mut half = Mat::<f64>::zeros(order, order);
    matmul(half.as_mut(), Accum::Replace, a, m, 1.0, Par::Seq);
    let mut out = Mat::<f64>::zeros(order, order);
    matmul(out.as_mut(), Accum::Replace, &half, b, 1.0, Par::Seq);
    out
}
