#include "formats/office/office.h"

#include "formats/office/cfb.h"
#include "formats/office/part.h"

/* One compound file being handed out. */
struct ole2 {
	struct office office; /* first */
	struct cfb cfb;
	struct cfb_tree tree;
	struct buf copy; /* a stream that does not stand in one piece */
	struct buf path;
};

/* ---- streams by their names -------------------------------------------- */

static bool
encrypted_open(struct office *o, struct span stream)
{
	(void)stream;
	return office_secret(o);
}

static const struct {
	const char *name;
	office_part_fn *open;
} parts[] = {
	{ "EncryptedPackage", encrypted_open },
	{ "\1Ole10Native", native_open },
	{ "PowerPoint Document", powerpoint_open },
	{ "Current User", presenter_open },
	{ "WordDocument", word_open },
	{ "Workbook", excel_open },
	{ "Book", excel_open },
	{ "__substg1.0_10090102", message_body_open },
};

static bool
parts_open(struct ole2 *o, const struct cfb_entry *e, struct span stream)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (cfb_name_is(e, parts[i].name))
			return parts[i].open(&o->office, stream);
	return vba_open(&o->office, stream);
}

/* ---- the walk ---------------------------------------------------------- */

static bool
stream_open(struct ole2 *o, uint32_t i, const struct cfb_entry *e)
{
	struct span stream = cfb_stream_load(&o->cfb, e, &o->copy);
	struct peel_member m;

	buf_clear(&o->path);
	cfb_path_add(&o->cfb, &o->tree, i, &o->path);
	m = peel_named(buf_view(&o->path), FORMAT_ANY);
	m.size = e->size;
	return peel_slice(o->office.out, &m, stream) &&
	    parts_open(o, e, stream) &&
	    hwp_stream_open(&o->office, buf_view(&o->path), stream);
}

/* What has to be known before any other stream. */
static void
header_look(struct ole2 *o)
{
	for (uint32_t n = 0; n < o->tree.n; n++) {
		struct cfb_entry e = cfb_entry_read(&o->cfb, o->tree.order[n]);

		if (e.kind != CFB_STREAM || !cfb_name_is(&e, "FileHeader"))
			continue;
		hwp_begin(&o->office, cfb_stream_load(&o->cfb, &e, &o->copy));
		return;
	}
}

static void
streams_open(struct ole2 *o)
{
	header_look(o);
	for (uint32_t n = 0; n < o->tree.n; n++) {
		uint32_t i = o->tree.order[n];
		struct cfb_entry e = cfb_entry_read(&o->cfb, i);

		if (n % 1024 == 0 && !peel_tick(o->office.out))
			return;
		if (e.kind == CFB_STREAM && !stream_open(o, i, &e))
			return;
	}
}

void
open_ole2(struct span object, struct peel *out)
{
	struct ole2 o = { .office = office_begin(object, out),
		.copy = buf_make(object.len),
		.path = buf_make(8192) };

	if (!cfb_open(&o.cfb, object)) {
		office_note(&o.office, PEEL_DAMAGED);
		return;
	}
	if (cfb_tree_read(&o.cfb, &o.tree))
		streams_open(&o);
	if (o.cfb.damaged || o.cfb.entries == 0)
		office_note(&o.office, PEEL_DAMAGED);
	if (o.cfb.memory)
		office_note(&o.office, PEEL_MEMORY);
	cfb_tree_free(&o.tree);
	buf_free(&o.copy);
	buf_free(&o.path);
	cfb_close(&o.cfb);
}
