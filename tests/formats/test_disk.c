#include "sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/disk/disk.h"
#include "formats/magic.h"
#include "writing.h"

#define SECTOR 512u
#define TEXT   "what is in the file"

/* A disk of zeros, to be written over. */
static struct buf
disk(size_t sectors)
{
	struct buf b = buf_make(16u << 20);

	put_zeros(&b, sectors * SECTOR);
	return b;
}

static void
write_at(struct buf *b, size_t at, const void *bytes, size_t n)
{
	assert_true(at + n <= b->len);
	memcpy(b->ptr + at, bytes, n);
}

static void
text_at(struct buf *b, size_t at, const char *text)
{
	write_at(b, at, text, strlen(text));
}

static void
patch_be(struct buf *b, size_t at, uint64_t v, unsigned bytes)
{
	for (unsigned k = 0; k < bytes; k++)
		b->ptr[at + k] = (char)(v >> (8 * (bytes - 1 - k)));
}

static void
open_disk(struct sink *s, opener_fn *opener, const struct buf *b)
{
	sink_init(s);
	opener(buf_view(b), &s->peel);
}

static void
assert_text(const struct sink *s, const char *name, const char *text)
{
	struct span got = sink_bytes(s, name);

	assert_int_equal(got.len, strlen(text));
	assert_memory_equal(got.ptr, text, got.len);
}

/* Whatever is missing, nothing is read that is not there. */
static void
tear(opener_fn *opener, const struct buf *b, size_t step)
{
	for (size_t n = 0; n < b->len; n += step) {
		char *copy = malloc(n + 1);
		struct sink s;

		assert_non_null(copy);
		memcpy(copy, b->ptr, n);
		sink_init(&s);
		opener((struct span){ copy, n }, &s.peel);
		assert_true(s.bytes <= 8u * n);
		sink_clear(&s);
		free(copy);
	}
}

/* ---- partitions ------------------------------------------------------------------ */

static void
put_entry(struct buf *b, size_t table, unsigned k, unsigned type,
    uint32_t first, uint32_t sectors)
{
	size_t at = table * SECTOR + 446 + 16u * k;

	b->ptr[at + 4] = (char)type;
	patch_le(b, at + 8, first, 4);
	patch_le(b, at + 12, sectors, 4);
	text_at(b, table * SECTOR + 510, "\x55\xaa");
}

static struct buf
mbr(void)
{
	struct buf b = disk(16);

	put_entry(&b, 0, 0, 0x0c, 1, 1);
	put_entry(&b, 0, 1, 0x05, 4, 10);
	put_entry(&b, 4, 0, 0x06, 1, 1);
	put_entry(&b, 4, 1, 0x05, 4, 2);
	put_entry(&b, 8, 0, 0x06, 1, 2);
	text_at(&b, 1 * SECTOR, "one");
	text_at(&b, 5 * SECTOR, "five");
	text_at(&b, 9 * SECTOR, "six");
	return b;
}

static void
partitions_and_logical_drives_are_members(void **state)
{
	struct buf b = mbr();
	struct sink s;

	(void)state;
	assert_int_equal(format_of(buf_view(&b)), FORMAT_MBR);
	open_disk(&s, open_mbr, &b);
	assert_int_equal(s.members, 4);
	assert_int_equal(sink_bytes(&s, "boot").len, SECTOR);
	assert_memory_equal(sink_bytes(&s, "1").ptr, "one", 4);
	assert_memory_equal(sink_bytes(&s, "5").ptr, "five", 5);
	assert_memory_equal(sink_bytes(&s, "6").ptr, "six", 4);
	assert_int_equal(sink_bytes(&s, "6").len, 2 * SECTOR);
	assert_int_equal(s.notes, 0);
	sink_clear(&s);
	tear(open_mbr, &b, 7);
	buf_free(&b);
}

/* A chain that goes back, one that stays, and one that leaves the disk. */
static void
a_chain_of_drives_ends(void **state)
{
	static const uint32_t next[] = { 0, 1, 4000000000u };

	(void)state;
	for (size_t k = 0; k < COUNT(next); k++) {
		struct buf b = mbr();
		struct sink s;

		put_entry(&b, 8, 1, 0x05, next[k], 2);
		open_disk(&s, open_mbr, &b);
		assert_true(s.members <= 5);
		assert_int_equal(s.notes, 1u << PEEL_DAMAGED);
		sink_clear(&s);
		buf_free(&b);
	}
}

