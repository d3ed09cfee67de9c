/* The tokens of formulas.  Each begins with a byte that says which it is; from
 * 0x20 on its bits 5 and 6 say whether a reference, a value or an array is
 * wanted of it, which is the last letter of its name. */

#include "formats/office/formula.h"

#include <string.h>

#include "formats/office/utf16.h"

#define PIECE     16384u /* bytes of text that are handed out at once */
#define LINE_MAX  (4u * PIECE)
#define CLASSED   0x20u
#define CLASSES   0x60u
#define ATTRIBUTE 3u /* bytes: what it is, and a number */
#define CHOOSE    4u

/* ---- text -------------------------------------------------------------- */

void
macro_text_begin(struct macro_text *t, struct office *o)
{
	char text[OFFICE_NAME];
	struct peel_member m =
	    peel_named(office_name_next(o, "xlm", text), FORMAT_ANY);

	*t = (struct macro_text){ .office = o, .line = buf_make(LINE_MAX) };
	t->wanted = peel_begin(o->out, &m);
}

static void
hand_out(struct macro_text *t)
{
	if (t->line.full)
		office_note(t->office, PEEL_MEMORY);
	if (t->wanted && t->line.len > 0)
		t->wanted = peel_add(t->office->out, buf_view(&t->line));
	buf_cut(&t->line, 0);
}

static void
hand_out_piece(struct macro_text *t)
{
	if (t->line.len >= PIECE || t->line.full)
		hand_out(t);
}

void
macro_text_head(
    struct macro_text *t, unsigned type, size_t size, const char *head)
{
	buf_fmt(&t->line, "%04x %6zu   %s", type, size, head);
}

void
macro_text_chars(struct macro_text *t, struct span bytes, bool wide)
{
	uint16_t unit[2];

	if (!wide) {
		for (; bytes.len > 0; bytes = span_from(bytes, PIECE)) {
			buf_span(&t->line, bytes_sub(bytes, 0, PIECE));
			hand_out_piece(t);
		}
		return;
	}
	for (size_t at = 0; bytes_le16(bytes, at, &unit[0]); at += 2) {
		bool two = bytes_le16(bytes, at + 2, &unit[1]);

		if (utf16_add(unit, two ? 2 : 1, &t->line) == 2)
			at += 2;
		hand_out_piece(t);
	}
}

void
macro_text_end_line(struct macro_text *t)
{
	buf_char(&t->line, '\n');
	hand_out_piece(t);
}

bool
macro_text_end(struct macro_text *t)
{
	hand_out(t);
	buf_free(&t->line);
	return t->wanted && peel_end(t->office->out);
}

/* ---- what stands behind a token ---------------------------------------- */

/* The text of `args`, and how many bytes they are when that depends. */
typedef size_t
print_fn(struct macro_text *t, enum formula_kind kind, struct span args);

/* Rows and columns, with the bits that make them relative. */
static size_t
print_place(struct macro_text *t, enum formula_kind kind, struct span args)
{
	uint32_t row = 0;
	uint16_t column, row8;

	if (kind == FORMULA_BIFF12) {
		(void)bytes_le32(args, 0, &row);
		(void)bytes_le16(args, 4, &column);
	} else {
		(void)bytes_le16(args, 0, &row8);
		(void)bytes_le16(args, 2, &column);
		row = row8;
	}
	buf_fmt(&t->line, " R%uC%u", row + 1, column + 1u);
	return 0;
}

/* Behind the number of a sheet. */
static size_t
print_place_3d(struct macro_text *t, enum formula_kind kind, struct span args)
{
	return print_place(t, kind, span_from(args, 2));
}

/* The numbers of an area in pairs, as clamscan tells them: they are the first
 * and the last row, then columns. */
static size_t
print_area(struct macro_text *t, enum formula_kind kind, struct span args)
{
	uint32_t n[4];
	uint16_t small[4];
	size_t size = kind == FORMULA_BIFF12 ? 4 : 2;

	for (size_t i = 0; i < 4; i++) {
		(void)bytes_le16(
		    args, i < 2 ? i * size : 2 * size + (i - 2) * 2, &small[i]);
		n[i] = small[i];
	}
	for (size_t i = 0; i < 2 && size == 4; i++)
		(void)bytes_le32(args, i * size, &n[i]);
	buf_fmt(
	    &t->line, " R%uC%u:R%uC%u", n[0] + 1, n[1] + 1, n[2] + 1, n[3] + 1);
	return 0;
}

static size_t
print_area_3d(struct macro_text *t, enum formula_kind kind, struct span args)
{
	return print_area(t, kind, span_from(args, 2));
}

