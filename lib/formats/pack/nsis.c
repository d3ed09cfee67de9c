/* Installers of the Nullsoft system.  Behind the program stands a head with
 * a mark, then the compressed script and the installed files, each with its
 * length before it: every one packed by itself, or all of them as one
 * stream ("solid").  Which method it is stands nowhere; the first bytes tell.
 * The script comes out first, then the data in the order in which it stands,
 * under numbers: the names are in the script, which is not interpreted. */

#include <stdio.h>
#include <string.h>

#include "formats/bytes.h"
#include "formats/pack/codec.h"
#include "formats/pack/pack.h"

#define HEAD   28u
#define PACKED 0x80000000u /* in a length: compressed */

/* ---- which method ------------------------------------------------------------ */

static codec_fn *
method_of(struct span s)
{
	if (codec_lzma_likely(s))
		return codec_lzma;
	if (s.len > 1 && (uint8_t)s.ptr[0] <= 1 &&
	    codec_lzma_likely(span_from(s, 1)))
		return codec_lzma_x86;
	/* A block mark; a block's origin lies within 900,000 bytes. */
	if (s.len > 1 && s.ptr[0] == 0x31 && (uint8_t)s.ptr[1] < 14)
		return codec_bzip2_nsis;
	return codec_deflate;
}

/* Before the properties stands a byte that says whether calls were made
 * absolute. */
static bool
run(codec_fn *codec, struct span in, struct flow *f)
{
	if (codec == codec_lzma_x86) {
		if (in.len > 0 && in.ptr[0] == 0)
			codec = codec_lzma;
		in = span_from(in, 1);
	}
	return codec(in, f, NULL);
}

static struct peel_member
numbered(unsigned n, char name[32])
{
	int len = n == 0 ? snprintf(name, 32, "script")
			 : snprintf(name, 32, "data.%u", n - 1);

	return peel_named((struct span){ name, (size_t)len }, FORMAT_ANY);
}

/* ---- every block by itself ---------------------------------------------------- */

static bool
block(struct span data, unsigned n, bool packed, codec_fn *codec,
    struct peel *out)
{
	char name[32];
	struct peel_member m = numbered(n, name);
	struct flow f;

	m.packed = data.len;
	if (!packed)
		return peel_slice(out, &m, data);
	if (!flow_begin(&f, out, &m, CODEC_RING, 0, UINT64_MAX))
		return false;
	return flow_end(&f, run(codec, data, &f));
}

/* `end`: where the head says that the data ends; the installer itself reads
 * on if its script says so.  There may stand a checksum, a signature or
 * nothing of the kind, and what makes no sense there is no damage. */
static void
blocks(struct span s, uint64_t end, struct peel *out)
{
	codec_fn *codec = NULL;
	uint64_t at = 0;
	uint32_t len;

	for (unsigned n = 0; bytes_le32(s, at, &len); n++) {
		bool packed = (len & PACKED) != 0;

		len &= ~PACKED;
		at += 4;
		if (at >= end && len == 0)
			return;
		if (!bytes_have(s, at, len)) {
			if (at < end)
				peel_note(out, PEEL_DAMAGED);
			return;
		}
		if (packed && codec == NULL)
			codec = method_of(span_from(s, at));
		if (len > 0
			? !block(bytes_sub(s, at, len), n, packed, codec, out)
			: !peel_tick(out))
			return;
		at += len;
	}
}

/* ---- one stream --------------------------------------------------------------- */

/* Cuts the stream into its parts. */
struct cutter {
	struct peel *out;
	unsigned n; /* parts begun */
	uint8_t head[4];
	unsigned have; /* of head */
	uint64_t left; /* of the part that was begun */
	bool within;
};

static bool
part_begin(struct cutter *c)
{
	char name[32];
	struct peel_member m = numbered(c->n, name);
	uint32_t len;

	(void)bytes_le32((struct span){ (const char *)c->head, 4 }, 0, &len);
	c->have = 0;
	m.size = c->left = len & ~PACKED;
	c->n++;
	c->within = true;
	return peel_begin(c->out, &m);
}

static bool
part_end(struct cutter *c)
{
	if (!c->within || c->left > 0)
		return true;
	c->within = false;
	return peel_end(c->out);
}

static bool
cut(void *arg, struct span s)
{
	struct cutter *c = arg;

	while (s.len > 0) {
		struct span now;

		if (!c->within) {
			c->head[c->have++] = (uint8_t)s.ptr[0];
			s = span_from(s, 1);
			if (c->have == 4 && !(part_begin(c) && part_end(c)))
				return false;
			continue;
		}
		now = bytes_sub(s, 0, c->left);
		s = span_from(s, now.len);
		c->left -= now.len;
		if (!peel_add(c->out, now) || !part_end(c))
			return false;
	}
	return true;
}

static void
solid(struct span s, struct peel *out)
{
	struct cutter c = { .out = out };
	struct flow f;
	bool ok;

	if (!flow_init(&f, out, CODEC_RING, 0, UINT64_MAX)) {
		flow_free(&f);
		return;
	}
	f.to = cut;
	f.arg = &c;
	ok = run(method_of(s), s, &f);
	if (flow_flush(&f)) {
		if (!ok || c.within)
			peel_note(out, PEEL_DAMAGED);
		if (c.within)
			(void)peel_end(out);
	}
	flow_free(&f);
}

/* ---- the head ------------------------------------------------------------------ */

/* The first block of an installer that is not solid is the script: either
 * compressed, and smaller than 16 MB, or as long as the head says. */
static bool
is_solid(struct span data, uint32_t script)
{
	uint32_t len;

	return !bytes_le32(data, 0, &len) ||
	    (len >> 24 != 0x80 && len != script);
}

/* Where the head begins: on a sector, with the four flags that there are.
 * The program itself has the mark in its code. */
static bool
find_head(struct span s, uint64_t *at)
{
	static const char mark[] = "\xef\xbe\xad\xdeNullsoftInst";
	size_t from = 0;
	uint32_t flags;

	while (from < s.len) {
		const char *p =
		    memmem(s.ptr + from, s.len - from, mark, sizeof(mark) - 1);

		if (p == NULL)
			return false;
		from = (size_t)(p - s.ptr) + sizeof(mark) - 1;
		if ((p - s.ptr) % 512 != 4)
			continue;
		*at = (uint64_t)(p - s.ptr) - 4;
		if (bytes_le32(s, *at, &flags) && flags < 16)
			return true;
	}
	return false;
}

void
open_nsis(struct span object, struct peel *out)
{
	uint64_t head;
	uint32_t script, end;
	struct span data;

	if (!find_head(object, &head))
		return;
	(void)bytes_le32(object, head + 20, &script);
	if (!bytes_le32(object, head + 24, &end) || end < HEAD) {
		peel_note(out, PEEL_DAMAGED);
		return;
	}
	data = bytes_sub(object, head + HEAD, UINT64_MAX);
	if (is_solid(data, script))
		solid(data, out);
	else
		blocks(data, end - HEAD, out);
}