static void
a_boot_sector_without_partitions_is_no_disk(void **state)
{
	struct buf b = disk(4);

	(void)state;
	text_at(&b, 510, "\x55\xaa");
	assert_int_equal(format_of(buf_view(&b)), FORMAT_BINARY_DATA);
	put_entry(&b, 0, 0, 0x0c, 1, 1);
	assert_int_equal(format_of(buf_view(&b)), FORMAT_MBR);
	b.ptr[446] = 0x33;
	assert_int_equal(format_of(buf_view(&b)), FORMAT_BINARY_DATA);
	buf_free(&b);
}

static void
put_gpt(struct buf *b, size_t header, uint64_t entries)
{
	text_at(b, header * SECTOR, "EFI PART");
	patch_le(b, header * SECTOR + 72, entries, 8);
	patch_le(b, header * SECTOR + 80, 2, 4);
	patch_le(b, header * SECTOR + 84, 128, 4);
	b->ptr[entries * SECTOR + 128] = 1;
	patch_le(b, entries * SECTOR + 128 + 32, 4, 8);
	patch_le(b, entries * SECTOR + 128 + 40, 5, 8);
}

static void
either_table_of_a_gpt_will_do(void **state)
{
	struct buf b = disk(16);
	struct sink s;

	(void)state;
	put_gpt(&b, 1, 2);
	put_gpt(&b, 15, 14);
	text_at(&b, 4 * SECTOR, "part");
	for (int k = 0; k < 2; k++) {
		assert_int_equal(format_of(buf_view(&b)), FORMAT_GPT);
		open_disk(&s, open_gpt, &b);
		assert_int_equal(s.members, 1);
		assert_int_equal(sink_bytes(&s, "2").len, 2 * SECTOR);
		assert_memory_equal(sink_bytes(&s, "2").ptr, "part", 5);
		assert_int_equal(s.notes, 0);
		sink_clear(&s);
		/* The first one names a place that is not there. */
		patch_le(&b, SECTOR + 72, UINT64_MAX, 8);
	}
	tear(open_gpt, &b, 7);
	buf_free(&b);
}

static void
partitions_of_an_apple_disk_are_members(void **state)
{
	struct buf b = disk(8);
	struct sink s;

	(void)state;
	text_at(&b, 0, "ER");
	patch_be(&b, 2, 512, 2);
	for (size_t k = 1; k <= 2; k++) {
		text_at(&b, k * SECTOR, "PM");
		patch_be(&b, k * SECTOR + 4, 2, 4);
		patch_be(&b, k * SECTOR + 8, k == 1 ? 1 : 4, 4);
		patch_be(&b, k * SECTOR + 12, 2, 4);
	}
	text_at(&b, 4 * SECTOR, "apple");
	assert_int_equal(format_of(buf_view(&b)), FORMAT_APM);
	open_disk(&s, open_apm, &b);
	assert_int_equal(s.members, 1);
	assert_memory_equal(sink_bytes(&s, "2").ptr, "apple", 6);
	sink_clear(&s);
	tear(open_apm, &b, 7);
	buf_free(&b);
}

/* ---- FAT --------------------------------------------------------------------------- */

/* Where things are: the tables are one sector. */
struct fat_sample {
	struct buf b;
	unsigned bits;
	size_t table, root, data;
};

static void
put_link(struct fat_sample *f, uint32_t cluster, uint32_t next)
{
	size_t at = f->table + (size_t)cluster * f->bits / 8;

	if (f->bits == 32)
		patch_le(&f->b, at, next, 4);
	else if (f->bits == 16)
		patch_le(&f->b, at, next, 2);
	else if (cluster % 2 == 0)
		patch_le(&f->b, at,
		    next | ((unsigned)(uint8_t)f->b.ptr[at + 1] & 0xf0u) << 8,
		    2);
	else
		patch_le(&f->b, at,
		    next << 4 | ((unsigned)(uint8_t)f->b.ptr[at] & 0x0fu), 2);
}

static size_t
cluster_of(const struct fat_sample *f, uint32_t cluster)
{
	return f->data + (cluster - 2) * (size_t)SECTOR;
}

static void
put_file(struct fat_sample *f, size_t at, const char *name, unsigned attr,
    uint32_t cluster, uint32_t size)
{
	write_at(&f->b, at, name, 11);
	f->b.ptr[at + 11] = (char)attr;
	patch_le(&f->b, at + 26, cluster, 2);
	patch_le(&f->b, at + 28, size, 4);
}