/* Of narrow strings clamscan tells the token's own bytes as well. */
static size_t
print_string(struct macro_text *t, enum formula_kind kind, struct span args)
{
	uint16_t n;
	uint8_t narrow, wide = 1;
	size_t at = 2, size;

	if (kind == FORMULA_BIFF12) {
		(void)bytes_le16(args, 0, &n);
	} else {
		(void)bytes_u8(args, 0, &narrow);
		(void)bytes_u8(args, 1, &wide);
		n = narrow;
		wide &= 1;
	}
	size = (size_t)n << wide;
	if (wide == 0 && n > 0) {
		buf_char(&t->line, 0x17);
		buf_char(&t->line, (char)n);
		buf_char(&t->line, 0);
	}
	macro_text_chars(t, bytes_sub(args, at, size), wide != 0);
	return at + size;
}

static size_t
print_attribute(struct macro_text *t, enum formula_kind kind, struct span args)
{
	uint8_t what;
	uint16_t n;

	(void)t;
	(void)kind;
	(void)bytes_u8(args, 0, &what);
	(void)bytes_le16(args, 1, &n);
	/* The places of the choices follow, and of what is behind them. */
	return ATTRIBUTE + ((what & CHOOSE) != 0 ? 2 * ((size_t)n + 1) : 0);
}

static size_t
print_boolean(struct macro_text *t, enum formula_kind kind, struct span args)
{
	uint8_t value;

	(void)kind;
	(void)bytes_u8(args, 0, &value);
	buf_text(&t->line, value != 0 ? " TRUE" : " FALSE");
	return 0;
}

static size_t
print_integer(struct macro_text *t, enum formula_kind kind, struct span args)
{
	uint16_t value;

	(void)kind;
	(void)bytes_le16(args, 0, &value);
	buf_fmt(&t->line, " %u", value);
	return 0;
}

static size_t
print_number(struct macro_text *t, enum formula_kind kind, struct span args)
{
	double value;

	(void)kind;
	(void)bytes_load(args, 0, &value, sizeof(value));
	buf_fmt(&t->line, " %f", value);
	return 0;
}

/* clamscan takes the low byte of numbers for a signed one and so knows no
 * function from 128 to 255: its words come first, then which one it is. */
static void
put_function(struct macro_text *t, uint16_t number)
{
	const char *name = formula_function(number);
	bool lost = (number & 0x80) != 0;

	buf_fmt(&t->line, " %s (0x%04x)", lost ? FORMULA_UNKNOWN : name,
	    lost ? number | 0xff00u : number);
	if (lost && strcmp(name, FORMULA_UNKNOWN) != 0)
		buf_fmt(&t->line, " %s", name);
}

static size_t
print_function(struct macro_text *t, enum formula_kind kind, struct span args)
{
	uint16_t number;

	(void)kind;
	(void)bytes_le16(args, 0, &number);
	put_function(t, number);
	return 0;
}

static size_t
print_call(struct macro_text *t, enum formula_kind kind, struct span args)
{
	uint8_t given;
	uint16_t number;

	(void)kind;
	(void)bytes_u8(args, 0, &given);
	(void)bytes_le16(args, 1, &number);
	buf_fmt(&t->line, " args %u func", given & 0x7fu);
	put_function(t, number);
	return 0;
}

static size_t
print_name(struct macro_text *t, enum formula_kind kind, struct span args)
{
	uint32_t number;

	(void)kind;
	(void)bytes_le32(args, 0, &number);
	buf_fmt(&t->line, " 0x%08x", number);
	return 0;
}

static size_t
print_name_elsewhere(
    struct macro_text *t, enum formula_kind kind, struct span args)
{
	uint16_t number;

	(void)kind;
	(void)bytes_le16(args, 2, &number);
	buf_fmt(&t->line, " NAMEIDX %u", number);
	return 0;
}

static size_t
print_expression(struct macro_text *t, enum formula_kind kind, struct span args)
{
	(void)kind;
	(void)args;
	buf_text(&t->line, " REFERENCE-EXPRESSION");
	return 0;
}

/* ---- tokens ------------------------------------------------------------ */

