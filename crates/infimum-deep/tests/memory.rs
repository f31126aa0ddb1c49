//! A device whose memory is too small for a batch, and one that breaks.

use std::sync::Mutex;

use infimum_deep::engine::Network;
use infimum_deep::training::{
    Arrays, Device, Model, Part, Processor, Rows, Setup, Start, StepNumbers, Task, TrainingError, TrainingOptions,
    TrainingOutcome, Trouble, Worker, train,
};
use infimum_problem::deep::{Activation, Architecture, Layer};
use infimum_problem::{
    ColumnNames, Dataset, DenseMatrix, Event, Intercept, Loss, Matrix, Monitor, Objective, Problem, Stop, Target,
};

/// The processor, but more than `rows` rows at once do not fit, and after `steps` steps nothing works.
struct Small {
    rows: usize,
    steps: u64,
}

struct OnSmall<'a> {
    rows: usize,
    steps: u64,
    within: Box<dyn Worker + 'a>,
}

impl Device for Small {
    fn name(&self) -> String {
        "a small device".into()
    }

    fn side_by_side(&self) -> bool {
        false
    }

    fn worker<'a>(&self, task: &Task<'a>) -> Result<Box<dyn Worker + 'a>, Trouble> {
        Ok(Box::new(OnSmall { rows: self.rows, steps: self.steps, within: Processor.worker(task)? }))
    }
}

impl Worker for OnSmall<'_> {
    fn load(&mut self, arrays: &Arrays) -> Result<(), Trouble> {
        self.within.load(arrays)
    }

    fn arrays(&self) -> Result<Arrays, Trouble> {
        self.within.arrays()
    }

    fn gradient(&mut self, part: &Part) -> Result<f64, Trouble> {
        if part.weights.len() > self.rows { Err(Trouble::OutOfMemory) } else { self.within.gradient(part) }
    }

    fn step(&mut self, numbers: &StepNumbers) -> Result<bool, Trouble> {
        if numbers.count > self.steps { Err(Trouble::Lost("it broke".into())) } else { self.within.step(numbers) }
    }

    fn squares(&self) -> Result<f64, Trouble> {
        self.within.squares()
    }

    fn model(&self) -> Result<Model<'_>, Trouble> {
        self.within.model()
    }
}

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Monitor for Notes {
    fn report(&self, event: Event) {
        if let Event::Note(note) = event {
            self.0.lock().expect("no panic").push(note);
        }
    }

    fn stop(&self) -> Option<Stop> {
        None
    }
}

fn problem(rows: usize, columns: usize) -> Problem {
    let values: Vec<f64> = (0..rows * columns).map(|place| ((place * 37 % 101) as f64) / 50.0 - 1.0).collect();
    let target = values.chunks(columns).map(|row| row[0] * row[1] - row[2]).collect();
    Problem {
        data: Dataset {
            matrix: Matrix::Dense(DenseMatrix { rows, columns, values: values.into() }),
            column_names: ColumnNames::Numbered { columns, without: vec![] },
            target: Target::Real(target),
            weights: vec![1.0; rows],
            total_weight: rows as f64,
        },
        objective: Objective {
            loss: Loss::Squared,
            intercept: Intercept::Penalized,
            lambda1: 0.0,
            lambda2: 0.1,
            scales: None,
            kernel: None,
        },
    }
}

fn run(device: &dyn Device, batch: bool) -> (Result<TrainingOutcome, TrainingError>, Vec<String>) {
    let problem = problem(90, 3);
    let mut architecture = Architecture::dense(3, &[12, 8], 1, Activation::Tanh, true, true);
    architecture.layers.insert(2, Layer::Dropout { rate: 0.2 });
    if batch {
        architecture.layers.insert(1, Layer::BatchNormalization { epsilon: 1e-3, momentum: 0.1 });
    }
    let network = Network::new(&architecture).expect("a network");
    let rows = Rows::new(&problem, &architecture);
    let options = TrainingOptions { batch: 30, epochs: Some(8.0), ..TrainingOptions::default() };
    let (network, rows, options, problem) = (&network, &rows, &options, &problem);
    let setup = Setup { problem, rows, network, options, device, time: None, checkpoint_every: None };
    let notes = Notes::default();
    let outcome = train(&setup, Start::Fresh, &notes, &mut |_| Ok(()));
    (outcome, notes.0.into_inner().expect("no panic"))
}

#[test]
fn batches_that_do_not_fit_are_gone_through_in_parts() {
    let (whole, notes) = run(&Processor, false);
    assert!(!notes.iter().any(|note| note.contains("memory")), "{notes:?}");
    let whole = whole.unwrap();
    for rows in [15, 8, 1] {
        let (small, notes) = run(&Small { rows, steps: u64::MAX }, false);
        let small = small.unwrap();
        assert_eq!((small.steps, small.rollbacks), (whole.steps, whole.rollbacks));
        let pairs = small.incumbent.parameters.iter().zip(&whole.incumbent.parameters);
        let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max);
        assert!(difference < 1e-4, "{rows} rows at once: {difference}");
        let told: Vec<&String> = notes.iter().filter(|note| note.contains("not enough memory")).collect();
        // The first step tries as often as it must, and what came of it is said once.
        let parts = match rows {
            15 => 2,
            8 => 4,
            _ => 30,
        };
        assert!(
            told.len() == 1 && told[0].contains(&format!("batches of 30 are gone through in {parts} parts")),
            "{told:?}"
        );
    }
    // Batch normalisation sees parts: another training, but one that works.
    let (small, _) = run(&Small { rows: 15, steps: u64::MAX }, true);
    let small = small.unwrap();
    assert!(small.incumbent.value.is_finite() && !small.diverged);
    assert!(small.incumbent.buffers.iter().all(|value| value.is_finite()));
}

#[test]
fn a_device_that_is_of_no_use_is_an_error() {
    let (none, _) = run(&Small { rows: 0, steps: u64::MAX }, false);
    let none = none.unwrap_err().to_string();
    assert!(none.contains("not enough memory for one row") && none.contains("--resume"), "{none}");
    let (broken, _) = run(&Small { rows: 90, steps: 5 }, false);
    assert!(broken.unwrap_err().to_string().starts_with("it broke;"));
}
