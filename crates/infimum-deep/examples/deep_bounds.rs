//! Bounds of deep networks on files of numbers with the target in the last column: `deep_bounds FILE squared|logistic LAMBDA LAYERS [SECONDS]`.

use std::time::Instant;

use infimum_deep::bounds::{Options, bound};
use infimum_problem::deep::{Activation, Architecture};
use infimum_problem::{
    ColumnNames, Dataset, DenseMatrix, Event, Intercept, Loss, Matrix, Monitor, Objective, Problem, Stop, Target,
};

struct Clock(Instant, f64);

impl Monitor for Clock {
    fn report(&self, event: Event) {
        println!("{:6.2}s {event:?}", self.0.elapsed().as_secs_f64());
    }

    fn stop(&self) -> Option<Stop> {
        (self.0.elapsed().as_secs_f64() > self.1).then_some(Stop::TimeLimit)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, file, loss, lambda, layers, rest @ ..] = arguments.as_slice() else {
        return Err("usage: deep_bounds FILE squared|logistic LAMBDA LAYERS [SECONDS]".into());
    };
    let text = std::fs::read_to_string(file)?;
    let rows: Result<Vec<Vec<f64>>, _> =
        text.lines().skip(1).map(|line| line.split(',').map(|cell| cell.trim().parse::<f64>()).collect()).collect();
    let rows = rows?;
    let (count, columns) = (rows.len(), rows[0].len() - 1);
    let values = rows.iter().flat_map(|row| row[..columns].iter().copied()).collect();
    let targets: Vec<f64> = rows.iter().map(|row| row[columns]).collect();
    let (loss, target) = if loss == "logistic" {
        let classes = targets.iter().map(|&y| u32::from(y > 0.0)).collect();
        (Loss::Logistic, Target::Class { labels: vec!["-1".into(), "1".into()], classes })
    } else {
        (Loss::Squared, Target::Real(targets))
    };
    let problem = Problem {
        data: Dataset {
            matrix: Matrix::Dense(DenseMatrix { rows: count, columns, values }),
            column_names: ColumnNames::Numbered { columns, without: Vec::new() },
            target,
            weights: vec![1.0; count],
            total_weight: count as f64,
        },
        objective: Objective {
            loss,
            intercept: Intercept::None,
            lambda1: 0.0,
            lambda2: lambda.parse()?,
            scales: None,
            kernel: None,
        },
    };
    let hidden = vec![30; layers.parse::<usize>()? - 1];
    let architecture = Architecture::dense(columns, &hidden, 1, Activation::Relu, false, false);
    let seconds = rest.first().map_or(Ok(1e9), |seconds| seconds.parse())?;
    let clock = Clock(Instant::now(), seconds);
    let found = bound(&problem, &architecture, &Options { threads: 1 }, &clock)?;
    let scales: Vec<usize> = found.witness.planes.iter().map(|plane| plane.scales.len()).collect();
    println!("{:.2}s lower {} planes with scales {scales:?}", clock.0.elapsed().as_secs_f64(), found.lower);
    Ok(())
}
