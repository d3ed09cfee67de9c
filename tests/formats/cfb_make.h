#ifndef TESTS_FORMATS_CFB_MAKE_H
#define TESTS_FORMATS_CFB_MAKE_H

#include "base/buf.h"

/* Makes compound files for tests: what [MS-CFB] demands of a writer and no
 * more.  Storages come into being with the first stream within; siblings hang
 * in one line to the right.  A small file's sectors stand in this order: FAT,
 * directory, mini FAT, mini stream, streams of 4096 bytes and more. */

struct cfb_item {
	const char *path; /* "Storage/Stream"; bytes below 0x20 are allowed */
	struct span bytes;
};

/* Where things stand, for tests that break them. */
struct cfb_made {
	struct buf file;
	size_t sector;                               /* bytes of one */
	uint32_t fat, directory, minifat, mini, big; /* first sectors */
};
/* `major` 3 has sectors of 512 bytes, 4 has 4096. */
struct cfb_made
cfb_make(unsigned major, const struct cfb_item *items, size_t n);
/* Byte offset of a sector, and of the directory entry of a number (the root
 * is 0, then as they come into being). */
size_t cfb_made_at(const struct cfb_made *m, uint32_t sector);
size_t cfb_made_entry(const struct cfb_made *m, uint32_t entry);
void cfb_put32(struct cfb_made *m, size_t at, uint32_t v);

/* [MS-OVBA] 2.4.1 without any compression to speak of: literals only. */
void ovba_make(struct buf *out, struct span text);

#endif
