//! Which memory the slopes of each value use, and how many examples are treated at once.

use super::plan::{Plan, SlopePlace, Stage};

/// Numbers that a part of a stage should touch at most, so that they stay in a core's cache.
const CACHED: usize = 512 << 10;

/// Multiplications that a part should have at least, and how many for each parameter, so that starting it and adding up its slopes cost little.
const WORTH_A_PART: usize = 1 << 20;
const WORTH_A_PARAMETER: usize = 256;

/// Gives places to the slopes of trained values: those that only one stage touches stand inside it; others share slots, from the last stage to the first: a slot is free
/// again when the stage that makes the value is done. All of a stage's slots are taken before one of it is given back, since its parts are done in any order.
pub(super) fn place(plan: &mut Plan, stages: &mut [Stage], trained: &[bool]) {
    let mut touching = vec![0; plan.values.len()];
    stages.iter().flat_map(|stage| &stage.touched).for_each(|&value| touching[value] += 1);
    touching[plan.output()] += 1;
    let mut first = vec![usize::MAX; plan.values.len()];
    for (place, stage) in stages.iter().enumerate().rev() {
        stage.touched.iter().for_each(|&value| first[value] = place);
    }
    let mut free: Vec<usize> = Vec::new();
    if trained[plan.output()] {
        let output = plan.output();
        plan.slots.push(plan.values[output].size);
        plan.values[output].slope = SlopePlace::Slot(0);
    }
    for (place, stage) in stages.iter_mut().enumerate().rev() {
        for &value in stage.touched.iter().filter(|&&value| trained[value]) {
            let size = plan.values[value].size;
            if plan.values[value].slope != SlopePlace::None {
                continue;
            }
            plan.values[value].slope = if touching[value] == 1 {
                stage.inside += size;
                SlopePlace::Inside
            } else {
                // The smallest that is large enough, else the largest, which grows.
                let fitness = |slot: usize| (plan.slots[slot] < size, plan.slots[slot].abs_diff(size));
                let best = (0..free.len()).min_by_key(|&place| fitness(free[place]));
                let slot = best.map_or(plan.slots.len(), |place| free.swap_remove(place));
                plan.slots.resize(plan.slots.len().max(slot + 1), 0);
                plan.slots[slot] = plan.slots[slot].max(size);
                SlopePlace::Slot(slot)
            };
        }
        for &value in &stage.touched {
            if let SlopePlace::Slot(slot) = plan.values[value].slope
                && first[value] == place
            {
                free.push(slot);
            }
        }
        stage.examples_each = examples_each(plan, stage);
    }
}

/// By sizes alone, so that the sums over parts do not depend on the machine.
fn examples_each(plan: &Plan, stage: &Stage) -> usize {
    let steps = &plan.steps[stage.steps.clone()];
    let touched: usize = stage.touched.iter().map(|&value| 2 * plan.values[value].size).sum();
    let work: usize = steps.iter().map(|step| step.operation.work()).sum();
    let parameters: usize = steps.iter().map(|step| step.parameters.len()).sum();
    let least = WORTH_A_PART.max(parameters.saturating_mul(WORTH_A_PARAMETER)).div_ceil(work.max(1));
    (CACHED / touched.max(1)).max(least).max(1)
}
