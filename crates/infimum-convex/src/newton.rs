//! Being written.

use crate::frame::Frame;
use crate::losses::ScalarLoss;
use crate::scalar::ScalarLosses;
use crate::tracker::Tracker;

/// Being written.
pub(crate) fn solve<L: ScalarLoss>(frame: &Frame, losses: &ScalarLosses<L>, tracker: &mut Tracker) {
    tracker.trouble = Some("not there yet".into());
    let _ = (frame, losses);
}
