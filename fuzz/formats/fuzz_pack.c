#include <assert.h>

#include "formats/disk/disk.h"
#include "formats/pack/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte picks the opener. */
static opener_fn *const openers[] = {
	open_szdd,
	open_arj,
	open_chm,
	open_nsis,
	open_embedded,
	open_inno,
	open_autoit,
	open_ishield,
	open_ishield_msi,
	open_zip_old,
	open_mbr,
	open_gpt,
	open_apm,
	open_vhd,
	open_fat,
	open_udf,
	open_ntfs,
	open_exfat,
	open_sis,
};

#define BYTES_MAX   (4u << 20)
#define MEMBERS_MAX 1000u
#define SLICES_MAX  (1u << 22) /* pieces: what a file of 1 MB may come in */

/* What was given out, as one number; and how far a member has come. */
struct tally {
	struct peel peel;
	struct span object;
	uint64_t bytes, members, calls, sum;
	unsigned notes;
	bool within, encrypted, stopped;
};

static struct tally *
tally_of(struct peel *p)
{
	return (struct tally *)(void *)p;
}

static void
digest(struct tally *t, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		t->sum = (t->sum ^ (uint8_t)s.ptr[i]) * 0x100000001b3u;
}

static bool
on_begin(struct peel *p, const struct peel_member *m)
{
	struct tally *t = tally_of(p);

	assert(!t->stopped && !t->within);
	assert((unsigned)m->format < FORMATS);
	assert(m->name.len <= (1u << 20));
	digest(t, m->name);
	t->within = true;
	t->encrypted = m->encrypted;
	t->stopped = ++t->members > MEMBERS_MAX;
	return !t->stopped;
}

static bool
on_add(struct peel *p, struct span bytes)
{
	struct tally *t = tally_of(p);

	assert(!t->stopped && t->within && !t->encrypted);
	digest(t, bytes);
	t->bytes += bytes.len;
	t->stopped = t->bytes > BYTES_MAX;
	return !t->stopped;
}

static bool
on_end(struct peel *p)
{
	struct tally *t = tally_of(p);

	assert(!t->stopped && t->within);
	t->within = false;
	return true;
}

/* In the object; its bytes are not scanned here, there may be many. */
static bool
on_slice(struct peel *p, const struct peel_member *m, struct span bytes)
{
	struct tally *t = tally_of(p);

	assert(bytes.ptr >= t->object.ptr);
	assert(bytes.len <= t->object.len);
	assert(
	    (size_t)(bytes.ptr - t->object.ptr) <= t->object.len - bytes.len);
	t->sum += (uint64_t)(bytes.ptr - t->object.ptr) * 31 + bytes.len;
	return on_begin(p, m) && on_end(p);
}

static void
on_note(struct peel *p, enum peel_problem why)
{
	assert(why < PEEL_PROBLEMS);
	tally_of(p)->notes |= 1u << why;
}

static void
on_suspect(struct peel *p, const char *heuristic)
{
	assert(heuristic != NULL);
	digest(tally_of(p), span_of(heuristic));
}

/* A clock that is the same each time. */
static bool
on_tick(struct peel *p)
{
	struct tally *t = tally_of(p);

	assert(!t->stopped);
	t->stopped = ++t->calls > SLICES_MAX;
	return !t->stopped;
}

static struct tally
open_once(opener_fn *opener, struct span object)
{
	static const struct peel_ops ops = { on_begin, on_add, on_end, on_slice,
		on_note, on_suspect, on_tick };
	struct tally t = { .peel = { &ops }, .object = object };

	opener(object, &t.peel);
	assert(t.stopped || !t.within);
	return t;
}

/* Members begin and end by turns, slices lie in the object, nothing comes
 * after the sink said stop, and twice the same is the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span object = { (const char *)data + 1, size - 1 };
	struct tally a, b;
	opener_fn *opener;

	if (size == 0)
		return 0;
	opener = openers[data[0] % (sizeof(openers) / sizeof(openers[0]))];
	a = open_once(opener, object);
	b = open_once(opener, object);
	assert(a.sum == b.sum && a.members == b.members);
	assert(a.bytes == b.bytes && a.notes == b.notes);
	return 0;
}
