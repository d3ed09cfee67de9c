#ifndef SCAN_SORT_ROWS_H
#define SCAN_SORT_ROWS_H

#include <stddef.h>

#define ROW_MAX 64u

/* Sorts `count` rows of `size` bytes (at most ROW_MAX) as memcmp() orders
 * them, in place, in time that grows with their bytes (a radix sort: digests
 * are as random as can be). */
void sort_rows(void *rows, size_t count, size_t size);

#endif
