#include "formats/pack/flow.h"

#include <stdlib.h>
#include <string.h>

bool
flow_init(
    struct flow *f, struct peel *out, uint64_t size, int fill, uint64_t left)
{
	size_t room = FLOW_SIZE_MIN;

	*f = (struct flow){ .out = out, .left = left };
	if (size > FLOW_SIZE_MAX) {
		f->left = 0;
		peel_note(out, PEEL_UNSUPPORTED);
		return false;
	}
	while (room < size)
		room <<= 1;
	/* A ring of zeros costs nothing before it is written to. */
	f->ring = calloc(1, room);
	if (f->ring == NULL) {
		f->left = 0;
		peel_note(out, PEEL_MEMORY);
		return false;
	}
	if (fill != 0)
		memset(f->ring, fill, room);
	f->size = room;
	return true;
}

void
flow_free(struct flow *f)
{
	free(f->ring);
	f->ring = NULL;
}

bool
flow_flush(struct flow *f)
{
	struct span s = { (const char *)f->ring + f->sent, f->at - f->sent };

	if (f->stopped)
		return false;
	f->sent = f->at;
	if (f->at == f->size)
		f->at = f->sent = 0;
	if (s.len == 0)
		return true;
	f->stopped = !(f->to == NULL ? peel_add(f->out, s) : f->to(f->arg, s));
	return !f->stopped;
}

void
flow_copy(struct flow *f, size_t distance, uint64_t len)
{
	if (len > f->left)
		len = f->left;
	while (len > 0 && !f->stopped) {
		size_t from = (f->at - distance) & (f->size - 1);
		size_t n = f->size - (from > f->at ? from : f->at);

		if (n > len)
			n = (size_t)len;
		for (size_t i = 0; i < n; i++)
			f->ring[f->at + i] = f->ring[from + i];
		len -= n;
		flow_wrote(f, n);
	}
}

void
flow_span(struct flow *f, struct span bytes)
{
	while (bytes.len > 0 && flow_wants(f)) {
		size_t n;
		uint8_t *to = flow_room(f, &n);

		if (n > bytes.len)
			n = bytes.len;
		memcpy(to, bytes.ptr, n);
		bytes = span_from(bytes, n);
		flow_wrote(f, n);
	}
}

uint8_t *
flow_room(struct flow *f, size_t *n)
{
	*n = f->size - f->at;
	if (*n > f->left)
		*n = (size_t)f->left;
	return f->ring + f->at;
}

void
flow_wrote(struct flow *f, size_t n)
{
	f->at += n;
	f->left -= n;
	f->total += n;
	if (f->at == f->size)
		(void)flow_flush(f);
}

bool
flow_begin(struct flow *f, struct peel *out, const struct peel_member *m,
    uint64_t size, int fill, uint64_t left)
{
	*f = (struct flow){ .out = out, .stopped = true };
	if (!peel_begin(out, m))
		return false;
	if (flow_init(f, out, size, fill, left))
		return true;
	f->stopped = !peel_end(out);
	return !f->stopped;
}

bool
flow_end(struct flow *f, bool ok)
{
	bool go = true;

	if (f->ring == NULL) /* it could not begin */
		return !f->stopped;
	go = flow_flush(f);
	flow_free(f);
	if (!go)
		return false;
	if (!ok)
		peel_note(f->out, PEEL_DAMAGED);
	return peel_end(f->out);
}
