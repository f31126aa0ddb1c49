//! Acceleration of dual sweeps: the best point of the plane that the last sweep and the step before it span.
//!
//! After a sweep that moved α by q, with the step p taken in the round before, D(α + s q + t p) is maximised exactly over (s, t):
//! where the gains are quadratic, D is a quadratic function of both, and its coefficients are inner products of vectors that
//! are at hand. This is the conjugate gradient method in its locally optimal form with a sweep as the preconditioner
//! (Knyazev, *Toward the optimal preconditioned eigensolver*, SIAM J. Sci. Comput. 2001; Narkiss & Zibulevsky, *Sequential subspace
//! optimization*, 2005).

/// Share of `H₁₁ H₂₂` below which the determinant is taken to be rounding.
const PARALLEL: f64 = 1e-10;

/// A dual point with what belongs to it, or the difference of two.
#[derive(Debug, Clone)]
pub(crate) struct Dual {
    pub(crate) alpha: Vec<f64>,
    pub(crate) weights: Vec<f64>,
    /// Σα.
    pub(crate) sigma: f64,
}

impl Dual {
    /// The point 0.
    pub(crate) fn zero(rows: usize, columns: usize) -> Dual {
        Dual { alpha: vec![0.0; rows], weights: vec![0.0; columns], sigma: 0.0 }
    }
}

/// The concave quadratic function `slopes·x − ½ xᵀ H x` of two numbers; `bend` is H₁₁, H₁₂, H₂₂.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plane {
    pub(crate) slopes: [f64; 2],
    pub(crate) bend: [f64; 3],
}

impl Plane {
    /// Adds a function of the same form.
    #[inline(always)]
    pub(crate) fn add(&mut self, slopes: [f64; 2], bend: [f64; 3]) {
        self.slopes.iter_mut().zip(slopes).for_each(|(total, slope)| *total += slope);
        self.bend.iter_mut().zip(bend).for_each(|(total, bend)| *total += bend);
    }

    /// Its maximiser; along the first direction alone where the two are parallel. `None` where that is not curved.
    pub(crate) fn maximiser(&self) -> Option<(f64, f64)> {
        let ([first, second], [a, b, c]) = (self.slopes, self.bend);
        let determinant = a * c - b * b;
        let (s, t) = if determinant > PARALLEL * a * c {
            ((c * first - b * second) / determinant, (a * second - b * first) / determinant)
        } else {
            (first / a, 0.0)
        };
        (a > 0.0 && s.is_finite() && t.is_finite()).then_some((s, t))
    }
}

#[cfg(test)]
mod tests {
    use super::Plane;

    #[test]
    fn maximiser_has_no_slope() {
        let plane = Plane { slopes: [1.0, -2.0], bend: [3.0, 1.0, 5.0] };
        let (s, t) = plane.maximiser().unwrap();
        assert!((3.0 * s + t - 1.0).abs() < 1e-15 && (s + 5.0 * t + 2.0).abs() < 1e-15, "{s} {t}");
    }

    #[test]
    fn parallel_directions_give_a_line_search() {
        let plane = Plane { slopes: [1.0, 2.0], bend: [2.0, 4.0, 8.0] };
        assert_eq!(plane.maximiser(), Some((0.5, 0.0)));
        assert_eq!(Plane { slopes: [1.0, 2.0], bend: [0.0; 3] }.maximiser(), None);
    }
}