/* What follows the token's byte: how long it is in either layout. */
static const struct token {
	const char *name;
	uint8_t size[FORMULA_KINDS];
	print_fn *print;
} tokens_of[] = {
	[0x01] = { "ptgExp", { 4, 4 }, print_place },
	[0x02] = { "ptgTbl", { 4, 4 }, print_place },
	[0x03] = { "ptgAdd", { 0, 0 }, NULL },
	[0x04] = { "ptgSub", { 0, 0 }, NULL },
	[0x05] = { "ptgMul", { 0, 0 }, NULL },
	[0x06] = { "ptgDiv", { 0, 0 }, NULL },
	[0x07] = { "ptgPower", { 0, 0 }, NULL },
	[0x08] = { "ptgConcat", { 0, 0 }, NULL },
	[0x09] = { "ptgLT", { 0, 0 }, NULL },
	[0x0a] = { "ptgLE", { 0, 0 }, NULL },
	[0x0b] = { "ptgEQ", { 0, 0 }, NULL },
	[0x0c] = { "ptgGE", { 0, 0 }, NULL },
	[0x0d] = { "ptgGT", { 0, 0 }, NULL },
	[0x0e] = { "ptgNE", { 0, 0 }, NULL },
	[0x0f] = { "ptgIsect", { 0, 0 }, NULL },
	[0x10] = { "ptgUnion", { 0, 0 }, NULL },
	[0x11] = { "ptgRange", { 0, 0 }, NULL },
	[0x12] = { "ptgUplus", { 0, 0 }, NULL },
	[0x13] = { "ptgUminus", { 0, 0 }, NULL },
	[0x14] = { "ptgPercent", { 0, 0 }, NULL },
	[0x15] = { "ptgParen", { 0, 0 }, NULL },
	[0x16] = { "ptgMissArg", { 0, 0 }, NULL },
	[0x17] = { "ptgStr", { 0, 0 }, print_string },
	[0x18] = { "ptgElf", { 5, 5 }, NULL },
	[0x19] = { "ptgAttr", { 0, 0 }, print_attribute },
	[0x1c] = { "ptgErr", { 1, 1 }, NULL },
	[0x1d] = { "ptgBool", { 1, 1 }, print_boolean },
	[0x1e] = { "ptgInt", { 2, 2 }, print_integer },
	[0x1f] = { "ptgNum", { 8, 8 }, print_number },
	[0x20] = { "ptgArray", { 7, 14 }, NULL },
	[0x21] = { "ptgFunc", { 2, 2 }, print_function },
	[0x22] = { "ptgFuncVar", { 3, 3 }, print_call },
	[0x23] = { "ptgName", { 4, 4 }, print_name },
	[0x24] = { "ptgRef", { 4, 6 }, print_place },
	[0x25] = { "ptgArea", { 8, 12 }, print_area },
	[0x26] = { "ptgMemArea", { 6, 6 }, print_expression },
	[0x27] = { "ptgMemErr", { 6, 6 }, NULL },
	[0x28] = { "ptgMemNoMem", { 6, 6 }, NULL },
	[0x29] = { "ptgMemFunc", { 2, 2 }, NULL },
	[0x2a] = { "ptgRefErr", { 4, 6 }, NULL },
	[0x2b] = { "ptgAreaErr", { 8, 12 }, NULL },
	[0x2c] = { "ptgRefN", { 4, 6 }, print_place },
	[0x2d] = { "ptgAreaN", { 8, 12 }, print_area },
	[0x39] = { "ptgNameX", { 6, 6 }, print_name_elsewhere },
	[0x3a] = { "ptgRef3d", { 6, 8 }, print_place_3d },
	[0x3b] = { "ptgArea3d", { 10, 14 }, print_area_3d },
	[0x3c] = { "ptgRefErr3d", { 6, 8 }, NULL },
	[0x3d] = { "ptgAreaErr3d", { 10, 14 }, NULL },
};

static const struct token *
token_of(unsigned char byte)
{
	size_t i = byte < CLASSED ? byte : (byte & 0x1fu) | CLASSED;

	if (byte > 0x7f || i >= COUNT(tokens_of) || tokens_of[i].name == NULL)
		return NULL;
	return &tokens_of[i];
}

/* One token; false: it is none, so that nobody knows where the next is. */
static bool
token_add(struct macro_text *t, enum formula_kind kind, struct span *rest)
{
	static const char *const classes[] = { "", "", "V", "A" };
	unsigned char byte = (unsigned char)rest->ptr[0];
	const struct token *is = token_of(byte);
	size_t used;

	*rest = span_from(*rest, 1);
	if (is == NULL)
		return false;
	buf_fmt(&t->line, " %s%s", is->name, classes[(byte & CLASSES) >> 5]);
	used = is->size[kind];
	if (is->print != NULL) {
		size_t found = is->print(
		    t, kind, used == 0 ? *rest : bytes_sub(*rest, 0, used));

		used = used == 0 ? found : used;
	}
	*rest = span_from(*rest, used);
	hand_out_piece(t);
	return true;
}

void
formula_add(struct macro_text *t, enum formula_kind kind, struct span tokens)
{
	while (tokens.len > 0 && t->wanted && token_add(t, kind, &tokens))
		;
}
