//! `bench`: the speed of a model, or of the kernels alone.

mod micro;
mod model;

use crate::cli::Invocation;
use crate::error::Error;

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> Result<(), Error> {
    match invocation.text_argument("q8-dot|q4-layout|q4-prefill") {
        Some(name) => micro::run(invocation, name),
        None => model::run(invocation),
    }
}

/// Mean and sample standard deviation.
fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    (mean, variance.sqrt())
}

#[cfg(test)]
mod tests {
    #[test]
    fn deviation_of_a_sample() {
        let (mean, deviation) = super::mean_and_deviation(&[1.0, 2.0, 3.0]);
        assert!((mean - 2.0).abs() < 1e-12 && (deviation - 1.0).abs() < 1e-12);
        assert_eq!(super::mean_and_deviation(&[5.0]), (5.0, 0.0));
    }
}