/* One entry of a long name: 13 units of ASCII. */
static void
put_long(struct fat_sample *f, size_t at, unsigned order, const char *text,
    const char *name)
{
	static const uint8_t place[] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24,
		28, 30 };
	size_t n = strlen(text);
	uint8_t sum = 0;

	for (unsigned k = 0; k < 11; k++)
		sum = (uint8_t)((sum >> 1 | sum << 7) + (uint8_t)name[k]);
	f->b.ptr[at] = (char)order;
	f->b.ptr[at + 11] = 0x0f;
	f->b.ptr[at + 13] = (char)sum;
	for (unsigned k = 0; k < 13; k++)
		patch_le(&f->b, at + place[k],
		    k < n        ? (uint8_t)text[k]
			: k == n ? 0u
				 : 0xffffu,
		    2);
}

/* A name of two parts, a folder, a file in pieces, one that is deleted. */
static struct fat_sample
fat(unsigned bits)
{
	size_t table = bits == 12 ? 1 : 40, all = bits == 16 ? 4300 : 64;
	struct fat_sample f = { .b = disk(all + 41), .bits = bits };

	patch_le(&f.b, 11, SECTOR, 2);
	f.b.ptr[13] = 1;
	patch_le(&f.b, 14, 1, 2);
	f.b.ptr[16] = 1;
	patch_le(&f.b, 17, bits == 32 ? 0 : 16, 2);
	patch_le(&f.b, 32, all, 4);
	f.b.ptr[21] = (char)0xf8;
	patch_le(&f.b, bits == 32 ? 36 : 22, table, bits == 32 ? 4 : 2);
	patch_le(&f.b, 44, 10, bits == 32 ? 4 : 0);
	f.table = SECTOR;
	f.root = (1 + table) * SECTOR;
	f.data = f.root + (bits == 32 ? 0 : SECTOR);
	if (bits == 32)
		f.root = cluster_of(&f, 10);
	put_link(&f, 10, 0x0fffffff & ((1ull << bits) - 1));
	put_link(&f, 2, 0x0fffffff & ((1ull << bits) - 1));
	put_link(&f, 3, 5);
	put_link(&f, 5, 0x0fffffff & ((1ull << bits) - 1));
	put_link(&f, 7, 0x0fffffff & ((1ull << bits) - 1));
	put_long(&f, f.root, 0x42, "name.doc", "ALONGF~1DOC");
	put_long(&f, f.root + 32, 0x01, "a long file's", "ALONGF~1DOC");
	put_file(&f, f.root + 64, "ALONGF~1DOC", 0, 7, strlen(TEXT));
	put_file(&f, f.root + 96,
	    "\xe5"
	    "ELETED TXT",
	    0, 7, strlen(TEXT));
	put_file(&f, f.root + 128, "VOLUME     ", 8, 0, 0);
	put_file(&f, f.root + 160, "DIR        ", 0x10, 2, 0);
	put_file(&f, cluster_of(&f, 2), ".          ", 0x10, 2, 0);
	put_file(&f, cluster_of(&f, 2) + 32, "..         ", 0x10, 0, 0);
	put_file(&f, cluster_of(&f, 2) + 64, "PIECES  BIN", 0, 3, 600);
	text_at(&f.b, cluster_of(&f, 7), TEXT);
	text_at(&f.b, cluster_of(&f, 3), "begins here");
	text_at(&f.b, cluster_of(&f, 5) + 80, "and ends");
	return f;
}

static void
files_of_each_fat_are_members(void **state)
{
	(void)state;
	for (unsigned bits = 12; bits <= 32; bits += bits == 12 ? 4 : 16) {
		struct fat_sample f = fat(bits);
		struct sink s;

		assert_int_equal(format_of(buf_view(&f.b)), FORMAT_FAT);
		open_disk(&s, open_fat, &f.b);
		assert_int_equal(s.members, 2);
		assert_text(&s, "a long file'sname.doc", TEXT);
		assert_int_equal(sink_bytes(&s, "DIR/PIECES.BIN").len, 600);
		assert_memory_equal(
		    sink_bytes(&s, "DIR/PIECES.BIN").ptr + 592, "and ends", 8);
		assert_int_equal(s.notes, 0);
		sink_clear(&s);
		tear(open_fat, &f.b, bits == 16 ? 9001 : 101);
		buf_free(&f.b);
	}
}

