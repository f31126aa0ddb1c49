//! Witnesses of bounds on `Σ_p w_p relu(x_p·u)`, made without much care for how good they are.

use infimum_problem::{Basis, BoundProof, Cluster, Clusters, ConeNode, Cones, Moments, Witness};

use super::{Random, dot};

/// What makes a witness strict enough for rounding.
const SLACK: f64 = 1e-9;

/// The solution of the square system `a x = b` by elimination with row exchanges; `None` if it is singular.
pub fn solve(mut a: Vec<f64>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let n = b.len();
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[i * n + k].abs().total_cmp(&a[j * n + k].abs()))?;
        if a[pivot * n + k].abs() < 1e-200 {
            return None;
        }
        (0..n).for_each(|j| a.swap(k * n + j, pivot * n + j));
        b.swap(k, pivot);
        for i in k + 1..n {
            let factor = a[i * n + k] / a[k * n + k];
            (k..n).for_each(|j| a[i * n + j] -= factor * a[k * n + j]);
            b[i] -= factor * b[k];
        }
    }
    for k in (0..n).rev() {
        let rest: f64 = (k + 1..n).map(|j| a[k * n + j] * b[j]).sum();
        b[k] = (b[k] - rest) / a[k * n + k];
    }
    Some(b)
}

/// The bound by norms.
pub fn norms(rows: &[f64], d: usize, w: &[f64]) -> Witness {
    let bound: f64 = rows.chunks_exact(d).zip(w).map(|(x, w)| w.max(0.0) * dot(x, x).sqrt()).sum();
    Witness { bound: bound * (1.0 + SLACK), proof: BoundProof::Norms }
}

/// A bound by moments with multipliers at random; without g half of the time.
pub fn moments(rows: &[f64], d: usize, w: &[f64], random: &mut Random) -> Witness {
    let m = w.len();
    let size = 0.2 * w.iter().map(|w| w.abs()).sum::<f64>() / m as f64;
    let tau: Vec<f64> = (0..m).map(|_| 10f64.powf(random.within(-1.5, 0.5))).collect();
    let sigma: Vec<f64> = (0..m).map(|_| size * random.normal()).collect();
    let g: Vec<f32> = match random.below(2) {
        0 => Vec::new(),
        _ => (0..m * d).map(|_| (size * random.normal()) as f32).collect(),
    };
    let (mut quadratic, mut linear, mut total) = (vec![0.0; d * d], vec![0.0; d], 0.0);
    for (p, x) in rows.chunks_exact(d).enumerate() {
        let own: Vec<f64> = g.iter().skip(p * d).take(d).map(|&g| f64::from(g)).collect();
        let c = (w[p] / 2.0 + dot(&own, &own).sqrt() + sigma[p].abs()).max(0.0);
        total += 0.5 * c * tau[p];
        for i in 0..d {
            linear[i] += (0.5 * w[p] - sigma[p]) * x[i];
            for j in 0..d {
                quadratic[i * d + j] += 0.5 * c / tau[p] * x[i] * x[j];
                if !own.is_empty() {
                    quadratic[i * d + j] -= 0.5 * (x[i] * own[j] + own[i] * x[j]);
                }
            }
        }
    }
    // λ well beyond the largest eigenvalue, which is at most the largest sum of a row.
    let row = |i: usize| quadratic[i * d..(i + 1) * d].iter().map(|q| q.abs()).sum::<f64>();
    let lambda = (0..d).map(row).fold(0.0, f64::max) * 1.01 + SLACK * (size + total);
    let shifted = (0..d * d).map(|e| if e / d == e % d { lambda } else { 0.0 } - quadratic[e]).collect();
    let y = solve(shifted, linear.clone()).unwrap_or(vec![0.0; d]);
    let s = 0.25 * dot(&linear, &y) * (1.0 + SLACK) + SLACK * (size + total);
    let bound = (lambda + s + total) * (1.0 + SLACK);
    Witness { bound, proof: BoundProof::Moments(Moments { tau, g, sigma, lambda, s }) }
}

