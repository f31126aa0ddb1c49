//! Theorem 5: the bound from moments with products of the rows of a cluster.
//!
//! The matrix is made of plain `f64`. What rounding has changed in a row's numbers changes `L(u, |t|)` by at most that times the lengths of the rows that they meet
//! (|t_p| ≤ ‖x_p‖), which is added to the bound; so only the sums over all rows are enclosures.

use infimum_problem::{Cluster, Clusters};
use infimum_rigor::{Envelope, Interval, Sum, outer_products};

use super::moments::{MOST_ORDER, UNIT, norm};
use super::points::Points;

/// Whether the multipliers prove `Σ_p w_p relu(x_p·u) ≤ bound` for ‖u‖ ≤ 1; the error says what is missing.
pub(super) fn proves(points: &Points, w: &[f64], multipliers: &Clusters, bound: f64) -> Result<(), String> {
    let (m, d) = (points.len(), points.dimension());
    if d >= MOST_ORDER {
        return Err(format!("rows of {d} numbers are too long for a bound by moments"));
    }
    let Clusters { clusters, lambda, s } = multipliers;
    if !(s.is_finite() && lambda.is_finite() && *lambda >= 0.0) {
        return Err("finite numbers and λ ≥ 0 expected".into());
    }
    let mut free = vec![true; m];
    for (number, cluster) in clusters.iter().enumerate() {
        well_formed(cluster, d, &mut free).map_err(|why| format!("cluster {}: {why}", number + 1))?;
    }
    let parts: Vec<Part> = clusters.iter().map(|cluster| Part::new(points, w, cluster)).collect();
    let mut total = Sum::new();
    total.add(*lambda);
    total.add(*s);
    parts.iter().for_each(|part| total.add(part.error));
    for p in (0..m).filter(|&p| free[p] && w[p] > 0.0) {
        total.add_product(w[p], points.norm(p));
    }
    let proven = total.enclose().upper;
    if !(proven <= bound) {
        return Err(format!("λ + s, the rows without a cluster and rounding are {proven:e}, the bound is {bound:e}"));
    }
    let matrix = matrix(points, clusters, &parts, *lambda, *s).ok_or("numbers overflow")?;
    if matrix.is_positive_semidefinite() {
        Ok(())
    } else {
        Err(format!("the matrix of order {} is not proven positive semidefinite", matrix.order()))
    }
}

/// Shapes, signs, rows that exist and belong to no other cluster; these are no longer free.
fn well_formed(cluster: &Cluster, d: usize, free: &mut [bool]) -> Result<(), String> {
    let Cluster { rows, theta, lengths, vectors, products } = cluster;
    let k = rows.len();
    let sizes = [theta.len(), lengths.len(), vectors.len(), products.len()];
    let wanted = [Some(k), k.checked_mul(2), k.checked_mul(2 * d), k.checked_mul(2 * k.saturating_sub(1))];
    if sizes.map(Some) != wanted {
        return Err(format!("{sizes:?} numbers, expected {wanted:?} for {k} rows"));
    }
    for &row in rows {
        match free.get_mut(row as usize) {
            None => return Err(format!("there is no distinct row {}", u64::from(row) + 1)),
            Some(free) if !*free => return Err(format!("distinct row {} stands twice", row + 1)),
            Some(free) => *free = false,
        }
    }
    if !theta.iter().chain(lengths).all(|value| value.is_finite()) || !vectors.iter().all(|value| value.is_finite()) {
        return Err("finite numbers expected".into());
    }
    if let Some(product) = products.iter().find(|product| !(**product >= 0.0 && product.is_finite())) {
        return Err(format!("π = {product}, expected a finite number ≥ 0"));
    }
    for (place, &length) in lengths.iter().enumerate() {
        let own = norm(&vectors[place * d..(place + 1) * d]);
        if !(length >= own) {
            return Err(format!("r = {length:e} is less than the norm {own:e} of its vector"));
        }
    }
    Ok(())
}

/// What a cluster has in the matrix, and by how much `L(u, |t|)` may be larger than what these numbers say.
struct Part {
    /// `B`, k × D: what s_a is multiplied with beside u.
    border: Vec<f64>,
    /// `l`.
    linear: Vec<f64>,
    /// y_a, k × D: there is `Σ_a (x_a·u)(y_a·u)`.
    partners: Vec<f64>,
    /// Sums of π of each two rows.
    sums: Vec<f64>,
    error: f64,
}