static void
a_long_name_of_another_entry_is_not_taken(void **state)
{
	struct fat_sample f = fat(12);
	struct sink s;

	(void)state;
	f.b.ptr[f.root + 32 + 13] ^= 1;
	open_disk(&s, open_fat, &f.b);
	assert_text(&s, "ALONGF~1.DOC", TEXT);
	sink_clear(&s);
	buf_free(&f.b);
}

/* A folder in itself, a chain that is a circle, files that are all one. */
static void
circles_of_clusters_end(void **state)
{
	struct fat_sample f = fat(12);
	struct sink s;

	(void)state;
	put_file(&f, f.root + 192, "CIRCLE     ", 0x10, 2, 0);
	put_link(&f, 5, 3);
	put_file(&f, cluster_of(&f, 2) + 96, "ENDLESS BIN", 0, 3, 4000000000u);
	open_disk(&s, open_fat, &f.b);
	assert_int_equal(s.notes, 1u << PEEL_DAMAGED);
	assert_text(&s, "a long file'sname.doc", TEXT);
	assert_true(s.bytes <= 8 * f.b.len + (1u << 20));
	sink_clear(&s);
	buf_free(&f.b);
}

/* ---- exFAT ---------------------------------------------------------------------------- */

static void
put_set(struct buf *b, size_t at, unsigned attr, unsigned flags, uint32_t first,
    uint64_t size, const char *name)
{
	b->ptr[at] = (char)0x85;
	b->ptr[at + 1] = 2;
	b->ptr[at + 4] = (char)attr;
	b->ptr[at + 32] = (char)0xc0;
	b->ptr[at + 33] = (char)flags;
	b->ptr[at + 35] = (char)strlen(name);
	patch_le(b, at + 52, first, 4);
	patch_le(b, at + 56, size, 8);
	b->ptr[at + 64] = (char)0xc1;
	for (size_t k = 0; name[k] != '\0'; k++)
		b->ptr[at + 66 + 2 * k] = name[k];
}

/* Clusters of a sector from sector 4 on: the root is 2 and 4, a folder 3, a
 * file in a chain 5 and 7, one in a row 8 and 9. */
static struct buf
exfat(void)
{
	struct buf b = disk(16);

	text_at(&b, 3, "EXFAT   ");
	patch_le(&b, 80, 1, 4);
	patch_le(&b, 88, 4, 4);
	patch_le(&b, 92, 12, 4);
	patch_le(&b, 96, 2, 4);
	b.ptr[108] = 9;
	patch_le(&b, SECTOR + 8, 4, 4);
	patch_le(&b, SECTOR + 16, UINT32_MAX, 4);
	patch_le(&b, SECTOR + 20, 7, 4);
	patch_le(&b, SECTOR + 28, UINT32_MAX, 4);
	for (size_t k = 0; k < 13; k++)
		b.ptr[4 * SECTOR + 32 * k] = 1; /* none of ours, not in use */
	put_set(&b, 4 * SECTOR + 13 * 32, 0x20, 1, 5, 600, "chain");
	put_set(&b, 6 * SECTOR, 0x10, 3, 3, SECTOR, "dir");
	put_set(&b, 5 * SECTOR, 0x20, 3, 8, 600, "row");
	put_set(&b, 5 * SECTOR + 96, 0x20, 3, 8, 5, "gone");
	b.ptr[5 * SECTOR + 96] = 5;
	text_at(&b, 7 * SECTOR, "chain begins");
	text_at(&b, 9 * SECTOR + 80, "and ends");
	text_at(&b, 11 * SECTOR + 80, "row ends");
	return b;
}

static void
files_of_exfat_are_members(void **state)
{
	struct buf b = exfat();
	struct sink s;

	(void)state;
	assert_int_equal(format_of(buf_view(&b)), FORMAT_EXFAT);
	open_disk(&s, open_exfat, &b);
	assert_int_equal(s.members, 2);
	assert_int_equal(sink_bytes(&s, "chain").len, 600);
	assert_memory_equal(sink_bytes(&s, "chain").ptr + 592, "and ends", 8);
	assert_int_equal(sink_bytes(&s, "dir/row").len, 600);
	assert_memory_equal(sink_bytes(&s, "dir/row").ptr + 592, "row ends", 8);
	assert_int_equal(s.notes, 0);
	sink_clear(&s);
	tear(open_exfat, &b, 7);
	/* The folder is the root. */
	patch_le(&b, 6 * SECTOR + 52, 2, 4);
	open_disk(&s, open_exfat, &b);
	assert_int_equal(s.members, 1);
	assert_int_equal(s.notes, 1u << PEEL_DAMAGED);
	sink_clear(&s);
	buf_free(&b);
}

