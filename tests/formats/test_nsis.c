#include "packers.h"
#include "sink.h"
#include "writing.h"

#include "formats/pack/pack.h"

static void
pack_lzma_filtered(struct buf *b, struct span s)
{
	buf_char(b, 0); /* no calls were made absolute */
	pack_lzma(b, s);
}

static const struct {
	const char *name;
	pack_fn *pack;
} methods[] = {
	{ "deflate", pack_deflate },
	{ "bzip2", pack_bzip2_nsis },
	{ "LZMA", pack_lzma },
	{ "LZMA with a filter", pack_lzma_filtered },
};

struct sample {
	char script[3000], file[20000];
	struct buf b;
};

static void
put_head(struct buf *b, uint32_t script)
{
	put_until(b, 512);
	put_le(b, 0, 4);
	put_le(b, 0xdeadbeef, 4);
	buf_text(b, "NullsoftInst");
	put_le(b, script, 4);
	put_le(b, 0, 4); /* see put_end() */
}

static void
put_end(struct buf *b)
{
	put_le(b, 0xffffffff, 4); /* a checksum */
	patch_le(b, 512 + 24, b->len - 512, 4);
	buf_text(b, "a signature, perhaps");
}

/* Text, and a file in which bzip2 finds runs. */
static void
make_sample(struct sample *s)
{
	s->b = buf_make(1u << 20);
	/* The program, which has the mark within. */
	buf_add(&s->b, "MZ......\xef\xbe\xad\xdeNullsoftInst", 24);
	for (size_t i = 0; i < sizeof(s->script); i++)
		s->script[i] = (char)('a' + i * i % 25);
	for (size_t i = 0; i < sizeof(s->file); i++)
		s->file[i] = (char)(i < 9000 ? i >> 7 : i * (i >> 8));
	put_head(&s->b, sizeof(s->script));
}

static void
put_packed(struct buf *b, pack_fn *pack, struct span s)
{
	struct buf packed = buf_make(1u << 20);

	pack(&packed, s);
	put_le(b, 0x80000000u | packed.len, 4);
	buf_span(b, buf_view(&packed));
	buf_free(&packed);
}

static void
make_single(struct sample *s, pack_fn *pack)
{
	make_sample(s);
	put_packed(&s->b, pack, (struct span){ s->script, 3000 });
	put_packed(&s->b, pack, (struct span){ s->file, 20000 });
	put_le(&s->b, 0, 4); /* an empty one */
	put_le(&s->b, 6, 4); /* and one that is stored */
	buf_text(&s->b, "stored");
	put_end(&s->b);
}

static void
make_solid(struct sample *s, pack_fn *pack)
{
	struct buf all = buf_make(1u << 20);

	make_sample(s);
	put_le(&all, sizeof(s->script), 4);
	buf_add(&all, s->script, sizeof(s->script));
	put_le(&all, sizeof(s->file), 4);
	buf_add(&all, s->file, sizeof(s->file));
	put_le(&all, 0, 4);
	put_le(&all, 6, 4);
	buf_text(&all, "stored");
	pack(&s->b, buf_view(&all));
	put_end(&s->b);
	buf_free(&all);
}

static void
check(const struct sample *c, bool with_empty)
{
	struct sink s;

	sink_init(&s);
	open_nsis(buf_view(&c->b), &s.peel);
	assert_int_equal(s.notes, 0);
	assert_int_equal(s.members, with_empty ? 4 : 3);
	assert_int_equal(sink_bytes(&s, "script").len, sizeof(c->script));
	assert_int_equal(sink_bytes(&s, "data.0").len, sizeof(c->file));
	assert_memory_equal(
	    sink_bytes(&s, "script").ptr, c->script, sizeof(c->script));
	assert_memory_equal(
	    sink_bytes(&s, "data.0").ptr, c->file, sizeof(c->file));
	assert_true(span_is(sink_bytes(&s, "data.2"), "stored"));
	sink_clear(&s);
}

static void
each_method_is_found_out(void **state)
{
	struct sample c;

	(void)state;
	for (size_t i = 0; i < COUNT(methods); i++) {
		TEST_CASE(methods[i].name);
		make_single(&c, methods[i].pack);
		check(&c, false);
		buf_free(&c.b);
		make_solid(&c, methods[i].pack);
		check(&c, true);
		buf_free(&c.b);
	}
}

static void
a_script_that_is_not_packed_is_found_as_well(void **state)
{
	struct sample c;

	(void)state;
	make_sample(&c);
	put_le(&c.b, sizeof(c.script), 4);
	buf_add(&c.b, c.script, sizeof(c.script));
	put_packed(&c.b, pack_lzma, (struct span){ c.file, 20000 });
	put_le(&c.b, 0, 4);
	put_le(&c.b, 6, 4);
	buf_text(&c.b, "stored");
	put_end(&c.b);
	check(&c, false);
	buf_free(&c.b);
}

static void
what_breaks_off_is_told(void **state)
{
	struct sample c;

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(methods); i++) {
		pack_fn *pack = methods[i / 2].pack;
		size_t end;

		if (i % 2 == 0)
			make_single(&c, pack);
		else
			make_solid(&c, pack);
		end = c.b.len - 28 - 20 - 4;
		for (size_t n = 512; n < end; n += n < 560 ? 1 : 101) {
			struct sink s;

			sink_init(&s);
			open_nsis((struct span){ c.b.ptr, n }, &s.peel);
			assert_int_equal(s.notes != 0, n >= 532);
			assert_true(s.members <= 4);
			sink_clear(&s);
		}
		buf_free(&c.b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_method_is_found_out),
		cmocka_unit_test(a_script_that_is_not_packed_is_found_as_well),
		cmocka_unit_test(what_breaks_off_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
