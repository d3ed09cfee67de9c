/* Macro sheets of Excel 4 in workbooks of 2007 and later: as XML they are text
 * as they are; in a binary workbook ([MS-XLSB]) their formulas become the text
 * that those of an .xls become. */

#include "formats/office/formula.h"
#include "formats/office/office.h"

#define ROW         0u
#define TICK        4096u /* records */
#define LENGTH_MAX  4u    /* bytes of a record's length */
#define CELL        8u    /* its column and style */
#define RANGE       16u
#define TEXT_VALUE  SIZE_MAX
#define BEGIN_SHEET SPAN("\x81\1")
#define BEGIN_BOOK  SPAN("\x83\1")

struct book {
	struct office office;
	struct macro_text text;
	uint32_t row; /* of the cells that follow */
};

struct record {
	unsigned type;
	struct span data;
};

/* Seven bits in each byte, the low ones first. */
static bool
record_next(struct span s, size_t *at, struct record *r)
{
	uint64_t size = 0;
	uint8_t byte;
	unsigned i = 0;

	if (!bytes_u8(s, (*at)++, &byte))
		return false;
	r->type = byte & 0x7fu;
	if (byte > 0x7f) {
		if (!bytes_u8(s, (*at)++, &byte))
			return false;
		r->type |= (byte & 0x7fu) << 7;
	}
	do {
		if (!bytes_u8(s, (*at)++, &byte))
			return false;
		size |= (uint64_t)(byte & 0x7fu) << (7 * i);
	} while (byte > 0x7f && ++i < LENGTH_MAX);
	r->data = bytes_sub(s, *at, size);
	*at = size > s.len - *at ? s.len : *at + (size_t)size;
	return true;
}

/* ---- lines ------------------------------------------------------------- */

/* The words and numbers are those of the same records in an .xls. */
static const struct line {
	unsigned type, known_as;
	const char *head;
	size_t value; /* bytes in front of the flags, or TEXT_VALUE */
	enum { OF_CELL, OF_RANGE, NAME } kind;
} lines[] = {
	{ 8, 0x006, "FORMULA : Cell Formula", TEXT_VALUE, OF_CELL },
	{ 9, 0x006, "FORMULA : Cell Formula", 8, OF_CELL },
	{ 10, 0x006, "FORMULA : Cell Formula", 1, OF_CELL },
	{ 11, 0x006, "FORMULA : Cell Formula", 1, OF_CELL },
	{ 39, 0x018, "LABEL : Cell Value, String Constant", 0, NAME },
	{ 426, 0x221, "ARRAY : Array-Entered Formula", 1, OF_RANGE },
	{ 427, 0x4bc, "SHRFMLA : Shared Formula", 0, OF_RANGE },
};

/* A text behind the number of its letters. */
static struct span
text_take(struct span data, size_t *at)
{
	struct span text;
	uint32_t n;

	(void)bytes_le32(data, *at, &n);
	text = bytes_sub(data, *at + 4, 2 * (uint64_t)n);
	*at = *at + 4 > data.len ? data.len : *at + 4 + text.len;
	return text;
}

/* Tokens behind their length at `at`. */
static void
put_tokens(struct book *b, struct span data, size_t at)
{
	uint32_t size;

	(void)bytes_le32(data, at, &size);
	formula_add(&b->text, FORMULA_BIFF12, bytes_sub(data, at + 4, size));
}

static void
put_formula(
    struct book *b, uint32_t row, uint32_t column, struct span data, size_t at)
{
	uint32_t size;

	(void)bytes_le32(data, at, &size);
	buf_fmt(&b->text.line, " - R%uC%u len=%u ", row + 1, column + 1, size);
	put_tokens(b, data, at);
}

static void
put_name(struct book *b, struct span data)
{
	size_t at = 9;
	struct span name = text_take(data, &at);

	buf_text(&b->text.line, " - ");
	macro_text_chars(&b->text, name, true);
	put_tokens(b, data, at);
}

static void
put_value(struct book *b, struct span value)
{
	macro_text_head(&b->text, 0x207, value.len,
	    "STRING : String Value of a Formula - \"");
	macro_text_chars(&b->text, value, true);
	buf_char(&b->text.line, '"');
	macro_text_end_line(&b->text);
}

/* Its first row, its last row, its first column. */
static void
put_range(struct book *b, struct span data, size_t at)
{
	uint32_t row, column;

	(void)bytes_le32(data, 0, &row);
	(void)bytes_le32(data, 8, &column);
	put_formula(b, row, column, data, at);
}

/* *value: what it came to the last time, when that was text. */
static void
put_cell(
    struct book *b, const struct line *l, struct span data, struct span *value)
{
	uint32_t column;
	size_t at = CELL;

	(void)bytes_le32(data, 0, &column);
	if (l->value == TEXT_VALUE)
		*value = text_take(data, &at);
	else
		at += l->value;
	put_formula(b, b->row, column, data, at + 2);
}

static void
line_add(struct book *b, const struct record *r)
{
	const struct line *l = lines;
	struct span value = SPAN("");

	if (r->type == ROW)
		(void)bytes_le32(r->data, 0, &b->row);
	while (l < lines + COUNT(lines) && l->type != r->type)
		l++;
	if (l == lines + COUNT(lines))
		return;
	macro_text_head(&b->text, l->known_as, r->data.len, l->head);
	if (l->kind == NAME)
		put_name(b, r->data);
	else if (l->kind == OF_RANGE)
		put_range(b, r->data, RANGE + l->value);
	else
		put_cell(b, l, r->data, &value);
	macro_text_end_line(&b->text);
	if (value.len > 0)
		put_value(b, value);
}

static void
records_open(struct span object, struct peel *out)
{
	struct book b = { .office = office_begin(object, out) };
	struct record r;
	size_t at = 0;

	macro_text_begin(&b.text, &b.office);
	for (unsigned n = 1; b.text.wanted && record_next(object, &at, &r);
	     n++) {
		line_add(&b, &r);
		if (n % TICK == 0 && !peel_tick(out))
			b.text.wanted = false;
	}
	(void)macro_text_end(&b.text);
}

/* ---- parts ------------------------------------------------------------- */

void
open_macro_sheet(struct span object, struct peel *out)
{
	struct office o = office_begin(object, out);

	office_suspect(&o, OFFICE_MACRO_XLM);
	if (bytes_are(object, 0, BEGIN_SHEET))
		records_open(object, out);
}

void
open_macro_names(struct span object, struct peel *out)
{
	if (bytes_are(object, 0, BEGIN_BOOK))
		records_open(object, out);
}
