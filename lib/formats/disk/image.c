/* The bytes of a disk, and files of it given out run by run. */

#include "formats/disk/image.h"

#include <stdlib.h>

#include "formats/bytes.h"

#define SECTOR    512u
#define UNWRITTEN 0xffffffffu
#define TICK      (1u << 20)

/* Files share clusters only when somebody made them so; this much of it is
 * followed. */
#define WORK_TIMES 8u
#define WORK_LEAST (1u << 20)
#define WORK_LINK  8u /* that of a link of a chain */
#define BITS_LEAST (16u << 20)
#define WORK_FILE  64u /* that of a file without bytes */

static const char zeros[4096];

struct image
image_of(struct span object)
{
	return (struct image){ .bytes = object,
		.len = object.len,
		.work = (uint64_t)object.len * WORK_TIMES + WORK_LEAST };
}

struct image
image_part(const struct image *i, uint64_t at, uint64_t len)
{
	struct image part = *i;

	if (at > i->len)
		at = i->len;
	if (len > i->len - at)
		len = i->len - at;
	part.from += at;
	part.len = len;
	return part;
}

/* By the table: a piece ends with its block. */
static struct span
mapped_piece(const struct image *i, uint64_t at, uint64_t n)
{
	uint64_t within = at % i->block;
	uint32_t sector = UNWRITTEN;

	if (n > i->block - within)
		n = i->block - within;
	(void)bytes_be32(i->table, at / i->block * 4, &sector);
	if (sector == UNWRITTEN || at / i->block * 4 >= i->table.len)
		return (struct span){ zeros,
			(size_t)(n < sizeof(zeros) ? n : sizeof(zeros)) };
	return bytes_sub(
	    i->bytes, (uint64_t)sector * SECTOR + i->skip + within, n);
}

struct span
image_piece(const struct image *i, uint64_t at, uint64_t n)
{
	if (at > i->len)
		at = i->len;
	if (n > i->len - at)
		n = i->len - at;
	if (n == 0)
		return (struct span){ i->bytes.ptr, 0 };
	if (i->block != 0)
		return mapped_piece(i, i->from + at, n);
	return bytes_sub(i->bytes, i->from + at, n);
}

bool
image_load(const struct image *i, uint64_t at, void *out, size_t n)
{
	char *to = out;
	size_t done = 0;

	while (done < n) {
		struct span s = image_piece(i, at + done, n - done);

		if (s.len == 0) {
			memset(out, 0, n);
			return false;
		}
		memcpy(to + done, s.ptr, s.len);
		done += s.len;
	}
	return true;
}

unsigned char *
image_bits(const struct image *i, uint64_t n)
{
	if (n / 8 > i->bytes.len + BITS_LEAST)
		return NULL;
	return calloc(1, (size_t)(n / 8) + 1);
}

void
image_walked(struct image *i, uint64_t links)
{
	i->work -= i->work / WORK_LINK < links ? i->work : links * WORK_LINK;
}

/* ---- giving ------------------------------------------------------------------ */

struct giving
giving_of(struct image *i, struct peel *out, struct span name, uint64_t size)
{
	struct giving g = { .image = i, .out = out, .left = size };

	g.member = peel_named(name, FORMAT_ANY);
	g.member.size = size;
	return g;
}

/* A run that is too much is left out with what follows of its file; others
 * may still be small enough. */
static bool
may_work(struct giving *g, uint64_t n)
{
	if (g->over || g->spent)
		return false;
	g->spent = g->image->work < n;
	if (!g->spent)
		g->image->work -= n;
	return !g->spent;
}

static bool
add_piece(struct giving *g, struct span s)
{
	if (!g->begun) {
		g->begun = true;
		g->over = !peel_begin(g->out, &g->member);
	}
	if (!g->over)
		g->over = !peel_add(g->out, s);
	g->left -= s.len;
	return !g->over;
}

static bool
stands_in(struct span object, struct span s)
{
	uintptr_t base = (uintptr_t)object.ptr, at = (uintptr_t)s.ptr;

	return at >= base && at - base <= object.len;
}

