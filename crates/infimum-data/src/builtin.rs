//! Built-in data: four classic tables (see NOTICE) and small generated ones, each as the bytes of a CSV file, so that
//! they go the same way as a user's file.

use std::fmt::Write as _;

use crate::canonical::splitmix64;

const TABLES: [(&str, &str, &[u8]); 4] = [
    ("iris", "150 flowers, 4 measures, 3 species", include_bytes!("../builtin/iris.csv.gz")),
    ("wine", "178 wines, 13 analyses, 3 cultivars", include_bytes!("../builtin/wine.csv.gz")),
    (
        "breast-cancer",
        "569 tumours, 30 measures, benign or malignant",
        include_bytes!("../builtin/breast-cancer.csv.gz"),
    ),
    ("digits", "1797 images of 8 × 8 grey values, 10 digits", include_bytes!("../builtin/digits.csv.gz")),
];

const NAMES: [(&str, &str); 10] = [
    (TABLES[0].0, TABLES[0].1),
    (TABLES[1].0, TABLES[1].1),
    (TABLES[2].0, TABLES[2].1),
    (TABLES[3].0, TABLES[3].1),
    ("friedman", "regression, 500 rows: 10 sin(π x1 x2) + 20 (x3 − ½)² + 10 x4 + 5 x5 + noise, 10 columns"),
    ("xor", "the 4 rows of exclusive or"),
    ("parity:N", "all 2^N rows of N bits and their parity, N from 1 to 16"),
    ("moons", "200 points on two interleaved half circles"),
    ("spirals", "194 points on two spirals (Lang & Witbrock 1988)"),
    ("tic-tac-toe", "958 final boards, 9 text columns: does x win?"),
];

/// Names and one-line descriptions of the built-in sets.
pub fn builtin_names() -> &'static [(&'static str, &'static str)] {
    &NAMES
}

/// The bytes of the built-in set, or a sentence that lists what there is.
pub(crate) fn bytes(name: &str) -> Result<Vec<u8>, String> {
    if let Some(table) = TABLES.iter().find(|table| table.0 == name) {
        return Ok(table.2.to_vec());
    }
    let text = match name {
        "friedman" => friedman(),
        "xor" => parity(2),
        "moons" => moons(),
        "spirals" => spirals(),
        "tic-tac-toe" => tic_tac_toe(),
        _ => match name.strip_prefix("parity:").and_then(|bits| bits.parse().ok()) {
            Some(bits @ 1..=16) => parity(bits),
            _ => {
                let names: Vec<&str> = NAMES.iter().map(|entry| entry.0).collect();
                return Err(format!("there is no such built-in set; there are {}", names.join(", ")));
            }
        },
    };
    Ok(text.into_bytes())
}

/// A uniform number in [0, 1) and a normal one, from a counter.
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random { state: splitmix64(seed) }
    }

    pub(crate) fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(1);
        (splitmix64(self.state) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A uniform integer below `count`, which is at least 1.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        ((self.uniform() * count as f64) as usize).min(count - 1)
    }

    /// Box–Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// Numbers are rounded to six decimals, so that the set does not depend on the platform's sin and ln.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn friedman() -> String {
    let mut random = Random::new(1);
    let mut text = "x1,x2,x3,x4,x5,x6,x7,x8,x9,x10,y\n".to_string();
    for _ in 0..500 {
        let x: Vec<f64> = (0..10).map(|_| rounded(random.uniform())).collect();
        let y = 10.0 * (std::f64::consts::PI * x[0] * x[1]).sin()
            + 20.0 * (x[2] - 0.5).powi(2)
            + 10.0 * x[3]
            + 5.0 * x[4]
            + random.normal();
        x.iter().for_each(|x| text.push_str(&format!("{x},")));
        let _ = writeln!(text, "{}", rounded(y));
    }
    text
}

pub(crate) fn parity(bits: u32) -> String {
    let mut text: String = (1..=bits).map(|bit| format!("bit{bit},")).collect();
    text.push_str("parity\n");
    for row in 0u32..1 << bits {
        (0..bits).for_each(|bit| text.push_str(&format!("{},", row >> bit & 1)));
        let _ = writeln!(text, "{}", row.count_ones() % 2);
    }
    text
}

fn moons() -> String {
    let mut random = Random::new(2);
    let mut text = "x1,x2,class\n".to_string();
    for row in 0..200 {
        let angle = std::f64::consts::PI * f64::from(row / 2) / 99.0;
        let (x, y) = if row % 2 == 0 { (angle.cos(), angle.sin()) } else { (1.0 - angle.cos(), 0.5 - angle.sin()) };
        let (x, y) = (x + 0.15 * random.normal(), y + 0.15 * random.normal());
        let _ = writeln!(text, "{},{},{}", rounded(x), rounded(y), row % 2);
    }
    text
}

fn spirals() -> String {
    let mut text = "x1,x2,class\n".to_string();
    for [x, y] in spiral(97) {
        let _ = writeln!(text, "{x},{y},1");
        let _ = writeln!(text, "{},{},0", -x, -y);
    }
    text
}

/// So many points of three turns of a spiral towards the origin; the other spiral is its mirror image.
pub(crate) fn spiral(points: usize) -> impl Iterator<Item = [f64; 2]> {
    let step = 96.0 / (points.max(2) - 1) as f64;
    (0..points).map(move |point| {
        let place = point as f64 * step;
        let angle = place * std::f64::consts::PI / 16.0;
        let radius = 6.5 * (104.0 - place) / 104.0;
        [rounded(radius * angle.sin()), rounded(radius * angle.cos())]
    })
}

const LINES: [[usize; 3]; 8] = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 3, 6], [1, 4, 7], [2, 5, 8], [0, 4, 8], [2, 4, 6]];

fn wins(board: &[u8; 9], player: u8) -> bool {
    LINES.iter().any(|line| line.iter().all(|&square| board[square] == player))
}

/// All boards at which a game begun by x ends, sorted.
fn tic_tac_toe() -> String {
    fn play(board: &mut [u8; 9], player: u8, found: &mut std::collections::BTreeSet<[u8; 9]>) {
        if wins(board, b'x') || wins(board, b'o') || !board.contains(&b'b') {
            found.insert(*board);
            return;
        }
        for square in 0..9 {
            if board[square] == b'b' {
                board[square] = player;
                play(board, if player == b'x' { b'o' } else { b'x' }, found);
                board[square] = b'b';
            }
        }
    }
    let mut found = std::collections::BTreeSet::new();
    play(&mut [b'b'; 9], b'x', &mut found);
    let mut text: String = (1..=9).map(|square| format!("square{square},")).collect();
    text.push_str("x_wins\n");
    for board in found {
        board.iter().for_each(|&square| text.extend([char::from(square), ',']));
        text.push_str(if wins(&board, b'x') { "positive\n" } else { "negative\n" });
    }
    text
}
