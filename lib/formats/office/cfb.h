#ifndef FORMATS_OFFICE_CFB_H
#define FORMATS_OFFICE_CFB_H

#include "base/buf.h"
#include "formats/bytes.h"

/* Compound files as [MS-CFB] has them, versions 3 and 4: a file system of
 * sectors within a file.  Everything here is bounded by the size of the
 * file: a chain of sectors never gives more of them than there are. */

#define CFB_MAGIC      SPAN("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
#define CFB_NONE       UINT32_MAX /* no entry, no sector */
#define CFB_NAME_UNITS 32u        /* UTF-16 units of a name, NUL included */

enum cfb_kind { CFB_FREE, CFB_STORAGE, CFB_STREAM, CFB_ROOT = 5 };

/* A list of sectors, in the order of their chain. */
struct cfb_list {
	uint32_t *at;
	uint32_t n;
};

struct cfb {
	struct span file;
	unsigned shift;   /* log2 of the size of a sector */
	uint32_t sectors; /* that are in the file, a broken last one too */
	struct cfb_list fat, minifat, mini;
	struct buf directory; /* 128 bytes for each entry */
	uint32_t entries;
	bool damaged, memory; /* something is missing, and why */
};

struct cfb_entry {
	uint16_t name[CFB_NAME_UNITS];
	unsigned units; /* of the name, NUL not counted */
	uint8_t kind;
	uint32_t left, right, child;
	uint32_t start;
	uint64_t size;
};

/* False if it is no compound file at all; then nothing is to be freed. */
bool cfb_open(struct cfb *c, struct span file);
void cfb_close(struct cfb *c);

/* A number without entry gives one of kind CFB_FREE. */
struct cfb_entry cfb_entry_read(const struct cfb *c, uint32_t i);

/* The bytes of a stream, as many as are there: within the file when they
 * stand in one piece, otherwise put together in `copy`.  They live as long as
 * the file, and as `copy` is not touched. */
struct span
cfb_stream_load(struct cfb *c, const struct cfb_entry *e, struct buf *copy);

/* The tree of storages, flattened: `order` holds the entries that were found,
 * parents before children, and parent[i] the storage of entry i.  Streams
 * that no storage leads to stand at the end, with the root as parent. */
struct cfb_tree {
	uint32_t *order, *parent;
	uint32_t n;
};
bool cfb_tree_read(struct cfb *c, struct cfb_tree *t);
void cfb_tree_free(struct cfb_tree *t);

/* Names are compared as [MS-CFB] does for ASCII: without case. */
bool cfb_name_is(const struct cfb_entry *e, const char *name);
/* Appends "Storage/Sub/Stream" in UTF-8.  A control character becomes its
 * number ("\1CompObj" is "_1_CompObj"), "/" within a name "_", and the names
 * that Windows Installer packs into 0x3800..0x4840 are unpacked.  Of storages
 * within storages the innermost CFB_DEPTH_MAX are told. */
#define CFB_DEPTH_MAX 32u
void cfb_path_add(
    const struct cfb *c, const struct cfb_tree *t, uint32_t i, struct buf *out);

#endif
