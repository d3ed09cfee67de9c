#include "fuzz/formats/fuzz_peel.h"

#include "formats/office/part.h"

/* Streams of compound files without the file around them: the contract of
 * openers is kept.  The first byte picks the stream. */

static office_part_fn *part;

static void
open_part(struct span object, struct peel *out)
{
	struct office o = office_begin(object, out);

	(void)part(&o, object);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static office_part_fn *const parts[] = { excel_open, vba_open,
		powerpoint_open, native_open, word_open, presenter_open,
		message_body_open };

	if (size == 0)
		return 0;
	part = parts[data[0] % COUNT(parts)];
	fuzz_open(open_part, data + 1, size - 1);
	return 0;
}
