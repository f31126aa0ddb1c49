//! Rung 4 from a problem to an outcome: networks by column generation, then the bound by whatever is exact or best in this dimension.
//!
//! The state holds the best network and the best claim ever made; neither gets worse. Column generation ends when the ascent finds no
//! hidden unit that would lower the objective; then, with one output and points of low rank, the cones either prove that there is none
//! (the network is optimal over every width) or name one, which is added. Where the cones cannot be exhausted, the moment bound chooses
//! another α and the cones sharpen its bound.

use std::collections::VecDeque;
use std::time::Instant;

use infimum_problem::{BoundProof, Ending, Event, HiddenBias, Matrix, Monitor, Problem, Stop, Witness, gap_reached};

use crate::claim::{Claim, claim, norms, nothing, settle, upper};
use crate::cones::{ConeEnding, Request, bound_over_cones};
use crate::conflicts::conflicts;
use crate::incumbent::{Round, Search};
use crate::moments::{self, DualPoint};
use crate::promise::{EXACT_RANK, largest_decay, rank};
use crate::{Error, Instance, Net, Options, Outcome};

/// Name of the solver in logs.
pub const SOLVER: &str = "column-generation";

/// Share of the gap by which hidden units may exceed β where they are not looked for any more.
const EXCESS_SHARE: f64 = 0.25;
/// Rank up to which cones are exhausted before anything else is tried.
const EASY_RANK: usize = 3;
/// Smallest relative excess over β that the cones are asked to exclude.
const LEAST_EXCESS: f64 = 1e-9;
/// The same where the bound will not be exact.
const RELAXED_EXCESS: f64 = 2e-5;
/// Share of the objective by which a round of column generation has to lower it before the moments get their turn.
const SLOW: f64 = 1e-2;
/// Rounds after which they get it anyway.
const EARLY_ROUNDS: u64 = 6;
/// Units named by the cones, one after the other, that lowered nothing.
const MOST_FUTILE: u32 = 20;
/// Share of the largest sensible decay that stands for none.
const FREE: f64 = 1e-7;
/// Seconds of column generation after which the moments get their turn in any case.
const PATIENCE: f64 = 1.0;
/// Nodes of the first attempt of the cones; each later one has four times as many.
const FIRST_NODES: u64 = 20_000;
/// Nodes beyond which a tree is not kept.
const MOST_NODES: u64 = 20_000_000;

/// Why an exact search leaves a gap.
const NOT_EXACT: &str = "no hidden unit lowers the objective, but the dual point is not exact enough for the gap asked for; ask for a larger --gap";

/// Why there is no bound without decay.
const WITHOUT_DECAY: &str = "without decay no bound is known for networks of every width but that of equal rows with different targets; \
     ask for some, e.g. --l2 1e-4";

/// What a limit on the width has to do with a gap.
const TOO_NARROW: &str = "more hidden units than --hidden allows would lower the objective, and the bound, which is over networks of every width, \
     need not be attainable with so few";

/// What the cones found at an α.
enum Found {
    /// The bound asked for, of all outputs and signs.
    Proven,
    /// A hidden unit that violates it.
    Violated(Vec<f64>),
    /// Neither: too many cones.
    Open,
}

struct Run<'a> {
    instance: &'a Instance<'a>,
    /// The same, with a price where there is no decay: what networks are trained for.
    trained: &'a Instance<'a>,
    options: &'a Options,
    monitor: &'a dyn Monitor,
    rank: usize,
    /// The incumbent and its value.
    net: Net,
    upper: f64,
    /// Whether the width asked for keeps hidden units out that would lower the objective.
    capped: bool,
    best: Claim,
    bound: &'static str,
    rounds: u64,
    nodes: u64,
    /// The dual point of the moments, the stages with clusters that are to come, and the seconds that all of it has taken.
    moments: Option<DualPoint>,
    stages: VecDeque<(usize, f64)>,
    bounding: f64,
}