/* ---- VHD ----------------------------------------------------------------------------- */

#define BLOCK 4096u

/* Blocks of a disk stand in reverse order; what is all zero is left out. */
static struct buf
vhd(const struct buf *inner)
{
	size_t blocks = (inner->len + BLOCK - 1) / BLOCK;
	size_t at = 4 * SECTOR + (blocks * 4 / SECTOR + 1) * SECTOR;
	struct buf b = disk(at / SECTOR + blocks * (BLOCK / SECTOR + 1));

	text_at(&b, 0,
	    "conec"
	    "tix");
	patch_be(&b, 16, SECTOR, 8);
	patch_be(&b, 48, inner->len, 8);
	patch_be(&b, 60, 3, 4);
	text_at(&b, SECTOR, "cxsparse");
	patch_be(&b, SECTOR + 16, 4 * SECTOR, 8);
	patch_be(&b, SECTOR + 28, blocks, 4);
	patch_be(&b, SECTOR + 32, BLOCK, 4);
	for (size_t k = blocks; k-- > 0;) {
		size_t n = inner->len - k * BLOCK;
		bool zero = true;

		n = n < BLOCK ? n : BLOCK;
		for (size_t j = 0; j < n; j++)
			zero = zero && inner->ptr[k * BLOCK + j] == 0;
		patch_be(
		    &b, 4 * SECTOR + 4 * k, zero ? 0xffffffff : at / SECTOR, 4);
		if (zero)
			continue;
		write_at(&b, at + SECTOR, inner->ptr + k * BLOCK, n);
		at += SECTOR + BLOCK;
	}
	return b;
}

static void
a_dynamic_image_is_read_through_its_table(void **state)
{
	struct fat_sample f = fat(12);
	struct buf b = vhd(&f.b), m = disk(120), in_mbr;
	struct sink s;

	(void)state;
	assert_int_equal(format_of(buf_view(&b)), FORMAT_VHD);
	open_disk(&s, open_vhd, &b);
	assert_int_equal(s.members, 2);
	assert_text(&s, "a long file'sname.doc", TEXT);
	assert_int_equal(s.notes, 0);
	sink_clear(&s);
	tear(open_vhd, &b, 101);
	/* And a partition of it. */
	put_entry(&m, 0, 0, 0x01, 9, 100);
	write_at(&m, 9 * SECTOR, f.b.ptr, 100 * SECTOR);
	in_mbr = vhd(&m);
	open_disk(&s, open_vhd, &in_mbr);
	assert_int_equal(s.members, 3);
	assert_text(&s, "a long file'sname.doc", TEXT);
	sink_clear(&s);
	buf_free(&in_mbr);
	buf_free(&m);
	buf_free(&b);
	buf_free(&f.b);
}

static void
an_absurd_disk_is_given_up(void **state)
{
	struct buf m = disk(64), b;
	struct sink s;

	(void)state;
	text_at(&m, 20000, "no file system");
	b = vhd(&m);
	open_disk(&s, open_vhd, &b);
	assert_int_equal(sink_bytes(&s, "disk").len, m.len);
	sink_clear(&s);
	patch_be(&b, 48, UINT64_MAX, 8);
	patch_be(&b, SECTOR + 32, 1u << 31, 4);
	open_disk(&s, open_vhd, &b);
	assert_int_equal(s.notes, 1u << PEEL_DAMAGED);
	assert_true(s.bytes < 1u << 21);
	sink_clear(&s);
	buf_free(&b);
	buf_free(&m);
}

/* ---- NTFS ----------------------------------------------------------------------------- */

#define RECORD 1024u
#define TABLE  (4u * SECTOR) /* where the records are */

struct record {
	struct buf *b;
	size_t at, to;
};

/* Each record has fixups of 7 and 9 for what the sectors end in. */
static struct record
begin_record(struct buf *b, unsigned k, unsigned flags)
{
	struct record r = { b, TABLE + k * RECORD, 56 };

	text_at(b, r.at, "FILE");
	patch_le(b, r.at + 4, 48, 2);
	patch_le(b, r.at + 6, 3, 2);
	patch_le(b, r.at + 20, 56, 2);
	patch_le(b, r.at + 22, flags, 2);
	patch_le(b, r.at + 50, 0, 4);
	return r;
}

