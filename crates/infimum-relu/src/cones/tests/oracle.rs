//! `max Σ_p w_p relu(x_p·u)` over ‖u‖ ≤ 1 for D ≤ 3 by going through the whole arrangement.

use crate::Points;

pub(super) fn value(points: &Points, w: &[f64], u: &[f64]) -> f64 {
    (0..points.len()).map(|p| w[p] * dot(points.point(p), u).max(0.0)).sum()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn normalized(v: &[f64]) -> Vec<f64> {
    let length = dot(v, v).sqrt();
    v.iter().map(|x| x / length).collect()
}

fn cross(a: &[f64], b: &[f64]) -> Vec<f64> {
    vec![a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// The maximum. On a face (x_p·u = 0 for p in a set, the other signs fixed) the sum is linear, g·u, and largest at the
/// projection of g; each cell of the arrangement (with the coordinate planes added, so that cells have vertices) is met
/// by going from each of its vertices in each direction. What is returned is attained.
pub(super) fn maximum(points: &Points, w: &[f64]) -> f64 {
    let d = points.dimension;
    let mut planes: Vec<Vec<f64>> = (0..points.len())
        .map(|p| points.point(p).to_vec())
        .filter(|x| dot(x, x) > 0.0)
        .map(|x| normalized(&x))
        .collect();
    planes.extend((0..d).map(|j| (0..d).map(|i| f64::from(u8::from(i == j))).collect::<Vec<f64>>()));
    let mut best = 0.0f64;
    let mut consider = |u: &[f64], normals: &[&[f64]]| {
        // The gradient in the cell of u, projected on the planes' intersections.
        let mut g = vec![0.0; d];
        for p in 0..points.len() {
            let x = points.point(p);
            if dot(x, u) > 0.0 {
                g.iter_mut().zip(x).for_each(|(g, x)| *g += w[p] * x);
            }
        }
        let mut directions = vec![g.clone(), u.to_vec()];
        for normal in normals {
            let along = dot(&g, normal);
            directions.push(g.iter().zip(*normal).map(|(g, n)| g - along * n).collect());
        }
        for direction in directions {
            if dot(&direction, &direction) > 1e-300 {
                best = best.max(value(points, w, &normalized(&direction)));
            }
        }
    };
    for (i, a) in planes.iter().enumerate() {
        match d {
            1 => [1.0, -1.0].iter().for_each(|&u| consider(&[u], &[])),
            2 => {
                for sign in [1.0, -1.0] {
                    let vertex = [-a[1] * sign, a[0] * sign];
                    for step in [0.0, 1e-7, -1e-7, 1e-4, -1e-4] {
                        consider(&[vertex[0] + step * a[0], vertex[1] + step * a[1]], &[a]);
                    }
                }
            }
            _ => {
                for b in &planes[i + 1..] {
                    let vertex = cross(a, b);
                    let length = dot(&vertex, &vertex).sqrt();
                    if length < 1e-9 {
                        continue;
                    }
                    let vertex: Vec<f64> = vertex.iter().map(|x| x / length).collect();
                    // To a's positive side along b's plane, and the other way round.
                    let (along_b, along_a) = (cross(b, &vertex), cross(&vertex, a));
                    for sign in [1.0, -1.0] {
                        for size in [0.0, 1e-7, 1e-4] {
                            for (s, t) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)] {
                                let u: Vec<f64> = (0..3)
                                    .map(|j| sign * vertex[j] + size * (s * along_b[j] + t * along_a[j]))
                                    .collect();
                                consider(&u, &[a, b]);
                            }
                        }
                    }
                }
            }
        }
    }
    best
}
