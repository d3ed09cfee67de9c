#include "fuzz/formats/fuzz_peel.h"

#include "formats/office/office.h"

/* The contract of openers is kept.  The first byte picks the opener. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static opener_fn *const openers[] = { open_ole2, open_rtf, open_tnef,
		open_onenote, open_macro_sheet, open_macro_names };

	if (size > 0)
		fuzz_open(
		    openers[data[0] % COUNT(openers)], data + 1, size - 1);
	return 0;
}