static void
end_record(struct record *r)
{
	struct buf *b = r->b;

	patch_le(b, r->at + r->to, UINT32_MAX, 4);
	write_at(b, r->at + 50, b->ptr + r->at + 510, 2);
	write_at(b, r->at + 52, b->ptr + r->at + 1022, 2);
	text_at(b, r->at + 510, "xx");
	text_at(b, r->at + 1022, "xx");
}

static void
add_within(struct record *r, unsigned type, const void *bytes, size_t n)
{
	size_t at = r->at + r->to;

	patch_le(r->b, at, type, 4);
	patch_le(r->b, at + 4, (24 + n + 7) / 8 * 8, 4);
	patch_le(r->b, at + 16, n, 4);
	patch_le(r->b, at + 20, 24, 2);
	write_at(r->b, at + 24, bytes, n);
	r->to += (24 + n + 7) / 8 * 8;
}

static void
add_name(struct record *r, unsigned parent, const char *name)
{
	struct buf b = buf_make(1000);

	put_le(&b, parent, 8);
	put_zeros(&b, 56);
	put_le(&b, strlen(name), 1);
	put_le(&b, 1, 1);
	for (size_t k = 0; name[k] != '\0'; k++)
		put_le(&b, (uint8_t)name[k], 2);
	add_within(r, 0x30, b.ptr, b.len);
	buf_free(&b);
}

static void
add_runs(struct record *r, uint64_t size, unsigned flags, const char *runs)
{
	size_t at = r->at + r->to, n = strlen(runs);

	patch_le(r->b, at, 0x80, 4);
	patch_le(r->b, at + 4, 64 + 24, 4);
	r->b->ptr[at + 8] = 1;
	patch_le(r->b, at + 12, flags, 2);
	patch_le(r->b, at + 32, 64, 2);
	patch_le(r->b, at + 48, size, 8);
	write_at(r->b, at + 64, runs, n);
	r->to += 64 + 24;
}

/* A file within its record, one in runs, one with a hole, in a folder. */
static struct buf
ntfs(unsigned flags)
{
	struct buf b = disk(64);
	struct record r;

	text_at(&b, 3, "NTFS    ");
	patch_le(&b, 11, SECTOR, 2);
	b.ptr[13] = 1;
	patch_le(&b, 48, TABLE / SECTOR, 8);
	b.ptr[64] = (char)(256 - 10);
	r = begin_record(&b, 0, 1);
	add_runs(&r, 20ull * RECORD, 0, "\x11\x28\x04");
	end_record(&r);
	r = begin_record(&b, 16, 3);
	add_name(&r, 5, "folder");
	end_record(&r);
	r = begin_record(&b, 17, 1);
	add_name(&r, 16, "small.txt");
	add_within(&r, 0x80, TEXT, strlen(TEXT));
	end_record(&r);
	r = begin_record(&b, 18, 1);
	add_name(&r, 5, "runs.bin");
	add_runs(&r, 1100, flags, "\x11\x01\x38\x01\x01\x11\x01\xfe");
	end_record(&r);
	r = begin_record(&b, 19, 0);
	add_name(&r, 5, "deleted");
	add_within(&r, 0x80, TEXT, strlen(TEXT));
	end_record(&r);
	text_at(&b, 0x38 * SECTOR, "first");
	text_at(&b, 0x36 * SECTOR, "last");
	return b;
}

static void
records_in_use_are_members(void **state)
{
	struct buf b = ntfs(0);
	struct sink s;

	(void)state;
	assert_int_equal(format_of(buf_view(&b)), FORMAT_NTFS);
	open_disk(&s, open_ntfs, &b);
	assert_int_equal(s.members, 2);
	assert_text(&s, "folder/small.txt", TEXT);
	assert_int_equal(sink_bytes(&s, "runs.bin").len, 1100);
	assert_memory_equal(sink_bytes(&s, "runs.bin").ptr, "first", 6);
	assert_memory_equal(
	    sink_bytes(&s, "runs.bin").ptr + 2 * SECTOR, "last", 5);
	assert_int_equal(s.notes, 0);
	sink_clear(&s);
	tear(open_ntfs, &b, 11);
	buf_free(&b);
}

