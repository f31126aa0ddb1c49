//! Lowest and largest eigenvalue of a symmetric matrix that is known by its products alone.

use crate::random::{Stream, key};

/// An approximate eigenvalue with its unit vector.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    /// `vᵀ H v`.
    pub(super) value: f64,
    /// v.
    pub(super) vector: Vec<f64>,
    /// `‖H v − value·v‖`: some eigenvalue lies so near.
    pub(super) residual: f64,
}

/// Both ends of the spectrum.
#[derive(Debug, Clone)]
pub(super) struct Extremes {
    /// Products that the subspace took.
    pub(super) steps: usize,
    pub(super) lowest: Pair,
    pub(super) largest: Pair,
}

/// Share of the largest eigenvalue to which both residuals are brought where the steps suffice.
const ACCURACY: f64 = 1e-7;
/// Share of the largest number of the tridiagonal matrix below which the next one counts as 0: the subspace is invariant.
const INVARIANT: f64 = 1e-12;
/// Steps between looks at the residuals.
const LOOK: usize = 5;

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], factor: f64, from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
}

/// Both ends of the spectrum of the n × n matrix of `product`, from a Krylov space of at most `most` dimensions; `None` where `product` gives none (it was
/// told to stop) or numbers that are not finite. Where it is `late` the space grows no further.
///
/// Lanczos's method (Golub, Van Loan, *Matrix Computations*, 4th edition, section 10.1): `H V = V T + β v eᵀ` with orthonormal V and tridiagonal T, whose outer eigenvalues
/// come close to those of H first. Invariant: every new vector is made orthogonal to all before it, twice (section 10.3.5), so that no eigenvalue comes twice. Value and
/// residual of both ends are taken from H itself in the end.
pub(super) fn extremes(
    n: usize,
    most: usize,
    product: &mut dyn FnMut(&[f64]) -> Option<Vec<f64>>,
    late: &dyn Fn() -> bool,
) -> Option<Extremes> {
    let mut stream = Stream::new(key(&[n as u64, 0x1a2c]));
    let mut next: Vec<f64> = (0..n).map(|_| 2.0 * stream.unit() - 1.0).collect();
    let (mut basis, mut diagonal, mut beside): (Vec<Vec<f64>>, Vec<f64>, Vec<f64>) = (vec![], vec![], vec![]);
    let mut size = dot(&next, &next).sqrt();
    let mut ends;
    loop {
        next.iter_mut().for_each(|x| *x /= size);
        let mut image = product(&next)?;
        let alpha = dot(&next, &image);
        basis.push(next);
        diagonal.push(alpha);
        for _ in 0..2 {
            for vector in &basis {
                let share = dot(vector, &image);
                add(&mut image, -share, vector);
            }
        }
        size = dot(&image, &image).sqrt();
        if !(alpha.is_finite() && size.is_finite()) {
            return None;
        }
        let k = basis.len();
        let scale = diagonal.iter().chain(&beside).fold(0.0, |most: f64, x| most.max(x.abs()));
        let last = k >= most.min(n) || size <= INVARIANT * scale || late();
        if last || k % LOOK == 0 {
            let (values, vectors) = eigen(&tridiagonal(&diagonal, &beside), k);
            let order = |i: &usize, j: &usize| values[*i].total_cmp(&values[*j]);
            let (lowest, largest) = ((0..k).min_by(order)?, (0..k).max_by(order)?);
            let scale = values.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
            let converged = [lowest, largest].iter().all(|&i| size * vectors[i][k - 1].abs() <= ACCURACY * scale);
            ends = [lowest, largest].map(|i| vectors[i].clone());
            if last || converged {
                break;
            }
        }
        beside.push(size);
        next = image;
    }
    let mut pair = |shares: &[f64]| {
        let mut vector = vec![0.0; n];
        shares.iter().zip(&basis).for_each(|(&share, one)| add(&mut vector, share, one));
        let norm = dot(&vector, &vector).sqrt();
        vector.iter_mut().for_each(|x| *x /= norm);
        let mut image = product(&vector)?;
        let value = dot(&vector, &image);
        add(&mut image, -value, &vector);
        Some(Pair { value, residual: dot(&image, &image).sqrt(), vector })
    };
    let (lowest, largest) = (pair(&ends[0])?, pair(&ends[1])?);
    Some(Extremes { steps: basis.len(), lowest, largest })
}

fn tridiagonal(diagonal: &[f64], beside: &[f64]) -> Vec<f64> {
    let k = diagonal.len();
    let mut matrix = vec![0.0; k * k];
    for i in 0..k {
        matrix[i * k + i] = diagonal[i];
        if i + 1 < k {
            (matrix[i * k + i + 1], matrix[(i + 1) * k + i]) = (beside[i], beside[i]);
        }
    }
    matrix
}

/// Sweeps after which the rotations have always converged: they do so quadratically.
const SWEEPS: usize = 30;

