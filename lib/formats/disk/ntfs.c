/* NTFS: every record of the master file table that is in use, its unnamed
 * and its named streams.  Read: data within the record and runs of clusters,
 * sparse ones too.  Compressed and encrypted streams are told but not read,
 * and so are those that go on in another record.  Directories are not walked:
 * a file is named by its own record, with the folders that its parents name.
 */

#include "formats/bytes.h"
#include "formats/disk/image.h"
#include "formats/office/utf16.h"

#define RECORD_MAX 4096u
#define STRIDE     512u /* a fixup stands at the end of each */
#define RUNS_MAX   256u /* of the table itself */
#define OWN_FILES  16u  /* records of the file system itself */
#define PARENTS    32u

enum { ATTR_LIST = 0x20, ATTR_NAME = 0x30, ATTR_DATA = 0x80 };
enum { RECORD_USED = 1, RECORD_DIR = 2 };
enum { DATA_COMPRESSED = 0x00ff, DATA_ENCRYPTED = 0x4000 };

struct run {
	uint64_t cluster, count;
	bool hole;
};

struct ntfs {
	struct image *image;
	struct peel *out;
	uint32_t cluster, record; /* bytes */
	struct run table[RUNS_MAX];
	uint32_t runs;
	uint64_t records;
	bool told;
	struct buf path;
};

/* One of a record. */
struct attr {
	uint32_t type, len;
	uint8_t away; /* its bytes are in runs */
	uint16_t flags;
	struct span name;  /* UTF-16 */
	struct span value; /* or the runs */
	uint64_t first, size;
};

static void
tell(struct ntfs *n, enum peel_problem why)
{
	if (!n->told)
		peel_note(n->out, why);
	n->told = true;
}

/* ---- runs --------------------------------------------------------------------------- */

/* A number of `n` bytes, signed. */
static uint64_t
run_number(struct span s, unsigned n)
{
	uint64_t v = 0;

	for (unsigned k = 0; k < n; k++)
		v |= (uint64_t)(uint8_t)s.ptr[k] << (8 * k);
	if (n > 0 && n < 8 && ((uint8_t)s.ptr[n - 1] & 0x80) != 0)
		v |= ~UINT64_C(0) << (8 * n);
	return v;
}

/* Lengths, and places counted from the run before. */
static bool
next_run(struct span *s, struct run *r)
{
	unsigned head, len, place;

	if (s->len == 0 || s->ptr[0] == 0)
		return false;
	head = (uint8_t)s->ptr[0];
	len = head & 15;
	place = head >> 4;
	if (len == 0 || len > 8 || place > 8 || s->len < 1u + len + place)
		return false;
	r->count = run_number(span_from(*s, 1), len);
	r->hole = place == 0;
	if (!r->hole)
		r->cluster += run_number(span_from(*s, 1 + len), place);
	*s = span_from(*s, 1 + len + place);
	return r->count > 0 && r->count < UINT64_C(1) << 32;
}

static bool
run_is_within(const struct ntfs *n, const struct run *r)
{
	return r->cluster <= n->image->len / n->cluster;
}

/* ---- records ------------------------------------------------------------------------- */

/* Where record `k` is; UINT64_MAX when nowhere. */
static uint64_t
record_at(const struct ntfs *n, uint64_t k)
{
	uint64_t at = k * n->record;

	for (uint32_t r = 0; r < n->runs; r++) {
		uint64_t len = n->table[r].count * n->cluster;

		if (at < len)
			return n->table[r].cluster * n->cluster + at;
		at -= len;
	}
	return UINT64_MAX;
}

/* The last two bytes of each stride are kept in the head. */
static bool
load_record(const struct ntfs *n, uint64_t at, char raw[RECORD_MAX])
{
	struct span s = { raw, n->record };
	uint16_t fixups, count;

	if (at == UINT64_MAX || !image_load(n->image, at, raw, n->record) ||
	    !bytes_are(s, 0, SPAN("FILE")))
		return false;
	(void)bytes_le16(s, 4, &fixups);
	(void)bytes_le16(s, 6, &count);
	for (uint32_t k = 1; k < count && k * STRIDE <= n->record; k++)
		if (!bytes_load(s, fixups + 2ull * k, raw + k * STRIDE - 2, 2))
			return false;
	return true;
}

