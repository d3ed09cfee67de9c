#include "packers.h"
#include "sink.h"
#include "writing.h"

#include <zlib.h>

#include "formats/pack/pack.h"

#define CODE_SIZE 70000u

static const char text[] = "a file that is nothing but text, a text file";

/* A program with a call back and a call forward in its second block. */
static void
make_code(char *code)
{
	for (size_t i = 0; i < CODE_SIZE; i++)
		code[i] = (char)(i % 100);
	memcpy(code + 66000, "\xe8\xf0\xff\xff\xff", 5);
	memcpy(code + 66010, "\xe9\x30\0\0\0", 5);
	memcpy(code + 66020, "\xe8\1\2\3\4", 5); /* no call: far too far */
	/* One that begins in a block and ends in the next stays. */
	memcpy(code + 65534, "\xe8\x30\0\0\0", 5);
}

/* What the compiler does with calls before packing, from 5.3.9 on. */
static void
make_absolute(char *code)
{
	static const size_t at[] = { 66000, 66010 };

	for (size_t i = 0; i < COUNT(at); i++) {
		uint8_t *p = (uint8_t *)code + at[i];
		uint32_t to = p[1] | (uint32_t)p[2] << 8 | (uint32_t)p[3] << 16;

		if ((to & 0x800000) != 0)
			p[4] = (uint8_t)~p[4];
		to += (uint32_t)at[i] + 5;
		p[1] = (uint8_t)to;
		p[2] = (uint8_t)(to >> 8);
		p[3] = (uint8_t)(to >> 16);
	}
}

struct version {
	const char *name;
	unsigned stride, wide, size_bytes, table;
	pack_fn *pack;
	bool list_is_of_no_kind;
};

static const struct version versions[] = {
	{ "5.3.9 to 6.3, LZMA2", 74, 4, 4, 1, pack_lzma2, false },
	{ "LZMA", 74, 4, 4, 1, pack_lzma, false },
	{ "zlib", 74, 4, 4, 1, pack_zlib, false },
	{ "bzip2", 74, 4, 4, 1, pack_bzip2, false },
	{ "stored", 74, 4, 4, 1, pack_stored, false },
	{ "6.5", 91, 8, 8, 2, pack_lzma2, false },
	{ "a list of no kind", 74, 4, 4, 1, pack_lzma2, true },
};

static void
put_block(struct buf *b, const struct version *v, struct span plain)
{
	struct buf packed = buf_make(1u << 20);
	size_t at = b->len, n;

	pack_lzma(&packed, plain);
	n = packed.len + (packed.len + 4095) / 4096 * 4;
	put_le(b, 0, 4);
	put_le(b, n, v->size_bytes);
	put_le(b, 1, 1);
	patch_le(b, at,
	    crc32(0, (const Bytef *)b->ptr + at + 4, v->size_bytes + 1), 4);
	for (size_t i = 0; i < packed.len; i += 4096) {
		size_t left = packed.len - i;

		put_le(b, 0xdddddddd, 4); /* a checksum, not compared */
		buf_add(b, packed.ptr + i, left < 4096 ? left : 4096);
	}
	buf_free(&packed);
}

static void
put_place(struct buf *b, const struct version *v, uint64_t chunk, uint64_t at,
    uint64_t size, uint64_t packed, unsigned flags)
{
	size_t end = b->len + v->stride;

	put_le(b, 0, 8);
	put_le(b, chunk + (v->list_is_of_no_kind ? 1 : 0), v->wide);
	put_le(b, at, 8);
	put_le(b, size, 8);
	put_le(b, packed, 8);
	put_until(b, end - 2);
	put_le(b, flags, 2);
}

static void
put_table(struct buf *b, unsigned revision, size_t data)
{
	buf_add(b, "rDlPtS\xcd\xe6\xd7\x7b\x0b\x2a", 12);
	put_le(b, revision, 4);
	put_zeros(b, revision == 2 ? 32 : 20);
	put_le(b, data, revision == 2 ? 8 : 4);
	put_zeros(b, 8);
}

