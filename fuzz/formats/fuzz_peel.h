#ifndef FUZZ_PEEL_H
#define FUZZ_PEEL_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "formats/peel.h"

/* A sink that holds an opener to its contract: one member at a time, nothing
 * after it said stop, each problem noted once, and the same when the same
 * bytes are opened again. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_sink {
	struct peel peel;
	struct span object;
	uint64_t bytes, bytes_max, hash;
	uint32_t members;
	unsigned notes;
	bool within, stopped;
};

static inline void
fuzz_mix(struct fuzz_sink *s, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		s->hash = (s->hash ^ (unsigned char)bytes.ptr[i]) *
		    UINT64_C(0x100000001b3);
}

static inline bool
fuzz_begin(struct peel *p, const struct peel_member *m)
{
	struct fuzz_sink *s = (struct fuzz_sink *)(void *)p;

	assert(!s->stopped && !s->within);
	assert((unsigned)m->format < FORMATS);
	assert(m->crc == PEEL_UNKNOWN || m->crc <= UINT32_MAX);
	fuzz_mix(s, m->name);
	s->within = true;
	s->stopped = ++s->members > 2000;
	return !s->stopped;
}

static inline bool
fuzz_add(struct peel *p, struct span bytes)
{
	struct fuzz_sink *s = (struct fuzz_sink *)(void *)p;

	assert(!s->stopped && s->within);
	fuzz_mix(s, bytes);
	s->bytes += bytes.len;
	s->stopped = s->bytes > s->bytes_max;
	return !s->stopped;
}

static inline bool
fuzz_end(struct peel *p)
{
	struct fuzz_sink *s = (struct fuzz_sink *)(void *)p;

	assert(!s->stopped && s->within);
	s->within = false;
	fuzz_mix(s, SPAN("end"));
	return true;
}

static inline bool
fuzz_slice(struct peel *p, const struct peel_member *m, struct span bytes)
{
	return fuzz_begin(p, m) && fuzz_add(p, bytes) && fuzz_end(p);
}

static inline void
fuzz_note(struct peel *p, enum peel_problem why)
{
	struct fuzz_sink *s = (struct fuzz_sink *)(void *)p;

	assert((unsigned)why < PEEL_PROBLEMS);
	assert((s->notes & 1u << why) == 0);
	s->notes |= 1u << why;
}

static inline void
fuzz_suspect(struct peel *p, const char *heuristic)
{
	fuzz_mix((struct fuzz_sink *)(void *)p,
	    (struct span){ heuristic, strlen(heuristic) });
}

static inline bool
fuzz_tick(struct peel *p)
{
	return !((struct fuzz_sink *)(void *)p)->stopped;
}

/* Opens the bytes twice. */
static inline void
fuzz_open(opener_fn *open, const uint8_t *data, size_t size)
{
	static const struct peel_ops ops = { fuzz_begin, fuzz_add, fuzz_end,
		fuzz_slice, fuzz_note, fuzz_suspect, fuzz_tick };
	struct span object = { (const char *)data, size };
	struct fuzz_sink s[2];

	for (int i = 0; i < 2; i++) {
		s[i] = (struct fuzz_sink){ .peel = { &ops },
			.object = object,
			.bytes_max = 1u << 20 };
		open(object, &s[i].peel);
		assert(s[i].stopped || !s[i].within);
	}
	assert(s[0].hash == s[1].hash && s[0].notes == s[1].notes);
	assert(s[0].members == s[1].members && s[0].bytes == s[1].bytes);
}

#endif