/// Eigenvalues and unit vectors of a small symmetric matrix, k × k: Jacobi's rotations, row by row (Golub, Van Loan, section 8.5).
pub(super) fn eigen(matrix: &[f64], k: usize) -> (Vec<f64>, Vec<Vec<f64>>) {
    let mut a = matrix.to_vec();
    let mut vectors: Vec<Vec<f64>> = (0..k).map(|i| (0..k).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    let norm = dot(&a, &a);
    for _ in 0..SWEEPS {
        let off: f64 = (0..k * k).filter(|place| place / k != place % k).map(|place| a[place] * a[place]).sum();
        if off <= 1e-30 * norm {
            break;
        }
        for p in 0..k {
            for q in p + 1..k {
                let apq = a[p * k + q];
                if apq == 0.0 {
                    continue;
                }
                let tau = (a[q * k + q] - a[p * k + p]) / (2.0 * apq);
                let t = tau.signum() / (tau.abs() + tau.hypot(1.0));
                let c = 1.0 / t.hypot(1.0);
                let s = t * c;
                for i in 0..k {
                    let (ip, iq) = (a[i * k + p], a[i * k + q]);
                    (a[i * k + p], a[i * k + q]) = (c * ip - s * iq, s * ip + c * iq);
                }
                for i in 0..k {
                    let (pi, qi) = (a[p * k + i], a[q * k + i]);
                    (a[p * k + i], a[q * k + i]) = (c * pi - s * qi, s * pi + c * qi);
                    let (pi, qi) = (vectors[p][i], vectors[q][i]);
                    (vectors[p][i], vectors[q][i]) = (c * pi - s * qi, s * pi + c * qi);
                }
            }
        }
    }
    ((0..k).map(|i| a[i * k + i]).collect(), vectors)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn times(matrix: &[f64], x: &[f64]) -> Vec<f64> {
        matrix.chunks_exact(x.len()).map(|row| dot(row, x)).collect()
    }

    /// The second difference matrix has the eigenvalues 4 sin²(iπ/(2n + 2)).
    fn differences(n: usize) -> (Vec<f64>, Vec<f64>) {
        let matrix = tridiagonal(&vec![2.0; n], &vec![-1.0; n - 1]);
        let sine = |i: usize| (i as f64 * std::f64::consts::PI / (2 * n + 2) as f64).sin();
        (matrix, (1..=n).map(|i| 4.0 * sine(i) * sine(i)).collect())
    }

    #[test]
    fn rotations_find_known_eigenvalues() {
        let (matrix, expected) = differences(17);
        let (values, vectors) = eigen(&matrix, 17);
        for (value, vector) in values.iter().zip(&vectors) {
            let image = times(&matrix, vector);
            assert!(image.iter().zip(vector).all(|(image, x)| (image - value * x).abs() < 1e-13));
        }
        let mut values = values;
        values.sort_by(f64::total_cmp);
        assert!(values.iter().zip(&expected).all(|(value, expected)| (value - expected).abs() < 1e-13));
    }

    #[test]
    fn ends_of_a_long_spectrum_lie_within_their_residuals() {
        let (matrix, expected) = differences(300);
        let found = extremes(300, 60, &mut |x| Some(times(&matrix, x)), &|| false).unwrap();
        assert_eq!(found.steps, 60);
        for pair in [&found.lowest, &found.largest] {
            let nearest = expected.iter().map(|value| (value - pair.value).abs()).fold(f64::INFINITY, f64::min);
            assert!(nearest <= pair.residual + 1e-12);
        }
        assert!(found.lowest.value < 0.02 && found.largest.value > 3.98);
        let early = extremes(300, 60, &mut |x| Some(times(&matrix, x)), &|| true).unwrap();
        assert_eq!(early.steps, 1);
    }

    #[test]
    fn multiples_of_the_identity_take_one_step() {
        let found = extremes(9, 60, &mut |x| Some(x.iter().map(|x| 3.0 * x).collect()), &|| false).unwrap();
        assert_eq!(found.steps, 1);
        assert!((found.lowest.value - 3.0).abs() < 1e-14 && (found.largest.value - 3.0).abs() < 1e-14);
        assert!(extremes(9, 60, &mut |_| None, &|| false).is_none());
        assert!(extremes(9, 60, &mut |x| Some(vec![f64::NAN; x.len()]), &|| false).is_none());
    }

    proptest! {
        #[test]
        fn ends_agree_with_rotations(n in 1usize..12, numbers in prop::collection::vec(-1.0..1.0f64, 144)) {
            let matrix: Vec<f64> = (0..n * n).map(|place| {
                let (i, j) = (place / n, place % n);
                numbers[i * n + j] + numbers[j * n + i]
            }).collect();
            let (mut values, _) = eigen(&matrix, n);
            values.sort_by(f64::total_cmp);
            let found = extremes(n, 60, &mut |x| Some(times(&matrix, x)), &|| false).unwrap();
            prop_assert!((found.lowest.value - values[0]).abs() < 1e-9);
            prop_assert!((found.largest.value - values[n - 1]).abs() < 1e-9);
        }
    }
}
