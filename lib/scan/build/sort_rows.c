#include "scan/build/sort_rows.h"

#include <string.h>

#define SMALL 24u /* rows that are sorted by insertion */

struct rows {
	unsigned char *p;
	size_t count, size;
};

static void
swap(unsigned char *a, unsigned char *b, size_t size)
{
	unsigned char t[ROW_MAX];

	memcpy(t, a, size);
	memcpy(a, b, size);
	memcpy(b, t, size);
}

static void
insertion(struct rows r, size_t depth)
{
	unsigned char t[ROW_MAX];

	for (size_t i = 1; i < r.count; i++) {
		size_t k = i;

		memcpy(t, r.p + i * r.size, r.size);
		while (k > 0 &&
		    memcmp(r.p + (k - 1) * r.size + depth, t + depth,
			r.size - depth) > 0) {
			memcpy(
			    r.p + k * r.size, r.p + (k - 1) * r.size, r.size);
			k--;
		}
		memcpy(r.p + k * r.size, t, r.size);
	}
}

/* American flag: each row goes to the part of its byte at `depth`. */
static void
distribute(struct rows r, size_t depth, size_t end[256])
{
	size_t next[256], at = 0;

	memset(end, 0, 256 * sizeof(*end));
	for (size_t i = 0; i < r.count; i++)
		end[r.p[i * r.size + depth]]++;
	for (size_t c = 0; c < 256; c++) {
		next[c] = at;
		at += end[c];
		end[c] = at;
	}
	for (size_t c = 0; c < 256; c++)
		while (next[c] < end[c]) {
			unsigned char *row = r.p + next[c] * r.size;
			size_t to = row[depth];

			if (to == c)
				next[c]++;
			else
				swap(row, r.p + next[to]++ * r.size, r.size);
		}
}

static void
sort(struct rows r, size_t depth)
{
	size_t end[256], from = 0;

	if (r.count <= SMALL || depth == r.size) {
		if (depth < r.size)
			insertion(r, depth);
		return;
	}
	distribute(r, depth, end);
	for (size_t c = 0; c < 256; c++) {
		struct rows part = { r.p + from * r.size, end[c] - from,
			r.size };

		if (part.count > 1)
			sort(part, depth + 1);
		from = end[c];
	}
}

void
sort_rows(void *rows, size_t count, size_t size)
{
	sort((struct rows){ rows, count, size }, 0);
}
