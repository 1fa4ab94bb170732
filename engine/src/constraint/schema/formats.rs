//! The values of `format`, as patterns. They allow less than the formats do where the rest is rarely meant: years have
//! four digits and no leading zero, hosts of URIs are names.

use alloc::format;
use alloc::string::String;

/// The pattern of a format's strings.
pub(super) fn pattern(format: &str) -> Option<String> {
    let date = format!("(?:{DAYS}|{LEAP_DAYS})");
    Some(match format {
        "date" => format!("^{date}$"),
        "time" => format!("^{TIME}$"),
        "date-time" => format!("^{date}T{TIME}$"),
        "duration" => format!("^P(?:{WEEKS}|{PERIOD}(?:{HOURS})?|{HOURS})$"),
        "uuid" => "^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$".into(),
        "email" => format!("^{ATOM}(?:\\.{ATOM}){{0,3}}@(?:{LABEL}\\.){{1,4}}[A-Za-z]{{2,16}}$"),
        "hostname" => format!("^{LABEL}(?:\\.{LABEL}){{0,5}}$"),
        "ipv4" => format!("^{BYTE}(?:\\.{BYTE}){{3}}$"),
        "ipv6" => format!("^(?:{IPV6})$"),
        "uri" => format!(
            "^[A-Za-z][A-Za-z0-9+.-]{{0,15}}://{LABEL}(?:\\.{LABEL}){{0,5}}(?::[1-9]\\d{{0,3}})?\
             (?:/{SIGN}{{0,500}})?(?:\\?{SIGN}{{0,500}})?(?:#{SIGN}{{0,100}})?$"
        ),
        _ => return None,
    })
}

/// Every day of every year but the 29th of February.
const DAYS: &str = "[1-9]\\d{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|\
                    02-(?:0[1-9]|1\\d|2[0-8]))";
/// Years that 4 divides, and of whole centuries those that 400 divides.
const LEAP_DAYS: &str = "(?:[1-9]\\d(?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)-02-29";
/// RFC 3339, without leap seconds.
const TIME: &str = "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)";
/// RFC 3339, appendix A.
const WEEKS: &str = "\\d{1,6}W";
const PERIOD: &str = "(?:\\d{1,6}Y(?:\\d{1,6}M(?:\\d{1,6}D)?)?|\\d{1,6}M(?:\\d{1,6}D)?|\\d{1,6}D)";
const HOURS: &str = "T(?:\\d{1,6}H(?:\\d{1,6}M(?:\\d{1,6}S)?)?|\\d{1,6}M(?:\\d{1,6}S)?|\\d{1,6}S)";
/// A label of a host's name, shorter than RFC 1123 allows, so that whole names are short enough.
const LABEL: &str = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?";
/// A word in front of `@`.
const ATOM: &str = "[A-Za-z0-9_+-]{1,15}";
const BYTE: &str = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
/// Eight groups, or fewer with one `::`, which is found by the number of groups in front.
const IPV6: &str = "(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}|(?:[0-9A-Fa-f]{1,4}:){1,7}:|\
                    (?:[0-9A-Fa-f]{1,4}:){1,6}:[0-9A-Fa-f]{1,4}|(?:[0-9A-Fa-f]{1,4}:){1,5}(?::[0-9A-Fa-f]{1,4}){1,2}|\
                    (?:[0-9A-Fa-f]{1,4}:){1,4}(?::[0-9A-Fa-f]{1,4}){1,3}|\
                    (?:[0-9A-Fa-f]{1,4}:){1,3}(?::[0-9A-Fa-f]{1,4}){1,4}|\
                    (?:[0-9A-Fa-f]{1,4}:){1,2}(?::[0-9A-Fa-f]{1,4}){1,5}|\
                    [0-9A-Fa-f]{1,4}:(?::[0-9A-Fa-f]{1,4}){1,6}|:(?:(?::[0-9A-Fa-f]{1,4}){1,7}|:)";
/// A character of a path or of what follows it (RFC 3986).
const SIGN: &str = "(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})";