bool
giving_run(struct giving *g, uint64_t at, uint64_t n)
{
	if (n > g->left)
		n = g->left;
	if (!may_work(g, n))
		return false;
	while (n > 0) {
		struct span s = image_piece(g->image, at, n);

		if (s.len == 0)
			return true;
		if (!g->begun && s.len == g->left &&
		    stands_in(g->image->bytes, s)) {
			g->left = 0;
			g->over = !peel_slice(g->out, &g->member, s);
			return !g->over;
		}
		if (s.len > TICK)
			s.len = TICK;
		if (!add_piece(g, s))
			return false;
		at += s.len;
		n -= s.len;
	}
	return true;
}

bool
giving_zeros(struct giving *g, uint64_t n)
{
	if (n > g->left)
		n = g->left;
	if (!may_work(g, n))
		return false;
	while (n > 0) {
		size_t step = n < sizeof(zeros) ? (size_t)n : sizeof(zeros);

		if (!add_piece(g, (struct span){ zeros, step }))
			return false;
		n -= step;
	}
	return true;
}

bool
giving_end(struct giving *g)
{
	if (g->over || (g->begun && !peel_end(g->out)))
		return false;
	if (g->left > 0)
		peel_note(g->out, PEEL_DAMAGED);
	g->spent = false;
	if (!may_work(g, WORK_FILE)) {
		peel_note(g->out, PEEL_DAMAGED);
		return false;
	}
	return peel_tick(g->out);
}

/* ---- kinds -------------------------------------------------------------------- */

static bool
has(const struct image *i, uint64_t at, struct span want)
{
	char got[8];

	return want.len <= sizeof(got) && image_load(i, at, got, want.len) &&
	    memcmp(got, want.ptr, want.len) == 0;
}

enum format
image_format(const struct image *i)
{
	static const struct {
		uint32_t at;
		struct span bytes;
		enum format format;
	} marks[] = {
		{ 512, SPAN("EFI PART"), FORMAT_GPT },
		{ 4096, SPAN("EFI PART"), FORMAT_GPT },
		{ 3, SPAN("NTFS    "), FORMAT_NTFS },
		{ 3, SPAN("EXFAT   "), FORMAT_EXFAT },
		{ 0x8001, SPAN("BEA01"), FORMAT_UDF },
		{ 512, SPAN("PM\0\0"), FORMAT_APM },
	};

	for (size_t k = 0; k < sizeof(marks) / sizeof(marks[0]); k++)
		if (has(i, marks[k].at, marks[k].bytes))
			return marks[k].format;
	if (fat_is(i))
		return FORMAT_FAT;
	return mbr_is(i) ? FORMAT_MBR : FORMAT_ANY;
}

enum format
disk_format(struct span object)
{
	struct image i = image_of(object);

	return image_format(&i);
}

bool
image_open(struct image *i, enum format f, struct peel *out)
{
	static const struct {
		enum format format;
		bool (*open)(struct image *i, struct peel *out);
	} kinds[] = {
		{ FORMAT_MBR, parts_mbr },
		{ FORMAT_GPT, parts_gpt },
		{ FORMAT_APM, parts_apm },
		{ FORMAT_FAT, files_fat },
		{ FORMAT_EXFAT, files_exfat },
		{ FORMAT_NTFS, files_ntfs },
		{ FORMAT_UDF, files_udf },
	};

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		if (kinds[k].format == f)
			return kinds[k].open(i, out);
	return true;
}

static void
open_kind(struct span object, enum format f, struct peel *out)
{
	struct image i = image_of(object);

	(void)image_open(&i, f, out);
}

void
open_mbr(struct span object, struct peel *out)
{
	open_kind(object, FORMAT_MBR, out);
}

void
open_gpt(struct span object, struct peel *out)
{
	open_kind(object, FORMAT_GPT, out);
}

void
open_apm(struct span object, struct peel *out)
{
	open_kind(object, FORMAT_APM, out);
}

void
open_fat(struct span object, struct peel *out)
{
	open_kind(object, FORMAT_FAT, out);
}

void
open_exfat(struct span object, struct peel *out)
{
	open_kind(object, FORMAT_EXFAT, out);
}

void
open_ntfs(struct span object, struct peel *out)
{
	open_kind(object, FORMAT_NTFS, out);
}

void
open_udf(struct span object, struct peel *out)
{
	open_kind(object, FORMAT_UDF, out);
}
