#include "scan/set/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define DIGESTS_MAX ((size_t)1 << 32)

static enum err
write_out(struct set_writer *w, struct span s)
{
	if (w->memory == NULL)
		return fd_write_all(w->fd, s, w->ei);
	buf_span(w->memory, s);
	return buf_check(w->memory, w->ei);
}

static enum err
write_head(struct set_writer *w, const unsigned char head[SET_HEAD])
{
	if (w->memory != NULL)
		memcpy(w->memory->ptr, head, SET_HEAD);
	else if (pwrite(w->fd, head, SET_HEAD, 0) != SET_HEAD)
		return err_sys(w->ei, "head of the set");
	return OK;
}

enum err
set_writer_new(
    int fd, struct buf *memory, struct set_writer **out, struct errinfo *ei)
{
	static const char zeros[SET_HEAD];
	struct set_writer *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return err_set(ei, ERR_NOMEM, "signature set");
	w->fd = fd;
	w->memory = memory;
	w->ei = ei;
	w->digests = buf_make(DIGESTS_MAX);
	w->at = SET_HEAD;
	w->e = write_out(w, (struct span){ zeros, sizeof(zeros) });
	*out = w;
	return w->e;
}

void
set_writer_free(struct set_writer *w)
{
	if (w != NULL)
		buf_free(&w->digests);
	free(w);
}

static void
flush(struct set_writer *w)
{
	struct span s = { (const char *)w->chunk, w->fill };
	unsigned char digest[SHA256_LEN];

	if (w->e != OK || w->fill == 0)
		return;
	sha256(s, digest);
	buf_add(&w->digests, digest, sizeof(digest));
	w->e = write_out(w, s);
	w->fill = 0;
}

void
set_put(struct set_writer *w, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	while (n > 0) {
		size_t k = SET_CHUNK - w->fill;

		if (k > n)
			k = n;
		memcpy(w->chunk + w->fill, p, k);
		w->fill += k;
		w->at += k;
		p += k;
		n -= k;
		if (w->fill == SET_CHUNK)
			flush(w);
	}
}

void
set_put_zeros(struct set_writer *w, size_t n)
{
	static const char zeros[256];

	for (size_t k; n > 0; n -= k) {
		k = n < sizeof(zeros) ? n : sizeof(zeros);
		set_put(w, zeros, k);
	}
}

struct set_region
set_begin(struct set_writer *w)
{
	set_put_zeros(w, (size_t)(-w->at % SET_ALIGN));
	return (struct set_region){ w->at, 0 };
}

void
set_end(const struct set_writer *w, struct set_region *r)
{
	r->size = w->at - r->at;
}

struct set_region
set_put_region(struct set_writer *w, const void *bytes, size_t n)
{
	struct set_region r = set_begin(w);

	set_put(w, bytes, n);
	set_end(w, &r);
	return r;
}

struct set_region
set_put_buf(struct set_writer *w, const struct buf *b)
{
	return set_put_region(w, b->ptr, b->len);
}

void *
set_make(struct set_writer *w, size_t count, size_t size)
{
	void *p = calloc(count == 0 ? 1 : count, size);

	if (p == NULL && w->e == OK)
		w->e = err_set(w->ei, ERR_NOMEM, "tables of the set");
	return p;
}

/* The digests, then the head, whose digest covers them. */
static enum err
put_head(struct set_writer *w, const struct set_directory *d)
{
	struct set_header h = { .magic = SET_MAGIC,
		.format = SET_FORMAT,
		.header_size = sizeof(h),
		.file_size = w->at + w->digests.len };
	struct digest *digest = digest_new();
	unsigned char head[SET_HEAD] = { 0 };
	enum err e;

	_Static_assert(sizeof(h) + sizeof(*d) <= SET_HEAD, "the head is full");
	if (w->digests.full || digest == NULL ||
	    digest_begin(digest, 1u << DIGEST_SHA256) != OK) {
		digest_free(digest);
		return err_set(w->ei, ERR_NOMEM, "digests of the set");
	}
	memcpy(head + sizeof(h), d, sizeof(*d));
	digest_add(digest, head + sizeof(h), sizeof(head) - sizeof(h));
	digest_add(digest, w->digests.ptr, w->digests.len);
	digest_end(digest, DIGEST_SHA256, h.digest);
	digest_free(digest);
	memcpy(head, &h, sizeof(h));
	e = write_out(w, buf_view(&w->digests));
	return e == OK ? write_head(w, head) : e;
}

enum err
set_finish(struct set_writer *w, struct set_directory *d)
{
	flush(w);
	d->digests = w->at;
	return w->e == OK ? put_head(w, d) : w->e;
}