static void
what_ntfs_packs_or_encrypts_is_told(void **state)
{
	static const struct {
		unsigned flags, note;
	} cases[] = { { 1, 1u << PEEL_UNSUPPORTED },
		{ 0x4000, 1u << PEEL_ENCRYPTED }, { 0x8000, 0 } };

	(void)state;
	for (size_t k = 0; k < COUNT(cases); k++) {
		struct buf b = ntfs(cases[k].flags);
		struct sink s;

		open_disk(&s, open_ntfs, &b);
		assert_int_equal(s.members, cases[k].note == 0 ? 2 : 1);
		assert_int_equal(s.notes, cases[k].note);
		sink_clear(&s);
		buf_free(&b);
	}
}

/* ---- UDF ------------------------------------------------------------------------------- */

#define UDF_PART 200u /* where the partition begins */

static void
put_tag(struct buf *b, size_t block, unsigned id)
{
	size_t at = block * SECTOR;
	uint8_t sum = 0;

	patch_le(b, at, id, 2);
	patch_le(b, at + 12, block, 4);
	b->ptr[at + 4] = 0;
	for (unsigned k = 0; k < 16; k++)
		sum = (uint8_t)(sum + (uint8_t)b->ptr[at + k]);
	b->ptr[at + 4] = (char)sum;
}

static void
put_icb(struct buf *b, size_t block, unsigned kind, unsigned data,
    uint64_t size, size_t len)
{
	size_t at = block * SECTOR;

	put_tag(b, block, 261);
	b->ptr[at + 27] = (char)kind;
	patch_le(b, at + 34, data, 2);
	patch_le(b, at + 56, size, 8);
	patch_le(b, at + 172, len, 4);
}

/* An entry of a directory at `at`; returns how long it is. */
static size_t
put_id(struct buf *b, size_t at, unsigned flags, uint32_t icb, const char *name,
    size_t n)
{
	uint8_t sum = 0;

	patch_le(b, at, 257, 2);
	b->ptr[at + 18] = (char)flags;
	b->ptr[at + 19] = (char)n;
	patch_le(b, at + 20, SECTOR, 4);
	patch_le(b, at + 24, icb, 4);
	for (unsigned k = 0; k < 16; k++)
		sum = (uint8_t)(sum + (uint8_t)b->ptr[at + k]);
	b->ptr[at + 4] = (char)sum;
	write_at(b, at + 38, name, n);
	return (38 + n + 3) / 4 * 4;
}

static void
put_volume(struct buf *b, unsigned map)
{
	size_t at;

	text_at(b, 0x8001, "BEA01");
	put_tag(b, 256, 2);
	patch_le(b, 256 * SECTOR + 16, 4 * SECTOR, 4);
	patch_le(b, 256 * SECTOR + 20, 100, 4);
	put_tag(b, 100, 5);
	patch_le(b, 100 * SECTOR + 188, UDF_PART, 4);
	put_tag(b, 101, 6);
	at = 101 * SECTOR;
	patch_le(b, at + 248 + 4, 1, 4);
	patch_le(b, at + 268, 1, 4);
	b->ptr[at + 440] = (char)map;
	b->ptr[at + 441] = (char)(map == 1 ? 6 : 64);
	put_tag(b, 102, 8);
}

/* The set is block 1, the root 2, a file in two pieces 3, one within 4. */
static void
put_files(struct buf *b, size_t from)
{
	size_t root = (from + 2) * SECTOR, n = root + 176;

	put_tag(b, from + 1, 256);
	patch_le(b, (from + 1) * SECTOR + 404, 2, 4);
	n += put_id(b, n, 8 | 2, 2, "", 0);
	n += put_id(b, n, 0, 3, "\x08pieces", 7);
	n += put_id(b, n, 4, 3,
	    "\x08"
	    "gone",
	    5);
	n += put_id(b, n, 0, 4, "\x10\x1e\xa0", 3);
	n -= root + 176;
	put_icb(b, from + 2, 4, 3, n, n);
	put_icb(b, from + 3, 5, 1, 2 * SECTOR + 5, 48);
	for (size_t k = 0; k < 3; k++) {
		size_t at = (from + 3) * SECTOR + 176 + 16 * k;

		patch_le(
		    b, at, (k == 2 ? 5 : SECTOR) | (k == 1 ? 1u << 30 : 0), 4);
		patch_le(b, at + 4, 5 + 2 * k, 4);
	}
	put_icb(b, from + 4, 5, 3, strlen(TEXT), strlen(TEXT));
	text_at(b, (from + 4) * SECTOR + 176, TEXT);
	text_at(b, (from + 5) * SECTOR, "begins");
	text_at(b, (from + 9) * SECTOR, "ended");
}

