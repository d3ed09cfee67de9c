#include <assert.h>

#include "base/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* It comes to an end, and every field is UTF-8 within its limits. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct csv c = csv_begin((struct span){ (const char *)data, size });
	struct arena *a = arena_new(4u << 20);
	struct csv_row row;
	struct errinfo ei = { 0 };
	bool more = true;
	size_t last = 0;

	assert(a != NULL);
	for (size_t rows = 0; more; rows++) {
		enum err e = csv_next(&c, a, &row, &more, &ei);

		assert(rows <= size + 1);
		if (e == ERR_NOMEM)
			break;
		if (e != OK || !more)
			continue;
		assert(row.line > last && row.count <= CSV_FIELDS_MAX);
		last = row.line;
		for (size_t i = 0; i < row.count; i++)
			assert(row.field[i].len <= CSV_FIELD_MAX &&
			    span_utf8(row.field[i]));
	}
	arena_free(a);
	return 0;
}
