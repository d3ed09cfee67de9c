#include <assert.h>

#include "endpoint/spool_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes: numbers rise, bodies lie within, reading ends; and what was
 * read, written again, reads the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };
	struct segment_reader r = { .bytes = in, .at = SEGMENT_HEAD };
	struct buf again = buf_make(8u << 20);
	struct spool_record rec;
	struct uuid id = { 0 };
	uint64_t first, last = 0;
	size_t records = 0;
	enum segment_item item;

	if (size > 65536)
		return 0;
	(void)!segment_get_head(in, &id, &first);
	segment_put_head(&again, id, 1);
	while ((item = segment_next(&r, &rec)) != SEGMENT_END) {
		if (item == SEGMENT_CUT)
			continue;
		assert(rec.number > last);
		if (item == SEGMENT_LOST) {
			segment_put_gap(&again, last + 1, rec.number, "test");
		} else {
			assert(rec.body.ptr >= in.ptr &&
			    rec.body.ptr + rec.body.len <= in.ptr + size);
			segment_put_record(
			    &again, rec.number, rec.kind, rec.body);
		}
		last = rec.number;
		records++;
	}
	r = (struct segment_reader){ buf_view(&again), SEGMENT_HEAD, 0 };
	assert(segment_get_head(r.bytes, &id, &first) && first == 1);
	while ((item = segment_next(&r, &rec)) != SEGMENT_END) {
		assert(item == SEGMENT_RECORD);
		records--;
	}
	assert(records == 0 && r.last == last);
	buf_free(&again);
	return 0;
}
