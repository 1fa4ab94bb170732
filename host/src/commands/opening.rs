//! The common start of commands on a model: settings, the model's source, the report, and the end of a dry run.

use super::facts;
use crate::cli::{Invocation, table};
use crate::error::Error;
use crate::output::{self, Facts, Report};
use crate::resolve::{self, Resolved};
use crate::settings::Settings;

/// A command that is about to open its model.
pub(crate) struct Opening {
    pub(crate) settings: Settings,
    pub(crate) resolved: Resolved,
    /// Holds the facts that are known before the model is opened.
    pub(crate) report: Report,
}

impl Opening {
    /// Settles everything that does not need the model. `None` after a dry run, which ends here.
    ///
    /// # Errors
    /// As [`Settings::new`] and [`resolve::resolve`].
    pub(crate) fn new(invocation: &Invocation) -> Result<Option<Self>, Error> {
        Self::planned(invocation, Facts::new())
    }

    /// As [`Self::new`], with the command's own facts in the report.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(crate) fn planned(invocation: &Invocation, plan: Facts) -> Result<Option<Self>, Error> {
        let settings = Settings::new(invocation)?;
        let resolved = resolve::resolve(invocation.model.as_deref())?;
        let mut report = Report::new(invocation.command);
        report.add(facts::of_source(&resolved, settings.expect));
        report.add(facts::of_settings(&settings));
        report.add(plan);
        if invocation.has(&table::DRY_RUN) {
            report.finish_dry_run(invocation)?;
            return Ok(None);
        }
        Ok(Some(Self { settings, resolved, report }))
    }

    /// Prints the plan on stderr with `--verbose`.
    pub(crate) fn say_plan(&self) {
        if self.settings.verbose {
            output::progress(self.report.lines());
        }
    }
}