/// Trains a two-layer network until the gap asked for is reached, or the monitor says stop, or nothing can be improved.
pub fn solve(
    problem: &Problem,
    hidden_bias: HiddenBias,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<Outcome, Error> {
    if let Some(why) = objection(problem, options) {
        return Err(Error::Unsupported(why));
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads.max(1))
        .build()
        .map_err(|error| Error::Unsupported(format!("{} threads cannot be started: {error}", options.threads)))?;
    let reason = format!(
        "hidden units one after the other, at most {}",
        options.width.map_or("any number".into(), |k| k.to_string())
    );
    monitor.report(Event::Solver { name: SOLVER, reason });
    Ok(pool.install(|| {
        let instance = Instance::new(problem, hidden_bias);
        // Column generation needs a price of hidden units: without decay they have next to none.
        let priced = (instance.beta == 0.0)
            .then(|| Instance { beta: FREE * largest_decay(&instance), ..Instance::new(problem, hidden_bias) });
        let run = Run {
            trained: priced.as_ref().unwrap_or(&instance),
            rank: rank(&instance.points),
            net: Net { hidden: Vec::new(), output: Vec::new(), biases: vec![0.0; instance.outputs] },
            upper: f64::INFINITY,
            capped: false,
            best: nothing(&instance),
            bound: "norms",
            rounds: 0,
            nodes: 0,
            moments: None,
            stages: moments::sizes(&instance).into(),
            bounding: 0.0,
            instance: &instance,
            options,
            monitor,
        };
        run.run()
    }))
}

/// What the theorems do not cover.
fn objection(problem: &Problem, options: &Options) -> Option<String> {
    let objective = &problem.objective;
    if objective.lambda1 > 0.0 || objective.scales.is_some() || objective.kernel.is_some() {
        return Some("networks are trained with l2 alone, without scales of the columns and without a kernel".into());
    }
    if matches!(problem.data.matrix, Matrix::Spilled(_)) {
        return Some("networks are trained on rows in memory; leave the limit on memory out".into());
    }
    let start = options.start.as_ref()?;
    let expected = (problem.outputs(), problem.data.columns());
    ((start.outputs, start.columns) != expected).then(|| {
        format!(
            "the network to start from has {} outputs and {} columns; expected {} and {}",
            start.outputs, start.columns, expected.0, expected.1
        )
    })
}

impl Run<'_> {
    fn report(&self, source: &'static str) {
        let (upper, lower, explored) = (self.upper, self.best.lower, self.nodes);
        self.monitor.report(Event::Progress { source, upper, lower, explored });
    }

    fn done(&self) -> bool {
        gap_reached(self.upper, self.best.lower, self.options.gap, self.options.abs_gap)
    }

    /// Keeps a claim that is better than the best.
    fn offer(&mut self, alpha: &[f64], witnesses: &[Witness], source: &'static str) {
        if let Some(claim) = claim(self.instance, alpha, witnesses).filter(|claim| claim.lower > self.best.lower) {
            self.best = claim;
            self.bound = source;
            self.report(source);
        }
    }

    fn run(mut self) -> Outcome {
        let threads = self.options.threads;
        let mut search = Search::new(self.trained, self.options.width, self.options.seed, threads);
        search.tolerate(0.5 * self.excess());
        if let Some(net) = &self.options.start {
            search.start(&self.instance.private(net));
        }
        self.keep(&search);
        self.report("start");
        if let Some(claim) = conflicts(self.instance) {
            self.best = claim;
            self.bound = "conflicts";
            self.report("conflicts");
        }
        let mut message = self.columns(&mut search);
        if self.capped && self.instance.beta > 0.0 && !self.is_relaxed() && !self.done() {
            // The bound is over every width, so its α has to be that of a network of any width; moments choose their own.
            let mut free = Search::new(self.trained, None, self.options.seed, threads);
            free.tolerate(0.5 * self.excess());
            free.start(search.net());
            message = self.columns(&mut free);
        }
        if self.capped && message.is_empty() {
            message = TOO_NARROW.into();
        }
        if matches!(self.bound, "norms" | "conflicts") && self.instance.beta > 0.0 {
            let alpha = search.alpha();
            let witnesses = norms(self.instance, &alpha);
            self.offer(&alpha, &witnesses, "norms");
        }
        self.report("end");
        let ending = match (self.done(), self.monitor.stop()) {
            (true, _) => Ending::Optimal,
            (false, Some(Stop::Interrupted)) => Ending::Interrupted,
            (false, Some(Stop::TimeLimit)) => Ending::TimeLimit,
            (false, None) => Ending::Stalled,
        };
        let message = if ending == Ending::Optimal { String::new() } else { message };
        Outcome {
            net: self.instance.public(&self.net),
            dual: self.best.alpha,
            witnesses: self.best.witnesses,
            upper: self.upper,
            lower: self.best.lower,
            ending,
            bound: self.bound,
            rounds: self.rounds,
            nodes: self.nodes,
            message,
        }
    }

    /// Share by which hidden units may exceed β where they are not looked for any more.
    fn excess(&self) -> f64 {
        let least = if self.is_relaxed() { RELAXED_EXCESS } else { LEAST_EXCESS };
        (EXCESS_SHARE * self.options.gap).max(least)
    }

    /// Takes the search's network as incumbent if it is better and no wider than was asked for.
    fn keep(&mut self, search: &Search) {
        let net = search.net();
        let fits = self.options.width.is_none_or(|width| net.output.len() <= width * self.instance.outputs);
        if fits {
            let upper = upper(self.instance, net);
            if upper < self.upper {
                (self.upper, self.net) = (upper, net.clone());
            }
        }
    }

    /// Column generation with a bound at its end, until nothing can be improved; says why it ended.
    fn columns(&mut self, search: &mut Search) -> String {
        let monitor = self.monitor;
        let stop = move || monitor.stop().is_some();
        let mut nodes = if self.rank <= EASY_RANK { MOST_NODES } else { FIRST_NODES };
        let (begin, mut relaxed) = (Instant::now(), None);
        // Units that the cones name but that lower nothing: α is as exact as it gets. Whether cones were exhausted at a network's α.
        let (mut futile, mut last, mut exact) = (0, f64::INFINITY, false);
        loop {
            let before = self.upper;
            let round = search.round(&stop);
            self.rounds += 1;
            self.keep(search);
            match round {
                Round::Improved => {
                    self.report("columns");
                    // Where no exact answer is in sight the moments have the last word; they need not wait for the last hidden unit.
                    let slow = before - self.upper <= SLOW * self.upper.abs()
                        || self.rounds >= EARLY_ROUNDS
                        || begin.elapsed().as_secs_f64() > PATIENCE;
                    if self.is_relaxed() && slow && relaxed.is_none() && self.instance.beta > 0.0 {
                        relaxed = Some(self.moments(&search.alpha()));
                    }
                    if relaxed.is_some() {
                        self.sharpen(begin.elapsed().as_secs_f64() - self.bounding);
                    }
                    if self.done() {
                        return String::new();
                    }
                    continue;
                }
                Round::Exhausted => {
                    self.capped = true;
                    self.report("columns");
                    self.monitor.report(Event::Note(TOO_NARROW.into()));
                }
                Round::Stopped => return String::new(),
                Round::NoneViolated => self.report("polish"),
            }
            if self.instance.beta == 0.0 {
                return WITHOUT_DECAY.into();
            }
            if round == Round::Exhausted && !self.is_relaxed() {
                return String::new();
            }
            if self.is_relaxed() && relaxed.is_some() {
                self.sharpen(f64::INFINITY);
                return self.weak();
            }
            let found = self.bound_at(&search.alpha(), nodes, true);
            if self.done() || stop() {
                return String::new();
            }
            match found {
                // A hidden unit that the ascent had not found.
                Found::Violated(u) if futile < MOST_FUTILE && search.add(&u) => {
                    futile = if self.upper < last * (1.0 - 1e-12) { 0 } else { futile + 1 };
                    last = self.upper;
                    continue;
                }
                // The bound is that of the optimum over every width: what is left is the price of the width asked for.
                Found::Proven if self.capped && !self.is_relaxed() => return String::new(),
                Found::Violated(_) | Found::Proven if relaxed.is_some() => return NOT_EXACT.into(),
                Found::Violated(_) | Found::Proven => exact = true,
                Found::Open => {}
            }
            let alpha = match relaxed.take() {
                Some(alpha) => alpha,
                None => {
                    let alpha = self.moments(&search.alpha());
                    if self.done() || stop() {
                        return String::new();
                    }
                    alpha
                }
            };
            if self.is_relaxed() {
                self.sharpen(f64::INFINITY);
                return self.weak();
            }
            self.bound_at(&alpha, nodes, false);
            if self.done() || stop() {
                return String::new();
            }
            if nodes >= MOST_NODES && exact {
                return NOT_EXACT.into();
            }
            if nodes >= MOST_NODES {
                return "the cones of the bound do not fit in memory; a stronger --l2 makes them fewer".into();
            }
            nodes *= 4;
            relaxed = Some(alpha);
        }
    }

    /// Whether moments alone decide about the bound in the end.
    fn is_relaxed(&self) -> bool {
        self.rank > EXACT_RANK || self.instance.outputs > 1
    }

    /// The joint moment bound; returns its α.
    fn moments(&mut self, start: &[f64]) -> Vec<f64> {
        let (instance, monitor, upper, begin) = (self.instance, self.monitor, self.upper, Instant::now());
        let point = moments::joint(instance, start, upper, self.close(), &|| monitor.stop().is_some(), &mut |point| {
            self.offer(&point.alpha, &point.witnesses, "moments");
        });
        self.bounding += begin.elapsed().as_secs_f64();
        self.moments = Some(point.clone());
        point.alpha
    }

    /// Stages with clusters of rows where moments decide, as long as each takes no more than so many seconds.
    fn sharpen(&mut self, seconds: f64) {
        while let Some(&(size, price)) = self.stages.front()
            && price <= seconds
            && self.is_relaxed()
            && !self.done()
            && self.monitor.stop().is_none()
            && let Some(point) = self.moments.take()
        {
            self.stages.pop_front();
            let (instance, monitor, upper, begin) = (self.instance, self.monitor, self.upper, Instant::now());
            let stop = || monitor.stop().is_some();
            let point = moments::clustered(instance, point, size, upper, self.close(), &stop, &mut |point| {
                self.offer(&point.alpha, &point.witnesses, "clusters");
            });
            self.bounding += begin.elapsed().as_secs_f64();
            self.moments = Some(point);
        }
    }

    /// Half of the gap asked for, as a difference.
    fn close(&self) -> f64 {
        0.5 * (self.options.gap * self.upper.abs()).max(self.options.abs_gap)
    }

    /// Bounds all outputs and signs at this α by cones, where the rank allows, and offers the claim.
    fn bound_at(&mut self, alpha: &[f64], nodes: u64, is_incumbent: bool) -> Found {
        if self.rank > EXACT_RANK || (self.instance.outputs > 1 && self.rank > EASY_RANK) {
            return Found::Open;
        }
        let monitor = self.monitor;
        let stop = move || monitor.stop().is_some();
        let mut alpha = alpha.to_vec();
        settle(self.instance, &mut alpha);
        let beta = self.instance.beta;
        let excess = self.excess();
        let single = self.instance.outputs == 1 && is_incumbent;
        let (mut witnesses, mut proven) = (Vec::new(), true);
        for k in 0..self.instance.outputs {
            let (w, errors) = (self.instance.merged(&alpha, k), self.instance.merging_errors(&alpha, k));
            for sign in [1.0, -1.0] {
                let w: Vec<f64> = w.iter().map(|w| sign * w).collect();
                if w.iter().all(|&w| w <= 0.0) {
                    let bound = self.instance.points.norm_sum(&errors);
                    witnesses.push(Witness { bound, proof: BoundProof::Norms });
                    continue;
                }
                // Where only the value counts, the target is what is seen to be reached.
                let mut request = Request {
                    points: &self.instance.points,
                    w: &w,
                    errors: &errors,
                    target: beta * (1.0 + excess),
                    refute: if single { beta * (1.0 + excess) } else { f64::INFINITY },
                    threads: self.options.threads,
                    nodes,
                    stop: &stop,
                };
                if !single {
                    let Some(first) = bound_over_cones(&Request { nodes: 1, ..request }) else { return Found::Open };
                    request.target = first.best.1.max(0.0) * (1.0 + excess);
                }
                let Some(answer) = bound_over_cones(&request) else { return Found::Open };
                self.nodes += answer.nodes;
                match answer.ending {
                    ConeEnding::Refuted => return Found::Violated(answer.best.0),
                    ConeEnding::Stopped => proven = false,
                    ConeEnding::Reached | ConeEnding::Exact => {}
                }
                witnesses.push(Witness { bound: answer.bound.max(0.0), proof: BoundProof::Cones(answer.cones) });
                if !proven && stop() {
                    return Found::Open;
                }
            }
        }
        self.offer(&alpha, &witnesses, "cones");
        if proven { Found::Proven } else { Found::Open }
    }

    /// What is known where only moments bound.
    fn weak(&self) -> String {
        let rank = self.rank;
        if self.instance.outputs > 1 {
            return format!(
                "with several outputs the bound adds up what each allows (rank {rank}); the gap may be the bound's weakness as well as a better network"
            );
        }
        format!(
            "the rows have rank {rank}, above {EXACT_RANK} only moments bound; the gap may be the bound's weakness as well as a better network. \
             A stronger --l2 closes it"
        )
    }
}
