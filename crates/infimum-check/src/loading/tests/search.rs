//! A small clause-learning search that writes proofs: it decides tiny formulas for the tests.

use infimum_problem::ProofStep;

/// The answer of [`decide`].
pub enum Answer {
    Satisfiable,
    /// With the steps that refute the clauses; they are numbered on from the last.
    Unsatisfiable(Vec<ProofStep>),
}

struct Search {
    /// Literals of all clauses; the first two are watched.
    clauses: Vec<Vec<i32>>,
    watches: Vec<Vec<usize>>,
    /// By variable: 1 true, −1 false, 0 unassigned.
    values: Vec<i8>,
    levels: Vec<usize>,
    reasons: Vec<Option<usize>>,
    places: Vec<usize>,
    trail: Vec<i32>,
    decisions: Vec<usize>,
    next: usize,
    activity: Vec<f64>,
}

fn code(literal: i32) -> usize {
    2 * literal.unsigned_abs() as usize + usize::from(literal < 0)
}

fn variable(literal: i32) -> usize {
    literal.unsigned_abs() as usize
}

/// Decides the clauses over the variables 1 to `variables`, by conflict-driven clause learning (first unique implication point,
/// decaying activities, no restarts).
pub fn decide(clauses: &[Vec<i32>], variables: usize) -> Answer {
    let mut search = Search {
        clauses: Vec::new(),
        watches: vec![Vec::new(); 2 * variables + 2],
        values: vec![0; variables + 1],
        levels: vec![0; variables + 1],
        reasons: vec![None; variables + 1],
        places: vec![0; variables + 1],
        trail: Vec::new(),
        decisions: Vec::new(),
        next: 0,
        activity: vec![0.0; variables + 1],
    };
    let mut steps = Vec::new();
    // All clauses first, so that numbers are kept; then what is unit.
    clauses.iter().for_each(|clause| search.add(clause.clone()));
    for number in 0..clauses.len() {
        let conflict = match clauses[number].len() {
            0 => Some(number),
            1 => (!search.enqueue(clauses[number][0], Some(number))).then_some(number),
            _ => None,
        };
        if let Some(conflict) = conflict {
            steps.push(ProofStep { clause: vec![], hints: search.hints(conflict, &[]) });
            return Answer::Unsatisfiable(steps);
        }
    }
    loop {
        if let Some(conflict) = search.propagate() {
            let clause = search.analyze(conflict);
            steps.push(ProofStep { hints: search.hints(conflict, &clause), clause: clause.clone() });
            let Some(&first) = clause.first() else { return Answer::Unsatisfiable(steps) };
            let level = clause.get(1).map_or(0, |&literal| search.levels[variable(literal)]);
            search.back_to(level);
            let number = search.clauses.len();
            search.add(clause);
            assert!(search.enqueue(first, Some(number)));
        } else {
            let open = (1..=variables).filter(|&v| search.values[v] == 0);
            let Some(best) = open.max_by(|&a, &b| search.activity[a].total_cmp(&search.activity[b]).then(b.cmp(&a)))
            else {
                return Answer::Satisfiable;
            };
            search.decisions.push(search.trail.len());
            search.enqueue(-(best as i32), None);
        }
    }
}

impl Search {
    fn add(&mut self, clause: Vec<i32>) {
        if clause.len() > 1 {
            clause[..2].iter().for_each(|&literal| self.watches[code(literal)].push(self.clauses.len()));
        }
        self.clauses.push(clause);
    }

    fn value(&self, literal: i32) -> i8 {
        if literal < 0 { -self.values[variable(literal)] } else { self.values[variable(literal)] }
    }

    /// Makes a literal true; false if it is false.
    fn enqueue(&mut self, literal: i32, reason: Option<usize>) -> bool {
        if self.value(literal) == 0 {
            let v = variable(literal);
            self.values[v] = if literal < 0 { -1 } else { 1 };
            (self.levels[v], self.reasons[v], self.places[v]) = (self.decisions.len(), reason, self.trail.len());
            self.trail.push(literal);
        }
        self.value(literal) == 1
    }

    fn propagate(&mut self) -> Option<usize> {
        while self.next < self.trail.len() {
            let false_literal = -self.trail[self.next];
            self.next += 1;
            let watching = std::mem::take(&mut self.watches[code(false_literal)]);
            for (place, &number) in watching.iter().enumerate() {
                if self.clauses[number][0] == false_literal {
                    self.clauses[number].swap(0, 1);
                }
                let other = self.clauses[number][0];
                let better = (2..self.clauses[number].len()).find(|&j| self.value(self.clauses[number][j]) != -1);
                if let (Some(j), false) = (better, self.value(other) == 1) {
                    self.clauses[number].swap(1, j);
                    let watch = self.clauses[number][1];
                    self.watches[code(watch)].push(number);
                } else {
                    self.watches[code(false_literal)].push(number);
                    if !self.enqueue(other, Some(number)) {
                        self.watches[code(false_literal)].extend(&watching[place + 1..]);
                        return Some(number);
                    }
                }
            }
        }
        None
    }

    /// The first unique implication point's clause: its asserted literal first, then one of the level to go back to.
    fn analyze(&mut self, conflict: usize) -> Vec<i32> {
        let level = self.decisions.len();
        if level == 0 {
            return Vec::new();
        }
        let mut seen = vec![false; self.values.len()];
        let (mut rest, mut open, mut reason, mut place) = (Vec::new(), 0, conflict, self.trail.len());
        let first = loop {
            for &literal in &self.clauses[reason] {
                let v = variable(literal);
                if !seen[v] && self.levels[v] > 0 && self.values[v] != 0 && self.value(literal) == -1 {
                    seen[v] = true;
                    self.activity[v] += 1.0;
                    if self.levels[v] == level { open += 1 } else { rest.push(literal) }
                }
            }
            place = (0..place).rev().find(|&p| seen[variable(self.trail[p])]).expect("an implication point");
            open -= 1;
            if open == 0 {
                break -self.trail[place];
            }
            reason = self.reasons[variable(self.trail[place])].expect("implied");
        };
        self.activity.iter_mut().for_each(|activity| *activity *= 0.95);
        rest.sort_by_key(|&literal| std::cmp::Reverse(self.levels[variable(literal)]));
        std::iter::once(first).chain(rest).collect()
    }

    /// The reasons from which the clause follows, in the order of the trail, then the conflict; numbers from 1.
    fn hints(&self, conflict: usize, clause: &[i32]) -> Vec<u64> {
        let mut seen = vec![false; self.values.len()];
        clause.iter().for_each(|&literal| seen[variable(literal)] = true);
        let (mut open, mut places) = (vec![conflict], Vec::new());
        while let Some(number) = open.pop() {
            for &literal in &self.clauses[number] {
                let v = variable(literal);
                if !std::mem::replace(&mut seen[v], true) {
                    open.push(self.reasons[v].expect("decisions are in the clause"));
                    places.push(self.places[v]);
                }
            }
        }
        places.sort_unstable();
        let reason = |place: usize| self.reasons[variable(self.trail[place])].expect("implied") as u64 + 1;
        places.into_iter().map(reason).chain([conflict as u64 + 1]).collect()
    }

    fn back_to(&mut self, level: usize) {
        let length = self.decisions[level];
        for literal in self.trail.drain(length..) {
            self.values[variable(literal)] = 0;
        }
        self.decisions.truncate(level);
        self.next = length;
    }
}
