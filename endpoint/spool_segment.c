#include <string.h>

#include "endpoint/spool_int.h"

static const char magic[8] = { 'K', 'H', 'S', 'P', 'O', 'O', 'L', '1' };

/* RFC 3720, appendix B.4 gives the polynomial; four bits at a time. */
uint32_t
crc32c(struct span s)
{
	static const uint32_t table[16] = {
		0x00000000,
		0x105ec76f,
		0x20bd8ede,
		0x30e349b1,
		0x417b1dbc,
		0x5125dad3,
		0x61c69362,
		0x7198540d,
		0x82f63b78,
		0x92a8fc17,
		0xa24bb5a6,
		0xb21572c9,
		0xc38d26c4,
		0xd3d3e1ab,
		0xe330a81a,
		0xf36e6f75,
	};
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < s.len; i++) {
		crc ^= (unsigned char)s.ptr[i];
		crc = (crc >> 4) ^ table[crc & 15];
		crc = (crc >> 4) ^ table[crc & 15];
	}
	return ~crc;
}

static void
put_little(unsigned char *to, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (unsigned char)(v >> (8 * i));
}

static uint64_t
get_little(const unsigned char *from, size_t n)
{
	uint64_t v = 0;

	for (size_t i = n; i-- > 0;)
		v = v << 8 | from[i];
	return v;
}

void
put_u32(void *to, uint32_t v)
{
	put_little(to, v, 4);
}

void
put_u64(void *to, uint64_t v)
{
	put_little(to, v, 8);
}

uint32_t
get_u32(const void *from)
{
	return (uint32_t)get_little(from, 4);
}

uint64_t
get_u64(const void *from)
{
	return get_little(from, 8);
}

void
segment_put_head(struct buf *out, struct uuid id, uint64_t first)
{
	char head[SEGMENT_HEAD];

	memcpy(head, magic, 8);
	memcpy(head + 8, id.b, 16);
	put_u64(head + 24, first);
	put_u32(head + 32, crc32c((struct span){ head, 32 }));
	buf_add(out, head, sizeof(head));
}

bool
segment_get_head(struct span bytes, struct uuid *id, uint64_t *first)
{
	if (bytes.len < SEGMENT_HEAD || memcmp(bytes.ptr, magic, 8) != 0 ||
	    get_u32(bytes.ptr + 32) != crc32c((struct span){ bytes.ptr, 32 }))
		return false;
	memcpy(id->b, bytes.ptr + 8, 16);
	*first = get_u64(bytes.ptr + 24);
	return true;
}

void
segment_put_record(
    struct buf *out, uint64_t number, enum spool_class kind, struct span body)
{
	size_t at = out->len;
	char head[RECORD_HEAD] = { 0 };

	put_u32(head, (uint32_t)(body.len + RECORD_HEAD - RECORD_CRCED));
	put_u64(head + 8, number);
	head[16] = (char)kind;
	buf_add(out, head, sizeof(head));
	buf_span(out, body);
	if (!out->full)
		put_u32(out->ptr + at + 4,
		    crc32c(span_from(buf_view(out), at + RECORD_CRCED)));
}

void
segment_put_gap(struct buf *out, uint64_t from, uint64_t to, const char *why)
{
	struct buf body = buf_make(256);

	buf_fmt(&body, "{\"from\":%llu,\"to\":%llu,\"why\":\"%s\"}",
	    (unsigned long long)from, (unsigned long long)to, why);
	segment_put_record(out, to, SPOOL_GAP, buf_view(&body));
	buf_free(&body);
}

/* The record whose checked part is `len` bytes long at `at`. */
static bool
record_at(const struct segment_reader *r, size_t at, size_t len,
    struct spool_record *out)
{
	const char *p = r->bytes.ptr + at;
	uint64_t number;

	if (r->bytes.len - at < RECORD_HEAD ||
	    len < RECORD_HEAD - RECORD_CRCED ||
	    len > SPOOL_RECORD_MAX + RECORD_HEAD ||
	    len > r->bytes.len - at - RECORD_CRCED)
		return false;
	number = get_u64(p + 8);
	if (number <= r->last || p[16] < SPOOL_DETECTION || p[16] > SPOOL_GAP ||
	    get_u32(p + 4) != crc32c((struct span){ p + RECORD_CRCED, len }))
		return false;
	*out = (struct spool_record){
		.number = number,
		.kind = (enum spool_class)p[16],
		.body = { p + RECORD_HEAD, len - (RECORD_HEAD - RECORD_CRCED) },
	};
	return true;
}

/* By its own length, or, if that field is what is damaged, as the last
 * record of the file. */
static bool
sound_at(const struct segment_reader *r, size_t at, struct spool_record *out)
{
	size_t left = r->bytes.len - at;

	if (left < RECORD_HEAD)
		return false;
	return record_at(r, at, get_u32(r->bytes.ptr + at), out) ||
	    record_at(r, at, left - RECORD_CRCED, out);
}

static bool
all_zero(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] != 0)
			return false;
	return true;
}

/* Nothing sound follows.  A record that was being written when the power
 * failed is cut short or, with some file systems, zeros. */
static enum segment_item
end_item(struct segment_reader *r, struct spool_record *out)
{
	struct span left = span_from(r->bytes, r->at);
	bool cut = left.len < RECORD_HEAD ||
	    get_u32(left.ptr) > left.len - RECORD_CRCED || all_zero(left);
	size_t at_most = left.len / RECORD_HEAD;

	r->at = r->bytes.len;
	if (cut)
		return SEGMENT_CUT;
	/* As many as there may have been, so that no number is used again. */
	if (get_u32(left.ptr) == left.len - RECORD_CRCED)
		at_most = 1;
	*out = (struct spool_record){ .number = r->last + at_most };
	r->last = out->number;
	return SEGMENT_LOST;
}

enum segment_item
segment_next(struct segment_reader *r, struct spool_record *out)
{
	struct spool_record found;

	if (r->at >= r->bytes.len)
		return SEGMENT_END;
	for (size_t at = r->at; at < r->bytes.len; at++) {
		if (!sound_at(r, at, &found))
			continue;
		r->at = at;
		/* Only a gap may skip numbers. */
		if (found.number != r->last + 1 && found.kind != SPOOL_GAP) {
			out->number = r->last = found.number - 1;
			return SEGMENT_LOST;
		}
		r->at =
		    (size_t)(found.body.ptr - r->bytes.ptr) + found.body.len;
		r->last = found.number;
		*out = found;
		return SEGMENT_RECORD;
	}
	return end_item(r, out);
}
