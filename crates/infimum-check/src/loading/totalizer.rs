//! At most E of the error variables (docs/loading.md, clauses D): a totalizer cut off at E + 1.
//!
//! Invariant of a node over rows lo..hi: if at least k of `e[lo..hi]` are true, unit propagation makes its k-th literal true, for k up to
//! E + 1. Only the converse is left out, so that the clauses say nothing else than the bound. Bailleux and Boufkhad, *Efficient CNF
//! encoding of Boolean cardinality constraints*, CP 2003. Clauses are made when they are asked for: there are up to m·E² of them.

/// Variables for "at least 1, 2, …" of some rows: `first`, `first + 1`, ….
#[derive(Debug, Clone, Copy)]
struct Counter {
    first: u64,
    count: u64,
}

impl Counter {
    /// The variable of "at least `k`", k ≥ 1.
    fn at_least(self, k: u64) -> i32 {
        (self.first + k - 1) as i32
    }
}

/// An inner node and where its clauses begin.
#[derive(Debug)]
struct Node {
    first_clause: u64,
    left: Counter,
    right: Counter,
    own: Counter,
}

/// The clauses D.
#[derive(Debug)]
pub(crate) struct Totalizer {
    /// Children before their parents, the order of the clauses.
    nodes: Vec<Node>,
    root: Counter,
    first_error: u64,
    rows: u64,
    stride: u64,
    cut: u64,
    next_variable: u64,
    clauses: u64,
}

impl Totalizer {
    /// At most `errors` of `rows` > `errors` variables that begin at `first_error`, in the order of multiples of `stride` modulo `rows`, of which 1 ≤ stride ≤ rows is coprime
    /// to `rows`; new variables begin at `next_variable`.
    pub(crate) fn new(rows: usize, errors: u64, stride: u64, first_error: u64, next_variable: u64) -> Totalizer {
        let root = Counter { first: first_error, count: 1 };
        let nodes = Vec::with_capacity(rows);
        let (rows, cut) = (rows as u64, errors + 1);
        let mut totalizer = Totalizer { nodes, root, first_error, rows, stride, cut, next_variable, clauses: 0 };
        totalizer.root = totalizer.node(0, rows);
        totalizer.clauses += 1;
        totalizer
    }

    /// The counter of `count` ≥ 1 error variables from the place `first` of the order on.
    fn node(&mut self, first: u64, count: u64) -> Counter {
        if count == 1 {
            // Both are below 2^32.
            return Counter { first: self.first_error + first * self.stride % self.rows, count };
        }
        // ⌊(lo + hi)/2⌋ = lo + ⌊(hi − lo)/2⌋.
        let half = count / 2;
        let left = self.node(first, half);
        let right = self.node(first + half, count - half);
        let own = Counter { first: self.next_variable, count: count.min(self.cut) };
        self.next_variable += own.count;
        self.nodes.push(Node { first_clause: self.clauses, left, right, own });
        self.clauses += (left.count + 1) * (right.count + 1) - 1;
        own
    }

    /// Number of clauses.
    pub(crate) fn clauses(&self) -> u64 {
        self.clauses
    }

    /// First variable that is not used.
    pub(crate) fn next_variable(&self) -> u64 {
        self.next_variable
    }

    /// Appends the literals of clause `index` < [`Totalizer::clauses`].
    pub(crate) fn clause(&self, index: u64, literals: &mut Vec<i32>) {
        if index + 1 == self.clauses {
            return literals.push(-self.root.at_least(self.cut));
        }
        let node = &self.nodes[self.nodes.partition_point(|node| node.first_clause <= index) - 1];
        // The pair a = b = 0 gives no clause.
        let pair = index - node.first_clause + 1;
        let (a, b) = (pair / (node.right.count + 1), pair % (node.right.count + 1));
        if a > 0 {
            literals.push(-node.left.at_least(a));
        }
        if b > 0 {
            literals.push(-node.right.at_least(b));
        }
        literals.push(node.own.at_least((a + b).min(node.own.count)));
    }
}
