#include "fuzz/scan/fuzz_scan.h"

#include "formats/magic.h"
#include "scan/object/type.h"

/* Any bytes have a type; a zip at the end begins before it ends.  Normalised text has no capital, no control
 * character and no two blanks in a row, and normalising it again changes
 * nothing. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = { (const char *)data, size };
	struct zip_place zip;
	struct buf once = buf_make(TEXT_NORMAL_MAX),
		   twice = buf_make(TEXT_NORMAL_MAX);

	assert((unsigned)format_of(s) < FORMATS);
	assert((unsigned)type_pack(s) <= PACK_STREAM);
	for (int loose = 0; loose < 2; loose++)
		if (type_zip_at_end(s, loose != 0, &zip))
			assert(zip.base <= zip.front && zip.front < size);
	text_normalise(s, &once);
	assert(once.len <= size);
	for (size_t i = 0; i < once.len; i++) {
		unsigned char c = (unsigned char)once.ptr[i];

		assert(c >= ' ' && c <= 0x7f && (c < 'A' || c > 'Z'));
		assert(c != ' ' || i == 0 || once.ptr[i - 1] != ' ');
	}
	text_normalise(buf_view(&once), &twice);
	assert(span_eq(buf_view(&once), buf_view(&twice)));
	buf_free(&once);
	buf_free(&twice);
	return 0;
}