static bool
next_attr(struct span s, uint64_t *at, struct attr *a)
{
	uint8_t name_len;
	uint16_t name_at, value_at;
	uint32_t value_len;
	struct span t;

	*a = (struct attr){ 0 };
	if (!bytes_le32(s, *at, &a->type) || a->type == UINT32_MAX ||
	    !bytes_le32(s, *at + 4, &a->len) || a->len < 24 ||
	    !bytes_have(s, *at, a->len))
		return false;
	t = bytes_sub(s, *at, a->len);
	*at += a->len;
	(void)bytes_u8(t, 8, &a->away);
	(void)bytes_u8(t, 9, &name_len);
	(void)bytes_le16(t, 10, &name_at);
	(void)bytes_le16(t, 12, &a->flags);
	a->name = bytes_sub(t, name_at, 2u * name_len);
	if (a->away == 0) {
		(void)bytes_le32(t, 16, &value_len);
		(void)bytes_le16(t, 20, &value_at);
		a->value = bytes_sub(t, value_at, value_len);
		a->size = value_len;
		return true;
	}
	(void)bytes_le64(t, 16, &a->first);
	(void)bytes_le16(t, 32, &value_at);
	(void)bytes_le64(t, 48, &a->size);
	a->value = span_from(t, value_at);
	return true;
}

static uint64_t
first_attr(struct span s)
{
	uint16_t at;

	(void)bytes_le16(s, 20, &at);
	return at;
}

/* ---- names ---------------------------------------------------------------------------- */

static void
add_units(struct ntfs *n, struct span s)
{
	uint16_t unit[255];
	size_t count = 0;

	while (count < 255 && bytes_le16(s, 2 * count, &unit[count]))
		count++;
	for (size_t k = 0; k < count;)
		k += utf16_add(unit + k, count - k, &n->path);
}

struct name {
	struct span units;
	uint64_t parent;
};

/* The one that is not of DOS, if there are two. */
static bool
find_name(struct span s, struct name *out)
{
	uint64_t at = first_attr(s);
	struct attr a;
	bool found = false;

	while (next_attr(s, &at, &a)) {
		uint8_t len, space;

		if (a.type != ATTR_NAME || !bytes_u8(a.value, 64, &len) ||
		    !bytes_u8(a.value, 65, &space) || (found && space == 2))
			continue;
		out->units = bytes_sub(a.value, 66, 2u * len);
		(void)bytes_le64(a.value, 0, &out->parent);
		out->parent &= (UINT64_C(1) << 48) - 1;
		found = true;
	}
	return found;
}

/* The folders first.  Record 5 is the root. */
static void
add_path(struct ntfs *n, uint64_t record, unsigned depth)
{
	char raw[RECORD_MAX];
	struct name name;

	if (record == 5 || depth > PARENTS ||
	    !load_record(n, record_at(n, record), raw) ||
	    !find_name((struct span){ raw, n->record }, &name))
		return;
	add_path(n, name.parent, depth + 1);
	add_units(n, name.units);
	buf_char(&n->path, '/');
}

/* ---- data ------------------------------------------------------------------------------ */

static void
give_runs(struct ntfs *n, const struct attr *a, struct giving *g)
{
	struct span s = a->value;
	struct run r = { 0 };

	while (g->left > 0 && next_run(&s, &r)) {
		uint64_t len = r.count * n->cluster;

		if (!r.hole && !run_is_within(n, &r))
			return;
		if (!(r.hole ? giving_zeros(g, len)
			     : giving_run(g, r.cluster * n->cluster, len)))
			return;
	}
}

static bool
give_within(struct ntfs *n, struct span s)
{
	struct peel_member m = peel_named(buf_view(&n->path), FORMAT_ANY);

	if (s.len == 0)
		return true;
	return peel_begin(n->out, &m) && peel_add(n->out, s) &&
	    peel_end(n->out) && peel_tick(n->out);
}

static bool
give_stream(struct ntfs *n, const struct attr *a)
{
	size_t len = n->path.len;
	struct giving g;
	bool more;

	if ((a->flags & (DATA_COMPRESSED | DATA_ENCRYPTED)) != 0 ||
	    (a->away != 0 && a->first != 0)) {
		tell(n,
		    (a->flags & DATA_ENCRYPTED) != 0 ? PEEL_ENCRYPTED
						     : PEEL_UNSUPPORTED);
		return true;
	}
	if (a->name.len > 0) {
		buf_char(&n->path, ':');
		add_units(n, a->name);
	}
	if (a->away == 0) {
		more = give_within(n, a->value);
	} else {
		g = giving_of(n->image, n->out, buf_view(&n->path), a->size);
		give_runs(n, a, &g);
		more = giving_end(&g);
	}
	buf_cut(&n->path, len);
	return more;
}

