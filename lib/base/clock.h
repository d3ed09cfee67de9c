#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#include "base/span.h"

/* Time.  Stored and sent: int64_t milliseconds since 1970-01-01T00:00:00Z.
 * Time-outs and back-off: monotonic nanoseconds, which no clock jump moves.
 * Dates of agencies and figures: "YYYY-MM-DD" in UTC+7 (Viet Nam has no
 * summer time).  Code that decides by time takes a clock, so that tests set
 * it. */
struct clock {
	int64_t (*utc_ms)(const struct clock *c);
	int64_t (*mono_ns)(const struct clock *c);
	int64_t set_utc_ms, set_mono_ns; /* what a clock_fixed() answers */
};

extern const struct clock clock_system;   /* any thread */
struct clock clock_fixed(int64_t utc_ms); /* moves only when set */

int64_t clock_utc_ms(const struct clock *c);
int64_t clock_mono_ns(const struct clock *c);

#define TIME_TEXT_MAX 32 /* bytes of any text below, NUL included */
#define DAY_MS        (INT64_C(86400000))
#define VN_OFFSET_MS  (INT64_C(7) * 3600000)

/* RFC 3339 in UTC with milliseconds: 2026-11-24T01:02:03.004Z */
void time_rfc3339(int64_t utc_ms, char out[TIME_TEXT_MAX]);
enum err time_parse_rfc3339(struct span s, int64_t *utc_ms) MUST_USE;
/* For people, UTC+7: 24/11/2026 08:02 */
void time_people(int64_t utc_ms, char out[TIME_TEXT_MAX]);
/* The Vietnamese day of an instant, and back (its first millisecond). */
void time_day(int64_t utc_ms, char out[TIME_TEXT_MAX]);
enum err time_parse_day(struct span s, int64_t *utc_ms) MUST_USE;

#endif
