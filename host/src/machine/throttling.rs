//! Throttling: a board lowers its frequency when it is hot or its supply voltage is low.

use super::mailbox;
use std::path::Path;

/// The firmware's flags, as `vcgencmd get_throttled` prints them: bits 0-3 for what is so now, bits 16-19 for what has
/// been so since boot (Raspberry Pi documentation, `vcgencmd`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Throttled(u32);

const REASONS: [(u32, &str); 4] =
    [(0, "undervoltage"), (1, "frequency capped"), (2, "throttled"), (3, "soft temperature limit")];

impl Throttled {
    fn names(self, shift: u32) -> Vec<&'static str> {
        REASONS.iter().filter(|(bit, _)| self.0 >> (bit + shift) & 1 == 1).map(|(_, name)| *name).collect()
    }

    /// The reasons that slow the board down now.
    pub(crate) fn now(self) -> Vec<&'static str> {
        self.names(0)
    }

    /// The reasons that have slowed the board down at some time since boot.
    pub(crate) fn since_boot(self) -> Vec<&'static str> {
        self.names(16)
    }

    /// The flags in hexadecimal: `0x50000`.
    pub(crate) fn hex(self) -> String {
        format!("{:#x}", self.0)
    }
}

/// The firmware's flags; `None` on other machines. The firmware answers processes of the group `video`. Other processes
/// read the flags from a file that Linux has up to 6.12.
pub(crate) fn throttled() -> Option<Throttled> {
    mailbox::command("get_throttled").as_deref().and_then(parse).or_else(|| flags_file(Path::new("/")))
}

fn parse(text: &str) -> Option<Throttled> {
    let hex = text.trim().trim_start_matches("throttled=").trim_start_matches("0x");
    u32::from_str_radix(hex, 16).ok().map(Throttled)
}

fn flags_file(root: &Path) -> Option<Throttled> {
    let platform = std::fs::read_dir(root.join("sys/devices/platform")).ok()?;
    platform
        .filter_map(|soc| Some(soc.ok()?.path()))
        .flat_map(|soc| [soc.join("get_throttled"), soc.join("soc:firmware/get_throttled")])
        .find_map(|path| parse(&std::fs::read_to_string(path).ok()?))
}

/// The hottest thermal zone, in degrees Celsius.
pub(crate) fn temperature() -> Option<f32> {
    let zones = std::fs::read_dir("/sys/class/thermal").ok()?;
    zones
        .filter_map(|zone| {
            let text = std::fs::read_to_string(zone.ok()?.path().join("temp")).ok()?;
            Some(text.trim().parse::<f32>().ok()? / 1000.0)
        })
        .max_by(f32::total_cmp)
}

/// The values that change when the machine slows a run down: the firmware's flags, and how often CPU 0 of an Intel
/// machine has throttled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    flags: Option<Throttled>,
    events: Option<u64>,
}

impl Snapshot {
    /// Reads the values now.
    pub(crate) fn take() -> Self {
        let count = "/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count";
        let events = std::fs::read_to_string(count).ok().and_then(|text| text.trim().parse().ok());
        Self { flags: throttled(), events }
    }

    /// The reasons that slowed the machine down between `self` and now, in words; `None` if nothing did.
    pub(crate) fn since(self) -> Option<String> {
        self.difference(Self::take())
    }

    fn difference(self, after: Self) -> Option<String> {
        let mut reasons: Vec<&str> = Vec::new();
        if let Some(flags) = after.flags {
            reasons = flags.now();
            // A bit "since boot" that was not set before was set in between.
            let before = self.flags.map_or(Vec::new(), Throttled::since_boot);
            for reason in flags.since_boot() {
                if !before.contains(&reason) && !reasons.contains(&reason) {
                    reasons.push(reason);
                }
            }
        }
        if after.events > self.events {
            reasons.push("thermal throttling");
        }
        (!reasons.is_empty()).then(|| reasons.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags() {
        let flags = parse("throttled=0x50005\n").unwrap();
        assert_eq!(flags.now(), ["undervoltage", "throttled"]);
        assert_eq!(flags.since_boot(), ["undervoltage", "throttled"]);
        assert_eq!(parse("0"), Some(Throttled(0)));
        assert_eq!(parse("no"), None);
    }

    #[test]
    fn only_news_are_reported() {
        let at = |flags, events| Snapshot { flags: Some(Throttled(flags)), events: Some(events) };
        assert_eq!(at(0, 0).difference(at(0, 0)), None);
        assert_eq!(at(0x50000, 3).difference(at(0x50000, 3)), None);
        assert_eq!(at(0x10000, 3).difference(at(0x50000, 3)).as_deref(), Some("throttled"));
        assert_eq!(at(0, 3).difference(at(0x80008, 4)).as_deref(), Some("soft temperature limit, thermal throttling"));
    }
}
