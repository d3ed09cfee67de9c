/* Macro sheets of Excel 4 in a workbook ([MS-XLS]): what its records say of
 * sheets, names and formulas, a line for each, in clamscan's words. */

#include "formats/office/formula.h"

#define BOF         0x809u
#define FILE_PASS   0x2fu
#define BOUND_SHEET 0x85u
#define END_OF_PART 0x0au
#define BIFF8       0x600u
#define SHEET_MACRO 0x40u /* as the sheet itself says it */
#define BOUND_MACRO 1u    /* as the workbook says it */
#define BUILT_IN    0x20u
#define TICK        4096u /* records */

struct record {
	uint16_t type;
	struct span data;
};

static bool
record_next(struct span stream, size_t *at, struct record *r)
{
	uint16_t len;

	if (!bytes_le16(stream, *at, &r->type) ||
	    !bytes_le16(stream, *at + 2, &len))
		return false;
	r->data = bytes_sub(stream, *at + 4, len);
	*at += 4 + (size_t)len;
	return true;
}

/* ---- lines ------------------------------------------------------------- */

typedef void line_fn(struct macro_text *t, struct span data);

static void
put_sheet(struct macro_text *t, struct span data)
{
	static const char *const kinds[] = { "worksheet or dialog sheet",
		"Excel 4.0 macro sheet", "chart", NULL, NULL, NULL,
		"Visual Basic module" };
	static const char *const seen[] = { "visible", "hidden",
		"very hidden" };
	uint8_t hidden, kind;

	(void)bytes_u8(data, 4, &hidden);
	(void)bytes_u8(data, 5, &kind);
	buf_fmt(&t->line, " - %s, %s",
	    kind < COUNT(kinds) && kinds[kind] != NULL ? kinds[kind]
						       : "unknown type",
	    hidden < COUNT(seen) ? seen[hidden] : "unknown visibility");
}

/* A name and what it stands for. */
static void
put_name(struct macro_text *t, struct span data)
{
	static const char *const built_in[] = { "?", "auto_open",
		"auto_close" };
	uint16_t flags, formula;
	uint8_t n, wide, first;
	size_t size;

	(void)bytes_le16(data, 0, &flags);
	(void)bytes_u8(data, 3, &n);
	(void)bytes_le16(data, 4, &formula);
	(void)bytes_u8(data, 14, &wide);
	(void)bytes_u8(data, 15, &first);
	size = (size_t)n << (wide & 1);
	buf_text(&t->line, " - ");
	if ((flags & BUILT_IN) != 0)
		buf_fmt(&t->line, "built-in-name %u %s", first,
		    built_in[first < COUNT(built_in) ? first : 0]);
	else
		macro_text_chars(t, bytes_sub(data, 15, size), (wide & 1) != 0);
	formula_add(t, FORMULA_BIFF8, bytes_sub(data, 15 + size, formula));
}

/* Tokens behind their length at `at`, of a cell at the record's beginning. */
static void
put_tokens(struct macro_text *t, struct span data, size_t at)
{
	uint16_t row, column, size;

	if (!bytes_le16(data, at, &size))
		return;
	(void)bytes_le16(data, 0, &row);
	(void)bytes_le16(data, 2, &column);
	buf_fmt(&t->line, " - R%uC%u len=%u ", row + 1u, column + 1u, size);
	formula_add(t, FORMULA_BIFF8, bytes_sub(data, at + 2, size));
}

static void
put_formula(struct macro_text *t, struct span data)
{
	put_tokens(t, data, 20);
}

static void
put_shared(struct macro_text *t, struct span data)
{
	put_tokens(t, data, 8);
}

static void
put_array(struct macro_text *t, struct span data)
{
	put_tokens(t, data, 12);
}

static void
put_string(struct macro_text *t, struct span data)
{
	uint16_t n;
	uint8_t wide;

	(void)bytes_le16(data, 0, &n);
	if (!bytes_u8(data, 2, &wide))
		return;
	buf_text(&t->line, " - \"");
	macro_text_chars(
	    t, bytes_sub(data, 3, (size_t)n << (wide & 1)), (wide & 1) != 0);
	buf_char(&t->line, '"');
}

static const struct {
	uint16_t type;
	const char *head;
	line_fn *put;
} lines[] = {
	{ 0x006, "FORMULA : Cell Formula", put_formula },
	{ END_OF_PART, "EOF : End of File", NULL },
	{ 0x018, "LABEL : Cell Value, String Constant", put_name },
	{ BOUND_SHEET, "BOUNDSHEET : Sheet Information", put_sheet },
	{ 0x207, "STRING : String Value of a Formula", put_string },
	{ 0x221, "ARRAY : Array-Entered Formula", put_array },
	{ 0x4bc, "SHRFMLA : Shared Formula", put_shared },
	{ BOF, "BOF : Beginning of File", NULL },
};

static void
line_add(struct macro_text *t, const struct record *r)
{
	for (size_t i = 0; i < COUNT(lines); i++) {
		if (lines[i].type != r->type)
			continue;
		macro_text_head(t, r->type, r->data.len, lines[i].head);
		if (lines[i].put != NULL)
			lines[i].put(t, r->data);
		macro_text_end_line(t);
		return;
	}
}

static bool
lines_open(struct office *o, struct span stream)
{
	struct macro_text t;
	struct record r;
	size_t at = 0;

	macro_text_begin(&t, o);
	for (unsigned n = 1; t.wanted && record_next(stream, &at, &r); n++) {
		line_add(&t, &r);
		if (n % TICK == 0 && !peel_tick(o->out))
			t.wanted = false;
	}
	return macro_text_end(&t);
}

/* ---- the workbook ------------------------------------------------------ */

static bool
is_macro_sheet(const struct record *r)
{
	uint16_t kind16;
	uint8_t kind;

	if (r->type == BOUND_SHEET)
		return bytes_u8(r->data, 5, &kind) && kind == BOUND_MACRO;
	return r->type == BOF && bytes_le16(r->data, 2, &kind16) &&
	    kind16 == SHEET_MACRO;
}

bool
excel_open(struct office *o, struct span stream)
{
	bool macros = false, within = true, biff8 = false;
	struct record r;
	uint16_t version;
	size_t at = 0;

	for (unsigned n = 1; record_next(stream, &at, &r); n++) {
		if (r.type == FILE_PASS && within)
			return office_secret(o);
		macros |= is_macro_sheet(&r);
		biff8 |= r.type == BOF && bytes_le16(r.data, 0, &version) &&
		    version == BIFF8;
		within = within && r.type != END_OF_PART;
		if (n % TICK == 0 && !peel_tick(o->out))
			return false;
	}
	if (macros)
		office_suspect(o, OFFICE_MACRO_XLM);
	return !macros || !biff8 || lines_open(o, stream);
}
