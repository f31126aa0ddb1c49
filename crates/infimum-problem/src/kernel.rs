//! Kernels: positive semidefinite functions K(x, y) of two rows, and how a user asks for one.

use serde::{Deserialize, Serialize};

/// A positive semidefinite kernel with its parameters as they are used. A problem with a kernel minimises over all functions
/// `f = Σ_j β_j K(x_j, ·) + b` of the kernel's space; without one the model is linear.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Kernel {
    /// `exp(−γ ‖x − y‖²)`, γ > 0.
    Rbf {
        /// γ.
        gamma: f64,
    },
    /// `(γ x·y + c)^degree`, γ > 0, c ≥ 0, degree ≥ 1: products and sums of positive semidefinite kernels with coefficients
    /// ≥ 0 are such (Schur).
    Polynomial {
        /// γ.
        gamma: f64,
        /// Exponent.
        degree: u32,
        /// c.
        coef0: f64,
    },
}

/// The γ that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Gamma {
    /// `1/(d·v)`, v the population variance of all n·d values of the training matrix; 1 if that is 0.
    #[default]
    Scale,
    /// `1/d`.
    Auto,
    /// As given.
    Value(f64),
}

/// The kernel that is asked for, before γ is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum KernelRequest {
    /// No kernel: `K(x, y) = x·y` is the linear model.
    Linear,
    /// [`Kernel::Rbf`].
    Rbf(Gamma),
    /// [`Kernel::Polynomial`].
    Polynomial {
        /// γ.
        gamma: Gamma,
        /// Exponent.
        degree: u32,
        /// c.
        coef0: f64,
    },
}

/// Largest exponent of a polynomial kernel.
const MOST_DEGREE: u32 = 64;

impl Kernel {
    /// The name used on the command line and in certificates.
    pub fn name(self) -> &'static str {
        match self {
            Kernel::Rbf { .. } => "rbf",
            Kernel::Polynomial { .. } => "polynomial",
        }
    }

    /// γ, exponent and c; exponent and c are 0 where there are none.
    pub fn parameters(self) -> (f64, u32, f64) {
        match self {
            Kernel::Rbf { gamma } => (gamma, 0, 0.0),
            Kernel::Polynomial { gamma, degree, coef0 } => (gamma, degree, coef0),
        }
    }

    /// Name and parameters, every digit of them.
    pub fn words(self) -> String {
        match self {
            Kernel::Rbf { gamma } => format!("rbf exp(−γ‖x − y‖²) with γ = {gamma:?}"),
            Kernel::Polynomial { gamma, degree, coef0 } => {
                format!("polynomial (γ x·y + c)^{degree} with γ = {gamma:?}, c = {coef0:?}")
            }
        }
    }

    /// What is wrong with the parameters, if anything: outside this domain the kernel need not be positive semidefinite, and
    /// then the problem is not convex and no bound is known; magnitudes are 0 or in [1e-100, 1e100].
    pub fn objection(self) -> Option<String> {
        let sized = |value: f64| (1e-100..=1e100).contains(&value);
        let (gamma, degree, coef0) = self.parameters();
        let name = self.name();
        if !sized(gamma) {
            return Some(format!(
                "--gamma of the kernel {name}: expected a number > 0 (in [1e-100, 1e100]), got {gamma:e}"
            ));
        }
        let Kernel::Polynomial { .. } = self else {
            return None;
        };
        if !(1..=MOST_DEGREE).contains(&degree) {
            return Some(format!("--degree: expected an integer from 1 to {MOST_DEGREE}, got {degree}"));
        }
        (!(sized(coef0) || coef0 == 0.0)).then(|| {
            format!(
                "--coef0: expected a number ≥ 0 (0 or in [1e-100, 1e100]), got {coef0}; with a negative one the polynomial kernel \
                 is not positive semidefinite: the problem is not convex and no bound can be proven"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Kernel;

    #[test]
    fn what_is_not_positive_semidefinite_is_refused() {
        let polynomial = |gamma, degree, coef0| Kernel::Polynomial { gamma, degree, coef0 }.objection();
        assert_eq!((polynomial(1.0, 1, 0.0), polynomial(1e-3, 64, 7.0)), (None, None));
        assert_eq!(Kernel::Rbf { gamma: 0.5 }.objection(), None);
        for kernel in
            [polynomial(0.0, 2, 1.0), polynomial(1.0, 0, 1.0), polynomial(1.0, 65, 1.0), polynomial(-1.0, 2, 1.0)]
        {
            assert!(kernel.is_some());
        }
        assert!(polynomial(1.0, 2, -1.0).is_some_and(|why| why.contains("not convex")));
        for gamma in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-101] {
            assert!(Kernel::Rbf { gamma }.objection().is_some(), "{gamma}");
        }
    }
}
