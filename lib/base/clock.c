#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t
read_clock(clockid_t id, int64_t per_second)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(id, &ts);
	return ts.tv_sec * per_second +
	    ts.tv_nsec / (INT64_C(1000000000) / per_second);
}

static int64_t
system_utc(const struct clock *c)
{
	(void)c;
	return read_clock(CLOCK_REALTIME, 1000);
}

static int64_t
system_mono(const struct clock *c)
{
	(void)c;
	return read_clock(CLOCK_MONOTONIC, INT64_C(1000000000));
}

static int64_t
fixed_utc(const struct clock *c)
{
	return c->set_utc_ms;
}

static int64_t
fixed_mono(const struct clock *c)
{
	return c->set_mono_ns;
}

const struct clock clock_system = {
	.utc_ms = system_utc,
	.mono_ns = system_mono,
};

struct clock
clock_fixed(int64_t utc_ms)
{
	return (struct clock){
		.utc_ms = fixed_utc,
		.mono_ns = fixed_mono,
		.set_utc_ms = utc_ms,
	};
}

int64_t
clock_utc_ms(const struct clock *c)
{
	return c->utc_ms(c);
}

int64_t
clock_mono_ns(const struct clock *c)
{
	return c->mono_ns(c);
}

static struct tm
broken_down(int64_t utc_ms)
{
	int64_t sec = utc_ms / 1000 - (utc_ms % 1000 < 0);
	time_t t = (time_t)sec;
	struct tm tm = { 0 };

	(void)gmtime_r(&t, &tm);
	return tm;
}

void
time_rfc3339(int64_t utc_ms, char out[TIME_TEXT_MAX])
{
	struct tm tm = broken_down(utc_ms);
	int ms = (int)(((utc_ms % 1000) + 1000) % 1000);
	size_t n = strftime(out, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);

	(void)snprintf(out + n, TIME_TEXT_MAX - n, ".%03dZ", ms);
}

void
time_people(int64_t utc_ms, char out[TIME_TEXT_MAX])
{
	struct tm tm = broken_down(utc_ms + VN_OFFSET_MS);

	(void)strftime(out, TIME_TEXT_MAX, "%d/%m/%Y %H:%M", &tm);
}

void
time_day(int64_t utc_ms, char out[TIME_TEXT_MAX])
{
	struct tm tm = broken_down(utc_ms + VN_OFFSET_MS);

	(void)strftime(out, TIME_TEXT_MAX, "%Y-%m-%d", &tm);
}

/* Digits s[at..at+n) as a number within lo..hi; -1 otherwise. */
static int
digits(struct span s, size_t at, size_t n, int lo, int hi)
{
	int v = 0;

	if (at + n > s.len)
		return -1;
	for (size_t i = at; i < at + n; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return -1;
		v = v * 10 + (s.ptr[i] - '0');
	}
	return v >= lo && v <= hi ? v : -1;
}

/* The date at the start of s as seconds since 1970; false if it is none. */
static bool
date_seconds(struct span s, int64_t *out)
{
	int y = digits(s, 0, 4, 1900, 9999), m = digits(s, 5, 2, 1, 12);
	int d = digits(s, 8, 2, 1, 31);
	struct tm tm = { .tm_year = y - 1900, .tm_mon = m - 1, .tm_mday = d };
	time_t t;

	if (y < 0 || m < 0 || d < 0 || s.ptr[4] != '-' || s.ptr[7] != '-')
		return false;
	t = timegm(&tm);
	if (tm.tm_mday != d) /* 31 February */
		return false;
	*out = t;
	return true;
}

enum err
time_parse_rfc3339(struct span s, int64_t *utc_ms)
{
	int64_t sec;
	int h = digits(s, 11, 2, 0, 23), m = digits(s, 14, 2, 0, 59);
	int ss = digits(s, 17, 2, 0, 59), ms = 0;

	if (h < 0 || m < 0 || ss < 0 || !date_seconds(s, &sec) ||
	    s.ptr[10] != 'T' || s.ptr[13] != ':' || s.ptr[16] != ':')
		return ERR_SYNTAX;
	if (s.len == 24 && s.ptr[19] == '.')
		ms = digits(s, 20, 3, 0, 999);
	else if (s.len != 20)
		return ERR_SYNTAX;
	if (ms < 0 || s.ptr[s.len - 1] != 'Z')
		return ERR_SYNTAX;
	*utc_ms = (sec + h * 3600 + m * 60 + ss) * 1000 + ms;
	return OK;
}

enum err
time_parse_day(struct span s, int64_t *utc_ms)
{
	int64_t sec;

	if (s.len != 10 || !date_seconds(s, &sec))
		return ERR_SYNTAX;
	*utc_ms = sec * 1000 - VN_OFFSET_MS;
	return OK;
}