static void
assert_udf(const struct buf *b)
{
	struct sink s;

	assert_int_equal(format_of(buf_view(b)), FORMAT_UDF);
	open_disk(&s, open_udf, b);
	assert_int_equal(s.members, 2);
	assert_int_equal(sink_bytes(&s, "pieces").len, 2 * SECTOR + 5);
	assert_memory_equal(sink_bytes(&s, "pieces").ptr, "begins", 7);
	assert_memory_equal(
	    sink_bytes(&s, "pieces").ptr + 2 * SECTOR, "ended", 5);
	assert_text(&s, "\xe1\xba\xa0", TEXT);
	assert_int_equal(s.notes, 0);
	sink_clear(&s);
}

static void
files_of_udf_are_members(void **state)
{
	struct buf b = disk(257);

	(void)state;
	put_volume(&b, 1);
	put_files(&b, UDF_PART);
	assert_udf(&b);
	tear(open_udf, &b, 997);
	buf_free(&b);
}

/* Descriptors in a file of their own, as Windows writes them from 2.50 on. */
static void
a_metadata_partition_is_followed(void **state)
{
	struct buf b = disk(257);
	size_t at = 101 * SECTOR + 440;

	(void)state;
	put_volume(&b, 2);
	text_at(&b, at + 5, "*UDF Metadata Partition");
	patch_le(&b, at + 40, 0, 4);
	put_icb(&b, UDF_PART, 250, 0, 20 * SECTOR, 16);
	patch_le(&b, UDF_PART * SECTOR + 176, 3 * SECTOR, 4);
	patch_le(&b, UDF_PART * SECTOR + 180, 30, 4);
	patch_le(&b, UDF_PART * SECTOR + 184, 17 * SECTOR, 4);
	patch_le(&b, UDF_PART * SECTOR + 188, 33, 4);
	put_files(&b, UDF_PART + 30);
	assert_udf(&b);
	buf_free(&b);
}

static void
folders_in_a_circle_are_read_once(void **state)
{
	struct buf b = disk(257);
	struct sink s;
	size_t root = (UDF_PART + 2) * SECTOR, n = root + 176;

	(void)state;
	put_volume(&b, 1);
	put_files(&b, UDF_PART);
	for (int k = 0; k < 5; k++)
		n += put_id(&b, n, 2, 2, "\x08me", 3);
	put_icb(&b, UDF_PART + 2, 4, 3, n - root - 176, n - root - 176);
	open_disk(&s, open_udf, &b);
	assert_int_equal(s.members, 0);
	assert_int_equal(s.notes, 1u << PEEL_DAMAGED);
	sink_clear(&s);
	buf_free(&b);
}

static void
a_partition_of_sessions_is_told(void **state)
{
	struct buf b = disk(257);
	struct sink s;

	(void)state;
	put_volume(&b, 2);
	text_at(&b, 101 * SECTOR + 445, "*UDF Virtual Partition");
	put_files(&b, UDF_PART);
	open_disk(&s, open_udf, &b);
	assert_int_equal(s.members, 0);
	assert_true((s.notes & 1u << PEEL_UNSUPPORTED) != 0);
	sink_clear(&s);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(partitions_and_logical_drives_are_members),
		cmocka_unit_test(a_chain_of_drives_ends),
		cmocka_unit_test(a_boot_sector_without_partitions_is_no_disk),
		cmocka_unit_test(either_table_of_a_gpt_will_do),
		cmocka_unit_test(partitions_of_an_apple_disk_are_members),
		cmocka_unit_test(files_of_each_fat_are_members),
		cmocka_unit_test(a_long_name_of_another_entry_is_not_taken),
		cmocka_unit_test(circles_of_clusters_end),
		cmocka_unit_test(files_of_exfat_are_members),
		cmocka_unit_test(a_dynamic_image_is_read_through_its_table),
		cmocka_unit_test(an_absurd_disk_is_given_up),
		cmocka_unit_test(records_in_use_are_members),
		cmocka_unit_test(what_ntfs_packs_or_encrypts_is_told),
		cmocka_unit_test(files_of_udf_are_members),
		cmocka_unit_test(a_metadata_partition_is_followed),
		cmocka_unit_test(folders_in_a_circle_are_read_once),
		cmocka_unit_test(a_partition_of_sessions_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
