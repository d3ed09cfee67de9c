#include "sink.h"

#include <zlib.h>

#include "formats/pack/pack.h"
#include "formats/writing.h"

#define DIRECTORY 0x200u
#define NAMES     0x400u
#define ENTRY     0x57u

static struct sink s;

/* Bare deflated chunks, each behind its length. */
static void
put_chunk(struct buf *b, struct span text)
{
	unsigned char out[4096];
	z_stream z = { .next_in = (Bytef *)(uintptr_t)text.ptr,
		.avail_in = (uInt)text.len,
		.next_out = out,
		.avail_out = sizeof(out) };

	assert_int_equal(
	    deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	put_le(b, z.total_out, 2);
	buf_add(b, out, z.total_out);
	(void)deflateEnd(&z);
}

static void
put_head(struct buf *b, uint32_t size)
{
	buf_text(b, "ISc(");
	put_le(b, 0x10095, 4);
	put_le(b, 0, 4);
	put_le(b, DIRECTORY, 4);
	put_le(b, size, 4);
	put_until(b, DIRECTORY);
}

static void
put_entry(struct buf *b, size_t i, unsigned flags, uint32_t size,
    uint32_t packed, uint32_t at, uint32_t name, unsigned volume)
{
	put_until(b, DIRECTORY + NAMES + i * ENTRY);
	put_le(b, flags, 2);
	put_le(b, size, 8);
	put_le(b, packed, 8);
	put_le(b, at, 8);
	put_zeros(b, 32);
	put_le(b, name, 4);
	put_until(b, DIRECTORY + NAMES + (i + 1) * ENTRY - 2);
	put_le(b, volume, 2);
}

/* The volume: "hello " and "again", deflated, and a file as it is. */
static struct buf
make_volume(uint32_t *packed)
{
	struct buf b = buf_make(4096);

	put_head(&b, 0);
	put_chunk(&b, SPAN("hello "));
	put_chunk(&b, SPAN("again"));
	*packed = (uint32_t)b.len - DIRECTORY;
	buf_text(&b, "plain");
	return b;
}

static struct buf
make_directory(uint32_t packed)
{
	struct buf b = buf_make(8192);

	put_head(&b, 0x1000);
	put_until(&b, DIRECTORY + 0x0c);
	put_le(&b, NAMES, 4);
	put_until(&b, DIRECTORY + 0x28);
	put_le(&b, 4, 4);
	put_le(&b, 0, 4);
	put_entry(&b, 0, 4, 11, packed, DIRECTORY, 0x200, 2);
	put_entry(&b, 1, 0, 5, 5, DIRECTORY + packed, 0x206, 2);
	put_entry(&b, 2, 8, 5, 5, 1, 0x206, 2); /* nothing */
	put_entry(&b, 3, 0, 5, 5, 0, 0x206, 2); /* carried beside it */
	put_until(&b, DIRECTORY + NAMES + 0x200);
	buf_add(&b, "a.exe\0b.txt", 12);
	return b;
}

static void
put_carried(struct buf *b, const char *name, struct span bytes)
{
	buf_add(b, name, strlen(name) + 1);
	buf_fmt(b, "Disk1\\%s", name);
	buf_add(b, "\0001.0.0.0", 9);
	buf_fmt(b, "%zu", bytes.len);
	buf_char(b, '\0');
	buf_span(b, bytes);
}

static void
assert_files(void)
{
	assert_true(span_is(sink_bytes(&s, "a.exe"), "hello again"));
	assert_true(span_is(sink_bytes(&s, "b.txt"), "plain"));
}

static void
files_of_a_cabinet_come_out(void **state)
{
	uint32_t packed;
	struct buf volume = make_volume(&packed);
	struct buf directory = make_directory(packed);
	struct buf b = buf_make(65536);

	(void)state;
	buf_text(&b, "a program");
	buf_char(&b, '\0');
	put_carried(&b, "data2.cab", buf_view(&volume));
	put_carried(&b, "data1.hdr", buf_view(&directory));
	put_carried(&b, "setup.exe", SPAN("beside"));
	sink_init(&s);
	open_ishield(buf_view(&b), &s.peel);
	assert_int_equal(s.members, 3);
	assert_files();
	assert_true(span_is(sink_bytes(&s, "setup.exe"), "beside"));
	assert_int_equal(s.notes, 0);
	sink_clear(&s);
	for (size_t n = 0; n < b.len; n += 7) {
		sink_init(&s);
		open_ishield((struct span){ b.ptr, n }, &s.peel);
		sink_clear(&s);
	}
	buf_free(&volume);
	buf_free(&directory);
	buf_free(&b);
}

static void
absurd_numbers_end(void **state)
{
	uint32_t packed;
	struct buf volume = make_volume(&packed);
	struct buf b = make_directory(packed);

	(void)state;
	for (size_t at = 4; at + 4 <= b.len; at += 4) {
		uint32_t old;

		memcpy(&old, b.ptr + at, 4);
		patch_le(&b, at, 0xffffff00, 4);
		sink_init(&s);
		open_ishield(buf_view(&b), &s.peel);
		sink_clear(&s);
		memcpy(b.ptr + at, &old, 4);
	}
	buf_free(&volume);
	buf_free(&b);
}

/* ---- MSI ---------------------------------------------------------------------------------- */

static void
put_hidden(struct buf *b, const char *name, struct span text)
{
	static const unsigned char key[] = { 0x13, 0x35, 0x86, 0x07 };
	unsigned char out[4096];
	uLongf n = sizeof(out);
	size_t from = b->len, len = strlen(name);

	assert_int_equal(
	    compress(out, &n, (const Bytef *)text.ptr, text.len), Z_OK);
	buf_text(b, name);
	put_until(b, from + 0x104);
	put_le(b, 6, 4);
	put_until(b, from + 0x10c);
	put_le(b, n, 4);
	put_until(b, from + 312);
	for (size_t i = 0; i < n; i++) {
		size_t k = i % 1024 % len;
		unsigned v = ~(unsigned)out[i] & 0xff;

		v ^= (unsigned char)name[k] ^ key[k % 4];
		buf_char(b, (char)(v << 4 | v >> 4));
	}
}

static void
hidden_files_come_out(void **state)
{
	static char big[3000];
	struct buf b = buf_make(65536);
	size_t from;

	(void)state;
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * i * 7 >> 3);
	buf_text(&b, "InstallShield is not it");
	from = b.len;
	buf_add(&b, "InstallShield", 14);
	put_le(&b, 2, 2);
	put_until(&b, from + 46);
	put_hidden(&b, "a.msi", SPAN("hello"));
	put_hidden(&b, "Setup.ini", (struct span){ big, sizeof(big) });
	sink_init(&s);
	open_ishield_msi(buf_view(&b), &s.peel);
	assert_int_equal(s.members, 2);
	assert_true(span_is(sink_bytes(&s, "a.msi"), "hello"));
	assert_memory_equal(sink_bytes(&s, "Setup.ini").ptr, big, sizeof(big));
	sink_clear(&s);
	for (size_t n = 0; n < b.len; n += 5) {
		sink_init(&s);
		open_ishield_msi((struct span){ b.ptr, n }, &s.peel);
		sink_clear(&s);
	}
	buf_free(&b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_of_a_cabinet_come_out),
		cmocka_unit_test(absurd_numbers_end),
		cmocka_unit_test(hidden_files_come_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