/// A bound by clusters at random of up to four rows, some rows in none, with multipliers at random.
pub fn clusters(rows: &[f64], d: usize, w: &[f64], random: &mut Random) -> Witness {
    let m = w.len();
    let size = (0.1 * w.iter().map(|w| w.abs()).sum::<f64>() / m as f64).max(1e-9);
    let row = |p: u32| &rows[p as usize * d..(p as usize + 1) * d];
    let mut clusters: Vec<Cluster> = Vec::new();
    let mut free = 0.0;
    for p in 0..m {
        match random.below(7) {
            0 => free += w[p].max(0.0) * dot(row(p as u32), row(p as u32)).sqrt(),
            1..3 if clusters.last().is_some() => {
                let last = clusters.len() - 1 - random.below(clusters.len().min(2));
                if clusters[last].rows.len() < 4 {
                    clusters[last].rows.push(p as u32);
                    continue;
                }
                free += w[p].max(0.0) * dot(row(p as u32), row(p as u32)).sqrt();
            }
            _ => clusters.push(Cluster { rows: vec![p as u32], ..Cluster::default() }),
        }
    }
    // Over u and 1, s maximised out cluster by cluster; twice the quadratic form.
    let order = d + 1;
    let mut total = vec![0.0; order * order];
    for cluster in &mut clusters {
        let k = cluster.rows.len();
        cluster.vectors = (0..2 * k * d).map(|_| (size * random.normal()) as f32).collect();
        cluster.lengths = (0..2 * k)
            .map(|place| {
                let own: Vec<f64> = cluster.vectors[place * d..(place + 1) * d].iter().map(|&v| f64::from(v)).collect();
                dot(&own, &own).sqrt() * (1.0 + 1e-12)
                    + if random.below(2) == 0 { size * random.within(0.0, 1.0) } else { 0.0 }
            })
            .collect();
        cluster.products = (0..2 * k * (k - 1))
            .map(|_| if random.below(3) == 0 { 0.0 } else { (size * random.within(0.0, 1.0)) as f32 })
            .collect();
        let (mut h, mut border) = (vec![0.0; k * k], vec![0.0; k * order]);
        let mut own = vec![0.0; order * order];
        let mut place = 0;
        for b in 1..k {
            for a in 0..b {
                let (xa, xb) = (row(cluster.rows[a]), row(cluster.rows[b]));
                for (sigma, rho) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)] {
                    let pi = f64::from(cluster.products[place]);
                    place += 1;
                    h[a * k + b] -= 0.5 * pi;
                    h[b * k + a] -= 0.5 * pi;
                    for i in 0..d {
                        border[a * order + i] += pi * rho * xb[i];
                        border[b * order + i] += pi * sigma * xa[i];
                        for j in 0..d {
                            own[i * order + j] += pi * sigma * rho * (xa[i] * xb[j] + xb[i] * xa[j]);
                        }
                    }
                }
            }
        }
        for a in 0..k {
            let beside: f64 = (0..k).filter(|&b| b != a).map(|b| h[a * k + b].abs()).sum();
            let theta =
                beside * 1.01 + size * (0.1 + random.within(0.0, 1.0)) * if random.below(4) == 0 { 10.0 } else { 1.0 };
            cluster.theta.push(theta);
            h[a * k + a] += theta;
            let (w, x, lengths) =
                (w[cluster.rows[a] as usize], row(cluster.rows[a]), &cluster.lengths[2 * a..2 * a + 2]);
            border[a * order + d] += 0.5 * w + lengths[0] + lengths[1];
            for i in 0..d {
                let [plus, minus] = [0, 1].map(|sign| f64::from(cluster.vectors[(2 * a + sign) * d + i]));
                border[a * order + i] -= plus + minus;
                let along = (0.5 * w + lengths[0] - lengths[1]) * x[i];
                own[i * order + d] += along;
                own[d * order + i] += along;
                for j in 0..d {
                    own[i * order + j] += 2.0 * theta * x[i] * x[j];
                    own[i * order + j] -= (plus - minus) * x[j];
                    own[j * order + i] -= (plus - minus) * x[j];
                }
            }
        }
        for i in 0..order {
            let column: Vec<f64> = (0..k).map(|a| border[a * order + i]).collect();
            let solved = solve(h.clone(), column).expect("diagonally dominant");
            for j in 0..order {
                own[j * order + i] += 0.5 * (0..k).map(|a| border[a * order + j] * solved[a]).sum::<f64>();
            }
        }
        total.iter_mut().zip(&own).for_each(|(sum, own)| *sum += own);
    }
    let entry = |i: usize, j: usize| 0.5 * total[i * order + j];
    let lambda =
        (0..d).map(|i| (0..d).map(|j| entry(i, j).abs()).sum::<f64>()).fold(0.0, f64::max) * 1.01 + SLACK * size;
    let shifted = (0..d * d).map(|e| if e / d == e % d { lambda } else { 0.0 } - entry(e / d, e % d)).collect();
    let linear: Vec<f64> = (0..d).map(|i| entry(i, d)).collect();
    let y = solve(shifted, linear.clone()).unwrap_or(vec![0.0; d]);
    let scale = lambda + entry(d, d).abs() + size;
    let s = entry(d, d) + dot(&linear, &y) + SLACK * scale;
    let lambda = lambda + SLACK * scale;
    let bound = (lambda + s + free) * (1.0 + SLACK) + SLACK * scale;
    Witness { bound, proof: BoundProof::Clusters(Clusters { clusters, lambda, s }) }
}

