#include "sink.h"

#include <stdio.h>
#include <string.h>

static struct sink *
sink_of(struct peel *p)
{
	return (struct sink *)(void *)p;
}

static bool
on_begin(struct peel *p, const struct peel_member *m)
{
	struct sink *s = sink_of(p);
	struct sink_member *to = &s->member[s->members];

	assert_false(s->stopped);
	assert_false(s->within);
	if (s->members == SINK_MEMBERS_MAX) {
		s->stopped = true;
		return false;
	}
	s->within = true;
	*to = (struct sink_member){ .format = m->format,
		.encrypted = m->encrypted,
		.bytes = buf_make(64u << 20) };
	(void)snprintf(
	    to->name, sizeof(to->name), "%.*s", (int)m->name.len, m->name.ptr);
	return true;
}

static bool
on_add(struct peel *p, struct span bytes)
{
	struct sink *s = sink_of(p);

	assert_true(s->within);
	assert_false(s->stopped);
	buf_span(&s->member[s->members].bytes, bytes);
	s->bytes += bytes.len;
	s->stopped = s->bytes > s->bytes_max;
	return !s->stopped;
}

static bool
on_end(struct peel *p)
{
	struct sink *s = sink_of(p);

	assert_true(s->within);
	s->within = false;
	s->members++;
	return true;
}

static bool
on_slice(struct peel *p, const struct peel_member *m, struct span bytes)
{
	return on_begin(p, m) && on_add(p, bytes) && on_end(p);
}

static void
on_note(struct peel *p, enum peel_problem why)
{
	sink_of(p)->notes |= 1u << why;
}

static void
on_suspect(struct peel *p, const char *heuristic)
{
	buf_fmt(&sink_of(p)->suspects, "%s\n", heuristic);
}

static bool
on_tick(struct peel *p)
{
	return !sink_of(p)->stopped;
}

void
sink_init(struct sink *s)
{
	static const struct peel_ops ops = { on_begin, on_add, on_end, on_slice,
		on_note, on_suspect, on_tick };

	memset(s, 0, sizeof(*s));
	s->peel.ops = &ops;
	s->bytes_max = 64u << 20;
	s->suspects = buf_make(1u << 16);
}

void
sink_clear(struct sink *s)
{
	for (size_t i = 0; i < SINK_MEMBERS_MAX; i++)
		buf_free(&s->member[i].bytes);
	buf_free(&s->suspects);
}

void
sink_damaged(opener_fn *open, struct span f)
{
	static struct sink s;

	sink_init(&s);
	open(f, &s.peel);
	assert_int_equal(s.members, 0);
	assert_int_equal(s.notes, 1u << PEEL_DAMAGED);
	sink_clear(&s);
	free((char *)f.ptr);
}

void
sink_torn(opener_fn *open, struct span f, size_t all, size_t step)
{
	static struct sink s;

	for (size_t n = 0; n < f.len; n += n < all ? 1 : step) {
		char *torn = malloc(n + 1);

		assert_non_null(torn);
		memcpy(torn, f.ptr, n);
		sink_init(&s);
		open((struct span){ torn, n }, &s.peel);
		assert_true(s.members <= 1);
		sink_clear(&s);
		free(torn);
	}
	free((char *)f.ptr);
}

struct span
sink_bytes(const struct sink *s, const char *name)
{
	for (size_t i = 0; i < s->members; i++)
		if (strcmp(s->member[i].name, name) == 0)
			return buf_view(&s->member[i].bytes);
	fail_msg("no member %s", name);
	return (struct span){ NULL, 0 };
}
