//! Learning curves as SVG: lines over a logarithmic axis of rows.

use std::fmt::Write;

/// One line: points (rows, value, half-width of the error bar).
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Name in the legend.
    pub name: &'static str,
    /// Colour, any CSS colour.
    pub color: &'static str,
    /// Rows, value and error, which may be 0.
    pub points: Vec<(f64, f64, f64)>,
}

/// Size of the picture and of the frame of the plot within it: left, top, right, bottom.
const SIZE: [f64; 2] = [720.0, 440.0];
const FRAME: [f64; 4] = [80.0, 24.0, 700.0, 380.0];
/// Marks on the vertical axis.
const MARKS: usize = 5;

/// The text with the characters that XML reserves written as entities.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The picture; `title` is what the vertical axis shows. Values that are not finite are left out.
pub fn curve_svg(title: &str, lines: &[Line]) -> String {
    let finite = |line: &Line| -> Vec<(f64, f64, f64)> {
        let all = line.points.iter().copied();
        all.filter(|&(rows, value, _)| rows > 0.0 && value.is_finite())
            .map(|(rows, value, error)| (rows, value, if error.is_finite() { error } else { 0.0 }))
            .collect()
    };
    let all: Vec<(f64, f64, f64)> = lines.iter().flat_map(&finite).collect();
    let ends = |values: &mut dyn Iterator<Item = f64>| {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        if low < high { (low, high) } else { (low - 0.5, high + 0.5) }
    };
    let (first, last) = ends(&mut all.iter().map(|point| point.0.ln()));
    let (low, high) = ends(&mut all.iter().flat_map(|&(_, value, error)| [value - error, value + error]));
    let [left, top, right, bottom] = FRAME;
    let x = |rows: f64| left + (rows.ln() - first) / (last - first) * (right - left);
    let y = |value: f64| bottom - (value - low) / (high - low) * (bottom - top);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        SIZE[0], SIZE[1]
    );
    for mark in 0..=MARKS {
        let value = low + (high - low) * mark as f64 / MARKS as f64;
        let at = y(value);
        let _ = writeln!(svg, "<line x1=\"{left}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>");
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value:.4}</text>", left - 6.0, at + 4.0);
    }
    let mut rows: Vec<f64> = all.iter().map(|point| point.0).collect();
    rows.sort_by(f64::total_cmp);
    rows.dedup();
    let mut free = f64::NEG_INFINITY;
    for rows in rows {
        let at = x(rows);
        if at >= free {
            let _ = writeln!(svg, "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{rows}</text>", bottom + 18.0);
            free = at + 45.0;
        }
    }
    let middle = 0.5 * (left + right);
    let _ = writeln!(svg, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">training rows</text>", bottom + 38.0);
    let _ = writeln!(svg, "<text x=\"{left}\" y=\"{}\">{}</text>", top - 8.0, escaped(title));
    for (number, line) in lines.iter().enumerate() {
        let (color, points) = (line.color, finite(line));
        let path: Vec<String> =
            points.iter().map(|&(rows, value, _)| format!("{:.1},{:.1}", x(rows), y(value))).collect();
        let path = path.join(" ");
        let _ = writeln!(svg, "<polyline points=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>");
        for (rows, value, error) in points {
            let (at, from, to) = (x(rows), y(value - error), y(value + error));
            let _ = writeln!(svg, "<circle cx=\"{at:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{color}\"/>", y(value));
            if error > 0.0 {
                let _ = writeln!(
                    svg,
                    "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{from:.1}\" y2=\"{to:.1}\" stroke=\"{color}\"/>"
                );
            }
        }
        let at = SIZE[1] - 8.0;
        let from = left + 200.0 * number as f64;
        let _ = writeln!(svg, "<rect x=\"{from}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{color}\"/>", at - 11.0);
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{at}\">{}</text>", from + 18.0, escaped(line.name));
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_point_is_drawn_inside_the_frame() {
        let points = vec![(10.0, 0.5, 0.1), (100.0, 0.25, f64::NAN), (1000.0, f64::NAN, 0.0), (50.0, 0.25, 0.0)];
        let svg = curve_svg("loss < 1 & more", &[Line { name: "validation", color: "#c30", points }]);
        let attribute = |name: &str| -> Vec<f64> {
            let mark = format!("{name}=\"");
            let parts = svg.split(&mark).skip(1);
            parts.map(|part| part.split('"').next().unwrap().parse().unwrap()).collect()
        };
        let (xs, ys) = (attribute("cx"), attribute("cy"));
        assert_eq!((xs.len(), xs[0], xs[1]), (3, 80.0, 700.0), "{svg}");
        assert!(ys.iter().all(|y| (24.0..=380.0).contains(y)) && svg.contains("loss &lt; 1 &amp; more"), "{svg}");
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn a_single_point_has_a_place() {
        let svg = curve_svg("loss", &[Line { name: "training", color: "#06c", points: vec![(7.0, 1.0, 0.0)] }]);
        assert!(svg.contains("cx=\"390.0\"") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