/// A bound by a tree of cones with splits at random, about so many; the rows may be written with fewer numbers.
pub fn cones(rows: &[f64], d: usize, w: &[f64], splits: usize, basis: Option<Basis>, random: &mut Random) -> Witness {
    let (coordinates, r) = match &basis {
        None => (rows.to_vec(), d),
        Some(basis) => {
            let columns = &basis.columns;
            let row = |x: &[f64]| columns.iter().map(|&j| x[j as usize]).collect::<Vec<f64>>();
            (rows.chunks_exact(d).flat_map(row).collect(), columns.len())
        }
    };
    let fan: Vec<f64> = (0..r).map(|_| 10f64.powf(random.within(-0.5, 0.5))).collect();
    let mut vectors: Vec<Vec<f64>> =
        (0..r).map(|j| (0..r).map(|i| if i == j { fan[j] } else { 0.0 }).collect()).collect();
    vectors.push(fan.iter().map(|s| -s).collect());
    let (mut nodes, mut bound) = (Vec::new(), 0.0f64);
    for lacking in 0..=r {
        let cone: Vec<Vec<f64>> = (0..=r).filter(|&j| j != lacking).map(|j| vectors[j].clone()).collect();
        let mut stack = vec![(cone, splits / (r + 1))];
        while let Some((cone, budget)) = stack.pop() {
            if budget == 0 || r < 2 {
                let (q, slopes) = leaf(&coordinates, r, w, &cone, random);
                bound = bound.max(norm(&q, basis.as_ref(), d));
                nodes.push(ConeNode::Leaf { q, slopes });
                continue;
            }
            let from = random.below(r);
            let to = (from + 1 + random.below(r - 1)) % r;
            let weights = (random.within(0.2, 1.0), random.within(0.2, 1.0));
            let between: Vec<f64> = (0..r).map(|i| weights.0 * cone[from][i] + weights.1 * cone[to][i]).collect();
            let with = |place: usize| {
                let mut cone = cone.clone();
                cone[place] = between.clone();
                cone
            };
            nodes.push(ConeNode::Split { from: from as u8, to: to as u8, weights });
            let share = random.below(budget);
            stack.push((with(to), budget - 1 - share));
            stack.push((with(from), share));
        }
    }
    Witness { bound: bound * (1.0 + SLACK), proof: BoundProof::Cones(Cones { basis, fan, nodes }) }
}

fn norm(q: &[f64], basis: Option<&Basis>, d: usize) -> f64 {
    let Some(Basis { coefficients, .. }) = basis else {
        return dot(q, q).sqrt();
    };
    let entry = |i: usize| q.iter().enumerate().map(|(j, q)| q * coefficients[j * d + i]).sum::<f64>();
    (0..d).map(|i| entry(i).powi(2)).sum::<f64>().sqrt()
}

/// The shortest q that fulfils a leaf's inequalities, found by trying all sets of them as equations.
fn leaf(
    coordinates: &[f64],
    r: usize,
    w: &[f64],
    cone: &[Vec<f64>],
    random: &mut Random,
) -> (Vec<f64>, Vec<(u32, u8)>) {
    let mut slopes = Vec::new();
    let (mut needed, mut sizes) = (vec![0.0; r], vec![0.0; r]);
    for (p, &w) in w.iter().enumerate() {
        let c = &coordinates[p * r..(p + 1) * r];
        let t: Vec<f64> = cone.iter().map(|v| dot(c, v)).collect();
        let mut alpha = if t.iter().sum::<f64>() > 0.0 { 1.0 } else { 0.0 };
        let crossed = t.iter().any(|&t| t > 0.0) && t.iter().any(|&t| t < 0.0);
        if w < 0.0 && (random.below(8) == 0 || crossed && random.below(2) == 0 || t.iter().sum::<f64>().abs() < 1e-9) {
            let numerator = random.below(129) as u8;
            slopes.push((p as u32, numerator));
            alpha = f64::from(numerator) / 128.0;
        }
        for k in 0..r {
            needed[k] += if w > 0.0 { w * t[k].max(0.0) } else { w * alpha * t[k] };
            sizes[k] += w.abs() * dot(c, c).sqrt() * dot(&cone[k], &cone[k]).sqrt();
        }
    }
    needed.iter_mut().zip(&sizes).for_each(|(needed, size)| *needed += SLACK * size);
    let fulfils = |q: &[f64]| (0..r).all(|k| dot(q, &cone[k]) >= needed[k] - 1e-3 * SLACK * sizes[k]);
    let mut best: Option<Vec<f64>> = None;
    for set in 0u32..1 << r {
        let chosen: Vec<usize> = (0..r).filter(|&k| set >> k & 1 == 1).collect();
        // q = Σ μ_k v_k with q·v_k = needed_k over the set.
        let gram = chosen.iter().flat_map(|&a| chosen.iter().map(move |&b| dot(&cone[a], &cone[b]))).collect();
        let Some(mu) = solve(gram, chosen.iter().map(|&k| needed[k]).collect()) else { continue };
        let q: Vec<f64> = (0..r).map(|i| chosen.iter().zip(&mu).map(|(&k, mu)| mu * cone[k][i]).sum()).collect();
        if fulfils(&q) && best.as_ref().is_none_or(|best| dot(&q, &q) < dot(best, best)) {
            best = Some(q);
        }
    }
    (best.expect("all equations together have a solution"), slopes)
}
