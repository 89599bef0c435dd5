//! Points in time, as people read them.

use rustls_pki_types::UnixTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// `2026-11-23T16:00:00Z`.
pub(crate) fn text(moment: OffsetDateTime) -> String {
    // Rfc3339 has no years beyond 9999, and X.509 none before 1950: this cannot fail, and must not panic.
    moment.format(&Rfc3339).unwrap_or_else(|_| moment.to_string())
}

/// The same moment in the type that has a calendar; times beyond the year 9999 stand at its end.
pub(crate) fn from_unix(now: UnixTime) -> OffsetDateTime {
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(time::macros::datetime!(9999-12-31 23:59:59 UTC))
}
