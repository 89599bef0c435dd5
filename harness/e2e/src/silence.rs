//! Runs beside each other, of which none prints the panics of another's steps.

use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::Arc;

/// Where a failing step panics, which is how cucumber learns of it.
const STEPS: &str = "e2e/src/steps/";

type Hook = dyn Fn(&PanicHookInfo<'_>) + Send + Sync;

/// Keeps failing steps silent for as long as it lives.
///
/// cucumber silences all panics while a run lasts, and puts back the hook that it found. Of two runs at once the one that ends
/// first would so let the other's steps be heard, and the last would leave every panic of the program unheard.
#[must_use = "steps are silent for as long as it lives"]
pub struct Silence {
    found: Arc<Hook>,
}

impl Silence {
    /// Begins: before the first run.
    pub fn of_steps() -> Self {
        let found: Arc<Hook> = Arc::from(take_hook());
        let heard = Arc::clone(&found);
        set_hook(Box::new(move |panic| {
            let is_step = panic.location().is_some_and(|place| place.file().contains(STEPS));
            if !is_step {
                heard(panic);
            }
        }));
        Self { found }
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // A hook cannot be put in place while panicking.
        if !std::thread::panicking() {
            let found = Arc::clone(&self.found);
            set_hook(Box::new(move |panic| found(panic)));
        }
    }
}