static bool
give_record(struct ntfs *n, uint64_t k, const char raw[RECORD_MAX])
{
	struct span s = { raw, n->record };
	uint64_t at = first_attr(s), base;
	uint16_t flags;
	struct name name;
	struct attr a;
	bool away = false, data = false, more = true;

	(void)bytes_le16(s, 22, &flags);
	(void)bytes_le64(s, 32, &base);
	if ((flags & RECORD_USED) == 0 || base != 0 || k < OWN_FILES)
		return true;
	buf_clear(&n->path);
	if (find_name(s, &name)) {
		add_path(n, name.parent, 0);
		add_units(n, name.units);
	}
	while (more && next_attr(s, &at, &a)) {
		away = away || a.type == ATTR_LIST;
		data = data || a.type == ATTR_DATA;
		if (a.type == ATTR_DATA)
			more = give_stream(n, &a);
	}
	if (away && !data && (flags & RECORD_DIR) == 0)
		tell(n, PEEL_UNSUPPORTED);
	return more;
}

/* ---- the table ---------------------------------------------------------------------------- */

static bool
read_boot(struct ntfs *n, uint64_t *table)
{
	char raw[80];
	struct span s = { raw, sizeof(raw) };
	uint16_t sector;
	uint8_t per, record;

	if (!image_load(n->image, 0, raw, sizeof(raw)))
		return false;
	(void)bytes_le16(s, 11, &sector);
	(void)bytes_u8(s, 13, &per);
	(void)bytes_le64(s, 48, table);
	(void)bytes_u8(s, 64, &record);
	/* Above 128 it is a power of two, negative. */
	if (per > 128)
		n->cluster = per >= 244 ? (uint32_t)sector << (256 - per) : 0;
	else
		n->cluster = (uint32_t)sector * per;
	if (record > 128)
		n->record = 256u - record <= 12 ? 1u << (256 - record) : 0;
	else
		n->record = record * n->cluster;
	return sector >= 256 && sector <= 4096 && n->cluster != 0 &&
	    n->record >= 512 && n->record <= RECORD_MAX &&
	    *table < n->image->len / n->cluster;
}

/* The first record tells where the table is, itself included. */
static bool
read_table(struct ntfs *n, uint64_t table, char raw[RECORD_MAX])
{
	struct span s = { raw, n->record };
	struct run r = { 0 };
	uint64_t at;
	struct attr a;

	if (!load_record(n, table * n->cluster, raw))
		return false;
	at = first_attr(s);
	while (next_attr(s, &at, &a) && a.type != ATTR_DATA)
		if (a.type == ATTR_LIST)
			tell(n, PEEL_UNSUPPORTED);
	if (a.type != ATTR_DATA || a.away == 0)
		return false;
	while (n->runs < RUNS_MAX && next_run(&a.value, &r)) {
		if (r.hole || !run_is_within(n, &r))
			return false;
		n->table[n->runs++] = r;
	}
	if (n->runs == RUNS_MAX)
		tell(n, PEEL_UNSUPPORTED);
	n->records = a.size / n->record;
	return n->runs > 0;
}

static bool
give_records(struct ntfs *n, char raw[RECORD_MAX])
{
	uint64_t most = n->image->len / n->record;
	uint64_t held = n->image->bytes.len / n->record * 8 + 65536;

	/* Of a dynamic image most may be holes. */
	if (most > held)
		most = held;
	if (n->records > most) {
		peel_note(n->out, PEEL_DAMAGED);
		n->records = most;
	}
	for (uint64_t k = 0; k < n->records; k++) {
		if (load_record(n, record_at(n, k), raw) &&
		    !give_record(n, k, raw))
			return false;
		if (k % 64 == 0 && !peel_tick(n->out))
			return false;
	}
	return true;
}

bool
files_ntfs(struct image *i, struct peel *out)
{
	struct ntfs n = { .image = i, .out = out };
	char raw[RECORD_MAX];
	uint64_t table;
	bool more = true;

	if (!read_boot(&n, &table) || !read_table(&n, table, raw)) {
		peel_note(out, PEEL_DAMAGED);
		return true;
	}
	n.path = buf_make(PATH_MAX_BYTES);
	more = give_records(&n, raw);
	buf_free(&n.path);
	return more;
}