/* Two chunks: a text and the program together, then the text alone. */
static void
make_setup(struct buf *b, const struct version *v)
{
	struct buf data = buf_make(1u << 20), chunk = buf_make(1u << 20);
	struct buf plain = buf_make(1u << 20), list = buf_make(1u << 16);
	struct buf other = buf_make(1u << 16);
	char *code = malloc(CODE_SIZE);

	make_code(code);
	if (v->stride == 74 && !v->list_is_of_no_kind)
		make_absolute(code);
	buf_text(&plain, text);
	buf_add(&plain, code, CODE_SIZE);
	v->pack(&chunk, buf_view(&plain));
	v->pack(&other, SPAN(text));
	buf_text(&data, "zlb\x1a");
	buf_span(&data, buf_view(&chunk));
	put_place(&list, v, data.len, 0, strlen(text), other.len, 0x80);
	put_place(&list, v, 0, strlen(text), CODE_SIZE, chunk.len, 0x90);
	put_place(&list, v, 0, 0, strlen(text), chunk.len, 0x80);
	buf_text(&data, "zlb\x1a");
	buf_span(&data, buf_view(&other));

	buf_text(b, "MZ");
	put_table(b, v->table, 200);
	put_until(b, 200);
	buf_span(b, buf_view(&data));
	buf_text(b, "Inno Setup Setup Data (6.0.0) (u)");
	put_zeros(b, 64 - 33);
	put_zeros(b, v->table == 2 ? 49 : 0); /* about encryption */
	put_block(b, v, SPAN("the script itself"));
	put_block(b, v, buf_view(&list));
	free(code);
	buf_free(&data);
	buf_free(&chunk);
	buf_free(&other);
	buf_free(&plain);
	buf_free(&list);
}

static void
each_version_gives_its_files(void **state)
{
	char *code = malloc(CODE_SIZE);

	(void)state;
	make_code(code);
	for (size_t i = 0; i + 1 < COUNT(versions); i++) {
		struct buf b = buf_make(1u << 20);
		struct sink s;
		struct span got;

		TEST_CASE(versions[i].name);
		make_setup(&b, &versions[i]);
		sink_init(&s);
		open_inno(buf_view(&b), &s.peel);
		assert_int_equal(s.notes, 0);
		assert_int_equal(s.members, 5);
		assert_true(
		    span_is(sink_bytes(&s, "setup-0"), "the script itself"));
		assert_true(span_is(sink_bytes(&s, "file.0"), text));
		assert_true(span_is(sink_bytes(&s, "file.2"), text));
		got = sink_bytes(&s, "file.1");
		assert_int_equal(got.len, CODE_SIZE);
		assert_memory_equal(got.ptr, code, CODE_SIZE);
		sink_clear(&s);
		buf_free(&b);
	}
	free(code);
}

static void
check_chunks(struct span object, unsigned before)
{
	struct sink s;

	sink_init(&s);
	open_inno(object, &s.peel);
	assert_int_equal(s.members, before + 2);
	assert_int_equal(
	    sink_bytes(&s, "chunk.0").len, CODE_SIZE + strlen(text));
	assert_true(span_starts(sink_bytes(&s, "chunk.1"), text));
	sink_clear(&s);
}

static void
without_a_list_whole_chunks_come_out(void **state)
{
	const struct version *v = &versions[COUNT(versions) - 1];
	struct buf b = buf_make(1u << 20), slice = buf_make(1u << 20);
	const char *script;

	(void)state;
	make_setup(&b, v);
	check_chunks(buf_view(&b), 2);
	script = memmem(b.ptr, b.len, "Inno Setup", 10);
	buf_text(&slice, "idska32\x1a");
	put_le(&slice, 0, 4);
	buf_add(&slice, b.ptr + 200, (size_t)(script - b.ptr) - 200);
	check_chunks(buf_view(&slice), 0);
	buf_free(&b);
	buf_free(&slice);
}

static void
encrypted_files_are_told(void **state)
{
	struct version v = versions[4];
	struct buf b = buf_make(1u << 20), list = buf_make(1u << 16);
	struct sink s;

	(void)state;
	buf_text(&b, "MZ");
	put_table(&b, 1, 200);
	put_until(&b, 200);
	buf_text(&b, "zlb\x1a????????????");
	buf_text(&b, "Inno Setup Setup Data (5.5.7) (u)");
	put_zeros(&b, 64 - 33);
	put_block(&b, &v, SPAN("the script itself"));
	put_place(&list, &v, 0, 0, 40, 12, 0xc0);
	put_block(&b, &v, buf_view(&list));
	sink_init(&s);
	open_inno(buf_view(&b), &s.peel);
	assert_int_equal(s.notes, 1u << PEEL_ENCRYPTED);
	assert_int_equal(s.members, 3);
	assert_true(s.member[2].encrypted);
	sink_clear(&s);
	buf_free(&b);
	buf_free(&list);
}

static void
what_breaks_off_is_told(void **state)
{
	struct buf b = buf_make(1u << 20);
	size_t script;

	(void)state;
	make_setup(&b, &versions[0]);
	script =
	    (size_t)((char *)memmem(b.ptr, b.len, "Inno Setup", 10) - b.ptr);
	for (size_t n = 0; n < b.len; n += n < script ? 97 : 1) {
		struct sink s;

		sink_init(&s);
		open_inno((struct span){ b.ptr, n }, &s.peel);
		assert_int_equal(s.members > 0, n >= script + 64 + 9);
		sink_clear(&s);
	}
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_version_gives_its_files),
		cmocka_unit_test(without_a_list_whole_chunks_come_out),
		cmocka_unit_test(encrypted_files_are_told),
		cmocka_unit_test(what_breaks_off_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
