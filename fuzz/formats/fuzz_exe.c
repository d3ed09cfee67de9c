#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "formats/bytes.h"
#include "formats/exe/exe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A sink that looks at what it is given and has soon enough of it. */
struct sink {
	struct peel peel;
	struct span object;
	uint64_t bytes, members, ticks, sum;
	uint64_t size; /* of the member, as it was announced */
	bool within, stopped;
};

#define SINK_MAX (2u << 20)

static bool
on_begin(struct peel *p, const struct peel_member *m)
{
	struct sink *s = (struct sink *)(void *)p;

	assert(!s->within && !s->stopped);
	assert((unsigned)m->format < FORMATS);
	s->within = true;
	s->members++;
	s->size = m->size;
	return true;
}

static bool
on_add(struct peel *p, struct span bytes)
{
	struct sink *s = (struct sink *)(void *)p;

	assert(s->within && !s->stopped);
	for (size_t i = 0; i < bytes.len; i++)
		s->sum = s->sum * 31 + (unsigned char)bytes.ptr[i];
	s->bytes += bytes.len;
	s->size -= bytes.len;
	s->stopped = s->bytes > SINK_MAX;
	return !s->stopped;
}

static bool
on_end(struct peel *p)
{
	struct sink *s = (struct sink *)(void *)p;

	assert(s->within && s->size == 0);
	s->within = false;
	return true;
}

static bool
on_slice(struct peel *p, const struct peel_member *m, struct span bytes)
{
	struct sink *s = (struct sink *)(void *)p;

	assert(m->size == bytes.len && bytes.ptr >= s->object.ptr &&
	    bytes.ptr + bytes.len <= s->object.ptr + s->object.len);
	return on_begin(p, m) && on_add(p, bytes) && on_end(p);
}

static void
on_note(struct peel *p, enum peel_problem why)
{
	(void)p;
	assert(why < PEEL_PROBLEMS);
}

static void
on_suspect(struct peel *p, const char *heuristic)
{
	(void)p;
	assert(heuristic[0] != '\0');
}

static bool
on_tick(struct peel *p)
{
	struct sink *s = (struct sink *)(void *)p;

	return s->ticks++ < 10000;
}

static struct sink
run(opener_fn *open, struct span object)
{
	static const struct peel_ops ops = { on_begin, on_add, on_end, on_slice,
		on_note, on_suspect, on_tick };
	struct sink s = { .peel = { &ops }, .object = object };

	open(object, &s.peel);
	return s;
}

static void
check_open(opener_fn *open, struct span object)
{
	struct sink a = run(open, object), b = run(open, object);

	assert(a.sum == b.sum && a.bytes == b.bytes && a.members == b.members);
}

static void
check_facts(struct span object, const struct exe *x)
{
	static uint64_t offsets[PE_VERSION_MAX];
	struct pe_certificates c;
	struct buf imports = buf_make(PE_IMPORTS_MAX);
	size_t n = pe_version_info(object, x, offsets, PE_VERSION_MAX);

	assert(n <= PE_VERSION_MAX);
	for (size_t i = 0; i < n; i++) {
		assert(offsets[i] < object.len);
		assert(i == 0 || offsets[i] > offsets[i - 1]);
	}
	pe_imports(object, x, &imports);
	assert(!imports.full);
	for (size_t i = 0; i < imports.len; i++)
		assert(imports.ptr[i] < 'A' || imports.ptr[i] > 'Z');
	buf_free(&imports);
	pe_certificates(object, x, &c);
	for (size_t i = 0; i < c.ranges; i++)
		assert(c.range[i].ptr >= object.ptr &&
		    c.range[i].ptr + c.range[i].len <= object.ptr + object.len);
}

/* Whatever the bytes: what is said of them lies within them, and is said
 * again the second time. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span object = { (const char *)data, size };
	static struct exe x, again;
	struct exe_section s;
	bool good = exe_parse(object, &x);

	assert(exe_parse(object, &again) == good);
	assert(x.entry == again.entry && x.overlay == again.overlay &&
	    x.sections == again.sections &&
	    x.has_sections == again.has_sections);
	assert(x.overlay <= size);
	if (good && x.format == FORMAT_MSEXE)
		assert(x.entry < size && x.has_entry);
	for (uint32_t i = 0; good && i < x.sections && i < 300; i++) {
		assert(exe_section_find(object, &x, i, &s));
		if (x.format == FORMAT_MSEXE)
			assert(s.raw_size == 0 ||
			    bytes_have(object, s.raw, s.raw_size));
	}
	check_facts(object, &x);
	check_open(open_pe, object);
	check_open(open_embedded_pe, object);
	check_open(open_macho_fat, object);
	return 0;
}
