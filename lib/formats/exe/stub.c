#include "formats/exe/pe_pack.h"

/* How stubs are read that were made anew for each program: patterns of code,
 * and simple steps that decrypt a byte. */

#define TICK (1u << 16)

bool
code_is(struct span s, uint64_t at, struct pattern p)
{
	for (size_t i = 0; i < p.n; i++) {
		uint8_t c;

		if (!bytes_u8(s, at + i, &c) ||
		    (p.code[i] != ANY && p.code[i] != c))
			return false;
	}
	return true;
}

bool
code_find(
    struct span s, uint64_t from, uint64_t max, struct pattern p, uint64_t *at)
{
	for (*at = from; *at < s.len && *at - from < max; (*at)++)
		if (code_is(s, *at, p))
			return true;
	return false;
}

/* Instructions on al; `bytes` of them, then an operand if `operand`. */
static const struct code {
	uint8_t byte[2], bytes;
	bool operand, idle;
	enum step_kind kind;
	uint8_t by; /* when there is no operand */
} codes[] = {
	{ { 0x04 }, 1, true, false, STEP_ADD, 0 },
	{ { 0x2c }, 1, true, false, STEP_SUB, 0 },
	{ { 0x34 }, 1, true, false, STEP_XOR, 0 },
	{ { 0xc0, 0xc0 }, 2, true, false, STEP_ROL, 0 },
	{ { 0xc0, 0xc8 }, 2, true, false, STEP_ROR, 0 },
	{ { 0x02, 0xc1 }, 2, false, false, STEP_ADD_COUNT, 0 },
	{ { 0x2a, 0xc1 }, 2, false, false, STEP_SUB_COUNT, 0 },
	{ { 0x32, 0xc1 }, 2, false, false, STEP_XOR_COUNT, 0 },
	{ { 0xfe, 0xc0 }, 2, false, false, STEP_ADD, 1 },
	{ { 0xfe, 0xc8 }, 2, false, false, STEP_SUB, 1 },
	{ { 0xf6, 0xd0 }, 2, false, false, STEP_XOR, 0xff },
	{ { 0x0a, 0xc0 }, 2, false, true, STEP_ADD, 0 }, /* or al, al */
	{ { 0x90 }, 1, false, true, STEP_ADD, 0 },       /* nop */
	{ { 0xf8 }, 1, false, true, STEP_ADD, 0 },       /* clc */
	{ { 0xf9 }, 1, false, true, STEP_ADD, 0 },       /* stc */
	{ { 0xf5 }, 1, false, true, STEP_ADD, 0 },       /* cmc */
	{ { 0xeb, 0x01 }, 2, true, true, STEP_ADD, 0 },  /* jmp over a byte */
};

static const struct code *
code_of(struct span s, uint64_t at)
{
	for (size_t i = 0; i < COUNT(codes); i++)
		if (bytes_are(s, at,
			(struct span){
			    (const char *)codes[i].byte, codes[i].bytes }))
			return &codes[i];
	return NULL;
}

bool
steps_read(struct span s, uint64_t at, struct span end, struct steps *out)
{
	out->n = 0;
	for (unsigned turn = 0; turn < STEPS_MAX; turn++) {
		const struct code *c;
		uint8_t by;

		if (bytes_are(s, at, end))
			return out->n > 0;
		c = code_of(s, at);
		if (c == NULL)
			return false;
		at += c->bytes;
		by = c->by;
		if (c->operand && !bytes_u8(s, at++, &by))
			return false;
		if (!c->idle)
			out->step[out->n++] = (struct step){ c->kind, by };
	}
	return false;
}

static uint8_t
rotate(uint8_t v, unsigned left)
{
	left %= 8;
	return (uint8_t)(v << left | v >> (8 - left));
}

static uint8_t
step_do(const struct step *s, uint8_t v, uint8_t count)
{
	switch (s->kind) {
	case STEP_ADD_COUNT:
		return (uint8_t)(v + count);
	case STEP_SUB_COUNT:
		return (uint8_t)(v - count);
	case STEP_XOR_COUNT:
		return v ^ count;
	case STEP_ADD:
		return (uint8_t)(v + s->by);
	case STEP_SUB:
		return (uint8_t)(v - s->by);
	case STEP_XOR:
		return v ^ s->by;
	case STEP_ROL:
		return rotate(v, s->by);
	case STEP_ROR:
		return rotate(v, 8u - s->by % 8u);
	}
	return v;
}

bool
steps_do(const struct steps *s, struct buf *b, uint64_t at, uint32_t n,
    uint32_t count, struct peel *ticker)
{
	for (uint32_t i = 0; i < n && at + i < b->len; i++) {
		uint8_t v = (uint8_t)b->ptr[at + i];

		if (i % TICK == TICK - 1 && !peel_tick(ticker))
			return false;
		for (size_t k = 0; k < s->n; k++)
			v = step_do(&s->step[k], v, (uint8_t)(count - i));
		b->ptr[at + i] = (char)v;
	}
	return true;
}
