//! Points in time as this API writes them.

use nanocamelid_engine::template::Date;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time in the form of RFC 3339, in Universal Time, with microseconds.
pub(super) fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let date = Date::from_unix_seconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
    format!("{}.{:06}Z", date.format("%Y-%m-%dT%H:%M:%S"), since.subsec_micros())
}

/// Now.
pub(super) fn now() -> String {
    rfc3339(SystemTime::now())
}

/// A duration in nanoseconds.
pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_says() {
        for (seconds, micros, text) in [
            (0, 0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400, 42, "2000-02-29T00:00:00.000042Z"),
            (1_785_024_000 + 86_399, 999_999, "2026-07-26T23:59:59.999999Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_micros(micros);
            assert_eq!(rfc3339(time), text);
        }
        assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000000Z");
    }
}