impl Part {
    fn new(points: &Points, w: &[f64], cluster: &Cluster) -> Part {
        let (k, d) = (cluster.rows.len(), points.dimension());
        let mut rows = vec![0.0; k * d];
        for (&p, row) in cluster.rows.iter().zip(rows.chunks_exact_mut(d.max(1))) {
            points.fill(p as usize, row);
        }
        let norms: Vec<f64> = cluster.rows.iter().map(|&p| points.norm(p as usize)).collect();
        let (mut border, mut partners) = (vec![0.0; k * d], vec![0.0; k * d]);
        let (mut linear, mut sizes) = (vec![0.0; k], vec![0.0; k]);
        for a in 0..k {
            let (theta, w) = (cluster.theta[a], w[cluster.rows[a] as usize]);
            let (plus, minus) = (cluster.lengths[2 * a], cluster.lengths[2 * a + 1]);
            linear[a] = 0.5 * w + plus + minus;
            sizes[a] = theta.abs() * norms[a] + w.abs() + plus + minus;
            for j in 0..d {
                let [plus, minus] = [0, 1].map(|sign| f64::from(cluster.vectors[(2 * a + sign) * d + j]));
                border[a * d + j] = -(plus + minus);
                partners[a * d + j] = theta * rows[a * d + j] - (plus - minus);
            }
        }
        let mut sums = Vec::with_capacity(cluster.products.len() / 4);
        let mut pairs = cluster.products.chunks_exact(4);
        for b in 1..k {
            for (a, four) in (0..b).zip(&mut pairs) {
                let [pp, pm, mp, mm] = [0, 1, 2, 3].map(|place| f64::from(four[place]));
                // (s_a + σ t_a)(s_b + ρ t_b): factors of s_a t_b, t_a s_b and t_a t_b.
                let (right, left, both) = (pp - pm + mp - mm, pp + pm - mp - mm, pp - pm - mp + mm);
                let sum = pp + pm + mp + mm;
                for j in 0..d {
                    border[a * d + j] += right * rows[b * d + j];
                    border[b * d + j] += left * rows[a * d + j];
                    partners[a * d + j] += both * rows[b * d + j];
                }
                sizes[a] += sum * norms[b];
                sizes[b] += sum * norms[a];
                sums.push(sum);
            }
        }
        // Each number is a sum of at most k + 2 terms, factors of which are sums of four; one more for the sizes themselves. Rows of B, their partners, l (by s and by t) and the
        // sums of π count for at most the sizes once each, and what underflows is covered by the last term.
        let relative = 8.0 * (k + 16) as f64 * UNIT;
        let error = |(norm, size): (&f64, &f64)| relative * norm * size + norm * d as f64 * 2f64.powi(-1000);
        let error = norms.iter().zip(&sizes).map(error).sum::<f64>() * (1.0 + 1e-9);
        Part { border, linear, partners, sums, error }
    }
}

/// `[[H, −B/2, −l/2], [·, λI − Q, −q/2], [·, ·, s]]` over (s, u, 1). `None` if a number is not finite.
fn matrix(points: &Points, clusters: &[Cluster], parts: &[Part], lambda: f64, s: f64) -> Option<Envelope> {
    let d = points.dimension();
    let half = |value: f64| Interval::point(0.5) * Interval::point(value);
    let finite = |part: &Part| {
        let numbers = part.border.iter().chain(&part.linear).chain(&part.partners).chain(&part.sums);
        part.error.is_finite() && numbers.clone().all(|value| value.is_finite())
    };
    if !parts.iter().all(finite) {
        return None;
    }
    let mut envelope = Envelope::default();
    let mut places = Vec::new();
    for (number, (cluster, part)) in clusters.iter().zip(parts).enumerate() {
        let first = envelope.order();
        let mut sums = part.sums.iter();
        for a in 0..cluster.rows.len() {
            places.push((number, a));
            let beside = sums.by_ref().take(a).map(|&sum| -half(sum));
            let row: Vec<Interval> = beside.chain([Interval::point(cluster.theta[a])]).collect();
            envelope.push(first, &row);
        }
    }
    // Q = ½ Σ (x_a y_aᵀ + y_a x_aᵀ), twice; and q, twice.
    let products = outer_products(places.len(), d, false, |place, x, y| {
        let (number, a) = places[place];
        points.fill(clusters[number].rows[a] as usize, x);
        y.copy_from_slice(&parts[number].partners[a * d..(a + 1) * d]);
    });
    let mut linear = vec![Sum::new(); d];
    let mut x = vec![0.0; d];
    for &(number, a) in &places {
        let cluster = &clusters[number];
        points.fill(cluster.rows[a] as usize, &mut x);
        let (minus, l) = (cluster.lengths[2 * a + 1], parts[number].linear[a]);
        // w/2 + r⁺ − r⁻ is what it is in l less 2r⁻, up to an error of l that is counted.
        for (sum, &x) in linear.iter_mut().zip(&x) {
            sum.add_product(l, x);
            sum.add_product(-2.0 * minus, x);
        }
    }
    for i in 0..d {
        let beside = places.iter().map(|&(number, a)| -half(parts[number].border[a * d + i]));
        let own = (0..=i).map(|j| {
            let identity = if i == j { Interval::point(lambda) } else { Interval::ZERO };
            identity - Interval::point(0.5) * (products[i * d + j] + products[j * d + i])
        });
        envelope.push(0, &beside.chain(own).collect::<Vec<_>>());
    }
    let beside = places.iter().map(|&(number, a)| -half(parts[number].linear[a]));
    let own = linear.iter().map(|sum| -(Interval::point(0.5) * sum.enclose()));
    envelope.push(0, &beside.chain(own).chain([Interval::point(s)]).collect::<Vec<_>>());
    Some(envelope)
}
