#ifndef DISK_IMAGE_H
#define DISK_IMAGE_H

#include "base/buf.h"
#include "formats/disk/disk.h"

/* THE BYTES OF A DISK as its computer sees them, or of a part of it.  They
 * stand in the object as they are, or in blocks that a table places. */

struct image {
	struct span bytes; /* the object */
	uint64_t from;     /* where this part begins on the disk */
	uint64_t len;
	struct span table; /* of 32-bit numbers of sectors, BE; or empty */
	uint64_t block;    /* bytes of each of its blocks */
	uint64_t skip;     /* bytes in front of each of them */
	uint64_t work;     /* bytes that may be given out yet */
};

struct image image_of(struct span object);
/* A part; what is beyond its end is left out. */
struct image image_part(const struct image *i, uint64_t at, uint64_t len);

/* The longest piece at `at` that stands in one place, `n` bytes at most.
 * Empty behind the end.  What was never written is zeros that are not in the
 * object. */
struct span image_piece(const struct image *i, uint64_t at, uint64_t n);
/* False, and all zero, when that is not within. */
bool image_load(const struct image *i, uint64_t at, void *out, size_t n);

/* `n` bits, all 0, to remember places of the image by; NULL when that is no
 * memory in proportion to the object. */
unsigned char *image_bits(const struct image *i, uint64_t n);
/* So many links of a chain were followed. */
void image_walked(struct image *i, uint64_t links);

/* ONE FILE, given out run by run.  A file in one place is not copied. */
struct giving {
	struct image *image;
	struct peel *out;
	struct peel_member member;
	uint64_t left; /* bytes of the file that are still to come */
	bool begun;    /* in pieces */
	bool spent;    /* more was shared than an honest disk does */
	bool over;     /* the sink wants no more */
};

struct giving
giving_of(struct image *i, struct peel *out, struct span name, uint64_t size);
bool giving_run(struct giving *g, uint64_t at, uint64_t n);
bool giving_zeros(struct giving *g, uint64_t n);
/* Tells when bytes are missing.  False: no more is wanted, or may be. */
bool giving_end(struct giving *g);

/* ---- what is in an image; each reads one kind ------------------------------- */

/* The path of the file that is at hand; names are appended and cut off. */
#define PATH_MAX_BYTES 4096u
#define DIRS_DEPTH     64u

enum format image_format(const struct image *i);
/* False: the sink wants no more. */
bool image_open(struct image *i, enum format f, struct peel *out);

bool parts_mbr(struct image *i, struct peel *out);
bool parts_gpt(struct image *i, struct peel *out);
bool parts_apm(struct image *i, struct peel *out);
bool files_fat(struct image *i, struct peel *out);
bool files_exfat(struct image *i, struct peel *out);
bool files_ntfs(struct image *i, struct peel *out);
bool files_udf(struct image *i, struct peel *out);

bool fat_is(const struct image *i);
bool mbr_is(const struct image *i);

#endif
