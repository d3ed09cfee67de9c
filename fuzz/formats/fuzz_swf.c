#include "fuzz/formats/fuzz_peel.h"

#include "formats/pdf/pdf.h"

/* The contract of openers is kept. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_open(open_swf, data, size);
	return 0;
}
